"""Programs that are started by somebody careless: closed or inherited descriptors, blocked and stray signals, limits, an
odd environment. Whatever it is, tasks are done."""
import os
import pathlib
import pty
import resource
import shutil
import signal
import subprocess
import tempfile
import unittest

from harness import ACCEPTED, BIN, LIMIT_S, SUBMIT, FleetTest, Process, wait_for

DAEMONS = ("genai-broker", "genai-dispatcher", "genai-node")
PROGRAMS = (*DAEMONS, "genai-ctl", "genai-bench")
# What would end or stop a process that takes no care. Those that ask for an end or a core are left out.
STRAY = [signal.SIGHUP, signal.SIGPIPE, signal.SIGALRM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGVTALRM,
         signal.SIGPROF, signal.SIGIO, signal.SIGPWR, signal.SIGXFSZ, signal.SIGTTIN, signal.SIGTTOU,
         signal.SIGCHLD, signal.SIGWINCH, signal.SIGURG, signal.SIGCONT, signal.SIGRTMIN, signal.SIGRTMAX]


def closing(*descriptors):
    def close():
        for fd in descriptors:
            os.close(fd)
    return close


class Started(Process):
    """With more control over how."""

    def __init__(self, folder, name, arguments, **popen):
        self.name, self.log_path = name, folder / f"{name}.log"
        self.log = open(self.log_path, "wb")
        self.process = subprocess.Popen([str(a) for a in arguments], stdin=subprocess.DEVNULL,
                                        **{"stdout": self.log, "stderr": self.log} | popen)
        self.pid = self.process.pid


class Careless(FleetTest):
    """Every process of the fleet is started the way `popen` says."""
    popen = {}

    def start(self, program, *arguments, name=None):
        process = Started(self.folder, name or program, (BIN / program, *arguments), **self.popen)
        self.processes.append(process)
        self.closers.append(process.close)
        return process

    def do_tasks(self):
        results = self.client.wait(self.client.submit(10))
        self.assertEqual([r["data"] for r in results], [b"prompt"] * 10)

    def run_fleet(self):
        self.start_nodes(1, "--exec", "cat")
        self.do_tasks()


class ClosedDescriptors(Careless):
    def setUp(self):
        """Each test sets up its own."""

    def test_daemons_with_closed_standard_descriptors_do_tasks(self):
        for closed in ((0,), (1,), (2,), (0, 1, 2)):
            with self.subTest(closed=closed):
                self.popen = {"preexec_fn": closing(*closed)}
                super().setUp()
                try:
                    self.run_fleet()
                    for process in self.processes:
                        for fd in closed:
                            self.assertEqual(os.readlink(f"/proc/{process.pid}/fd/{fd}"), "/dev/null")
                    pid = (self.folder / "data/lock").read_text()
                    self.assertEqual(pid, str(self.dispatcher.pid), "something else was written there")
                finally:
                    super().tearDown()

    def tearDown(self):
        pass

    def test_tools_say_when_their_output_went_nowhere(self):
        for program in PROGRAMS:
            with self.subTest(program=program):
                for option in ("--version", "--help"):
                    done = subprocess.run([BIN / program, option], stderr=subprocess.PIPE, text=True,
                                          preexec_fn=closing(1), timeout=LIMIT_S)
                    self.assertEqual((done.returncode, done.stderr),
                                     (1, f"{program}: cannot write to stdout\n"))
                with open("/dev/full", "w") as full:
                    done = subprocess.run([BIN / program, "--help"], stdout=full, timeout=LIMIT_S,
                                          stderr=subprocess.DEVNULL)
                self.assertEqual(done.returncode, 1)
                done = subprocess.run([BIN / program, "--version"], stdout=subprocess.PIPE,
                                      preexec_fn=closing(0, 2), timeout=LIMIT_S)
                self.assertEqual(done.returncode, 0)

    def test_help_ends_quietly_when_nobody_reads_on(self):
        for program in PROGRAMS:
            with self.subTest(program=program):
                read_end, write_end = os.pipe()
                os.close(read_end)
                done = subprocess.run([BIN / program, "--help"], stdout=write_end, stderr=subprocess.PIPE,
                                      timeout=LIMIT_S)
                os.close(write_end)
                self.assertEqual((done.returncode, done.stderr), (-signal.SIGPIPE, b""))


class OddSurroundings(Careless):
    @staticmethod
    def prepare():
        gone = tempfile.mkdtemp()
        os.chdir(gone)
        os.rmdir(gone)
        os.umask(0o777)
        signal.pthread_sigmask(signal.SIG_BLOCK, range(1, signal.NSIG))
        for signo in (signal.SIGCHLD, signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            signal.signal(signo, signal.SIG_IGN)

    popen = {"preexec_fn": prepare.__func__,
             "env": {"TZ": "Nowhere/At_All:+99", "LC_ALL": "xx_YY.latin-99", "LANG": "\xff",
                     "TERM": "no-such-terminal", "SQLITE_TMPDIR": "/nowhere", "COLUMNS": "-1"}}

    def test_daemons_do_tasks_and_stop_when_told(self):
        node = self.start_nodes(1, "--exec", "cat")[0]
        self.do_tasks()
        # A restart finds its own files.
        self.dispatcher.send(signal.SIGTERM)
        self.assertEqual(self.dispatcher.wait(), 0)
        self.dispatcher = self.start_dispatcher()
        self.do_tasks()
        for process in (node, self.dispatcher, self.broker):
            with self.subTest(process=process.name):
                process.send(signal.SIGTERM)
                self.assertEqual(process.wait(), 0)

    def test_a_command_gets_its_signals_back(self):
        self.start_nodes(1, "--exec", "grep -E 'Sig(Blk|Ign)' /proc/self/status")
        data = self.client.wait(self.client.submit(1))[0]["data"]
        self.assertEqual(data, b"SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n")

    def test_environment_of_any_length(self):
        for program in DAEMONS:
            with self.subTest(program=program):
                name = program.upper().replace("-", "_")
                env = os.environ | {f"{name}_LOG_LEVEL": "x" * 100_000, "HOME": "/" + "y" * 100_000}
                done = subprocess.run([BIN / program, "--check-config"], env=env, text=True,
                                      capture_output=True, timeout=LIMIT_S)
                self.assertEqual(done.returncode, 78)
                self.assertIn(f"{name}_LOG_LEVEL", done.stderr)
                self.assertLess(len(done.stderr), 10_000)


class StraySignals(Careless):
    def test_a_terminal_ends_a_daemon_with_its_quit_key(self):
        pid, terminal = pty.fork()
        if pid == 0:
            os.execv(BIN / "genai-broker", ["genai-broker", "--nodes-endpoint", f"ipc://{self.folder}/n",
                                            "--link-endpoint", f"ipc://{self.folder}/l"])
        said = b""
        while b"broker ready" not in said:
            said += os.read(terminal, 4096)
        os.write(terminal, b"\x1c")  # Ctrl-\\
        try:
            status = wait_for(lambda: (ended := os.waitpid(pid, os.WNOHANG))[0] and ended, "its end", 10)[1]
            pid = 0
            self.assertEqual(os.WTERMSIG(status), signal.SIGQUIT)
        finally:
            os.close(terminal)
            if pid:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)

    def test_daemons_go_on(self):
        node = self.start_nodes(1, "--exec", "cat")[0]
        for process in (self.broker, self.dispatcher, node):
            for signo in STRAY:
                process.send(signo)
        self.do_tasks()
        for process in (self.broker, self.dispatcher, node):
            self.assertTrue(process.is_alive(), process.name)


class InheritedDescriptors(Careless):
    def setUp(self):
        self.read_end, self.write_end = os.pipe()
        self.popen = {"pass_fds": (self.write_end,)}
        super().setUp()

    def tearDown(self):
        super().tearDown()
        os.close(self.read_end)

    def test_daemons_do_not_keep_what_their_parent_had_open(self):
        self.run_fleet()
        os.close(self.write_end)
        # The end of the file comes when nobody has the other end any more.
        self.assertEqual(os.read(self.read_end, 1), b"")

    def test_files_may_be_given_as_descriptors(self):
        os.close(self.write_end)
        for program, text in (("genai-broker", "max_nodes = 7"), ("genai-dispatcher", "prefetch = 2"),
                              ("genai-node", "echo = true"), ("genai-ctl", "timeout_s = 7")):
            with self.subTest(program=program):
                command = f'exec {BIN / program} --check-config --config <(sleep 0.1; echo "{text}")'
                done = subprocess.run(["bash", "-c", command], capture_output=True, timeout=LIMIT_S)
                self.assertEqual((done.returncode, done.stdout), (0, b"configuration ok\n"), done.stderr)
        self.start_nodes(1, "--echo")
        command = (f"exec {BIN / 'genai-ctl'} --dispatcher {self.clients_endpoint} submit --wait --file "
                   "<(echo a prompt)")
        done = subprocess.run(["bash", "-c", command], capture_output=True, timeout=LIMIT_S)
        self.assertEqual((done.returncode, done.stdout), (0, b"a prompt\n"), done.stderr)


class FileSizeLimit(Careless):
    def start_dispatcher(self):
        return self.start("genai-dispatcher", "--clients-endpoint", self.clients_endpoint, "--broker",
                          self.link_endpoint, "--data-dir", self.folder / "data", "--reserve-mib", 1)

    @staticmethod
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (4 << 20, 4 << 20))

    popen = {"preexec_fn": limit.__func__}

    def test_a_store_that_may_not_grow_loses_nothing(self):
        sent, accepted = [], []

        def submit():
            sent.append(f"task-{len(sent)}")
            self.client.send(SUBMIT, len(sent), 1, [[sent[-1], {}, b"x" * 500_000]])
            answer = self.client.receive(0.2)
            if answer and answer[0] == ACCEPTED:
                accepted.extend(task for task, code, *_ in answer[2] if code == 0)
            return not self.dispatcher.is_alive()
        wait_for(submit, "the end of the dispatcher")
        self.assertEqual(self.dispatcher.wait(), 74)
        self.assertTrue(self.dispatcher.logged(
            "the store failed: stopping, since only a restart finds what is on the disk"))
        self.popen = {}
        self.dispatcher = self.start_dispatcher()
        self.start_nodes(1, "--echo")
        self.assertGreater(len(accepted), 2)
        for task in accepted:
            self.assertEqual(self.client.wait_status(task, "Completed")["status"], "Completed")


class FilesThatAreNone(unittest.TestCase):
    """Where a file is asked for, something else is named."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="genai-e2e-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def refuse(self, *command):
        def small():  # of memory: what is endless must not be read to its end
            resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=LIMIT_S,
                              preexec_fn=None if os.environ.get("GENAI_SANITIZED") else small)
        self.assertEqual(done.stdout, "")
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        return done.returncode, done.stderr

    def test_configuration(self):
        huge = self.folder / "huge"
        with open(huge, "wb") as file:
            file.truncate(3 << 30)
        unreadable = self.folder / "secret"
        unreadable.symlink_to("/proc/self/mem")  # opens, and cannot be read
        for program in (*DAEMONS, "genai-ctl"):
            for path, reason in ((self.folder, "Is a directory"), ("/dev/zero", "longer than"),
                                 (huge, "longer than"), (unreadable, "Input/output error"),
                                 (self.folder / "none", "No such file")):
                with self.subTest(program=program, path=path):
                    code, text = self.refuse(BIN / program, "--check-config", "--config", path)
                    self.assertEqual(code, 78)
                    self.assertIn(str(path), text)
                    self.assertIn(reason, text)

    def test_keys(self):
        key = self.folder / "own.key"
        subprocess.run([BIN / "genai-ctl", "keygen", key], check=True, capture_output=True)
        for path in (self.folder, "/dev/zero", "/dev/null", "/proc/self/mem"):
            for program, options in (
                    ("genai-node", ("--echo", "--key-file", key, "--server-key", path)),
                    ("genai-node", ("--echo", "--key-file", path, "--server-key", f"{key}.pub")),
                    ("genai-ctl", ("--key-file", key, "--server-key", path, "list")),
                    ("genai-broker", ("--key-file", path, "--authorized-keys", self.folder)),
                    ("genai-dispatcher", ("--key-file", key, "--authorized-keys", self.folder,
                                          "--broker-key", path))):
                with self.subTest(program=program, options=options):
                    code, text = self.refuse(BIN / program, "--check-config", *options)
                    self.assertEqual(code, 2)
                    self.assertIn(str(path), text)


if __name__ == "__main__":
    unittest.main()
