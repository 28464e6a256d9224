import os
import pathlib
import subprocess
import tempfile
import unittest

from support import SCRIPTS, render

import povray_words as words

TINY = {"GENAI_PARAM_WIDTH": "32", "GENAI_PARAM_HEIGHT": "24"}
PNG_START = b"\x89PNG\r\n\x1a\n"


def size_of(png):
    return int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")


class Render(unittest.TestCase):
    def refused(self, reason, prompt="a ball", **variables):
        done = render(prompt, **variables)
        self.assertEqual(done.returncode, 1)
        self.assertIn(reason, done.stderr.decode().splitlines()[-1])

    def test_every_word_renders(self):
        nouns = sorted(words.SHAPES)
        prompts = [" and a ".join(nouns[at:at + 12]) for at in range(0, len(nouns), 12)]
        prompts += ["a lava desert in the rain with a rainbow and mountains", "a snowy winter city at night under the moon",
                    "a foggy jungle garden at sunset", "an ice ball in space", "a beach at dusk", "the sun over a mirror in a storm"]
        prompts += [" ".join(f"a {word} ball" for word in sorted(words.MATERIALS))]
        for prompt in prompts:
            done = render(prompt, **TINY)
            self.assertEqual(done.returncode, 0, f"{prompt}: {done.stderr.decode()}")
            self.assertEqual(size_of(done.stdout), (32, 24))

    def test_the_result_file_and_progress(self):
        with tempfile.TemporaryDirectory() as folder:
            target = pathlib.Path(folder, "result")
            reader, writer = os.pipe()
            self.addCleanup(os.close, reader)
            done = subprocess.run(["sh", "-c", f'exec "$0" 3>&{writer}', SCRIPTS / "render-povray"], input=b"a ball",
                                  capture_output=True, pass_fds=[writer],
                                  env=os.environ | TINY | {"GENAI_RESULT_FILE": str(target), "GENAI_PROGRESS_FD": "3"})
            os.close(writer)
            self.assertEqual((done.returncode, done.stdout), (0, b""), done.stderr)
            self.assertTrue(target.read_bytes().startswith(PNG_START))
            lines = os.read(reader, 65536).decode().splitlines()
            ratios = [float(line.split(" ", 1)[0]) for line in lines]
            self.assertEqual(ratios, sorted(ratios))
            self.assertEqual(lines[-1], "1.00 done")

    def test_the_same_picture_again(self):
        pictures = {render("a blue cone", **TINY).stdout for _ in range(2)}
        self.assertEqual(len(pictures), 1)
        self.assertNotIn(render("a blue cone", **TINY, GENAI_PARAM_SEED="7").stdout, pictures)

    def test_what_is_refused(self):
        self.refused("the prompt is empty", prompt=" \n")
        self.refused("not UTF-8", prompt=b"\xff\xfe")
        self.refused("longer than", prompt="x" * 70000)
        self.refused("parameter width", GENAI_PARAM_WIDTH="99999")
        self.refused("parameter height", GENAI_PARAM_HEIGHT="12; reboot")
        self.refused("parameter seed", GENAI_PARAM_SEED="1e9")


if __name__ == "__main__":
    unittest.main()
