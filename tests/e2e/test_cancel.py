"""Cancel, abort, progress, drain."""
import unittest

from harness import DONE, DRAIN, ERROR, UPDATE, FleetTest, wait_for


class Cancel(FleetTest):
    def test_queued(self):
        task = self.client.submit()[0]
        self.assertEqual(self.client.cancel(task)[1], 0)
        result = self.client.wait([task])[0]
        self.assertEqual((result["status"], result["code"]), ("Aborted", 504))
        self.assertEqual(self.client.cancel(task)[1], 304)
        self.assertEqual(self.client.cancel("nobody")[1], 300)

    def test_running(self):
        pid_file = self.folder / "pid"
        self.start_nodes(1, "--exec", f"sleep 300 & echo $! > {pid_file}; wait")
        task = self.client.submit()[0]
        pid = wait_for(lambda: pid_file.exists() and pid_file.read_text().strip(), "the program")
        self.assertEqual(self.client.cancel(task)[1], 0)
        self.assertEqual(self.client.wait([task])[0]["status"], "Aborted")

        def is_gone():
            try:
                with open(f"/proc/{pid}/stat") as stat:
                    return stat.read().rsplit(")", 1)[1].split()[0] == "Z"
            except FileNotFoundError:
                return True
        wait_for(is_gone, "the end of the program's child")
        wait_for(lambda: self.client.nodes()["node-1"]["in_flight"] == 0, "ABORT_ACK")
        # The slot serves the next one.
        self.assertEqual(self.client.status(task)["status"], "Aborted")


class Watching(FleetTest):
    def test_progress_reaches_the_watcher(self):
        self.start_nodes(1, "--exec", "for i in 1 2 3; do echo 0.$i step $i >&3; sleep 0.3; done")
        task = self.client.submit(watch=2)[0]
        self.client.wait([task])
        updates = [e for m in self.client.seen if m[0] == UPDATE for e in m[1]]
        self.assertIn("step 2", [u[4] for u in updates])
        fractions = [u[3] for u in updates if u[1] == 2]
        self.assertEqual(fractions, sorted(fractions))
        self.assertEqual([u[1] for u in updates][-1], 4)


class Drain(FleetTest):
    def test_a_drained_node_gets_nothing(self):
        self.start_nodes(2, "--echo")
        self.assertEqual(self.client.ask(DRAIN, DONE, "node-1", True)[0], DONE)
        results = self.client.wait(self.client.submit(20))
        self.assertEqual({r["info"]["node_id"] for r in results}, {"node-2"})
        self.assertEqual(self.client.ask(DRAIN, DONE, "node-1", False)[0], DONE)
        results = self.client.wait(self.client.submit(20))
        self.assertEqual({r["info"]["node_id"] for r in results}, {"node-1", "node-2"})
        self.assertEqual(self.client.ask(DRAIN, DONE, "nobody", True)[0], ERROR)


if __name__ == "__main__":
    unittest.main()
