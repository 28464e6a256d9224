"""Results of several files, from a command to the disk of whoever asked for them."""
import os
import pathlib
import signal
import sys
import unittest

from commands import CtlTest
from harness import BIN, FETCH, FETCHED, ROOT, wait_for

sys.path.insert(0, str(ROOT / "tools/python"))
import bundle  # noqa: E402: of the examples, written from SPEC.md

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 400


def entry(name, size, **metadata):
    return {"name": name, "bytes": size, **metadata}


class BundleTest(CtlTest):
    def setUp(self):
        super().setUp()
        self.out = self.folder / "out"

    def start_painter(self, *options):
        """A node whose command leaves three files in two folders, one of them with metadata."""
        picture = self.folder / "picture"
        picture.write_bytes(PNG)
        command = self.folder / "paint"
        command.write_text(f"""
            echo a log line; cd "$GENAI_RESULT_DIR" || exit 1
            mkdir masks
            cp {picture} cat.png
            printf 'the mask' > 'masks/1 (left).txt'
            printf '\\001\\377' > masks/2
            ln -s {picture} link.png; touch .hidden
            printf '{{"seed": 42, "width": 1024, "loras": ["x"]}}' > cat.png.meta.json
            """)
        self.start_node("painter", "--exec", f"sh {command}", *options)

    def expected(self):
        return {"cat.png": PNG, "masks/1 (left).txt": b"the mask", "masks/2": b"\x01\xff"}

    def content(self, folder):
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    def deliver(self, files, data=b"picture"):
        """A result with this list, from a node that may lie. The id of its task, whose result waits."""
        node = self.scripted_node("liar")
        task = self.client.submit(watch=0)[0]
        ref = node.take()
        node.send(13, [[ref, 0, {"content_type": "image/png", "files": files}, data]])
        self.client.wait_status(task, "Completed")
        node.close()
        return task


class FromCommandToDisk(BundleTest):
    def test_genai_ctl_writes_the_files_byte_for_byte(self):
        self.start_painter()
        row, = self.rows("submit", "--id", "t-1", "--out", self.out, "a cat")
        self.assertEqual(self.content(self.out / "t-1"), self.expected())
        self.assertEqual(row["file"], str(self.out / "t-1"))
        self.assertEqual(row["files"], [
            {"name": "cat.png", "bytes": len(PNG), "content_type": "image/png", "loras": '["x"]', "seed": 42,
             "width": 1024, "file": str(self.out / "t-1/cat.png")},
            {"name": "masks/1 (left).txt", "bytes": 8, "content_type": "text/plain",
             "file": str(self.out / "t-1/masks/1 (left).txt")},
            {"name": "masks/2", "bytes": 2, "content_type": "application/octet-stream",
             "file": str(self.out / "t-1/masks/2")}])
        wait_for(lambda: self.client.stats()["delivered_total"] == 1, "the acknowledgement")
        # What was fetched describes nothing any more.
        self.assertNotIn("files", self.rows("watch", "t-1")[0])

    def test_a_client_that_knows_no_files_sees_their_bytes(self):
        self.start_painter()
        result = self.client.wait(self.client.submit())[0]
        self.assertEqual(result["data"], b"".join(self.expected().values()))
        self.assertNotIn("content_type", result["info"])
        self.assertEqual({file["name"]: file["data"] for file in bundle.unpack(result["info"], result["data"])},
                         self.expected())

    def test_files_survive_a_restart_of_the_dispatcher(self):
        self.start_painter()
        self.assertEqual(self.ctl("submit", "--id", "t-1", "a cat").returncode, 0)
        self.client.wait_status("t-1", "Completed")
        self.dispatcher.kill()
        self.dispatcher = self.start_dispatcher()
        row, = self.rows("watch", "t-1", "--out", self.out)
        self.assertEqual(len(row["files"]), 3)
        self.assertEqual(self.content(self.out / "t-1"), self.expected())

    def test_a_single_file_gets_its_suffix_without_being_told(self):
        for number, (name, content, suffix) in enumerate((
                ("$GENAI_RESULT_DIR/x.WebP", "text", ".WebP"), ("$GENAI_RESULT_DIR/x", "text", ".txt"),
                ("$GENAI_RESULT_FILE", "\\211PNG\\r\\n\\032\\n", ".png"), ("/dev/stdout", "text", ""))):
            with self.subTest(name=name):
                node = self.start_node("painter", "--exec", f'printf "{content}" > "{name}"')
                row, = self.rows("submit", "--id", f"t-{number}", "--out", self.out, "x")
                self.assertEqual(row["file"], str(self.out / f"t-{number}{suffix}"))
                row, = self.rows("submit", "--id", f"told-{number}", "--out", self.out, "--suffix", ".own", "x")
                self.assertEqual(row["file"], str(self.out / f"told-{number}.own"))
                node.kill()

    def test_one_file_goes_to_stdout_as_ever_and_several_stay(self):
        self.start_painter()
        done = self.ctl("submit", "--id", "t-1", "--wait", "a cat")
        self.assertEqual(done.stdout, b"")
        self.assertIn(b"the result has 3 files, and stdout is one", done.stderr)
        self.assertIn(b"stays with the dispatcher: genai-ctl watch --out DIR t-1", done.stderr)
        self.assertEqual(self.client.stats()["delivered_total"], 0)
        self.assertEqual(self.ctl("watch", "t-1", "--out", self.out).returncode, 0)
        self.assertEqual(self.content(self.out / "t-1"), self.expected())

    def test_fetch_reads_one_file_and_ctl_all_of_them(self):
        large = os.urandom(20 << 20)  # more than one answer
        (self.folder / "large").write_bytes(large)
        self.start_node("painter", "--exec", f'cd "$GENAI_RESULT_DIR" && cp {self.folder}/large b.mp4 && '
                                             "printf small > a.txt && echo '{\"seed\": 7}' > b.mp4.meta.json")
        self.assertEqual(self.ctl("submit", "--id", "t-1", "x").returncode, 0)
        self.client.wait_status("t-1", "Completed")
        _, _, _, _, _, info, total, _, data = self.client.ask(FETCH, FETCHED, "t-1", 0, 0)
        self.assertEqual((total, data), (len(large) + 5, b""))
        first, second = info["files"]
        self.assertEqual((first["name"], first["bytes"], second["seed"]), ("a.txt", 5, 7))
        at = first["bytes"] + 12_345_678
        self.assertEqual(self.client.ask(FETCH, FETCHED, "t-1", at, 1000)[8], large[12_345_678:12_346_678])
        for _ in range(2):
            row, = self.rows("fetch", "t-1", "--out", self.out)
            self.assertEqual([file["file"] for file in row["files"]],
                             [str(self.out / "t-1" / name) for name in ("a.txt", "b.mp4")])
            self.assertEqual(self.content(self.out / "t-1"), {"a.txt": b"small", "b.mp4": large})
        done = self.ctl("fetch", "t-1")
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        self.assertIn(b"t-1: it has 2 files: give --out", done.stderr)

    def test_what_is_there_stays_unless_told_otherwise(self):
        self.start_painter()
        (self.out / "t-1").mkdir(parents=True)
        (self.out / "t-1/cat.png").write_text("mine")
        self.assertEqual(self.ctl("submit", "--id", "t-1", "--out", self.out, "a cat").returncode, 0)
        self.assertEqual(self.content(self.out / "t-1"),
                         {**self.expected(), "cat.png": b"mine", "cat-2.png": PNG})
        (self.out / "t-2").mkdir()
        (self.out / "t-2/cat.png").write_text("old")
        self.assertEqual(self.ctl("submit", "--id", "t-2", "--out", self.out, "--overwrite", "a cat").returncode, 0)
        self.assertEqual(self.content(self.out / "t-2"), self.expected())

    def test_the_python_examples_make_and_read_them(self):
        program = self.folder / "painter.py"
        program.write_text(f"""
import argparse, sys
sys.path.insert(0, {str(ROOT / 'tools/python')!r})
import node
node.work = lambda spec, payload, aborted, options: [
    ("cat.png", b"picture of " + payload, {{"content_type": "image/png", "seed": 7}}), ("masks/.1", b"mask", {{}})]
node.Node(argparse.Namespace(broker={self.nodes_endpoint!r}, key_file=None, server_key=None, node_id="snake",
                             slots=1, model=[], echo=False, delay_ms=0)).run()
""")
        self.start("/usr/bin/python3", program, name="snake")
        row, = self.rows("submit", "--id", "t-1", "--out", self.out, "a cat")
        self.assertEqual(row["files"][0]["seed"], 7)
        self.assertEqual(self.content(self.out / "t-1"), {"cat.png": b"picture of a cat", "masks/_1": b"mask"})
        done = self.start("/usr/bin/python3", ROOT / "tools/python/client.py", "--dispatcher", self.clients_endpoint,
                          "--out", self.folder / "snake", "a dog", name="client")
        self.assertEqual(done.wait(), 0)
        task, = (self.folder / "snake").iterdir()
        self.assertEqual(self.content(task), {"cat.png": b"picture of a dog", "masks/_1": b"mask"})


class Hostile(BundleTest):
    def test_a_list_that_breaks_a_rule_is_no_list(self):
        good = [entry("a.png", 3), entry("b.png", 4)]
        lists = {
            "a way up": [entry("../a.png", 3), entry("b.png", 4)],
            "a way down and up": [entry("x/../../a.png", 3), entry("b.png", 4)],
            "absolute": [entry("/etc/a.png", 3), entry("b.png", 4)],
            "NUL": [entry("a\0.png", 3), entry("b.png", 4)],
            "300 bytes": [entry("n" * 300, 3), entry("b.png", 4)],
            "twice": [entry("a.png", 3), entry("A.png", 4)],
            "file and folder": [entry("a", 3), entry("a/b", 4)],
            "too few bytes": [entry("a.png", 3), entry("b.png", 3)],
            "too many bytes": [entry("a.png", 3), entry("b.png", 5)],
            "bytes around the world": [entry("a.png", 2**64 - 1), entry("b.png", 8)],
            "negative bytes": [entry("a.png", -1), entry("b.png", 8)],
            "no text": [entry(7, 3), entry("b.png", 4)],
            "no name": [{"bytes": 7}],
            "no list": "a.png",
            "no maps": ["a.png", "b.png"],
            "empty": [],
            "257 files": [entry(str(i), 7 if i == 0 else 0) for i in range(257)],
        }
        for what, files in lists.items():
            with self.subTest(what=what):
                task = self.deliver(files)
                row, = self.rows("watch", task, "--out", self.out)
                self.assertEqual(row["files"], [{"bytes": 7, "content_type": "image/png", "file": row["file"]}])
                self.assertEqual(pathlib.Path(row["file"]), self.out / f"{task}.png")
        self.assertEqual(len(self.content(self.out)), len(lists))
        self.assertEqual(set(self.content(self.out).values()), {b"picture"})
        # That was for the lists.
        task = self.deliver(good)
        self.assertEqual(len(self.rows("watch", task, "--out", self.out)[0]["files"]), 2)
        self.assertEqual(self.content(self.out / task), {"a.png": b"pic", "b.png": b"ture"})

    def test_a_list_that_cannot_be_in_a_message_is_refused_with_it(self):
        for what, files in (("10,000 entries", [entry("", 0)] * 10_000), ("no UTF-8", [entry("a\udcff", 7)])):
            with self.subTest(what=what):
                node = self.scripted_node("liar")
                task = self.client.submit(max_attempts=1)[0]
                ref = node.take()
                message = self.pack_loosely([1, 13, [[ref, 0, {"files": files}, b"picture"]]])
                node.socket.send(message)
                self.assertEqual(self.client.wait([task])[0]["status"], "Failed")
                node.close()

    @staticmethod
    def pack_loosely(message):
        import msgpack
        return msgpack.packb(message, use_bin_type=True, unicode_errors="surrogateescape")

    def test_names_that_are_fine_and_yet_special_are_made_harmless(self):
        task = self.deliver([entry(".bashrc", 1), entry("-rf", 1), entry("NUL", 1), entry("a:b", 1), entry("a*b", 1),
                             entry("a\u202egnp.exe", 1), entry(".ssh/keys", 1)])
        self.assertEqual(self.ctl("watch", task, "--out", self.out).returncode, 0)
        self.assertEqual(self.content(self.out / task),
                         {"_bashrc": b"p", "_rf": b"i", "_NUL": b"c", "a_b": b"t", "a_b-2": b"u", "a_gnp.exe": b"r",
                          "_ssh/keys": b"e"})

    def test_a_link_in_the_way_leads_nowhere(self):
        elsewhere = self.folder / "elsewhere"
        elsewhere.mkdir()
        task = self.deliver([entry("a", 3), entry("masks/b", 4)])
        (self.out / task).mkdir(parents=True)
        (self.out / task / "masks").symlink_to(elsewhere)
        done = self.ctl("watch", task, "--out", self.out, "--overwrite")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"the result is kept", done.stderr)
        self.assertFalse(list(elsewhere.iterdir()))
        self.assertEqual(self.client.status(task)["result"], "waiting")


class Command(BundleTest):
    def result_of(self, command, **spec):
        node = self.start_node("node-1", "--exec", command)
        result = self.client.wait(self.client.submit(max_attempts=1, **spec))[0]
        node.kill()
        return result

    def test_what_passes_a_limit_ends_the_task(self):
        for command in ("truncate -s 30M a b", "for i in $(seq 257); do : > $i; done",
                        "n=$(printf %0200d); for i in $(seq 200); do : > $n$i; done"):
            with self.subTest(command=command):
                result = self.result_of(f'cd "$GENAI_RESULT_DIR"; {command}')
                self.assertEqual((result["status"], result["code"]), ("Failed", 505), result["info"])

    def test_wrong_names_and_wrong_metadata_are_errors(self):
        for command, text in (("touch $(printf 'a\\377')", "is not UTF-8"), ("touch A.png a.png", "a second one"),
                              ("touch a; echo [] > a.meta.json", "is not a JSON object")):
            with self.subTest(command=command):
                result = self.result_of(f'cd "$GENAI_RESULT_DIR"; {command}')
                self.assertEqual((result["status"], result["code"]), ("Failed", 500))
                self.assertIn(text, result["info"]["error"])

    def test_a_killed_node_leaves_no_files_behind(self):
        scratch = self.folder / "scratch"
        scratch.mkdir()
        ready = self.folder / "ready"
        node = self.start("/usr/bin/env", f"TMPDIR={scratch}", BIN / "genai-node", "--broker", self.nodes_endpoint,
                          "--node-id", "node-1", "--exec",
                          f'cd "$GENAI_RESULT_DIR" && mkdir -p a/b && echo 1 > a/b/c && touch {ready}; sleep 300')
        task = self.client.submit()[0]
        wait_for(ready.exists, "the files")
        self.assertTrue(list(scratch.rglob("c")))
        node.send(signal.SIGKILL)
        wait_for(lambda: not list(scratch.iterdir()), "a clean folder")
        self.client.cancel(task)


if __name__ == "__main__":
    unittest.main()
