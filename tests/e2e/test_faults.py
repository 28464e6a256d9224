"""Nodes that fail, drop or refuse tasks."""
import unittest

from harness import FleetTest, wait_for

TIME_LIMIT = 503


class Faults(FleetTest):
    def test_faulty_nodes_only(self):
        self.start_nodes(3, "--exec", "echo the GPU is on fire >&2; exit 3")
        results = self.client.wait(self.client.submit(5, max_attempts=2))
        for result in results:
            self.assertEqual((result["status"], result["code"]), ("Failed", 500))
            self.assertIn("the GPU is on fire", result["info"]["error"])

    def test_flaky_nodes(self):
        for i in range(1, 4):
            self.start_node(f"node-{i}", "--echo", "--echo-drop-ratio", 0.33, "--seed", i)
        self.wait_online(3)
        results = self.client.wait(self.client.submit(100))
        self.assertEqual([r["status"] for r in results], ["Completed"] * 100)
        self.assertGreater(self.client.stats()["requeued_total"], 0)

    def test_all_but_one_faulty(self):
        for i in range(1, 5):
            self.start_node(f"bad-{i}", "--exec", "exit 1")
        self.start_node("good", "--echo", "--echo-delay-ms", 20)
        self.wait_online(5)
        results = self.client.wait(self.client.submit(100))
        self.assertEqual([r["status"] for r in results], ["Completed"] * 100)
        self.assertEqual({r["info"]["node_id"] for r in results}, {"good"})

    def test_a_hanging_task_ends_at_its_time_limit(self):
        self.start_nodes(1, "--exec", "sleep 60")
        task = self.client.submit(time_limit_ms=500, max_attempts=1)[0]
        result = self.client.wait([task])[0]
        self.assertEqual((result["status"], result["code"]), ("Failed", TIME_LIMIT))
        self.assertIn("time limit", result["info"]["error"])
        wait_for(lambda: self.client.nodes()["node-1"]["in_flight"] == 0, "a free slot")

    def test_a_node_that_keeps_no_time_limit_is_stopped_at_it(self):
        node = self.scripted_node("careless")
        task = self.client.submit(time_limit_ms=300, max_attempts=1)[0]
        ref = node.take()
        wait_for(lambda: node.pump() or node.aborted, "an ABORT")
        self.assertEqual(node.aborted, [ref])
        result = self.client.wait([task])[0]
        self.assertEqual((result["status"], result["code"]), ("Failed", TIME_LIMIT))

    def test_a_large_payload_and_result_come_back_whole(self):
        self.start_nodes(1, "--exec", "cat")
        payload = bytes(range(256)) * 16384  # 4 MiB
        task = self.client.submit(payload=payload)[0]
        self.assertEqual(self.client.wait([task])[0]["data"], payload)


class Filters(FleetTest):
    def test_a_task_that_fits_nobody_says_why_and_runs_when_somebody_fits(self):
        self.start_nodes(2, "--echo", "--model", "sdxl")
        task = self.client.submit(model="flux")[0]
        waiting = self.client.status(task)
        self.assertEqual(waiting["status"], "Unscheduled")
        self.assertEqual(waiting["waiting"], "2 providers lack model 'flux'")
        self.start_node("artist", "--echo", "--model", "flux")
        result = self.client.wait([task])[0]
        self.assertEqual(result["info"]["node_id"], "artist")

    def test_every_requirement_is_a_filter(self):
        self.start_node("big", "--echo", "--gpu-type", "h100", "--vram-mib", 80000, "--ram-mib",
                        128000, "--ncpu", 64)
        self.start_node("little", "--echo", "--gpu-type", "rtx", "--vram-mib", 8000, "--ram-mib",
                        16000, "--ncpu", 4)
        self.wait_online(2)
        for need in ({"gpu_type": "h100"}, {"vram_mib": 8001}, {"ram_mib": 16001}, {"ncpu": 5}):
            with self.subTest(need=need):
                results = self.client.wait(self.client.submit(4, **need))
                self.assertEqual({r["info"]["node_id"] for r in results}, {"big"})

    def test_a_task_expires_by_its_own_ttl(self):
        task = self.client.submit(ttl_ms=300)[0]
        result = self.client.wait([task])[0]
        self.assertEqual((result["status"], result["code"]), ("Failed", 502))
        self.assertIn("no provider is connected", result["info"]["error"])


if __name__ == "__main__":
    unittest.main()
