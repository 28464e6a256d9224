"""The units for systemd: what is restarted, what is not, and what a stop does."""
import configparser
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from harness import BIN, LIMIT_S, ROOT
from permission import skip

DAEMONS = ("genai-broker", "genai-dispatcher", "genai-node")
USAGE, BAD_CONFIG = 2, 78
# Of the dispatcher's store. A restart finds what is really on the disk, or that the other process has left.
MENDED_BY_RESTART = {os.EX_IOERR, os.EX_TEMPFAIL}


def unit_text(daemon):
    text = (ROOT / f"tools/packaging/{daemon}.service.in").read_text()
    return text.replace("@CMAKE_INSTALL_FULL_BINDIR@", str(BIN))


def service(daemon):
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read_string(unit_text(daemon))
    return unit["Service"]


def never_restarted(daemon):
    return {int(code) for code in service(daemon)["RestartPreventExitStatus"].split()}


class Units(unittest.TestCase):
    codes = {int(code) for code in re.findall(  # the last column of the table
        r"^\|.*\| (\d+) \|$", (ROOT / "dispatcher/README.md").read_text().split("\n## The store\n")[1].split("\n## ")[0], re.M)}

    def test_what_no_restart_mends_is_not_restarted(self):
        self.assertLess(MENDED_BY_RESTART, self.codes)
        self.assertEqual(never_restarted("genai-dispatcher"),
                         self.codes - MENDED_BY_RESTART | {USAGE, BAD_CONFIG})
        for daemon in ("genai-broker", "genai-node"):
            self.assertEqual(never_restarted(daemon), {USAGE, BAD_CONFIG}, daemon)
        for daemon in DAEMONS:
            self.assertEqual(service(daemon)["Restart"], "always")

    def test_every_exit_code_of_the_store_is_in_the_readme(self):
        source = (ROOT / "dispatcher/store/start.cpp").read_text()
        names = set(re.findall(r"return (EX_[A-Z]+);", source))
        self.assertGreater(len(names), 3)
        self.assertEqual({getattr(os, name) for name in names}, self.codes)

    def test_wrong_options_end_with_the_codes_that_are_not_restarted(self):
        for daemon in DAEMONS:
            with self.subTest(daemon=daemon):
                for arguments, code in ((["--no-such-option"], USAGE),
                                        (["--config", "/no/such/file"], BAD_CONFIG)):
                    done = subprocess.run([BIN / daemon, *arguments], capture_output=True, timeout=LIMIT_S)
                    self.assertEqual(done.returncode, code)
                    self.assertIn(code, never_restarted(daemon))

    def test_a_stop_lets_a_node_finish_its_tasks(self):
        self.assertEqual(service("genai-node")["KillMode"], "mixed")
        self.assertGreater(int(service("genai-node")["TimeoutStopSec"]), 600)  # --time-limit-s

    def test_users_of_the_units_are_made(self):
        made = re.findall(r"^u (\S+) ", (ROOT / "tools/packaging/genai.sysusers.conf").read_text(), re.M)
        self.assertEqual({service(daemon)["User"] for daemon in DAEMONS}, set(made))

    def test_systemd_understands_them(self):
        if not shutil.which("systemd-analyze"):
            skip(self, "there is no systemd-analyze")
        folder = pathlib.Path(tempfile.mkdtemp(prefix="genai-e2e-"))
        self.addCleanup(shutil.rmtree, folder)
        for daemon in DAEMONS:
            with self.subTest(daemon=daemon):
                unit = folder / f"{daemon}.service"
                unit.write_text(re.sub("User=.*", "User=root", unit_text(daemon)))
                told = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], text=True,
                                      capture_output=True, timeout=LIMIT_S)
                self.assertEqual((told.returncode, told.stdout + told.stderr), (0, ""))


if __name__ == "__main__":
    unittest.main()
