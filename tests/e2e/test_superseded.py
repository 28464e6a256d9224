"""Two dispatchers, each with a store of its own, and one broker."""
import contextlib
import sqlite3
import time
import unittest
import uuid

from harness import ACCEPTED, LINK_HELLO, SNAPSHOT, SUBMIT, Client, FleetTest, Peer, wait_for

SUPERSEDED = 203


class Superseded(FleetTest):
    def start_second(self):
        options = {"--clients-endpoint": f"ipc://{self.folder}/clients-2", "--broker":
                   self.link_endpoint, "--data-dir": self.folder / "data-2", "--reserve-mib": 1,
                   "--heartbeat-interval-ms": 200, "--lost-ms": 1200}
        second = self.start("genai-dispatcher", *[o for pair in options.items() for o in pair],
                            name="second")
        client = Client(options["--clients-endpoint"])
        self.closers.append(client.close)
        return second, client

    def state(self, client):
        return client.stats()["brokers"][0]["state"]

    def complaints(self, dispatcher):
        return dispatcher.logged("the broker does not serve this dispatcher, trying on")

    def test_the_older_one_tells_its_clients_why_and_serves_again_when_the_other_is_gone(self):
        self.start_nodes(1, "--echo")
        waiting = self.client.submit(model="of nobody")[0]
        epoch = self.client.stats()["epoch"]
        ctl = self.start("genai-ctl", "--dispatcher", self.clients_endpoint, "submit", "--wait",
                         "--out", self.folder / "out", "--model", "of nobody", "a prompt")
        wait_for(lambda: self.client.stats()["accepted_total"] == 2, "its task")
        second, theirs = self.start_second()
        wait_for(lambda: self.state(self.client) == "superseded", "the first to be told")
        wait_for(lambda: "another dispatcher serves" in ctl.log_path.read_text(),
                 "who only waits to be told too")
        refused = self.client.ask(SUBMIT, ACCEPTED, 1, [["late", {}, b"x"]])
        self.assertEqual(refused[2][0][1], SUPERSEDED)
        self.assertIn("another dispatcher", refused[2][0][2])
        self.assertIn("another dispatcher", self.client.status(waiting)["waiting"])
        self.assertEqual(theirs.wait(theirs.submit())[0]["data"], b"prompt")  # who serves now

        second.kill()
        wait_for(lambda: self.state(self.client) == "connected", "the first to serve again")
        self.assertGreater(self.client.stats()["epoch"], epoch)
        self.assertEqual(self.client.wait(self.client.submit())[0]["data"], b"prompt")
        self.assertTrue(self.dispatcher.is_alive())
        # Five times the lost time have passed at least, and nobody filled a log.
        self.assertLessEqual(len(self.complaints(self.dispatcher)), 2)
        self.assertLessEqual(len(self.broker.logged("dispatcher refused")), 10)

    def test_it_serves_again_also_when_the_clock_of_the_other_was_fast(self):
        other, an_hour = Peer(self.link_endpoint), 3_600_000
        other.send(LINK_HELLO, uuid.uuid4().bytes, int(time.time() * 1000) + an_hour)
        other.expect(SNAPSHOT)
        other.close()
        wait_for(lambda: self.state(self.client) == "superseded", "the first to be told")
        wait_for(lambda: self.state(self.client) == "connected", "the first to serve again")
        self.assertLess(len(self.dispatcher.logged("the dispatcher that took over is gone: asking to serve again")), 30)

    def test_a_store_that_another_program_keeps_locked_does_not_end_it(self):
        other = Peer(self.link_endpoint)
        other.send(LINK_HELLO, uuid.uuid4().bytes, int(time.time() * 1000) + 60_000)
        other.expect(SNAPSHOT)
        other.close()
        with contextlib.closing(sqlite3.connect(self.folder / "data/tasks.db", isolation_level=None)) as store:
            store.execute("BEGIN IMMEDIATE")
            time.sleep(18)  # four lost times, and as long as SQLite waits for the lock
            self.assertTrue(self.dispatcher.is_alive())
            store.execute("ROLLBACK")
        wait_for(lambda: self.state(self.client) == "connected", "the first to serve again")

    def test_two_dispatchers_do_not_replace_each_other_for_ever(self):
        first, (second, theirs) = self.dispatcher, self.start_second()
        wait_for(lambda: self.state(self.client) == "superseded", "the first to be told")
        self.broker.kill()  # a new one knows neither
        self.broker = self.start_broker()
        wait_for(lambda: self.state(theirs) == "connected" and
                 self.state(self.client) == "superseded", "the second to serve again")
        self.assertLessEqual(len(self.broker.logged("dispatcher connected")), 2)
        self.assertTrue(first.is_alive() and second.is_alive())


if __name__ == "__main__":
    unittest.main()
