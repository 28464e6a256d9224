"""Network namespaces of the test's own, joined by a relay, and what can go wrong between them.

All of it lives inside the namespaces that `isolate` puts this process into: the kernel removes them
with their interfaces, mounts and processes when this process ends, however it ends.
"""
import dataclasses
import json
import os
import pathlib
import subprocess
import sys

from impairment import Impairment

HERE = pathlib.Path(__file__).resolve().parent
SKIPPED = 77
ISOLATED = "GENAI_CHAOS_ISOLATED"
HOME = "clients"  # the place of this process itself


def isolate():
    """Runs this program again, as the first process of namespaces of its own, and ends with it."""
    if os.environ.get(ISOLATED):
        return subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    command = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if os.geteuid() != 0:
        command[1:1] = ["--user", "--map-root-user"]
    tried = subprocess.run([*command, "true"], capture_output=True, text=True, check=False)
    if tried.returncode and os.environ.get("GENAI_TESTS_MUST_RUN"):
        sys.exit(f"GENAI_TESTS_MUST_RUN is set, but there is no permission to make namespaces: {tried.stderr.strip()}")
    if tried.returncode:
        print(f"SKIPPED: NOTHING WAS TESTED: no permission to make namespaces: "
              f"{tried.stderr.strip()}", file=sys.stderr, flush=True)
        sys.exit(SKIPPED)
    os.execvpe("unshare", [*command, sys.executable, *sys.argv], {**os.environ, ISOLATED: "1"})


def run(*words):
    subprocess.run(" ".join(str(word) for word in words).split(), check=True, capture_output=True)


def why_no_netem():
    """Empty where tc netem works."""
    tried = subprocess.run(["tc", "qdisc", "add", "dev", "lo", "root", "netem", "loss", "1%"],
                           capture_output=True, text=True, check=False)
    if tried.returncode == 0:
        run("tc qdisc del dev lo root")
    return tried.stderr.strip() if tried.returncode else ""


class Network:
    """A star: each place is a namespace with one interface, the relay is in the middle."""

    def __init__(self, places, seed):
        self.places, self.impaired = places, set()
        self.netem = not why_no_netem()
        self.anchors = {}
        for number, place in enumerate(places):
            self.make_place(number, place)
        for number, place in enumerate(places):
            self.know_the_others(number, place)
        ports = [f"port{number}" for number in range(len(places))]
        self.relay = subprocess.Popen([sys.executable, HERE / "relay.py", str(seed), *ports],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.relay.stdout.read(1)  # its ports are open

    def make_place(self, number, place):
        run(f"ip link add name port{number} type veth peer name end{number}"
            f" address {self.mac(number)}")
        run(f"ip link set port{number} up")
        if place != HOME:
            anchor = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo; exec sleep infinity"],
                                      stdout=subprocess.PIPE)
            self.anchors[place] = anchor
            anchor.stdout.read(1)  # now it is in its namespace
            run(f"ip link set end{number} netns {anchor.pid}")
        run(*self.enter(place), "ip link set lo up")
        run(*self.enter(place), f"ip address add {self.address(place)}/24 dev end{number}")
        run(*self.enter(place), f"ip link set end{number} up")

    def know_the_others(self, number, place):
        """Fixed neighbours: what is lost are packets, not the answers of ARP."""
        for other, name in enumerate(self.places):
            if other != number:
                run(*self.enter(place), f"ip neighbour add {self.address(name)}"
                    f" lladdr {self.mac(other)} dev end{number} nud permanent")

    @staticmethod
    def mac(number):
        return f"02:00:00:00:00:{number:02x}"

    def address(self, place):
        return f"10.77.0.{self.places.index(place) + 1}"

    def enter(self, place):
        """What comes in front of a command that is to run there; it keeps its process id."""
        anchor = self.anchors.get(place)
        return ["nsenter", f"--net=/proc/{anchor.pid}/ns/net", "--"] if anchor else []

    def impair(self, place, out=None, into=None):
        """`out`: what happens to packets that leave the place; `into`: to those that come in."""
        self.impaired.add(place)
        self._set(place, out, into)

    def mend(self, place):
        self.impaired.discard(place)
        self._set(place, None, None)

    def _set(self, place, out, into):
        number = self.places.index(place)
        if self.netem:
            self._set_netem(self.enter(place), f"end{number}", out)
            self._set_netem([], f"port{number}", into)
            return
        rule = {"port": number, "out": out and dataclasses.asdict(out),
                "in": into and dataclasses.asdict(into)}
        self.relay.stdin.write(json.dumps(rule).encode() + b"\n")
        self.relay.stdin.flush()
        self.relay.stdout.read(1)  # now it holds

    @staticmethod
    def _set_netem(enter, device, impairment):
        options = (impairment or Impairment()).netem()
        run(*enter, "tc qdisc replace dev", device, "root netem", *options)

    def check(self):
        if self.relay.poll() is not None:
            raise AssertionError(f"the relay ended by itself, exit code {self.relay.wait()}")

    def close(self):
        self.relay.stdin.close()
        self.relay.wait()
        self.relay.stdout.close()
        for number in range(len(self.places)):
            run(f"ip link delete port{number}")
        for anchor in self.anchors.values():
            anchor.kill()
            anchor.wait()
            anchor.stdout.close()
