"""stop: when-decided. The planner plans looks, the loader takes them, the collector judges what it stopped at."""
import collections
import copy
import http.server
import threading
import time

import pytest

from helpers.programs import example, pl
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


def test_several_shards_do_not_stop(tmp_path):
    config = tmp_path / "plimsoll.yaml"
    config.write_text(CONFIG % ("http://127.0.0.1:1", "when-decided", 2))
    r = pl("planner", "--config", config, input=change())
    assert "stop" not in r.of("run.planned")[0]["data"] and len(r.of("shard.planned")) == 2
    assert "2 shards: it does not stop early" in r.of("run.planned")[0]["data"]["reason"]
