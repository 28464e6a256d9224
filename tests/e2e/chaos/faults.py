"""What goes wrong. A fault is a generator: it does something to the world, yields how many seconds
pass until it wants to go on, and has mended what it broke when it ends."""
import time

from harness import LIMIT_S
from impairment import Impairment
from measures import wall_ms_of
from world import LEASE_S, NODES, PLACES, SITES, wall_ms

POLL_S = 0.05
STORM_NODES = 200
START_AT_ONCE = 10


def until(condition, what):
    """Yields until condition() holds."""
    end = time.monotonic() + LIMIT_S
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"not within {LIMIT_S} s: {what}")
        yield POLL_S


def a_free_place(world, rng):
    """One that no other fault has now."""
    places = lambda: [place for place in PLACES if place not in world.network.impaired]
    yield from until(places, "a place that no other fault has")
    return rng.choice(places())


def impaired(world, rng, place, seconds, out, into):
    world.network.impair(place, out, into)
    yield seconds
    world.network.mend(place)


def worse(**impairment):
    """A fault of one place, both ways, for a while."""
    def fault(world, rng):
        place = yield from a_free_place(world, rng)
        yield from impaired(world, rng, place, rng.uniform(1.5, 3.0), Impairment(**impairment),
                            Impairment(**impairment))
    return fault


def cut(world, rng, out, into):
    place = yield from a_free_place(world, rng)
    for name in NODES:
        if world.at[name] == place and world.is_healthy(name):
            world.note_cut(name)
    yield from impaired(world, rng, place, rng.uniform(0.5, 2.0) * LEASE_S, out, into)


def one_way(world, rng):
    ways = [Impairment(loss=1.0), None]
    rng.shuffle(ways)
    yield from cut(world, rng, *ways)


def partition(world, rng):
    yield from cut(world, rng, Impairment(loss=1.0), Impairment(loss=1.0))


def killed(world, rng, names):
    world.kill(names)
    yield rng.uniform(0.0, rng.choice([0.2, 2.0 * LEASE_S]))
    world.start(names)


def kill_dispatcher(world, rng):
    yield from killed(world, rng, ["dispatcher"])


def kill_broker(world, rng):
    yield from killed(world, rng, ["broker"])


def kill_node(world, rng):
    yield from killed(world, rng, [rng.choice(list(NODES))])


def kill_nodes(world, rng):
    yield from killed(world, rng, rng.sample(list(NODES), rng.randint(2, len(NODES))))


def kill_all(world, rng):
    yield from killed(world, rng, ["dispatcher", "broker", *NODES])


def stopped(leases):
    """One process, or all nodes of a site, by SIGSTOP."""
    def fault(world, rng):
        group = rng.choice([["broker"], ["dispatcher"], [rng.choice(list(NODES))],
                            nodes_of(rng.choice(SITES))])
        yield from until(lambda: any(world.is_healthy(name) for name in group), f"{group} to run")
        processes = [world.stop(name) for name in group if world.is_healthy(name)]
        yield leases * LEASE_S
        for process in processes:
            world.go_on(process)
    return fault


def nodes_of(site):
    return [name for name, at in NODES.items() if at == site]


def full_disk(world, rng):
    end = time.monotonic() + rng.uniform(0.5, 2.0)
    while time.monotonic() < end:
        world.fill_disk()  # also what the dispatcher gives up in the meantime
        yield POLL_S
    world.empty_disk()


def few_files(world, rng):
    """Those that want to connect anew find the broker or the dispatcher out of files."""
    name = rng.choice(["broker", "dispatcher"])
    yield from until(lambda: world.is_healthy(name), f"{name} to run")
    process = world.running[name]
    world.limit_files(name, round(world.open_files(name) * rng.uniform(0.5, 1.0)))
    if name == "broker":
        nodes = nodes_of(rng.choice(SITES))
        world.kill(nodes)
        world.start(nodes)
    else:
        world.load.reconnect()
    yield rng.uniform(1.0, 2.0)
    if world.running.get(name) is process:
        world.limit_files(name, None)


def reconnect_storm(world, rng):
    """Hundreds of nodes lose the broker at once and come back to a new one."""
    names = [f"storm-{number}" for number in range(1, STORM_NODES + 1)]
    for name in names:
        world.add_node(name, rng.choice(SITES), 1, 300)
    for start in range(0, len(names), START_AT_ONCE):
        world.start(names[start:start + START_AT_ONCE])
        yield 0.0
    yield from joined(world, names, 0.0)
    world.kill(["broker"])
    killed_ms = wall_ms()
    yield 0.2
    world.start(["broker"])
    yield from joined(world, names, killed_ms)
    world.storms_s.append((wall_ms() - killed_ms) / 1000)
    leaving = [(name, world.retire(name)) for name in names]
    for name, process in leaving:
        yield from until(lambda process=process: not process.is_alive(), f"{name} to leave")
        world.retired(name, process)


def joined(world, names, since_ms):
    """Until the logs of all these nodes say that they have joined since then."""
    def has_joined(name):
        return any(wall_ms_of(entry) > since_ms for entry in world.running[name].logged("joined"))
    for name in names:
        yield from until(lambda name=name: has_joined(name), f"{name} to have joined")


def rolling_restart(world, rng):
    """Every daemon is asked to end, and started again, one after the other."""
    for name in ["dispatcher", "broker", *NODES]:
        yield from until(lambda name=name: world.is_healthy(name), f"{name} to run")
        process = world.retire(name)
        yield from until(lambda process=process: not process.is_alive(), f"{name} to end")
        world.retired(name, process)
        world.start([name])


KINDS = {
    "loss-1%": worse(loss=0.01), "loss-10%": worse(loss=0.1), "loss-50%": worse(loss=0.5),
    "delay": worse(delay_s=0.08, jitter_s=0.04), "reorder": worse(reorder=0.25),
    "one-way": one_way, "partition": partition, "kill-dispatcher": kill_dispatcher,
    "kill-broker": kill_broker, "kill-node": kill_node, "kill-nodes": kill_nodes,
    "kill-all": kill_all, "stop-0.5": stopped(0.5), "stop-1": stopped(1), "stop-3": stopped(3),
    "full-disk": full_disk, "few-files": few_files, "storm": reconnect_storm,
    "rolling": rolling_restart}
COVERING_ROUNDS = 5


def choose(number, seed_rng, rng):
    """The kinds of round `number`, from 1 on: the first five rounds have all kinds between them."""
    order = list(KINDS)
    seed_rng.shuffle(order)
    if number <= COVERING_ROUNDS:
        return order[number - 1::COVERING_ROUNDS]
    return rng.sample(order, rng.randint(1, 4))
