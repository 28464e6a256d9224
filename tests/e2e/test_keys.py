"""A fleet with keys: who gets in, as whom, and for how long."""
import os
import pathlib
import signal
import subprocess
import tempfile
import unittest

import zmq

import zmtp
from harness import BIN, Process, costs_at_most, free_port, wait_for

PYTHON = pathlib.Path(__file__).resolve().parents[2] / "tools" / "python"


class Keys(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="genai-keys-"))
        self.addCleanup(subprocess.run, ["rm", "-rf", str(self.folder)], check=True)
        self.nodes, self.link, self.clients = (f"tcp://127.0.0.1:{free_port()}" for _ in range(3))
        for name in ("broker", "dispatcher", "painter", "acme", "other", "admin", "stranger"):
            self.ctl("keygen", self.key(name))
        self.authorize("nodes", "dispatcher", "--dispatcher")
        self.authorize("nodes", "painter", "--node", "painter")
        self.authorize("clients", "acme", "--tenant", "acme", "--roles", "submit,watch")
        self.authorize("clients", "other", "--tenant", "other", "--roles", "submit,watch")
        self.authorize("clients", "admin", "--roles", "admin")

    def key(self, name):
        return self.folder / f"{name}.key"

    def ctl(self, *arguments, ok=True):
        done = subprocess.run([str(a) for a in (BIN / "genai-ctl", *arguments)], text=True,
                              capture_output=True, timeout=60)
        if ok:
            self.assertEqual(done.returncode, 0, done.stderr)
        return done

    @staticmethod
    def text_of(file):
        """The key in a file of keygen."""
        return pathlib.Path(file).read_text().splitlines()[-1]

    def authorize(self, folder, name, *as_what):
        self.ctl("authorize", self.folder / folder, f"{self.key(name)}.pub", *as_what)

    def ask(self, name, *arguments, ok=True, timeout_s=20):
        return self.ctl("--dispatcher", self.clients, "--key-file", self.key(name), "--server-key",
                        f"{self.key('dispatcher')}.pub", "--timeout-s", timeout_s, *arguments, ok=ok)

    def start(self, name, *arguments):
        process = Process(self.folder, name, BIN / name, *arguments)
        self.addCleanup(process.close)
        return process

    def start_fleet(self):
        self.broker = self.start(
            "genai-broker", "--nodes-endpoint", self.nodes, "--link-endpoint", self.link,
            "--key-file", self.key("broker"), "--authorized-keys", self.folder / "nodes",
            "--secure-loopback")
        self.dispatcher = self.start(
            "genai-dispatcher", "--log-level", "debug", "--store", "memory", "--clients-endpoint",
            self.clients, "--broker", self.link, "--broker-key", f"{self.key('broker')}.pub",
            "--key-file", self.key("dispatcher"), "--authorized-keys", self.folder / "clients",
            "--secure-loopback")
        self.node = self.start_node("painter", "painter")

    def start_node(self, key, node_id):
        return self.start("genai-node", "--broker", self.nodes, "--node-id", node_id, "--key-file",
                          self.key(key), "--server-key", f"{self.key('broker')}.pub", "--echo")

    def reload(self, process):
        before = len(process.logged("keys read again"))
        process.send(signal.SIGHUP)
        wait_for(lambda: len(process.logged("keys read again")) > before, "the keys to be read")

    def joined(self):
        return [e["node_id"] for e in self.broker.logged("node joined")]

    def test_who_has_a_key_works_and_nobody_else(self):
        self.start_fleet()
        self.assertEqual(self.ask("acme", "submit", "--wait", "hello").stdout, "hello")
        task = self.ask("acme", "list").stdout.split()[5]
        self.assertIn(task, self.ask("admin", "list").stdout)
        # Another tenant neither sees it nor can touch it; and nodes are an admin's business.
        self.assertNotIn(task, self.ask("other", "list").stdout)
        self.assertNotEqual(self.ask("other", "cancel", task, ok=False).returncode, 0)
        self.assertIn("not_allowed", self.ask("other", "nodes", ok=False).stderr)
        self.assertIn("painter", self.ask("admin", "nodes").stdout)
        # A key that nobody authorized, and none.
        self.assertIn("no answer", self.ask("stranger", "list", ok=False, timeout_s=2).stderr)
        plain = self.ctl("--dispatcher", self.clients, "--timeout-s", 2, "list", ok=False)
        self.assertIn("no answer", plain.stderr)
        # A node under an id that its key is not for.
        liar = self.start_node("painter", "somebody-else")
        wait_for(lambda: self.broker.logged("node refused"), "the refusal")
        self.assertIn("another node", self.broker.logged("node refused")[0]["reason"])
        self.assertTrue(liar.is_alive())
        wait_for(lambda: self.joined() == ["painter"], "the join to be logged")

    def test_revoked_keys_end_at_once_and_others_stay(self):
        self.start_fleet()
        self.ask("acme", "submit", "--wait", "one")
        self.ctl("revoke", self.folder / "nodes", f"{self.key('painter')}.pub")
        self.reload(self.broker)
        wait_for(lambda: self.broker.logged("node lost"), "the end of the session")
        self.assertIn("revoked", self.broker.logged("node lost")[0]["reason"])
        self.assertNotIn("painter", self.ask("admin", "nodes").stdout)
        self.ctl("revoke", self.folder / "clients", f"{self.key('acme')}.pub")
        self.reload(self.dispatcher)
        self.assertIn("no answer", self.ask("acme", "list", ok=False, timeout_s=2).stderr)
        self.ask("other", "list")
        # Authorized again, the same process is back by itself.
        self.authorize("nodes", "painter", "--node", "painter")
        self.reload(self.broker)
        wait_for(lambda: len(self.joined()) == 2, "the node to be back")
        self.assertEqual(self.ask("other", "submit", "--wait", "two").stdout, "two")

    def test_work_goes_on_while_keys_are_read(self):
        """Tens of thousands of files take seconds; one that does not end stands for them."""
        self.start_fleet()
        wait_for(self.joined, "the node")
        for process, folder in ((self.broker, "nodes"), (self.dispatcher, "clients")):
            os.mkfifo(self.folder / folder / "slow.toml")
            process.send(signal.SIGHUP)
        self.assertEqual(self.ask("acme", "submit", "--wait", "meanwhile").stdout, "meanwhile")
        key = self.text_of(f"{self.key('stranger')}.pub")
        for process, folder in ((self.broker, "nodes"), (self.dispatcher, "clients")):
            self.assertEqual(process.logged("keys read again"), [])
            with open(self.folder / folder / "slow.toml", "w") as file:  # waits for the reader
                file.write(f'key = "{key}"\nroles = ["admin"]\n')
            wait_for(lambda: process.logged("keys read again"), "the keys to be read")
            self.assertEqual(process.logged("keys read again")[0]["revoked"], 0)
        self.ask("stranger", "list")
        # One that never ends keeps nobody from stopping the daemon, and is told of.
        os.mkfifo(self.folder / "nodes" / "endless.toml")
        def warned():
            self.broker.send(signal.SIGHUP)  # two may arrive as one
            return self.broker.logged("the keys are still being read: once more afterwards")
        wait_for(warned, "the warning")
        self.broker.send(signal.SIGTERM)
        self.assertEqual(self.broker.wait(10), 0)

    def test_a_broken_folder_changes_nothing(self):
        self.start_fleet()
        wait_for(self.joined, "the node")
        broken = self.folder / "nodes" / "broken.toml"
        broken.write_text('key = "short"\n')
        self.broker.send(signal.SIGHUP)
        text = "the keys stay as they were: they cannot be read"
        wait_for(lambda: self.broker.logged(text), "the complaint")
        self.assertIn(f"{broken}:1: key:", self.broker.logged(text)[0]["error"])
        self.assertEqual(self.ask("acme", "submit", "--wait", "still").stdout, "still")

    def test_revoke_leaves_no_file_that_names_the_key(self):
        self.start_fleet()
        wait_for(self.joined, "the node")
        by_hand = self.folder / "nodes" / "by-hand.toml"
        key = self.text_of(f"{self.key('painter')}.pub")
        by_hand.write_text(f'key = "{key}"\nnode = "painter"\n')
        again = self.ctl("authorize", self.folder / "nodes", f"{self.key('painter')}.pub", "--node",
                         "painter", ok=False)
        self.assertEqual(again.returncode, 1)
        self.assertIn(str(by_hand), again.stderr)
        done = self.ctl("revoke", self.folder / "nodes", f"{self.key('painter')}.pub")
        self.assertEqual(done.stdout.count("revoked: "), 2)
        self.reload(self.broker)
        wait_for(lambda: self.broker.logged("node lost"), "the end of the session")

    def test_revoke_tells_when_daemons_cannot_follow(self):
        self.start_fleet()
        wait_for(self.joined, "the node")
        broken = self.folder / "nodes" / "broken.toml"
        broken.write_text('key = "short"\n')
        done = self.ctl("revoke", self.folder / "nodes", f"{self.key('painter')}.pub", ok=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"{broken}:1: key:", done.stderr)
        self.assertIn("keep their old keys", done.stderr)
        self.assertNotIn("in force", done.stdout)
        broken.unlink()
        self.reload(self.broker)
        wait_for(lambda: self.broker.logged("node lost"), "the end of the session")

    def test_strangers_without_number_reach_nothing(self):
        self.start_fleet()
        wait_for(self.joined, "the node")
        public, secret = zmq.curve_keypair()
        strangers = []
        with costs_at_most(32, self.broker, self.dispatcher):
            for endpoint, server in ((self.nodes, "broker"), (self.clients, "dispatcher")):
                for i in range(200):
                    stranger = zmq.Context.instance().socket(zmq.DEALER)
                    self.addCleanup(stranger.close, 0)
                    if i % 2:  # with a key that nobody authorized; the others do not encrypt
                        stranger.curve_publickey, stranger.curve_secretkey = public, secret
                        stranger.curve_serverkey = self.text_of(f"{self.key(server)}.pub").encode()
                    stranger.connect(endpoint)
                    stranger.send(b"junk", zmq.DONTWAIT)
                    strangers.append(stranger)
                for _ in range(200):  # and some that stop in the middle
                    half = zmtp.Connection(endpoint)
                    self.addCleanup(half.close)
                    half.send(zmtp.GREETING.replace(b"NULL\0", b"CURVE")[:60])
            self.assertEqual(self.ask("acme", "submit", "--wait", "hello").stdout, "hello")
        self.assertFalse(self.broker.logged("frames of nodes refused"))
        self.assertFalse(self.dispatcher.logged("client refused"))
        self.assertFalse([stranger for stranger in strangers if stranger.poll(0)])

    def test_a_link_is_renewed_without_the_key_files(self):
        self.start_fleet()
        self.ask("acme", "submit", "--wait", "one")
        self.key("dispatcher").unlink()
        self.broker.send(signal.SIGSTOP)
        wait_for(lambda: self.dispatcher.logged("broker lost"), "the silence to be noticed")
        self.broker.send(signal.SIGCONT)
        self.assertEqual(self.ask("acme", "submit", "--wait", "two").stdout, "two")
        self.assertTrue(self.dispatcher.is_alive())

    def test_logs_hold_no_keys(self):
        self.start_fleet()
        self.ask("acme", "submit", "--wait", "hello")
        self.reload(self.broker)
        # Given a public key where its own is wanted, and a secret one where a public one is.
        confused = self.start("genai-node", "--broker", self.nodes, "--node-id", "painter",
                              "--key-file", f"{self.key('painter')}.pub", "--server-key",
                              self.key("broker"), "--echo")
        self.assertEqual(confused.wait(), 2)
        logs = "".join(p.log_path.read_text()
                       for p in (self.broker, self.dispatcher, self.node, confused))
        for file in self.folder.glob("*.key*"):
            self.assertNotIn(self.text_of(file), logs)

    def test_python_programs_have_keys_too(self):
        self.start_fleet()
        done = subprocess.run(
            ["/usr/bin/python3", str(PYTHON / "client.py"), "--dispatcher", self.clients, "--key-file",
             str(self.key("acme")), "--server-key", f"{self.key('dispatcher')}.pub", "from python"],
            text=True, capture_output=True, timeout=60)
        self.assertIn("Completed from python", done.stdout, done.stderr)

    def test_a_python_node_has_keys_too(self):
        self.start_fleet()
        wait_for(self.joined, "the node")
        self.node.close()
        process = Process(self.folder, "python-node", "/usr/bin/python3", PYTHON / "node.py",
                          "--broker", self.nodes, "--node-id", "painter", "--key-file",
                          self.key("painter"), "--server-key", f"{self.key('broker')}.pub")
        self.addCleanup(process.close)
        self.assertEqual(self.ask("acme", "submit", "--wait", "hello").stdout, "HELLO")

    def check(self, program, *arguments):
        return subprocess.run([str(a) for a in (BIN / program, *arguments, "--check-config")],
                              text=True, capture_output=True, timeout=60)

    def test_other_machines_need_a_key(self):
        server = ("--key-file", self.key("broker"), "--authorized-keys", self.folder / "nodes")
        for program, option in (("genai-broker", "--nodes-endpoint"),
                                ("genai-dispatcher", "--clients-endpoint")):
            refused = self.check(program, option, "tcp://0.0.0.0:7")
            self.assertEqual(refused.returncode, 2)
            self.assertIn("--key-file", refused.stderr)
            self.assertEqual(self.check(program, option, "tcp://0.0.0.0:7", *server).returncode, 0)
        away = "tcp://192.0.2.1:7"
        pair = ("--key-file", self.key("painter"), "--server-key", f"{self.key('broker')}.pub")
        for program, arguments in (("genai-node", ("--echo", "--broker", away)),
                                   ("genai-ctl", ("--dispatcher", away))):
            self.assertIn("--insecure", self.check(program, *arguments).stderr)
            self.assertEqual(self.check(program, *arguments, "--insecure").returncode, 0)
            self.assertEqual(self.check(program, *arguments, *pair).returncode, 0)

    def test_a_key_file_that_others_may_read_is_refused(self):
        config = self.folder / "broker.toml"
        config.write_text(f'key_file = "{self.key("broker")}"\n'
                          f'authorized_keys = "{self.folder}/nodes"\n')
        self.assertEqual(self.check("genai-broker", "--config", config).returncode, 0)
        os.chmod(self.key("broker"), 0o640)
        refused = self.check("genai-broker", "--config", config)
        self.assertEqual(refused.returncode, 78)
        self.assertIn(f"{config}:1", refused.stderr)
        self.assertIn("chmod 600", refused.stderr)

    def test_keygen_and_authorize_say_what_is_wrong(self):
        again = self.ctl("keygen", self.key("broker"), ok=False)
        self.assertEqual(again.returncode, 1)
        self.assertIn("exists", again.stderr)
        for arguments in (("--node", "n", "--dispatcher"), ("--tenant", "t"), ("--roles", "submit"),
                          ("--roles", "root", "--tenant", "t"), ()):
            done = self.ctl("authorize", self.folder / "x", f"{self.key('acme')}.pub", *arguments,
                            ok=False)
            self.assertEqual(done.returncode, 2, arguments)
        bad = self.ctl("authorize", self.folder / "x", f"{self.key('acme')}.pub", "--node", "no id",
                       ok=False)
        self.assertEqual(bad.returncode, 1)
        self.assertFalse(list((self.folder / "x").glob("*")))


if __name__ == "__main__":
    unittest.main()
