"""The attacks of strangers and of members on the sockets: the service lives, within so much memory, or
where libzmq cannot (endless frames) is started again by its supervisor, and nothing is lost."""
import contextlib
import os
import random
import resource
import threading
import time
import unittest

import zmtp
from harness import (ACCEPTED, ASSIGN_ACK, BYE, ERROR, HEARTBEAT, HELLO, LIST, RESULT, SUBMIT, TASKS, WELCOME,
                     FleetTest, Peer, costs_at_most, free_port, memory_mib, pack, wait_for)

MIB = 1 << 20


class Supervisor:
    """What the service unit has systemd and the kernel do: a process over its memory limit is killed, and
    one that has ended is started again."""

    def __init__(self, process, start, max_mib):
        self.process, self.start, self.max_mib = process, start, max_mib
        self.ends, self.stopped = 0, False
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def _watch(self):
        while not self.stopped:
            time.sleep(0.01)
            if self.process.is_alive() and memory_mib(self.process) > self.max_mib:
                self.process.kill()
            if not self.process.is_alive():
                self.ends += 1
                self.process = self.start()

    def close(self):
        self.stopped = True
        self.thread.join()


class Attacks(FleetTest):
    """Each attack meets a fleet at work, which must not notice."""

    nodes_tcp = True
    clients_tcp = True

    def setUp(self):
        super().setUp()
        self.nodes = self.start_nodes(2, "--echo", "--echo-delay-ms", 100)
        self.pids = self.broker.pid, self.dispatcher.pid
        self.tasks = self.client.submit(20)

    def sockets(self):
        return (self.nodes_endpoint, self.broker), (self.clients_endpoint, self.dispatcher)

    def connect(self, endpoint):
        connection = zmtp.Connection(endpoint)
        self.closers.append(connection.close)
        return connection

    def assert_works(self):
        """What was accepted before and during the attack ends, and newcomers are served."""
        self.assertTrue(all(r["status"] == "Completed" for r in self.client.wait(self.tasks)))
        newcomer = self.make_client()
        newcomer.wait(newcomer.submit(3))
        self.assertEqual(len(set(self.client.deliveries)), len(self.tasks))

    def assert_lives(self):
        self.assert_works()
        self.assertEqual((self.broker.pid, self.dispatcher.pid), self.pids)
        self.assertTrue(self.broker.is_alive() and self.dispatcher.is_alive())
        lost = {entry["node_id"] for entry in self.broker.logged("node lost")}
        self.assertFalse(lost & {"node-1", "node-2"})

    def costs_at_most(self, mib):
        return costs_at_most(mib, self.broker, self.dispatcher)

    def test_half_handshakes_end_after_three_seconds(self):
        with self.costs_at_most(32):
            for endpoint, _ in self.sockets():
                half = [self.connect(endpoint) for _ in range(300)]
                for i, connection in enumerate(half):
                    connection.send(zmtp.GREETING[:i % 65])
                wait_for(lambda: all(c.is_closed() for c in half), "all to be closed", 10)
        self.assert_lives()

    def test_more_connections_than_descriptors(self):
        with self.costs_at_most(32):
            for endpoint, process in self.sockets():
                used = len(os.listdir(f"/proc/{process.pid}/fd"))
                before = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
                resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (used + 50, before[1]))
                crowd = [self.connect(endpoint) for _ in range(500)]
                # Who is connected is served as before.
                done = self.client.submit(4)
                self.client.wait(done)
                self.tasks += done
                for connection in crowd:
                    connection.close()
            # The last descriptors are free again once the handshakes of the crowd have failed.
            self.assert_lives()

    def test_thousands_of_connections_at_once(self):
        """Half of them greet and then say nothing for as long as they like."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.closers.append(lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard)))
        with self.costs_at_most(128):
            for endpoint, process in self.sockets():
                crowd = [self.connect(endpoint) for _ in range(4000)]
                for connection in crowd[::2]:
                    connection.shake_hands()
                self.assertGreater(len(os.listdir(f"/proc/{process.pid}/fd")), 2000)
                self.assert_works()
                self.assertFalse(any(connection.is_closed() for connection in crowd[::2]))
            self.assert_lives()

    def test_a_huge_frame_is_never_reserved(self):
        with self.costs_at_most(32):
            for endpoint, _ in self.sockets():
                for size in (1 << 62, 1 << 40, 65 * MIB):
                    connection = self.connect(endpoint).shake_hands()
                    connection.send(zmtp.announce(size) + b"x" * 100)
                    wait_for(connection.is_closed, f"the end of who announced {size} bytes", 10)
                # Within the limit it may come; what has not come takes no memory.
                for _ in range(50):
                    self.connect(endpoint).shake_hands().send(zmtp.announce(60 * MIB) + b"x" * 100)
            self.assert_lives()

    def test_frames_that_are_large_and_worthless(self):
        """Refused at the first byte, or only after every value was looked at."""
        lists = b"".join((b"\xdc\xff\xff", bytes(0xffff))) * 900
        for worthless in (b"\xc1" * (57 * MIB), b"\x96\x01\x01\xa1n\xc4\x10" + bytes(16) + b"\x80\xdc\x03\x84" + lists,
                          b"\x95\x01\x28\x01\x01\xdc\x03\x84" + lists):
            with self.costs_at_most(6 * 64):
                for endpoint, _ in self.sockets():
                    connection = self.connect(endpoint).shake_hands()
                    for _ in range(20):
                        connection.send(zmtp.frame(worthless))
                self.assert_lives()

    def test_endless_frames_of_one_message_end_in_a_restart(self):
        """libzmq keeps all frames of a message until its last one: only the memory limit ends that."""
        for (endpoint, process), start in zip(self.sockets(),
                                              (self.start_broker, self.start_dispatcher)):
            supervisor = Supervisor(process, start, memory_mib(process) + 300)
            self.closers.append(supervisor.close)
            connection = self.connect(endpoint).shake_hands()
            endless = zmtp.frame(bytes(60_000), zmtp.MORE) * 16
            with self.assertRaises(ConnectionError):
                for _ in range(2000):
                    connection.send(endless)
            wait_for(lambda s=supervisor: s.ends == 1 and s.process.is_alive(), "a restart")
            supervisor.close()
        # The client's connection is new to the new dispatcher: it asks instead of waiting.
        for task in self.tasks:
            self.client.wait_status(task, "Completed")
        newcomer = self.make_client()
        newcomer.wait(newcomer.submit(3))

    def test_routing_ids_that_others_may_get(self):
        rng = random.Random(1)
        with self.costs_at_most(64):
            for endpoint, _ in self.sockets():
                for _ in range(500):
                    claimed = b"\0" + rng.randbytes(4)
                    with contextlib.suppress(ConnectionError):
                        self.connect(endpoint).shake_hands(claimed).send(zmtp.frame(b"junk"))
                    self.connect(endpoint).shake_hands()
            self.assert_lives()

    def test_garbage_on_thousands_of_connections(self):
        rng = random.Random(2)
        with self.costs_at_most(64):
            for endpoint, process in self.sockets():
                for i in range(1500):
                    connection = self.connect(endpoint)
                    with contextlib.suppress(ConnectionError):
                        if i % 2:
                            connection.shake_hands()
                        connection.send(rng.randbytes(rng.randrange(1, 2000)))
                    connection.close()
            self.assert_lives()
        # Told, at a limited rate.
        warnings = [e for e in self.broker.entries() if e["level"] == "warn"]
        self.assertTrue(0 < len(warnings) < 100, len(warnings))

    def test_a_crowd_of_invented_nodes(self):
        limited = self.start("genai-broker", "--nodes-endpoint", f"tcp://127.0.0.1:{free_port()}",
                             "--link-endpoint", f"ipc://{self.folder}/other", "--max-nodes", 50)
        wait_for(lambda: limited.logged("broker ready"), "a small broker")
        endpoint = limited.logged("broker ready")[0]["nodes_endpoint"]
        answers, models = [], [f"{'m' * 100}-{i}" for i in range(500)]
        with costs_at_most(32, limited):
            for i in range(200):
                peer = Peer(endpoint)
                self.closers.append(peer.close)
                peer.send(HELLO, f"invented-{i}", os.urandom(16), {"slots": 1, "models": models}, [])
                answers.append(peer.receive(10))
        self.assertEqual([a[0] for a in answers[:50]], [WELCOME] * 50)
        self.assertEqual([a[2] for a in answers[50:]], [202] * 150)
        self.assertTrue(limited.is_alive())

    def test_a_burst_of_what_was_said_before(self):
        node = self.scripted_node("liar")
        task = self.client.submit()[0]
        self.tasks.append(task)

        def taken():
            node.pump()
            return [ref for ref in node.assigned if ref[0] == task]
        wait_for(lambda: taken() or self.client.status(task)["status"] == "Completed", "a place")
        for ref in node.assigned:
            node.held.append(ref)
            node.send(ASSIGN_ACK, [[ref, 0, ""]])
            node.finish(ref)
        heartbeats = [pack(HEARTBEAT, seq, node.held, []) for seq in range(1, 200)]
        results = [pack(RESULT, [[ref, 0, {}, b"another picture"]]) for ref in node.held] * 50
        stranger = Peer(self.nodes_endpoint)
        self.closers.append(stranger.close)
        with self.costs_at_most(32):
            for frame in heartbeats + results:
                node.send_raw(frame)
                stranger.send_raw(frame)
            self.assertEqual(stranger.expect(ERROR)[2], 200)
            self.assert_lives()

    def test_a_node_that_never_stops_talking(self):
        node = self.scripted_node("chatterbox", slots=1, models=["none"])
        frame = pack(HEARTBEAT, 1, [[f"t-{i}", 1, 1] for i in range(500)], [])
        with self.costs_at_most(64):
            for _ in range(5000):
                node.send_raw(frame)
            self.assert_lives()

    def test_a_node_that_takes_everything_and_leaves_without_end(self):
        waiting = [f"waiting-{i:03}" for i in range(200)]
        answer = self.client.ask(SUBMIT, ACCEPTED, 0, [[i, {"model": "rare"}, b""] for i in waiting])
        self.assertEqual({v[1] for v in answer[2]}, {0})
        with self.costs_at_most(64):
            for life in range(150):
                thief = self.scripted_node("thief", slots=1000, models=["rare"])
                if life < 3:
                    thief.wait_assigned()
                thief.pump()
                if thief.assigned:
                    thief.send(ASSIGN_ACK, [[ref, 0, ""] for ref in thief.assigned])
                thief.send(BYE, "b" * 4000)
                thief.close()
            self.assert_lives()
        self.assertEqual({self.client.status(i)["status"] for i in waiting}, {"Unscheduled"})
        self.assertLess(len(self.dispatcher.logged("task requeued")), 1500)
        honest = self.scripted_node("honest", slots=1000, models=["rare"])
        wait_for(lambda: honest.pump() or len(honest.assigned) == 200, "all that was taken away")

    def test_tasks_that_end_at_once(self):
        with self.costs_at_most(256):
            for batch in range(10):
                self.client.ask(SUBMIT, ACCEPTED, 0, [[f"short-{batch}-{i}",
                                                       {"model": "none", "ttl_ms": 1}, b""]
                                                      for i in range(4000)])
            wait_for(lambda: self.client.stats()["tasks"].get("Failed", 0) >= 40_000, "their end")
            self.assert_lives()
        self.assertLess(len(self.dispatcher.logged("task failed")), 1500)

    def test_a_client_that_asks_without_end_and_reads_nothing(self):
        ids = [f"waiting-{i:05}" for i in range(12_000)]
        for at in range(0, len(ids), 4000):
            answer = self.client.ask(SUBMIT, ACCEPTED, 0, [[i, {"model": "none"}, b""]
                                                           for i in ids[at:at + 4000]])
            self.assertEqual({v[1] for v in answer[2]}, {0})
        with self.costs_at_most(256):
            deaf = self.connect(self.clients_endpoint).shake_hands()
            for i in range(400):
                deaf.send(zmtp.frame(pack(LIST, i, {"limit": 4096})))
            deaf.send(zmtp.frame(pack(SUBMIT, 400, 0, [["the-last", {"model": "none"}, b""]])))
            for _ in range(20):
                self.client.stats()
            wait_for(lambda: self.client.status("the-last"), "all to be handled")
            self.assert_lives()
        self.assertEqual(self.client.ask(LIST, TASKS, {"status": "Failed"})[2], [])


if __name__ == "__main__":
    unittest.main()
