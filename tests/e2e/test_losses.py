"""Nodes that vanish, freeze, wake up, reconnect and leave."""
import signal
import time
import unittest

from harness import ABORT_ACK, BYE, GOODBYE, LOST_MS, FleetTest, Forwarder, wait_for


class Losses(FleetTest):
    def lose_while_running(self, end_node):
        """A node that holds a task ends; it is done elsewhere in time, with one result."""
        first = self.start_node("first", "--exec", "sleep 30")
        self.wait_online(1)
        task = self.client.submit()[0]
        self.client.wait_status(task, "Sent")
        self.start_node("second", "--echo")
        self.wait_online(2)
        end_node(first)
        ended = time.monotonic()
        wait_for(lambda: self.client.status(task)["losses"] == 1, "the requeue")
        self.assertLess(time.monotonic() - ended, LOST_MS / 1000 + 1)
        result = self.client.wait([task])[0]
        self.assertEqual(result["status"], "Completed")
        self.assertEqual(result["info"]["node_id"], "second")
        return first, task

    def test_killed_node(self):
        self.lose_while_running(lambda node: node.kill())

    def test_stopped_node(self):
        node, task = self.lose_while_running(lambda node: node.send(signal.SIGSTOP))
        node.send(signal.SIGCONT)
        # It comes back, is told to abort what it held, and serves again.
        wait_for(lambda: self.client.nodes().get("first", {}).get("state") == "online", "its return")
        wait_for(lambda: self.client.nodes()["first"]["in_flight"] == 0, "its abort")
        self.assertEqual(self.client.deliveries.count(task), 1)

    def test_a_restarted_node_gives_its_old_tasks_up_at_once(self):
        first = self.start_node("node", "--exec", "sleep 30")
        self.wait_online(1)
        task = self.client.submit()[0]
        self.client.wait_status(task, "Sent")
        first.kill()
        self.start_node("node", "--echo")
        self.assertEqual(self.client.wait([task])[0]["status"], "Completed")
        self.assertIn("node lost: its connection ended; replaced by a new session",
                      self.reasons(task))
        self.assertEqual(self.client.status(task)["losses"], 1)  # it may be what ended the node

    def test_late_result_of_a_stopped_node(self):
        late = self.scripted_node("late")
        task = self.client.submit()[0]
        ref = late.take()
        wait_for(lambda: self.client.status(task)["losses"] == 1, "the loss")  # it says nothing
        other = self.scripted_node("other")
        newer = other.take()
        self.assertEqual(newer[1], 2)
        late.hello()
        late.finish(ref, b"late picture")

        def both():
            late.pump()
            other.pump()
            self.client.pump()
            return late.acked and other.aborted
        wait_for(both, "the late result's acknowledgement and the newer attempt's abort")
        self.assertEqual(other.aborted[0], newer)
        other.held.clear()
        other.send(ABORT_ACK, [[newer, 0]])
        other.finish(newer, b"second picture")  # too late: discarded
        wait_for(lambda: other.pump() or other.acked, "its acknowledgement")
        result = self.client.wait([task])[0]
        self.assertEqual(result["data"], b"late picture")
        self.assertEqual(len(self.client.results), 1)

    def test_a_returning_node_keeps_what_nobody_has_taken(self):
        node = self.scripted_node("node")
        task = self.client.submit()[0]
        ref = node.take()
        wait_for(lambda: self.client.status(task)["status"] == "Unscheduled", "the loss")
        node.hello()
        self.client.wait_status(task, "Sent")
        self.assertEqual(self.client.status(task)["attempt"], 1)
        node.finish(ref)
        self.assertEqual(self.client.wait([task])[0]["info"]["attempts"], 1)

    def test_reconnect_within_the_grace_keeps_the_task(self):
        node = self.scripted_node("node")
        task = self.client.submit()[0]
        ref = node.take()
        node.reconnect(self.nodes_endpoint)
        node.pump()
        node.finish(ref)
        result = self.client.wait([task])[0]
        self.assertEqual(result["status"], "Completed")
        self.assertEqual(result["info"]["attempts"], 1)
        self.assertEqual(node.assigned, [])

    def test_graceful_leave(self):
        leaving, _ = self.start_nodes(2, "--echo", "--echo-delay-ms", 300)
        tasks = self.client.submit(20)
        wait_for(lambda: self.client.nodes()["node-1"]["in_flight"] > 0, "work on the node")
        leaving.send(signal.SIGTERM)
        self.assertEqual(leaving.wait(), 0)
        self.client.wait(tasks)
        for task in tasks:
            status = self.client.status(task)
            self.assertEqual((status["status"], status["losses"], status["faults"]),
                             ("Completed", 0, 0))
        self.assertNotIn("node-1", self.client.nodes())

    def test_a_node_that_says_bye_loses_nothing(self):
        node = self.scripted_node("node")
        task = self.client.submit()[0]
        node.take()
        node.send(BYE, "closing time")
        node.expect(GOODBYE)
        status = self.client.wait_status(task, "Unscheduled")
        self.assertEqual((status["losses"], status["drains"]), (0, 1))


class CutNetwork(FleetTest):
    nodes_tcp = True

    def test_a_cut_and_mended_connection_runs_nothing_twice(self):
        relay = Forwarder(self.nodes_port)
        self.closers.append(relay.close)
        ran = self.folder / "ran"
        self.start_node("node", "--exec", f"echo $GENAI_TASK_ID >> {ran}; sleep 1.5; echo done",
                        endpoint=f"tcp://127.0.0.1:{relay.port}")
        self.wait_online(1)
        task = self.client.submit()[0]
        self.client.wait_status(task, "Sent")
        wait_for(ran.exists, "the execution")
        relay.cut()
        wait_for(lambda: self.client.nodes()["node"]["state"] == "suspect", "suspicion")
        relay.mend()
        result = self.client.wait([task])[0]
        self.assertEqual(result["status"], "Completed")
        self.assertEqual(result["info"]["attempts"], 1)
        self.assertEqual(ran.read_text().splitlines(), [task])


if __name__ == "__main__":
    unittest.main()
