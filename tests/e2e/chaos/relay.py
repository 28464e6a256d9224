#!/usr/bin/python3
"""A switch between network interfaces that can also lose, delay and reorder what it forwards.

Arguments: seed and interfaces. The last byte of a MAC address is the number of its port, from 0 on.
It ends with its input, which has a JSON line for each change, and writes a byte when it is ready and
when it has made a change:
`{"port": 2, "out": {...}, "in": {...}}`; out: what happens to what the port sends, in: to what is sent
to it; fields: those of Impairment, or null for nothing.
"""
import heapq
import itertools
import json
import os
import random
import select
import socket
import sys
import time

from impairment import Impairment

ETH_P_ALL, ETH_P_IP = 3, 0x0800
SOL_PACKET, PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING = 263, 15, 23
VNET_HEADER = 10  # in front of the frame: what the sender left to its card (checksum, segments)
FRAME = 1 << 17
RECEIVE_BUFFER = 16 << 20


def open_port(interface):
    port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    port.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    port.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    port.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    port.bind((interface, 0))
    port.setblocking(False)
    return port


def tell():
    os.write(sys.stdout.fileno(), b".")


class Relay:
    def __init__(self, seed, interfaces):
        self.rng = random.Random(seed)
        self.ports = [open_port(interface) for interface in interfaces]
        self.rules = [{"out": Impairment(), "in": Impairment()} for _ in interfaces]
        self.waiting, self.numbers = [], itertools.count()  # heap of [due, number, port, frame]

    def run(self):
        tell()
        poller = select.poll()
        sources = {port.fileno(): (self.forward, number) for number, port in enumerate(self.ports)}
        for fd in (sys.stdin.fileno(), *sources):
            poller.register(fd, select.POLLIN)
        while True:
            wait_s = self.waiting[0][0] - time.monotonic() if self.waiting else 60.0
            for fd, _ in poller.poll(max(0.0, wait_s * 1000)):
                if fd in sources:
                    handle, number = sources[fd]
                    handle(number)
                elif not self.read_rule():
                    return
            self.send_due()

    def read_rule(self):
        line = sys.stdin.buffer.raw.readline()
        if not line:
            return False
        change = json.loads(line)
        for direction in ("out", "in"):
            self.rules[change["port"]][direction] = Impairment(**(change[direction] or {}))
        tell()
        return True

    def forward(self, source):
        for _ in range(64):
            try:
                frame = self.ports[source].recv(FRAME)
            except BlockingIOError:
                return
            ethernet = frame[VNET_HEADER:VNET_HEADER + 14]
            target = ethernet[5]
            if int.from_bytes(ethernet[12:], "big") != ETH_P_IP or target >= len(self.ports):
                continue
            due = time.monotonic()
            for rule in (self.rules[source]["out"], self.rules[target]["in"]):
                due = due if due is None else rule.due(due, self.rng)
            if due is not None:
                heapq.heappush(self.waiting, [due, next(self.numbers), target, frame])

    def send_due(self):
        while self.waiting and self.waiting[0][0] <= time.monotonic():
            _, _, target, frame = heapq.heappop(self.waiting)
            try:
                self.ports[target].send(frame)
            except OSError:  # as on any wire: the sender's protocol repeats it
                pass


if __name__ == "__main__":
    Relay(sys.argv[1], sys.argv[2:]).run()
