"""Where and when tasks run, and what people are told of it: real processes."""
import json
import signal
import time
import unittest

from commands import CtlTest
from harness import wait_for


class Placement(CtlTest):
    def nodes_named(self, *names, arguments, slots=1):
        before = len(self.client.nodes())
        for name in names:
            self.start_node(name, "--echo", *arguments, slots=slots)
        self.wait_online(before + len(names))

    def restart_dispatcher(self, *options):
        self.dispatcher.send(signal.SIGTERM)
        self.assertEqual(self.dispatcher.wait(), 0)
        self.dispatcher_options = options
        self.dispatcher = self.start_dispatcher()

    def teach(self, node, others, **spec):
        """Three tasks that only this node may take, so that its speed is known."""
        for other in others:
            self.ctl("drain", other)
        self.client.wait(self.client.submit(3, **spec))
        for other in others:
            self.ctl("drain", other, "--off")

    def test_the_faster_node_gets_most_of_the_work(self):
        self.nodes_named("slow", arguments=("--echo-delay-ms", "600"))
        self.nodes_named("fast", arguments=("--echo-delay-ms", "100"))
        self.teach("slow", ["fast"])
        self.teach("fast", ["slow"])
        done = self.client.wait(self.client.submit(40))
        by_node = [r["info"]["node_id"] for r in done]
        self.assertGreater(by_node.count("fast"), 4 * by_node.count("slow"))
        self.assertGreater(by_node.count("slow"), 0)
        rows = {row["node_id"]: row for row in self.rows("nodes", "--long")}
        slow, fast = rows["slow"]["measured"][0], rows["fast"]["measured"][0]
        self.assertGreater(slow["run_p50_ms"], 3 * fast["run_p50_ms"])
        self.assertIn("SUCCESS", self.ctl("nodes", "--long").stdout.decode())

    def test_what_was_measured_outlives_a_crash_and_a_stop(self):
        self.nodes_named("n", arguments=("--echo-delay-ms", "200"))
        self.client.wait(self.client.submit(5))
        self.restart_dispatcher()
        wait_for(lambda: "n" in {r["node_id"] for r in self.rows("nodes")}, "the node is back")
        (row,) = self.rows("nodes", "--long")
        self.assertEqual(row["completed_total"], 5)
        self.assertGreaterEqual(row["measured"][0]["run_p50_ms"], 190)

    def test_accepted_says_when_or_why_not(self):
        self.nodes_named("n", arguments=("--echo-delay-ms", "300", "--model", "sdxl"))
        self.client.wait(self.client.submit(4, model="sdxl"))
        done = self.ctl("submit", "--model", "sdxl", "--json", "a cat")
        estimate = json.loads(done.stdout)["estimate"]
        self.assertGreater(estimate["finish_p50_ms"], 100)
        self.assertGreaterEqual(estimate["finish_p95_ms"], estimate["finish_p50_ms"])
        done = self.ctl("submit", "--model", "flux", "a dog")
        self.assertEqual(done.returncode, 0)
        self.assertIn("1 provider lacks model 'flux'", done.stderr.decode())
        explained = self.ctl("explain", done.stdout.decode().strip()).stdout.decode()
        self.assertIn("waits: 1 provider lacks model 'flux'", explained)

    def test_priority_start_and_deadline(self):
        self.restart_dispatcher("--prefetch", "0")
        self.nodes_named("n", arguments=("--echo-delay-ms", "800"))
        (first,) = self.client.submit(1)
        low = self.ctl("submit", "--priority", "0", "low").stdout.decode().strip()
        mid = self.ctl("submit", "mid").stdout.decode().strip()
        high = self.ctl("submit", "--priority", "9", "high").stdout.decode().strip()
        later = self.ctl("submit", "--start-in-s", "3600", "later").stdout.decode().strip()
        never = self.ctl("submit", "--model", "none", "--deadline-in-s", "1", "x").stdout.decode().strip()
        self.assertEqual(self.ctl("reprioritise", low, "--priority", "8").returncode, 0)
        self.assertIn("not to be started for another", self.ctl("explain", later).stdout.decode())
        self.assertIn("priority 8", self.ctl("explain", low).stdout.decode())
        ended = lambda i: self.client.status(i)["status"] in ("Completed", "Failed")
        wait_for(lambda: all(ended(i) for i in (first, low, mid, high, never)), "they end")
        began = {i: next(e["at_ms"] for e in self.client.status(i)["log"] if e["status"] == "Scheduled")
                 for i in (low, mid, high)}
        self.assertLess(began[high], began[mid])
        self.assertLess(began[low], began[mid])
        self.assertEqual(self.client.status(never)["code"], "deadline_missed")
        self.assertEqual(self.client.status(later)["status"], "Unscheduled")

    def test_a_tenant_is_kept_to_its_quota(self):
        self.restart_dispatcher("--tenant", "small:running=1:queued=2")
        self.nodes_named("n", arguments=("--echo-delay-ms", "400"), slots=4)
        tasks = [self.ctl("submit", "--tenant", "small", f"t{i}") for i in range(3)]
        self.assertEqual([t.returncode for t in tasks], [0, 0, 0])
        refused = self.ctl("submit", "--tenant", "small", "one more", "--json")
        self.assertEqual(refused.returncode, 1)
        row = json.loads(refused.stdout)
        self.assertEqual(row["code"], "over_quota")
        self.assertGreaterEqual(row["retry_after_ms"], 1000)
        running = [t.stdout.decode().strip() for t in tasks]
        self.assertLessEqual([self.client.status(i)["status"] for i in running].count("Sent"), 1)
        self.client.wait(self.client.submit(4))  # others are not in the way
        wait_for(lambda: all(self.client.status(i)["status"] == "Completed" for i in running), "they end")

    def test_a_prefetched_task_moves_to_a_node_that_joins(self):
        self.nodes_named("one", arguments=("--echo-delay-ms", "4000"))
        tasks = self.client.submit(3)
        wait_for(lambda: [self.client.status(i)["status"] for i in tasks].count("Sent") == 2, "one prefetched")
        self.nodes_named("two", "three", arguments=("--echo-delay-ms", "100"))
        begin = time.monotonic()
        self.client.wait(tasks[1:])
        self.assertLess(time.monotonic() - begin, 3.5)  # neither waited for the first to end
        logs = [e["reason"] for i in tasks for e in self.client.status(i)["log"]]
        self.assertIn("taken back before it began: another node can begin sooner", logs)


if __name__ == "__main__":
    unittest.main()
