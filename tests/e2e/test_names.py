"""Two processes under one node id."""
import signal
import unittest

from harness import HEARTBEAT_MS, LOST_MS, ROOT, FleetTest, wait_for


class Names(FleetTest):
    def refusals(self, node):
        return [entry for entry in node.logged("refused, trying again")
                if "node_id_in_use" in entry["reason"]]

    def wait_refused(self, node):
        wait_for(lambda: self.refusals(node), "the refusal of the newcomer")

    def check_unblamed(self, tasks):
        for task in tasks:
            status = self.client.status(task)
            self.assertEqual((status["status"], status["losses"], status["faults"]),
                             ("Completed", 0, 0), status)

    def test_two_nodes_under_one_name_do_not_fight(self):
        first = self.start_node("n1", "--exec", "sleep 0.7; echo first")
        self.wait_online(1)
        tasks = self.client.submit(4)
        second = self.start_node("n1", "--exec", "echo second")
        self.wait_refused(second)
        self.assertEqual({r["data"] for r in self.client.wait(tasks)}, {b"first\n"})
        self.check_unblamed(tasks)
        self.assertEqual(self.client.status(tasks[0])["attempt"], 1)
        # Both logs say what is wrong, and say it once.
        self.assertEqual(len(self.refusals(second)), 1)
        self.assertEqual(len(self.broker.await_logged("node refused")), 1)
        self.assertEqual(len(self.broker.await_logged("node joined")), 1)
        self.assertTrue(first.is_alive() and second.is_alive())

        first.send(signal.SIGTERM)
        self.assertEqual(first.wait(), 0)
        wait_for(lambda: second.logged("joined"), "the name to be taken")
        self.assertEqual(self.client.wait(self.client.submit())[0]["data"], b"second\n")

    def test_a_silent_node_gives_its_name_up_and_no_task_is_blamed(self):
        first = self.start_node("n1", "--exec", "sleep 30")
        self.wait_online(1)
        task = self.client.submit()[0]
        self.client.wait_status(task, "Sent")
        second = self.start_node("n1", "--exec", "echo second")
        self.wait_refused(second)
        first.send(signal.SIGSTOP)
        self.assertEqual(self.client.wait([task])[0]["data"], b"second\n")
        first.send(signal.SIGCONT)
        self.wait_refused(first)  # it waits in its turn
        self.assertEqual(self.client.wait(self.client.submit())[0]["data"], b"second\n")
        self.assertTrue(first.is_alive() and second.is_alive())
        wait_for(lambda: len(self.broker.logged("node joined")) == 2, "the second one to join")

    def test_a_leaving_node_and_its_successor_survive_a_restart_of_the_broker(self):
        """Whichever of them comes first, one of them is left to serve, and the other did not fail."""
        for _ in range(3):
            go = self.folder / "go"
            old = self.start_node("n1", "--exec", f"while [ ! -e {go} ]; do sleep 0.02; done; cat")
            self.wait_online(1)
            task = self.client.submit()[0]
            self.client.wait_status(task, "Sent")
            old.send(signal.SIGTERM)
            wait_for(lambda: old.logged("leaving"), "the old one to leave")
            new = self.start_node("n1", "--echo")
            self.wait_refused(new)
            self.broker.kill()
            self.broker = self.start_broker()
            wait_for(lambda: len(self.broker.logged("node joined")) > 0, "one of them to join")
            go.touch()
            self.assertEqual(self.client.wait([task])[0]["data"], b"prompt")
            self.check_unblamed([task])
            self.assertEqual(old.wait(), 0)
            wait_for(lambda: new.logged("joined"), "the successor to serve")
            self.assertTrue(new.is_alive())
            new.send(signal.SIGTERM)
            self.assertEqual(new.wait(), 0)
            go.unlink()

    def test_the_python_node_waits_for_its_name_too(self):
        first = self.start_node("n1", "--echo")
        self.wait_online(1)
        second = self.start(str(ROOT / "tools/python/node.py"), "--broker", self.nodes_endpoint,
                            "--node-id", "n1", name="python")
        wait_for(lambda: "another process" in second.log_path.read_text(), "the refusal")
        first.send(signal.SIGTERM)
        self.assertEqual(first.wait(), 0)
        self.assertEqual(self.client.wait(self.client.submit())[0]["data"], b"PROMPT")
        second.send(signal.SIGTERM)
        self.assertEqual(second.wait(), 0)


class TwoBrokers(FleetTest):
    @property
    def dispatcher_options(self):
        return ("--broker", f"ipc://{self.folder}/link-2")

    def setUp(self):
        super().setUp()
        self.other = self.start("genai-broker", "--nodes-endpoint", f"ipc://{self.folder}/nodes-2",
                                "--link-endpoint", f"ipc://{self.folder}/link-2",
                                "--heartbeat-interval-ms", HEARTBEAT_MS, "--suspect-ms", 600,
                                "--lost-ms", LOST_MS)
        wait_for(lambda: all(b["state"] == "connected" for b in self.client.stats()["brokers"]),
                 "both links")

    def test_one_name_at_two_brokers(self):
        first = self.start_node("n1", "--exec", "sleep 1; echo first")
        self.wait_online(1)
        tasks = self.client.submit(2)
        second = self.start_node("n1", "--exec", "echo second",
                                 endpoint=f"ipc://{self.folder}/nodes-2")
        wait_for(lambda: second.logged("refused, trying again"), "what the dispatcher says")
        self.assertEqual({r["data"] for r in self.client.wait(tasks)}, {b"first\n"})
        self.assertEqual([self.client.status(t)["losses"] for t in tasks], [0, 0])
        first.kill()
        self.assertEqual(self.client.wait(self.client.submit())[0]["data"], b"second\n")


class NoBroker(FleetTest):
    """SIGTERM while the broker is away."""

    def leave_without_broker(self, command, *options):
        node = self.start_node("n1", "--exec", command, *options)
        self.wait_online(1)
        self.task = self.client.submit()[0]
        self.client.wait_status(self.task, "Sent")
        self.broker.kill()
        node.send(signal.SIGTERM)
        wait_for(lambda: node.logged("leaving"), "the end to begin")
        return node

    def test_a_node_that_holds_nothing_ends_at_once(self):
        node = self.start_nodes(1, "--echo")[0]
        self.broker.kill()
        wait_for(lambda: node.logged("reconnecting"), "the loss of the broker")
        node.send(signal.SIGTERM)
        self.assertEqual(node.wait(10), 0)

    def test_results_that_nobody_takes_are_given_up_after_the_drain_timeout(self):
        node = self.leave_without_broker("sleep 0.3; echo done", "--drain-timeout-s", 2)
        self.assertEqual(node.wait(20), 1)
        self.assertIn("1 results", node.logged("stopped")[0]["reason"])
        ended, gave_up = node.logged("task finished")[0], node.logged("left")[0]
        self.assertLess(ended["ts"], gave_up["ts"])

    def test_a_broker_that_comes_back_in_time_gets_the_result(self):
        node = self.leave_without_broker("sleep 0.3; echo done")
        wait_for(lambda: node.logged("task finished"), "the result")
        self.broker = self.start_broker()
        self.assertEqual(self.client.wait([self.task])[0]["data"], b"done\n")
        self.assertEqual(node.wait(), 0)

    def test_the_dispatcher_and_a_waiting_client_end_at_once(self):
        self.broker.kill()
        client = self.start("genai-ctl", "--dispatcher", self.clients_endpoint, "submit", "--wait",
                            "--out", self.folder / "out", "a prompt")
        wait_for(lambda: self.client.stats()["accepted_total"] == 1, "the task")
        client.send(signal.SIGTERM)
        self.assertNotEqual(client.wait(10), 0)
        self.dispatcher.send(signal.SIGTERM)
        self.assertEqual(self.dispatcher.wait(10), 0)
        waiting = self.start("genai-ctl", "--dispatcher", self.clients_endpoint, "list")
        waiting.send(signal.SIGTERM)
        self.assertNotEqual(waiting.wait(10), 0)


if __name__ == "__main__":
    unittest.main()
