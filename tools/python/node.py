#!/usr/bin/python3
"""A client node in Python, written from protocol/SPEC.md: it answers each task with its text in capitals.

Replace work() by what your GPU does. Needs python3-zmq and python3-msgpack."""
import argparse
import concurrent.futures
import contextlib
import os
import queue
import signal
import threading
import time

import msgpack
import zmq

from dealer import add_key_options, make_dealer

HELLO, WELCOME, HEARTBEAT, LEAVE, BYE, GOODBYE = 1, 2, 3, 5, 6, 7
ASSIGN, ASSIGN_ACK, RESULT, RESULT_ACK, ABORT, ABORT_ACK, ERROR = 10, 11, 13, 14, 15, 16, 99
UNKNOWN_SESSION, SESSION_REPLACED, SUPERSEDED = 200, 201, 203
NODE_FULL, NODE_LEAVING, MODEL_MISSING = 400, 401, 402
OK, ERROR_RESULT, RETURNED, RESEND_S, MAX_QUEUED = 0, 1, 2, 5.0, 64


def work(spec, payload, aborted, options):
    """Runs on a thread; returns the result's bytes or raises. `aborted` is an Event."""
    aborted.wait(options.delay_ms / 1000)  # what an aborted task returns does not matter
    return payload if options.echo else payload.decode().upper().encode()


class Node:
    def __init__(self, options):
        self.options = options
        self.session = os.urandom(16)  # one per process; survives reconnects
        self.meta = {"slots": options.slots, "models": options.model, "ncpu": os.cpu_count()}
        self.pool = concurrent.futures.ThreadPoolExecutor(options.slots)
        self.finished = queue.SimpleQueue()  # (ref, RESULT entry) from the workers to the loop
        self.held = {}  # ref -> [abort event, future, RESULT entry or None, when to send it again]
        self.heartbeat_s, self.lost_s, self.seq = 1.0, 5.0, 0
        self.leaving = self.left = False
        self.connect()

    def connect(self):
        self.socket = make_dealer(self.options.broker, self.options.key_file, self.options.server_key)
        self.joined, self.heard_at, self.beat_at = False, time.monotonic(), 0.0

    def send(self, *fields):
        with contextlib.suppress(zmq.Again):  # not connected: everything that matters is repeated
            self.socket.send(msgpack.packb([1, *fields], use_bin_type=True), zmq.DONTWAIT)

    def run(self):
        while not self.left:
            self.on_time(time.monotonic())
            if self.socket.poll(20):
                self.heard_at = time.monotonic()
                self.on_message(*msgpack.unpackb(self.socket.recv(), raw=False)[1:])
            while not self.finished.empty():
                ref, result = self.finished.get()
                if ref in self.held:  # else it was aborted meanwhile
                    self.held[ref][2] = result

    def on_time(self, now):
        if now - self.heard_at > self.lost_s:
            self.socket.close()
            self.connect()
        if now >= self.beat_at:
            self.beat_at = now + self.heartbeat_s
            if self.joined:
                self.seq += 1
                self.send(HEARTBEAT, self.seq, list(self.held), [])
            else:
                self.send(HELLO, self.options.node_id, self.session, self.meta, list(self.held))
        for entry in self.held.values():
            if self.joined and entry[2] and now >= entry[3]:
                entry[3] = now + RESEND_S
                self.send(RESULT, [entry[2]])
        if self.leaving and not self.held:
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
            for ref, spec, payload in fields[0]:
                self.on_assign(tuple(ref), spec, payload)
        elif kind in (RESULT_ACK, ABORT):
            for ref, _ in fields[0]:
                self.on_abort(tuple(ref)) if kind == ABORT else self.held.pop(tuple(ref), None)
        elif kind == ERROR and fields[1] == UNKNOWN_SESSION:
            self.joined, self.beat_at = False, 0.0  # HELLO at once
        elif kind == ERROR and fields[1] == SESSION_REPLACED:
            raise SystemExit(f"another process serves as {self.options.node_id}")

    def on_assign(self, ref, spec, payload):
        others = [r for r in self.held if r[0] == ref[0] and r != ref]
        newer = any((r[2], r[1]) > (ref[2], ref[1]) for r in others)  # by epoch, then by attempt
        for older in [] if newer else others:
            self.held.pop(older)[0].set()
        refusals = [(SUPERSEDED, newer), (NODE_LEAVING, self.leaving),
                    (MODEL_MISSING, spec.get("model", "") not in ("", *self.options.model)),
                    (NODE_FULL, len(self.held) >= self.options.slots + MAX_QUEUED)]
        code = OK if ref in self.held else next((c for c, applies in refusals if applies), OK)
        if code == OK and ref not in self.held:
            aborted = threading.Event()
            self.held[ref] = [aborted, self.pool.submit(self.execute, ref, spec, payload, aborted), None, 0.0]
        self.send(ASSIGN_ACK, [[ref, code, ""]])

    def execute(self, ref, spec, payload, aborted):
        started = time.monotonic()
        try:
            outcome, info, data = OK, {}, work(spec, payload, aborted, self.options)
        except Exception as error:
            outcome, info, data = ERROR_RESULT, {"error": str(error)[:1000]}, b""
        info["run_ms"] = int((time.monotonic() - started) * 1000)
        self.finished.put((ref, [ref, outcome, info, data]))

    def on_abort(self, ref):
        outcome = 1 if ref not in self.held else 2 if self.held[ref][2] else 0
        if outcome == 0:
            self.held.pop(ref)[0].set()
        self.send(ABORT_ACK, [[ref, outcome]])

    def leave(self, *_):
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
    signal.signal(signal.SIGTERM, node.leave)
    node.run()
