"""The Python examples, written from SPEC.md, against the real processes and each other."""
import signal
import subprocess
import unittest

from harness import ROOT, FleetTest, wait_for

NODE, CLIENT = ROOT / "tools/python/node.py", ROOT / "tools/python/client.py"


class Examples(FleetTest):
    def start_python_node(self, node_id, *arguments):
        return self.start(str(NODE), "--broker", self.nodes_endpoint, "--node-id", node_id,
                          *arguments, name=node_id)

    def run_client(self, *arguments, stdin=""):
        done = subprocess.run([CLIENT, "--dispatcher", self.clients_endpoint, *arguments],
                              input=stdin, capture_output=True, text=True, timeout=60)
        return done.returncode, [line.split(" ", 2) for line in done.stdout.splitlines()]

    def test_each_is_short(self):
        for path in (NODE, CLIENT):
            self.assertLess(len(path.read_text().splitlines()), 150, path)

    def test_client_and_node_together(self):
        self.start_python_node("snake", "--slots", "2")
        self.wait_online(1)
        code, lines = self.run_client("a red sphere", "a blue cube")
        self.assertEqual(code, 0)
        self.assertEqual(sorted(line[1:] for line in lines),
                         [["Completed", "A BLUE CUBE"], ["Completed", "A RED SPHERE"]])

    def test_client_with_the_ready_node(self):
        self.start_nodes(2, "--echo")
        prompts = [f"prompt {i}" for i in range(1200)]
        out = self.folder / "out"
        code, lines = self.run_client("--out", str(out), stdin="\n".join(prompts))
        self.assertEqual(code, 0)
        self.assertEqual(sorted(line[2] for line in lines), sorted(prompts))
        self.assertEqual(len(list(out.iterdir())), 1200)

    def test_a_failed_task_is_an_exit_code(self):
        self.start_python_node("snake")
        self.wait_online(1)
        task = self.client.submit(payload=b"\xff\xfe", max_attempts=1)[0]
        self.assertIn("can't decode", self.client.wait([task])[0]["info"]["error"])
        self.assertEqual(self.client.cancel(task)[1], 304)

    def test_a_killed_python_node(self):
        first = self.start_python_node("first", "--delay-ms", "30000")
        self.wait_online(1)
        task = self.client.submit()[0]
        self.client.wait_status(task, "Sent")
        first.kill()
        self.start_python_node("second")
        self.assertEqual(self.client.wait([task])[0]["data"], b"PROMPT")

    def test_cancel_reaches_a_python_node(self):
        self.start_python_node("snake", "--delay-ms", "30000")
        self.wait_online(1)
        task = self.client.submit()[0]
        self.client.wait_status(task, "Sent")
        self.client.cancel(task)
        wait_for(lambda: self.client.nodes()["snake"]["in_flight"] == 0, "ABORT_ACK")

    def test_a_python_node_leaves_gracefully(self):
        node = self.start_python_node("snake", "--delay-ms", "500")
        self.wait_online(1)
        tasks = self.client.submit(5)
        wait_for(lambda: self.client.nodes()["snake"]["in_flight"] == 2, "work and prefetch")
        node.send(signal.SIGTERM)
        self.assertEqual(node.wait(), 0)
        self.start_nodes(1, "--echo")
        for task, result in zip(tasks, self.client.wait(tasks)):
            self.assertEqual(result["status"], "Completed")
            self.assertEqual(self.client.status(task)["losses"], 0)

    def test_a_broker_restart_under_a_python_node(self):
        self.start_python_node("snake", "--delay-ms", "1500")
        self.wait_online(1)
        task = self.client.submit()[0]
        self.client.wait_status(task, "Sent")
        self.broker.kill()
        self.broker = self.start_broker()
        result = self.client.wait([task])[0]
        self.assertEqual((result["data"], result["info"]["attempts"]), (b"PROMPT", 1))


if __name__ == "__main__":
    unittest.main()
