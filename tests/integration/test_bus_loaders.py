"""Loaders on the bus, on a target that writes down who called: how soon the first byte comes, several at one run, one that
was stopped for longer than its lease, pause, and a run that is to be confirmed."""
import contextlib
import copy
import json
import os
import re
import signal
import statistics
import time

import pytest

from helpers.programs import example, lines
from helpers.sequence import Sequence, percentiles
from helpers.servers import wait_for
from helpers.shards import stamp

pytestmark = pytest.mark.measures

CONFIG = """
accounts:
  web: {provider: http, allow: [127.0.0.1], quiet_time: 0s}
functions:
%s
tests:
  tiny: {workload: {rate: 400/s, duration: 1s, spread: 4}, warmup: 0s}
  long: {workload: {rate: 100/s, duration: 4s, spread: 4}, warmup: 0s}
  whole: {workload: {rate: 192/s, duration: 5s, spread: 32}, warmup: 0s}
  thirds: {workload: {rate: 192/s, duration: 5s, spread: 32, shards: 3}, warmup: 0s}
  split: {workload: {rate: 192/s, duration: 3s, spread: 16, shards: 3}, warmup: 500ms}
limits: {cost_per_day: 1000 USD, rate: 10000/s, concurrency: 10000}
"""
RESULT = re.compile(r"r[a-z2-7]{20}\.f\d+\.json")  # a shard's is r….INDEX.DIGEST.json, and digests may begin with f
LETTERS = "abcdefghijklmnopqrstuvwxyz"


@pytest.fixture
def services(request, bus, witness):
    """Planner and collector; functions web/TEST0 to 11 on the witness, or on a target of the test's choice."""
    target = Sequence() if getattr(request, "param", "") == "Sequence" else contextlib.nullcontext(witness)
    with target as bus.target:
        yield begin(bus)


def begin(bus):
    rules = "".join(f"  web/{test}{i}: {{url: '{bus.target.url}/{test}{i}', payload: '{{}}', tests: [{test}]}}\n"
                    for test in ("tiny", "long", "split", "whole", "thirds") for i in range(12))
    bus.configure(CONFIG % rules)
    for name in ("one", "two", "three"):
        bus.add_loader(name)
    bus.start("planner")
    bus.start("collector")
    return bus


def change(function, kind="code"):
    e = copy.deepcopy(example("function.changed"))
    e["subject"] = "web/" + function
    e["id"] = e["data"]["change"]["id"] = "c" + (function.translate(str.maketrans("0123456789", LETTERS[:10])) + "a" * 20)[:20]
    e["data"]["change"].update(kind=kind, causes=[kind])
    e["data"]["candidates"], e["data"]["limits"], e["data"]["target"] = [], {}, {"provider": "http"}
    e["time"] = stamp()
    return e


def calls(witness, path=None):
    """attempt -> times in ns."""
    seen = {}
    for at, where, run, attempt, _ in witness.calls():
        if run != "-" and path in (None, where):
            seen.setdefault(attempt, []).append(at)
    return seen


def finished(bus):
    folder = os.path.join(bus.state, "collector", "results")
    out = {}
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        if RESULT.fullmatch(name):
            with open(os.path.join(folder, name), encoding="utf-8") as f:
                event = json.load(f)
            out[event["subject"]] = event
    return out


def loader(bus, name, *args):
    p = bus.start("loader", *args, as_name=name)
    bus.processes[0].wait_log(f"loader {name} is here")
    return p


def test_change_accepted_to_first_byte(services, witness):
    """Quiet time 0, target ready, one shard, idle bus: at most 50 ms in the median."""
    loader(services, "one")
    took_ms = []
    for i in range(7):
        event, path = change(f"tiny{i}"), f"/tiny{i}"
        assert services.ingest(event)[0] == "OK"
        accepted = time.time_ns()
        wait_for("the first call", lambda: calls(witness, path), 20, 0.05)
        took_ms.append((min(min(ats) for ats in calls(witness, path).values()) - accepted) / 1e6)
        wait_for("its end", lambda: event["subject"] in finished(services), 20, 0.05)
        time.sleep(0.05)
    print(f"change accepted to first byte: median {statistics.median(took_ms):.1f} ms, "
          f"{min(took_ms):.1f} to {max(took_ms):.1f} ms")
    assert statistics.median(took_ms) <= 50, took_ms


def test_three_loaders_begin_together(services, witness):
    for name in ("one", "two", "three"):
        loader(services, name, "--slots", "1")
    assert services.ingest(change("split0"))[0] == "OK"
    wait_for("the verdict", lambda: finished(services), 30)
    event = finished(services)["web/split0"]
    data, seen = event["data"], calls(witness)
    assert data["outcome"] in ("valid", "suspect"), data  # suspect: others kept the machine
    assert sorted(seen) == [f"{event['plimsollrun']}.{i}.0" for i in range(3)]
    firsts = sorted(min(ats) for ats in seen.values())
    print(f"apart {(firsts[-1] - firsts[0]) / 1e6:.1f} ms", [s.get("planner_offset_ms") for s in data["shards"]])
    assert firsts[-1] - firsts[0] < 50e6
    assert all(abs(s["planner_offset_ms"]) < 20 and s["start_ms"] < 50 and s["attempt"] == 0 for s in data["shards"])
    assert sum(data["requests"]["new"].values()) == 576 == data["requests"]["new"]["ok"]


@pytest.mark.parametrize("services", ["Sequence"], indirect=True)
def test_three_loaders_measure_what_one_does(services):
    """The merged p50 and p99 of three shards are those of a single one within 2 %."""
    for name in ("one", "two", "three"):
        loader(services, name, "--slots", "1")
    got = {}
    for function in ("whole0", "thirds0"):
        services.target.count = 0
        assert services.ingest(change(function))[0] == "OK"
        wait_for("the verdict", lambda: "web/" + function in finished(services), 30)
        data = finished(services)["web/" + function]["data"]
        assert data["outcome"] == "valid", data
        assert data["requests"]["new"] == {"ok": 960}
        got[function] = percentiles(data)
    assert len(data["shards"]) == 3 and max(s["start_ms"] for s in data["shards"]) < 50
    print(got)
    for p in (50, 99):
        assert abs(got["thirds0"][p] / got["whole0"][p] - 1) < 0.02, got


def test_a_loader_stopped_for_longer_than_its_lease_sends_nothing_more(services, witness):
    first = loader(services, "one", "--slots", "1")
    assert services.ingest(change("long0"))[0] == "OK"
    wait_for("load", lambda: sum(map(len, calls(witness).values())) > 50, 20)
    first.signal(signal.SIGSTOP)
    stopped = time.time_ns()
    loader(services, "two", "--slots", "1")
    wait_for("the second attempt", lambda: len(calls(witness)) == 2, 30)
    first.signal(signal.SIGCONT)
    first.wait_log("fenced", 20)
    wait_for("the verdict", lambda: finished(services), 60)
    (one, ones), (two, twos) = sorted(calls(witness).items())
    assert one.endswith(".0") and two.endswith(".1")
    # What was on its way when it was stopped may still have been written down.
    assert max(ones) < stopped + 20e6 and min(twos) > max(ones), (max(ones) - stopped) / 1e6
    data = finished(services)["web/long0"]["data"]
    assert data["outcome"] == "valid" and data["requests"]["new"] == {"ok": 400}


def test_a_paused_loader_asks_for_nothing_and_gives_back(services, witness, tmp_path):
    pause = tmp_path / "pause"
    p = loader(services, "one", "--pause-file", pause)
    assert services.ingest(change("long1"))[0] == "OK"
    wait_for("load", lambda: calls(witness), 20)
    pause.write_text("")
    p.wait_log("paused", 5)
    time.sleep(1.2)
    before = sum(map(len, calls(witness).values()))
    time.sleep(1)
    assert sum(map(len, calls(witness).values())) == before
    pause.unlink()
    wait_for("the verdict", lambda: finished(services), 60)
    assert finished(services)["web/long1"]["data"]["outcome"] == "valid"
    assert len(calls(witness)) == 2


def test_a_run_is_planned_once_more_to_confirm_it(services, witness):
    loader(services, "one")
    event = change("tiny11")
    assert services.ingest(event)[0] == "OK"
    wait_for("the verdict", lambda: finished(services), 20)
    run = finished(services)["web/tiny11"]["plimsollrun"]
    line = lines(event).decode().rstrip("\n")
    assert services.fcall("pl_ingest", "k" + run[1:], event["subject"], "confirm", line, run)[0] == "OK"
    wait_for("the second verdict", lambda: finished(services)["web/tiny11"]["plimsollrun"] != run, 20)
    data = finished(services)["web/tiny11"]["data"]
    assert data["run"]["purpose"] == "confirm" and data["run"]["confirms"] == run
