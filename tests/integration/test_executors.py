"""Every executor and shape against its plan, and against k6: calls a second as a recording server saw them. All run at once on
one server. PLIMSOLL_SCALE=10 makes everything so many times as long (make check-executors)."""
import copy
import datetime
import hashlib
import json
import os
import random
import shutil
import subprocess

import pytest

from helpers.programs import clean_env, example, lines, pl
from helpers.servers import Witness
from helpers.shards import calls as calls_of, stamp

pytestmark = pytest.mark.measures

SCALE = int(os.environ.get("PLIMSOLL_SCALE", "1"))
S = 6 * SCALE  # seconds of each
AFTER_MS = 50  # the server's time for a call of a user
EDGE_NS = 2_000_000  # calls due at the edge of a second belong to the later one; times are told in ms

OPEN = {
    "constant": "executor: constant-arrival-rate, rate: 200/s, duration: %ds" % S,
    "ramping": "executor: ramping-arrival-rate, start_rate: 100/s, stages: [{target: 300/s, duration: %ds}, {target: 200/s, duration: 0s}, "
               "{target: 200/s, duration: %ds}, {target: 50/s, duration: %ds}]" % (3 * SCALE, SCALE, 2 * SCALE),
    "pause": "executor: ramping-arrival-rate, stages: [{target: 200/s, duration: 0s}, {target: 200/s, duration: %ds}, "
             "{target: 0/s, duration: 0s}, {target: 0/s, duration: %ds}, {target: 200/s, duration: 0s}, "
             "{target: 200/s, duration: %ds}]" % (2 * SCALE, SCALE, 3 * SCALE),
    "increasing": "executor: ramping-arrival-rate, shape: increasing, rate: 300/s, start_rate: 100/s, duration: %ds" % S,
    "triangle": "executor: ramping-arrival-rate, shape: triangle, rate: 300/s, start_rate: 100/s, duration: %ds" % S,
    "spike": "executor: ramping-arrival-rate, shape: spike, rate: 400/s, start_rate: 150/s, duration: %ds" % S,
    "random": "executor: ramping-arrival-rate, shape: random, rate: 300/s, start_rate: 100/s, duration: %ds" % S,
    "split": "executor: ramping-arrival-rate, shape: triangle, rate: 300/s, start_rate: 100/s, duration: %ds, shards: 3" % S,
    "poisson": "executor: constant-arrival-rate, rate: 200/s, arrival: poisson, duration: %ds" % S,
    "poissonramp": "executor: ramping-arrival-rate, shape: triangle, rate: 300/s, start_rate: 100/s, arrival: poisson, duration: %ds" % S,
    "replay": "executor: replay, replay: {file: trace.csv, speed: 2, rate: 0.5}",
}
USERS = {
    "vus": "executor: constant-vus, vus: 10, duration: %ds" % S,
    "rampvus": "executor: ramping-vus, start_vus: 2, stages: [{target: 20, duration: %ds}, {target: 10, duration: 0s}, {target: 10, duration: %ds}, "
               "{target: 1, duration: %ds}]" % (2 * SCALE, 2 * SCALE, 2 * SCALE),
    "shared": "executor: shared-iterations, vus: 7, iterations: %d, duration: 10m" % (300 * SCALE),
    "pervu": "executor: per-vu-iterations, vus: 7, iterations: %d, duration: 10m" % (43 * SCALE),
}
# The same for k6: names and meanings as above.
K6 = {
    "constant": {"executor": "constant-arrival-rate", "rate": 200, "timeUnit": "1s", "duration": f"{S}s", "preAllocatedVUs": 30},
    "ramping": {"executor": "ramping-arrival-rate", "startRate": 100, "timeUnit": "1s", "preAllocatedVUs": 30, "stages": [
        {"target": 300, "duration": f"{3 * SCALE}s"}, {"target": 200, "duration": "0s"}, {"target": 200, "duration": f"{SCALE}s"},
        {"target": 50, "duration": f"{2 * SCALE}s"}]},
    "vus": {"executor": "constant-vus", "vus": 10, "duration": f"{S}s"},
    "rampvus": {"executor": "ramping-vus", "startVUs": 2, "stages": [
        {"target": 20, "duration": f"{2 * SCALE}s"}, {"target": 10, "duration": "0s"}, {"target": 10, "duration": f"{2 * SCALE}s"},
        {"target": 1, "duration": f"{2 * SCALE}s"}]},
    "shared": {"executor": "shared-iterations", "vus": 7, "iterations": 300 * SCALE, "maxDuration": "10m"},
    "pervu": {"executor": "per-vu-iterations", "vus": 7, "iterations": 43 * SCALE, "maxDuration": "10m"},
}
SCRIPT = """
import http from 'k6/http';
export const options = JSON.parse(__ENV.OPTIONS);
export function call() { http.get(__ENV.TARGET); }
"""


def settings(witness, folder):
    def url(name):
        return f"{witness.url}/_after/{AFTER_MS}/{name}" if name in USERS else f"{witness.url}/{name}"
    everything = {**OPEN, **USERS}
    rules = "".join(f"  web/{n}: {{url: '{url(n)}', tests: [{n}]}}\n" for n in everything)
    tests = "".join(f"  {n}: {{warmup: 0s, workload: {{{w}{'' if n in USERS or n == 'replay' else ', spread: off'}}}}}\n"
                    for n, w in everything.items())
    path = folder / "plimsoll.yaml"
    path.write_text("accounts: {web: {provider: http, allow: [127.0.0.1]}}\nfunctions:\n" + rules + "tests:\n" + tests +
                    "limits: {rate: 1000/s, concurrency: 1000, abort_error_ratio: 100%}\n")
    return path


def trace(folder):
    """Four hundred calls a second at random, for twice as long: played twice as fast at half of them it makes four hundred again."""
    rng = random.Random(7)
    at = sorted(rng.uniform(0, 2 * S) for _ in range(2 * S * 400 // 2))
    (folder / "trace.csv").write_text("offset_s\n" + "".join(f"{t:.6f}\n" for t in at))
    first = round(at[0], 6)
    return [(round(t, 6) - first) / 2 for t in at[::2]]


def change(name):
    e = copy.deepcopy(example("function.changed"))
    e["subject"] = "web/" + name
    e["id"] = e["data"]["change"]["id"] = "c" + hashlib.sha256(name.encode()).hexdigest()[:20].translate(str.maketrans("0189", "ghij"))
    e["data"]["change"]["kind"], e["data"]["candidates"], e["data"]["limits"] = "manual", [], {}
    e["data"]["target"] = {"provider": "http"}
    e["time"] = stamp()
    return e


def ns(text):
    t = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return round(t.timestamp() * 1000) * 1_000_000


def start_times(shards, ahead_s):
    """All at one time, as on the bus: several shards of a run belong together."""
    at = stamp(ahead_s)
    for s in shards:
        s["data"]["start_at"] = at
    return shards


def area(workload, t):
    """Calls by that time, of planned stages; in plain arithmetic, on purpose not ours."""
    if "stages" not in workload:
        return workload["rate_per_s"] * t
    rate, began, sum_ = workload["start_rate_per_s"], 0.0, 0.0
    for stage in workload["stages"]:
        length, to = stage["duration_ms"] / 1000, stage["rate_per_s"]
        part = min(max(t - began, 0.0), length)
        at = rate + (to - rate) * part / length if length else to
        sum_ += (rate + at) / 2 * part
        rate, began = to, began + length
    return sum_


def per_second(times, origin_ns, seconds):
    out = [0] * seconds
    for t in times:
        i = (t - origin_ns + EDGE_NS) // 1_000_000_000
        assert -1 <= i, f"a call {(t - origin_ns) / 1e9:.3f} s after the start"
        if 0 <= i < seconds:
            out[i] += 1
    return out


def seen_by(witness):
    seen = {}
    for at, path, *_ in witness.calls():
        seen.setdefault(path.rsplit("/", 1)[-1], []).append(at)
    return {name: sorted(times) for name, times in seen.items()}


def differences(name, got, want, share, least):
    return [f"{name} in second {i}: {g} calls, {w:.1f} planned" for i, (g, w) in enumerate(zip(got, want))
            if abs(g - w) > max(least, share * w)]


class Ours:
    """One run of everything: plans, results, what the server saw."""

    def __init__(self, witness, folder):
        config = settings(witness, folder)
        self.trace_s = trace(folder)
        plans = pl("planner", "--config", config, input=[change(n) for n in {**OPEN, **USERS}])
        assert plans.code == 0 and not [e for e in plans.of("run.planned") if e["data"]["decision"] != "test"], plans
        self.shards = start_times(plans.of("shard.planned"), 2)
        results = pl("loader", "--config", config, "--slots", "32", input=lines(self.shards), timeout_s=60 + 3 * S)
        self.results = {}
        for e in results.of("shard.finished"):
            assert e["data"]["outcome"] == "complete", e["data"]
            self.results.setdefault(e["subject"][4:], []).append(e["data"])
        self.seen = seen_by(witness)

    def origin_ns(self, name):
        return ns(self.results[name][0]["started_at"])

    def per_second(self, name):
        return per_second(self.seen[name], self.origin_ns(name), S)

    def workload(self, name):
        return next(s["data"]["workload"] for s in self.shards if s["subject"] == "web/" + name)

    def planned(self, name):
        """Calls a second as the plan fixes them; of random arrivals as the schedule drew them."""
        if name == "replay":
            return per_second([int(t * 1e9) for t in self.trace_s], 0, S)
        if name.startswith("poisson"):
            due = [c["due_us"] * 1000 for c in calls_of(self.results[name][0])]
            return per_second(due, EDGE_NS, S)
        parts = [s["data"]["workload"] for s in self.shards if s["subject"] == "web/" + name]
        return [sum(area(w, i + 1) - area(w, i) for w in parts) for i in range(S)]


def users_at(t):
    """Of rampvus, on average around that time."""
    up, level = 2 * SCALE, 4 * SCALE
    return 2 + 18 * t / up if t < up else 10 if t < level else 10 - 9 * (t - level) / (2 * SCALE)


def of_k6(witness, folder):
    """The same executors, options and target by k6; its users begin together, so the first call of all is the start."""
    before = sum(1 for _ in witness.calls())
    scenarios = {}
    for name, scenario in K6.items():
        path = f"/_after/{AFTER_MS}/{name}" if name in USERS else f"/{name}"
        scenarios[name] = {**scenario, "exec": "call", "env": {"TARGET": witness.url + path}}
    (folder / "k6.js").write_text(SCRIPT)
    env = clean_env({"OPTIONS": json.dumps({"scenarios": scenarios, "discardResponseBodies": True}), "K6_NO_USAGE_REPORT": "true"}, home=folder)
    r = subprocess.run(["k6", "run", "--quiet", "--no-summary", "--address", "127.0.0.1:0", str(folder / "k6.js")], env=env,
                       capture_output=True, timeout=90 + 3 * S, check=False)
    assert r.returncode == 0, r.stderr
    seen = {}
    for at, path, *_ in list(witness.calls())[before:]:
        seen.setdefault(path.rsplit("/", 1)[-1], []).append(at)
    origin = min(min(times) for times in seen.values())
    return {name: sorted(times) for name, times in seen.items()}, origin


@pytest.fixture(scope="module")
def witness_of_all(tmp_path_factory):
    with Witness(tmp_path_factory.mktemp("witness") / "w") as witness:
        yield witness


@pytest.fixture(scope="module")
def ours(witness_of_all, tmp_path_factory):
    return Ours(witness_of_all, tmp_path_factory.mktemp("ours"))


@pytest.fixture(scope="module")
def k6(ours, witness_of_all, tmp_path_factory):
    """(name -> when it was called, the start)"""
    return of_k6(witness_of_all, tmp_path_factory.mktemp("k6"))


needs_k6 = pytest.mark.skipif(not shutil.which("k6"), reason="k6 is not on PATH: nothing to hold the executors against")


def test_calls_a_second_are_those_of_the_plan(ours):
    wrong = []
    for name in OPEN:
        if name.startswith("poisson") and ours.results[name][0]["calls_every"] > 1:
            continue  # the long form: not every due time is told
        wrong += differences(name, ours.per_second(name), ours.planned(name), 0.01, 2.01)
    assert not wrong


def test_every_call_that_was_planned_is_made_once(ours):
    for name in OPEN:
        due = sum(d["due"] for d in ours.results[name])
        assert due == len(ours.seen[name]), name
        assert abs(due - sum(ours.planned(name))) <= 16 or name.startswith("poisson"), name
    assert len(ours.seen["shared"]) == 300 * SCALE
    assert len(ours.seen["pervu"]) == 7 * 43 * SCALE


def test_users_come_and_go_as_planned(ours):
    each = sum(ours.per_second("vus")) / S / 10
    want = [each * sum(users_at(s + k / 20) for k in range(20)) / 20 for s in range(S)]
    assert not differences("rampvus", ours.per_second("rampvus"), want, 0.05, 15)
    assert 0.9 * 1000 / AFTER_MS < each <= 1000 / AFTER_MS


@needs_k6
@pytest.mark.parametrize("name, least, share", [("constant", 4, 0.02), ("ramping", 4, 0.02), ("vus", 12, 0.15), ("rampvus", 15, 0.15)])
def test_calls_a_second_are_those_of_k6(ours, k6, name, least, share):
    """k6 takes longer from one call to the next, so its users call less often."""
    seen, origin = k6
    pairs = enumerate(zip(ours.per_second(name), per_second(seen[name], origin, S)))
    wrong = [f"second {s}: {mine}, k6 {theirs}" for s, (mine, theirs) in pairs if abs(mine - theirs) > max(least, share * theirs)]
    assert not wrong


@needs_k6
@pytest.mark.parametrize("name", ["shared", "pervu", "constant", "ramping"])
def test_as_many_calls_as_k6(ours, k6, name):
    assert abs(len(k6[0][name]) - len(ours.seen[name])) <= (2 if name in OPEN else 0)
