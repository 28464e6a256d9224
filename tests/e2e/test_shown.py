"""What genai-ctl shows: all of it or a word that there is more, on every kind of terminal or none."""
import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import threading
import unittest

from commands import CtlTest
from harness import ACCEPTED, BIN, SUBMIT, wait_for
from test_python import Played

ESCAPE = b"\x1b"


class Shown(CtlTest):
    def command(self, *arguments):
        return [BIN / "genai-ctl", "--dispatcher", self.clients_endpoint, *map(str, arguments)]

    def on_terminal(self, *arguments, seconds=60, **environment):
        """Runs it on a terminal; its exit code and what it wrote."""
        keys, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 160, 0, 0))
        variables = {k: v for k, v in {**os.environ, "TERM": "xterm", **environment}.items() if v is not None}
        program = subprocess.Popen(self.command(*arguments), stdin=terminal, stdout=terminal,
                                   stderr=terminal, env=variables, start_new_session=True)
        os.close(terminal)
        shown = b""
        try:
            while select.select([keys], [], [], seconds)[0]:
                shown += os.read(keys, 65536)
        except OSError:  # how a terminal that nobody holds ends
            pass
        os.close(keys)
        return program.wait(60), shown

    def submit(self, count):
        return sorted(self.client.submit(count, watch=0))

    def test_a_list_that_goes_on_says_so_and_how(self):
        ids = self.submit(150)
        for option in ((), ("--json",)):
            with self.subTest(option=option):
                done = self.ctl("list", *option)
                self.assertEqual(done.returncode, 0)
                self.assertEqual(done.stderr.decode(),
                                 f"genai-ctl: 100 tasks shown, there are more: --after {ids[99]} goes "
                                 f"on, --all shows all of them\n")
        self.assertEqual([r["task_id"] for r in self.rows("list", "--after", ids[99])], ids[100:])
        self.assertEqual([r["task_id"] for r in self.rows("list", "--all")], ids)
        for arguments in (("--all",), ("--limit", 150), ("--limit", 200), ("--after", ids[99])):
            self.assertEqual(self.ctl("list", *arguments).stderr, b"")
        self.assertIn(f"1 task shown, there are more: --after {ids[0]} ",
                      self.ctl("list", "--limit", 1).stderr.decode())
        self.assertEqual(self.ctl("list", "--after", "a b").returncode, 1)
        for task in ids:
            self.client.cancel(task)
        self.assertEqual(self.ctl("failed", "list").stderr, b"")

    def test_a_long_list_of_failed_tasks_says_so_too(self):
        self.start_nodes(1, "--echo", "--echo-fail-ratio", 1)
        ids = sorted(self.client.submit(3, max_attempts=1))
        self.client.wait(ids)
        done = self.ctl("failed", "list", "--limit", 2)
        self.assertIn(f"2 tasks shown, there are more: --after {ids[1]} ", done.stderr.decode())
        self.assertEqual([r["task_id"] for r in self.rows("failed", "list", "--after", ids[1])], ids[2:])
        self.assertEqual(len(self.rows("failed", "list", "--all")), 3)

    def test_a_screen_without_room_for_all_nodes_counts_the_rest(self):
        for i in range(3):
            self.scripted_node(f"n{i}")
        self.submit(300)
        self.assertIn("\n... and ", self.ctl("top", "--once").stdout.decode())

    def test_who_reads_one_line_of_a_list_is_told_nothing_more(self):
        self.submit(2000)
        for arguments in (("list", "--all"), ("list", "--all", "--json"), ("top", "--json")):
            with self.subTest(arguments=arguments):
                listing = subprocess.Popen(self.command(*arguments), stdout=subprocess.PIPE,
                                           stderr=subprocess.PIPE)
                listing.stdout.readline()
                listing.stdout.close()
                self.assertEqual(listing.stderr.read(), b"")
                self.assertIn(listing.wait(60), (128 + signal.SIGPIPE, -signal.SIGPIPE, 0))
                listing.stderr.close()

    def test_nobody_who_hears_the_complaints_is_no_failure(self):
        self.start_nodes(1, "--echo")
        with open("/dev/full", "wb") as full:
            for stderr in (full, subprocess.PIPE):
                out = self.folder / "out"
                program = subprocess.Popen(self.command("submit", "--out", out, "one"), stderr=stderr,
                                           stdout=subprocess.DEVNULL)
                if program.stderr:
                    program.stderr.close()
                self.assertEqual(program.wait(60), 0)
        self.assertEqual([file.read_text() for file in out.iterdir()], ["one", "one"])

    def test_watching_for_a_reader_that_has_gone_ends_quietly(self):
        task = self.submit(1)[0]
        watching = subprocess.Popen(self.command("watch", task), stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE)
        self.start_nodes(1, "--exec", "for i in 1 2 3 4 5 6 7 8 9; do echo 0.$i >&3; sleep 0.2; done")
        watching.stdout.readline()
        watching.stdout.close()
        self.assertEqual(watching.stderr.read(), b"")
        self.assertEqual(watching.wait(60), 128 + signal.SIGPIPE)
        watching.stderr.close()

    def test_top_without_keys_does_not_spin(self):
        keys, terminal = pty.openpty()
        self.addCleanup(os.close, keys)
        top = subprocess.Popen(self.command("top", "--interval-ms", 1000), stdin=subprocess.DEVNULL,
                               stdout=terminal, stderr=terminal, env={**os.environ, "TERM": "xterm"})
        os.close(terminal)
        self.closers.append(lambda: top.poll() is None and top.kill())
        shown = []
        threading.Thread(target=lambda: self.drain(keys, shown), daemon=True).start()
        wait_for(lambda: b"genai-dispatcher" in b"".join(shown), "the first screen")
        looks = self.client.stats()["uptime_ms"]
        before = self.cpu_ticks(top.pid)
        wait_for(lambda: self.client.stats()["uptime_ms"] > looks + 3000, "three seconds of it")
        spent = (self.cpu_ticks(top.pid) - before) / os.sysconf("SC_CLK_TCK")
        self.assertLess(spent, 1.0, "of three seconds")
        self.assertIsNone(top.poll(), "it goes on without keys")
        top.send_signal(signal.SIGTERM)
        self.assertEqual(top.wait(60), 0)

    @staticmethod
    def drain(descriptor, into):
        try:
            while data := os.read(descriptor, 65536):
                into.append(data)
        except OSError:
            pass

    @staticmethod
    def cpu_ticks(pid):
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    def test_top_elsewhere_than_on_a_terminal_is_one_screen(self):
        done = self.ctl("top")
        self.assertEqual(done.returncode, 0)
        self.assertIn(b"genai-dispatcher", done.stdout)
        self.assertNotIn(ESCAPE, done.stdout)

    def test_a_terminal_that_cannot_be_drawn_on_gets_plain_lines(self):
        self.start_nodes(1, "--echo")
        for term in ("dumb", "", None):
            with self.subTest(TERM=term):
                for command in (("top",), ("submit", "--out", self.folder / "out", "one")):
                    code, shown = self.on_terminal(*command, TERM=term)
                    self.assertEqual(code, 0, shown)
                    self.assertNotIn(ESCAPE, shown)
        code, shown = self.on_terminal("top", TERM="no-such-terminal")
        self.assertEqual(code, 1)
        self.assertIn(b"this terminal is not known here: use top --once", shown)

    def test_without_colour_nothing_is_coloured(self):
        self.start_nodes(1, "--echo")
        for command in (("list",), ("nodes",), ("submit", "--out", self.folder / "out", "one")):
            shown = self.on_terminal(*command, NO_COLOR="1")[1]
            self.assertNotRegex(shown, rb"\x1b\[[0-9;]*m")


class Warned(Played):
    """The dispatcher is played by the test."""

    def answer(self, *arguments, late):
        """What genai-ctl tells of tasks of which the first `late` are accepted with a warning."""
        program = subprocess.Popen([BIN / "genai-ctl", "--dispatcher", self.endpoint, "submit", *arguments],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(lambda: program.poll() is None and program.kill())
        program.stdin.write(b"".join(b"%d\n" % i for i in range(100)))
        program.stdin.close()
        _, request, _, tasks = self.expect(SUBMIT)
        warning = "late: expected in 30 m 00 s, its ttl is 20 m 00 s"
        self.send(ACCEPTED, request, [[task[0], 0, warning if i < late else "", 0, [0, 0, 0, 0]]
                                      for i, task in enumerate(tasks)])
        program.stdin = None
        shown, said = program.communicate(timeout=60)
        self.assertEqual(program.returncode, 0, said)
        return shown.decode(), said.decode()

    def test_late_tasks_are_one_warning_with_their_count(self):
        shown, said = self.answer("--lines", "-", late=70)
        self.assertEqual(len(shown.split()), 100)
        self.assertEqual(said, "genai-ctl: 70 tasks are not expected to end in time; the first: "
                               "expected in 30 m 00 s, its ttl is 20 m 00 s\n")
        self.assertEqual(self.answer("--lines", "-", late=0)[1], "")

    def test_late_tasks_say_so_in_json(self):
        shown, said = self.answer("--lines", "-", "--json", late=70)
        self.assertEqual(said, "")
        self.assertEqual([json.loads(line).get("late") for line in shown.splitlines()],
                         [True] * 70 + [None] * 30)


if __name__ == "__main__":
    unittest.main()
