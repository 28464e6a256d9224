"""What happens around a dispatcher that is down for a while, and files it must not trust."""
import shutil
import signal
import sqlite3
import unittest

from harness import (ACCEPTED, LOST_MS, PURGE, PURGED, REPLAY, SUBMIT, TASKS, WATCH, FleetTest,
                     wait_for)


class Outages(FleetTest):
    def test_a_real_node_finishes_meanwhile_and_its_result_counts(self):
        ran, go, ended = (self.folder / name for name in ("ran", "go", "ended"))
        self.start_nodes(1, "--exec", f"echo $GENAI_TASK_ID >> {ran}; "
                         f"while [ ! -e {go} ]; do sleep 0.02; done; cat; touch {ended}")
        task = self.client.submit(payload=b"a harbour")[0]
        self.client.wait_status(task, "Sent")
        self.dispatcher.kill()
        go.touch()
        wait_for(ended.exists, "the end of the execution")
        self.dispatcher = self.start_dispatcher()
        self.client.ask(WATCH, TASKS, 1, [task])
        result = self.client.wait([task])[0]
        self.assertEqual((result["status"], result["data"]), ("Completed", b"a harbour"))
        self.assertEqual(self.client.status(task)["attempt"], 1)
        self.assertEqual(ran.read_text().split(), [task])

    def test_what_nobody_reports_is_requeued_one_lost_time_after_the_start(self):
        node = self.start_nodes(1, "--exec", "sleep 60")[0]
        task = self.client.submit()[0]
        self.client.wait_status(task, "Sent")
        self.dispatcher.kill()
        node.kill()
        self.start_node("other", "--echo")  # has room all the time
        self.dispatcher = self.start_dispatcher()
        self.client.ask(WATCH, TASKS, 1, [task])
        self.assertEqual(self.client.wait([task])[0]["info"]["node_id"], "other")
        at = {entry["reason"]: entry["at_ms"] for entry in self.client.status(task)["log"]}
        waited_ms = (at["its node did not report it after the restart"] -
                     at["the dispatcher was restarted: waiting for its node to report"])
        self.assertGreaterEqual(waited_ms, LOST_MS - 100)
        self.assertEqual(self.client.status(task)["attempt"], 2)

    def test_a_failed_task_keeps_its_log_and_content(self):
        bad = self.start_node("bad", "--exec", "echo no such checkpoint >&2; exit 3")
        self.wait_online(1)
        task = self.client.submit(payload=b"a bridge", max_attempts=2)[0]
        self.assertEqual(self.client.wait([task])[0]["status"], "Failed")
        bad.kill()
        before = self.client.status(task)
        self.dispatcher.kill()
        self.dispatcher = self.start_dispatcher()
        after = self.client.status(task)
        for key in ("status", "code", "error", "faults", "attempt", "created_ms", "log"):
            self.assertEqual(after[key], before[key], key)
        self.assertIn("no such checkpoint", after["error"])

        again = self.client.ask(SUBMIT, ACCEPTED, 1, [[task, {"max_attempts": 2}, b"a bridge"]])
        self.assertEqual(again[2], [[task, 0, "", 0, [0] * 4]])  # what it was, not a new try
        self.start_node("good", "--echo")
        replayed = self.client.ask(REPLAY, ACCEPTED, [[task, "again"]])
        self.assertEqual(replayed[2], [["again", 0, "", 0, [0] * 4]])
        self.client.ask(WATCH, TASKS, 1, ["again"])
        self.assertEqual(self.client.wait(["again"])[0]["data"], b"a bridge")
        self.assertEqual(self.client.ask(PURGE, PURGED, [task, "again"])[2],
                         [[task, 0, ""], ["again", 307, "Completed"]])
        self.dispatcher.kill()
        self.dispatcher = self.start_dispatcher()
        self.assertIsNone(self.client.status(task))
        self.assertEqual(self.client.status("again")["status"], "Completed")

    def test_a_cancelled_task_stays_aborted_at_its_node_too(self):
        node = self.scripted_node("n1")
        task = self.client.submit()[0]
        ref = node.take()
        self.client.wait_status(task, "Sent")
        self.assertEqual(self.client.cancel(task)[1], 0)
        self.dispatcher.kill()
        self.dispatcher = self.start_dispatcher()

        def told():
            node.pump()
            return node.aborted[1:]  # again, by the new one: the first ABORT may have been lost
        wait_for(told, "the ABORT of what the node still holds")
        self.assertEqual(node.aborted[-1], ref)
        node.finish(ref)
        wait_for(lambda: node.pump() or node.acked, "the answer to the late result")
        self.assertNotEqual(node.acked[0][1], 0)
        self.assertEqual(self.client.status(task)["status"], "Aborted")


class Untrusted(FleetTest):
    """Starts from a file that says something else than what was accepted."""

    def refused(self, code):
        process = self.start_dispatcher()
        self.assertEqual(process.wait(), code)
        self.assertFalse(process.logged("dispatcher ready"))
        return process.log_path.read_text()

    def stop(self):
        self.dispatcher.send(signal.SIGTERM)
        self.assertEqual(self.dispatcher.wait(), 0)

    def test_a_changed_payload_is_damage(self):
        task = self.client.submit()[0]
        self.stop()
        path = self.folder / "data" / "tasks.db"
        database = sqlite3.connect(path)
        self.addCleanup(database.close)
        for payload, code in ((b"PROMPT", 65), (b"prompt", None)):
            database.execute("UPDATE tasks SET payload = ? WHERE task_id = ?", [payload, task])
            database.commit()
            if code:
                log = self.refused(code)
                for word in (str(path), task, "payload", "restore a backup"):
                    self.assertIn(word, log)
        self.dispatcher = self.start_dispatcher()
        self.assertEqual(self.client.status(task)["status"], "Unscheduled")

    def test_a_file_of_something_else_is_left_alone(self):
        self.stop()
        data = self.folder / "data"
        shutil.rmtree(data)
        data.mkdir()
        database = sqlite3.connect(data / "tasks.db")
        database.execute("CREATE TABLE shopping(item)")
        database.execute("INSERT INTO shopping VALUES('milk')")
        database.commit()
        log = self.refused(65)
        self.assertIn(str(data / "tasks.db"), log)
        self.assertEqual(database.execute("SELECT * FROM shopping").fetchall(), [("milk",)])
        database.close()

    def test_a_data_dir_that_is_a_file(self):
        self.stop()
        data = self.folder / "data"
        data.rename(self.folder / "kept")
        data.write_text("not a folder")
        self.assertIn(str(data), self.refused(73))
        self.assertEqual(data.read_text(), "not a folder")


if __name__ == "__main__":
    unittest.main()
