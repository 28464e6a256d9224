#!/usr/bin/python3
"""A client node in Python, written from protocol/SPEC.md: it answers each task with its text in capitals.
Replace work() by what your GPU does. Needs python3-zmq and python3-msgpack."""
import argparse
import concurrent.futures
import contextlib
import os
import signal
import threading
import time
import warnings

import msgpack
import zmq

from bundle import pack
from dealer import add_key_options, make_dealer

HELLO, WELCOME, HEARTBEAT, LEAVE, BYE, GOODBYE = 1, 2, 3, 5, 6, 7
ASSIGN, ASSIGN_ACK, RESULT, RESULT_ACK, ABORT, ABORT_ACK, ERROR = 10, 11, 13, 14, 15, 16, 99
UNKNOWN_SESSION, SESSION_REPLACED, SUPERSEDED, NODE_ID_IN_USE = 200, 201, 203, 206
NODE_FULL, NODE_LEAVING, MODEL_MISSING, TAKEN_BACK = 400, 401, 402, 512
OK, ERROR_RESULT, RETURNED, RESEND_S, DRAIN_S, MAX_QUEUED = 0, 1, 2, 5.0, 30.0, 64


def work(spec, payload, aborted, options):
    """Runs on a thread; returns bytes or a list of files (see bundle.pack), or raises. `aborted` is an Event."""
    aborted.wait(options.delay_ms / 1000)  # what an aborted task returns does not matter
    return payload if options.echo else payload.decode().upper().encode()


class Node:
    def __init__(self, options):
        self.options = options
        self.session = os.urandom(16)  # one per process; survives reconnects
        self.meta = {"slots": options.slots, "models": options.model, "ncpu": os.cpu_count()}
        self.pool = concurrent.futures.ThreadPoolExecutor(options.slots)
        self.held = {}  # ref -> [abort event, future, RESULT entry or None, when to send it again]
        self.heartbeat_s, self.lost_s, self.seq, self.give_up_at = 1.0, 5.0, 0, 0.0
        self.leaving = self.left = self.told_to_stop = False
        self.connect()

    def connect(self):
        self.socket = make_dealer(self.options.broker, self.options.key_file, self.options.server_key)
        self.joined, self.heard_at, self.beat_at = False, time.monotonic(), 0.0

    def send(self, *fields):
        with contextlib.suppress(zmq.Again):  # not connected: everything that matters is repeated
            self.socket.send(msgpack.packb([1, *fields], use_bin_type=True), zmq.DONTWAIT)

    def run(self):
        while not self.left:
            self.on_time(time.monotonic(), self.told_to_stop and not self.leaving)
            if self.socket.poll(20):
                self.heard_at = time.monotonic()
                self.on_message(*msgpack.unpackb(self.socket.recv(), raw=False)[1:])
        for entry in self.held.values():
            entry[0].set()  # nobody wants what still runs

    def on_time(self, now, must_leave):
        must_leave and self.leave()
        if now - self.heard_at > self.lost_s:
            self.socket.close()
            self.connect()
        if now >= self.beat_at:
            self.beat_at = now + self.heartbeat_s
            self.seq += self.joined
            beat = [HEARTBEAT, self.seq, list(self.held), []]
            hello = [HELLO, self.options.node_id, self.session, self.meta, list(self.held)]
            self.send(*(beat if self.joined else hello))
        for entry in self.held.values():
            if self.joined and entry[2] and now >= entry[3]:
                entry[3] = now + RESEND_S
                self.send(RESULT, [entry[2]])
        if not self.leaving or any(entry[2] is None for entry in self.held.values()):
            self.give_up_at = now + DRAIN_S  # later than the end of what runs
        elif not self.held or now > self.give_up_at:
            self.send(BYE, "done")
            self.socket.poll(2000 if self.joined else 0)  # GOODBYE, or long enough without it
            self.left = True

    def on_message(self, kind, *fields):
        if kind == WELCOME:
            self.joined, self.heartbeat_s, self.lost_s = True, fields[1] / 1000, fields[3] / 1000
            for entry in self.held.values():
                entry[3] = 0.0  # all results again
            if self.leaving:
                self.send(LEAVE, "told to stop")
        elif kind == ASSIGN:
            for ref, spec, payload, *_ in fields[0]:  # a later release may send more than is known here
                self.on_assign(tuple(ref[:3]), spec, payload)
        elif kind in (RESULT_ACK, ABORT):
            for ref, code, *_ in fields[0]:
                self.on_abort(tuple(ref[:3]), code) if kind == ABORT else self.held.pop(tuple(ref[:3]), None)
        elif kind == ERROR and fields[1] == UNKNOWN_SESSION:
            self.joined, self.beat_at = False, 0.0  # HELLO at once
        elif kind == ERROR and fields[1] in (SESSION_REPLACED, NODE_ID_IN_USE):
            warnings.warn("".join(fields[2:3]))  # once. HELLO goes on: it gets in when the other has left
            self.left = fields[1] == SESSION_REPLACED or (self.leaving and not self.joined)

    def on_assign(self, ref, spec, payload):
        other = next((r for r in self.held if r[0] == ref[0]), ref)  # one attempt of a task at most
        newer = (other[2], other[1]) > (ref[2], ref[1])  # by epoch, then by attempt
        if not newer and other != ref:
            self.held.pop(other)[0].set()
        refusals = [(SUPERSEDED, newer), (NODE_LEAVING, self.leaving),
                    (MODEL_MISSING, spec.get("model", "") not in ("", *self.options.model)),
                    (NODE_FULL, sum(not entry[2] for entry in self.held.values()) >= self.options.slots + MAX_QUEUED)]
        code = OK if ref in self.held else next((c for c, applies in refusals if applies), OK)
        if code == OK and ref not in self.held:
            self.held[ref] = entry = [threading.Event(), None, None, 0.0]
            entry[1] = self.pool.submit(self.execute, entry, ref, spec, payload)
        self.send(ASSIGN_ACK, [[ref, code, ""]])

    def execute(self, entry, ref, spec, payload):
        started = time.monotonic()
        try:
            outcome, (info, data) = OK, pack(work(spec, payload, entry[0], self.options))
        except Exception as error:
            outcome, info, data = ERROR_RESULT, {"error": str(error)[:1000]}, b""
        info["run_ms"] = int((time.monotonic() - started) * 1000)
        entry[2] = [ref, outcome, info, data]

    def on_abort(self, ref, code):
        goes_on = (entry := self.held.get(ref)) and code == TAKEN_BACK and not entry[1].cancel()
        if not (outcome := 1 if not entry else 2 if entry[2] else 3 if goes_on else 0):
            self.held.pop(ref)[0].set()
        self.send(ABORT_ACK, [[ref, outcome]])

    def leave(self):
        self.leaving = True
        self.send(LEAVE, "told to stop")
        for ref, entry in self.held.items():
            if entry[1].cancel():  # not started: somebody else may have it at once
                entry[2] = [ref, RETURNED, {}, b""]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--broker", default="tcp://127.0.0.1:7700")
    add_key_options(parser)
    parser.add_argument("--node-id", default=f"python-{os.urandom(6).hex()}")
    parser.add_argument("--slots", type=int, default=1)
    parser.add_argument("--model", action="append", default=[])
    parser.add_argument("--echo", action="store_true", help="give the payload back as it is")
    parser.add_argument("--delay-ms", type=int, default=0)
    node = Node(parser.parse_args())
    signal.signal(signal.SIGTERM, lambda *_: setattr(node, "told_to_stop", True))
    node.run()
