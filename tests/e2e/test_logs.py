"""What logs never hold: payloads, results, and text of peers that could pass for something else. (Keys: see
test_keys.) And what a log that nobody reads costs: lines, which are counted, and nothing else."""
import fcntl
import json
import os
import signal
import subprocess
import unittest

from harness import (BIN, ERROR, HELLO, LEAVE, PROGRESS, RESULT, SUBMIT, FleetTest, Peer, Process,
                     wait_for)

PAYLOAD, PICTURE = b"a-payload-that-nobody-may-read", b"a-picture-that-nobody-may-see"
# A colour, a line that looks like one of ours, the end of a JSON text, and what turns lines around.
NASTY = "\x1b[31mred\n{\"level\":\"error\"}\r\u2028\x00\x7f\u202e\"}"


class Logs(FleetTest):
    dispatcher_options = ("--log-level", "debug")

    def start_broker(self):
        return self.start("genai-broker", "--nodes-endpoint", self.nodes_endpoint, "--link-endpoint",
                          self.link_endpoint, "--log-level", "debug", "--log-format", "text")

    def texts(self):
        return {p.name: p.log_path.read_bytes() for p in self.processes}

    def assert_clean(self):
        for name, text in self.texts().items():
            with self.subTest(log=name):
                self.assertTrue(text)
                for secret in (PAYLOAD, PICTURE, PAYLOAD.hex().encode(), PICTURE.hex().encode()):
                    self.assertNotIn(secret, text)
                text.decode("utf-8")
                for byte in set(range(32)) - {10}:
                    self.assertNotIn(bytes([byte]), text, f"control character {byte}")
                for character in "\x7f\u2028\u202e":
                    self.assertNotIn(character.encode(), text)

    def test_neither_payloads_nor_text_of_peers_as_it_is(self):
        node = self.scripted_node("node")
        self.client.send(SUBMIT, 1, 2, [["t-1", {"label": NASTY[:60], "tenant": "acme"}, PAYLOAD]])
        ref = node.take()
        node.send(PROGRESS, [[ref, 0.5, NASTY]])
        node.send(RESULT, [[ref, 1, {"error": NASTY}, b""]])
        again = node.take()
        node.finish(again, PICTURE)
        self.client.wait(["t-1"])
        # Refusals tell what was wrong, with what they were sent.
        stranger, liar = Peer(self.nodes_endpoint), Peer(self.clients_endpoint)
        self.closers += [stranger.close, liar.close]
        stranger.send(HELLO, NASTY, b"s" * 16, {"slots": 1}, [])
        stranger.expect(ERROR)
        stranger.send(HELLO, "fine", b"s" * 16, {"slots": 1, "models": [NASTY], NASTY: NASTY}, [])
        stranger.receive(10)
        stranger.send(ERROR, 0, 100, NASTY)
        liar.send(SUBMIT, 1, 1, [["t-2", {NASTY: 1, "model": 7}, PAYLOAD]])
        liar.receive(10)
        liar.send(SUBMIT, 1, 1, [[NASTY, {}, PAYLOAD]])
        liar.expect(ERROR)
        liar.send(ERROR, 0, 100, NASTY)
        node.send(LEAVE, NASTY)
        wait_for(lambda: self.client.nodes()["node"]["state"] == "draining", "the node's leave")
        self.client.stats()
        self.assert_clean()
        # The check sees what it should: the reason is there, escaped.
        self.assertIn(b"[31mred", self.texts()["genai-broker"])

    def test_a_node_program_that_prints_what_it_likes(self):
        self.start_node("node-1", "--exec", "printf '\\033[31mred\\n\\001' >&2; cat >&2; exit 3",
                        "--log-level", "debug")
        self.wait_online(1)
        self.client.send(SUBMIT, 1, 1, [["t-1", {"max_attempts": 1}, PAYLOAD]])
        self.client.wait(["t-1"])
        self.assert_clean()


class UnreadProcess(Process):
    """Its stderr is a pipe that is full before it starts."""

    def __init__(self, folder, name, *arguments):
        self.name, self.log_path = name, folder / f"{name}.log"
        self.log_path.touch()
        self.read_end, write_end = os.pipe()
        fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, 4096)
        os.write(write_end, b"x" * 4095 + b"\n")
        self.process = subprocess.Popen([str(a) for a in arguments], stderr=write_end,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        self.pid = self.process.pid
        os.close(write_end)
        self.log = open(self.read_end, "rb")

    def read_until(self, text):
        """The lines up to one with that text, which must come."""
        lines = [self.log.readline()]  # what filled the pipe
        while text not in lines[-1]:
            line = self.log.readline()
            assert line, f"{self.name}: the log ended before {text}"
            lines.append(line)
        return [json.loads(line) for line in lines[1:]]


class UnreadLogs(FleetTest):
    dispatcher_options = ("--log-level", "debug")

    def start(self, program, *arguments, name=None):
        process = UnreadProcess(self.folder, name or program, BIN / program, *arguments)
        self.processes.append(process)
        self.closers.append(process.close)
        return process

    def test_daemons_whose_logs_nobody_reads_go_on(self):
        node = self.start_nodes(1, "--echo", slots=64)[0]
        for _ in range(4):
            self.client.wait(self.client.submit(1500))
        # Each of these has written more than fits: when somebody reads again, the log says so.
        for process, first in ((node, "node starts"), (self.dispatcher, "tasks are kept on disk")):
            with self.subTest(process=process.name):
                lines = process.read_until(b"log lines were dropped")
                self.assertEqual(lines[0]["msg"], first)
                self.assertGreater(lines[-1]["lines"], 100)
                self.assertEqual(lines[-1]["level"], "warn")
                self.assertEqual(lines[-1]["program"], lines[0]["program"])
        self.broker.read_until(b"broker ready")

    def test_daemons_whose_logs_nobody_reads_stop(self):
        node = self.start_nodes(1, "--echo")[0]
        self.client.wait(self.client.submit(1))
        for process in (node, self.dispatcher, self.broker):
            with self.subTest(process=process.name):
                process.send(signal.SIGTERM)
                self.assertEqual(process.wait(), 0)

    def test_daemons_whose_logs_reader_has_died_go_on(self):
        node = self.start_nodes(1, "--echo")[0]
        for process in (node, self.dispatcher, self.broker):
            process.log.close()
        self.client.wait(self.client.submit(10))
        for process in (node, self.dispatcher, self.broker):
            self.assertTrue(process.is_alive(), process.name)


if __name__ == "__main__":
    unittest.main()
