"""At least 20 kinds of malformed frames to each socket: a coded error or a drop, nothing changes."""
import os
import unittest

import msgpack

from harness import ERROR, LINK_HELLO, SNAPSHOT, FleetTest, Peer, pack, wait_for


def malformed(valid):
    """Kinds of damage to a valid message (given as its fields), by name."""
    good = pack(*valid)
    body = list(valid)
    return {
        "empty": b"",
        "never used byte": b"\xc1",
        "text": b"GET / HTTP/1.1\r\n\r\n",
        "random": os.urandom(200),
        "not an array": msgpack.packb({"a": 1}),
        "empty array": b"\x90",
        "version only": b"\x91\x01",
        "other version": msgpack.packb([2, *body]),
        "version as text": msgpack.packb(["1", *body]),
        "unknown type": msgpack.packb([1, 77, *body[1:]]),
        "type as text": msgpack.packb([1, "1", *body[1:]]),
        "negative type": msgpack.packb([1, -1, *body[1:]]),
        "type of another socket": msgpack.packb([1, 2, b"x" * 16, 1000, 3000, 5000]),
        "a field too few": msgpack.packb([1, *body[:-1]]),
        "cut in the middle": good[:len(good) // 2],
        "last byte missing": good[:-1],
        "bytes after the end": good + b"\x00",
        "two messages": good + good,
        "huge array claimed": b"\xdd\xff\xff\xff\xff",
        "huge map claimed": b"\x93\x01\x01\xdf\xff\xff\xff\xff",
        "huge bin claimed": b"\x93\x01\x01\xc6\xff\xff\xff\xff",
        "huge str claimed": b"\x93\x01\x01\xdb\xff\xff\xff\xff",
        "nested too deep": b"\x93\x01" + bytes([body[0]]) + b"\x91" * 500 + b"\x00",
        "extension type": b"\x93\x01" + bytes([body[0]]) + b"\xd4\x01\x00",
        "all fields nil": msgpack.packb([1, body[0]] + [None] * (len(body) - 1)),
        "all fields NaN": msgpack.packb([1, body[0]] + [float("nan")] * (len(body) - 1)),
        "duplicate keys": b"\x9f" + b"\x82\xa1a\x01\xa1a\x02" * 15,
        "invalid UTF-8": bytes([0x92 + len(body) - 1, 1, body[0]]) + b"\xa2\xff\xfe" * (len(body) - 1),
    }


class Malformed(FleetTest):
    def attack(self, endpoint, valid, daemon):
        """Sends every kind from fresh and from known connections; the daemon answers or drops."""
        kinds = malformed(valid)
        self.assertGreaterEqual(len(kinds), 20)
        peer = Peer(endpoint)
        self.closers.append(peer.close)
        answered = 0
        for name, frame in kinds.items():
            with self.subTest(kind=name):
                peer.send_raw(frame)
                message = peer.receive(5)
                self.assertIsNotNone(message, "neither error nor answer")
                self.assertEqual(message[0], ERROR)
                self.assertGreaterEqual(message[2], 100)
                self.assertTrue(message[3])
                answered += 1
                self.assertTrue(daemon.is_alive())
        for frames in ([b"one", b"two", b"three"], [b"x"] * 100, [pack(*valid), b""]):
            peer.send_raw(*frames)
            self.assertEqual(peer.expect(ERROR, 5)[2], 100, "a message is one frame")
        self.assertEqual(answered, len(kinds))
        return peer

    def test_nodes_socket(self):
        valid = (1, "evil", b"s" * 16, {"slots": 1}, [])
        before = self.client.nodes()
        self.attack(self.nodes_endpoint, valid, self.broker)
        self.assertEqual(self.client.nodes(), before)
        self.start_nodes(1, "--echo")
        self.client.wait(self.client.submit(3))

    def test_a_registered_node(self):
        node = self.scripted_node("evil")
        task = self.client.submit()[0]
        ref = node.take()
        self.client.wait_status(task, "Sent")
        for name, frame in malformed((13, [[ref, 0, {}, b"picture"]])).items():
            with self.subTest(kind=name):
                seen = len([m for m in node.seen if m[0] == ERROR])
                node.send_raw(frame)

                def answered():
                    node.pump()
                    return len([m for m in node.seen if m[0] == ERROR]) > seen
                wait_for(answered, "an error", 5)
        self.assertEqual(self.client.status(task)["status"], "Sent")
        self.assertEqual(self.client.status(task)["attempt"], 1)
        node.finish(ref)
        self.assertEqual(self.client.wait([task])[0]["data"], b"picture")

    def test_link_socket(self):
        valid = (LINK_HELLO, b"d" * 16, 1)
        self.start_nodes(1, "--echo")
        peer = self.attack(self.link_endpoint, valid, self.broker)
        self.assertTrue(self.is_linked())
        self.client.wait(self.client.submit(3))
        # An older dispatcher is refused; the serving one stays.
        peer.send(LINK_HELLO, b"d" * 16, 1)
        self.assertEqual(peer.expect(ERROR, 5)[2], 203)
        self.assertFalse([m for m in peer.seen if m[0] == SNAPSHOT])
        self.client.wait(self.client.submit(3))

    def test_clients_socket(self):
        valid = (40, 1, 1, [["task", {}, b"payload"]])
        self.attack(self.clients_endpoint, valid, self.dispatcher)
        self.assertEqual(self.client.stats()["accepted_total"], 0)
        self.start_nodes(1, "--echo")
        self.client.wait(self.client.submit(3))

    def test_wrong_values_in_well_formed_messages(self):
        wrong = {
            "empty id": ["", {}, b""],
            "long id": ["x" * 65, {}, b""],
            "id with a space": ["a b", {}, b""],
            "id as bytes": [b"id", {}, b""],
            "payload as text": ["id", {}, "text"],
            "spec as list": ["id", [], b""],
            "number as key": ["id", {1: 2}, b""],
            "model as number": ["id", {"model": 5}, b""],
            "long model": ["id", {"model": "m" * 129}, b""],
            "negative ram": ["id", {"ram_mib": -1}, b""],
            "ttl zero": ["id", {"ttl_ms": 0}, b""],
            "ttl as float": ["id", {"ttl_ms": 1.5}, b""],
            "too many attempts": ["id", {"max_attempts": 1001}, b""],
            "huge spec": ["id", {"params": {str(i): "x" * 1000 for i in range(100)}}, b""],
            "too many keys": ["id", {str(i): i for i in range(300)}, b""],
            "params as text": ["id", {"params": "seed=7"}, b""],
            "params as nil": ["id", {"params": None}, b""],
            "model as nil": ["id", {"model": None}, b""],
            "infinite number": ["id", {"params": {"x": float("inf")}}, b""],
            "payload over 16 MiB": ["id", {}, b"x" * (16 * 1024 * 1024 + 1)],
        }
        for name, entry in wrong.items():
            with self.subTest(kind=name):
                answer = self.client.ask(40, 41, 1, [entry])
                self.assertEqual(answer[0], ERROR, answer)
                self.assertIn(answer[2], (100, 103, 104))
                self.assertTrue(answer[3])
        self.assertEqual(self.client.stats()["accepted_total"], 0)


if __name__ == "__main__":
    unittest.main()
