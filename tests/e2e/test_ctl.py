"""genai-ctl against a real fleet, as a person and as a script would use it."""
import fcntl
import os
import pty
import signal
import struct
import subprocess
import termios
import threading
import unittest

from commands import CtlTest
from harness import BIN, wait_for


class OnTerminal:
    """A program on a terminal of 30 lines of 120 columns; what it wrote is in `shown`."""

    def __init__(self, *arguments):
        self.shown = b""
        self.keys, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 120, 0, 0))
        self.process = subprocess.Popen(
            [str(a) for a in arguments], stdin=terminal, stdout=terminal, stderr=terminal,
            env={**os.environ, "TERM": "xterm"}, start_new_session=True)
        os.close(terminal)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        try:
            while data := os.read(self.keys, 65536):
                self.shown += data
        except OSError:  # how a terminal that nobody holds ends
            pass

    def wait(self):
        code = self.process.wait(60)
        self.reader.join(60)
        return code

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.reader.join(60)
        os.close(self.keys)


class Ctl(CtlTest):
    def on_terminal(self, *arguments):
        program = OnTerminal(BIN / "genai-ctl", "--dispatcher", self.clients_endpoint, *arguments)
        self.closers.append(program.close)
        return program

    def test_submit_one_and_wait(self):
        self.start_nodes(1, "--echo")
        done = self.ctl("submit", "--wait", "a red sphere")
        self.assertEqual((done.returncode, done.stdout), (0, b"a red sphere"))
        self.assertIn(b"Completed (1/1) a red sphere", done.stderr)
        done = self.ctl("submit", "--wait", "--stdin", stdin=b"\x00\xff bytes")
        self.assertEqual((done.returncode, done.stdout), (0, b"\x00\xff bytes"))

    def test_submit_lines_into_a_folder(self):
        self.start_nodes(2, "--echo")
        lines = self.folder / "prompts"
        lines.write_text("# comment\none\n\ntwo\nthree\n")
        out = self.folder / "out"
        rows = self.rows("submit", "--lines", lines, "--comments", "--out", out, "--suffix", ".txt")
        self.assertEqual(sorted((r["line"], r["label"], r["status"]) for r in rows),
                         [(2, "one", "Completed"), (4, "two", "Completed"),
                          (5, "three", "Completed")])
        for row in rows:
            self.assertIn(row["node_id"], ("node-1", "node-2"))
            self.assertEqual(row["node"], row["node_id"])
            with open(row["file"]) as file:
                self.assertEqual(file.read(), row["label"])
        self.assertEqual(len(list(out.iterdir())), 3)

    def test_submit_jsonl(self):
        self.start_nodes(1, "--exec", "printf '%s %s' \"$GENAI_PARAM_SEED\" \"$GENAI_TASK_ID\"")
        tasks = self.folder / "tasks.jsonl"
        tasks.write_text('{"prompt":"p","id":"my-1","params":{"seed":7}}\n')
        done = self.ctl("submit", "--jsonl", tasks, "--wait")
        self.assertEqual(done.stdout, b"7 my-1")
        done = self.ctl("submit", "--id", "my-2", "--wait", "--param", "a=1", "--param", "seed=8",
                        "the prompt")
        self.assertEqual((done.returncode, done.stdout), (0, b"8 my-2"), done.stderr)
        tasks.write_text('{"prompt":"p"}\n{"prompt":')
        done = self.ctl("submit", "--jsonl", tasks)
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"tasks.jsonl:2: not JSON", done.stderr)

    def test_what_was_written_is_acknowledged(self):
        self.start_nodes(2, "--echo")
        lines = b"".join(b"%d\n" % i for i in range(300))
        self.ctl("submit", "--lines", "-", "--out", self.folder / "out", stdin=lines)
        self.ctl("submit", "--wait", "x")
        task = self.ctl("submit", "x").stdout.decode().strip()
        self.ctl("watch", task, "--out", self.folder / "out")
        wait_for(lambda: self.client.stats()["delivered_total"] == 302, "the acknowledgements")

    def test_failed_tasks_are_an_exit_code(self):
        self.start_nodes(1, "--exec", "echo no luck >&2; exit 1")
        rows = self.rows("submit", "--wait", "--max-attempts", 1, "x", code=1)
        self.assertEqual((rows[0]["status"], rows[0]["code"]), ("Failed", "task_error"))
        self.assertIn("no luck", rows[0]["error"])

    def test_status_list_cancel_and_why_it_waits(self):
        self.start_nodes(1, "--echo", "--model", "sdxl")
        ids = [self.ctl("submit", "--model", "flux", f"p{i}").stdout.decode().strip()
               for i in range(3)]
        row = self.rows("status", ids[0])[0]
        self.assertEqual((row["status"], row["waiting"]),
                         ("Unscheduled", "1 provider lacks model 'flux'"))
        self.assertEqual(row["log"][0]["reason"], "accepted")
        self.assertIn(b"1 provider lacks model 'flux'", self.ctl("status", ids[0]).stdout)
        self.assertEqual({r["task_id"] for r in self.rows("list")}, set(ids))
        self.assertEqual(len(self.rows("list", "--limit", 2)), 2)
        self.assertEqual(self.ctl("cancel", *ids).returncode, 0)
        self.assertEqual(len(self.rows("list", "--status", "Aborted")), 3)
        again = self.ctl("cancel", ids[0])
        self.assertEqual(again.returncode, 1)
        self.assertIn(b"already_terminal", again.stderr)
        unknown = self.ctl("status", "nobody")
        self.assertEqual(unknown.returncode, 1)
        self.assertIn(b"nobody: no such task", unknown.stderr)
        self.assertEqual(self.ctl("list", "--status", "Sleeping").returncode, 2)

    def test_list_goes_on_over_many_pages(self):
        ids = self.ctl("submit", "--lines", "-",
                       stdin=b"".join(b"%d\n" % i for i in range(2100))).stdout.decode().split()
        self.assertEqual(len(set(ids)), 2100)
        listed = [row["task_id"] for row in self.rows("list", "--limit", 5000)]
        self.assertEqual(listed, sorted(ids))
        self.assertEqual([row["task_id"] for row in self.rows("list", "--limit", 1500)],
                         listed[:1500])
        self.assertEqual(len(self.rows("list")), 100)

    def test_bars_on_a_terminal(self):
        self.start_nodes(1, "--exec", "echo 0.5 half way >&3; sleep 1; echo done")
        out = self.folder / "out"
        waiting = self.on_terminal("submit", "--id", "t-1", "--out", out, "a red sphere")
        self.assertEqual(waiting.wait(), 0, waiting.shown)
        for part in (b"0/1 done", b"50 % node-1: a red sphere half way", b"1/1 done"):
            self.assertIn(part, waiting.shown)
        self.assertEqual((out / "t-1").read_text(), "done\n")

    def test_every_metric_reaches_top(self):
        told, shown = self.client.stats(), self.rows("top", "--json")[0]["stats"]
        self.assertEqual({key for key in told if key.endswith(("_total", "_bytes", "_ms"))} - shown.keys(), set())
        self.assertLessEqual({"late_results_total", "discarded_results_total", "malformed_total", "failed_bytes",
                              "queue_ms"}, shown.keys())

    def test_the_metrics_of_a_broker_reach_top(self):
        self.start_nodes(2, "--echo")

        def of_broker():
            return self.rows("top", "--json")[0]["stats"]["brokers"][0]["metrics"]

        wait_for(lambda: of_broker().get("nodes_online") == 2, "the broker's metrics")
        metrics = of_broker()
        self.assertEqual(metrics["joined_total"], 2)
        self.assertEqual(metrics["dispatcher_connected"], 1)
        self.assertGreater(metrics["heartbeats_total"], 0)
        self.assertGreater(metrics["uptime_ms"], 0)
        self.assertIn("connected (2 online, 0 suspect, 0 draining, ", self.ctl("top", "--once").stdout.decode())
        self.client.wait(self.client.submit(3))
        wait_for(lambda: of_broker()["frames_to_nodes_total"] > 0, "frames to nodes")
        self.assertGreater(of_broker()["frames_from_nodes_total"], 0)

    def test_hostile_text_on_a_terminal(self):
        hostile = "a\x1b[2Jb\x7fc\u009b2Jd\u202ee"
        self.ctl("submit", "--id", "t-1", "--label", hostile, "x")
        for command in (("list",), ("list", "--json"), ("status", "t-1"), ("top", "--once"),
                        ("top", "--json")):
            with self.subTest(command=command):
                shown = self.on_terminal(*command)
                self.assertEqual(shown.wait(), 0)
                text = shown.shown.decode()
                self.assertIn("t-1", text)
                for character in "\x1b\x7f\u009b\u202e":
                    self.assertNotIn(character, text)
        self.assertEqual(self.rows("list")[0]["label"], hostile)

    def test_top_is_live_and_gives_the_terminal_back(self):
        left_alternate_screen = b"\x1b[?1049l"
        for end in ("q", signal.SIGTERM, signal.SIGINT):
            with self.subTest(end=end):
                top = self.on_terminal("top", "--interval-ms", 100)
                wait_for(lambda: b"genai-dispatcher" in top.shown, "the first screen")
                if end == "q":
                    os.write(top.keys, b"q")
                else:
                    top.process.send_signal(end)
                self.assertEqual(top.wait(), 0)
                self.assertIn(left_alternate_screen, top.shown)
        top = self.on_terminal("top", "--interval-ms", 100)
        wait_for(lambda: b"genai-dispatcher" in top.shown, "the first screen")
        self.dispatcher.send(signal.SIGSTOP)
        wait_for(lambda: b"no answer" in top.shown, "that the dispatcher is away")
        self.dispatcher.send(signal.SIGCONT)
        self.start_node("late", "--echo")
        wait_for(lambda: b"late" in top.shown, "the node that came afterwards")
        os.write(top.keys, b"q")
        self.assertEqual(top.wait(), 0)

    def test_watch_follows_to_the_end(self):
        self.start_nodes(1, "--echo", "--echo-delay-ms", 500)
        task = self.ctl("submit", "x").stdout.decode().strip()
        done = self.ctl("watch", task)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"Completed", done.stdout.splitlines()[-1])

    def test_nodes_drain_and_top(self):
        self.start_nodes(2, "--exec", "echo 0.5 half way >&3; sleep 30")
        nodes = {n["node_id"]: n for n in self.rows("nodes")}
        self.assertEqual(nodes["node-1"]["state"], "online")
        self.assertEqual(self.ctl("drain", "node-1").returncode, 0)
        self.assertIn(b"online,drained", self.ctl("nodes", "--long").stdout)
        for _ in range(2):
            self.ctl("submit", "picture")
        wait_for(lambda: b"half way" in self.ctl("top", "--once").stdout, "the running task")
        screen = self.ctl("top", "--once").stdout.decode()
        for part in ("Nodes (2)", "Running (1)", "50 %", "Waiting (1)", "1 provider is busy"):
            self.assertIn(part, screen)
        self.assertEqual(self.ctl("drain", "node-1", "--off").returncode, 0)
        self.assertEqual(self.ctl("drain", "nobody").returncode, 1)
        self.assertEqual(self.ctl("drain", "--all").returncode, 0)
        refused = self.ctl("submit", "late")
        self.assertEqual(refused.returncode, 1)
        self.assertIn(b"draining", refused.stderr)

    def test_without_a_dispatcher(self):
        nowhere = f"ipc://{self.folder}/nowhere"
        done = self.ctl("--timeout-s", 1, "nodes", endpoint=nowhere)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr.decode(),
                         f"genai-ctl: no answer from {nowhere} within 1 s: "
                         "does it run, and does it ask for a key?\n")

    def test_an_interrupt_before_any_answer_says_so(self):
        waiting = subprocess.Popen(
            [BIN / "genai-ctl", "--dispatcher", f"ipc://{self.folder}/nowhere", "submit", "--wait",
             "x"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.closers.append(waiting.kill)
        said = waiting.stderr.readline()  # it goes on trying and says so
        self.assertIn(b"no answer from the dispatcher", said)
        self.assertIsNone(waiting.poll())
        waiting.send_signal(signal.SIGINT)
        _, errors = waiting.communicate(timeout=30)
        self.assertEqual(waiting.returncode, 130)
        self.assertIn(b"interrupted before the dispatcher answered", errors)

    def test_usage(self):
        for arguments in ((), ("submit",), ("submit", "a", "--stdin"), ("drain",),
                          ("drain", "x", "--all"), ("status",), ("fly",)):
            with self.subTest(arguments=arguments):
                done = self.ctl(*arguments)
                self.assertEqual(done.returncode, 2)
                self.assertIn(b"genai-ctl", done.stderr)

    def test_a_wrong_number_is_said_in_a_line(self):
        for wrong, shown in (("-1", "-1"), ("nan", "nan"), ("inf", "inf"), ("1e400", "'1e400'"),
                             ("dear", "'dear'"), ("", "''")):
            with self.subTest(wrong=wrong):
                done = self.ctl("submit", "--max-cost", wrong, "x")
                self.assertEqual(done.returncode, 2)
                self.assertEqual(done.stderr.decode(),
                                 f"genai-ctl: --max-cost: must be a number of 0 or more, not {shown} "
                                 "(see genai-ctl submit --help)\n")
        self.assertIn(b"--priority N:0 to 9", self.ctl("submit", "--help").stdout)


if __name__ == "__main__":
    unittest.main()
