"""Nothing that a user gives to genai-ctl is dropped in silence, and no input makes it crash."""
import json
import subprocess
import unittest

from commands import CtlTest
from harness import BIN


class Given(CtlTest):
    def prompts_of(self, *arguments, stdin):
        """What reached the dispatcher's store, and what was said."""
        done = self.ctl("submit", *arguments, stdin=stdin)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.start_nodes(1, "--echo")
        ids = done.stdout.decode().split()
        out = self.folder / "out"
        self.assertEqual(self.ctl("watch", "--out", out, *ids).returncode, 0)
        return [(out / task_id).read_bytes() for task_id in ids], done.stderr.decode()

    def test_lines_that_begin_with_a_number_sign_are_prompts(self):
        prompts, said = self.prompts_of("--lines", "-", stdin=b"#1 of a series\r\n\n  \none\0two\nlast")
        self.assertEqual(prompts, [b"#1 of a series", b"one\0two", b"last"])
        self.assertIn("genai-ctl: 2 blank lines are no tasks", said)

    def test_comments_are_an_option_and_are_counted(self):
        prompts, said = self.prompts_of("--lines", "-", "--comments", stdin=b"# head\none\n#\n")
        self.assertEqual(prompts, [b"one"])
        self.assertIn("genai-ctl: 2 comments are no tasks", said)

    def test_what_is_given_twice_or_has_no_effect_is_refused(self):
        tasks = self.folder / "tasks"
        tasks.write_text('{"prompt":"a","prompt":"b"}\n')
        for arguments, why in (
                (("submit", "--jsonl", tasks), "tasks:1: key 'prompt': given twice"),
                (("submit", "x", "--param", "seed=1", "--param", "seed=2"), "--param seed: given twice"),
                (("submit", "x", "--suffix", ".png"), "--suffix is for --out"),
                (("watch", "t-1", "--overwrite"), "--overwrite is for --out"),
                (("submit", "x", "--comments"), "--comments is for --lines"),
                (("submit", "x", "y"), "y"),
                (("submit", "x", "--out", ""), "--out: must not be empty"),
                (("watch", "t-1", "--out", ""), "--out: must not be empty"),
                (("submit", "x", "--id", ""), "--id: must not be empty"),
                (("submit", "x", "--model", ""), "--model: must not be empty"),
                (("submit", "--lines", ""), "--lines: must not be empty"),
                (("submit", "x", "--model", "a", "--model", "b"), "--model"),
                (("list", "--limit", 0), "--limit"),
                (("list", "--limit", 5, "--all"), "--limit"),
                (("watch", "-"), "there is no task id")):
            with self.subTest(arguments=arguments):
                done = self.ctl(*arguments)
                self.assertEqual((done.returncode, done.stdout), (2, b""))
                self.assertIn(why, done.stderr.decode())
        self.assertEqual(self.rows("list"), [])

    def test_a_start_and_a_deadline_do_not_depend_on_this_clock(self):
        command = ("submit", "--id", "t-1", "--start-in-s", 3600, "--deadline-in-s", 7200, "x")
        self.assertEqual(self.ctl(*command).returncode, 0)
        again = self.ctl(*command)  # at another time, and still the same task
        self.assertEqual((again.returncode, again.stdout), (0, b"t-1\n"), again.stderr)
        other = self.ctl(*command[:-1], "y")
        self.assertEqual(other.returncode, 1)
        self.assertIn(b"id_conflict", other.stderr)

    def test_endless_input_ends_at_a_limit(self):
        for arguments, why in ((("--stdin",), "standard input: more than 16 MiB"),
                               (("--file", "/dev/zero"), "/dev/zero: more than 16 MiB"),
                               (("--lines", "/dev/zero"), "a line of more than 16 MiB"),
                               (("--jsonl", "/dev/zero"), "a line of more than ")):
            with self.subTest(arguments=arguments), open("/dev/zero", "rb") as zero:
                done = subprocess.run(
                    [BIN / "genai-ctl", "--dispatcher", self.clients_endpoint, "submit", *arguments],
                    stdin=zero, capture_output=True, timeout=60)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn(why, done.stderr.decode())
        huge = self.folder / "huge"
        with open(huge, "wb") as file:
            file.truncate(3 << 30)
        for option in ("--file", "--lines", "--jsonl"):
            done = self.ctl("submit", option, huge)
            self.assertEqual(done.returncode, 2)
            self.assertIn(f"{huge}: more than ", done.stderr.decode())
        self.assertEqual(self.rows("list"), [])

    def test_a_folder_in_the_place_of_a_file_is_said(self):
        for arguments in (("submit", "--file"), ("submit", "--lines"), ("submit", "--jsonl"),
                          ("authorize", self.folder / "keys")):
            with self.subTest(arguments=arguments):
                more = ("--dispatcher",) if arguments[0] == "authorize" else ()
                done = self.ctl(*arguments, self.folder, *more)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(f"{self.folder}: Is a directory", done.stderr.decode())
        done = self.ctl("--server-key", self.folder, "list")
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"Is a directory", done.stderr)

    def test_a_read_error_is_no_end_of_file(self):
        with open("/proc/self/mem", "rb", buffering=0) as unreadable:
            for arguments in (("submit", "--stdin"), ("submit", "--lines", "-"), ("watch", "-")):
                with self.subTest(arguments=arguments):
                    done = subprocess.run(
                        [BIN / "genai-ctl", "--dispatcher", self.clients_endpoint, *arguments],
                        stdin=unreadable, capture_output=True, timeout=60)
                    self.assertEqual(done.returncode, 2)
                    self.assertIn(b"standard input: Input/output error", done.stderr)

    def test_keys_are_written_whole_or_not_and_told_as_json(self):
        key = self.folder / "key"
        made = json.loads(self.ctl("--json", "keygen", key).stdout)
        self.assertEqual(made["public_key"], (self.folder / "key.pub").read_text().strip())
        keys = self.folder / "keys"
        keys.mkdir()
        precious = self.folder / "precious"
        precious.write_text("precious")
        name = made["public_key"].encode().hex() + ".toml"
        for planted in (name, name + ".new"):
            (keys / planted).symlink_to(precious)
        done = self.ctl("authorize", keys, key.with_suffix(".pub"), "--node", "n1", "--json")
        self.assertEqual(precious.read_text(), "precious")
        self.assertEqual(json.loads(done.stdout)["file"], str(keys / name), done.stderr)
        self.assertIn("n1", (keys / name).read_text())
        (self.folder / "half.pub").write_text("in the way")
        self.assertEqual(self.ctl("keygen", self.folder / "half").returncode, 1)
        self.assertFalse((self.folder / "half").exists())


if __name__ == "__main__":
    unittest.main()
