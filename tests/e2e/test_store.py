"""What the dispatcher owes to its disk: nothing accepted is lost with the process."""
import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import unittest
import uuid

from harness import (ACCEPTED, BIN, PING, PONG, PURGE, PURGED, REPLAY, SUBMIT, TASKS, WATCH,
                     Client, FleetTest, wait_for)


class Restart(FleetTest):
    def restart(self, how=signal.SIGKILL):
        self.dispatcher.send(how)
        self.dispatcher.wait()
        self.dispatcher = self.start_dispatcher()

    def ran(self):
        path = self.folder / "ran"
        return path.read_text().split() if path.exists() else []

    def watch(self, ids):
        return self.client.ask(WATCH, TASKS, 1, ids)[2]

    def test_queued_running_and_finished_tasks_survive(self):
        self.start_nodes(1, "--exec", f"echo $GENAI_TASK_ID >> {self.folder}/ran; "
                         f"while [ ! -e {self.folder}/go ]; do sleep 0.05; done; cat")
        other = self.make_client()
        unwatched = other.submit(payload=b"first", watch=0)[0]
        wait_for(lambda: self.ran() == [unwatched], "the first to run")
        (self.folder / "go").touch()
        self.client.wait_status(unwatched, "Completed")
        (self.folder / "go").unlink()
        running, queued = self.client.submit(payload=b"second")[0], self.client.submit()[0]
        wait_for(lambda: running in self.ran(), "the second to run")
        epoch = self.client.ask(PING, PONG)[2]
        self.restart()
        self.assertGreater(self.client.ask(PING, PONG)[2], epoch)
        self.client.wait_status(running, "Sent")
        self.assertEqual(len(self.watch([unwatched, running, queued])), 3)
        (self.folder / "go").touch()
        first, second, third = self.client.wait([unwatched, running, queued])
        self.assertEqual((first["data"], second["data"], third["data"]),
                         (b"first", b"second", b"prompt"))
        self.assertEqual(self.ran(), [unwatched, running, queued])  # each ran once
        self.assertIn("kept: its node still holds it", self.reasons(running))

    def test_a_node_that_finishes_meanwhile_delivers_afterwards(self):
        node = self.scripted_node("n1")
        task = self.client.submit()[0]
        ref = node.take()
        self.client.wait_status(task, "Sent")
        self.dispatcher.kill()
        node.finish(ref)  # goes nowhere
        self.dispatcher = self.start_dispatcher()

        def acknowledged():
            node.pump()
            node.finish(ref)
            return node.acked
        wait_for(acknowledged, "the acknowledgement of the result")
        self.assertEqual(node.acked[0], [ref, 0])
        self.watch([task])
        self.assertEqual(self.client.wait([task])[0]["data"], b"picture")
        self.assertEqual(self.client.status(task)["attempt"], 1)

    def test_what_a_node_took_with_it_runs_elsewhere(self):
        node = self.start_nodes(1, "--echo", "--echo-delay-ms", 60000)[0]
        task = self.client.submit()[0]
        self.client.wait_status(task, "Sent")
        self.dispatcher.kill()
        node.kill()
        self.start_node("node-2", "--echo")
        self.dispatcher = self.start_dispatcher()
        self.watch([task])
        self.assertEqual(self.client.wait([task])[0]["info"]["node_id"], "node-2")
        self.assertEqual(self.client.status(task)["losses"], 0)  # nobody knows whose fault

    def test_ids_and_ends_stay(self):
        self.start_nodes(1, "--echo")
        done = self.client.submit()[0]
        self.client.wait([done])
        cancelled = self.client.submit(model="nobody")[0]
        self.client.cancel(cancelled)
        expired = self.client.submit(model="nobody", ttl_ms=1)[0]
        self.client.wait([cancelled, expired])
        waiting = self.client.submit(watch=0)[0]
        self.client.wait_status(waiting, "Completed")
        before = {i: self.client.status(i) for i in (done, cancelled, expired, waiting)}
        # That a result was fetched is nobody's worry and may wait a moment for its commit.
        database = sqlite3.connect(f"file:{self.folder}/data/tasks.db?mode=ro", uri=True)
        wait_for(lambda: database.execute("SELECT fetched FROM tasks WHERE task_id = ?",
                                          [done]).fetchone() == (1,), "the commit")
        database.close()
        self.restart()
        for task_id, was in before.items():
            now = self.client.status(task_id)
            self.assertEqual((now["status"], now["code"], now["log"]),
                             (was["status"], was["code"], was["log"]))
        again = self.client.ask(SUBMIT, ACCEPTED, 1, [[waiting, {}, b"prompt"], [done, {}, b"prompt"],
                                                      [cancelled, {}, b"another"]])
        self.assertEqual([v[1] for v in again[2]], [0, 0, 301])
        self.assertEqual(self.client.wait([waiting])[0]["data"], b"prompt")
        self.client.results.pop(done)
        self.watch([done])
        self.assertTrue(self.client.wait([done])[0]["info"]["result_gone"])
        replayed = self.client.ask(REPLAY, ACCEPTED, [[expired, "again"], [done, "other"]])
        self.assertEqual([v[1] for v in replayed[2]], [0, 307])
        self.assertEqual(self.client.ask(PURGE, PURGED, [expired])[2][0][1], 0)
        self.assertIsNone(self.client.status(expired))
        self.restart()
        self.assertIsNone(self.client.status(expired))
        self.assertIsNotNone(self.client.status("again"))

    def test_sigterm_need_not_wait_for_tasks(self):
        self.start_nodes(2, "--exec", f"echo $GENAI_TASK_ID >> {self.folder}/ran; sleep 3; cat")
        tasks = self.client.submit(6)
        wait_for(lambda: len(self.ran()) == 2, "two to run")
        self.dispatcher.send(signal.SIGTERM)
        self.assertEqual(self.dispatcher.wait(2.5), 0)  # sooner than any task ends
        self.dispatcher = self.start_dispatcher()
        self.watch(tasks)
        self.assertEqual({r["status"] for r in self.client.wait(tasks)}, {"Completed"})
        self.assertEqual(sorted(self.ran()), sorted(tasks))

    def test_the_shell_can_read_it_meanwhile(self):
        task = self.client.submit(label="a lighthouse")[0]
        database = sqlite3.connect(f"file:{self.folder}/data/tasks.db?mode=ro", uri=True)
        self.addCleanup(database.close)
        row = database.execute("SELECT status, label, last_reason FROM task_list WHERE task_id = ?",
                               [task]).fetchone()
        self.assertEqual(row, ("Unscheduled", "a lighthouse", "accepted"))
        log = database.execute("SELECT reason FROM task_log WHERE task_id = ?", [task]).fetchall()
        self.assertEqual(log, [("accepted",)])


class Refusals(FleetTest):
    """Starts that must not be: a clear message, an exit code, and the data left alone."""

    def refused(self, code, *words, data_dir=None):
        done = subprocess.run(
            [BIN / "genai-dispatcher", "--clients-endpoint", f"ipc://{self.folder}/second",
             "--broker", self.link_endpoint, "--data-dir", data_dir or self.folder / "data",
             "--reserve-mib", "1"], capture_output=True, timeout=60)
        self.assertEqual(done.returncode, code, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr.decode())

    def test_second_dispatcher(self):
        self.refused(75, "in use", str(self.dispatcher.pid))
        self.client.submit()

    def test_newer_damaged_and_impossible(self):
        self.client.submit(50, payload=b"x" * 3000)
        self.dispatcher.send(signal.SIGTERM)
        self.dispatcher.wait()
        path = self.folder / "data" / "tasks.db"
        good = path.read_bytes()
        database = sqlite3.connect(path)
        database.execute("PRAGMA user_version = 99")
        database.close()
        self.refused(76, "newer", str(path))
        middle = len(good) // 2
        path.write_bytes(good[:middle] + b"\xa5" * 16384 + good[middle + 16384:])
        self.refused(65, str(path), "backup")
        path.write_bytes(good)
        self.refused(73, "cannot", data_dir=path / "below")
        self.dispatcher = self.start_dispatcher()  # what it was is good again
        wait_for(lambda: self.client.stats()["tasks"]["Unscheduled"] == 50, "all tasks")


class Removed(FleetTest):
    """Somebody removes the data files under a running dispatcher."""

    def accept_until_it_ends(self, remove):
        """Submits without a pause, removes the files meanwhile; the ids that were accepted."""
        accepted, asked = set(), 0
        peer = self.make_client()
        while self.dispatcher.is_alive():
            if asked < len(accepted) + 500:
                ids = [str(uuid.uuid4()) for _ in range(10)]
                asked += len(ids)
                peer.send(SUBMIT, asked, 0, [[i, {"model": "none"}, b"prompt"] for i in ids])
            while message := peer.receive(0.01):
                if message[0] == ACCEPTED:
                    accepted |= {verdict[0] for verdict in message[2] if verdict[1] == 0}
            if remove and len(accepted) > 200:
                remove()
                remove = None
        while message := peer.receive(0.5):
            if message[0] == ACCEPTED:
                accepted |= {verdict[0] for verdict in message[2] if verdict[1] == 0}
        self.assertEqual(self.dispatcher.wait(), 74)
        return accepted

    def the_error(self):
        errors = self.dispatcher.logged(
            "the store failed: stopping, since only a restart finds what is on the disk")
        self.assertEqual(len(errors), 1)
        return errors[0]["error"]

    def assert_known(self, accepted):
        self.assertEqual(self.client.stats()["tasks"]["Unscheduled"] >= len(accepted), True)
        for task_id in sorted(accepted):
            self.assertEqual(self.client.status(task_id)["status"], "Unscheduled", task_id)

    def test_whatever_was_accepted_is_saved_when_the_files_are_removed(self):
        data = self.folder / "data"

        def remove():
            for path in data.iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        accepted = self.accept_until_it_ends(remove)
        saved = data / "rescued-1.db"
        self.assertIn(f"tasks.db was removed or moved while this process used it; what was in it was saved as {saved}",
                      self.the_error())
        refused = self.start_dispatcher()
        self.assertEqual(refused.wait(), 65)
        saved.rename(data / "tasks.db")
        self.dispatcher = self.start_dispatcher()
        self.client = self.make_client()
        self.assert_known(accepted)

    def test_it_is_noticed_when_nobody_asks_for_anything(self):
        accepted = self.client.submit(3, model="none", watch=0)
        data = self.folder / "data"
        (data / "tasks.db").unlink()
        self.assertEqual(self.dispatcher.wait(), 74)
        (data / "rescued-1.db").rename(data / "tasks.db")
        self.dispatcher = self.start_dispatcher()
        self.client = self.make_client()
        self.assert_known(set(accepted))

    def test_the_log_that_was_left_does_not_ruin_the_copy_that_is_put_in_place(self):
        data, accepted = self.folder / "data", []
        for _ in range(10):  # more than the log holds, so that it holds the last of it alone
            accepted += self.client.submit(1000, payload=os.urandom(3500), model="none", watch=0)
        for task_id in accepted[:100]:
            self.client.cancel(task_id)
        (data / "tasks.db").unlink()
        self.assertEqual(self.dispatcher.wait(), 74)
        (data / "rescued-1.db").rename(data / "tasks.db")
        self.assertFalse((data / "tasks.db-wal").exists())
        self.dispatcher = self.start_dispatcher()
        self.client = self.make_client()
        for _ in range(10):
            self.client.submit(1000, payload=os.urandom(3500), model="none", watch=0)
        self.dispatcher.send(signal.SIGTERM)
        self.assertEqual(self.dispatcher.wait(), 0)
        self.dispatcher = self.start_dispatcher()
        self.client = self.make_client()
        self.assert_known(set(accepted[-100:]))
        self.assertEqual(self.client.stats()["tasks"]["Unscheduled"], 2 * len(accepted) - 100)

    def test_whatever_was_accepted_stays_in_a_folder_that_is_moved(self):
        data, moved = self.folder / "data", self.folder / "moved"
        accepted = self.accept_until_it_ends(lambda: data.rename(moved))
        self.assertIn("was removed or moved", self.the_error())
        self.assertFalse(data.exists())
        moved.rename(data)
        self.dispatcher = self.start_dispatcher()
        self.client = self.make_client()
        self.assert_known(accepted)


class Fenced(FleetTest):
    """Another dispatcher takes the store over while this one lives on."""
    TAKEN_OVER = 77

    def take_over(self):
        """As a second dispatcher would."""
        with contextlib.closing(sqlite3.connect(self.folder / "data" / "tasks.db")) as database, database:
            database.execute("UPDATE meta SET value = 'process 1 elsewhere' WHERE key = 'owner'")
            changed = database.execute("UPDATE meta SET value = value + 1 WHERE key = 'epoch'")
            self.assertEqual(changed.rowcount, 1)

    def assert_it_ends(self):
        self.assertEqual(self.dispatcher.wait(), self.TAKEN_OVER)
        said = self.dispatcher.logged("another dispatcher has taken the store over: stopping")
        self.assertEqual(len(said), 1)
        return said[0]["error"]

    def test_it_promises_nothing_more_and_ends_with_a_code_of_its_own(self):
        node = self.scripted_node("n1")
        task = self.client.submit()[0]
        ref = node.take()
        self.client.wait_status(task, "Sent")
        self.take_over()
        node.finish(ref)
        self.client.send(SUBMIT, 1000, 1, [["late", {}, b"x"]])
        self.assertIn("process 1 elsewhere", self.assert_it_ends())
        node.pump()
        self.client.pump()
        self.assertEqual((node.acked, self.client.results), ([], {}))
        self.assertFalse([m for m in self.client.seen if m[:2] == [ACCEPTED, 1000]])

        self.dispatcher = self.start_dispatcher()
        self.assertIsNone(self.client.status("late"))
        self.watch_and_deliver(node, ref, task)

    def watch_and_deliver(self, node, ref, task):
        self.client.ask(WATCH, TASKS, 1, [task])

        def acknowledged():
            node.pump()
            node.finish(ref)
            return node.acked
        wait_for(acknowledged, "the acknowledgement of the result")
        self.assertEqual(node.acked[0], [ref, 0])
        self.assertEqual(self.client.wait([task])[0]["data"], b"picture")
        self.assertEqual(self.client.status(task)["attempt"], 1)

    def test_it_is_noticed_when_nobody_asks_for_anything(self):
        self.take_over()
        self.assert_it_ends()

    def test_a_second_dispatcher_that_finds_no_lock_takes_it_over(self):
        task = self.client.submit(model="nobody")[0]
        (self.folder / "data" / "lock").unlink()
        clients = f"ipc://{self.folder}/clients-2"
        second = self.start("genai-dispatcher", "--clients-endpoint", clients, "--broker", self.link_endpoint,
                            "--data-dir", self.folder / "data", "--reserve-mib", 1, name="second")
        other = Client(clients)
        self.closers.append(other.close)
        self.assertEqual(other.status(task)["status"], "Unscheduled")
        self.client.send(SUBMIT, 1000, 1, [["late", {}, b"x"]])
        self.assertIn(f"process {second.pid} on ", self.assert_it_ends())
        self.client.pump()
        answers = [m for m in self.client.seen if m[:2] == [ACCEPTED, 1000]]  # the broker may have told it before
        self.assertFalse([verdict for answer in answers for verdict in answer[2] if verdict[1] == 0])
        self.assertIsNone(other.status("late"))
        other.submit()


class MemoryStore(FleetTest):
    dispatcher_options = ("--store", "memory")

    def test_it_says_what_it_is(self):
        self.assertEqual(self.client.stats()["store"], "memory")
        self.dispatcher.await_logged("tasks are kept in memory only: a crash of this process loses them")
        self.assertFalse((self.folder / "data").exists())


if __name__ == "__main__":
    unittest.main()
