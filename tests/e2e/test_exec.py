"""Programs end with their task, whatever they did to get away; nodes that can run nothing blame no task."""
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import time
import unittest

from harness import BIN, FleetTest, wait_for
from permission import skip, small_disk
from small_disk import fill

# Ways out of a process group, and further.
ESCAPES = ("timeout 300", "nice timeout 300", "setsid", "env -i setsid nohup",
           "setsid sh -c '\"$@\" & exit' sh")


def processes():
    """pid -> (state, parent, name), of all that live."""
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                name, rest = (entry / "stat").read_text().split("(", 1)[1].rsplit(")", 1)
                found[int(entry.name)] = (rest.split()[0], int(rest.split()[1]), name)
    return found


def is_alive(pid):
    return processes().get(pid, "Z")[0] != "Z"


def below(pid):
    """Those of `processes` that descend from it."""
    everybody, family = processes(), {pid}
    while more := {p for p, (_, parent, _) in everybody.items() if parent in family} - family:
        family |= more
    return {p: everybody[p] for p in family - {pid} if p in everybody}


class ExecTest(FleetTest):
    def escaping(self, how):
        """A command that starts a program this way and goes on for ever; the program's pid is in `pid`."""
        self.pid_file = self.folder / "pid"
        self.pid_file.unlink(missing_ok=True)
        program = self.folder / "program"
        program.write_text(f"echo $$ > {self.pid_file}.new; mv {self.pid_file}.new {self.pid_file}\n"
                           "while :; do sleep 100; done\n")
        return f"{how} sh {program} & while :; do sleep 100; done"

    def program(self):
        return int(wait_for(lambda: self.pid_file.exists() and self.pid_file.read_text(), "the program"))

    def start_escaped(self, how, *options):
        node = self.start_node("node-1", "--exec", self.escaping(how), *options)
        task = self.client.submit()[0]
        return node, task, self.program()

    def supervisor(self, node):
        return wait_for(lambda: [p for p, (_, _, name) in below(node.pid).items() if name == "genai-task"],
                        "a supervisor")[0]


class Descendants(ExecTest):
    def end_each(self, end):
        for how in ESCAPES:
            with self.subTest(how=how):
                node, task, pid = self.start_escaped(how)
                end(node, task)
                wait_for(lambda p=pid: not is_alive(p), f"the end of {how}")
                if node.is_alive():
                    self.client.cancel(task)
                    wait_for(lambda n=node: not below(n.pid), "the end of everything")
                    node.kill()
                else:
                    self.client.cancel(task)
                self.client.wait([task])

    def test_cancel_ends_them(self):
        self.end_each(lambda node, task: self.client.cancel(task))

    def test_the_death_of_the_node_ends_them(self):
        self.end_each(lambda node, task: node.kill())

    def test_the_death_of_the_supervisor_ends_them(self):
        self.end_each(lambda node, task: os.kill(self.supervisor(node), signal.SIGKILL))

    def test_a_forced_stop_ends_them(self):
        def force(node, task):
            node.send(signal.SIGTERM)
            wait_for(lambda: node.logged("leaving"), "the drain")
            node.send(signal.SIGTERM)
            node.wait()
        self.end_each(force)

    def test_a_time_limit_ends_them_and_says_that_it_was_one(self):
        self.start_node("node-1", "--exec", self.escaping("setsid timeout 300"))
        task = self.client.submit(time_limit_ms=2000, max_attempts=1)[0]
        pid = self.program()
        result = self.client.wait([task])[0]
        self.assertIn("time limit of 2 s exceeded", result["info"]["error"])
        self.assertEqual(result["code"], 503)
        self.assertFalse(is_alive(pid))

    def test_a_command_that_stops_its_supervisor_ends_all_the_same(self):
        node = self.start_node("node-1", "--exec", "kill -STOP $PPID; while :; do sleep 100; done")
        result = self.client.wait(self.client.submit(time_limit_ms=1000, max_attempts=1))[0]
        self.assertEqual(result["code"], 503)
        wait_for(lambda: self.client.nodes()["node-1"]["in_flight"] == 0, "the slot")
        node.send(signal.SIGTERM)
        self.assertEqual(node.wait(), 0)

    def test_the_death_of_the_node_ends_a_command_that_stops_its_supervisor(self):
        node, _, pid = self.start_escaped("kill -STOP $PPID;")
        wait_for(lambda: processes()[self.supervisor(node)][0] == "T", "the stop")
        node.kill()
        wait_for(lambda: not is_alive(pid), "its end")

    @unittest.skipUnless(os.geteuid() == 0, "becomes another user")
    def test_a_program_of_another_user_that_stays_holds_up_no_task(self):
        as_root, pid_file = self.folder / "as-root", self.folder / "pid"
        shutil.copy("/usr/bin/setpriv", as_root)
        as_root.chmod(0o4755)
        for path in (self.folder, self.folder / "nodes"):
            path.chmod(0o777)
        command = (f"test -e {pid_file} || {{ {as_root} --reuid 0 setsid sh -c 'echo $$ > {pid_file}; exec sleep 300' "
                   f">/dev/null 2>&1 3>&1 & until test -s {pid_file}; do sleep 0.01; done; }}; cat")
        # The one right that is left: the programs may lie in a folder of root's own.
        self.start("/usr/bin/setpriv", "--reuid", "65534", "--clear-groups", "--inh-caps", "+dac_read_search",
                   "--ambient-caps", "+dac_read_search", BIN / "genai-node", "--broker", self.nodes_endpoint,
                   "--node-id", "nobodys", "--exec", command)
        self.client.wait(self.client.submit())  # nobody can kill what it has left
        self.addCleanup(os.kill, int(pid_file.read_text()), signal.SIGKILL)
        started = time.monotonic()
        self.client.wait(self.client.submit(20))
        self.assertLess(time.monotonic() - started, 10)  # 2 s for each would be 40

    def test_a_command_that_ends_leaves_nothing(self):
        pid_file = self.folder / "pid"
        node = self.start_node("node-1", "--exec", f"setsid sh -c 'echo $$ > {pid_file}; exec sleep 300' & "
                               f"until test -s {pid_file}; do sleep 0.01; done; echo done")
        self.assertEqual(self.client.wait(self.client.submit())[0]["data"], b"done\n")
        self.assertFalse(is_alive(int(pid_file.read_text())))
        self.assertFalse(below(node.pid))


class Leftovers(ExecTest):
    def test_the_next_start_sweeps_what_killed_processes_left(self):
        scratch = self.folder / "scratch"
        scratch.mkdir()
        (scratch / "genai-task-of-mine").mkdir()  # not what a node makes

        def start(node_id, *options):
            return self.start("/usr/bin/env", f"TMPDIR={scratch}", BIN / "genai-node", "--broker",
                              self.nodes_endpoint, "--node-id", node_id, *options, name=node_id)
        node = start("node-1", "--exec", self.escaping("setsid"))
        task = self.client.submit()[0]
        pid = self.program()
        supervisor = self.supervisor(node)
        node.send(signal.SIGSTOP)  # else it would tidy up
        os.kill(supervisor, signal.SIGKILL)
        node.kill()
        wait_for(lambda: not is_alive(supervisor), "the supervisor's end")
        self.assertEqual(len(list(scratch.iterdir())), 2)
        self.assertTrue(is_alive(pid))
        self.client.cancel(task)
        node = start("node-2", "--exec", "cat")
        wait_for(lambda: node.logged("removed what a killed node left behind"), "the sweep")
        wait_for(lambda: not is_alive(pid), "the end of the program")
        # Its own folders come and go.
        wait_for(lambda: [p.name for p in scratch.iterdir()] == ["genai-task-of-mine"], "a clean folder")


class ProcessOne(ExecTest):
    """A node as the first process of a container: of a pid namespace of its own."""

    def setUp(self):
        super().setUp()
        tried = subprocess.run(["unshare", "--pid", "--fork", "--mount-proc", "true"], capture_output=True)
        if tried.returncode:
            skip(self, f"namespaces are not permitted here: {tried.stderr.decode().strip()}")

    def start_contained(self, *options):
        unshare = self.start("/usr/bin/unshare", "--pid", "--fork", "--mount-proc", "--kill-child",
                             BIN / "genai-node", "--broker", self.nodes_endpoint, "--node-id", "node-1",
                             *options, name="container")
        self.wait_online(1)
        return unshare, min(below(unshare.pid))

    def test_twenty_tasks_that_leave_orphans_leave_no_zombie(self):
        # The orphan of the first kind ends during its task, that of the second is ended with it.
        unshare, init = self.start_contained("--exec", "setsid sh -c 'true & exit'; setsid sleep 300 & cat")
        results = self.client.wait(self.client.submit(20))
        self.assertEqual({r["data"] for r in results}, {b"prompt"})
        # Nothing but init and node: no zombie, no sleep.
        wait_for(lambda: {name for _, _, name in below(unshare.pid).values()} == {"genai-init", "genai-node"},
                 "the end of all others")
        self.assertFalse([p for p in below(unshare.pid).values() if p[0] == "Z"])
        os.kill(init, signal.SIGTERM)
        self.assertEqual(unshare.wait(), 0)
        self.assertTrue(unshare.logged("left"))

    def test_what_others_start_in_the_container_is_reaped_and_left_alone(self):
        unshare, init = self.start_contained("--exec", "kill -9 $PPID; sleep 300")
        subprocess.run(["nsenter", "-t", str(init), "-p", "-m", "sh", "-c", "sleep 300 & (exit) & exit"],
                       check=True)
        stranger = wait_for(lambda: [p for p, (_, parent, name) in below(init).items()
                                     if parent == init and name == "sleep"], "a stranger")
        self.client.wait(self.client.submit(max_attempts=1))
        self.assertTrue(is_alive(stranger[0]))
        wait_for(lambda: not [p for p in below(init).values() if p[0] == "Z"], "the end of the zombies")

    def test_the_death_of_the_node_ends_the_container(self):
        unshare, init = self.start_contained("--exec", self.escaping("setsid"))
        self.client.submit()
        self.program()
        programs = [p for p, (_, _, name) in below(init).items() if name in ("sh", "sleep")]
        self.assertGreater(len(programs), 2)
        node = [p for p, (_, _, name) in below(init).items() if name == "genai-node"][0]
        os.kill(node, signal.SIGKILL)
        self.assertEqual(unshare.wait(), 128 + signal.SIGKILL)
        wait_for(lambda: not any(map(is_alive, programs)), "the end of all programs")


class Unfit(ExecTest):
    """A node that can run nothing gives tasks back; a good one does them, and nobody is blamed."""

    def start_unfit(self, command, reason, **environment):
        self.unfit = self.start("/usr/bin/env", *(f"{k}={v}" for k, v in environment.items()),
                                BIN / "genai-node", "--broker", self.nodes_endpoint, "--node-id", "unfit",
                                "--exec", command, name="unfit")
        self.wait_online(1)
        said = wait_for(lambda: self.unfit.logged("no task can be run here"), "what is wrong")
        self.assertIn(reason, said[0]["reason"])
        tasks = self.client.submit(3)
        given_back = "task given back: this node cannot run it"
        wait_for(lambda: self.unfit.logged(given_back), "a task that is given back")
        self.assertIn(reason, self.unfit.logged(given_back)[0]["reason"])
        self.start_node("fit", "--exec", "cat")
        for task, result in zip(tasks, self.client.wait(tasks)):
            self.assertEqual((result["status"], result["info"]["node_id"]), ("Completed", "fit"))
            self.assertEqual(self.client.status(task)["faults"], 0)

    def test_no_scratch_folder(self):
        self.start_unfit("cat", "No such file or directory", TMPDIR=self.folder / "missing")

    def test_a_scratch_folder_that_is_none(self):
        (self.folder / "file").touch()
        self.start_unfit("cat", "Not a directory", TMPDIR=self.folder / "file")

    def test_no_such_command(self):
        self.start_unfit("no-such-renderer --fast", "cannot run no-such-renderer: it is not found")

    def test_no_such_command_at_the_beginning_of_a_pipeline(self):
        self.start_unfit("no-such-renderer | cat", "cannot run no-such-renderer: it is not found")

    def test_a_command_that_defines_a_function_is_no_missing_program(self):
        node = self.start_node("fit", "--exec", "draw () { cat; }; draw")
        self.assertEqual(self.client.wait(self.client.submit())[0]["data"], b"prompt")
        self.assertFalse(node.logged("no task can be run here"))

    def test_a_command_that_is_not_executable(self):
        program = self.folder / "renderer"
        program.write_text("#!/bin/sh\ncat\n")
        self.start_unfit(f"{program} --fast", f"cannot run {program}: Permission denied")

    def test_no_descriptors_left_for_a_command(self):
        # Enough for the node itself, and for nothing else.
        limit = "ulimit -n 24; exec \"$@\""
        node = self.start("/bin/sh", "-c", limit, "sh", BIN / "genai-node", "--broker", self.nodes_endpoint,
                          "--node-id", "node-1", "--slots", 8, "--exec", "sleep 0.2; cat", name="node-1")
        self.wait_online(1)
        tasks = self.client.submit(8)
        self.start_node("fit", "--exec", "cat", slots=8)
        self.assertEqual({r["status"] for r in self.client.wait(tasks)}, {"Completed"})
        self.assertTrue(any("Too many open files" in e["reason"]
                            for e in node.await_logged("task given back: this node cannot run it")))
        self.assertEqual({self.client.status(t)["faults"] for t in tasks}, {0})

    def test_a_full_disk(self):
        disk = small_disk(self, "disk")
        fill(disk / "ballast")
        self.start_unfit("cat", "No space left on device", TMPDIR=disk)

    def test_a_disk_that_others_fill_while_a_program_runs(self):
        disk = small_disk(self, "disk")
        command = (f"echo > {self.folder}/started; until test -e {self.folder}/full; do sleep 0.01; done; "
                   "head -c 100000 /dev/zero > $GENAI_RESULT_FILE")
        node = self.start("/usr/bin/env", f"TMPDIR={disk}", BIN / "genai-node", "--broker",
                          self.nodes_endpoint, "--node-id", "node-1", "--exec", command, name="node-1")
        task = self.client.submit()[0]
        wait_for((self.folder / "started").exists, "the program")
        fill(disk / "ballast")
        (self.folder / "full").touch()
        wait_for(lambda: node.logged("task given back: this node cannot run it"), "the task to be given back")
        (disk / "ballast").unlink()
        self.assertEqual(self.client.wait([task])[0]["data"], bytes(100000))
        self.assertEqual(self.client.status(task)["faults"], 0)


class Permanent(ExecTest):
    def test_a_program_that_says_impossible_is_quoted(self):
        self.start_node("node-1", "--exec", "echo 'impossible no such model' >&3; exit 1")
        result = self.client.wait(self.client.submit(max_attempts=1))[0]
        self.assertEqual(result["status"], "Failed")
        self.assertIn("no such model", result["info"]["error"])
        self.assertEqual(result["code"], 513)

    def test_a_result_over_the_limit_says_so(self):
        self.start_node("node-1", "--exec", "truncate -s 100M \"$GENAI_RESULT_FILE\"")
        result = self.client.wait(self.client.submit(max_attempts=1))[0]
        self.assertEqual(result["status"], "Failed")
        self.assertEqual(result["code"], 505)


class Params(ExecTest):
    """Nothing that a client says is dropped on its way to the command, or the task says what was."""

    def test_lists_and_maps_reach_the_command_as_json(self):
        self.start_node("node-1", "--exec",
                        "echo \"$GENAI_PARAM_LORAS $GENAI_PARAM_SEED $GENAI_PARAM_VAE\"")
        params = {"loras": [{"name": "a b", "weight": 0.5}], "seed": 7, "vae": None}
        result = self.client.wait(self.client.submit(params=params))[0]
        self.assertEqual(result["data"], b'[{"name":"a b","weight":0.5}] 7 null\n')

    def test_what_cannot_reach_it_fails_the_task_and_is_named(self):
        self.start_node("node-1", "--exec", "cat")
        for params, error in (({"prompt": "a\0b"}, "GENAI_PARAM_PROMPT would hold a NUL byte"),
                              ({"a-b": 1, "a_b": 2}, "two params become the same variable, GENAI_PARAM_A_B")):
            with self.subTest(params=params):
                result = self.client.wait(self.client.submit(params=params, max_attempts=1))[0]
                self.assertEqual((result["status"], result["code"]), ("Failed", 513))
                self.assertIn(error, result["info"]["error"])


class Names(ExecTest):
    """Nodes that were given no name."""

    def setUp(self):
        super().setUp()
        tried = subprocess.run(["unshare", "--mount", "--uts", "--pid", "--fork", "true"],
                               capture_output=True)
        if tried.returncode:
            skip(self, f"namespaces are not permitted here: {tried.stderr.decode().strip()}")

    def start_unnamed(self, state, host="box"):
        """Process 1 of a container: with that host name, and `state` as its /var/lib."""
        state.mkdir(exist_ok=True)
        script = f"hostname {host}; mount --bind {state} /var/lib; exec \"$@\""
        node = self.start("/usr/bin/unshare", "--mount", "--uts", "--pid", "--fork", "--kill-child",
                          "/bin/sh", "-c", script, "sh", BIN / "genai-node", "--broker",
                          self.nodes_endpoint, "--echo", name="unnamed")
        return node, wait_for(lambda: node.logged("node starts"), "its start")[0]["node_id"]

    def test_containers_with_one_host_name_have_names_of_their_own(self):
        names = {self.start_unnamed(self.folder / f"container-{i}")[1] for i in range(3)}
        self.assertEqual(len(names), 3)
        self.wait_online(3)
        self.assertEqual(set(self.client.nodes()), names)
        self.assertTrue(all(name.startswith("box-") for name in names))

    def test_two_nodes_of_one_machine_differ_and_have_their_names_again_after_a_restart(self):
        state = self.folder / "state"
        first, first_name = self.start_unnamed(state)
        second, second_name = self.start_unnamed(state)
        self.assertNotEqual(first_name, second_name)
        second.kill()
        first.kill()
        self.assertEqual(self.start_unnamed(state)[1], first_name)
        self.assertEqual(self.start_unnamed(state)[1], second_name)

    def test_a_service_keeps_its_name_in_the_state_directory_of_its_unit(self):
        state = self.folder / "unit"
        names = []
        for _ in range(2):
            node = self.start("/usr/bin/env", f"STATE_DIRECTORY={state}:/other", BIN / "genai-node", "--broker",
                              self.nodes_endpoint, "--echo", name="service")
            names.append(wait_for(lambda n=node: n.logged("node starts"), "its start")[0]["node_id"])
            node.kill()
        self.assertEqual(names[0], names[1])
        self.assertTrue(list(state.iterdir()))

    def test_a_name_that_is_not_kept_is_told(self):
        state = self.folder / "read-only"
        state.mkdir()
        (state / "genai-node").touch()  # no folder
        node, name = self.start_unnamed(state)
        self.assertTrue(name.startswith("box-"))
        node.await_logged("the node id is new at each start; --node-id gives it one")


if __name__ == "__main__":
    unittest.main()
