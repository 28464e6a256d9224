#!/usr/bin/python3
"""A client in Python, written from protocol/SPEC.md: submits prompts and waits for their results.

client.py [PROMPT ...]   (without prompts: one for each line of stdin). Needs python3-zmq, python3-msgpack.
With --out a result is acknowledged when it is on the disk; without it results stay with the dispatcher.
"""
import argparse
import pathlib
import sys
import time
import uuid

import msgpack
import zmq

from bundle import keep_result
from dealer import add_key_options, make_dealer

SUBMIT, ACCEPTED, WATCH, DELIVER, DELIVER_ACK, TASKS, PING, PONG, ERROR = 40, 41, 42, 44, 45, 49, 57, 58, 99
STATUS = ["Unscheduled", "Scheduled", "Sent", "Aborted", "Completed", "Failed"]
TRY_LATER = (302, 303, 308)  # queue_full, draining, store_full
REPEAT_S, PING_S, DEAD_S, FIRST_WAIT_S, LONGEST_WAIT_S, BATCH, COMPLETED = 5.0, 5.0, 10.0, 1.0, 30.0, 500, 4


class Client:
    def __init__(self, endpoint, key_file=None, server_key=None):
        self.endpoint, self.keys = endpoint, (key_file, server_key)
        self.request, self.epoch = 0, None
        self.open, self.kept = {}, set()  # id -> [spec, payload, accepted]; ids whose results the caller has safe
        self.submits = {}  # request -> (ids, when to send again)
        self.watches = {}  # request -> ids
        self.wait_s, self.resume_at = FIRST_WAIT_S, 0.0  # while the dispatcher is full
        self.connect()

    def connect(self):
        self.socket = make_dealer(self.endpoint, *self.keys)
        self.heard_at, self.pinged_at = time.monotonic(), 0.0

    def send(self, kind, *fields):
        frame = msgpack.packb([1, kind, *fields], use_bin_type=True)
        while True:
            try:
                return self.socket.send(frame, zmq.DONTWAIT)
            except zmq.Again:  # not connected yet
                if not self.socket.poll(50, zmq.POLLOUT) and time.monotonic() - self.heard_at > DEAD_S:
                    return None  # it is said again on the next connection

    def ask(self, kind, *fields):
        self.request += 1
        self.send(kind, self.request, *fields)
        return self.request

    def submit(self, spec, payload):
        task_id = str(uuid.uuid4())
        self.open[task_id] = [spec, payload, False]
        return task_id

    def send_unaccepted(self):
        if time.monotonic() < self.resume_at:
            return
        waiting = {i for ids, _ in self.submits.values() for i in ids}
        ids = [i for i, task in self.open.items() if not task[2] and i not in waiting]
        for start in range(0, len(ids), BATCH):
            batch = ids[start:start + BATCH]
            request = self.ask(SUBMIT, 1, [[i, *self.open[i][:2]] for i in batch])
            self.submits[request] = (batch, time.monotonic() + REPEAT_S)

    def watch_again(self):
        ids = [i for i, task in self.open.items() if task[2]]
        for start in range(0, len(ids), BATCH):
            batch = ids[start:start + BATCH]
            self.watches[self.ask(WATCH, 1, batch)] = batch

    def on_time(self, now):
        if now - self.heard_at > DEAD_S:
            self.socket.close()
            self.connect()
            self.submits.clear()
            self.watch_again()
        elif now - self.pinged_at > PING_S:  # silent or not: only PONG tells of a restart
            self.pinged_at = now
            self.ask(PING)
        self.submits = {r: batch for r, batch in self.submits.items() if now <= batch[1]}  # the others are sent again
        self.send_unaccepted()

    def results(self):
        """Yields (id, status, info, data) until every submitted task has ended."""
        while self.open:
            self.on_time(time.monotonic())
            if not self.socket.poll(100):
                continue
            self.heard_at = time.monotonic()
            _, kind, *fields = msgpack.unpackb(self.socket.recv(), raw=False)
            if kind == ACCEPTED:
                self.submits.pop(fields[0], None)
                for task_id, code, *more in fields[1]:  # a later release may send more, or no detail
                    if code in TRY_LATER:
                        if self.heard_at >= self.resume_at:  # once for all that were refused together
                            self.resume_at, self.wait_s = self.heard_at + self.wait_s, min(2 * self.wait_s, LONGEST_WAIT_S)
                    elif code and task_id in self.open:
                        yield task_id, "refused", {"error": f"{code} {''.join(more[:1])}"}, b""
                        del self.open[task_id]
                    elif task_id in self.open:
                        self.open[task_id][2], self.wait_s = True, FIRST_WAIT_S
            elif kind == DELIVER:
                for task_id, status, _, info, data, *_ in fields[0]:
                    if self.open.pop(task_id, None):
                        yield task_id, "Gone" if info.get("result_gone") else STATUS[status], info, data
                if left := [i for i, status, *_ in fields[0] if status == COMPLETED and i not in self.kept]:
                    self.ask(WATCH, 0, left)  # not DELIVER_ACK: they stay with the dispatcher
                if done := [i for i, status, *_ in fields[0] if status != COMPLETED or i in self.kept]:
                    self.send(DELIVER_ACK, done)
            elif kind == PONG:
                if self.epoch not in (None, fields[1]) or fields[2] < sum(t[2] for t in self.open.values()):
                    self.watch_again()  # the dispatcher was restarted, or ZeroMQ connected anew
                self.epoch = fields[1]
            elif kind == TASKS:
                known = {task["task_id"] for task in fields[1]}
                for task_id in self.watches.pop(fields[0], []):
                    if task_id in self.open and task_id not in known:
                        self.open[task_id][2] = False  # forgotten: submitted again
            elif kind == ERROR and fields[0] in self.submits:
                for task_id in self.submits.pop(fields[0])[0]:
                    del self.open[task_id]
                    yield task_id, "refused", {"error": f"{fields[1]} {''.join(fields[2:3])}"}, b""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dispatcher", default="tcp://127.0.0.1:7710")
    add_key_options(parser)
    parser.add_argument("--model")
    parser.add_argument("--out", type=pathlib.Path, help="write each result to OUT/<id>, several files to OUT/<id>/")
    parser.add_argument("prompts", nargs="*")
    options = parser.parse_args()
    client, failed = Client(options.dispatcher, options.key_file, options.server_key), 0
    for prompt in options.prompts or (line.rstrip("\n") for line in sys.stdin):
        client.submit({"model": options.model} if options.model else {}, prompt.encode())
    for task_id, status, info, data in client.results():
        failed += status != "Completed"
        if options.out and status == "Completed":
            keep_result(options.out, task_id, info, data)  # or ends here, and the result stays with the dispatcher
            client.kept.add(task_id)
        print(task_id, status, info.get("error") or data[:200].decode(errors="replace"), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
