"""The Python examples, written from SPEC.md, against the real processes and each other."""
import importlib
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import zmq

from harness import (ABORT, ABORT_ACK, ACCEPTED, ASSIGN, ASSIGN_ACK, DELIVER, DELIVER_ACK, HEARTBEAT, HELLO, LIMIT_S,
                     LOST_MS, PING, PONG, ROOT, SUBMIT, SUSPECT_MS, WATCH, WELCOME, FleetTest, Process, pack, unpack,
                     wait_for)

TAKEN_BACK, STOPPED, STARTED = 512, 0, 3
NODE, CLIENT = ROOT / "tools/python/node.py", ROOT / "tools/python/client.py"


class Examples(FleetTest):
    def start_python_node(self, node_id, *arguments):
        return self.start(str(NODE), "--broker", self.nodes_endpoint, "--node-id", node_id,
                          *arguments, name=node_id)

    def run_client(self, *arguments, stdin=""):
        done = subprocess.run([CLIENT, "--dispatcher", self.clients_endpoint, *arguments],
                              input=stdin, capture_output=True, text=True, timeout=60)
        return done.returncode, [line.split(" ", 2) for line in done.stdout.splitlines()]

    def test_each_is_short(self):
        for path in (NODE, CLIENT):
            self.assertLess(len(path.read_text().splitlines()), 150, path)

    def test_client_and_node_together(self):
        self.start_python_node("snake", "--slots", "2")
        self.wait_online(1)
        code, lines = self.run_client("a red sphere", "a blue cube")
        self.assertEqual(code, 0)
        self.assertEqual(sorted(line[1:] for line in lines),
                         [["Completed", "A BLUE CUBE"], ["Completed", "A RED SPHERE"]])

    def test_client_with_the_ready_node(self):
        # More tasks than fit in two SUBMITs of the client. With few slots each would wait for a trip of its own.
        self.start_nodes(2, "--echo", slots=64)
        prompts = [f"prompt {i}" for i in range(1200)]
        out = self.folder / "out"
        code, lines = self.run_client("--out", str(out), stdin="\n".join(prompts))
        self.assertEqual(code, 0)
        self.assertEqual(sorted(line[2] for line in lines), sorted(prompts))
        self.assertEqual(len(list(out.iterdir())), 1200)

    def test_a_failed_task_is_an_exit_code(self):
        self.start_python_node("snake")
        self.wait_online(1)
        task = self.client.submit(payload=b"\xff\xfe", max_attempts=1)[0]
        self.assertIn("can't decode", self.client.wait([task])[0]["info"]["error"])
        self.assertEqual(self.client.cancel(task)[1], 304)

    def test_a_killed_python_node(self):
        first = self.start_python_node("first", "--delay-ms", "30000")
        self.wait_online(1)
        task = self.client.submit()[0]
        self.client.wait_status(task, "Sent")
        first.kill()
        self.start_python_node("second")
        self.assertEqual(self.client.wait([task])[0]["data"], b"PROMPT")

    def test_cancel_reaches_a_python_node(self):
        self.start_python_node("snake", "--delay-ms", "30000")
        self.wait_online(1)
        task = self.client.submit()[0]
        self.client.wait_status(task, "Sent")
        self.client.cancel(task)
        wait_for(lambda: self.client.nodes()["snake"]["in_flight"] == 0, "ABORT_ACK")

    def test_a_python_node_leaves_gracefully(self):
        node = self.start_python_node("snake", "--delay-ms", "500")
        self.wait_online(1)
        tasks = self.client.submit(5)
        wait_for(lambda: self.client.nodes()["snake"]["in_flight"] == 2, "work and prefetch")
        node.send(signal.SIGTERM)
        self.assertEqual(node.wait(), 0)
        self.start_nodes(1, "--echo")
        for task, result in zip(tasks, self.client.wait(tasks)):
            self.assertEqual(result["status"], "Completed")
            self.assertEqual(self.client.status(task)["losses"], 0)

    def test_a_broker_restart_under_a_python_node(self):
        self.start_python_node("snake", "--delay-ms", "1500")
        self.wait_online(1)
        task = self.client.submit()[0]
        self.client.wait_status(task, "Sent")
        self.broker.kill()
        self.broker = self.start_broker()
        result = self.client.wait([task])[0]
        self.assertEqual((result["data"], result["info"]["attempts"]), (b"PROMPT", 1))


    def test_a_busy_client_gets_its_older_results_after_a_restart(self):
        gate = self.folder / "gate"
        self.start_node("slow", "--model", "slow", "--exec",
                        f"cat; while [ ! -e {gate} ]; do sleep 0.1; done", slots=5)
        self.start_node("quick", "--model", "quick", "--echo", "--echo-delay-ms", 100)
        self.wait_online(2)
        sys.path.insert(0, str(CLIENT.parent))
        self.addCleanup(sys.path.remove, str(CLIENT.parent))
        client = importlib.import_module("client").Client(self.clients_endpoint)
        self.addCleanup(lambda: client.socket.close(0))
        old = [client.submit({"model": "slow"}, b"old") for _ in range(5)]
        client.submit({"model": "quick"}, b"quick")
        started, got, count = time.monotonic(), [], 0
        for task_id, status, info, _ in client.results():
            self.assertEqual(status, "Completed", info)
            count += task_id not in old
            got += [task_id] * (task_id in old)
            if len(got) < 5:  # it is never silent: one result, one more task
                client.submit({"model": "quick"}, b"quick")
            self.assertLess(time.monotonic() - started, LIMIT_S, f"{len(got)} of 5 older results")
            if count == 5:
                self.dispatcher.kill()
                self.dispatcher = self.start_dispatcher()
                gate.touch()
        self.assertEqual(sorted(got), sorted(old))


class FullDispatcher(FleetTest):
    dispatcher_options = ("--max-tasks", "2")

    def test_the_client_tries_again_when_the_queue_is_full(self):
        client = subprocess.Popen([CLIENT, "--dispatcher", self.clients_endpoint, *"abcde"],
                                  stdout=subprocess.PIPE, text=True)
        self.closers.append(client.kill)
        wait_for(lambda: self.client.stats()["accepted_total"] == 2, "as many as there is room for")
        self.start_nodes(1, "--echo")
        shown = client.communicate(timeout=LIMIT_S)[0]
        self.assertEqual(client.returncode, 0, shown)
        self.assertEqual(sorted(line.split(" ", 2)[2] for line in shown.splitlines()),
                         ["a", "b", "c", "d", "e"])


class Played(unittest.TestCase):
    """The other side of an example is played by the test."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="genai-e2e-")
        self.addCleanup(folder.cleanup)
        self.folder, self.endpoint = pathlib.Path(folder.name), f"ipc://{folder.name}/socket"
        self.socket = zmq.Context.instance().socket(zmq.ROUTER)
        self.socket.linger = 0
        self.addCleanup(self.socket.close)
        self.socket.bind(self.endpoint)

    def start(self, *arguments):
        process = Process(self.folder, "example", *arguments)
        self.addCleanup(process.close)
        return process

    def send(self, *fields):
        self.socket.send_multipart([self.peer, pack(*fields)])

    def expect(self, kind):
        while self.socket.poll(int(LIMIT_S * 1000)):
            self.peer, frame = self.socket.recv_multipart()
            message = unpack(frame)
            if message[0] == kind:
                return message
        raise AssertionError(f"no message of type {kind}")


class ClientAnswers(Played):
    def test_it_tries_again_when_it_is_told_to(self):
        client = self.start(CLIENT, "--dispatcher", self.endpoint, "a")
        for code in (302, 303, 308, 0):
            _, request, _, ((task, _, payload),) = self.expect(SUBMIT)
            self.assertEqual(payload, b"a")
            self.send(ACCEPTED, request, [[task, code, "of the test"]])
        self.send(DELIVER, [[task, 4, 0, {}, b"picture"]])
        watch = self.expect(WATCH)  # it was kept nowhere
        self.assertEqual((watch[2], watch[3]), (0, [task]))
        self.assertEqual(client.wait(), 0)
        self.assertEqual(client.log_path.read_text(), f"{task} Completed picture\n")

    def test_it_passes_over_fields_that_it_does_not_know(self):
        client = self.start(CLIENT, "--dispatcher", self.endpoint, "a", "b")
        _, request, _, ((kept, _, _), (refused, _, _)) = self.expect(SUBMIT)
        self.send(ACCEPTED, request, [[kept, 0, "", 0, [0] * 5, 7], [refused, 301]], [7])
        self.send(DELIVER, [[kept, 4, 0, {}, b"picture", {"new": 7}]], "new")
        self.assertEqual(self.expect(WATCH)[3], [kept])
        self.assertEqual(client.wait(), 1)
        self.assertEqual(sorted(client.log_path.read_text().splitlines()),
                         sorted([f"{kept} Completed picture", f"{refused} refused 301 "]))

    def test_a_result_that_is_gone_is_no_empty_picture(self):
        out = self.folder / "out"
        client = self.start(CLIENT, "--dispatcher", self.endpoint, "--out", out, "a")
        _, request, _, ((task, _, _),) = self.expect(SUBMIT)
        self.send(ACCEPTED, request, [[task, 0, ""]])
        self.send(DELIVER, [[task, 4, 0, {"result_gone": True}, b""]])
        self.assertEqual(self.expect(WATCH)[2:], [0, [task]])
        self.assertEqual(client.wait(), 1)
        self.assertEqual(client.log_path.read_text(), f"{task} Gone \n")
        self.assertFalse(out.exists())

    def test_it_asks_every_few_seconds_although_it_is_never_left_in_silence(self):
        self.start(CLIENT, "--dispatcher", self.endpoint, "a")
        _, request, _, ((task, _, _),) = self.expect(SUBMIT)
        self.send(ACCEPTED, request, [[task, 0, ""]])
        self.send(PONG, self.expect(PING)[1], 7, 1)
        for _ in range(int(LIMIT_S)):  # nothing is asked, and all the time something comes
            if self.socket.poll(1000):
                break
            self.send(PONG, 0, 7, 1)
        self.send(PONG, self.expect(PING)[1], 8, 1)  # restarted
        self.assertEqual(self.expect(WATCH)[2:], [1, [task]])

    def test_other_refusals_are_final(self):
        client = self.start(CLIENT, "--dispatcher", self.endpoint, "a")
        _, request, _, ((task, _, _),) = self.expect(SUBMIT)
        self.send(ACCEPTED, request, [[task, 301, "of the test"]])
        self.assertEqual(client.wait(), 1)
        self.assertEqual(client.log_path.read_text(), f"{task} refused 301 of the test\n")


class NodeAnswers(Played):
    def setUp(self):
        super().setUp()
        self.start(NODE, "--broker", self.endpoint, "--node-id", "snake", "--model", "sdxl",
                   "--delay-ms", 30_000)
        self.expect(HELLO)
        self.send(WELCOME, bytes(16), 100, SUSPECT_MS, LOST_MS * 100)

    def assign(self, task, attempt, epoch=1, **spec):
        self.send(ASSIGN, [[[task, attempt, epoch], spec, b"prompt"]])
        (ref, code, _), = self.expect(ASSIGN_ACK)[1]
        self.assertEqual(ref, [task, attempt, epoch])
        return code

    def held(self):
        self.expect(HEARTBEAT)
        return self.expect(HEARTBEAT)[2]  # one that was sent after all that was asked

    def test_a_model_that_it_lacks(self):
        self.assertEqual(self.assign("t-1", 1, model="flux"), 402)
        self.assertEqual(self.held(), [])
        self.assertEqual(self.assign("t-1", 1, model="sdxl"), 0)
        self.assertEqual(self.assign("t-2", 1), 0)
        self.assertEqual(self.held(), [["t-1", 1, 1], ["t-2", 1, 1]])

    def test_what_is_taken_back_is_given_up_only_if_it_has_not_begun(self):
        self.assertEqual(self.assign("runs", 1), 0)
        self.assertEqual(self.assign("waits", 1), 0)
        refs = [["runs", 1, 1], ["waits", 1, 1]]
        self.send(ABORT, [[ref, TAKEN_BACK] for ref in refs])
        answers = [self.expect(ABORT_ACK)[1][0] for _ in refs]
        self.assertEqual(answers, [[refs[0], STARTED], [refs[1], STOPPED]])
        self.assertEqual(self.held(), [refs[0]])

    def test_it_passes_over_fields_that_it_does_not_know(self):
        ref = ["t-1", 1, 1]
        self.send(ASSIGN, [[[*ref, {"new": 7}], {}, b"prompt", [7]]], "new")
        self.assertEqual(self.expect(ASSIGN_ACK)[1], [[ref, 0, ""]])
        self.assertEqual(self.held(), [ref])
        self.send(ABORT, [[[*ref, [7]], 504, 7]], [[7]])
        self.assertEqual(self.expect(ABORT_ACK)[1], [[ref, STOPPED]])

    def test_the_newest_attempt_counts(self):
        self.assertEqual(self.assign("t-1", 2), 0)
        self.assertEqual(self.assign("t-1", 1), 203)
        self.assertEqual(self.assign("t-1", 2), 0)
        self.assertEqual(self.held(), [["t-1", 2, 1]])
        self.assertEqual(self.assign("t-1", 3), 0)
        self.assertEqual(self.assign("t-1", 1, epoch=2), 0)  # of a restarted dispatcher
        self.assertEqual(self.assign("t-1", 4), 203)
        self.assertEqual(self.held(), [["t-1", 1, 2]])


if __name__ == "__main__":
    unittest.main()
