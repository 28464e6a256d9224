"""A fleet, a load and some faults at once, from the start to the verdict."""
import contextlib
import random
import time

import faults
import measures
import network
import oracle
from fleet import final_tasks
from load import Load
from outcome import Outcome
from world import NODES, PLACES, World, wall_ms

FLOW = 30  # deliveries that show that work goes on
SPREAD_S = 1.5  # faults of a round begin within this time


class Round:
    def __init__(self, number, seed, kinds, folder, keep):
        self.name, self.kinds, self.folder = f"{seed}:{number}", kinds, folder
        self.outcome, self.keep = Outcome(rounds=1), keep

    def is_kept(self):
        return self.keep or not self.outcome.is_good()

    def random(self, what):
        return random.Random(f"{self.name}:{what}")

    def play(self):
        self.folder.mkdir()
        with contextlib.ExitStack() as stack:
            net = stack.enter_context(contextlib.closing(network.Network(PLACES, self.name)))
            log = stack.enter_context(contextlib.closing(oracle.Log(self.folder / "oracle.log")))
            world = World(self.folder, net)
            stack.callback(lambda: world.close(keep_disk=self.is_kept()))
            world.start(["dispatcher", "broker", *NODES])
            load = world.load = stack.enter_context(
                contextlib.closing(Load(world, log, self.random("load"))))
            self.attempt(lambda: self.rage(world, load, log))
            world.mend()
            self.attempt(lambda: self.judge(world, log))
        return self.outcome

    def attempt(self, step):
        """What goes wrong with it is for the outcome: the oracle says what that has cost."""
        try:
            step()
        except (AssertionError, OSError) as error:
            self.outcome.troubles.append(f"stuck: {error}")

    def rage(self, world, load, log):
        self.await_flow(load, log)
        running = []
        for kind in self.kinds:
            rng = self.random(kind)
            running.append([time.monotonic() + rng.uniform(0, SPREAD_S),
                            faults.KINDS[kind](world, rng)])
        while running:
            load.step()
            for fault in list(running):
                if fault[0] <= time.monotonic():
                    try:
                        fault[0] = next(fault[1]) + time.monotonic()
                    except StopIteration:
                        running.remove(fault)
        self.await_flow(load, log)
        load.finish()

    @staticmethod
    def await_flow(load, log):
        delivered = log.count("delivered")
        load.go_on_until(lambda: log.count("delivered") > delivered + FLOW, "results go on arriving")

    def judge(self, world, log):
        tasks = final_tasks(world, oracle.promised(log.path))
        world.check()
        statuses = {task_id: task["status"] for task_id, task in tasks.items()}
        verdict = oracle.judge(log.path, statuses)
        ends = [(node, process.entries(), world.killed_ms.get(process, wall_ms()))
                for process, node in world.started]
        result = self.outcome
        result.lost, result.doubled = verdict.lost, verdict.doubled
        result.doubled.update((task_id, why) for task_id, task in tasks.items()
                              if (why := oracle.why_not_terminal_once(task["log"])))
        result.statuses.update(statuses.values())
        result.deaths, result.storms_s = world.deaths, world.storms_s
        result.failovers_s = measures.failovers_s(tasks.values(), world.cuts)
        result.seconds = measures.provider_seconds(tasks, ends)
        result.accepted = verdict.accepted  # last: without it the round is not good
