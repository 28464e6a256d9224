"""What losses cost: how long tasks waited for another node, and what nodes worked for nothing.

Two sources that know nothing of each other: the tasks with their logs as STATUS tells them, and the
nodes' own logs of what they executed.
"""
import collections
import dataclasses
import datetime


def failovers_s(tasks, cuts):
    """Seconds from the moment a node was killed or cut off until another had taken its task.

    cuts: (wall ms, node). A task counts once for each attempt it lost after a cut of its node.
    """
    cut_ms = collections.defaultdict(list)
    for at_ms, node in cuts:
        cut_ms[node].append(at_ms)
    return [sample for task in tasks for sample in _failovers_of(task["log"], cut_ms)]


def _failovers_of(log, cut_ms):
    holder, lost_ms = None, None
    for entry in log:
        if entry["status"] == "Sent":
            if lost_ms is not None and entry["attempt"] != holder[1]:
                yield (entry["at_ms"] - lost_ms) / 1000
            holder, lost_ms, held_ms = (entry["node_id"], entry["attempt"]), None, entry["at_ms"]
        elif entry["status"] == "Unscheduled" and holder and lost_ms is None:
            cuts = [at for at in cut_ms[holder[0]] if held_ms <= at <= entry["at_ms"]]
            lost_ms = max(cuts, default=None)


@dataclasses.dataclass
class Seconds:
    """Provider seconds, by what became of them."""
    useful: float = 0.0     # the result counted
    salvaged: float = 0.0   # the same, although the task had been taken from the attempt
    discarded: float = 0.0  # finished, but another result counted
    aborted: float = 0.0    # told to stop, because the task was elsewhere
    died: float = 0.0       # ended with the process
    cancelled: float = 0.0  # the client wanted it no more

    @property
    def wasted(self):
        return self.discarded + self.aborted + self.died

    def add(self, other):
        for field in dataclasses.fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))


def provider_seconds(tasks, histories):
    """tasks: by id; histories: (node, entries of a node process' log, wall ms of its end)."""
    seconds = Seconds()
    for node, entries, ended_ms in histories:
        for task_id, attempt, run_s, how in runs(entries, ended_ms):
            kind = fate(tasks.get(task_id), node, attempt, how)
            setattr(seconds, kind, getattr(seconds, kind) + run_s)
    return seconds


def runs(entries, ended_ms):
    """(task id, attempt, seconds, "finished", "aborted" or "died") of what a process executed."""
    open_runs = {}
    for entry in entries:
        key = entry.get("task_id"), entry.get("attempt")
        if entry["msg"] == "task started":
            open_runs[key] = wall_ms_of(entry)
        elif entry["msg"] in ("task finished", "task aborted") and key in open_runs:
            del open_runs[key]
            yield *key, entry["run_ms"] / 1000, entry["msg"].removeprefix("task ")
    for key, started_ms in open_runs.items():
        yield *key, max(0.0, ended_ms - started_ms) / 1000, "died"


def wall_ms_of(entry):
    return datetime.datetime.fromisoformat(entry["ts"]).timestamp() * 1000


def fate(task, node, attempt, how):
    """The field of Seconds that a run counts for."""
    if task and task["status"] == "Aborted":
        return "cancelled"
    if how == "finished":
        log = task["log"] if task else []
        if not log or (log[-1]["status"], log[-1].get("node_id"), log[-1].get("attempt")) != (
                "Completed", node, attempt):
            return "discarded"
        taken = any(e["status"] == "Unscheduled" and e.get("attempt") == attempt for e in log)
        return "salvaged" if taken else "useful"
    return how


def percentile(values, share):
    """The smallest value that at least `share` of them do not exceed; None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * share // 100) - 1)]
