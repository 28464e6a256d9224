"""genai-bench: that its figures add up and that it leaves nothing behind. No test of speed."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import unittest

from harness import BIN, LIMIT_S, FleetTest, wait_for

RUN = ("run", "--tasks", 2000, "--window", 100, "--seconds", 2, "--json")


def start(folder, *arguments):
    return subprocess.Popen([BIN / "genai-bench", *map(str, arguments)], text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            start_new_session=True,  # so that a test can press its Ctrl-C
                            env={**os.environ, "TMPDIR": str(folder)})


class BenchTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="genai-e2e-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def bench(self, *arguments, code=0):
        process = start(self.folder, *arguments)
        out, err = process.communicate(timeout=LIMIT_S)
        self.assertEqual(process.returncode, code, err)
        self.assertEqual(list(self.folder.iterdir()), [])
        return err if code else out

    def check_row(self, row):
        self.assertGreater(row["tasks"], 0)
        self.assertLessEqual(row["tasks"], 2000)
        self.assertEqual(row["accepted"], row["tasks"])
        self.assertGreaterEqual(row["executed"], row["tasks"])
        self.assertAlmostEqual(row["tasks_per_s"] * row["seconds"], row["tasks"], delta=0.01)
        self.assertLessEqual(row["accepted_p50_us"], row["accepted_p99_us"])
        self.assertLessEqual(row["accepted_p99_us"], row["accepted_p999_us"])
        self.assertLessEqual(row["result_p50_us"], row["result_p99_us"])
        self.assertLessEqual(row["result_p99_us"], row["result_p999_us"])
        self.assertLessEqual(row["result_p999_us"], row["seconds"] * 1e6)
        if row["p95_held"] is not None:  # of the tasks whose end was estimated
            self.assertTrue(0 <= row["p95_held"] <= 1)


class Run(BenchTest):
    def test_the_figures_add_up(self):
        report = json.loads(self.bench(*RUN))
        self.assertEqual([(row["store"], row["window"]) for row in report["rows"]],
                         [("memory", 100), ("sqlite", 100)])
        memory, sqlite = report["rows"]
        self.assertEqual([(row["window"], row["batch"], row["tasks"]) for row in report["raw"]],
                         [(100, 1, 2000), (100, 32, 2000)])
        unbatched = report["raw"][0]
        for row in (memory, sqlite):
            self.check_row(row)
            self.assertAlmostEqual(row["against_raw"] * unbatched["tasks_per_s"], row["tasks_per_s"])
            self.assertGreater(row["broker_rss_mib"], 0)
            self.assertGreater(row["dispatcher_rss_mib"], 0)
        self.assertEqual(memory["commits"], 0)
        self.assertIsNone(memory["tasks_per_commit"])
        self.assertIsNone(memory["commits_per_s"])
        self.assertAlmostEqual(sqlite["commits_per_s"] * sqlite["seconds"], sqlite["commits"],
                               delta=0.01)
        self.assertGreaterEqual(sqlite["committed_tasks"], sqlite["tasks"])
        self.assertAlmostEqual(sqlite["tasks_per_commit"] * sqlite["commits"],
                               sqlite["committed_tasks"], delta=0.01)
        self.assertLessEqual(report["fdatasync_p50_us"], report["fdatasync_p99_us"])
        self.assertIsNone(report["window_1_ratio"])

    def test_the_task_limit_ends_a_row(self):
        report = json.loads(self.bench("run", "--tasks", 7, "--window", 3, "--clients", 2,
                                       "--seconds", 60, "--store", "memory", "--json"))
        self.assertEqual([row["tasks"] for row in report["rows"]], [7])

    def test_a_row_is_measured_beside_tasks_that_wait(self):
        report = json.loads(self.bench("run", "--depth", 20_000, "--tasks", 200, "--window", 10,
                                       "--json"))
        self.assertEqual([row["store"] for row in report["rows"]], ["memory", "sqlite"])
        for row in report["rows"]:
            self.check_row(row)
            self.assertEqual((row["queued"], row["tasks"], row["executed"]), (20_000, 200, 200))
            self.assertGreater(row["queued_per_s"], 0)
            self.assertGreater(row["bytes_per_queued"], 0)
            # Of one task, in bytes: no figure of all of them, nor in KiB.
            self.assertLess(row["bytes_per_queued"], 65_536)
            self.assertGreaterEqual(row["submits_per_s"] * 1.001, row["tasks_per_s"])
        for row in report["raw"]:
            self.assertEqual(row["queued"], 0)
            self.assertIsNone(row["bytes_per_queued"])

    def test_depth_has_columns_of_its_own(self):
        lines = self.bench("run", "--depth", 1000, "--tasks", 20, "--window", 1,
                           "--store", "memory").splitlines()
        rows = [[cell.strip() for cell in line.split("|")[1:-1]]
                for line in lines if line.startswith("|")]
        self.assertEqual(rows[0][-4:], ["queued", "queued/s", "submits/s", "bytes/queued"])
        self.assertEqual([row[-4] for row in rows[2:]], ["0", "1000"])
        self.assertEqual({len(row) for row in rows}, {23})

    def test_an_open_loop_keeps_its_rate(self):
        report = json.loads(self.bench("run", "--rate", 1000, "--seconds", 0.5, "--clients", 3,
                                       "--json"))
        self.assertEqual([(row["store"], row["window"]) for row in report["rows"]],
                         [("memory", None), ("sqlite", None)])
        for row in report["rows"] + report["raw"]:
            self.assertEqual((row["wanted_per_s"], row["tasks"]), (1000, 500))
            self.assertGreaterEqual(row["seconds"], 0.499)  # when the last one is due
            self.assertGreater(row["reached_per_s"], 0)
            self.assertLessEqual(row["reached_per_s"], 1000)
            self.assertAlmostEqual(row["reached_per_s"], min(1000, row["tasks_per_s"]))
        for row in report["rows"]:
            self.check_row(row)

    def test_a_late_client_is_not_forgiven(self):
        # A single batch is due within a millisecond. What is sent last has waited since then.
        report = json.loads(self.bench("run", "--rate", 1_000_000, "--tasks", 1000,
                                       "--client-batch", 1, "--store", "memory", "--json"))
        row, = report["rows"]
        self.check_row(row)
        self.assertGreaterEqual(row["result_p999_us"] + 1000, row["accepted_p999_us"])
        self.assertGreaterEqual(row["result_p999_us"], row["seconds"] * 1e6 - 1000 - 1000)
        self.assertLess(row["reached_per_s"], 1_000_000)

    def test_a_rate_that_cannot_be_kept_is_said_so(self):
        err = self.bench("run", "--rate", 10_000_000, "--store", "memory", code=1)
        self.assertEqual(err, "genai-bench: 10000000 tasks/s are too many: "
                              "more than 100000 are due and not delivered\n")

    def test_a_rate_has_columns_of_its_own(self):
        lines = self.bench("run", "--rate", 100, "--tasks", 20, "--store", "memory").splitlines()
        rows = [[cell.strip() for cell in line.split("|")[1:-1]]
                for line in lines if line.startswith("|")]
        self.assertEqual(rows[0][-2:], ["wanted/s", "reached/s"])
        self.assertEqual([row[1] for row in rows[2:]], ["-"] * 3)
        self.assertEqual([row[-2] for row in rows[2:]], ["100"] * 3)

    def test_the_ratio_needs_both_stores_at_window_1(self):
        report = json.loads(self.bench("run", "--window", 1, "--tasks", 20, "--json"))
        memory, sqlite = report["rows"]
        wanted = sqlite["accepted_p50_us"] / (report["fdatasync_p50_us"]
                                              + memory["accepted_p50_us"])
        self.assertAlmostEqual(report["window_1_ratio"], wanted)

    def test_a_table_has_a_line_for_each_row(self):
        lines = self.bench("run", "--window", 1, "--window", 10, "--tasks", 20).splitlines()
        rows = [[cell.strip() for cell in line.split("|")[1:-1]]
                for line in lines if line.startswith("|")]
        self.assertEqual([row[:2] for row in rows[2:]],
                         [["raw", "1"], ["raw", "10"], ["raw", "10"],
                          ["memory", "1"], ["memory", "10"], ["sqlite", "1"], ["sqlite", "10"]])
        self.assertEqual([row[2] for row in rows[2:5]], ["1", "1", "10"])  # tasks in a message
        self.assertEqual({len(row) for row in rows}, {19})

    def test_the_reference_alone(self):
        report = json.loads(self.bench("raw", "--window", 10, "--tasks", 20, "--json"))
        self.assertEqual([(row["store"], row["batch"], row["tasks"]) for row in report["raw"]],
                         [("raw", 1, 20), ("raw", 10, 20)])

    def test_an_interrupt_leaves_nothing_behind(self):
        process = start(self.folder, "run", "--window", 1, "--seconds", 600)
        wait_for(lambda: list(self.folder.glob("*/front")), "the reference's socket")
        children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
        self.assertEqual(len(children.split()), 2)
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=LIMIT_S)
        self.assertEqual((process.returncode, err), (1, "genai-bench: interrupted\n"))
        self.assertEqual(list(self.folder.iterdir()), [])
        for pid in children.split():
            self.assertFalse(pathlib.Path("/proc", pid).exists())

    def test_help_and_version(self):
        self.assertIn("--client-batch", self.bench("run", "--help"))
        self.assertRegex(self.bench("--version"), r"^genai-bench \d+\.\d+\.\d+$")

    def test_usage_errors_exit_2(self):
        for arguments in ((), ("run", "--broker", "ipc:///x"), ("run", "--window", "0"),
                          ("run", "--rate", 0), ("run", "--rate", 10_000_001),
                          ("run", "--rate", 10, "--window", 5), ("raw", "--rate", "many"),
                          ("run", "--depth", -1), ("run", "--depth", 50_000_001),
                          ("run", "--depth", 1, "--dispatcher", "ipc:///x", "--broker", "ipc:///y"),
                          ("run", "--client-batch", 4097), ("run", "--store", "paper"),
                          ("store", "--data-dir", self.folder / "missing")):
            with self.subTest(arguments=arguments):
                self.bench(*arguments, code=2)


class Goals(BenchTest):
    def goals(self, *arguments):
        """What it printed, and whether it says by its exit code that all goals are met: on a busy
        machine they may well not be."""
        process = start(self.folder, "goals", "--quick", *arguments)
        out, err = process.communicate(timeout=LIMIT_S)
        self.assertIn(process.returncode, (0, 1))
        self.assertEqual((err, list(self.folder.iterdir())), ("", []))
        return out, process.returncode == 0

    def test_each_has_figure_bound_and_verdict(self):
        out, met = self.goals("--json")
        report = json.loads(out)
        self.assertEqual((report["repeats"], report["met"]), (1, met))
        self.assertEqual([round(goal["bound"], 2) for goal in report["goals"]],
                         [1, 0.6, 1.3, 1.5, 0.25, 60000, 1.2, 0.83, 0.83, 512, 50, 0.5, 0])
        *measured, silent = report["goals"]
        self.assertGreaterEqual(silent["figure"], 0)
        for goal in measured:
            self.assertGreater(goal["figure"], 0)
        for goal in report["goals"]:
            if goal["met"] is None:
                self.assertRegex(goal["not_counted"], r"^the disk syncs \d+ times a second$")
            elif goal["side"] == "at least":
                self.assertEqual(goal["met"], goal["figure"] >= goal["bound"])
            else:
                self.assertEqual(goal["met"], goal["figure"] <= goal["bound"])
        self.assertEqual(met, all(goal["met"] is not False for goal in report["goals"]))
        # Only the figure that is the disk's as well as ours depends on the disk.
        self.assertEqual([goal["met"] is None for goal in report["goals"]],
                         5 * [False] + [report["syncs_per_s"] < 4000] + 7 * [False])

    def test_the_table_says_yes_or_no(self):
        out, met = self.goals()
        rows = [[cell.strip() for cell in line.split("|")[1:-1]]
                for line in out.splitlines() if line.startswith("|")][2:]
        self.assertEqual(len(rows), 13)
        for row in rows:
            self.assertRegex(row[-1], "^(yes|no|not counted: .*)$")
        self.assertEqual(met, "no" not in [row[-1] for row in rows])

    def test_an_unknown_option_exits_2(self):
        self.bench("goals", "--repeats", 2, code=2)


class All(BenchTest):
    ROWS = [("raw", 1, 1), ("memory", 1, 1), ("sqlite", 1, 1), ("raw", 1000, 1), ("raw", 1000, 32),
            ("memory", 1000, 1), ("memory", 1000, 32), ("sqlite", 1000, 1), ("sqlite", 1000, 32)]

    def test_every_row_has_every_figure(self):
        report = json.loads(self.bench("all", "--repeats", 2, "--tasks", 40, "--json"))
        self.assertEqual(report["repeats"], 2)
        self.assertGreater(report["syncs_per_s"], 0)
        self.assertEqual([(row["store"], row["window"], row["batch"]) for row in report["rows"]],
                         self.ROWS)
        for row in report["rows"]:
            for figure in ("tasks_per_s", "against_raw", "broker_rss_mib", "dispatcher_rss_mib"):
                self.assertGreater(row[figure], 0)
            for figure in ("broker_cpu_us", "dispatcher_cpu_us"):  # counted in ticks of the clock
                self.assertGreaterEqual(row[figure], 0)
            self.assertLessEqual(row["result_p50_us"], row["result_p99_us"])
            self.assertLessEqual(row["result_p99_us"], row["result_p999_us"])
            if (row["store"], row["batch"]) == ("raw", 1):
                self.assertEqual(row["against_raw"], 1)

    def test_the_table_is_markdown(self):
        lines = self.bench("all", "--repeats", 1, "--tasks", 20).splitlines()
        rows = [[cell.strip() for cell in line.split("|")[1:-1]]
                for line in lines if line.startswith("|")]
        self.assertEqual({len(row) for row in rows}, {12})
        self.assertEqual([tuple(row[:3]) for row in rows[2:]],
                         [(store, str(window), str(batch)) for store, window, batch in self.ROWS])
        self.assertTrue(lines[0].startswith("| store"))

    def test_usage_errors_exit_2(self):
        for arguments in (("--repeats", 0), ("--repeats", 101), ("--tasks", 0), ("--window", 5)):
            with self.subTest(arguments=arguments):
                self.bench("all", *arguments, code=2)


class Store(BenchTest):
    def test_the_figures_add_up(self):
        report = json.loads(self.bench("store", "--batch", 1, "--batch", 32, "--tasks", 320,
                                       "--data-dir", self.folder, "--json"))
        self.assertEqual([row["batch"] for row in report["rows"]], [1, 32])
        for row in report["rows"]:
            self.assertAlmostEqual(row["tasks_per_s"] / row["commits_per_s"], row["batch"])
            self.assertAlmostEqual(row["fdatasync_ratio"],
                                   row["commit_p50_us"] / report["fdatasync_p50_us"])


class Placement(BenchTest):
    def rows(self, *arguments):
        report = json.loads(self.bench("placement", "--seed", 1, *arguments, "--json"))
        self.assertEqual(report["seed"], 1)
        return {(row["scenario"], row["figure"]): row for row in report["rows"]}

    def test_the_figures_add_up(self):
        rows = self.rows("a", "e")
        self.assertEqual({scenario for scenario, _ in rows}, {"a", "e"})
        for row in rows.values():
            self.assertAlmostEqual(row["ratio"] * row["queue_length"], row["measured"])
        bound = rows["a", "lower bound s"]
        self.assertEqual(bound["ratio"], 1)
        for way in ("measured", "queue_length"):
            self.assertGreater(rows["a", "makespan s"][way], bound[way])
            self.assertGreater(rows["e", "worst makespan s"][way], rows["e", "mean makespan s"][way])
            self.assertGreater(rows["e", "worst makespan s"][way], rows["e", "p95 in system s"][way])

    def test_the_table_says_the_same(self):
        rows = self.rows("a", "e")
        lines = self.bench("placement", "--seed", 1, "a", "e").splitlines()
        table = [[cell.strip() for cell in line.split("|")[1:-1]]
                 for line in lines if line.startswith("|")][2:]
        self.assertEqual(len(table), len(rows))
        for heading, *figures in table:
            row = rows[tuple(heading.split(": ", 1))]
            for text, key in zip(figures, ("measured", "queue_length", "ratio"), strict=True):
                self.assertAlmostEqual(float(text), row[key], delta=0.05)

    def test_help_names_the_scenarios(self):
        self.assertIn("placement", self.bench("--help"))
        self.assertRegex(self.bench("placement", "--help"), r"(?m)^ *e: 36 to 45 tasks")

    def test_an_unknown_scenario_exits_2(self):
        self.bench("placement", "z", code=2)


class Running(FleetTest, BenchTest):
    """Against daemons that run already."""

    def setUp(self):
        FleetTest.setUp(self)
        self.fleet_folder = self.folder
        BenchTest.setUp(self)

    def tearDown(self):
        self.folder = self.fleet_folder
        FleetTest.tearDown(self)

    def test_it_uses_them_and_says_what_it_cannot_measure(self):
        delivered = self.client.stats()["delivered_total"]
        report = json.loads(self.bench(*RUN, "--dispatcher", self.clients_endpoint, "--broker",
                                       self.nodes_endpoint))
        row, = report["rows"]
        self.check_row(row)
        self.assertEqual(row["store"], "sqlite")
        for key in ("dispatcher_cpu_us", "broker_rss_mib", "dispatcher_rss_mib"):
            self.assertIsNone(row[key])
        self.assertEqual(self.client.stats()["delivered_total"] - delivered, row["tasks"])
        self.assertTrue(self.dispatcher.is_alive())


if __name__ == "__main__":
    unittest.main()
