"""Runs that meet trouble, through every stage to the exit code: what is counted, what is judged, and how it ends.

All of them run side by side; each is planned first, then planner's output | loader | tee | collector | tee | sink.
"""
import collections
import json
import os
import random
import signal
import subprocess
import time
from datetime import datetime, timedelta, timezone

import pytest
from hdrh.histogram import HdrHistogram

from helpers.cloud import Cloud, read_witness
from helpers.programs import binary, clean_env, dying_with_us, lines, pl
from helpers.servers import Ministack, Nginx, wait_for
from helpers.shards import calls, check_sums, http_target, outcomes, shard
from helpers.site import Site

STALL_S = 1.0
STALLED_RATE = 80
RAN = ("ok", "function_error")

pytestmark = [pytest.mark.measures, pytest.mark.timeout(240)]


class Live:
    """A planned run on its way: loader | tee | collector | tee | sink."""

    def __init__(self, folder, config, plan, env=None, collector=()):
        self.folder, self.plan = str(folder), plan
        with open(self.path("planner.ndjson"), "wb") as f:
            f.write(plan)
        stages = [("loader", binary("loader"), "--config", config, "--state", self.path("state"), "--max-rate", "1000/s"),
                  ("tee1", "tee", self.path("loader.ndjson")),
                  ("collector", binary("collector"), "--config", config, *collector),
                  ("tee2", "tee", self.path("collector.ndjson")),
                  ("sink", binary("sink"), "--config", config, "--to", "terminal")]
        source, self.running = open(self.path("planner.ndjson"), "rb"), {}
        for name, *command in stages:
            with open(self.path(name + ".err"), "wb") as err:
                self.running[name] = subprocess.Popen(
                    dying_with_us(command), stdin=source, stdout=subprocess.PIPE, stderr=err, cwd=self.folder,
                    env=clean_env(env, self.folder))
            source.close()
            source = self.running[name].stdout

    def path(self, name):
        return os.path.join(self.folder, name)

    def wait(self, timeout_s=120):
        self.said = self.running["sink"].communicate(timeout=timeout_s)[0].decode()
        self.codes = {n: p.wait(timeout_s) for n, p in self.running.items()}

    def close(self):
        for p in self.running.values():
            if p.poll() is None:
                p.kill()
            p.wait()
            p.stdout.close()

    def events(self, stage):
        with open(self.path(stage + ".ndjson"), "rb") as f:
            return [json.loads(line) for line in f]

    def data(self, stage, kind):
        return [e["data"] for e in self.events(stage) if e["type"] == f"plimsoll.{kind}.v1"]

    @property
    def finished(self):
        return self.data("collector", "run.finished")[0]

    @property
    def shard(self):
        return self.data("loader", "shard.finished")[0]

    @property
    def end(self):
        return self.finished["outcome"], self.finished["verdict"], self.codes["sink"]

    @property
    def was_late(self):
        """The machine was too busy for the emulator to keep up: whatever came out is not to be believed."""
        return any(s.startswith("late") for s in self.shard["quality"]["suspect"])

    def sent(self, variant, *classes):
        """Calls of these classes, warm-up included."""
        d = self.finished
        return sum(d[part].get(variant, {}).get(c, 0) for part in ("requests", "warmup_requests") for c in classes)

    def witnessed(self, outcome=None):
        seen = [w for w in read_witness(self.path("witness")) if outcome in (None, w["outcome"])]
        return collections.Counter(w["version"] for w in seen)

    def __repr__(self):
        errors = ""
        for n in self.running:
            with open(self.path(n + ".err"), encoding="utf-8", errors="replace") as f:
                errors += f"--- {n}: {self.codes.get(n)}\n{f.read()[-1500:]}"
        return self.said + errors


def metric(data, name):
    return next(m for m in data["metrics"] if m["name"] == name)


class Yard:
    """Makes the runs, each in a folder of its own."""

    def __init__(self, folder, cloud):
        self.folder, self.cloud, self.runs, self.lag_s = folder, cloud, {}, {}

    def start(self, name, new=None, cloud=None, collector=(), before=None, **settings):
        """A function with two versions; `new` is how the second differs. before(fn): done once the run is planned."""
        os.mkdir(self.folder / name)
        site = Site(self.folder / name, cloud or self.cloud)
        site.runs = 100 * len(self.runs)
        site.configure(**{"rate": "6/s", "duration": "24s", "warmup": "4s", "abort": "50%", **settings})
        fn = site.cloud.create(name, sleep_ms=60, label="old", witness=site.path("witness"))
        old = fn.publish()
        fn.update(**{"sleep_ms": 60, "label": "new", **(new or {})})
        is_latest = "$LATEST" in settings.get("function", "")
        event = site.changed(fn, old, "$LATEST" if is_latest else fn.publish())
        event["data"]["target"]["is_immutable"] = not is_latest
        plan = site.plan([event])
        assert plan.of("shard.planned"), plan
        if before:
            before(fn)
        self.runs[name] = Live(site.folder, site.path("plimsoll.yaml"), plan.out, site.env(), collector)
        return fn

    def start_stalled(self, name, server, **limits):
        """Two paths of an HTTP server, which will be stopped for a second."""
        os.mkdir(self.folder / name)
        config = self.folder / name / "plimsoll.yaml"
        config.write_text(f"accounts:\n  web: {{provider: http, allow: ['127.0.0.1:{server.port}']}}\nfunctions: {{}}\n")
        plan = shard("web/" + name, [http_target("old", server.url + "/old"), http_target("new", server.url + "/new")],
                     rate_per_s=STALLED_RATE, duration_ms=12000, limits=limits)
        run = plan["data"]["run"]
        gates = [{"name": "response_p50", "is_gate": True, "tolerance": {"ratio": 0.1}, "direction": "lower"}]
        planned = dict(plan, type="plimsoll.run.planned.v1", id=run, data={
            "run": {"id": run, "purpose": "change", "change": "c" * 20}, "decision": "test", "reason": "code", "test": "compare",
            "compare": "interleaved", "variants": [{"name": "old", "qualifier": "1"}, {"name": "new", "qualifier": "2"}],
            "shards": 1, "deadline": plan["data"]["deadline"], "metrics": gates, "objectives": []})
        self.runs[name] = Live(self.folder / name, config, lines([planned, plan]))

    def wait_for_calls(self, name, n):
        wait_for(f"{n} calls of {name}", lambda: sum(self.runs[name].witnessed().values()) >= n, 60)

    def wait_for_load(self, name):
        wait_for("load on " + name, lambda: b"shard.progress" in open(self.runs[name].path("loader.ndjson"), "rb").read(), 60)


LOCATIONS = """
    location = /old { default_type application/json; return 200 '{"instance":"o","cold":false}'; }
    location = /new { default_type application/json; return 200 '{"instance":"n","cold":false}'; }
"""


@pytest.fixture(scope="module")
def yard(tmp_path_factory, ministack):
    folder = tmp_path_factory.mktemp("trouble")
    cloud = Cloud(ministack, account="420000000000")
    yard = Yard(folder, cloud)
    with Ministack(folder / "doomed") as doomed, Nginx(folder / "nginx", locations=LOCATIONS) as web:
        try:
            yard.start("throttled", rate="10/s", function=", alias: $LATEST", abort="10%", before=lambda fn: fn.concurrency(1))
            yard.start("raises", new={"fail_every": 3}, rate="5/s")
            yard.start("steady", collector=("--wait-cloud", "15s", "--cloud-every", "1s"))
            gone = yard.start("deleted", duration="60s")
            yard.start("killed", cloud=Cloud(doomed), duration="60s")
            yard.start_stalled("stalled", web, in_flight=512)
            yard.start_stalled("full", web, in_flight=4, timeout_ms=400)
            yard.wait_for_load("stalled")
            yard.wait_for_load("full")
            web.signal(signal.SIGSTOP)
            began = time.monotonic()
            time.sleep(STALL_S)
            web.signal(signal.SIGCONT)
            yard.stalled_s = time.monotonic() - began
            yard.wait_for_calls("deleted", 60)
            gone.delete()
            yard.wait_for_calls("killed", 60)
            doomed.kill()
            for run in yard.runs.values():
                run.wait()
            yield yard
        finally:
            for run in yard.runs.values():
                run.close()
            for name in ("throttled", "raises", "steady"):
                cloud.function(name).delete()


NAMES = ("throttled", "raises", "steady", "deleted", "killed", "stalled", "full")


@pytest.mark.parametrize("name", NAMES)
def test_every_call_due_is_in_one_class_and_told(yard, name):
    live = yard.runs[name]
    check_sums(live.shard)
    assert live.shard["due"] > 0 and len(live.data("loader", "shard.finished")) == 1
    told = live.finished["requests"]
    for variant in ("old", "new"):
        assert told[variant] == outcomes(live.shard, variant), live
    assert sum(sum(o.values()) for o in told.values()) == live.shard["due"]
    planned = live.data("planner", "shard.planned")[0]["workload"]
    assert abs(live.shard["due"] - planned["rate_per_s"] * planned["duration_ms"] / 1000) <= 8, "also when it was cut short"
    assert {c: live.codes[c] for c in ("loader", "collector")} == {"loader": 0, "collector": 0}, live


@pytest.mark.parametrize("name", [n for n in NAMES if n not in ("killed", "stalled", "full")])
def test_the_function_ran_as_often_as_told(yard, name):
    """Of calls in flight when the function went away, nobody knows."""
    live = yard.runs[name]
    seen = live.witnessed()
    for v in live.finished["variants"]:
        sure = live.sent(v["name"], *RAN)
        if name == "deleted":
            assert sure - 8 <= seen[v["qualifier"]] <= sure + 8, live
        else:
            assert seen[v["qualifier"]] == sure, live


def cloud_sum(cloud, function, name):
    at = datetime.now(timezone.utc)
    answer = cloud.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Lambda", MetricName=name, Dimensions=[{"Name": "FunctionName", "Value": function}], Period=60,
        StartTime=at - timedelta(minutes=30), EndTime=at + timedelta(minutes=2), Statistics=["Sum"])
    return sum(p["Sum"] for p in answer["Datapoints"])


def test_throttles_are_counted_with_their_reason_and_end_as_cannot_tell(yard):
    live = yard.runs["throttled"]
    new, d = live.finished["requests"]["new"], live.finished
    assert set(new) <= {"ok", "throttled"} and new["throttled"] >= 40, live
    assert d["throttle_reasons"] == {"ReservedFunctionConcurrentInvocationLimitExceeded": new["throttled"]}
    assert d["error_reasons"] == {}, "a throttle is no error, and did not end the run at 10 %"
    assert live.shard["outcome"] == "complete" and set(d["requests"]["old"]) == {"ok"}
    assert live.end == ("suspect", "cannot-tell", 2), live
    assert ("throttled" in d["reason"] or live.was_late) and "prod/throttled" in live.said
    assert sum(c["outcome"] == "throttled" for c in calls(live.shard)) == new["throttled"]


def test_a_throttled_call_is_not_repeated(yard):
    """The cloud saw each of them once (the emulator counts a throttle twice)."""
    live = yard.runs["throttled"]
    assert cloud_sum(yard.cloud, "throttled", "Throttles") == 2 * live.sent("new", "throttled")


def test_one_raise_in_three_is_worse_in_points(yard):
    live = yard.runs["raises"]
    d = live.finished
    m = metric(d, "error_ratio")
    failed, good = d["requests"]["new"]["function_error"], d["requests"]["new"]["ok"]
    assert live.witnessed("raises") == {"2": live.sent("new", "function_error")} and failed >= 10
    assert (m["diff_kind"], m["basis"], m["verdict"]) == ("points", "blocks", "worse"), m
    assert m["new"] == pytest.approx(failed / (failed + good)) and m["diff"] == pytest.approx(m["new"]) and m["low"] > 0.005
    assert "environments_old" not in m and "environments_new" not in m
    assert live.end == (("suspect", "cannot-tell", 2) if live.was_late else ("valid", "worse", 1)), live


def test_latency_comes_from_good_calls_only(yard):
    live = yard.runs["raises"]
    d = live.finished
    got = [c for c in calls(live.shard) if c["variant"] == "new"]
    good = [c for c in got if c["outcome"] == "ok" and (c["temperature"] == "warm" or d["basis"]["temperature"] == "all")]
    assert 10 <= len(good) < len(got)
    for name in ("response", "service"):
        assert HdrHistogram.decode(d["histograms"]["new"][name]).get_total_count() == len(good)
        assert all(c[name + "_us"] > 0 for c in good)
    m = metric(d, "response_p50")
    assert m["n_new"] == len(good) and m.get("basis") != "blocks", m


@pytest.mark.parametrize("name, classes", [
    ("deleted", {"ok", "function_error", "http_error", "connect", "timeout", "aborted", "not_sent"}),
    ("killed", {"ok", "function_error", "http_error", "connect", "timeout", "aborted", "not_sent"}),
])
def test_a_run_cut_short_is_never_green(yard, name, classes):
    live = yard.runs[name]
    for variant in ("old", "new"):
        got = live.finished["requests"][variant]
        assert set(got) <= classes and got["ok"] > 10 and got["not_sent"] > 50, live
        assert got.get("http_error" if name == "deleted" else "connect", 0) >= 5, live
    assert live.shard["outcome"] == "aborted" and "failed" in live.shard["reason"]
    assert live.end == ("incomplete", "cannot-tell", 111), live
    assert "incomplete" in live.said


def test_a_stall_is_in_the_response_times_and_not_in_the_service_median(yard):
    live = yard.runs["stalled"]
    d, got = live.finished, calls(live.shard)
    assert d["requests"] == {"old": {"ok": live.shard["due"] / 2}, "new": {"ok": live.shard["due"] / 2}}, live
    response = [HdrHistogram.decode(d["histograms"][v]["response"]) for v in ("old", "new")]
    service = [HdrHistogram.decode(d["histograms"][v]["service"]) for v in ("old", "new")]
    assert max(h.get_max_value() for h in response) >= 900_000
    assert all(h.get_value_at_percentile(50) < 20_000 for h in service)
    worst = max(range(len(got)), key=lambda i: got[i]["response_us"])
    began_us = got[worst]["due_us"]
    # The stall began up to a round (100 ms) before the first call in it was due; its end must be 20 ms away to be late.
    hit = [c for c in got if began_us <= c["due_us"] < began_us + yard.stalled_s * 1e6 - 130_000]
    assert len(hit) >= 0.8 * STALLED_RATE * yard.stalled_s
    late = [c for c in hit if c["response_us"] > 20_000]
    assert len(late) == len(hit), "every call that was due in the stall is late"
    assert live.codes["sink"] != 1, "it hit both versions alike"


def test_calls_that_find_no_room_in_a_stall_are_not_sent(yard):
    """Those in flight time out; those behind them wait until their own timeout, and leave again."""
    live = yard.runs["full"]
    for got in live.finished["requests"].values():
        assert set(got) == {"ok", "timeout", "not_sent"}, live
        assert got["timeout"] >= 2 and got["not_sent"] >= 8
    assert live.end == ("suspect", "cannot-tell", 2) and "not-sent" in live.finished["reason"], live


def test_the_clouds_figures_amend_a_run_and_agree_with_ours(yard):
    live = yard.runs["steady"]
    first, last = live.data("collector", "run.finished")
    assert (first["rev"], last["rev"]) == (0, 1) and "cloud" not in first, live
    sent = sum(live.sent(v, *RAN) for v in ("old", "new"))
    assert (last["cloud"]["invocations"], last["cloud"]["errors"], last["cloud"]["throttles"]) == (sent, 0, 0), last["cloud"]
    assert last["bookkeeping"] == "unchecked" and last["verdict"] == first["verdict"]
    assert live.codes["sink"] in (0, 2)


def told(events, key=lambda e: e["id"]):
    out = [e for e in events if e["type"] == "plimsoll.run.finished.v1" and e["data"]["rev"] == 0]
    for e in out:
        e.pop("time"), e.pop("source")
    return sorted(out, key=key)


def test_saved_events_shuffled_and_doubled_give_the_same_again(yard):
    saved = [e for name in NAMES for e in yard.runs[name].events("loader")]
    want = told(e for name in NAMES for e in yard.runs[name].events("collector"))
    assert len(want) == len(NAMES)
    rng = random.Random(4)
    for _ in range(2):
        mixed = saved + [e for e in saved if "progress" not in e["type"]]
        rng.shuffle(mixed)
        again = pl("collector", input=mixed)
        assert again.code == 0 and told(again.events) == want, again
