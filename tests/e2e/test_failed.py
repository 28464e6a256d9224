"""Tasks that used up their attempts: listed, shown, replayed and purged with genai-ctl."""
import signal
import unittest
import uuid

from commands import CtlTest
from harness import wait_for


class Failed(CtlTest):
    def failing(self, count):
        """Ids of so many tasks that a bad node made fail; the node is gone."""
        node = self.start_node("bad", "--echo", "--echo-fail-ratio", 1)
        self.wait_online(1)
        ids = self.client.submit(count, payload=b"a red sphere", label="sphere", max_attempts=1)
        results = self.client.wait(ids)
        self.assertEqual({r["status"] for r in results}, {"Failed"})
        node.send(signal.SIGTERM)
        self.assertEqual(node.wait(), 0)
        return sorted(ids)

    def completed(self):
        task = self.client.submit(payload=b"good")[0]
        self.client.wait([task])
        return task

    def test_list_and_show(self):
        ids = self.failing(3)
        self.start_node("good", "--echo")
        other = self.completed()
        rows = self.rows("failed", "list")
        self.assertEqual([r["task_id"] for r in rows], ids)
        self.assertEqual({(r["status"], r["code"]) for r in rows}, {("Failed", "task_error")})
        self.assertEqual(len(self.rows("failed", "list", "--limit", 2)), 2)
        head, *lines = self.ctl("failed", "list").stdout.decode().splitlines()
        self.assertEqual(head.split(), ["TASK", "STATUS", "AGE", "LABEL", "CODE", "ERROR"])
        self.assertEqual([line.split()[0] for line in lines], ids)
        self.assertIn(rows[0]["error"][:20], lines[0])

        shown = self.ctl("failed", "show", ids[0])
        self.assertEqual((shown.returncode, shown.stdout),
                         (0, self.ctl("status", ids[0]).stdout))
        self.assertEqual(self.rows("failed", "show", ids[0])[0]["log"][0]["reason"], "accepted")
        for task, why in ((other, "is Completed, not Failed"), ("nobody", "no such task")):
            with self.subTest(task=task):
                refused = self.ctl("failed", "show", task, ids[0])
                self.assertEqual(refused.returncode, 1)
                self.assertIn(f"{task}: {why}", refused.stderr.decode())
                self.assertIn(ids[0], refused.stdout.decode())

    def test_replay_when_a_good_node_came(self):
        ids = self.failing(3)
        self.start_node("good", "--echo")
        done = self.ctl("failed", "replay", ids[0])
        self.assertEqual(done.returncode, 0, done.stderr)
        old, arrow, new = done.stdout.decode().split()
        self.assertEqual((old, arrow, uuid.UUID(new).version), (ids[0], "->", 7))
        watched = self.ctl("watch", new, "--out", self.folder / "out")
        self.assertEqual(watched.returncode, 0, watched.stderr)
        self.assertEqual((self.folder / "out" / new).read_bytes(), b"a red sphere")
        row = self.rows("status", new)[0]
        self.assertEqual((row["status"], row["label"]), ("Completed", "sphere"))
        self.assertEqual(self.client.status(ids[0])["status"], "Failed")  # what it was it stays

        rows = self.rows("failed", "replay", "--all")
        self.assertEqual([r["task_id"] for r in rows], ids)
        news = [r["new_task_id"] for r in rows]
        wait_for(lambda: {self.client.status(n)["status"] for n in news} == {"Completed"},
                 "the replays")

    def test_a_refused_replay_or_purge_is_an_exit_code(self):
        ids = self.failing(1)
        self.start_node("good", "--echo")
        good = self.completed()
        for command in ("replay", "purge"):
            with self.subTest(command=command):
                refused = self.ctl("failed", command, good, "nobody", ids[0])
                self.assertEqual(refused.returncode, 1)
                self.assertIn(f"{good}: not_failed: Completed", refused.stderr.decode())
                self.assertIn("nobody: unknown_task", refused.stderr.decode())
                self.assertIn(ids[0], refused.stdout.decode())  # the others go through
        row, = self.rows("failed", "replay", good, code=1)
        self.assertEqual((row["task_id"], row["code"], "new_task_id" in row),
                         (good, "not_failed", False))
        self.assertEqual(self.client.status(good)["status"], "Completed")

    def test_purge(self):
        ids = self.failing(3)
        self.assertEqual(self.ctl("failed", "purge", ids[0]).stdout.decode(), f"{ids[0]}  purged\n")
        self.assertIsNone(self.client.status(ids[0]))
        self.assertEqual(self.ctl("failed", "purge", "--all").returncode, 2)
        self.assertEqual([r["task_id"] for r in self.rows("failed", "list")], ids[1:])
        rows = self.rows("failed", "purge", "--all", "--yes")
        self.assertEqual([(r["task_id"], r["code"]) for r in rows], [(i, "ok") for i in ids[1:]])
        for command in (("list",), ("replay", "--all"), ("purge", "--all", "--yes")):
            self.assertEqual(self.rows("failed", *command), [])

    def test_usage(self):
        for arguments in ((), ("replay",), ("purge",), ("show",), ("replay", "x", "--all"),
                          ("purge", "x", "--all", "--yes"), ("purge", "--all"), ("fly",)):
            with self.subTest(arguments=arguments):
                done = self.ctl("failed", *arguments)
                self.assertEqual(done.returncode, 2)
                self.assertIn(b"genai-ctl", done.stderr)


if __name__ == "__main__":
    unittest.main()
