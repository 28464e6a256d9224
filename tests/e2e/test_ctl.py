"""genai-ctl against a real fleet, as a person and as a script would use it."""
import json
import signal
import subprocess
import unittest

from harness import BIN, FleetTest, wait_for


class Ctl(FleetTest):
    def ctl(self, *arguments, endpoint=None, stdin=b""):
        return subprocess.run(
            [BIN / "genai-ctl", "--dispatcher", endpoint or self.clients_endpoint,
             *map(str, arguments)], input=stdin, capture_output=True, timeout=60)

    def rows(self, *arguments, code=0):
        done = self.ctl(*arguments, "--json")
        self.assertEqual(done.returncode, code, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

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
        rows = self.rows("submit", "--lines", lines, "--out", out, "--suffix", ".txt")
        self.assertEqual(sorted((r["line"], r["label"], r["status"]) for r in rows),
                         [(2, "one", "Completed"), (4, "two", "Completed"),
                          (5, "three", "Completed")])
        for row in rows:
            self.assertIn(row["node"], ("node-1", "node-2"))
            with open(row["file"]) as file:
                self.assertEqual(file.read(), row["label"])
        self.assertEqual(len(list(out.iterdir())), 3)

    def test_submit_jsonl(self):
        self.start_nodes(1, "--exec", "printf '%s %s' \"$GENAI_PARAM_SEED\" \"$GENAI_TASK_ID\"")
        tasks = self.folder / "tasks.jsonl"
        tasks.write_text('{"prompt":"p","id":"my-1","params":{"seed":7}}\n')
        done = self.ctl("submit", "--jsonl", tasks, "--wait")
        self.assertEqual(done.stdout, b"7 my-1")
        tasks.write_text('{"prompt":"p"}\n{"prompt":')
        done = self.ctl("submit", "--jsonl", tasks)
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"tasks.jsonl:2: not JSON", done.stderr)

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
                         f"genai-ctl: no answer from {nowhere} within 1 s\n")

    def test_an_interrupted_wait_leaves_the_task(self):
        waiting = subprocess.Popen(
            [BIN / "genai-ctl", "--dispatcher", self.clients_endpoint, "submit", "--id", "t-1",
             "--wait", "x"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        wait_for(lambda: self.client.status("t-1"), "its submission")
        wait_for(lambda: "SIGINT is caught" if self.catches_sigint(waiting.pid) else None,
                 "the wait")
        waiting.send_signal(signal.SIGINT)
        _, errors = waiting.communicate(timeout=30)
        self.assertEqual(waiting.returncode, 130)
        self.assertIn(b"go on", errors)
        self.assertEqual(self.client.status("t-1")["status"], "Unscheduled")

    @staticmethod
    def catches_sigint(pid):
        """Whether the process has SIGINT blocked, which is how it takes signals by a descriptor."""
        with open(f"/proc/{pid}/status") as status:
            for line in status:
                if line.startswith("SigBlk:"):
                    return int(line.split()[1], 16) & (1 << (signal.SIGINT - 1))
        return False

    def test_usage(self):
        for arguments in ((), ("submit",), ("submit", "a", "--stdin"), ("drain",),
                          ("drain", "x", "--all"), ("status",), ("fly",)):
            with self.subTest(arguments=arguments):
                done = self.ctl(*arguments)
                self.assertEqual(done.returncode, 2)
                self.assertIn(b"genai-ctl", done.stderr)


if __name__ == "__main__":
    unittest.main()
