"""A client that asks much and reads late: it gets every answer, or is told how many it has missed."""
import re
import unittest
import uuid

from harness import ACCEPTED, ERROR, STATUS, SUBMIT, TASKS, FleetTest, wait_for

PEER_FULL, SLOW_DOWN = 205, 311


class LateReader(FleetTest):
    def make_deaf(self):
        deaf = self.make_client()
        deaf.socket.sndhwm = 0
        return deaf

    def ask_without_reading(self, deaf, count, ids):
        """Sends so many STATUS; the dispatcher has handled them all when it knows the task behind them."""
        for request in range(1, count + 1):
            deaf.send(STATUS, request, ids)
        last = str(uuid.uuid4())
        deaf.send(SUBMIT, count + 1, 0, [[last, {"model": "none"}, b""]])
        wait_for(lambda: self.client.status(last), "all to be handled", 120)
        return count + 1

    def read_all(self, deaf, until):
        """Messages by kind and request, up to the one for which `until` holds."""
        seen = []
        while not seen or not until(seen[-1]):
            message = deaf.receive(30)
            self.assertIsNotNone(message, f"silence after {len(seen)} messages")
            seen.append(message)
        return seen

    def test_thirty_thousand_answers_wait_for_who_reads_late(self):
        deaf = self.make_deaf()
        sent = self.ask_without_reading(deaf, 30_000, ["unknown"])
        self.assertEqual(self.client.stats()["dropped_answers_total"], 0)
        seen = self.read_all(deaf, lambda message: message[0] == ACCEPTED)
        # Refusals promise nothing, so they may overtake what does.
        self.assertEqual(sorted(message[1] for message in seen), list(range(1, sent + 1)))
        kinds = {message[0] if message[0] != ERROR else message[2] for message in seen}
        self.assertIn(TASKS, kinds)
        self.assertLessEqual(kinds, {TASKS, SLOW_DOWN, ACCEPTED})  # each is an answer

    def test_whoever_misses_answers_is_told_how_many(self):
        # Each answer tells of 256 tasks with their logs.
        ids = self.client.submit(256, model="none", label="l" * 128, watch=0)
        deaf, sent = self.make_deaf(), 0

        def has_dropped():
            nonlocal sent
            for _ in range(50):
                sent += 1
                deaf.send(STATUS, sent, ids)
            return self.client.stats()["dropped_answers_total"]
        wait_for(has_dropped, "more answers than may wait", 120)
        last = str(uuid.uuid4())
        sent += 1
        deaf.send(SUBMIT, sent, 0, [[last, {"model": "none"}, b""]])
        wait_for(lambda: self.client.status(last), "all to be handled", 120)
        # What tells of missed answers is small: it may fit while larger ones are still dropped, and come twice.
        answered, missed = [], 0
        while len(answered) + missed < sent:
            message = deaf.receive(30)
            self.assertIsNotNone(message, f"silence after {len(answered)} answers, {missed} missed of {sent}")
            if message[0] == ERROR and message[2] == PEER_FULL:
                self.assertEqual(message[1], 0)
                missed += int(re.match(r"(\d+) answers? w", message[3])[1])
            else:
                answered.append(message[1])
        self.assertEqual(len(answered) + missed, sent)
        self.assertEqual(len(set(answered)), len(answered))
        self.assertEqual(missed, self.client.stats()["dropped_answers_total"])
        self.assertGreater(missed, 0)
        # From then on it is a client like any other.
        self.assertEqual(deaf.ask(STATUS, TASKS, [ids[0]])[2][0]["task_id"], ids[0])


if __name__ == "__main__":
    unittest.main()
