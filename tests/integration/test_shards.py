"""A run in several shards: cut by the planner, carried side by side by the loader, merged by the collector; start_at and
the attempt, as the bus adds them; and how soon the first byte leaves."""
import copy
import re
import statistics
import time

import pytest

from helpers.programs import example, lines, pl, start
from helpers.servers import wait_for
from helpers.shards import check_sums, http_target, shard, stamp

CONFIG = """
accounts:
  web: {provider: http, allow: [127.0.0.1], quiet_time: 0s}
functions:
  web/hello: {url: '%s/hello', payload: '{}', tests: [split]}
tests:
  split: {workload: {rate: %s, duration: %s, spread: %s, shards: %d}, warmup: %s}
objectives: {web/hello: [response_p95 < 5s]}
limits: {rate: 10000/s, concurrency: 1000}
"""


@pytest.fixture
def settings(tmp_path, witness):
    def write(rate="96/s", duration="3s", spread="16", shards=3, warmup="500ms"):
        path = tmp_path / "plimsoll.yaml"
        path.write_text(CONFIG % (witness.url, rate, duration, spread, shards, warmup))
        return path
    return write


def change():
    e = copy.deepcopy(example("function.changed"))
    e["subject"] = "web/hello"
    e["data"]["change"]["kind"], e["data"]["candidates"], e["data"]["limits"] = "manual", [], {}
    e["data"]["target"] = {"provider": "http"}
    e["time"] = stamp()
    return e


def by_attempt(witness):
    seen = {}
    for at, _, run, attempt, _ in witness.calls():
        if run != "-":
            seen.setdefault(attempt, []).append(at)
    return seen


@pytest.mark.measures
@pytest.mark.parametrize("spread, slots", [("16", 4), ("off", 1)])
def test_three_shards_in_a_pipe_are_one_run(settings, witness, tmp_path, spread, slots):
    config, state = settings(spread=spread), tmp_path / "state"
    plans = pl("planner", "--config", config, input=change())
    planned = plans.of("shard.planned")
    assert [s["data"]["shard"] for s in planned] == [{"index": i, "of": 3} for i in range(3)]
    results = pl("loader", "--config", config, "--state", state, "--slots", slots, input=plans.out)
    assert results.code == 0, results
    shards = results.of("shard.finished")
    for s in shards:
        check_sums(s["data"])
        assert s["data"]["outcome"] == "complete", s
    finished = pl("collector", "--config", config, input=results.out).of("run.finished")
    assert len(finished) == 1
    data = finished[0]["data"]
    assert data["outcome"] == "valid", data["reason"]
    assert sum(data["requests"]["new"].values()) == sum(s["data"]["due"] for s in shards) == data["requests"]["new"]["ok"]
    if spread != "off":
        assert data["requests"]["new"]["ok"] == 288
    assert [s["index"] for s in data["shards"]] == [0, 1, 2]
    assert max(s["start_ms"] for s in data["shards"]) < 50
    # What the target saw: all shards began together, and each call says whose it was.
    seen = by_attempt(witness)
    run = finished[0]["plimsollrun"]
    assert sorted(seen) == [f"{run}.{i}.0" for i in range(3)]
    firsts = sorted(min(ats) for ats in seen.values())
    assert firsts[-1] - firsts[0] < 100e6, firsts


def test_a_shard_that_is_missing_leaves_no_verdict(settings, tmp_path):
    config = settings(duration="1s")
    plans = pl("planner", "--config", config, input=change())
    results = pl("loader", "--config", config, "--state", tmp_path / "state", input=plans.out)
    kept = [e for e in results.events if not e["id"].endswith(".1.0")]
    data = pl("collector", "--config", config, input=kept).of("run.finished")[0]["data"]
    assert data["outcome"] == "incomplete" and "1 shards never finished" in data["reason"]
    assert data["verdict"] in ("cannot-tell", "not-compared")


def leased(witness, start_in_s=None, attempt=7, **workload):
    e = shard("web/hello", [http_target("new", witness.url + "/hello")], **workload)
    e["data"]["attempt"] = attempt
    if start_in_s is not None:
        e["data"]["start_at"] = stamp(start_in_s)
    return e


def ns(text):
    """A wall clock of the events, of today, as witness.c has it."""
    h, m, s = re.match(r"....-..-..T(..):(..):(.*)Z", text).groups()
    return int((int(h) * 3600 + int(m) * 60 + float(s)) * 1e9)


@pytest.mark.measures
def test_all_begin_at_start_at(settings, witness, tmp_path):
    e = leased(witness, 1.2, duration_ms=500, warmup_ms=200, rate_per_s=80, spread=4)
    r = pl("loader", "--config", settings(), "--state", tmp_path / "state", input=e)
    finished = r.of("shard.finished")[0]
    data = finished["data"]
    check_sums(data)
    assert data["attempt"] == 7 and finished["id"] == e["id"] + ".7"
    seen = by_attempt(witness)
    assert list(seen) == [e["id"] + ".7"]
    day_ns = 86400 * 10**9
    began, want = min(seen[e["id"] + ".7"]) % day_ns, ns(e["data"]["start_at"])
    assert -1e6 < began - want < 30e6, (began - want) / 1e6
    assert abs(ns(data["started_at"]) - want) < 2e6


@pytest.mark.parametrize("in_s, words", [(-3600, None), (300, "clocks of the hosts differ")])
def test_start_at_that_is_past_or_far(settings, witness, tmp_path, in_s, words):
    e = leased(witness, in_s, duration_ms=1000, deadline_s=3600)
    data = pl("loader", "--config", settings(), "--state", tmp_path / "state", input=e).of("shard.finished")[0]["data"]
    assert data["outcome"] == ("error" if words else "complete")
    assert not words or words in data["reason"]


@pytest.mark.measures
def test_the_first_byte_leaves_soon_after_the_shard_came(settings, witness, tmp_path):
    """Of the 50 ms from an accepted change to the first byte, the loader's part."""
    p = start("loader", "--config", settings(), "--state", tmp_path / "state", "--max-rate", "10000/s")
    took_ms = []
    try:
        for i in range(15):
            e = leased(witness, attempt=i, rate_per_s=400, spread=4, duration_ms=1000, limits={"requests": 1000})
            e["data"]["workload"]["duration_ms"] = 100
            sent = time.time_ns()
            p.stdin.write(lines(e))
            p.stdin.flush()
            wait_for("the result", lambda: b"shard.finished" in p.stdout.readline())
            took_ms.append((min(by_attempt(witness)[f"{e['id']}.{i}"]) - sent) / 1e6)
    finally:
        p.stdin.close()
        p.stdin = None
        p.communicate(timeout=20)
    print(f"event to first byte: median {statistics.median(took_ms):.1f} ms, worst {max(took_ms):.1f} ms")
    assert statistics.median(took_ms) < 25, took_ms
