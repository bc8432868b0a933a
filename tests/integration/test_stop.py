"""stop: when-decided. The planner plans looks, the loader takes them, the collector judges what it stopped at."""
import collections
import copy
import http.server
import json
import os
import threading
import time
from pathlib import Path

import pytest

from helpers.programs import example, pl
from helpers.servers import wait_for
from helpers.shards import calls, check_sums, stamp

ENVIRONMENTS = 8
CONFIG = """
accounts: {prod: {provider: aws, region: us-east-1, endpoint: '%s', quiet_time: 0s}}
functions: {prod/hello: {payload: '{}', instance: /instance, tests: [t]}}
tests: {t: {workload: {rate: 160/s, duration: 4s, spread: 8, stop: %s, shards: %d}, warmup: 0s}}
metrics: {gate: {response_p50: {tolerance: 10%%}}}
limits: {rate: 10000/s, concurrency: 1000}
"""
KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "token"}


class Versions(http.server.ThreadingHTTPServer):
    """A function with versions 1 and 2; takes(qualifier) seconds. Each call of a round has its environment."""
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, takes):
        server, self.count = self, collections.Counter()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                qualifier = self.path.rpartition("=")[2]
                server.count[qualifier] += 1
                body = b'{"instance": "%s-%d"}' % (qualifier.encode(), server.count[qualifier] % ENVIRONMENTS)
                time.sleep(takes(qualifier))
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

            def log_message(self, *args):
                pass
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


def change():
    e = copy.deepcopy(example("function.changed"))
    e["subject"], e["time"] = "prod/hello", stamp()
    return e


@pytest.fixture
def run(tmp_path):
    def go(takes, stop, shards=1):
        with Versions(takes) as server:
            config = tmp_path / "plimsoll.yaml"
            config.write_text(CONFIG % (f"http://127.0.0.1:{server.server_port}", stop, shards))
            planned = pl("planner", "--config", config, input=change())
            loaded = pl("loader", "--config", config, "--state", tmp_path / "state", input=planned.out, env=KEYS, timeout_s=60)
            server.shutdown()
        judged = pl("collector", "--config", config, input=loaded.out)
        data = [r.of(kind)[0]["data"] for r, kind in
                [(planned, "run.planned"), (planned, "shard.planned"), (loaded, "shard.finished"), (judged, "run.finished")]]
        check_sums(data[2])
        return data
    return go


def slower(qualifier):
    """The new version takes 20 ms longer."""
    return 0.024 if qualifier == example("function.changed")["data"]["target"]["qualifier"] else 0.004


def plan_event(plan):
    return {**example("run.planned"), "plimsollrun": plan["run"]["id"], "id": plan["run"]["id"], "subject": "prod/hello", "data": plan}


def shard_event(plan, data):
    return {**plan_event(plan), "type": "plimsoll.shard.finished.v1", "id": plan["run"]["id"] + ".0.0", "data": data}


def gates(data):
    return {m["name"]: m for m in data["metrics"] if m["is_gate"]}


def test_a_clear_difference_ends_it_early(run):
    plan, shard, shard_end, end = run(slower, "when-decided")
    assert plan["stop"] == shard["plan"]["stop"] == {"looks": [0.25, 0.5, 0.75, 1]}
    assert "stopped" in shard_end, end
    stopped = shard_end["stopped"]
    assert shard_end["outcome"] == "complete" and stopped["look"] < stopped["of"] == 4 and stopped["rounds"] == 10 * stopped["look"]
    assert shard_end["due"] < 640, "fewer calls than planned"
    seen = calls(shard_end)
    assert collections.Counter(c["round"] for c in seen if c["round"] < stopped["rounds"]) == {
        r: 2 * ENVIRONMENTS for r in range(stopped["rounds"])}, "the rounds it rests on are whole"
    assert end["stopped"] == stopped and end["verdict"] == "worse" and end["outcome"] == "valid", end
    assert all(m["verdict"] != "cannot-tell" for m in gates(end).values()), "the collector decides what the loader decided"
    assert gates(end)["response_p50"]["level"] > 0.99, "an interval of an early look"
    assert sum(sum(v.values()) for v in end["requests"].values()) == shard_end["due"], "what was not sent is not told, nor paid for"

    told = {**plan_event(plan), "type": "plimsoll.run.finished.v1", "id": plan["run"]["id"] + ".f0", "data": end}
    assert f"decided at look {stopped['look']} of 4" in pl("sink", "--to", "terminal", input=told).text

    judged = pl("collector", input=[plan_event(plan), shard_event(plan, {**shard_end, "stopped": {**stopped, "rounds": 8}})])
    low = [gates(d)["response_p50"]["low"] for d in (end, judged.of("run.finished")[0]["data"])]
    assert low[0] != low[1], "the interval rests on these rounds and on no others"


def test_without_it_all_is_called(run):
    plan, shard, shard_end, end = run(slower, "off")
    assert "stop" not in plan and "plan" not in shard and "stopped" not in shard_end
    assert shard_end["due"] == 640 and end["verdict"] == "worse" and gates(end)["response_p50"]["level"] == 0.95


def bare(event):
    """Without who said it and when."""
    return {k: v for k, v in event.items() if k not in ("time", "source")}


def micro_usd(text):
    return round(float(text) * 1e6)


def of_the_bus(bus):
    """run.planned, shard.finished and run.finished of each run, in order, once the change and its confirmation are told."""
    redis, folder, out = bus.redis.client(), os.path.join(bus.state, "collector", "results"), []
    wait_for("two runs", lambda: [redis.hget(k, "st") for k in redis.scan_iter("{pl}:r:*")].count("published") == 2, 60)
    for key in sorted(redis.scan_iter("{pl}:r:*"), key=lambda k: int(redis.hget(k, "created"))):
        run = key.rpartition(":")[2]
        files = sorted(n for n in os.listdir(folder) if n.startswith(run))
        events = [json.loads((Path(folder) / n).read_text()) for n in files]
        by_type = {e["type"]: e for e in events}
        assert len(files) == 2, files
        out.append([json.loads(redis.hget(key, "plan")), by_type["plimsoll.shard.finished.v1"], by_type["plimsoll.run.finished.v1"]])
    return out


@pytest.mark.measures
def test_over_the_bus_it_is_the_same_and_gives_the_money_back(bus, tmp_path):
    """The day has room for one reservation, not for two: what a stopped run did not use pays for its confirmation."""
    with Versions(slower) as server:
        config = CONFIG % (f"http://127.0.0.1:{server.server_port}", "when-decided", 1)
        bus.configure(config.replace("limits: {", "limits: {cost_per_day: 0.0042 USD, "))
        redis, event = bus.redis.client(), change()
        for stage in ("planner", "collector"):
            bus.start(stage)
        assert bus.ingest(event)[0] == "OK"
        wait_for("the plan", lambda: redis.hgetall("{pl}:money"))
        booked = list(redis.hgetall("{pl}:money").values())
        bus.start("sink", "--to", f"file={tmp_path}/told")
        bus.start("loader", as_name="one", env=KEYS)
        runs = of_the_bus(bus)

    plans, shards, ends = zip(*runs)
    estimates = [micro_usd(p["data"]["estimate"]["cost_usd"]) for p in plans]
    costs = [micro_usd(e["data"]["cost_usd"]) for e in ends]
    assert booked == [str(estimates[0])] and sum(estimates) > 4200
    assert list(redis.hgetall("{pl}:money").values()) == [str(sum(costs))] and not redis.hgetall("{pl}:res")
    for shard, end, cost in zip(shards, ends, costs):
        due, stopped = shard["data"]["due"], end["data"]["stopped"]
        assert stopped == shard["data"]["stopped"] and stopped["look"] < 4 and due < 640 and end["data"]["verdict"] == "worse"
        assert 0.2 * due < cost < (0.2 + 0.125 * 16.6667 * 0.1) * due, "a call is paid for with at most 100 ms"
    assert sum(server.count.values()) == sum(s["data"]["due"] for s in shards)
    assert ends[1]["data"]["is_confirmed"] and "first" not in plans[0]["data"] and "shared_environments" not in ends[0]["data"]["basis"]
    again, rests = ends[1]["data"]["basis"], plans[1]["data"]["first"]["environments"]
    assert {len(names) for names in rests.values()} == {ENVIRONMENTS}
    assert again["shared_environments"] == again["environments"] == 2 * ENVIRONMENTS and again["after_ms"] >= 0
    assert f"later: {2 * ENVIRONMENTS} of {2 * ENVIRONMENTS} environments had answered the first run too" in ends[1]["data"]["verdict_reason"]

    planned = pl("planner", "--config", bus.config_path, "--state", tmp_path / "pipe", input=event)
    assert bare(planned.of("run.planned")[0]) == bare(plans[0]) and planned.of("shard.planned")[0]["data"]["plan"]["stop"]
    judged = pl("collector", "--config", bus.config_path, "--state", tmp_path / "pipe", input=[e for run in runs for e in run[:2]])
    assert [bare(e) for e in judged.of("run.finished")] == [bare(e) for e in ends]


def test_several_shards_do_not_stop(tmp_path):
    config = tmp_path / "plimsoll.yaml"
    config.write_text(CONFIG % ("http://127.0.0.1:1", "when-decided", 2))
    r = pl("planner", "--config", config, input=change())
    assert "stop" not in r.of("run.planned")[0]["data"] and len(r.of("shard.planned")) == 2
    assert "2 shards: it does not stop early" in r.of("run.planned")[0]["data"]["reason"]
