#!/usr/bin/env python3
"""cuts.py - `make check-cuts`: a loader on another network is cut from planner and collector, again and again.

	cuts.py [--cuts N] [--most S] [--seed N]

Loader l1 lives in a network namespace of its own; nftables cuts what it says to the planner (work), to the collector
(results) or to both, what it hears from them, or both ways, by silence (drop) or with a reset, for 1 to 40 s. Loader l2 is not cut and takes over. The target
stays in reach of both and witnesses that no two of them ever call a function at the same time. At the end all must be
done and the invariants hold.

Needs root, ip and nft. Exit 0: 0 overlaps, 0 violations; 100: cannot be done here.
"""
import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [ROOT, os.path.join(ROOT, "tests")]
from fault.invariants import check, overlaps, show  # noqa: E402
from fault.world import World, test_of  # noqa: E402

LEASE_S = 3.0
PAUSE_S = (1.0, 4.0)
DRAIN_S = 90
WAYS = {"in": "what it says", "out": "what it hears", "two": "both ways"}


def run(*words):
    subprocess.run(words, check=True, capture_output=True, timeout=10)


class Network:
    """A namespace and a wire to it: us at .1, it at .2; and a table of nftables with the cuts."""

    def __init__(self, number):
        self.name, self.number = f"pl{number}", number
        self.here, self.there = f"10.203.{number % 250}.1", f"10.203.{number % 250}.2"

    def __enter__(self):
        run("ip", "netns", "add", self.name)
        try:
            run("ip", "link", "add", self.name + "a", "type", "veth", "peer", "name", self.name + "b", "netns", self.name)
            run("ip", "addr", "add", self.here + "/24", "dev", self.name + "a")
            run("ip", "link", "set", self.name + "a", "up")
            for words in (("addr", "add", self.there + "/24", "dev", self.name + "b"), ("link", "set", self.name + "b", "up"),
                          ("link", "set", "lo", "up")):
                run("ip", "-n", self.name, *words)
            run("nft", "add", "table", "ip", self.name)
            for hook in ("input", "output"):
                run("nft", "add", "chain", "ip", self.name, hook, f"{{ type filter hook {hook} priority 0; }}")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for words in (("nft", "delete", "table", "ip", self.name), ("ip", "link", "delete", self.name + "a"),
                      ("ip", "netns", "delete", self.name)):
            subprocess.run(words, capture_output=True, timeout=10)

    def cut(self, ports, how, way):
        to = "drop" if how == "drop" else "reject with tcp reset"
        for port in ports:
            if way != "out":
                run("nft", "add", "rule", "ip", self.name, "input", f"ip saddr {self.there} tcp dport {port} {to}")
            if way != "in":
                run("nft", "add", "rule", "ip", self.name, "output", f"ip daddr {self.there} tcp sport {port} {to}")

    def join(self):
        for hook in ("input", "output"):
            run("nft", "flush", "chain", "ip", self.name, hook)


class Feeder(threading.Thread):
    """Always something to do; at any time some runs that outlast a lease, seldom superseded."""

    def __init__(self, world):
        super().__init__(daemon=True)
        self.world, self.is_done = world, threading.Event()

    def run(self):
        lasting = [f for f in self.world.functions if test_of(f) == "second"]
        while not self.is_done.wait(0.4):
            chance = self.world.random
            self.world.change(chance.choice(lasting if chance.random() < 0.4 else self.world.functions))


def cut_all(world, network, a):
    chance = random.Random(a.seed)
    done = []
    for i in range(a.cuts):
        which, how, way = (chance.choice(of) for of in (("work", "work", "results", "both"), ("drop", "reset"), ("in", "out", "two")))
        ports = {"work": world.bus.ports[:1], "results": world.bus.ports[1:], "both": world.bus.ports}[which]
        for_s = chance.uniform(1.0, a.most)
        print(f"cuts: {i + 1} of {a.cuts}: {which}, {how}, {WAYS[way]}, {for_s:.1f} s", flush=True)
        network.cut(ports, how, way)
        time.sleep(for_s)
        network.join()
        done.append(for_s)
        time.sleep(chance.uniform(*PAUSE_S))
    return done


def try_all(world, network, a):
    world.start()
    feeder = Feeder(world)
    feeder.start()
    done = cut_all(world, network, a)
    feeder.is_done.set()
    feeder.join()
    began = time.monotonic()
    world.wait_idle(DRAIN_S)
    drain_s = time.monotonic() - began
    world.gateway_settled(30)
    evidence = world.evidence()
    wrong = check(evidence)
    told = {"cuts": len(done), "cut_s": round(sum(done)), "changes": len(world.accepted), "calls": len(evidence.calls),
            "leases": sum(j["t"] == "active" for j in evidence.journal), "lost": sum(j["w"] == "reap" for j in evidence.journal),
            "late_calls": len(overlaps(evidence.calls)), "drain_s": round(drain_s, 1), "violations": len(wrong)}
    print("cuts: " + json.dumps(told), flush=True)
    if wrong:
        print(show(wrong), flush=True)
    return wrong


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--cuts", type=int, default=int(os.environ.get("CUTS") or 20))
    p.add_argument("--most", type=float, default=float(os.environ.get("MOST") or 40))
    p.add_argument("--seed", type=int, default=int(os.environ.get("SEED") or random.SystemRandom().randrange(10 ** 6)))
    p.add_argument("--folder", default=os.path.join(ROOT, "build", "cuts"))
    a = p.parse_args()
    if os.geteuid() != 0 or not shutil.which("nft") or not shutil.which("ip"):
        print("cuts: needs root, ip and nft", flush=True)
        return 100
    shutil.rmtree(a.folder, ignore_errors=True)
    print(f"cuts: SEED={a.seed}", flush=True)
    with Network(os.getpid() % 10000) as network:
        world = World(a.folder, functions=120, seed=a.seed, long="7s", host=network.here, lease=f"{LEASE_S:g}s", loaders=2)
        world.wraps["l1"] = ("ip", "netns", "exec", network.name)
        try:
            return 1 if try_all(world, network, a) else 0
        finally:
            world.stop()


if __name__ == "__main__":
    sys.exit(main())
