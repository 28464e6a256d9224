"""Placement over equal nodes."""
import collections
import unittest

from harness import FleetTest


class Spread(FleetTest):
    def test_even_over_five_equal_nodes(self):
        self.start_nodes(5, "--echo", "--echo-delay-ms", 100)
        for count in (1, 5, 100):
            with self.subTest(tasks=count):
                before = {k: n["completed_total"] for k, n in self.client.nodes().items()}
                results = self.client.wait(self.client.submit(count))
                self.assertEqual([r["status"] for r in results], ["Completed"] * count)
                counts = collections.Counter({k: 0 for k in before})
                counts.update(r["info"]["node_id"] for r in results)
                self.assertLessEqual(max(counts.values()) - min(counts.values()), 1, counts)

    def test_more_slots_get_more(self):
        self.start_node("small", "--echo", "--echo-delay-ms", 100, slots=1)
        self.start_node("large", "--echo", "--echo-delay-ms", 100, slots=4)
        self.wait_online(2)
        results = self.client.wait(self.client.submit(50))
        counts = collections.Counter(r["info"]["node_id"] for r in results)
        self.assertGreater(counts["large"], 2 * counts["small"])


if __name__ == "__main__":
    unittest.main()
