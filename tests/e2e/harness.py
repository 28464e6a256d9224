"""Real processes for the end-to-end tests, and peers of the protocol played by the test.

Everything runs on ipc sockets (or a free loopback port) in a folder of its own. Nothing is awaited
by sleeping: wait_for polls a condition until it holds or a generous limit has passed.
"""
import contextlib
import functools
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import uuid

import msgpack
import zmq

BIN = pathlib.Path(os.environ["GENAI_BIN"])
ROOT = pathlib.Path(__file__).resolve().parents[2]
LIMIT_S = 60.0

HEARTBEAT_MS, SUSPECT_MS, LOST_MS = 200, 600, 1200

HELLO, WELCOME, HEARTBEAT, HEARTBEAT_REPLY, LEAVE, BYE, GOODBYE = 1, 2, 3, 4, 5, 6, 7
ASSIGN, ASSIGN_ACK, PROGRESS, RESULT, RESULT_ACK, ABORT, ABORT_ACK, KEEP = range(10, 18)
LINK_HELLO, SNAPSHOT, DELTA = 20, 21, 22
SUBMIT, ACCEPTED, WATCH, UPDATE, DELIVER, DELIVER_ACK, CANCEL, CANCELLED = range(40, 48)
STATUS, TASKS, LIST, NODES, NODE_LIST, STATS, STATS_REPLY, DRAIN, DONE, PING, PONG = range(48, 59)
REPLAY, PURGE, PURGED = range(59, 62)
FETCH, FETCHED, DELETE, DELETED = range(64, 68)
ERROR = 99
STATUS_NAMES = ["Unscheduled", "Scheduled", "Sent", "Aborted", "Completed", "Failed"]


def wait_for(condition, what, limit_s=LIMIT_S):
    """The first true value of condition(); fails the test after limit_s."""
    end = time.monotonic() + limit_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {limit_s} s: {what}")
        time.sleep(0.01)


def pack(*fields):
    return msgpack.packb([1, *fields], use_bin_type=True)


def unpack(frame):
    return msgpack.unpackb(frame, raw=False, strict_map_key=False)[1:]


@functools.cache
def insecure(program):
    """The option that lets it talk in the clear beyond loopback, if it has one."""
    told = subprocess.run([BIN / program, "--help"], capture_output=True, check=True).stdout
    return ["--insecure"] if b"--insecure" in told else []


class Process:
    """A daemon started by the test; its log goes to a file that is shown when a test fails."""

    def __init__(self, folder, name, *arguments):
        self.name, self.log_path = name, folder / f"{name}-{uuid.uuid4().hex[:4]}.log"
        self.log = open(self.log_path, "wb")
        self.process = subprocess.Popen([str(a) for a in arguments], stderr=self.log,
                                        stdout=self.log, stdin=subprocess.DEVNULL)
        self.pid = self.process.pid

    def send(self, signo):
        self.process.send_signal(signo)

    def kill(self):
        self.send(signal.SIGKILL)
        self.process.wait(LIMIT_S)

    def wait(self, limit_s=LIMIT_S):
        return self.process.wait(limit_s)

    def is_alive(self):
        return self.process.poll() is None

    def entries(self):
        lines = self.log_path.read_text(errors="replace").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def logged(self, text):
        return [e for e in self.entries() if e.get("msg") == text]

    def await_logged(self, text):
        """Lines are written by a thread of their own, so what they tell of may be seen before they are."""
        return wait_for(lambda: self.logged(text), f"the line '{text}' of {self.name}")

    def close(self):
        if self.is_alive():
            with contextlib.suppress(ProcessLookupError):
                self.send(signal.SIGCONT)
                self.send(signal.SIGKILL)
            self.process.wait(LIMIT_S)
        self.log.close()


def memory_mib(process, what="VmRSS"):
    """What it holds now; VmHWM: the most that it ever held."""
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(status.split(f"{what}:")[1].split()[0]) >> 10


@contextlib.contextmanager
def costs_at_most(mib, *processes):
    """Of memory, above what each of them holds now. The log of the test tells how much."""
    for process in processes:
        pathlib.Path(f"/proc/{process.pid}/clear_refs").write_text("5")  # the peak begins anew
    before = [memory_mib(process, "VmHWM") for process in processes]
    yield
    for process, peak in zip(processes, before):
        cost = memory_mib(process, "VmHWM") - peak
        print(f"{process.name}: {cost} of {mib} MiB", file=sys.stderr)
        if cost > mib and not os.environ.get("GENAI_SANITIZED"):  # they take a multiple
            raise AssertionError(f"{process.name} took {cost} MiB, more than {mib}")


class Peer:
    """A DEALER that speaks whole messages."""

    def __init__(self, endpoint):
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.connect(endpoint)
        self.seen = []

    def send(self, *fields):
        self.socket.send(pack(*fields))

    def send_raw(self, *frames):
        self.socket.send_multipart(list(frames))

    def receive(self, limit_s=0.0):
        """The next message as [type, fields...], or None."""
        if not self.socket.poll(int(limit_s * 1000)):
            return None
        message = unpack(self.socket.recv())
        self.seen.append(message)
        return message

    def expect(self, kind, limit_s=LIMIT_S):
        """The next message of that type; others are skipped (they stay in `seen`)."""
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            message = self.receive(0.05)
            if message and message[0] == kind:
                return message
        raise AssertionError(f"no message of type {kind}; seen: {self.seen[-8:]}")

    def close(self):
        self.socket.close()


class Client(Peer):
    """A client of the dispatcher that acknowledges what is delivered."""

    def __init__(self, endpoint):
        super().__init__(endpoint)
        self.results, self.deliveries, self.request = {}, [], 0

    def ask(self, kind, reply, *fields):
        self.request += 1
        request = self.request
        self.send(kind, request, *fields)
        end = time.monotonic() + LIMIT_S
        while time.monotonic() < end:
            message = self.receive(0.05)
            if message and message[0] in (reply, ERROR) and message[1] == request:
                return message
        raise AssertionError(f"no answer to request type {kind}; seen: {self.seen[-8:]}")

    def receive(self, limit_s=0.0):
        message = super().receive(limit_s)
        if message and message[0] == DELIVER:
            for task_id, status, code, info, data in message[1]:
                self.deliveries.append(task_id)
                entry = {"status": STATUS_NAMES[status], "code": code, "info": info, "data": data}
                before = self.results.setdefault(task_id, entry)
                same = before["data"] == data or info.get("result_gone")
                assert same, f"two different results of {task_id}"
            self.send(DELIVER_ACK, [entry[0] for entry in message[1]])
        return message

    def submit(self, count=1, payload=b"prompt", watch=1, **spec):
        """Submits `count` tasks and returns their ids; each must be accepted."""
        ids = [str(uuid.uuid4()) for _ in range(count)]
        for start in range(0, count, 1000):
            batch = ids[start:start + 1000]
            answer = self.ask(SUBMIT, ACCEPTED, watch, [[i, spec, payload] for i in batch])
            assert [v[1] for v in answer[2]] == [0] * len(batch), answer
        return ids

    def pump(self):
        while self.receive():
            pass

    def wait(self, ids, limit_s=LIMIT_S):
        def done():
            self.pump()
            return all(i in self.results for i in ids)
        wait_for(done, f"results of {len(ids)} tasks", limit_s)
        return [self.results[i] for i in ids]

    def status(self, task_id):
        tasks = self.ask(STATUS, TASKS, [task_id])[2]
        return tasks[0] if tasks else None

    def wait_status(self, task_id, *wanted):
        wait_for(lambda: self.status(task_id)["status"] in wanted, f"{task_id} {wanted}")
        return self.status(task_id)

    def nodes(self):
        return {n["node_id"]: n for n in self.ask(NODES, NODE_LIST, False)[2]}

    def stats(self):
        return self.ask(STATS, STATS_REPLY)[2]

    def cancel(self, task_id):
        return self.ask(CANCEL, CANCELLED, [task_id])[2][0]


class ScriptedNode(Peer):
    """A node of which the test decides each move. Only heartbeats go out by themselves (pump)."""

    def __init__(self, endpoint, node_id, slots=1, session=None, models=()):
        super().__init__(endpoint)
        self.node_id, self.slots, self.models = node_id, slots, list(models)
        self.session = session or uuid.uuid4().bytes
        self.held, self.assigned, self.aborted, self.acked = [], [], [], []
        self.seq, self.beat_at = 0, 0.0

    def hello(self):
        meta = {"slots": self.slots, "models": self.models, "ncpu": 4, "ram_mib": 1000}
        self.send(HELLO, self.node_id, self.session, meta, self.held)
        end = time.monotonic() + LIMIT_S
        while time.monotonic() < end:
            message = self.receive(0.2)
            if message and message[0] == WELCOME:
                return self
            if not message:
                self.send(HELLO, self.node_id, self.session, meta, self.held)
        raise AssertionError("no WELCOME")

    def pump(self):
        if time.monotonic() >= self.beat_at:
            self.beat_at = time.monotonic() + HEARTBEAT_MS / 1000
            self.seq += 1
            self.send(HEARTBEAT, self.seq, self.held, [])
        while self.receive():
            pass

    def receive(self, limit_s=0.0):
        message = super().receive(limit_s)
        if message and message[0] == ASSIGN:
            self.assigned += [entry[0] for entry in message[1]]
        elif message and message[0] == ABORT:
            self.aborted += [entry[0] for entry in message[1]]
        elif message and message[0] == RESULT_ACK:
            self.acked += message[1]
        return message

    def wait_assigned(self):
        def got():
            self.pump()
            return self.assigned
        wait_for(got, "an assignment")
        return self.assigned.pop(0)

    def take(self):
        """Waits for an assignment and acknowledges it; returns its ref."""
        ref = self.wait_assigned()
        self.held.append(ref)
        self.send(ASSIGN_ACK, [[ref, 0, ""]])
        return ref

    def finish(self, ref, data=b"picture"):
        self.send(RESULT, [[ref, 0, {}, data]])

    def reconnect(self, endpoint):
        """A fresh connection of the same process, as after a network failure."""
        self.close()
        super().__init__(endpoint)
        return self.hello()


class Forwarder:
    """A TCP relay that the test can cut and mend: a network between two processes."""

    def __init__(self, target_port):
        self.target, self.open, self.pairs = target_port, True, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            if not self.open:
                near.close()
                continue
            try:
                far = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                near.close()
                continue
            self.pairs.append((near, far))
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._copy, args=(source, sink), daemon=True).start()

    @staticmethod
    def _copy(source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def cut(self):
        self.open = False
        for pair in self.pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()
        self.pairs.clear()

    def mend(self):
        self.open = True

    def close(self):
        self.listener.close()
        self.cut()


def free_port():
    """A TCP port on loopback that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


class FleetTest(unittest.TestCase):
    """A broker and a dispatcher; nodes and clients are added by the tests."""

    dispatcher_options = ()
    nodes_tcp = clients_tcp = False

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="genai-e2e-"))
        self.nodes_endpoint = f"ipc://{self.folder}/nodes"
        self.link_endpoint = f"ipc://{self.folder}/link"
        self.clients_endpoint = f"ipc://{self.folder}/clients"
        self.closers, self.processes = [], []
        if self.nodes_tcp:
            self.nodes_port = free_port()
            self.nodes_endpoint = f"tcp://127.0.0.1:{self.nodes_port}"
        if self.clients_tcp:
            self.clients_endpoint = f"tcp://127.0.0.1:{free_port()}"
        self.broker = self.start_broker()
        self.dispatcher = self.start_dispatcher()
        self.client = self.make_client()
        wait_for(self.is_linked, "the dispatcher's link to the broker")

    def tearDown(self):
        failed = any(error for _, error in self._outcome.errors) if hasattr(
            self._outcome, "errors") else not self._outcome.success
        for close in reversed(self.closers):
            close()
        if failed:
            for process in self.processes:
                print(f"--- {process.log_path.name}\n{process.log_path.read_text()[-4000:]}")
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, program, *arguments, name=None):
        path = program if os.sep in str(program) else BIN / program
        process = Process(self.folder, name or pathlib.Path(path).name, path, *arguments)
        self.processes.append(process)
        self.closers.append(process.close)
        return process

    def start_broker(self):
        return self.start("genai-broker", "--nodes-endpoint", self.nodes_endpoint,
                          "--link-endpoint", self.link_endpoint, "--heartbeat-interval-ms",
                          HEARTBEAT_MS, "--suspect-ms", SUSPECT_MS, "--lost-ms", LOST_MS)

    def start_dispatcher(self):
        return self.start("genai-dispatcher", "--clients-endpoint", self.clients_endpoint,
                          "--broker", self.link_endpoint, "--data-dir", self.folder / "data",
                          "--reserve-mib", 1, "--heartbeat-interval-ms", HEARTBEAT_MS,
                          "--lost-ms", LOST_MS, *self.dispatcher_options)

    def start_node(self, node_id, *arguments, slots=1, endpoint=None):
        return self.start("genai-node", "--broker", endpoint or self.nodes_endpoint, "--node-id",
                          node_id, "--slots", slots, *arguments, name=node_id)

    def start_nodes(self, count, *arguments, slots=1):
        nodes = [self.start_node(f"node-{i}", *arguments, slots=slots) for i in range(1, count + 1)]
        self.wait_online(count)
        return nodes

    def scripted_node(self, node_id, **options):
        node = ScriptedNode(self.nodes_endpoint, node_id, **options).hello()
        self.closers.append(node.close)
        return node

    def make_client(self):
        client = Client(self.clients_endpoint)
        self.closers.append(client.close)
        return client

    def is_linked(self):
        return self.client.stats()["brokers"][0]["state"] == "connected"

    def wait_online(self, count):
        wait_for(lambda: sum(n["state"] == "online" for n in self.client.nodes().values()) == count,
                 f"{count} nodes online")

    def reasons(self, task_id):
        return [entry["reason"] for entry in self.client.status(task_id)["log"]]
