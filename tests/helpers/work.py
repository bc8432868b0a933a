"""Broker, intake and workers alone (tests/helpers/work_probe.c) on a real Redis and a real bus, and peers made of
pyzmq that say whatever they like.

	w = Work(bus)
	w.broker(); w.intake(); l1 = w.worker("l1", slots=2, duration_ms=50)
	run = w.plan("prod/hello", shards=2)				# a run that is ready to be leased
	wait_for("the result", lambda: w.state(run) == "measured")
	peer = Peer(bus, "l2", "work"); peer.say("READY", "n2", 1, 1, 0, "*", 5); peer.hear()
"""
import itertools
import json
import os
import time

from .bus import Process
from .packed import pack, unpack
from .programs import binary, dying_with_us, example, lines
from .servers import wait_for

CONFIG = """\
accounts:
  prod: {provider: http, allow: [127.0.0.1]}
"""
numbers = itertools.count(1)


def letters(n, length):
    """A number in the alphabet of ids."""
    out = ""
    for _ in range(length):
        n, digit = divmod(n, 26)
        out = chr(ord("a") + digit) + out
    return out


class Work:
    def __init__(self, bus):
        self.bus = bus.configure(CONFIG)
        for name in ("l1", "l2", "l3"):  # before anybody listens: a stranger is heard of only some seconds later
            bus.add_loader(name)

    def _start(self, name, credentials, *args, env=None, build=None):
        program = os.path.join(build, "tests", "work_probe") if build else binary("plimsoll").replace("plimsoll", "tests/work_probe")
        p = Process(name, dying_with_us([program, args[0], self.bus.config_path, *map(str, args[1:])]),
                    self.bus.environment(credentials, env), self.bus.folder)
        self.bus.processes.append(p)
        p.wait_log("ready")
        return p

    def broker(self, **kw):
        return self._start(f"broker-{next(numbers)}", "planner", "broker", **kw)

    def intake(self, **kw):
        return self._start(f"intake-{next(numbers)}", "collector", "intake", self.bus.path("state-collector"), **kw)

    def spool(self, name):
        return self.bus.path("spool-" + name)

    def worker(self, name, accounts="*", slots=1, duration_ms=50, **kw):
        self.bus.add_loader(name)
        return self._start(f"worker-{name}-{next(numbers)}", "loader-" + name, "worker", self.spool(name), accounts, slots,
                           duration_ms, **kw)

    def results(self):
        folder = self.bus.path("state-collector", "results")
        return sorted(os.listdir(folder)) if os.path.isdir(folder) else []

    def plan(self, function=None, shards=1, account="prod"):
        """A change and its run, as watcher and planner put them into Redis. The run's id."""
        n = next(numbers)
        function = function or f"{account}/f{n}"
        change, run = "c" + letters(n, 20), "r" + letters(n, 20)
        event = example("function.changed")
        event["id"] = event["data"]["change"]["id"] = change
        event["subject"] = function
        assert self.bus.ingest(event)[0] in ("OK", b"OK")
        planned = []
        for i in range(shards):
            shard = example("shard.planned")
            shard.update(id=f"{run}.{i}", plimsollrun=run, subject=function)
            shard["data"].update(run=run, shard={"index": i, "of": shards}, account=account)
            planned.append(lines(shard).decode().rstrip("\n"))
        plan = dict(example("run.planned"), id=run, plimsollrun=run, subject=function)
        reply = self.bus.fcall("pl_plan", change, "2026-11-22", 0, 0, 1, run, "test", json.dumps(plan), 0, 0, account, shards, 0,
                               *planned)
        assert reply[0] in ("OK", b"OK"), reply
        return run

    def show(self, run):
        reply = [x.decode() if isinstance(x, bytes) else x for x in self.bus.fcall("pl_show", run)]
        return dict(zip(reply[1::2], reply[2::2]))

    def state(self, run):
        return self.show(run).get("st")

    def reaches(self, run, state, timeout_s=20):
        wait_for(f"{run} {state}", lambda: self.state(run) == state, timeout_s, 0.02)
        return self.show(run)


def said(process, word):
    """What a worker printed: the words of the lines that begin with this one."""
    return [line.split()[1:] for line in process.log().splitlines() if line.split()[:1] == [word]]


class Peer:
    """A DEALER of pyzmq with a loader's key, for messages that no loader of ours sends."""

    def __init__(self, bus, name, endpoint, routing_id=None):
        import zmq
        bus.add_loader(name)
        work, results = bus.endpoints()
        with open(os.path.join(bus.credentials("loader-" + name), "curve"), encoding="utf-8") as f:
            secret = f.read().encode()
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.DEALER)
        self.heard = []
        self.socket.curve_secretkey, self.socket.curve_publickey = secret, bus.loaders[name].encode()
        self.socket.curve_serverkey = bus.server[0].encode()
        self.socket.linger = 0
        if routing_id:
            self.socket.routing_id = routing_id
        self.socket.connect(work if endpoint == "work" else results)

    def say(self, *words):
        self.socket.send(pack(words))

    def hear(self, timeout_s=5):
        """The next message as a list of texts, or None."""
        if not self.socket.poll(timeout_s * 1000):
            return None
        (frame,) = self.socket.recv_multipart()
        return [part.decode() for part in unpack(frame)]

    def hear_until(self, word, timeout_s=10):
        """The next message of this kind; others are kept for later."""
        until = time.monotonic() + timeout_s
        while True:
            for i, message in enumerate(self.heard):
                if message[0] == word:
                    return self.heard.pop(i)
            message = self.hear(max(0, until - time.monotonic()))
            if not message:
                return None
            self.heard.append(message)

    def close(self):
        self.socket.close()
        self.context.term()
