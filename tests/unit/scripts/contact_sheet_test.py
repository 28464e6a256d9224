import pathlib
import subprocess
import tempfile
import unittest

from support import SCRIPTS


class ContactSheet(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.pictures = self.folder / "pictures"
        self.pictures.mkdir()

    def run_sheet(self, prompts=()):
        (self.folder / "prompts").write_text("".join(f"{prompt}\n" for prompt in prompts))
        return subprocess.run([SCRIPTS / "contact-sheet", self.pictures, self.folder / "sheet.png", self.folder / "prompts"],
                              capture_output=True, text=True)

    def sheet_of(self, prompts):
        """The pixels of a sheet, as a hash."""
        for number in range(1, len(prompts) + 1):
            subprocess.run(["convert", "-size", "64x48", "xc:navy", self.pictures / f"{number:02d}-x.png"], check=True)
        done = self.run_sheet(prompts)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return subprocess.run(["identify", "-format", "%#", self.folder / "sheet.png"], check=True,
                              capture_output=True, text=True).stdout

    def test_labels_are_never_read_as_files_or_escapes(self):
        self.sheet_of(["@/etc/passwd", "100%", "%f %w", "a\\nb", "$(id) `id`", "-label", "müde"])
        self.assertNotEqual(self.sheet_of(["%f"]), self.sheet_of(["01-x.png"]))
        self.assertNotEqual(self.sheet_of(["@f"]), self.sheet_of([" "]))

    def test_an_empty_folder_is_an_error(self):
        done = self.run_sheet()
        self.assertEqual(done.returncode, 1)
        self.assertIn("no PNG", done.stderr)


if __name__ == "__main__":
    unittest.main()
