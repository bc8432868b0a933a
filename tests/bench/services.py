"""`make bench-services`: how fast a change goes through the services on this machine.

1. From pl_ingest's answer to the first byte at the target: quiet time 0, target ready, one shard, idle bus (median).
2. 10,000 functions changed at once: from the first pl_ingest to the last plan, and the same with all of them queued
   before the planner starts.
"""
import copy
import os
import socket
import statistics
import sys
import tempfile
import threading
import time

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")]
from helpers.bus import Bus, http_config  # noqa: E402
from helpers.programs import example, lines  # noqa: E402
from helpers.servers import wait_for  # noqa: E402

TURNS = int(os.environ.get("TURNS", "25"))
FUNCTIONS = int(os.environ.get("FUNCTIONS", "10000"))
FIRST_BYTE_MS, PLANNED_S = 50, 5
MANY = """\
accounts:
  web: {provider: aws, region: us-east-1, endpoint: 'http://127.0.0.1:1'}
functions:
  web/*: {payload: '{}'}
tests:
  compare: {workload: {rate: 10/s, duration: 30s, spread: 4}, warmup: 5s, when: [added, code]}
limits: {concurrency: 100, cost_per_day: 100000 USD}
"""


class Target:
    """Answers every request, and remembers when the first byte since arm() came."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.url = "http://127.0.0.1:%d" % self.listener.getsockname()[1]
        self.first = None
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            threading.Thread(target=self.serve, args=(self.listener.accept()[0],), daemon=True).start()

    def serve(self, connection):
        while connection.recv(65536):
            self.first = self.first or time.monotonic()
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def change(n, function, is_http=False):
    e = copy.deepcopy(example("function.changed"))
    e["subject"] = "web/" + function
    e["id"] = e["data"]["change"]["id"] = f"c{n:020d}"
    e["data"]["change"].update(kind="code", causes=["code"])
    if is_http:
        e["data"] = {"change": e["data"]["change"], "target": {"provider": "http", "is_immutable": False}}
    return e


def first_byte(folder):
    target = Target()
    with Bus(os.path.join(folder, "latency")) as bus:
        bus.configure(http_config(target, ["f"], rate="100/s"))
        for stage in ("planner", "collector"):
            bus.start(stage)
        bus.start("loader", as_name="l1")
        bus.start("sink", "--to", "file=" + bus.path("told"))
        bus.processes[0].wait_log("is here")
        took_ms = []
        for i in range(TURNS):
            target.first = None
            assert bus.ingest(change(i, "f", is_http=True))[0] == "OK"
            accepted = time.monotonic()
            took_ms.append((wait_for("a call", lambda: target.first, every_s=0.001) - accepted) * 1e3)
            bus.drained()
        return took_ms


def ingest(redis, names):
    pipe = redis.pipeline(transaction=False)
    for i, name in enumerate(names):
        e = change(i, name)
        pipe.execute_command("FCALL", "pl_ingest", 0, e["id"], e["subject"], "change", lines(e).decode().rstrip("\n"))
        if i % 500 == 499:
            pipe.execute()
    pipe.execute()


def all_planned(folder, is_queued_first):
    names = [f"f{i:05d}" for i in range(FUNCTIONS)]
    with Bus(os.path.join(folder, f"planned{is_queued_first:d}")) as bus:
        bus.configure(MANY)
        redis = bus.redis.client()
        if not is_queued_first:
            bus.start("planner").wait_log("Redis answers")
        begin = time.monotonic()
        ingest(redis, names)
        if is_queued_first:
            begin = time.monotonic()
            bus.start("planner")
        wait_for("plans", lambda: redis.zcard("{pl}:st:planned") == FUNCTIONS, 120, 0.02)
        return time.monotonic() - begin


def main():
    cores = len(os.sched_getaffinity(0))
    print(f"{cores} cores, load average {os.getloadavg()[0]:.1f} before")
    with tempfile.TemporaryDirectory(prefix="pl-bench-") as folder:
        took_ms = first_byte(folder)
        median_ms = statistics.median(took_ms)
        print(f"change accepted to first byte: median {median_ms:.1f} ms, worst {max(took_ms):.1f} ms of {TURNS} (at most {FIRST_BYTE_MS} ms median)")
        at_once_s, queued_s = all_planned(folder, False), all_planned(folder, True)
        print(f"{FUNCTIONS} functions changed at once: all planned {at_once_s:.2f} s after the first, with the time to tell them; "
              f"{queued_s:.2f} s when they were queued first (at most {PLANNED_S} s)")
    return 0 if median_ms <= FIRST_BYTE_MS and queued_s <= PLANNED_S else 1


if __name__ == "__main__":
    sys.exit(main())
