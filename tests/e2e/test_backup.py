"""genai-ctl backup of a dispatcher's store, and what it is good for."""
import contextlib
import json
import resource
import shutil
import signal
import sqlite3
import subprocess
import threading
import unittest

from commands import CtlTest
from harness import BIN


class Backup(CtlTest):
    def setUp(self):
        super().setUp()
        self.data, self.copies = self.folder / "data", self.folder / "copies"
        self.copies.mkdir()
        self.file = self.copies / "tasks.backup"

    def backup(self, *arguments, code=0, **options):
        done = self.ctl("backup", self.file, "--data-dir", self.data, *arguments, **options)
        self.assertEqual(done.returncode, code, done.stderr)
        return (done.stderr if code else done.stdout).decode()

    def assert_alone(self, file):
        """The copy is one file, and needs no other to be read."""
        self.assertEqual(list(self.copies.iterdir()), [file])
        with contextlib.closing(sqlite3.connect(f"file:{file}?immutable=1", uri=True)) as db:
            self.assertEqual(db.execute("PRAGMA journal_mode").fetchone()[0], "delete")
            self.assertEqual(db.execute("PRAGMA integrity_check").fetchone()[0], "ok")
            return [row[0] for row in db.execute("SELECT task_id FROM tasks ORDER BY task_id")]

    def test_while_the_dispatcher_takes_tasks(self):
        ids = self.client.submit(300)
        submitting = threading.Event()
        other = self.make_client()

        def submit():
            while not submitting.is_set():
                other.submit(50)
        load = threading.Thread(target=submit)
        load.start()
        try:
            rows = json.loads(self.backup("--json"))
        finally:
            submitting.set()
            load.join()
        copied = self.assert_alone(self.file)
        self.assertLessEqual(set(ids), set(copied))
        self.assertEqual(rows, {"file": str(self.file), "tasks": len(copied),
                                "bytes": self.file.stat().st_size, "folder": "", "large": 0, "large_bytes": 0})
        self.assertEqual(self.file.stat().st_mode & 0o777, 0o600)

    def test_a_killed_dispatchers_store_and_back_again(self):
        ids = self.client.submit(20)
        self.dispatcher.kill()
        self.assertIn("20 tasks", self.backup())
        self.assertEqual(self.assert_alone(self.file), sorted(ids))
        shutil.rmtree(self.data)
        self.data.mkdir()
        shutil.copy(self.file, self.data / "tasks.db")
        self.dispatcher = self.start_dispatcher()
        self.start_nodes(1, "--echo")
        self.client.send(42, 1000, 1, ids)  # WATCH
        self.assertEqual({r["data"] for r in self.client.wait(ids)}, {b"prompt"})

    def test_a_stopped_dispatchers_store(self):
        self.client.submit(3)
        self.dispatcher.send(signal.SIGTERM)
        self.assertEqual(self.dispatcher.wait(), 0)
        self.assertIn("3 tasks", self.backup())
        self.dispatcher = self.start_dispatcher()  # nothing is in its way
        self.assertEqual(len(self.client.submit(1)), 1)

    def test_what_exists_is_not_replaced_unless_told(self):
        self.file.write_text("precious")
        self.assertIn("exists already", self.backup(code=1))
        self.assertEqual(self.file.read_text(), "precious")
        self.backup("--force")
        self.assert_alone(self.file)
        stale = self.copies / "tasks.backup-wal"
        self.file.unlink()
        stale.write_text("of another file of that name")
        self.assertIn("tasks.backup-wal exists already", self.backup(code=1))
        self.backup("--force")
        self.assert_alone(self.file)

    def test_the_store_itself_is_never_replaced(self):
        task = self.client.submit()[0]
        self.file.symlink_to(self.data / "tasks.db")
        for file in (self.data / "tasks.db", self.file):
            done = self.ctl("backup", file, "--data-dir", self.data, "--force")
            self.assertEqual(done.returncode, 1)
            self.assertIn(b"is the store itself", done.stderr)
        self.assertEqual(self.client.status(task)["status"], "Unscheduled")

    def test_links_planted_beside_the_copy_are_not_followed(self):
        precious = self.folder / "precious"
        precious.write_text("precious")
        planted = [self.copies / f"{self.file.name}{end}" for end in (".tmp", ".tmp-journal", ".part")]
        for link in planted:
            link.symlink_to(precious)
        self.client.submit(2)
        self.assertIn("2 tasks", self.backup())
        self.assertEqual(precious.read_text(), "precious")
        for link in planted:
            link.unlink()
        self.assertEqual(len(self.assert_alone(self.file)), 2)

    def test_what_cannot_be_is_said_and_leaves_nothing(self):
        def with_little_room():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        self.assertIn("cannot copy", self.backup(code=1, preexec_fn=with_little_room))
        self.assertEqual(list(self.copies.iterdir()), [])

        done = self.ctl("backup", self.file, "--data-dir", self.folder)
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"there is no {self.folder}/tasks.db: --data-dir names", done.stderr.decode())
        done = self.ctl("backup", self.folder / "no" / "where", "--data-dir", self.data)
        self.assertEqual(done.returncode, 1)
        self.assertIn("No such file", done.stderr.decode())
        self.assertIn("is a folder", self.ctl("backup", self.copies, "--data-dir", self.data,
                                              "--force").stderr.decode())

    def test_a_damaged_store_gives_no_backup(self):
        self.client.submit(200, payload=b"p" * 3000)
        self.dispatcher.send(signal.SIGTERM)
        self.assertEqual(self.dispatcher.wait(), 0)
        store = self.data / "tasks.db"
        with open(store, "r+b") as file:
            file.seek(store.stat().st_size // 2 // 4096 * 4096)
            file.write(b"\xff" * 4096 * 8)
        self.assertIn("damaged", self.backup(code=1))
        store.write_text("no database at all, but long enough to be looked at" * 100)
        self.assertIn("not a database", self.backup(code=1))
        self.assertEqual(list(self.copies.iterdir()), [])

    def test_it_needs_no_dispatcher_to_talk_to(self):
        self.backup("--timeout-s", 1, endpoint=f"ipc://{self.folder}/nowhere")
        environment = {"HOME": str(self.folder), "XDG_STATE_HOME": str(self.folder / "state")}
        done = subprocess.run([BIN / "genai-ctl", "backup", "--help"], env=environment,
                              capture_output=True, text=True, timeout=60)
        self.assertRegex(done.stdout, r"default: (/var/lib|\S+/state)/genai-dispatcher\)")


if __name__ == "__main__":
    unittest.main()
