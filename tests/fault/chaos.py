#!/usr/bin/env python3
"""chaos.py - `make chaos`: 10,000 changes of 800 functions while everything is killed all the time.

	chaos.py [--seed N] [--events N] [--functions N] [--faults N] [--loaders N]

A feeder puts changes into Redis as the watcher does, and repeats some. Meanwhile, ten times a second, a random process
(planner, collector, sink, loaders, Redis, Pushgateway) is killed with -9 or stopped for a while. When all changes are fed and
there were faults enough, the trouble ends; then all must be done within 60 s, the Pushgateway must equal the state, and
the invariants must hold (invariants.py). The seed is printed: SEED=N make chaos does the same again, as far as the machine does.

Exit 0: 0 violations.
"""
import argparse
import collections
import json
import os
import random
import shutil
import signal
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [ROOT, os.path.join(ROOT, "tests")]
import redis  # noqa: E402

from fault.invariants import judged_runs, show  # noqa: E402
from fault.world import World  # noqa: E402
from helpers import servers  # noqa: E402

DRAIN_S = 60
LEASE_S = 2.0
EVERY_S = 0.1
STOPPED_S = (0.05, 3.0)         # some longer than the lease
STOPS = 0.09                    # of the faults; the others are kill -9
WEIGHTS = {"redis": 1.0, "pushgateway": 1.0, "planner": 2.0, "collector": 2.0, "sink": 2.0}
LOADER_WEIGHT = 1.2
REPEATED, REMOVED = 0.05, 0.03  # of the changes


class Nemesis(threading.Thread):
    """Kills and stops until told to end; counts what it did."""

    def __init__(self, world, seed):
        super().__init__(daemon=True)
        self.world, self.random = world, random.Random(seed)
        self.counts, self.is_done, self.asleep = collections.Counter(), False, {}

    @property
    def faults(self):
        return sum(self.counts.values())

    def run(self):
        names = list(WEIGHTS) + ["loader-" + name for name in self.world.loaders]
        weights = [WEIGHTS.get(n, LOADER_WEIGHT) for n in names]
        while not self.is_done:
            self.wake(time.monotonic())
            self.strike(self.random.choices(names, weights)[0])
            time.sleep(self.random.uniform(0.4, 1.6) * EVERY_S)
        self.wake(float("inf"))

    def strike(self, name):
        if name == "redis" and not self.world.redis_answers():
            return  # it reads its file again: were it killed in that each time, it would never be up
        is_stop = self.random.random() < STOPS
        if name in self.asleep or not self.world.signal(name, signal.SIGSTOP if is_stop else signal.SIGKILL):
            return
        self.counts[(name, "stop" if is_stop else "kill")] += 1
        if is_stop:
            self.asleep[name] = time.monotonic() + self.random.uniform(*STOPPED_S)

    def wake(self, until):
        for name in [n for n, due in self.asleep.items() if due <= until]:
            self.world.signal(name, signal.SIGCONT)
            del self.asleep[name]


class Feeder(threading.Thread):
    """Every function once, then any of them, at an even rate."""

    def __init__(self, world, count, seed, duration_s):
        super().__init__(daemon=True)
        self.world, self.count, self.random, self.duration_s = world, count, random.Random(seed), duration_s
        self.repeats, self.error = 0, None

    def run(self):
        try:
            self.feed_all()
        except Exception as e:  # told by the main thread
            self.error = e

    def feed_all(self):
        w, began, last = self.world, time.monotonic(), None
        for i in range(self.count):
            time.sleep(max(0.0, began + i * self.duration_s / self.count - time.monotonic()))
            if last and self.random.random() < REPEATED:
                if w.feed(*last) != "DUP":
                    raise AssertionError(f"{last[0]['id']} was accepted a second time")
                self.repeats += 1
                continue
            function = w.functions[i] if i < len(w.functions) else self.random.choice(w.functions)
            kind = "removed" if i >= len(w.functions) and self.random.random() < REMOVED else "change"
            last = (w.event(function, kind), kind)
            w.feed(*last, patience_s=60)


def read_journal(world):
    try:
        world.journal.read()
    except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError, redis.exceptions.BusyLoadingError):
        pass


def storm(world, feeder, nemesis, faults):
    """Until all is fed and there were faults enough."""
    feeder.start()
    nemesis.start()
    told = began = time.monotonic()
    while feeder.is_alive() or nemesis.faults < faults:
        read_journal(world)
        if time.monotonic() - told > 20:
            told = time.monotonic()
            print(f"chaos: {told - began:.0f} s, {world.fed} changes, {nemesis.faults} faults, "
                  f"{sum(j['t'] == 'judged' for j in world.journal.entries)} results", flush=True)
        if world.supervisor.given_up():
            raise AssertionError(f"ended for good with 100: {world.supervisor.given_up()}")
        time.sleep(0.5)
    nemesis.is_done = True
    nemesis.join()
    if feeder.error:
        raise feeder.error


def drain(world):
    """Seconds until nothing is under way, and until the gateway equals the state; what is wrong."""
    began, wrong = time.monotonic(), []
    try:
        world.wait_idle(DRAIN_S)
    except TimeoutError as e:
        wrong.append(f"drain: {e}")
    idle_s = time.monotonic() - began
    wrong += world.gateway_settled(max(5.0, DRAIN_S - idle_s))
    return idle_s, time.monotonic() - began, wrong


def figures(world, nemesis, feeder, evidence, times):
    runs = collections.Counter(j["t"] for j in evidence.journal if j["id"].startswith("r"))
    killed = collections.Counter()
    for (name, how), n in nemesis.counts.items():
        killed[name.split("-")[0] if how == "kill" else "stopped"] += n
    return {"events": len(world.accepted) + feeder.repeats, "changes": len(world.accepted), "repeats": feeder.repeats,
            "functions": len(world.functions), "faults": nemesis.faults, **{f"faults_{k}": v for k, v in sorted(killed.items())},
            "leases": runs["active"], "runs": runs["published"], "results": len(judged_runs(evidence)), "calls": len(evidence.calls),
            "idle_s": round(times[0], 1), "drain_s": round(times[1], 1),
            "bad_ends": {n: {str(c): k for c, k in codes.items()} for n, codes in world.supervisor.deaths.items()
                         if set(codes) - {-9, 0, -15}}}


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--seed", type=int, default=int(os.environ.get("SEED") or random.SystemRandom().randrange(10 ** 6)))
    for name, default in (("events", 10000), ("functions", 800), ("faults", 2000), ("loaders", 3), ("seconds", 240)):
        p.add_argument("--" + name, type=int, default=int(os.environ.get(name.upper()) or default))
    a = p.parse_args()
    folder = os.path.join(ROOT, "build", "chaos")
    shutil.rmtree(folder, ignore_errors=True)
    print(f"chaos: SEED={a.seed}, {a.events} changes of {a.functions} functions, at least {a.faults} faults", flush=True)
    world = World(folder, functions=a.functions, seed=a.seed, loaders=a.loaders, lease=f"{LEASE_S:g}s", slots=32)
    try:
        wrong = run(world, a)
    finally:
        world.stop()
    print(f"chaos: SEED={a.seed}: {len(wrong)} violations", flush=True)
    return 1 if wrong else 0


def run(world, a):
    world.start()
    feeder, nemesis = Feeder(world, a.events, a.seed, a.seconds), Nemesis(world, a.seed)
    storm(world, feeder, nemesis, a.faults)
    print(f"chaos: the trouble is over: {world.fed} changes, {nemesis.faults} faults; draining", flush=True)
    idle_s, drain_s, wrong = drain(world)
    world.late_calls = sum(n for (name, how), n in nemesis.counts.items() if how == "stop" and name.startswith("loader"))
    evidence = world.evidence()
    from fault.invariants import check, overlaps
    wrong += [w for w in check(evidence) if w not in wrong]
    told = figures(world, nemesis, feeder, evidence, (idle_s, drain_s))
    told.update(seed=a.seed, violations=len(wrong), late_calls=len(overlaps(evidence.calls)))
    print("chaos: " + json.dumps(told), flush=True)
    with open(os.path.join(os.path.dirname(world.folder), f"chaos-{a.seed}.json"), "w", encoding="utf-8") as f:
        json.dump(told, f, indent=1)
    if drain_s > DRAIN_S:
        wrong.append(f"drain took {drain_s:.0f} s")
    if wrong:
        print(show(wrong), flush=True)
    return wrong


if __name__ == "__main__":
    sys.exit(main())
