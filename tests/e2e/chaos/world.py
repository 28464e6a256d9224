"""The daemons at their places in the network, and what was done to them."""
import pathlib
import resource
import shutil
import signal
import subprocess
import time

from fleet import Fleet
from harness import HEARTBEAT_MS, LOST_MS, SUSPECT_MS, insecure
from small_disk import fill

LEASE_S = LOST_MS / 1000  # how long a node keeps its work without being heard
SITES = ["site-1", "site-2", "site-3"]
PLACES = ["clients", "dispatcher", "broker", *SITES]
DELAYS_MS = [30, 100, 300, 1000]  # of the nodes of each site
NODES = {f"node-{1 + i}": SITES[i % len(SITES)] for i in range(len(SITES) * len(DELAYS_MS))}
DISK_MIB = 48
FULL_DISK_EXIT = 74  # of a dispatcher that is started while the disk has no room at all


def wall_ms():
    return time.time() * 1000


class World(Fleet):
    """Unlike the kind parent it restarts what ended by itself, and counts it in `deaths`."""

    def __init__(self, folder, network):
        self.network, self.disk = network, folder / "disk"
        self.at = {"broker": "broker", "dispatcher": "dispatcher"}  # name: place
        self.deaths = []      # what ended although nobody had made it
        self.cuts = []        # [wall ms, node]: killed, stopped or cut off
        self.started = []     # [process, node]
        self.killed_ms = {}   # process: wall ms
        self.began_ms = {}    # name of what runs: wall ms
        self.full_ms = 0      # when the disk was full last
        self.stopped = set()  # processes that have SIGSTOP
        self.storms_s = []    # how long it took until all nodes were back
        self.load = None
        self.link = self.endpoint("broker", 7701)
        self.nodes = self.endpoint("broker", 7700)
        super().__init__(folder, {}, self.endpoint("dispatcher", 7710))
        self.make_commands()
        self.disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", self.disk],
                       check=True)

    @property
    def ballast(self):
        return self.disk / "ballast"

    def endpoint(self, place, port):
        return f"tcp://{self.network.address(place)}:{port}"

    def make_commands(self):
        beat = ["--heartbeat-interval-ms", HEARTBEAT_MS, "--lost-ms", LOST_MS]
        self.commands["broker"] = [
            "genai-broker", "--nodes-endpoint", self.nodes, "--link-endpoint", self.link, *beat,
            "--suspect-ms", SUSPECT_MS, *insecure("genai-broker")]
        # Being killed is no reason to fail: the limits that end a task are out of reach.
        self.commands["dispatcher"] = [
            "genai-dispatcher", "--clients-endpoint", self.clients_endpoint, "--broker", self.link,
            *beat, "--data-dir", self.disk / "data", "--reserve-mib", 4, "--min-free-mib", 4,
            "--max-losses", 1000, "--max-crashes", 1000, "--max-drains", 1000, "--resend-ms", 1000,
            *insecure("genai-dispatcher")]
        for number, (name, site) in enumerate(NODES.items()):
            self.add_node(name, site, 2, DELAYS_MS[number // len(SITES)])

    def add_node(self, name, site, slots, delay_ms):
        self.at[name] = site
        self.commands[name] = ["genai-node", "--broker", self.nodes, "--node-id", name, "--slots",
                               slots, "--echo", "--echo-delay-ms", delay_ms, *insecure("genai-node")]

    def command_line(self, name):
        return [*self.network.enter(self.at[name]), *super().command_line(name)]

    def start(self, names):
        """Those that do not run."""
        names = [name for name in names if name not in self.running]
        self.began_ms.update((name, wall_ms()) for name in names)
        super().start(names)
        self.started += [(self.running[name], name) for name in names if self.is_node(name)]

    def kill(self, names):
        """Those that run."""
        names = [name for name in names if name in self.running]
        for name in names:
            self.note_end(self.running[name])
            self.note_cut(name)
        super().kill(names)

    def stop(self, name):
        """SIGSTOP; returns the process, for go_on()."""
        process = self.running[name]
        self.stopped.add(process)
        self.note_cut(name)
        process.send(signal.SIGSTOP)
        return process

    def go_on(self, process):
        self.stopped.discard(process)
        if process.is_alive():
            process.send(signal.SIGCONT)

    def retire(self, name):
        """SIGTERM; returns the process, for retired() when it has ended."""
        process = self.running.pop(name)
        process.send(signal.SIGTERM)
        return process

    def retired(self, name, process):
        self.note_end(process)
        # So early that nothing was logged yet, SIGTERM ends it as it ends any program.
        early = process.wait() == -signal.SIGTERM and not process.entries()
        if process.wait() != 0 and not early:
            self.deaths.append(f"{name}: {process.wait()} after SIGTERM: {process.log_path}")
        process.close()

    def limit_files(self, name, files):
        """The soft limit; what is open stays open."""
        process = self.running[name]
        _, hard = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (files or hard, hard))

    def open_files(self, name):
        return len(list(pathlib.Path(f"/proc/{self.running[name].pid}/fd").iterdir()))

    def fill_disk(self):
        fill(self.ballast)

    def empty_disk(self):
        if self.ballast.exists():
            self.full_ms = wall_ms()
        self.ballast.unlink(missing_ok=True)

    def mend(self):
        """Ends whatever faults have left, if the round got stuck in the middle of one."""
        self.empty_disk()
        for process in list(self.stopped):
            self.go_on(process)
        for place in list(self.network.impaired):
            self.network.mend(place)
        for name in self.running:
            self.limit_files(name, None)

    def is_node(self, name):
        return self.commands[name][0] == "genai-node"

    def is_healthy(self, name):
        return name in self.running and self.running[name] not in self.stopped

    def note_cut(self, name):
        if self.is_node(name):
            self.cuts.append((wall_ms(), name))

    def note_end(self, process):
        self.killed_ms[process] = wall_ms()

    def check(self):
        self.network.check()
        for name, process in list(self.running.items()):
            if not process.is_alive():
                self.note_end(process)
                self.bury(name, self.running.pop(name))
                self.start([name])

    def bury(self, name, process):
        was_full = self.ballast.exists() or self.full_ms > self.began_ms[name]
        if not (name == "dispatcher" and was_full and process.wait() == FULL_DISK_EXIT):
            self.deaths.append(f"{name} ended with {process.wait()}: {process.log_path}")
        process.close()

    def close(self, keep_disk=False):
        super().close()
        self.empty_disk()
        if keep_disk:
            shutil.copytree(self.disk, self.folder / "disk-kept")
        subprocess.run(["umount", "-l", self.disk], check=True)
