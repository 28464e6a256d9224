#!/usr/bin/python3
"""The parts of the chaos that need neither network nor time: what it does and how it counts."""
import pathlib
import random
import sys
import unittest

sys.path.insert(1, str(pathlib.Path(__file__).resolve().parents[1]))

import faults
import measures
from impairment import Impairment


def entry(at_s, status, node="", attempt=0):
    """As in a task's log: without node and attempt where there are none."""
    named = {"node_id": node, "attempt": attempt} if node else {}
    return {"at_ms": at_s * 1000, "status": status, "reason": "", **named}


def ran(seconds, message, attempt=1, **fields):
    """As in the log of a node."""
    return {"ts": f"2026-01-01T00:00:{seconds:06.3f}Z", "msg": message, "task_id": "t",
            "attempt": attempt, **fields}


MOVED = [entry(0, "Unscheduled"), entry(1, "Scheduled", "a", 1), entry(2, "Sent", "a", 1),
         entry(5, "Unscheduled", "a", 1), entry(5, "Scheduled", "b", 2), entry(6, "Sent", "b", 2)]
DONE_BY_B = [*MOVED, entry(7, "Completed", "b", 2)]
DONE_BY_A = [*MOVED, entry(7, "Completed", "a", 1)]


class Impairments(unittest.TestCase):
    def dues(self, count=1000, **fields):
        impairment, rng = Impairment(**fields), random.Random(1)
        return [impairment.due(number * 0.001, rng) for number in range(count)]

    def test_nothing_wrong_delays_nothing(self):
        self.assertEqual(self.dues(3), [0.0, 0.001, 0.002])

    def test_loss(self):
        self.assertAlmostEqual(self.dues(loss=0.1).count(None), 100, delta=40)
        self.assertEqual(self.dues(loss=1.0).count(None), 1000)

    def test_a_delay_keeps_the_order(self):
        dues = self.dues(delay_s=0.08, jitter_s=0.04)
        self.assertEqual(dues, sorted(dues))
        self.assertGreaterEqual(dues[0], 0.04)

    def test_reordering_loses_nothing(self):
        dues = self.dues(reorder=0.25)
        self.assertNotIn(None, dues)
        self.assertNotEqual(dues, sorted(dues))

    def test_netem_is_told_the_same(self):
        told = " ".join(Impairment(loss=0.5, delay_s=0.08, jitter_s=0.04).netem())
        self.assertEqual(told, "loss 50.0% delay 80.0ms 40.0ms")


class Failovers(unittest.TestCase):
    def test_from_the_cut_to_the_next_node(self):
        self.assertEqual(measures.failovers_s([{"log": DONE_BY_B}], [(3000, "a")]), [3.0])

    def test_the_last_cut_while_the_node_had_the_task_counts(self):
        cuts = [(1500, "a"), (3000, "a"), (4000, "a"), (5500, "a"), (4500, "b")]
        self.assertEqual(measures.failovers_s([{"log": DONE_BY_B}], cuts), [2.0])

    def test_without_a_cut_there_is_none(self):
        self.assertEqual(measures.failovers_s([{"log": DONE_BY_B}], [(3000, "b")]), [])

    def test_a_node_that_keeps_its_task_is_none(self):
        log = [*MOVED[:4], entry(6, "Sent", "a", 1), entry(7, "Completed", "a", 1)]
        self.assertEqual(measures.failovers_s([{"log": log}], [(3000, "a")]), [])

    def test_percentiles(self):
        values = [float(n) for n in range(1, 201)]
        self.assertEqual([measures.percentile(values, p) for p in (50, 99, 100)], [100, 198, 200])
        self.assertEqual(measures.percentile([5.0], 50), 5.0)
        self.assertIsNone(measures.percentile([], 50))


class ProviderSeconds(unittest.TestCase):
    def count(self, log, node, entries, ended_s=59, status="Completed"):
        """The fields of Seconds that are not 0."""
        seconds = measures.provider_seconds(
            {"t": {"status": status, "log": log}},
            [(node, entries, measures.wall_ms_of(ran(ended_s, "")))])
        return {name: value for name, value in vars(seconds).items() if value}

    def test_each_fate(self):
        first = [ran(2, "task started"), ran(7, "task finished", run_ms=5000)]
        second = [ran(6, "task started", 2), ran(7, "task finished", 2, run_ms=1000)]
        stopped = [ran(6, "task started", 2), ran(8, "task aborted", 2, run_ms=2000)]
        killed = [ran(2, "task started")]
        self.assertEqual(self.count(DONE_BY_B, "b", second), {"useful": 1.0})
        self.assertEqual(self.count(DONE_BY_A, "a", first), {"salvaged": 5.0})
        self.assertEqual(self.count(DONE_BY_B, "a", first), {"discarded": 5.0})
        self.assertEqual(self.count(DONE_BY_A, "b", stopped), {"aborted": 2.0})
        self.assertEqual(self.count(DONE_BY_B, "a", killed, ended_s=3), {"died": 1.0})
        self.assertEqual(self.count(MOVED, "b", stopped, status="Aborted"), {"cancelled": 2.0})

    def test_what_is_wasted(self):
        self.assertEqual(measures.Seconds(1, 2, 4, 8, 16, 32).wasted, 28)


class Plan(unittest.TestCase):
    def choose(self, number, seed=7):
        return faults.choose(number, random.Random(seed), random.Random(f"{seed}:{number}"))

    def test_the_first_rounds_have_all_kinds_once(self):
        kinds = [kind for number in range(1, 6) for kind in self.choose(number)]
        self.assertEqual(sorted(kinds), sorted(faults.KINDS))

    def test_a_round_is_the_same_again(self):
        for number in (3, 99):
            self.assertEqual(self.choose(number), self.choose(number))
        self.assertGreater(len({tuple(self.choose(number)) for number in range(6, 40)}), 10)


if __name__ == "__main__":
    unittest.main()
