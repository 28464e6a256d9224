"""Peers of other releases of version 1 against today's daemons (SPEC.md, "Versions").

Their messages have the shapes of tests/golden: growth.json says what other releases send, vectors.json what a
peer of the first release takes.
"""
import json
import unittest

import msgpack

from harness import (ABORT_ACK, BYE, DELTA, ERROR, GOODBYE, LEAVE, LINK_HELLO, LIST, PING, PONG, PROGRESS, RESULT, ROOT,
                     SNAPSHOT, TASKS, UPDATE, WATCH, Client, FleetTest, Peer, ScriptedNode, wait_for)

FROM_NODES, LINK_HEARTBEAT, RETURNED = 25, 23, 2
LATE_EPOCH = 1 << 62


def shapes(file, key):
    """By message type: an example as [type, fields...]."""
    frames = [bytes.fromhex(entry[key]) for entry in json.loads((ROOT / "tests/golden" / file).read_text())]
    messages = [msgpack.unpackb(frame, raw=False)[1:] for frame in frames]
    return {message[0]: message for message in messages}


FIRST, NEWER, OLDER = shapes("vectors.json", "frame"), shapes("growth.json", "longer"), shapes("growth.json", "shorter")


def is_struct(example):
    """Whether it is no list of structs, ids, texts or maps: those have entries of one kind."""
    kinds = {type(value) for value in example} if isinstance(example, list) else set()
    return bool(kinds) and kinds not in ({list}, {str}, {dict})


def examples_for(values, examples):
    """For each struct of a list one of its kind. Where there are several, the first element says which."""
    return [next((e for e in examples if e[0] == value[0]), examples[0]) for value in values]


def reshaped(value, example):
    """`value` with as many elements in each struct as the example has; the new ones are the example's."""
    if is_struct(example):
        kept = [reshaped(v, e) for v, e in zip(value, example)]
        return kept + example[len(kept):]
    if isinstance(example, list) and example and isinstance(example[0], list):
        return [reshaped(v, e) for v, e in zip(value, examples_for(value, example))]
    return value


def difference(value, example, where):
    """The first struct in `value` with another number of elements than it has in the example, or None."""
    if is_struct(example):
        if len(value) != len(example):
            return f"{where} has {len(value)} elements, not {len(example)}"
        pairs = zip(value, example)
    elif isinstance(example, list) and example and isinstance(example[0], list):
        pairs = zip(value, examples_for(value, example))
    else:
        return None
    found = (difference(v, e, f"{where}[{index}]") for index, (v, e) in enumerate(pairs))
    return next(filter(None, found), None)


class Sends:
    """A peer whose messages have the shapes of another release."""
    shapes = FIRST

    def send(self, *fields):
        super().send(*reshaped(list(fields), self.shapes[fields[0]]))


class Strict:
    """A peer written from the first SPEC.md: it refuses an array with another number of elements."""

    def receive(self, limit_s=0.0):
        message = super().receive(limit_s)
        if message and (found := difference(message, FIRST[message[0]], f"type {message[0]}")):
            raise AssertionError(f"{found}: {message}")
        return message


class NewerNode(Sends, ScriptedNode):
    shapes = NEWER


class NewerClient(Sends, Client):
    shapes = NEWER


class OlderNode(Sends, ScriptedNode):
    shapes = OLDER


class OlderClient(Sends, Client):
    shapes = OLDER


class StrictNode(Strict, ScriptedNode):
    pass


class StrictClient(Strict, Client):
    pass


class StrictLink(Strict, Peer):
    pass


class Growth(FleetTest):
    def a_life_of(self, node, client):
        """Everything that a node and a client say to each other; nobody is told of an error."""
        node.hello()
        for task in client.submit(2, watch=2):
            ref = node.take()
            node.send(PROGRESS, [[ref, 0.5, "half"]])
            wait_for(lambda: client.pump() or any(m[0] == UPDATE for m in client.seen), "UPDATE")
            node.finish(ref)
            self.assertEqual(client.wait([task])[0]["data"], b"picture")
            wait_for(lambda: node.pump() or node.acked, "RESULT_ACK")
            node.held.remove(ref)
            node.acked.clear()
        task = client.submit()[0]
        ref = node.take()
        client.wait_status(task, "Sent")
        self.assertEqual(client.cancel(task)[1], 0)
        wait_for(lambda: node.pump() or node.aborted, "ABORT")
        node.held.remove(ref)
        node.send(ABORT_ACK, [[ref, 0]])
        self.assertEqual(client.wait([task])[0]["status"], "Aborted")
        self.assertEqual(client.nodes()[node.node_id]["state"], "online")
        self.assertEqual(client.ask(PING, PONG)[0], PONG)
        self.assertEqual(client.ask(LIST, TASKS, {"status": "Completed"})[0], TASKS)
        task = client.submit()[0]
        ref = node.take()
        self.assertEqual(client.ask(WATCH, TASKS, 1, [task])[0], TASKS)
        node.send(LEAVE, "maintenance")
        node.send(RESULT, [[ref, RETURNED, {}, b""]])
        wait_for(lambda: node.pump() or node.acked, "RESULT_ACK")
        node.held.clear()
        node.send(BYE, "maintenance")
        node.expect(GOODBYE)
        self.assertEqual(client.status(task)["drains"], 1)
        self.assertEqual([m for m in node.seen + client.seen if m[0] == ERROR], [])
        self.assertEqual(client.stats()["malformed_total"], 0)

    def peers(self, node_class, client_class):
        node = node_class(self.nodes_endpoint, "played", models=["sdxl"])
        client = client_class(self.clients_endpoint)
        self.closers += [node.close, client.close]
        return node, client

    def test_newer_peers_send_fields_that_nobody_knows(self):
        self.assertEqual(len(reshaped([BYE, "why"], NEWER[BYE])), 7)
        self.a_life_of(*self.peers(NewerNode, NewerClient))

    def test_peers_may_leave_out_what_is_optional(self):
        self.assertEqual(reshaped([BYE, "why"], OLDER[BYE]), [BYE])
        self.a_life_of(*self.peers(OlderNode, OlderClient))

    def test_peers_of_the_first_release_get_what_they_know(self):
        self.assertIsNotNone(difference([BYE, "why", 7], FIRST[BYE], "BYE"))
        self.a_life_of(*self.peers(StrictNode, StrictClient))

    def test_a_dispatcher_of_the_first_release_gets_what_it_knows(self):
        node = self.scripted_node("beats", models=["sdxl"])
        link = StrictLink(self.link_endpoint)
        self.closers.append(link.close)
        link.send(LINK_HELLO, b"d" * 16, LATE_EPOCH)
        link.expect(SNAPSHOT)
        link.expect(LINK_HEARTBEAT)
        node.send(ABORT_ACK, [[["t", 1, 1], 1]])
        link.expect(FROM_NODES)
        node.reconnect(self.nodes_endpoint)
        self.assertEqual(link.expect(DELTA)[3][0][0], 0)  # Joined
        node.held.append(["t", 1, 1])
        node.pump()
        self.assertEqual(link.expect(DELTA)[3][0][0], 2)  # Beat
        node.send(LEAVE, "maintenance")
        self.assertEqual(link.expect(DELTA)[3][0][0], 1)  # StateChanged


if __name__ == "__main__":
    unittest.main()
