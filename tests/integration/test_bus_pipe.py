"""The same recorded input over the pipe and over the bus gives the same events of planner, collector and sink."""
import copy
import hashlib
import json
import os

from helpers.programs import example, lines, pl
from helpers.servers import wait_for

CONFIG = """\
accounts:
  prod: {provider: aws, region: us-east-1, endpoint: 'http://127.0.0.1:1'}
functions:
  prod/*: {payload: '{}'}
tests:
  compare: {workload: {rate: 10/s, duration: 30s, spread: 4}, warmup: 5s, when: [added, code]}
limits: {concurrency: 100, cost_per_day: 1000 USD}
objectives: {prod/*: [response_p95 < 300ms, coverage/coverage >= 0.75]}
"""
NAMES = ["alpha", "beta", "gamma", "delta", "skipped", "refused", "gone"]


def change(name, causes=("code",), **limits):
    e = copy.deepcopy(example("function.changed"))
    e["subject"] = "prod/" + name
    e["id"] = e["data"]["change"]["id"] = "c" + (name + "a" * 20)[:20]
    e["data"]["change"].update(kind=causes[0], causes=list(causes))
    e["data"]["limits"].update(limits)
    return e


def removed(name):
    e = change(name)
    e["type"] = "plimsoll.function.removed.v1"
    e["id"] = "c" + (name + "b" * 20)[:20]
    e["data"] = {"change": {"id": e["id"], "kind": "removed", "causes": ["removed"], "seen_by": "poll"}}
    return e


def recorded():
    return [change("alpha"), change("beta"), change("gamma"), change("delta"), change("skipped", ["config"]),
            change("refused", reserved=1), removed("gone")]


def result(shard):
    """What a loader once measured, for this shard."""
    e = copy.deepcopy(example("shard.finished"))
    e.update(id=shard["id"] + ".0", subject=shard["subject"], plimsollrun=shard["plimsollrun"])
    e["data"].update(run=shard["data"]["run"], shard=shard["data"]["shard"])
    if shard["subject"] == "prod/delta":
        e["data"].update(outcome="aborted", reason="50 of 100 calls failed")
    return e


def bare(events):
    """Sorted by id, without who said it and when."""
    out = [{k: v for k, v in e.items() if k not in ("time", "source")} for e in events]
    return sorted(out, key=lambda e: (e["type"], e["id"]))


def of(events, kind):
    return [e for e in events if e["type"] == f"plimsoll.{kind}.v1"]


def over_the_pipe(config, folder):
    planned = pl("planner", "--config", config, "--state", folder / "pipe", input=recorded())
    assert planned.code == 0, planned
    measured = of(planned.events, "run.planned") + [result(s) for s in of(planned.events, "shard.planned")]
    told = pl("collector", "--config", config, "--state", folder / "pipe", input=measured)
    assert told.code == 0, told
    sunk = folder / "pipe.ndjson"
    pl("sink", "--to", f"file={sunk}", "--state", folder / "pipe", input=told.events)
    return {"planner": of(planned.events, "run.planned") + of(planned.events, "shard.planned"),
            "collector": of(told.events, "run.finished"),
            "sink": [json.loads(line) for line in sunk.read_text().splitlines()]}


def as_a_loader(bus, run, shard):
    """Leases, begins and hands in a run, as broker and intake do for a loader."""
    owner = "test/1"
    code, token, *_ = bus.fcall("pl_lease", run, "nonce", 30000, owner)
    assert code == "OK" and bus.fcall("pl_beat", run, 0, token, owner, 30000, 1) == ["OK"]
    line = lines(result(shard)).rstrip(b"\n")
    sha = hashlib.sha256(line).hexdigest()
    folder = os.path.join(bus.state, "collector", "results")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, f"{run}.0.{sha[:16]}.json"), "wb") as f:
        f.write(line)
    assert bus.fcall("pl_shard", run, 0, token, owner, sha, len(line))[0] == "OK"


def files(bus):
    folder = os.path.join(bus.state, "collector", "results")
    for name in sorted(os.listdir(folder)):
        if ".f0." in name:
            with open(os.path.join(folder, name), encoding="utf-8") as f:
                yield json.load(f)


def over_the_bus(bus, folder):
    sunk, redis = folder / "bus.ndjson", bus.redis.client()
    bus.start("planner")
    for event in recorded():
        assert bus.ingest(event)[0] == "OK"
    wait_for("plans", lambda: not redis.zcard("{pl}:q:new"))
    runs = [k.split(":")[-1] for k in redis.scan_iter("{pl}:r:*", count=1000)]
    plans = [json.loads(redis.hget("{pl}:r:" + run, "plan")) for run in runs]
    shards = [json.loads(redis.hget("{pl}:s:" + run, "0")) for run in runs if redis.exists("{pl}:s:" + run)]
    for shard in shards:
        as_a_loader(bus, shard["plimsollrun"], shard)
    bus.start("collector")
    bus.start("sink", "--to", f"file={sunk}")
    bus.drained()
    return {"planner": plans + shards, "collector": list(files(bus)),
            "sink": [json.loads(line) for line in sunk.read_text().splitlines()]}


def test_same_events_over_the_pipe_and_over_the_bus(bus, tmp_path):
    bus.configure(CONFIG)
    piped, bussed = over_the_pipe(bus.config_path, tmp_path), over_the_bus(bus, tmp_path)
    for stage, events in piped.items():
        assert bare(bussed[stage]) == bare(events), stage
    outcomes = {e["subject"]: e["data"]["outcome"] for e in bussed["sink"]}
    assert set(outcomes) == {"prod/" + n for n in NAMES if n != "gone"}
    assert outcomes["prod/skipped"] == "skipped" and outcomes["prod/refused"] == "refused"
    reasons = {e["subject"]: [o.get("reason") for o in e["data"]["objectives"]] for e in bussed["sink"]}
    assert reasons["prod/alpha"] == [None, "no figure from coverage"]
