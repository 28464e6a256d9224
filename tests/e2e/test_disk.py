"""Disks that are full, nearly full, read-only or broken while the dispatcher needs them."""
import os
import resource
import signal
import subprocess
import unittest

from harness import (ACCEPTED, ASSIGN_ACK, BIN, BYE, DELIVER_ACK, ERROR, PING, PONG, STATUS, SUBMIT, TASKS,
                     WATCH, FleetTest, wait_for)
from small_disk import STORE_FULL, SmallDisk, payload_of


def deliver(node, ref, data=b"picture"):
    """Repeats a result, as nodes do, until it is acknowledged as the task's."""
    def acknowledged():
        node.pump()
        node.finish(ref, data)
        return node.acked
    wait_for(acknowledged, "the acknowledgement of the result")
    assert node.acked[0] == [ref, 0], node.acked
    node.held.remove(ref)


class Full(SmallDisk):
    dispatcher_options = ("--min-free-mib", 4, "--reserve-mib", 4)

    def count_runs(self, nodes):
        """Echoing nodes that write down what they ran, on another disk."""
        for number in range(nodes):
            self.start_node(f"n{number}", "--exec", f"echo $GENAI_TASK_ID >> {self.folder}/ran; cat")

    def check_all_done_once(self, tasks):
        self.client.ask(WATCH, TASKS, 1, tasks)
        for task_id, result in zip(tasks, self.client.wait(tasks)):
            self.assertEqual((result["status"], result["data"]),
                             ("Completed", payload_of(task_id)), task_id)
        self.assertEqual(sorted((self.folder / "ran").read_text().split()), sorted(tasks))

    def test_every_accepted_task_outlives_a_crash_of_a_nearly_full_disk(self):
        tasks = self.submit_until_refused()
        self.assertGreater(len(tasks), 10)
        self.assertEqual(self.store_state(), "low")
        top = subprocess.run([BIN / "genai-ctl", "--dispatcher", self.clients_endpoint, "top",
                              "--once"], capture_output=True, check=True)
        self.assertIn(b"DISK NEARLY FULL", top.stdout)
        self.assertEqual(self.client.nodes(), {})
        self.dispatcher.kill()
        self.dispatcher = self.start_dispatcher()
        self.assertEqual(self.store_state(), "low")
        self.assertEqual([self.client.status(t)["status"] for t in tasks],
                         ["Unscheduled"] * len(tasks))
        self.count_runs(2)
        self.check_all_done_once(tasks)

    def test_the_reserve_lets_it_start_on_a_full_disk_and_take_results(self):
        for how in (signal.SIGKILL, signal.SIGTERM):  # with a WAL to go on with, and without
            with self.subTest(how=how.name):
                node = self.scripted_node(f"n-{how.name}")
                task = self.client.submit()[0]
                ref = node.take()
                self.client.wait_status(task, "Sent")
                self.dispatcher.send(how)
                self.dispatcher.wait()
                self.fill()
                self.dispatcher = self.start_dispatcher()
                self.assertEqual(self.store_state(), "low")
                refused = self.client.ask(SUBMIT, ACCEPTED, 1, [["late", {}, b""]])
                self.assertEqual(refused[2][0][1], STORE_FULL)
                self.client.ask(WATCH, TASKS, 1, [task])
                deliver(node, ref)
                self.assertEqual(self.client.wait([task])[0]["data"], b"picture")
                self.assertEqual(self.store_state(), "low")
                self.ballast.unlink()
                wait_for(lambda: self.store_state() == "ok", "room")
                node.send(BYE, "done")
                wait_for(lambda: not self.client.nodes(), "the node's leave")

    def test_a_start_without_even_the_reserve_says_why_not(self):
        task = self.client.submit()[0]
        self.dispatcher.send(signal.SIGTERM)
        self.assertEqual(self.dispatcher.wait(), 0)
        (self.data / "reserve").unlink()
        self.fill()
        refused = self.start_dispatcher()
        self.assertEqual(refused.wait(), 74)
        log = refused.log_path.read_text()
        self.assertIn(f"{self.data}/tasks.db", log)
        self.assertIn("is full", log)
        self.ballast.unlink()
        self.dispatcher = self.start_dispatcher()
        self.assertEqual(self.client.status(task)["status"], "Unscheduled")


class CompletelyFull(SmallDisk):
    """Nothing at all can be written for a while, in the middle of the work."""

    dispatcher_options = ("--min-free-mib", 1, "--reserve-mib", 1)

    def test_what_was_promised_is_kept_and_nothing_else_is_promised(self):
        go, ran = self.folder / "go", self.folder / "ran"
        self.start_nodes(2, "--exec", f"echo $GENAI_TASK_ID >> {ran}; "
                         f"while [ ! -e {go} ]; do sleep 0.02; done; cat", slots=4)
        tasks = self.client.submit(40, payload=b"p" * 65536)
        wait_for(lambda: ran.exists() and len(ran.read_text().split()) >= 8, "8 to run")
        self.fill()
        go.touch()  # eight results, with nowhere to go

        def is_full():
            self.fill()  # the reserve was given up
            return self.store_state() == "full"
        wait_for(is_full, "the full disk to be noticed")
        logged = self.dispatcher.await_logged(
            "nothing can be written: no new tasks, no new work, trying again")
        self.assertIn(str(self.data), logged[0]["error"])

        delivered = len(self.client.results)
        refused = self.client.ask(SUBMIT, ACCEPTED, 1, [["late", {}, b""]])
        self.assertEqual(refused[2][0][1], STORE_FULL)
        self.assertEqual(self.client.ask(STATUS, TASKS, tasks[:1])[:3:2], [ERROR, STORE_FULL])
        self.assertEqual(len(self.client.nodes()), 2)
        commits = self.client.stats()["commits_total"]
        self.assertEqual(self.store_state(), "full")
        self.assertEqual((self.client.stats()["commits_total"], len(self.client.results)),
                         (commits, delivered))

        self.ballast.unlink()
        results = self.client.wait(tasks)
        self.assertEqual({(r["status"], r["data"]) for r in results},
                         {("Completed", b"p" * 65536)})
        wait_for(lambda: self.store_state() == "ok", "room")
        self.assertEqual(sorted(ran.read_text().split()), sorted(tasks))
        self.assertIsNone(self.client.status("late"))
        self.client.wait(self.client.submit())

    def test_results_take_the_room_of_their_payloads(self):
        """With hardly any room on the disk, but enough within the file."""
        tasks = self.client.submit(60, payload=b"p" * 65536)
        self.dispatcher.send(signal.SIGTERM)
        self.assertEqual(self.dispatcher.wait(), 0)  # all of it is in the file now, none in the WAL
        self.dispatcher = self.start_dispatcher()
        self.client.ask(WATCH, TASKS, 1, tasks)
        self.fill()
        with open(self.ballast, "rb+") as file:
            file.truncate(self.ballast.stat().st_size - (2 << 20))
        # Sixteen at once: a commit of them needs more than there is, parts of it do not.
        self.start_node("n1", "--echo", slots=16)
        results = self.client.wait(tasks)
        self.assertEqual({(r["status"], r["data"]) for r in results},
                         {("Completed", b"p" * 65536)})

    def test_to_free_room_takes_hardly_any(self):
        """A result of 5 MiB is dropped with half a MiB left on the disk."""
        node = self.scripted_node("n1")
        task = self.client.submit()[0]
        ref = node.take()
        self.client.ask(WATCH, TASKS, 0, [task])
        deliver(node, ref, os.urandom(5 << 20))
        self.dispatcher.send(signal.SIGTERM)
        self.assertEqual(self.dispatcher.wait(), 0)  # all of it is in the file now, none in the WAL
        self.fill()
        with open(self.ballast, "rb+") as file:
            file.truncate(self.ballast.stat().st_size - (1 << 19))
        self.dispatcher = self.start_dispatcher()
        self.client.send(DELIVER_ACK, [task])
        self.client.stats()
        self.dispatcher.send(signal.SIGTERM)
        self.assertEqual(self.dispatcher.wait(), 0)  # it was written: else 1
        self.dispatcher = self.start_dispatcher()
        self.assertEqual(self.client.stats()["result_bytes"], 0)

    def test_a_crash_while_nothing_can_be_written(self):
        self.end_while_full(signal.SIGKILL, -signal.SIGKILL)

    def test_a_stop_while_nothing_can_be_written(self):
        self.end_while_full(signal.SIGTERM, 1)
        self.assertTrue(self.stopped.logged(
            "stopped before the last changes were written: they were promised to nobody"))

    def end_while_full(self, how, code):
        node = self.scripted_node("n1")
        task, waiting = self.client.submit(2)
        ref = node.take()
        self.client.wait_status(task, "Sent")
        self.fill()
        node.finish(ref, b"r" * (3 << 20))

        def is_full():
            self.fill()
            return self.store_state() == "full"
        wait_for(is_full, "the full disk to be noticed")
        self.stopped = self.dispatcher
        self.dispatcher.send(how)
        self.assertEqual(self.dispatcher.wait(10), code)  # not after the drain timeout
        node.pump()
        self.client.pump()
        self.assertEqual((node.acked, self.client.results), ([], {}))
        self.ballast.unlink()

        self.dispatcher = self.start_dispatcher()
        epoch = self.client.ask(PING, PONG)[2]
        deliver(node, ref, b"r" * (3 << 20))
        self.client.ask(WATCH, TASKS, 1, [task, waiting])
        self.assertEqual(self.client.wait([task])[0]["data"], b"r" * (3 << 20))
        self.assertEqual(self.client.status(task)["attempt"], 1)
        # The first dispatcher may have assigned it too, which it could not write down.
        given = wait_for(lambda: node.pump() or [r for r in node.assigned if r[2] == epoch],
                         "the other task")
        node.send(ASSIGN_ACK, [[given[0], 0, ""]])
        node.finish(given[0])
        self.assertEqual(self.client.wait([waiting])[0]["data"], b"picture")


class ReadOnly(SmallDisk):
    dispatcher_options = ("--min-free-mib", 4)

    def test_it_does_not_start_there(self):
        task = self.client.submit()[0]
        self.dispatcher.kill()
        self.mount("-o", "remount,ro")
        refused = self.start_dispatcher()
        self.assertEqual(refused.wait(), 73)
        log = refused.log_path.read_text()
        self.assertIn(str(self.data), log)
        self.assertIn("Read-only file system", log)
        self.mount("-o", "remount,rw")
        self.dispatcher = self.start_dispatcher()
        self.assertEqual(self.client.status(task)["status"], "Unscheduled")


class Broken(FleetTest):
    """Writes fail, not for want of room: a limit on the size of files stands for a bad disk."""

    def start(self, program, *arguments, **options):
        if program == "genai-dispatcher":  # the limit's signal ends a process that lets it
            arguments = ("--ignore-signal=XFSZ", BIN / program, *arguments)
            return super().start("/usr/bin/env", *arguments, name=program)
        return super().start(program, *arguments, **options)

    def test_an_io_error_stops_it_and_a_restart_finds_everything(self):
        node = self.scripted_node("n1")
        task, waiting = self.client.submit(2)
        ref = node.take()
        self.client.wait_status(task, "Sent")
        log_size = (self.folder / "data" / "tasks.db-wal").stat().st_size
        resource.prlimit(self.dispatcher.pid, resource.RLIMIT_FSIZE, (log_size, log_size))
        self.client.send(SUBMIT, 1000, 1, [["lost", {}, b"x" * 100_000]])
        self.assertEqual(self.dispatcher.wait(), 74)
        said = self.dispatcher.logged(
            "the store failed: stopping, since only a restart finds what is on the disk")
        self.assertIn(str(self.folder / "data"), said[0]["error"])
        self.client.pump()
        self.assertFalse([m for m in self.client.seen if m[:2] == [ACCEPTED, 1000]])

        self.dispatcher = self.start_dispatcher()
        node.pump()
        self.client.ask(WATCH, TASKS, 1, [task, waiting])
        self.assertIsNotNone(self.client.status(waiting))
        deliver(node, ref)
        self.assertEqual(self.client.wait([task])[0]["data"], b"picture")
        self.assertEqual(self.client.status(task)["attempt"], 1)
        self.dispatcher.send(signal.SIGTERM)
        self.assertEqual(self.dispatcher.wait(), 0)


if __name__ == "__main__":
    unittest.main()
