"""Brokers and clients that come and go."""
import signal
import unittest

from harness import DELIVER, SUBMIT, TASKS, WATCH, FleetTest, Peer, wait_for


class Restarts(FleetTest):
    def test_a_killed_broker_comes_back_and_nothing_runs_twice(self):
        ran = self.folder / "ran"
        self.start_nodes(3, "--exec", f"echo $GENAI_TASK_ID >> {ran}; sleep 1; cat")
        tasks = self.client.submit(9)
        wait_for(lambda: ran.exists() and len(ran.read_text().splitlines()) >= 4, "some work")
        self.broker.kill()
        self.broker = self.start_broker()
        results = self.client.wait(tasks)
        self.assertEqual([r["status"] for r in results], ["Completed"] * 9)
        self.assertEqual(sorted(ran.read_text().splitlines()), sorted(tasks))
        self.wait_online(3)

    def test_tasks_taken_while_the_broker_is_away_run_when_it_is_back(self):
        self.start_nodes(2, "--echo")
        self.broker.kill()
        tasks = self.client.submit(10)
        self.broker = self.start_broker()
        results = self.client.wait(tasks)
        self.assertEqual([r["status"] for r in results], ["Completed"] * 10)

    def test_a_client_that_reconnects_gets_its_result(self):
        self.start_nodes(1, "--echo", "--echo-delay-ms", 300)
        task = self.client.submit()[0]
        self.client.close()
        other = self.make_client()
        other.ask(WATCH, TASKS, 1, [task])
        self.assertEqual(other.wait([task])[0]["data"], b"prompt")

    def test_a_repeated_submit_is_the_same_task(self):
        self.start_nodes(1, "--echo")
        task = self.client.submit()[0]
        self.client.wait([task])
        again = self.client.ask(SUBMIT, 41, 1, [[task, {}, b"prompt"]])
        self.assertEqual(again[2], [[task, 0, "", 0, [0] * 4]])
        delivered = self.client.expect(DELIVER)[1][0]  # what it was stays known, if not its data
        self.assertEqual((delivered[1], delivered[3]["result_gone"]), (4, True))
        other = self.client.ask(SUBMIT, 41, 1, [[task, {}, b"another"]])
        self.assertEqual(other[2][0][1], 301)

    def test_an_unacknowledged_result_comes_again(self):
        self.start_nodes(1, "--echo")
        silent = self.make_client()
        silent.receive = lambda limit_s=0.0: Peer.receive(silent, limit_s)  # no DELIVER_ACK
        silent.send(SUBMIT, 1, 1, [["t-1", {}, b"x"]])
        silent.expect(DELIVER)
        self.assertEqual(silent.expect(DELIVER, 15)[1][0][0], "t-1")


class DrainOfMemory(FleetTest):
    """Without a durable store a stop has to wait for the tasks."""

    dispatcher_options = ("--store", "memory")

    def test_sigterm_drains_the_dispatcher(self):
        self.start_nodes(1, "--echo", "--echo-delay-ms", 300)
        tasks = self.client.submit(3)
        self.dispatcher.send(signal.SIGTERM)
        wait_for(lambda: self.client.stats()["draining"], "the drain")
        refused = self.client.ask(SUBMIT, 41, 1, [["late", {}, b""]])
        self.assertEqual(refused[2][0][1], 303)
        self.client.wait(tasks)
        self.assertEqual(self.dispatcher.wait(), 0)

    def test_a_second_sigterm_forces(self):
        self.client.submit()
        self.dispatcher.send(signal.SIGTERM)
        wait_for(lambda: self.client.stats()["draining"], "the drain")
        self.dispatcher.send(signal.SIGTERM)
        self.assertEqual(self.dispatcher.wait(), 1)  # a task was left behind


if __name__ == "__main__":
    unittest.main()
