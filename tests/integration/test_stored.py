"""A function that has no old version to call: the collector remembers what valid runs measured, the planner puts it into
the plan, and a further run is held against it. Load is made up (tests/bench/simulate.c); the programs are the real ones."""
import json
import subprocess

import pytest

from helpers.programs import build_dir, example, pl

SETTINGS = """
accounts: {sim: {provider: http, allow: [example.com]}}
functions: {sim/world: {url: "https://example.com/", payload: '{}', tests: [compare]}}
"""


def made_up(*options):
    """run.planned and shard.finished of made-up runs."""
    out = subprocess.run([build_dir() + "/tests/bench/simulate", "--host-spread", "0.02", *options], stdout=subprocess.PIPE, check=True,
                         timeout=60).stdout
    return [json.loads(line) for line in out.splitlines()]


@pytest.fixture
def seen(tmp_path):
    """A state in which five runs have been judged."""
    state = tmp_path / "state"
    (tmp_path / "plimsoll.yaml").write_text(SETTINGS)
    for seed in range(1, 6):
        assert pl("collector", "--state", state, input=made_up("--runs", "1", "--seed", str(seed))).code == 0
    return state


def plan(state):
    changed = example("function.changed")
    changed["subject"] = "sim/world"
    changed["data"].update(candidates=[], target={"provider": "http", "url": "https://example.com/", "is_immutable": False})
    r = pl("planner", "--config", state.parent / "plimsoll.yaml", "--state", state, input=[changed])
    assert r.code == 0, r.errors
    return next(e for e in r.events if e["type"] == "plimsoll.run.planned.v1")


def judge(state, planned, *options):
    """The plan with a made-up run as its result; what was called besides the new version does not count."""
    finished = made_up("--runs", "1", "--seed", "99", *options)[1]
    data = finished["data"]
    finished["id"], finished["plimsollrun"], data["run"] = planned["id"] + ".0.0", planned["id"], planned["id"]
    planned["data"]["shards"] = 1
    r = pl("collector", "--state", state, input=[planned, finished])
    assert r.code == 0, r.errors
    return next(e["data"] for e in r.events if e["type"] == "plimsoll.run.finished.v1")


def test_a_run_is_held_against_the_ones_before(seen):
    planned = plan(seen)
    assert planned["data"]["compare"] == "stored" and len(planned["data"]["past"]) == 5
    assert "held against the last 5 runs" in planned["data"]["reason"]
    for options, want in (([], "no-difference"), (["--change", "2"], "worse"), (["--change", "-0.8"], "better")):
        data = judge(seen, json.loads(json.dumps(planned)), *options, "--tolerance", "0.25")
        p50 = next(m for m in data["metrics"] if m["name"] == "response_p50")
        assert p50["basis"] == "stored" and p50["n_old"] == 5 and p50["low"] < p50["diff"] < p50["high"]
        assert p50["verdict"] in (want, "cannot-tell"), (options, p50)
        if want != "no-difference":
            assert data["verdict"] == want, (options, data["verdict_reason"], p50)


def test_too_few_runs_are_not_compared_with(tmp_path):
    state = tmp_path / "state"
    (tmp_path / "plimsoll.yaml").write_text(SETTINGS)
    assert pl("collector", "--state", state, input=made_up("--runs", "4")).code == 0
    planned = plan(state)
    assert planned["data"]["compare"] == "none" and "past" not in planned["data"]
    data = judge(state, planned)
    assert data["verdict"] == "not-compared"


def test_the_history_keeps_twenty_runs(tmp_path):
    state = tmp_path / "state"
    assert pl("collector", "--state", state, input=made_up("--runs", "23")).code == 0
    runs = json.loads((state / "history/sim/world.json").read_text())["tests"]["compare"]
    assert len(runs) == 20 and set(runs[0]["metrics"]) == {"response_p50", "response_p95", "error_ratio"}
