"""Nodes in trouble: what becomes of their tasks, and what people are told."""
import time
import unittest

from commands import CtlTest
from harness import ABORT, ASSIGN, ASSIGN_ACK, RESULT, RESULT_ACK, ScriptedNode, wait_for

NODE_FULL, RESULT_TOO_LARGE, NODE_UNFIT = 400, 505, 514
ERROR, RETURNED = 1, 2


class TinyNode(ScriptedNode):
    """As "Write a node" of SPEC.md has it: one slot, and no queue."""

    run_s = 0.05

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.running, self.ends, self.refused = None, 0.0, 0

    def receive(self, limit_s=0.0):
        message = super().receive(limit_s)
        if message and message[0] == ASSIGN:
            for ref, _, _ in message[1]:
                code = NODE_FULL if self.running else 0
                self.refused += code != 0
                if code == 0:
                    self.running, self.ends = ref, time.monotonic() + self.run_s
                    self.held.append(ref)
                self.send(ASSIGN_ACK, [[ref, code, ""]])
        elif message and message[0] == RESULT_ACK:
            self.held = [ref for ref in self.held if ref not in [entry[0] for entry in message[1]]]
        elif message and message[0] == ABORT:
            raise AssertionError(f"nothing was to be aborted: {message}")
        return message

    def pump(self):
        super().pump()
        if self.running and time.monotonic() >= self.ends:
            self.send(RESULT, [[self.running, 0, {"run_ms": 50}, b"picture"]])
            self.running = None


class Trouble(CtlTest):
    def test_a_sole_node_whose_command_fails_for_a_while_costs_no_task_its_attempts(self):
        mended = self.folder / "mended"
        self.start_nodes(1, "--exec", f"test -e {mended} && echo picture")
        tasks = self.client.submit(20)
        wait_for(lambda: self.client.nodes()["node-1"]["failed_total"] >= 6, "errors")
        node = self.client.nodes()["node-1"]
        self.assertGreater(node["probation_ms"], 0)
        self.assertIn("in a row did not complete", node["trouble"])
        waiting = [self.client.status(task)["waiting"] for task in tasks]
        self.assertTrue(any(w.startswith("node-1 rests for another ") for w in waiting), waiting)
        shown = self.rows("nodes")[0]
        self.assertEqual(shown["trouble"], node["trouble"])
        self.assertIn(b"TROUBLE", self.ctl("nodes").stdout)
        mended.touch()
        results = self.client.wait(tasks)
        self.assertEqual({r["status"] for r in results}, {"Completed"})
        self.assertLess(self.client.nodes()["node-1"]["failed_total"], 20)
        self.assertNotIn("trouble", self.client.nodes()["node-1"])

    def test_a_node_that_can_run_nothing_says_so_and_blames_no_task(self):
        node = self.scripted_node("broken")
        tasks = self.client.submit(3)
        for _ in range(2):
            ref = node.take()
            info = {"code": NODE_UNFIT, "error": "no scratch folder: /scratch is missing"}
            node.send(RESULT, [[ref, RETURNED, info, b""]])
            wait_for(lambda: node.pump() or node.acked, "the acknowledgement")
            node.held.clear()
            node.acked.clear()
        shown = self.client.nodes()["broken"]
        self.assertEqual(shown["trouble"],
                         "can run nothing now: no scratch folder: /scratch is missing")
        self.assertGreater(shown["probation_ms"], 0)
        self.assertIn(b"/scratch is missing", self.ctl("nodes").stdout)
        for task in tasks:
            status = self.client.status(task)
            self.assertEqual((status["faults"], status["losses"], status["drains"]), (0, 0, 0))
        self.assertIn("it can run nothing now", self.client.status(tasks[0])["waiting"])
        node.hello()  # as after a restart
        wait_for(lambda: "trouble" not in self.client.nodes()["broken"], "the end of the trouble")
        for _ in tasks:
            node.finish(node.take())
        self.assertEqual({r["status"] for r in self.client.wait(tasks)}, {"Completed"})

    def test_a_result_over_its_limit_is_drawn_once(self):
        node = self.scripted_node("boaster")
        task = self.client.submit()[0]
        ref = node.take()
        node.finish(ref, bytes((48 << 20) + 1))
        wait_for(lambda: node.pump() or node.acked, "the acknowledgement")
        result = self.client.wait([task])[0]
        self.assertEqual((result["status"], result["code"]), ("Failed", RESULT_TOO_LARGE))
        self.assertEqual(result["info"]["attempts"], 1)
        self.assertEqual(node.assigned, [])

    def test_nodes_without_a_queue_refuse_once_and_serve(self):
        nodes = [TinyNode(self.nodes_endpoint, f"tiny-{i}").hello() for i in range(5)]
        self.closers += [node.close for node in nodes]
        self.wait_online(5)
        tasks = self.client.submit(100)

        def done():
            for node in nodes:
                node.pump()
            self.client.pump()
            return len(self.client.results) == len(tasks)
        wait_for(done, "all results")
        self.assertEqual({r["status"] for r in self.client.results.values()}, {"Completed"})
        for node in nodes:
            self.assertLessEqual(node.refused, 1)  # the first task that was prefetched
        self.assertLessEqual(self.client.stats()["requeued_total"], len(nodes))

    def test_what_no_attempt_can_do_is_tried_once(self):
        node = self.scripted_node("honest")
        task = self.client.submit()[0]
        ref = node.take()
        node.send(RESULT, [[ref, ERROR, {"code": 513, "error": "no such LoRA"}, b""]])
        result = self.client.wait([task])[0]
        self.assertEqual((result["status"], result["code"]), ("Failed", 513))
        self.assertEqual(self.rows("status", task)[0]["code"], "impossible")
        self.assertIn("no such LoRA", result["info"]["error"])


if __name__ == "__main__":
    unittest.main()
