"""A name that has only an IPv6 address is reached by every program that connects."""
import socket
import subprocess
import sys
import unittest

import zmq

from harness import BIN, HEARTBEAT_MS, LOST_MS, ROOT, SUSPECT_MS, FleetTest, wait_for
from permission import skip

NAME = "six-only.test"


def free_port():
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as probe:
        return probe.getsockname()[1]


class SixOnly(FleetTest):
    """Every program sees a hosts file of the test's own, in a mount namespace."""

    def setUp(self):
        self.in_namespace("/etc/hosts", "true")
        context = zmq.Context.instance()
        context.setsockopt(zmq.IPV6, 1)  # of the sockets that the test makes itself
        self.addCleanup(context.setsockopt, zmq.IPV6, 0)
        super().setUp()

    def in_namespace(self, hosts, *command):
        """What runs the command where `hosts` is the hosts file; skips where that is not permitted."""
        wrapped = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', hosts, *command]
        if command == ("true",):
            done = subprocess.run(wrapped, capture_output=True)
            if done.returncode:
                skip(self, f"no mount namespaces here: {done.stderr.decode().strip()}")
        return [str(part) for part in wrapped]

    def start(self, program, *arguments, name=None):
        path, *wrapped = self.in_namespace(self.folder / "hosts", BIN / program, *arguments)
        return super().start(f"/usr/bin/{path}", *wrapped, name=name or program)

    def start_broker(self):
        (self.folder / "hosts").write_text(f"127.0.0.1 localhost\n::1 {NAME}\n")
        nodes, link, clients = free_port(), free_port(), free_port()
        self.nodes_endpoint = f"tcp://{NAME}:{nodes}"
        self.link_endpoint = f"tcp://{NAME}:{link}"
        self.named_clients, self.clients_endpoint = f"tcp://{NAME}:{clients}", f"tcp://[::1]:{clients}"
        return self.start("genai-broker", "--nodes-endpoint", f"tcp://[::1]:{nodes}", "--link-endpoint",
                          f"tcp://[::1]:{link}", "--heartbeat-interval-ms", HEARTBEAT_MS,
                          "--suspect-ms", SUSPECT_MS, "--lost-ms", LOST_MS)

    def start_dispatcher(self):
        return self.start("genai-dispatcher", "--clients-endpoint", self.clients_endpoint, "--broker",
                          self.link_endpoint, "--insecure", "--data-dir", self.folder / "data",
                          "--reserve-mib", 1, "--heartbeat-interval-ms", HEARTBEAT_MS)

    def run_here(self, *command):
        return subprocess.run(self.in_namespace(self.folder / "hosts", *command), capture_output=True,
                              text=True, timeout=60)

    def test_every_program_reaches_it(self):
        self.start_node("n1", "--insecure", "--echo")  # and the dispatcher has reached the broker
        self.wait_online(1)
        ctl = (BIN / "genai-ctl", "--dispatcher", self.named_clients, "--insecure")
        done = self.run_here(*ctl, "submit", "--wait", "over six")
        self.assertEqual((done.returncode, done.stdout), (0, "over six"), done.stderr)
        client = (sys.executable, ROOT / "tools/python/client.py", "--dispatcher", self.named_clients)
        done = self.run_here(*client, "in python")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("in python", done.stdout)

    def test_a_node_finds_it_again_after_the_broker_was_away(self):
        self.start_node("n1", "--insecure", "--echo")
        self.wait_online(1)
        self.broker.send(19)  # SIGSTOP: silence, so that everybody makes a new connection
        wait_for(lambda: self.client.nodes() == {} or
                 self.client.nodes()["n1"]["state"] == "unreachable", "the silence")
        self.broker.send(18)
        self.wait_online(1)
        task = self.client.submit()
        self.assertEqual(self.client.wait(task)[0]["status"], "Completed")


if __name__ == "__main__":
    unittest.main()
