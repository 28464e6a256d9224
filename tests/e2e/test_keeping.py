"""A result is acknowledged when it is kept, and only then: until that it waits at the dispatcher."""
import json
import os
import pathlib
import pty
import signal
import subprocess
import sys
import time
import unittest

from commands import CtlTest
from harness import BIN, ROOT, wait_for
from permission import small_disk


class Keeping(CtlTest):
    def setUp(self):
        super().setUp()
        self.out = self.folder / "out"

    def delivered(self):
        return self.client.stats()["delivered_total"]

    def start_ctl(self, *arguments, **options):
        program = subprocess.Popen(
            [BIN / "genai-ctl", "--dispatcher", self.clients_endpoint, *map(str, arguments)], **options)
        self.closers.append(lambda: program.poll() is None and program.kill())
        return program

    def fetch(self, *ids):
        """As the messages say."""
        again = self.folder / "again"
        done = self.ctl("watch", "--out", again, *ids)
        self.assertEqual(done.returncode, 0, done.stderr)
        return [(again / task_id).read_text() for task_id in ids]

    def test_waiting_for_many_without_a_folder_leaves_all_results_where_they_are(self):
        self.start_nodes(1, "--echo")
        done = self.ctl("submit", "--lines", "-", "--wait", stdin=b"one\ntwo\nthree\n")
        self.assertEqual(done.returncode, 0, done.stderr)
        ids = done.stdout.decode().split()
        self.assertEqual(len(ids), 3)
        self.assertIn("3 results were not put into a file and stay with the dispatcher: genai-ctl "
                      "watch --out DIR ", done.stderr.decode())
        self.assertEqual(self.delivered(), 0)
        self.assertEqual(self.fetch(*ids), ["one", "two", "three"])
        wait_for(lambda: self.delivered() == 3, "the acknowledgements")

    def test_json_without_a_folder_leaves_the_result_too(self):
        self.start_nodes(1, "--echo")
        row, = self.rows("submit", "--id", "t-1", "--wait", "one")
        self.assertEqual((row["status"], row["result"]), ("Completed", "waiting"))
        self.assertNotIn("file", row)
        self.assertEqual(self.delivered(), 0)
        self.assertEqual(self.fetch("t-1"), ["one"])

    def test_ids_come_from_another_command(self):
        self.start_nodes(1, "--echo")
        ids = self.ctl("submit", "--lines", "-", "--wait", stdin=b"one\ntwo\n").stdout
        done = self.ctl("watch", "--out", self.out, "-", stdin=ids)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(sorted(file.read_text() for file in self.out.iterdir()), ["one", "two"])

    def test_a_pipe_and_a_file_are_places_a_terminal_and_dev_null_are_none(self):
        self.start_nodes(1, "--echo")
        with open(self.folder / "file", "wb") as file:
            done = self.start_ctl("submit", "--wait", "in a file", stdout=file, stderr=subprocess.DEVNULL)
            self.assertEqual(done.wait(), 0)
        self.assertEqual((self.folder / "file").read_text(), "in a file")
        self.assertEqual(self.ctl("submit", "--wait", "in a pipe").stdout, b"in a pipe")
        wait_for(lambda: self.delivered() == 2, "both acknowledgements")
        with open(os.devnull, "wb") as nothing:
            done = self.start_ctl("submit", "--id", "t-1", "--wait", "nowhere", stdout=nothing,
                                  stderr=subprocess.PIPE)
            self.assertIn(b"stays with the dispatcher: genai-ctl watch --out DIR t-1",
                          done.communicate(timeout=60)[1])
        keys, terminal = pty.openpty()
        done = self.start_ctl("submit", "--id", "t-2", "--wait", "on a screen", stdout=terminal,
                              stderr=subprocess.PIPE)
        self.assertIn(b"watch --out DIR t-2", done.communicate(timeout=60)[1])
        self.assertIn(b"on a screen", os.read(keys, 1000))
        hostile = self.start_ctl("submit", "--id", "t-3", "--wait", "\x1b[2Jcleared", stdout=terminal,
                                 stderr=subprocess.DEVNULL)
        self.assertEqual(hostile.wait(), 0)
        self.assertEqual(os.read(keys, 1000), b"(11 bytes, not shown on a terminal)\r\n")
        os.close(keys)
        os.close(terminal)
        self.assertEqual(self.fetch("t-1", "t-2"), ["nowhere", "on a screen"])

    def test_a_reader_that_is_killed_before_it_has_read_all_loses_nothing(self):
        self.start_nodes(1, "--echo")
        picture = self.folder / "picture"
        picture.write_bytes(b"pixel" * 200_000)  # more than a pipe holds
        end, stdout = os.pipe()
        writer = self.start_ctl("submit", "--id", "t-1", "--wait", "--file", picture, stdout=stdout,
                                stderr=subprocess.PIPE)
        os.close(stdout)
        os.read(end, 1000)
        os.close(end)
        self.assertIn(b"cannot write to stdout: Broken pipe; the result is kept: genai-ctl watch "
                      b"--out DIR t-1", writer.communicate(timeout=60)[1])
        self.assertEqual(writer.returncode, 1)
        self.assertEqual(self.delivered(), 0)
        self.assertEqual(self.ctl("watch", "t-1", "--out", self.out).returncode, 0)
        self.assertEqual((self.out / "t-1").read_bytes(), picture.read_bytes())

    def test_a_kill_before_the_result_is_written_loses_nothing(self):
        self.start_nodes(1, "--echo")
        picture = self.folder / "picture"
        picture.write_bytes(b"pixel" * 2_000_000)
        self.out.mkdir()
        self.assertEqual(self.ctl("submit", "--id", "t-1", "--file", picture).returncode, 0)
        self.client.wait_status("t-1", "Completed")
        for _ in range(5):  # it is killed while the file is a draft, or is just whole
            writer = self.start_ctl("watch", "t-1", "--out", self.out, stdout=subprocess.DEVNULL,
                                    stderr=subprocess.DEVNULL)
            while not any(self.out.iterdir()):
                time.sleep(0.0005)
            writer.kill()
            writer.wait()
            if (self.out / "t-1").exists():  # then it is whole
                self.assertEqual((self.out / "t-1").read_bytes(), picture.read_bytes())
            else:
                self.assertEqual(self.delivered(), 0)
            if self.delivered():
                break
            for file in self.out.iterdir():
                file.unlink()
        else:
            self.assertEqual(self.ctl("watch", "t-1", "--out", self.out).returncode, 0)
        self.assertEqual((self.out / "t-1").read_bytes(), picture.read_bytes())

    def test_a_result_that_cannot_be_written_is_kept(self):
        self.start_nodes(1, "--echo")
        for name in ("t-1", "t-2"):
            (self.out / name / "in the way").mkdir(parents=True)
        done = self.ctl("submit", "--id", "t-1", "--out", self.out, "one")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"t-1: Is a directory; the result is kept: genai-ctl watch --out DIR t-1",
                      done.stderr)
        self.ctl("submit", "--id", "t-2", "two")
        self.assertEqual(self.ctl("watch", "t-2", "--out", self.out).returncode, 1)
        with open("/dev/full", "wb") as full:
            done = self.start_ctl("submit", "--id", "t-3", "--wait", "three", stdout=full,
                                  stderr=subprocess.PIPE)
            errors = done.communicate(timeout=60)[1]
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"cannot write to stdout: No space left on device; the result is kept", errors)
        self.assertEqual(self.delivered(), 0)
        self.assertEqual(self.fetch("t-1", "t-2", "t-3"), ["one", "two", "three"])

    def test_a_disk_that_is_full_in_the_middle_keeps_what_was_written_and_leaves_the_rest(self):
        small = small_disk(self, "small")
        self.start_nodes(1, "--echo")
        lines = b"".join(b"%d %s\n" % (i, b"x" * 300_000) for i in range(6))
        done = self.ctl("submit", "--lines", "-", "--out", small, "--json", stdin=lines)
        self.assertEqual(done.returncode, 1, done.stderr)
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        kept = [row for row in rows if "file" in row]
        left = [row["task_id"] for row in rows if row.get("result") == "waiting"]
        self.assertEqual((len(kept), len(left)), (3, 3))
        self.assertEqual(len(list(small.iterdir())), 3, "a draft was left")
        wait_for(lambda: self.delivered() == 3, "what was written is acknowledged")
        for task_id in left:
            self.assertIn(f"{task_id}: No space left on device; the result is kept: genai-ctl watch "
                          f"--out DIR {task_id}", done.stderr.decode())
        self.assertEqual(len(self.fetch(*left)), 3)

    def test_a_folder_that_cannot_be_written_is_said_before_anything_is_submitted(self):
        (self.folder / "file").write_text("")
        done = self.ctl("submit", "--id", "t-1", "--out", self.folder / "file" / "out", "one")
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"--out", done.stderr)
        self.assertIsNone(self.client.status("t-1"))

    def test_a_link_planted_in_the_folder_is_not_followed(self):
        self.start_nodes(1, "--echo")
        precious = self.folder / "precious"
        precious.write_text("precious")
        self.out.mkdir()
        for name in ("t-1", "t-1~", "t-1.part"):
            (self.out / name).symlink_to(precious)
        self.assertEqual(self.ctl("submit", "--id", "t-1", "--out", self.out, "one").returncode, 0)
        self.assertEqual(precious.read_text(), "precious")
        self.assertEqual((self.out / "t-1").read_text(), "one")
        self.assertFalse((self.out / "t-1").is_symlink())

    def test_a_dropped_result_does_not_read_as_one_that_is_there(self):
        self.start_nodes(1, "--echo")
        self.ctl("submit", "--id", "t-1", "--wait", "one")
        wait_for(lambda: self.delivered() == 1, "the acknowledgement")
        done = self.ctl("watch", "t-1")
        self.assertIn(b"its result was fetched or dropped before", done.stdout)
        self.assertTrue(self.rows("watch", "t-1")[0]["result_gone"])
        done = self.ctl("watch", "t-1", "--out", self.out)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(list(self.out.iterdir()), [])

    def test_an_interrupted_wait_says_what_goes_on_and_how_to_fetch_it(self):
        for command in (("submit", "--id", "t-1", "--wait", "x"), ("watch", "t-1")):
            with self.subTest(command=command[0]):
                waiting = self.start_ctl(*command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
                wait_for(lambda: self.client.status("t-1") and self.catches_sigint(waiting.pid), "the wait")
                waiting.send_signal(signal.SIGINT)
                errors = waiting.communicate(timeout=60)[1].decode()
                self.assertEqual(waiting.returncode, 130)
                self.assertIn("interrupted; 1 task goes on: genai-ctl watch --out DIR t-1", errors)
        done = self.ctl("--timeout-s", 1, "watch", "t-1")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"not ended within 1 s; 1 task goes on: genai-ctl watch --out DIR t-1", done.stderr)
        self.start_nodes(1, "--echo")
        self.assertEqual(self.fetch("t-1"), ["x"])

    def test_the_python_client_acknowledges_what_is_in_its_folder_only(self):
        self.start_nodes(1, "--echo")
        client = [sys.executable, ROOT / "tools/python/client.py", "--dispatcher", self.clients_endpoint]
        done = subprocess.run([*client, "one"], capture_output=True, text=True, timeout=60)
        task_id, status, shown = done.stdout.split()
        self.assertEqual((done.returncode, status, shown), (0, "Completed", "one"), done.stderr)
        self.assertEqual(self.delivered(), 0)
        self.assertEqual(self.fetch(task_id), ["one"])
        wait_for(lambda: self.delivered() == 1, "the acknowledgement")
        done = subprocess.run([*client, "--out", self.out, "two"], capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual([file.read_text() for file in self.out.iterdir()], ["two"])
        wait_for(lambda: self.delivered() == 2, "the acknowledgement")
        (self.folder / "file").write_text("")
        done = subprocess.run([*client, "--out", self.folder / "file", "three"], capture_output=True,
                              timeout=60)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(self.delivered(), 2)

    @staticmethod
    def catches_sigint(pid):
        """Whether the process has SIGINT blocked, which is how it takes signals by a descriptor. While it begins, and
        while it makes a thread, it has all signals blocked."""
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        blocked = int(status.split("SigBlk:")[1].split()[0], 16)
        return bool(blocked & 1 << signal.SIGINT - 1) and not blocked & 1 << signal.SIGUSR2 - 1


if __name__ == "__main__":
    unittest.main()
