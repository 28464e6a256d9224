"""Large payloads and results: they wait on the disk, survive what kills processes, and are read in any part."""
import json
import os
import pathlib
import shutil
import signal
import unittest

from commands import CtlTest
from harness import DELETE, DELETED, ERROR, FETCH, FETCHED, memory_mib, wait_for

MIB = 1 << 20


class Apart(CtlTest):
    def setUp(self):
        super().setUp()
        self.segments = self.folder / "data" / "segments"

    def restart(self, how=signal.SIGKILL):
        self.dispatcher.send(how)
        self.dispatcher.wait()
        self.dispatcher = self.start_dispatcher()

    def room(self):
        return sum(file.stat().st_blocks * 512 for file in self.segments.glob("*.segment"))

    def fetch(self, task_id, offset=0, most=8 * MIB):
        return self.client.ask(FETCH, FETCHED, task_id, offset, most)

    def fetch_all(self, task_id):
        data, total = b"", 1
        while len(data) < total:
            _, _, _, _, code, _, total, offset, part = self.fetch(task_id, len(data))
            self.assertEqual((code, offset), (0, len(data)))
            data += part
        return data

    def completed(self, pictures):
        """Echoed payloads that nobody has fetched, by task id."""
        made = {}
        for picture in pictures:
            task_id, = self.client.submit(payload=picture, watch=0)
            made[task_id] = picture
        for task_id in made:
            self.client.wait_status(task_id, "Completed")
        return made

    def test_waiting_results_take_no_memory_and_survive(self):
        self.start_nodes(1, "--echo", slots=4)
        before = memory_mib(self.dispatcher)
        made = self.completed(os.urandom(MIB) for _ in range(200))
        stats = self.client.stats()
        self.assertGreater(stats["result_bytes"], 200 * MIB)
        self.assertLess(stats["result_memory_bytes"], MIB)
        self.assertGreater(self.room(), 200 * MIB)
        if "GENAI_SANITIZED" not in os.environ:
            self.assertLess(memory_mib(self.dispatcher) - before, 120)
        self.restart()
        if "GENAI_SANITIZED" not in os.environ:
            self.assertLess(memory_mib(self.dispatcher), 100)
        for task_id, picture in list(made.items())[::20]:
            self.assertEqual(self.fetch_all(task_id), picture)
            self.assertEqual(self.fetch(task_id, 500_000, 1000)[8], picture[500_000:501_000])
        ids = list(made)
        self.client.send(42, 9999, 1, ids)  # WATCH
        for task_id, result in zip(ids, self.client.wait(ids)):
            self.assertEqual(result["data"], made[task_id])
        wait_for(lambda: self.room() < 2 * MIB, "the room to be given back")
        self.assertTrue(self.fetch(ids[0])[5]["result_gone"])

    def test_waiting_payloads_survive_and_reach_their_node_whole(self):
        payloads = [os.urandom(300_000) for _ in range(20)]
        made = {self.client.submit(payload=payload)[0]: payload for payload in payloads}
        self.restart()
        self.start_nodes(1, "--echo")
        self.client.send(42, 9999, 1, list(made))  # WATCH
        for task_id, result in zip(made, self.client.wait(list(made))):
            self.assertEqual(result["data"], made[task_id])

    def test_what_a_kill_left_half_written_is_collected(self):
        self.start_nodes(1, "--echo")
        made = self.completed([os.urandom(MIB)])
        self.dispatcher.kill()
        newest = max(self.segments.glob("*.segment"))
        with open(newest, "ab") as segment:
            segment.write(os.urandom(5 * MIB))  # of a commit that did not come to its end
        (self.segments / "00000099.segment").write_bytes(os.urandom(3 * MIB))
        self.dispatcher = self.start_dispatcher()
        wait_for(lambda: self.room() < 2 * MIB, "what belongs to nobody to go")
        for task_id, picture in made.items():
            self.assertEqual(self.fetch_all(task_id), picture)

    def test_a_damaged_result_is_told_and_harms_no_other(self):
        self.start_nodes(1, "--echo")
        made = self.completed([os.urandom(MIB), os.urandom(MIB)])
        bad, good = made
        self.dispatcher.kill()
        # The payloads are gone, and so the first MiB that is left is the first result's.
        with open(max(self.segments.glob("*.segment")), "r+b") as segment:
            whole = segment.read()
            at = whole.index(made[bad])
            segment.seek(at + 1000)
            segment.write(b"\0" * 100)
        self.dispatcher = self.start_dispatcher()
        kind, _, code, detail = self.fetch(bad)
        self.assertEqual((kind, code), (ERROR, 515), detail)
        self.assertEqual(self.client.status(bad)["result"], "dropped")
        self.assertEqual(self.fetch_all(good), made[good])

    def test_a_backup_has_the_large_data_too(self):
        self.start_nodes(1, "--echo")
        made = self.completed(os.urandom(MIB) for _ in range(5))
        waiting, = self.client.submit(payload=os.urandom(2 * MIB), model="nobody")
        copy = self.folder / "copy"
        done = self.ctl("backup", copy, "--data-dir", self.folder / "data", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        told = json.loads(done.stdout)
        self.assertEqual((told["folder"], told["large"], told["large_bytes"]), (f"{copy}.segments", 6, 7 * MIB))
        self.dispatcher.kill()
        shutil.rmtree(self.folder / "data")
        (self.folder / "data").mkdir()
        shutil.copy(copy, self.folder / "data" / "tasks.db")
        refused = self.start("genai-dispatcher", "--data-dir", self.folder / "data", "--broker", self.link_endpoint,
                             "--clients-endpoint", "ipc://" + str(self.folder / "other"), name="refused")
        self.assertEqual(refused.wait(), 65)
        self.assertIn("restore the folder together with the file", refused.log_path.read_text())
        shutil.copytree(f"{copy}.segments", self.segments, dirs_exist_ok=True)
        self.dispatcher = self.start_dispatcher()
        for task_id, picture in made.items():
            self.assertEqual(self.fetch_all(task_id), picture)
        self.assertEqual(self.client.status(waiting)["status"], "Unscheduled")

    def test_ctl_fetches_and_deletes(self):
        self.start_nodes(1, "--echo")
        picture = os.urandom(10 * MIB)  # more than one answer
        made = self.completed([picture, b"small"])
        large, small = made
        for _ in range(2):
            self.assertEqual(self.ctl("fetch", large).stdout, picture)
        out = self.folder / "out"
        done = self.ctl("fetch", "--out", out, "--suffix", ".bin", large, small)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual((out / f"{large}.bin").read_bytes(), picture)
        self.assertEqual((out / f"{small}.bin").read_bytes(), b"small")
        self.assertEqual(self.client.stats()["delivered_total"], 0)
        waiting, = self.client.submit(model="nobody")
        done = self.ctl("fetch", waiting)
        self.assertEqual((done.returncode, b"it is Unscheduled" in done.stderr), (1, True))
        done = self.ctl("delete", large, small)
        self.assertEqual((done.returncode, done.stdout.count(b"deleted")), (0, 2), done.stderr)
        wait_for(lambda: self.room() < MIB, "the room to be given back")
        done = self.ctl("fetch", large)
        self.assertEqual((done.returncode, b"unknown_task" in done.stderr or b"no task" in done.stderr
                          or large.encode() in done.stderr), (1, True))
        verdict = self.client.ask(DELETE, DELETED, [waiting])[2][0]
        self.assertEqual(verdict[1], 312)


if __name__ == "__main__":
    unittest.main(verbosity=2)
