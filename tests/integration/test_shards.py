"""A run in several shards: cut by the planner, carried side by side by the loader, merged by the collector; start_at and
the attempt, as the bus adds them; and how soon the first byte leaves."""
import asyncio
import copy
import re
import statistics
import threading
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


class Sequence:
    """Answers after the times of a fixed sequence, 40 to 140 ms, in the order in which calls come: however they are
    shared out, all together have seen the same latencies."""

    def __enter__(self):
        self.count, self.loop = 0, asyncio.new_event_loop()
        self.server = self.loop.run_until_complete(asyncio.start_server(self.serve, "127.0.0.1", 0, backlog=256))
        self.url = "http://127.0.0.1:%d" % self.server.sockets[0].getsockname()[1]
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.close()

    def next_s(self):
        at, share, n = 0.0, 0.5, self.count
        self.count += 1
        while n:
            at, share, n = at + share * (n & 1), share / 2, n >> 1
        return 0.04 + 0.1 * at

    async def serve(self, reader, writer):
        try:
            while True:
                began, wait_s = self.loop.time(), None
                head = await reader.readuntil(b"\r\n\r\n")
                began, wait_s = self.loop.time(), self.next_s()
                size = re.search(rb"(?i)content-length: (\d+)", head)
                await reader.readexactly(int(size.group(1)) if size else 0)
                await asyncio.sleep(began + wait_s - self.loop.time())
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


def percentiles(data):
    from hdrh.histogram import HdrHistogram
    h = HdrHistogram.decode(data["histograms"]["new"]["response"])
    return {p: h.get_value_at_percentile(p) / 1000 for p in (50, 99)}


def test_three_loaders_measure_what_one_does(tmp_path):
    """Each shard in a process of its own, begun together: the merged figures are those of one loader within 2 %."""
    with Sequence() as target:
        got = {}
        for shards in (1, 3):
            config = tmp_path / f"{shards}.yaml"
            config.write_text(CONFIG % (target.url, "192/s", "6s", "32", shards, "0s"))
            plans = pl("planner", "--config", config, input=change())
            start_at, running, out = stamp(1.5), [], lines(plans.of("run.planned"))
            for e in plans.of("shard.planned"):
                e["data"]["start_at"] = start_at
                running.append(start("loader", "--config", config))
                running[-1].stdin.write(lines(e))
                running[-1].stdin.close()
                running[-1].stdin = None
            for p in running:
                result, err = p.communicate(timeout=60)
                assert p.returncode == 0, err
                out += result
            data = pl("collector", "--config", config, input=out).of("run.finished")[0]["data"]
            assert data["outcome"] == "valid", data["reason"]
            assert data["requests"]["new"] == {"ok": 1152}
            got[shards] = percentiles(data)
            starts = [s["start_ms"] for s in data.get("shards", [])]
            assert len(starts) == (3 if shards == 3 else 0) and max(starts, default=0) < 50, starts
    print(f"one loader {got[1]}, three {got[3]}, starts {starts}")
    for p in (50, 99):
        assert abs(got[3][p] / got[1][p] - 1) < 0.02, got
