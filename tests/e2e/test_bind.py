"""An address is served by one daemon at a time: whoever comes second is told so and ends, and the first goes on."""
import unittest

from harness import FleetTest, free_port, wait_for


class OneOwner(FleetTest):
    def second_broker(self, nodes, link):
        return self.start("genai-broker", "--nodes-endpoint", nodes, "--link-endpoint", link,
                          name="second-broker")

    def second_dispatcher(self, clients):
        return self.start("genai-dispatcher", "--clients-endpoint", clients, "--broker", self.link_endpoint,
                          "--data-dir", self.folder / "other", "--reserve-mib", 1, name="second-dispatcher")

    def assert_refused(self, process, option, endpoint, owner=None):
        self.assertEqual(process.wait(), 1)
        [line] = [e["msg"] for e in process.entries() if e["level"] == "error"]
        self.assertIn(f"{option}: cannot bind {endpoint}: Address already in use", line)
        if owner:
            self.assertIn(f"process {owner.pid}", line)

    def do_tasks(self):
        results = self.client.wait(self.client.submit(10))
        self.assertEqual([r["data"] for r in results], [b"prompt"] * 10)

    def test_ipc_paths_of_living_daemons_are_not_taken_over(self):
        self.start_nodes(1, "--echo")
        free = f"ipc://{self.folder}/free"
        self.assert_refused(self.second_broker(self.nodes_endpoint, free), "nodes-endpoint",
                            self.nodes_endpoint, self.broker)
        self.assert_refused(self.second_broker(free, self.link_endpoint), "link-endpoint",
                            self.link_endpoint, self.broker)
        self.assert_refused(self.second_dispatcher(self.clients_endpoint), "clients-endpoint",
                            self.clients_endpoint, self.dispatcher)
        self.do_tasks()
        newcomer = self.make_client()  # the path still leads to the first
        newcomer.wait(newcomer.submit(1))

    def test_tcp_and_abstract_addresses_are_refused_alike(self):
        for address in (f"tcp://127.0.0.1:{free_port()}", f"ipc://@{self.folder}"):
            with self.subTest(address=address):
                first = self.start("genai-broker", "--nodes-endpoint", address, "--link-endpoint",
                                   f"ipc://{self.folder}/link-of-{address[:3]}")
                wait_for(lambda: first.logged("broker ready"), "the first broker")
                self.assert_refused(self.second_broker(address, f"ipc://{self.folder}/free"), "nodes-endpoint",
                                    address)
                first.kill()

    def test_one_path_for_two_sockets(self):
        both = f"ipc://{self.folder}/both"
        self.assert_refused(self.second_broker(both, both), "link-endpoint", both)

    def test_daemons_that_died_are_succeeded_at_once(self):
        self.start_nodes(1, "--echo")
        for _ in range(3):
            self.broker.kill()
            self.dispatcher.kill()
            self.broker = self.start_broker()
            self.dispatcher = self.start_dispatcher()
            self.do_tasks()

    def test_a_file_that_is_no_socket_is_not_deleted(self):
        precious = self.folder / "precious"
        precious.write_text("thesis")
        process = self.second_dispatcher(f"ipc://{precious}")
        self.assertEqual(process.wait(), 1)
        self.assertIn("not a socket", process.log_path.read_text())
        self.assertEqual(precious.read_text(), "thesis")


if __name__ == "__main__":
    unittest.main()
