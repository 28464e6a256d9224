"""The outside oracle: what clients saw acknowledged, against what the dispatcher says in the end.

Clients write to the log before they do anything else with what they saw. judge() reads nothing but
that file and the final statuses, so no state of the load can hide a flaw. One JSON array a line:

    ["submitted", id, digest of the payload]   before the first SUBMIT of it is sent
    ["accepted", id]                           a verdict ok
    ["conflict", id, code]                     the same content was refused for good
    ["unknown", id]                            accepted before, and now unknown
    ["cancel", id]                             before the first CANCEL of it is sent
    ["cancelled", id]                          a verdict ok
    ["delivered", id, status, digest or null]  null: the data are gone, as after an acknowledgement
"""
import dataclasses
import hashlib
import json

TERMINAL = {"Aborted", "Completed", "Failed"}


def digest(data):
    return hashlib.sha256(data).hexdigest()[:16]


class Log:
    """Append-only; each entry is with the system before append returns."""

    def __init__(self, path):
        self.path = path
        self.file = open(path, "a", buffering=1)
        self.counts = {}

    def append(self, kind, task_id, *fields):
        self.file.write(json.dumps([kind, task_id, *fields]) + "\n")
        self.counts[kind] = self.counts.get(kind, 0) + 1

    def count(self, *kinds):
        return sum(self.counts.get(kind, 0) for kind in kinds)

    def close(self):
        self.file.close()


@dataclasses.dataclass
class Verdict:
    accepted: int
    lost: dict  # task id: why
    doubled: dict  # task id: why


class History:
    """What clients saw of one task."""

    def __init__(self):
        self.payload, self.seen = None, set()
        self.statuses, self.digests = set(), set()

    def add(self, kind, *fields):
        self.seen.add(kind)
        if kind == "submitted":
            self.payload = fields[0]
        elif kind == "delivered":
            self.statuses.add(fields[0])
            if fields[1] is not None:
                self.digests.add(fields[1])

    def is_promised(self):
        return bool(self.seen & {"accepted", "cancelled", "delivered"})

    def why_lost(self, status):
        if "unknown" in self.seen or status is None:
            return "the dispatcher does not know it any more"
        if status not in TERMINAL:
            return f"not terminal: {status}"
        if not self.statuses:
            return f"{status}, but never delivered"
        if "Completed" in self.statuses and not self.digests:
            return "its data were gone before anyone had acknowledged them"
        if "Failed" in self.statuses:
            return "Failed, although being killed is no reason to fail"
        return None

    def why_doubled(self, status):
        if len(self.statuses) > 1 or len(self.digests) > 1:
            return f"delivered differently: {sorted(self.statuses)}, {sorted(self.digests)}"
        if "Completed" in self.statuses and self.digests - {self.payload}:
            return f"not the echo of its payload {self.payload}: {sorted(self.digests)}"
        if "cancelled" in self.seen and self.statuses - {"Aborted"}:
            return f"cancelled, then delivered as {sorted(self.statuses)}"
        if "Aborted" in self.statuses and "cancel" not in self.seen:
            return "Aborted, although nobody cancelled it"
        if status is not None and self.statuses - {status}:
            return f"delivered as {sorted(self.statuses)}, but its status is {status}"
        if "conflict" in self.seen:
            return "the same id with the same content was refused"
        return None


def why_not_terminal_once(log):
    """Of a task that has ended; its log as STATUS tells it."""
    ends = [entry["status"] for entry in log if entry["status"] in TERMINAL]
    if len(ends) > 1:
        return f"ended more than once: {ends}"
    if ends and log[-1]["status"] not in TERMINAL:
        return f"left its terminal state {ends[0]}: {log[-1]['status']}"
    return None


def read(path):
    """The history of each task in the log."""
    histories = {}
    with open(path) as lines:
        for line in lines:
            kind, task_id, *fields = json.loads(line)
            histories.setdefault(task_id, History()).add(kind, *fields)
    return histories


def promised(path):
    """The ids whose statuses judge() needs."""
    return [i for i, history in read(path).items() if history.is_promised()]


def judge(path, statuses):
    """`statuses`: task id to the name of its status; absent: the dispatcher does not know it."""
    verdict = Verdict(0, {}, {})
    for task_id, history in read(path).items():
        status = statuses.get(task_id)
        verdict.accepted += "accepted" in history.seen
        if history.is_promised() and (why := history.why_lost(status)):
            verdict.lost[task_id] = why
        if why := history.why_doubled(status):
            verdict.doubled[task_id] = why
    return verdict
