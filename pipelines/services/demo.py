#!/usr/bin/env python3
"""demo.py - `make services-demo`: the changes of `make demo` by the services, while every few seconds one of them dies.

Starts an AWS emulator, Prometheus, and under a supervisor (no systemd needed) Redis, a Pushgateway, watcher, planner,
collector, sink and two loaders that speak over TCP with CURVE. Makes the eight changes, kills something with -9 every few
seconds (each loader once, in the middle of its runs), holds each verdict against what is right, and looks at the invariants
of docs/RELIABILITY.md when all is done.

	make services-demo	about seven minutes; leaves no process behind

Exit 0: all eight are right and no invariant is broken; 1: not so; 111: a service gave up.
"""
import json
import os
import random
import shutil
import signal
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [ROOT, os.path.join(ROOT, "tests"), os.path.join(ROOT, "pipelines", "demo")]
import redis  # noqa: E402

import demo as plain  # noqa: E402
from fault.invariants import Evidence, Journal, State, check, gateway_is_state, show  # noqa: E402
from helpers import servers  # noqa: E402
from helpers.cloud import Cloud  # noqa: E402
from pipelines.services.services import Services  # noqa: E402

say = plain.say
KILL_EVERY_S = (3.0, 6.0)
OFTEN = ("planner", "collector", "sink", "watcher", "redis", "pushgateway")
LOADERS_AFTER_S = {"loader-l1": 25.0, "loader-l2": 55.0}  # from the first result on
DRAIN_S = 300
DOWN = (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError, redis.exceptions.BusyLoadingError, OSError)


class Killer(threading.Thread):
    """kill -9, one after the other; the loaders once each, so that their runs come to an end."""

    def __init__(self, services, seed):
        super().__init__(daemon=True)
        self.services, self.random, self.is_done = services, random.Random(seed), threading.Event()
        self.kills, self.began = [], time.monotonic()
        self.loaders = dict(LOADERS_AFTER_S)

    def run(self):
        while not self.is_done.wait(self.random.uniform(*KILL_EVERY_S)):
            due = [n for n, after_s in self.loaders.items() if time.monotonic() - self.began > after_s]
            name = due[0] if due else self.random.choice(OFTEN)
            self.loaders.pop(name, None)
            if self.services.kill(name):
                self.kills.append(name)
                say(f"kill -9 {name}")

    def stop(self):
        self.is_done.set()
        self.join()


class Mirror:
    """What the services know, read from Redis and the collector's files: events as the pipe would have told them."""

    def __init__(self, services):
        self.services, self.seen = services, set()

    def new(self):
        """(stage, event) of what is new."""
        client = self.services.redis.client()
        for name, kind in (("c", "watcher"), ("r", "planner")):
            for key in client.scan_iter("{pl}:" + name + ":*", count=1000):
                yield from self.of_hash(kind, key, client.hgetall(key))

    def of_hash(self, kind, key, h):
        line = h.get("line" if kind == "watcher" else "plan")
        if line and h.get("kind") != "confirm" and self.is_new(key):
            yield kind, json.loads(line)
        if "rev" not in h:
            return
        path = os.path.join(self.services.bus.state, "collector", "results", f"{key.rpartition(':')[2]}.f{h['rev']}.json")
        if os.path.exists(path) and self.is_new(path):
            with open(path, encoding="utf-8") as f:
                yield "collector", json.load(f)

    def is_new(self, name):
        if name in self.seen:
            return False
        self.seen.add(name)
        return True


class ServicesDemo(plain.Demo):
    def __init__(self, folder):
        super().__init__(folder, keep=False)
        self.services = Services(folder, loaders=2, tcp=True, lease="5s", slots=8)
        self.push, self.killer, self.codes = self.services.push, None, {}
        self.journal = Journal(self.services.redis)

    def start_servers(self):
        say("starting an AWS emulator (AUTH=true) and Prometheus; Redis and a Pushgateway come with the services")
        self.aws = self.start(servers.Ministack(self.folder + "/aws", auth=True))
        self.prometheus = self.start(servers.Prometheus(self.folder + "/prometheus", [f"127.0.0.1:{self.push.port}"]))
        self.root = Cloud(self.aws)
        self.root.function_role()
        self.clouds = {"demo": self.root, "live": self.root.in_region("eu-west-1")}

    def start_pipe(self):
        """The services, in place of the pipe."""
        with open(self.folder + "/plimsoll.yaml", encoding="utf-8") as f:
            self.services.configure(f.read())
        self.services.stage_env = {"AWS_SHARED_CREDENTIALS_FILE": self.folder + "/credentials", "AWS_CONFIG_FILE": "/dev/null",
                                   "AWS_EC2_METADATA_DISABLED": "true"}
        self.services.add_stage("watcher", "--follow")
        self.services.start()
        self.mirror = Mirror(self.services)
        say("running: " + ", ".join(self.services.names()))

    def look(self):
        """Reads what is new; a Redis or Pushgateway that is being started again is looked at the next time."""
        up = self.services.supervisor.given_up()
        if up:
            raise BrokenPipeError(f"ended with 100: {', '.join(up)} (see {self.services.supervisor.folder}/*.log)")
        see = {"watcher": self.see_change, "planner": self.see_plan, "collector": self.see_result}
        try:
            self.journal.read()
            for stage, event in self.mirror.new():
                account, _, function = event.get("subject", "").partition("/")
                if account in self.clouds and function in self.stories:
                    see[stage](event["type"], event["data"], self.stories[function], function)
            with_group = {g.get("function") for g in self.push.groups()}
        except DOWN:
            return
        for name, story in self.stories.items():
            story.has_group = name in with_group
            story.had_group |= story.has_group

    def change_all(self):
        super().change_all()
        self.killer = Killer(self.services, int(os.environ.get("SEED") or 1))
        self.killer.start()

    def settle(self):
        """The killing ends; what is under way (confirmations too) comes to its end. How many invariants are broken."""
        self.killer.stop()
        say(f"{len(self.killer.kills)} times something was killed; now all that is under way comes to its end")
        try:
            self.services.wait_idle(DRAIN_S)
            servers.wait_for("the Pushgateway to equal the state", lambda: not self.gateway_wrong(), 60, 0.5)
        except TimeoutError as e:
            say(str(e))
        self.look()
        wrong = check(self.evidence())
        if wrong:
            print(show(wrong), flush=True)
        deaths = sum(sum(c.values()) for c in self.services.supervisor.deaths.values())
        say(f"invariants: {len(wrong)} broken, after {deaths} deaths and {len(self.journal.entries)} moves")
        return len(wrong)

    def evidence(self):
        bus = self.services.bus
        return Evidence(redis=self.services.redis, journal=self.journal.read(), accepted={}, gateway=self.push.metrics(),
                        secrets={f"pl-{stage}": p for stage, p in bus.passwords.items()} | {"server key": bus.server[1]},
                        folders=[self.services.supervisor.folder, bus.state, self.services.redis.aof],
                        pids=[p for p in map(self.services.supervisor.pid, self.services.names()) if p])

    def gateway_wrong(self):
        evidence = self.evidence()
        return list(gateway_is_state(evidence, State(evidence.redis)))

    def run(self):
        self.start_servers()
        self.make_role()
        self.deploy_first()
        self.start_pipe()
        self.wait_for_baselines()
        self.change_all()
        self.follow()
        wrong = self.settle()
        wrong += self.report() + self.look_at_prometheus()
        say(f"what everybody said: {self.services.supervisor.folder}/*.log; settings: {self.services.bus.config_path}")
        say(f"archive: sqlite3 {self.folder}/archive.sqlite 'SELECT * FROM verdicts'")
        return wrong

    def stop(self):
        if self.killer:
            self.killer.stop()
        codes = self.services.stop()
        super().stop()
        return codes


def main():
    folder = os.path.join(ROOT, "build", "services-demo")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder, mode=0o700)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began, demo, wrong, codes = time.monotonic(), ServicesDemo(folder), None, {}
    try:
        wrong = demo.run()
    except BrokenPipeError as e:
        say(str(e))
    finally:
        codes = demo.stop()
        say("stopped; exit codes: " + ", ".join(f"{n} {c}" for n, c in codes.items()))
    if wrong is None:
        return 111
    say(f"{'all eight are right, no invariant is broken' if wrong == 0 else f'{wrong} wrong'}, {time.monotonic() - began:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
