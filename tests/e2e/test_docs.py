"""README.md, and those beside the programs, say what the programs do."""
import re
import subprocess
import unittest

from harness import BIN, ROOT


class Readme(unittest.TestCase):
    text = (ROOT / "README.md").read_text()

    options_of = {"genai-broker": "broker", "genai-dispatcher": "dispatcher", "genai-node": "tools/node"}

    def section(self, program):
        text = (ROOT / self.options_of[program] / "README.md").read_text()
        return text.split("\n## Options\n", 1)[1].split("\n## ", 1)[0]

    def test_it_stays_short(self):
        self.assertLessEqual(len(self.text.splitlines()), 200)

    def test_every_option_and_default_is_listed(self):
        for program in self.options_of:
            table = subprocess.run([BIN / program, "--print-options-markdown"], check=True,
                                   capture_output=True, text=True).stdout
            options = re.findall(r"^\| `(--[a-z-]+)` \|.*?\|.*?\| (`.*?`) \|", table, re.M)
            self.assertGreater(len(options), 8)
            listed = dict(re.findall(r"^\| `(--[a-z-]+)` \| (`.*?`) \|", self.section(program), re.M))
            for name, default in options:
                if name in ("--config", "--log-level", "--log-format"):
                    continue  # described in the text, the same for all
                with self.subTest(program=program, option=name):
                    self.assertIn(name, listed)
                    self.assertEqual(listed.pop(name), default)
            self.assertFalse(listed, "options that do not exist")

    def test_files_it_names_exist(self):
        for path in re.findall(r"(?:broker|dispatcher|protocol|tests|tools)/[A-Za-z./_-]+[A-Za-z]", self.text):
            with self.subTest(path=path):
                self.assertTrue((ROOT / path).exists(), path)


class Programs(unittest.TestCase):
    """What every program answers alike."""
    programs = ("genai-broker", "genai-dispatcher", "genai-node", "genai-ctl")

    def run_program(self, program, *arguments):
        return subprocess.run([BIN / program, *arguments], capture_output=True, text=True,
                              timeout=30)

    def test_help_and_version(self):
        for program in self.programs:
            with self.subTest(program=program):
                self.assertIn("--check-config", self.run_program(program, "--help").stdout)
                self.assertRegex(self.run_program(program, "--version").stdout, r"\d+\.\d+\.\d+")

    def test_usage_errors_exit_2(self):
        for program in self.programs:
            with self.subTest(program=program):
                done = self.run_program(program, "--no-such-option")
                self.assertEqual(done.returncode, 2)
                self.assertIn("no-such-option", done.stderr)

    def test_addresses_of_other_machines_need_a_key_or_insecure(self):
        for program, option in (("genai-broker", "--nodes-endpoint"),
                                ("genai-broker", "--link-endpoint"),
                                ("genai-dispatcher", "--clients-endpoint")):
            with self.subTest(program=program, option=option):
                done = self.run_program(program, option, "tcp://0.0.0.0:7", "--check-config")
                self.assertEqual(done.returncode, 2)
                self.assertIn("--insecure", done.stderr)
                done = self.run_program(program, option, "tcp://0.0.0.0:7", "--insecure",
                                        "--check-config")
                self.assertEqual(done.returncode, 0)


if __name__ == "__main__":
    unittest.main()
