"""The fleet of tools/quickstart: broker, dispatcher and nodes in a private folder, with ipc endpoints.

Every process carries the run's folder in its environment (MARK), so that at the end each one that belongs to
this run, grandchildren of a killed node included, is found and ended, and no other.
"""
import json
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import tempfile
import threading
import time

MARK = "FLEET_RUN_FOLDER"  # not GENAI_*: nodes keep those from the programs they run
READY_LIMIT_S = 30
STALL_LIMIT_S = 180  # without a single finished task
STOP_LIMIT_S = 10
POLL_S = 0.1


class Trouble(Exception):
    """Why the run failed, in words for the user."""


class Fleet:
    def __init__(self, binaries):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="genai-", dir="/tmp"))  # short: a socket path has 107 bytes
        self.binaries = binaries
        self.processes = {}  # name -> Popen
        self.node_ids = []
        self.killed = None
        self.dispatcher = f"ipc://{self.folder}/clients"

    def start_all(self, node_count, command):
        nodes, link = f"ipc://{self.folder}/nodes", f"ipc://{self.folder}/link"
        self.start("broker", "genai-broker", "--nodes-endpoint", nodes, "--link-endpoint", link)
        self.start("dispatcher", "genai-dispatcher", "--clients-endpoint", self.dispatcher, "--broker", link,
                   "--data-dir", str(self.folder / "data"))
        self.node_ids = [f"node-{number}" for number in range(1, node_count + 1)]
        for node_id in self.node_ids:
            self.start(node_id, "genai-node", "--broker", nodes, "--node-id", node_id, "--slots", "1",
                       "--model", "povray", "--exec", shlex.quote(str(command)))

    def environment(self):
        own = {key: value for key, value in os.environ.items() if not key.startswith("GENAI_")}
        return own | {MARK: str(self.folder), "TMPDIR": str(self.folder)}  # what a killed one leaves goes with the folder

    def start(self, name, program, *arguments):
        # A session of its own: Ctrl-C reaches only quickstart, which then stops everything in order.
        # setpriv: should quickstart itself be killed, its processes end with it.
        command = ["setpriv", "--pdeathsig", "TERM", str(self.binaries / program), *arguments]
        with open(self.folder / f"{name}.log", "wb") as log:
            self.processes[name] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                                    env=self.environment(), start_new_session=True)

    def ctl_command(self, *arguments):
        return [str(self.binaries / "genai-ctl"), "--dispatcher", self.dispatcher, *arguments]

    def nodes(self):
        """What the dispatcher says of its nodes: node_id -> entry; empty as long as it does not answer."""
        try:
            done = subprocess.run(self.ctl_command("nodes", "--json"), stdin=subprocess.DEVNULL, capture_output=True,
                                  env=self.environment(), timeout=10)
        except subprocess.TimeoutExpired:
            return {}
        if done.returncode != 0:
            return {}
        entries = [json.loads(line) for line in done.stdout.splitlines() if line.strip()]
        return {entry["node_id"]: entry for entry in entries}

    def check_alive(self):
        for name, process in self.processes.items():
            if process.poll() is not None and name != self.killed:
                raise Trouble(f"{name} ended with status {process.returncode}")

    def await_ready(self):
        end = time.monotonic() + READY_LIMIT_S
        while True:
            self.check_alive()
            states = {node_id: entry["state"] for node_id, entry in self.nodes().items()}
            if all(states.get(node_id) == "online" for node_id in self.node_ids):
                return
            if time.monotonic() > end:
                raise Trouble(f"not all nodes online after {READY_LIMIT_S} s: {states or 'the dispatcher does not answer'}")
            time.sleep(POLL_S)

    def kill_a_busy_node(self):
        """SIGKILLs the node that holds most tasks. Answers (node_id, tasks it held), None when all are idle."""
        entries = [entry for entry in self.nodes().values() if entry["state"] == "online" and entry["in_flight"] > 0]
        if not entries:
            return None
        victim = max(entries, key=lambda entry: entry["in_flight"])
        self.killed = victim["node_id"]
        self.processes[self.killed].kill()
        self.processes[self.killed].wait()
        return self.killed, victim["in_flight"]

    def stop(self):
        """Ends everything, nodes first, so that they can say goodbye. Answers what had to be killed."""
        for group in (self.node_ids, ["dispatcher"], ["broker"]):
            alive = [self.processes[name] for name in group if name in self.processes]
            for process in alive:
                process.terminate()
            end = time.monotonic() + STOP_LIMIT_S
            for process in alive:
                try:
                    process.wait(max(0.0, end - time.monotonic()))
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        return self.sweep()

    def sweep(self):
        """Waits for the rest of this run's processes to end, then kills what is left and answers it."""
        end = time.monotonic() + 3
        while (left := self.marked()) and time.monotonic() < end:
            time.sleep(POLL_S)
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        return sorted(left.values())

    def marked(self):
        """The living processes of this run: pid -> command."""
        mark, found = f"{MARK}={self.folder}".encode(), {}
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                try:
                    if mark in (entry / "environ").read_bytes().split(b"\0"):
                        found[int(entry.name)] = (entry / "comm").read_text().strip()
                except OSError:  # gone, or not ours to read
                    pass
        return found

    def save_logs(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        for log in self.folder.glob("*.log"):
            shutil.copy(log, folder)

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)


class Submission:
    """genai-ctl submitting the prompts; finished tasks arrive as JSON lines, its progress bars go to the terminal."""

    def __init__(self, fleet, prompts, folder, on_task):
        lines = fleet.folder / "prompts.txt"
        lines.write_text("".join(f"{prompt}\n" for prompt in prompts), encoding="utf-8")
        self.tasks, self.on_task = [], on_task
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM"] + fleet.ctl_command("submit", "--lines", str(lines), "--model", "povray", "--wait", "--out", str(folder),
                                                                   "--suffix", ".png", "--json"),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=fleet.environment(), start_new_session=True)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            task = json.loads(line)
            self.tasks.append(task)
            self.on_task(task, len(self.tasks))

    def follow(self, fleet, each_poll):
        """Waits for the end. each_poll(number of finished tasks) is called about ten times a second."""
        seen, since = 0, time.monotonic()
        while self.process.poll() is None:
            fleet.check_alive()
            if len(self.tasks) > seen:
                seen, since = len(self.tasks), time.monotonic()
            if time.monotonic() - since > STALL_LIMIT_S:
                raise Trouble(f"no task finished for {STALL_LIMIT_S} s ({seen} are done)")
            each_poll(seen)
            time.sleep(POLL_S)
        self.reader.join()
        return self.process.returncode

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
