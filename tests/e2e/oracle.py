"""What clients saw, written down before they did anything else, and what must be true of it."""
import collections
import json


class Oracle:
    """An append-only log of acknowledgements, outside all that is under test."""

    def __init__(self, path):
        self.file = open(path, "a", buffering=1)
        self.accepted, self.cancelled = set(), set()
        self.deliveries = collections.defaultdict(list)  # id -> [(status, data or None: gone)]

    def saw(self, what, task_id, **more):
        self.file.write(json.dumps({"saw": what, "id": task_id, **more}) + "\n")

    def saw_accepted(self, task_id):
        self.saw("accepted", task_id)
        self.accepted.add(task_id)

    def saw_cancelled(self, task_id):
        self.saw("cancelled", task_id)
        self.cancelled.add(task_id)

    def saw_delivered(self, task_id, status, data, gone):
        self.saw("delivered", task_id, status=status, data=data.hex(), gone=gone)
        self.deliveries[task_id].append((status, None if gone else data))

    def undelivered(self):
        return self.accepted - self.deliveries.keys()

    def lost(self, status_of):
        """Accepted, but unknown to the dispatcher, not ended or never delivered."""
        terminal = ("Aborted", "Completed", "Failed")
        return sorted(i for i in self.accepted
                      if status_of.get(i) not in terminal or i not in self.deliveries)

    def doubled(self, status_of, expected):
        """Ids with two different ends, with another's result, or told one end and kept another."""
        wrong = set()
        for task_id, seen in self.deliveries.items():
            statuses = {status for status, _ in seen}
            results = {data for _, data in seen if data is not None}
            if len(statuses) > 1 or len(results) > 1:
                wrong.add(task_id)
            if "Completed" in statuses and results - {expected(task_id)}:
                wrong.add(task_id)
            if task_id in self.cancelled and statuses != {"Aborted"}:
                wrong.add(task_id)
            if task_id in status_of and statuses != {status_of[task_id]}:
                wrong.add(task_id)
        return sorted(wrong)
