"""Clients that keep submitting, cancelling and fetching while processes die around them."""
import contextlib
import random
import time
import uuid

import zmq

import oracle
from harness import (ACCEPTED, CANCEL, CANCELLED, DELIVER, DELIVER_ACK, ERROR, LIMIT_S, STATS,
                     STATS_REPLY, STATUS_NAMES, SUBMIT, TASKS, WATCH, Peer, wait_for)

CLIENTS = 4
PROMISES = ("accepted", "cancelled", "delivered")
DRAIN_LIMIT_S = 120.0
WINDOW = 100  # open tasks of one client, at most
BATCH = 20    # tasks of one SUBMIT, at most
ASK_S, RETRY_S, SILENCE_S = 0.1, 0.5, 1.0
CANCEL_RATIO, WITHHOLD_RATIO = 0.05, 0.1
OK, UNKNOWN_TASK = 0, 300
TRY_LATER = {302, 303, 308}  # queue_full, draining, store_full


class LoadClient:
    """Never blocks: step() does what is due. It believes only acknowledgements, and logs them.

    A task is in `unaccepted` until a verdict ok was seen, and in `open` from its submission until
    its result was acknowledged. Some results are not acknowledged at first: they must come again,
    unchanged, also from a dispatcher that was killed in between.
    """

    def __init__(self, endpoint, log, rng):
        self.endpoint, self.log, self.rng = endpoint, log, rng
        self.is_submitting = True
        self.unaccepted = {}      # id: [when to submit it again, its entry of SUBMIT]
        self.open, self.withheld = set(), set()
        self.cancels = {}         # id: when to ask (again)
        self.watches = {}         # request: the ids asked for
        self.running = 0          # tasks that nodes had in hand, when last asked
        self.request = 0
        self.connect()

    def connect(self):
        self.peer = Peer(self.endpoint)
        self.peer.socket.sndtimeo = 0
        self.epoch = None
        self.heard_at = time.monotonic()
        self.asked_at = 0.0

    def close(self):
        self.peer.close()

    def is_idle(self):
        return not (self.unaccepted or self.open or self.cancels)

    def step(self):
        while message := self.peer.receive():
            self.heard_at = time.monotonic()
            self.handle(*message)
        self.peer.seen.clear()
        now = time.monotonic()
        if now - self.heard_at > SILENCE_S:
            self.close()
            self.connect()
        if now - self.asked_at > ASK_S:  # the answer also tells of a restart
            self.asked_at = now
            self.ask(STATS)
        self.submit_again(now)
        self.submit_new(now)
        self.cancel(now)

    def send(self, *fields):
        with contextlib.suppress(zmq.Again):  # lost, like what a dead process had received
            self.peer.send(*fields)

    def ask(self, kind, *fields):
        self.request += 1
        self.send(kind, self.request, *fields)

    def submit_new(self, now):
        count = min(WINDOW - len(self.open), self.rng.randint(1, BATCH))
        if count <= 0 or not self.is_submitting:
            return
        entries = []
        for _ in range(count):
            task_id = str(uuid.UUID(int=self.rng.getrandbits(128), version=4))
            payload = task_id.encode() + self.rng.randbytes(self.rng.randint(0, 3000))
            entries.append([task_id, {"max_attempts": 50, "label": "kill_rounds"}, payload])
            self.log.append("submitted", task_id, oracle.digest(payload))
            self.unaccepted[task_id] = [now + RETRY_S, entries[-1]]
            self.open.add(task_id)
        self.ask(SUBMIT, 1, entries)

    def submit_again(self, now):
        due = [waiting for waiting in self.unaccepted.values() if waiting[0] <= now]
        for waiting in due:
            waiting[0] = now + RETRY_S
        if due:
            self.ask(SUBMIT, 1, [entry for _, entry in due])

    def cancel(self, now):
        due = [task_id for task_id, at in self.cancels.items() if at <= now]
        for task_id in due:
            self.cancels[task_id] = now + RETRY_S
        if due:
            self.ask(CANCEL, due)

    def watch_again(self):
        ids = [i for i in self.open if i not in self.unaccepted]
        if ids:
            self.ask(WATCH, 1, ids)
            self.watches[self.request] = ids

    def handle(self, kind, *fields):
        if kind == DELIVER:
            self.on_deliver(fields[0])
        elif kind == ACCEPTED:
            self.on_accepted(fields[1])
        elif kind == CANCELLED:
            self.on_cancelled(fields[1])
        elif kind == TASKS:
            self.on_tasks(fields[0], {task["task_id"] for task in fields[1]})
        elif kind == STATS_REPLY:
            self.on_stats(fields[1])
        elif kind == ERROR:
            self.on_error(*fields)

    def on_error(self, request, code, detail):
        if code in TRY_LATER:  # it may have been the WATCH; all others are repeated by time
            self.epoch = None
        elif code != UNKNOWN_TASK:  # that one TASKS has told already
            raise AssertionError(f"an ERROR for a good request: {request} {code} {detail}")

    def on_stats(self, stats):
        self.running = stats["tasks"].get("Sent", 0)
        if stats["epoch"] != self.epoch:  # a restart or a new connection: our watches are gone
            self.epoch = stats["epoch"]
            self.watches.clear()
            self.watch_again()

    def on_accepted(self, verdicts):
        for task_id, code, *_ in verdicts:
            if task_id not in self.unaccepted or code in TRY_LATER:
                continue
            del self.unaccepted[task_id]
            if code != OK:
                self.log.append("conflict", task_id, code)
                continue
            self.log.append("accepted", task_id)
            if task_id in self.open and self.rng.random() < CANCEL_RATIO:
                self.log.append("cancel", task_id)
                self.cancels[task_id] = time.monotonic() + self.rng.random()

    def on_cancelled(self, verdicts):
        for task_id, code, _ in verdicts:
            if self.cancels.pop(task_id, None) is None:
                continue
            if code == OK:
                self.log.append("cancelled", task_id)
            elif code == UNKNOWN_TASK:
                self.log.append("unknown", task_id)

    def on_tasks(self, request, known):
        for task_id in self.watches.pop(request, []):
            if task_id not in known:
                self.log.append("unknown", task_id)
                self.open.discard(task_id)

    def on_deliver(self, entries):
        taken = []
        for task_id, status, _, info, data in entries:
            seen = None if info.get("result_gone") else oracle.digest(data)
            self.log.append("delivered", task_id, STATUS_NAMES[status], seen)
            if task_id not in self.withheld and self.rng.random() < WITHHOLD_RATIO:
                self.withheld.add(task_id)
                continue
            self.open.discard(task_id)
            taken.append(task_id)
        if taken:
            self.send(DELIVER_ACK, taken)


class Load:
    """All clients, stepped from one loop."""

    def __init__(self, fleet, log, rng):
        self.fleet, self.log = fleet, log
        self.clients = [LoadClient(fleet.clients_endpoint, log, random.Random(rng.random()))
                        for _ in range(CLIENTS)]

    def step(self):
        poller = zmq.Poller()
        for client in self.clients:
            poller.register(client.peer.socket, zmq.POLLIN)
        poller.poll(10)
        for client in self.clients:
            client.step()
        self.fleet.check()

    def go_on_for(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.step()

    def go_on_until(self, condition, what, limit_s=LIMIT_S):
        def holds():
            self.step()
            return condition()
        wait_for(holds, what, limit_s)

    def await_promise(self):
        """Until the next acknowledgement, or not much longer: while all is down there is none."""
        end, seen = time.monotonic() + 0.3, self.log.count(*PROMISES)
        while time.monotonic() < end and self.log.count(*PROMISES) == seen:
            self.step()

    def reconnect(self):
        """All clients at once, with new connections."""
        for client in self.clients:
            client.close()
            client.connect()

    def in_hand(self):
        """How many tasks nodes were executing a moment ago."""
        return max(client.running for client in self.clients)

    def forget_in_hand(self):
        for client in self.clients:
            client.running = 0

    def finish(self):
        """Submits nothing new, and waits until all that was submitted is delivered."""
        for client in self.clients:
            client.is_submitting = False
        self.go_on_until(self.is_idle, "all is delivered", DRAIN_LIMIT_S)

    def is_idle(self):
        return all(client.is_idle() for client in self.clients)

    def close(self):
        for client in self.clients:
            client.close()
