"""The examples of both libraries: built against what is installed, and run against real daemons."""
import re
import shutil
import signal
import subprocess
import unittest

from harness import BIN, ROOT, FleetTest, wait_for


class Examples(FleetTest):
    def run_tool(self, *command, **options):
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True,
                              timeout=240, **options)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def build(self, part):
        prefix, build = self.folder / "prefix", self.folder / f"{part}-examples"
        launcher = ["-DCMAKE_CXX_COMPILER_LAUNCHER=ccache"] if shutil.which("ccache") else []
        self.run_tool("cmake", "-S", ROOT / "tools" / part / "examples", "-B", build, "-G", "Ninja",
                      f"-DCMAKE_PREFIX_PATH={prefix}",
                      "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Wpedantic -Werror", *launcher)
        self.run_tool("cmake", "--build", build)
        return build

    def start_example(self, build, program, node_id):
        node = self.start(str(build / program), self.nodes_endpoint, node_id, name=node_id)
        wait_for(lambda: self.client.nodes().get(node_id, {}).get("state") == "online", f"{node_id} online")
        return node

    def test_all(self):
        """One test, since each builds what the others need too."""
        self.run_tool("cmake", "--install", BIN.parent, "--prefix", self.folder / "prefix")
        nodes, clients = self.build("node"), self.build("client")
        with self.subTest("a node that works in a handler"):
            upper = self.start_example(nodes, "upper_case", "upper")
            self.submit_and_wait(clients)
            self.many_with_poll(clients)
            self.epoll_loop(clients)
            upper.send(signal.SIGTERM)
            self.assertEqual(upper.wait(), 0)
            self.assertEqual(upper.log_path.read_text(), "left\n")
        with self.subTest("a node that answers later"):
            later = self.start_example(nodes, "answering_later", "later")
            ids = [self.client.submit(payload=text)[0] for text in (b"stressed", b"drawer", b"a" * 300)]
            self.assertEqual([r["data"] for r in self.client.wait(ids[:2])], [b"desserts", b"reward"])
            self.client.cancel(ids[2])
            self.assertEqual(self.client.wait(ids[2:])[0]["status"], "Aborted")
            wait_for(lambda: self.client.nodes()["later"]["in_flight"] == 0, "a free slot")
            later.kill()
        with self.subTest("a node with several models"):
            several = self.start_example(nodes, "several_models", "several")
            flux = self.client.submit(model="flux", params={"steps": 4})[0]
            self.assertEqual(self.client.wait([flux])[0]["data"], b"flux painted it in 4 steps")
            wait_for(lambda: self.client.nodes()["several"]["loaded_models"] == ["flux"], "loaded models")
            sdxl = self.client.submit(model="sdxl", priority=9)[0]
            self.assertEqual(self.client.wait([sdxl])[0]["data"], b"sdxl painted it in 20 steps")
            pair = self.folder / "pair"
            task = self.client.submit(payload=b"two eyes", watch=0, model="pair")[0]
            self.client.wait_status(task, "Completed")
            self.run_tool(BIN / "genai-ctl", "--dispatcher", self.clients_endpoint, "watch", task, "--out", pair)
            self.assertEqual((pair / task / "left.txt").read_text(), "two eyes")
            self.assertEqual((pair / task / "masks/left.txt").read_text(), "the mask")
            told = self.run_tool(clients / "submit_and_wait", self.clients_endpoint, "a prompt", self.folder / "one")
            self.assertEqual(told, "27 bytes from several\n")
            several.kill()
        with self.subTest("what is going on"):
            self.what_is_going_on(clients)

    def submit_and_wait(self, build):
        file = self.folder / "picture"
        told = self.run_tool(build / "submit_and_wait", self.clients_endpoint, "a lighthouse", file)
        self.assertEqual(told, "12 bytes from upper\n")
        self.assertEqual(file.read_text(), "A LIGHTHOUSE")
        wait_for(lambda: self.client.stats()["result_bytes"] == 0, "the acknowledged result is dropped")

    def many_with_poll(self, build):
        told = self.run_tool(build / "many_with_poll", self.clients_endpoint, "one", "two", "three")
        lines = told.splitlines()
        for word in ("one", "two", "three"):
            self.assertEqual(lines.count(f"accepted: {word}"), 1)
            self.assertEqual(lines.count(f"{word} -> {word.upper()}"), 1)
            self.assertLess(lines.index(f"accepted: {word}"), lines.index(f"{word} -> {word.upper()}"))

    def epoll_loop(self, build):
        program = subprocess.Popen([build / "epoll_loop", self.clients_endpoint], text=True,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.closers.append(program.stdout.close)
        self.closers.append(program.kill)
        program.stdin.write("hello\nworld\n")
        program.stdin.flush()
        self.assertEqual({program.stdout.readline() for _ in range(2)}, {"HELLO\n", "WORLD\n"})
        self.client.ask(55, 56, "upper", True)  # DRAIN: what comes now waits
        program.stdin.write("never painted\ncancel\n")
        program.stdin.close()
        self.assertEqual(program.stdout.readline(), "Aborted: cancelled\n")
        self.assertEqual(program.wait(60), 0)
        self.client.ask(55, 56, "upper", False)

    def what_is_going_on(self, build):
        self.start_node("broken", "--exec", "echo no paint >&2; exit 1")
        task = self.client.submit(max_attempts=1)[0]
        self.assertEqual(self.client.wait([task])[0]["status"], "Failed")
        told = self.run_tool(build / "what_is_going_on", self.clients_endpoint)
        self.assertIn("node broken is online, 0 of 1 slots are busy\n", told)
        self.assertIn(f"task {task} is Failed\n", told)
        self.assertRegex(told, rf"task {task}: task_error: .*no paint")
        history = told.split(f"task {task}: task_error", 1)[1]
        self.assertTrue(re.search(r"^  Sent, .*\n(  .*\n)*  Failed, ", history, re.M), history)


if __name__ == "__main__":
    unittest.main()
