"""The README's first command, on the programs that are built: pictures although a node dies."""
import hashlib
import os
import pathlib
import subprocess
import tempfile
import unittest

from harness import BIN, ROOT


class Quickstart(unittest.TestCase):
    def test_twenty_pictures_although_a_node_is_killed(self):
        with tempfile.TemporaryDirectory(prefix="genai-e2e-") as folder:
            out = pathlib.Path(folder) / "pictures"
            done = subprocess.run([ROOT / "tools/quickstart", "--bin", BIN, "--out", out],
                                  capture_output=True, text=True, timeout=240)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertIn("Killed node-", done.stdout)
            pictures = sorted(out.glob("[0-9][0-9]-*.png"))
            self.assertEqual(len(pictures), 20)
            digests = set()
            for picture in pictures:
                data = picture.read_bytes()
                self.assertTrue(data.startswith(b"\x89PNG\r\n"), picture)
                digests.add(hashlib.sha256(data).digest())
            self.assertEqual(len(digests), 20)
            self.assertTrue((out / "contact-sheet.png").stat().st_size > 100_000)
            self.assertEqual(self.processes_naming(str(out)), [])

    @staticmethod
    def processes_naming(text):
        found = []
        for entry in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                if text.encode() in entry.read_bytes() and int(entry.parent.name) != os.getpid():
                    found.append(entry.parent.name)
            except OSError:
                continue
        return found


if __name__ == "__main__":
    unittest.main()
