"""The planner as a process: what it passes on, remembers and refuses. Decisions in detail: tests/unit/test_planner_*."""
import copy
import json
import signal

import pytest

from helpers.programs import example, lines, pl, start
from helpers.servers import wait_for

CONFIG = """
accounts:
  prod: {provider: aws, region: us-east-1, %s}
functions:
  prod/*: {payload: '{}'}
tests:
  compare: {workload: {rate: 10/s, duration: 30s, spread: 4}, warmup: 5s}
limits: {%s}
"""


@pytest.fixture
def config(tmp_path):
    def write(limits="concurrency: 100", account="endpoint: 'http://127.0.0.1:1'"):
        path = tmp_path / "plimsoll.yaml"
        path.write_text(CONFIG % (account, limits))
        return path
    return write


def change(name="hello", revision="1", **limits):
    e = copy.deepcopy(example("function.changed"))
    e["subject"] = "prod/" + name
    e["id"] = e["data"]["change"]["id"] = "c" + (name + revision + "a" * 20)[:20].translate(str.maketrans("0189", "abcd"))
    e["data"]["limits"].update(limits)
    return e


def plan(r):
    assert r.code == 0, r
    return [e["data"] for e in r.of("run.planned")]


def test_passes_the_change_on_and_plans(config):
    line = lines(change())
    odd = b'{"specversion":"1.0","type":"other.v1","id":"x","source":"s","time":"2026-11-22T15:00:00Z"}\n'
    r = pl("planner", "--config", config(), input=line + odd)
    assert r.code == 0, r
    out = r.out.splitlines(keepends=True)
    assert line in out and out[-1] == odd, "passed on unchanged and in order"
    run, shard = r.of("run.planned")[0], r.of("shard.planned")[0]
    assert run["data"]["decision"] == "test" and run["plimsollrun"] == run["id"] == shard["data"]["run"]
    assert shard["id"] == run["id"] + ".0"
    assert [t["variant"] for t in shard["data"]["targets"]] == ["old", "new"]
    assert run["time"] == change()["time"], "the event's time is the only now"


def test_same_input_same_output(config):
    events = [change("a"), change("b"), change("c", reserved=1)]
    first, second = (pl("planner", "--config", config(), input=events) for _ in range(2))
    assert first.out == second.out and len(first.of("run.planned")) == 3


def test_dry_run_says_figures_and_plans_nothing(config, tmp_path):
    r = pl("planner", "--config", config(), "--state", tmp_path / "state", "--dry-run", input=change())
    (p,) = plan(r)
    assert p["decision"] == "skip" and p["reason"].startswith("dry-run: code changed"), p
    assert p["estimate"] == {"requests": 352, "cost_usd": "0.002271", "peak_concurrency": 16, "detectable_ratio": 0.333,
                             "duration_ms": 35000, "duration_basis": "timeout", "call_ms": 3000}
    assert not r.of("shard.planned") and not (tmp_path / "state" / "planner" / "spent.json").exists()


@pytest.mark.parametrize("limits, event, words", [
    ("cost_per_run: 0.002 USD", change(), "352 calls of 3000 ms (timeout) would cost 0.002271 USD, above limits.cost_per_run of 0.002000 USD; 0.002000 USD is left, and "
     "the least that can be judged, "),
    ("cost_per_day: 0.002 USD", change(), "it would cost 0.002271 USD, and 0.000000 USD of limits.cost_per_day (0.002000 USD) are spent"),
    ("concurrency: 3", change(), "it needs at least 2 environments a side, 4 calls at once; free are 3 (limits.concurrency is 3)"),
    ("keep_free: 50%", change(unreserved=6), "free are 3 (the account has 6 unreserved, 50 % of it kept free, 0 in use)"),
    ("keep_free: 0%", change(reserved=1), "free are 1 (the function has 1 reserved, 0 % of it kept free)"),
    ("rate: 20/s", change(unreserved=100, in_use=79), "free are 1 (the account has 100 unreserved, 20 % of it kept free, 79 in use)"),
])
def test_refusals_carry_their_figures(config, limits, event, words):
    r = pl("planner", "--config", config(limits), input=event)
    (p,) = plan(r)
    assert p["decision"] == "refuse" and words in p["reason"], p["reason"]
    assert p["shards"] == 0 and p["estimate"]["requests"] and not r.of("shard.planned")


def test_short_money_means_fewer_calls_then_fewer_environments(config, tmp_path):
    """Answers name their environment: 8 calls each do. The shard is what the plan says, a repeat is cut alike, and a dry run says it all."""
    def ask(usd, *more):
        path = config(f"cost_per_run: {usd} USD")
        path.write_text(path.read_text().replace("{payload: '{}'}", "{payload: '{}', instance: /id}").replace("30s, spread: 4", "60s, spread: 8"))
        return pl("planner", "--config", path, "--state", tmp_path / usd, *more, input=change())

    for usd, spread, calls in (("0.0043", 8, 656), ("0.0023", 8, 352), ("0.0011", 7, 168)):
        r = ask(usd)
        (p,), (shard,) = plan(r), r.of("shard.planned")
        work = shard["data"]["workload"]
        assert p["decision"] == "test" and p["estimate"]["requests"] == calls, p
        assert float(p["estimate"]["cost_usd"]) <= float(usd) and p["environments"] == work["spread"] == spread
        assert (calls == 656) == ("cut to" not in p["reason"]) and work["duration_ms"] <= 60000
        assert ask(usd).out == r.out
    (p,) = plan(ask("0.0004", "--dry-run"))
    assert p["decision"] == "refuse" and "the least that can be judged" in p["reason"] and "to set: limits.cost_per_run: 0.004232 USD" in p["reason"], p


def test_money_of_the_day_is_shared_by_processes(config, tmp_path):
    """0.002271 USD a plan; the day has 0.005: two fit, by whichever process, and a repeat costs nothing."""
    args = ("--config", config("cost_per_day: 0.005 USD"), "--state", tmp_path / "state")
    decisions = [plan(pl("planner", *args, input=change(name)))[0]["decision"] for name in ("a", "b", "b", "c")]
    assert decisions == ["test", "test", "test", "refuse"]
    tomorrow = change("d")
    tomorrow["time"] = "2026-11-23T00:00:00.000Z"
    assert plan(pl("planner", *args, input=tomorrow))[0]["decision"] == "test"


def test_money_without_state_is_that_of_the_process(config):
    r = pl("planner", "--config", config("cost_per_day: 0.005 USD"), input=[change(n) for n in "abc"])
    assert [p["decision"] for p in plan(r)] == ["test", "test", "refuse"]


def test_time_of_the_last_run(config, tmp_path):
    """The collector leaves it in the state; the next plan is that much cheaper."""
    args = ("--config", config(), "--state", tmp_path / "state")
    first = pl("planner", *args, input=change())
    run = first.of("run.planned")[0]
    shard = copy.deepcopy(first.of("shard.planned")[0])
    shard.update(type="plimsoll.shard.finished.v1", id=shard["id"] + ".0")
    shard["data"] = {"run": run["id"], "shard": {"index": 0, "of": 1}, "attempt": 0, "outcome": "complete",
                     "series": [{"variant": "new", "temperature": "unknown", "samples_ms": [60.0, 62.0, 64.0]}]}
    assert pl("collector", *args, input=[run, shard]).code == 0
    (again,) = plan(pl("planner", *args, input=change(revision="2")))
    assert again["estimate"]["duration_basis"] == "last-run" and 61.5 < again["estimate"]["call_ms"] < 62.5
    assert float(again["estimate"]["cost_usd"]) < float(run["data"]["estimate"]["cost_usd"]) / 10
    pl("planner", *args, input=example("function.removed"))
    assert plan(pl("planner", *args, input=change(revision="3")))[0]["estimate"]["duration_basis"] == "timeout"


def test_removed_is_forgotten(config, tmp_path):
    kept = tmp_path / "state" / "planner" / "functions" / "prod" / "hello.json"
    args = ("--config", config(), "--state", tmp_path / "state")
    pl("planner", *args, input=change())
    assert json.loads(kept.read_text())["tests"]["compare"]["run"]
    r = pl("planner", *args, input=example("function.removed"))
    assert r.code == 0 and [e["type"] for e in r.events] == ["plimsoll.function.removed.v1"], r
    assert not kept.exists()


@pytest.mark.parametrize("account, env, url", [
    ("endpoint: 'http://a:1/'", {"AWS_ENDPOINT_URL": "http://b:1"}, "http://a:1/2015-03-31/"),
    ("profile: p", {"AWS_ENDPOINT_URL": "http://b:1", "AWS_ENDPOINT_URL_LAMBDA": "http://c:1"}, "http://c:1/2015-03-31/"),
    ("profile: p", {"AWS_ENDPOINT_URL": "http://b:1"}, "http://b:1/2015-03-31/"),
    ("profile: p", {}, "https://lambda.us-east-1.amazonaws.com/2015-03-31/functions/hello/invocations?Qualifier=2"),
])
def test_endpoint(config, account, env, url):
    r = pl("planner", "--config", config(account=account), input=change(), env=env)
    assert r.of("shard.planned")[0]["data"]["targets"][1]["url"].startswith(url), r


@pytest.mark.parametrize("args, words", [
    (["--config", "/no/such.yaml"], "/no/such.yaml: cannot be read: No such file or directory, expected"),
    (["--test", "peek"], "--test peek: no such test in"),
    (["--purpose", "fun"], "--purpose fun: expected manual, confirm or calibrate"),
    (["--payload", "@/no/such.json"], "cannot read the payload /no/such.json"),
])
def test_usage_errors(config, args, words):
    r = pl("planner", "--config", config(), *args, input=change())
    assert r.code == 100 and words in r.errors and not r.out, r


def test_no_settings(tmp_path):
    r = pl("planner", input=change(), cwd=tmp_path)
    assert r.code == 100 and "no settings" in r.errors, r


def test_bad_settings_name_their_place(tmp_path):
    (tmp_path / "plimsoll.yaml").write_text("acounts: {}\nlimits: {rate: 5}\n")
    r = pl("planner", input=b"", cwd=tmp_path)
    assert r.code == 100, r
    assert "plimsoll.yaml:1:1: unknown key \"acounts\" (did you mean \"accounts\"?), expected one of" in r.errors
    assert "plimsoll.yaml:2:16: rate is \"5\", expected a rate such as 10/s" in r.errors


def test_hangup_reads_the_settings_again(config, tmp_path):
    path, log = config(), tmp_path / "log"
    with open(log, "wb") as err:
        p = start("planner", "--config", path, stderr=err)
        try:
            def ask():
                p.stdin.write(lines(change()))
                p.stdin.flush()
                return [json.loads(p.stdout.readline()) for _ in range(3)][1:]
            assert {e["type"]: e for e in ask()}["plimsoll.shard.planned.v1"]["data"]["workload"]["spread"] == 4
            path.write_text(path.read_text().replace("spread: 4", "spread: 5"))
            p.send_signal(signal.SIGHUP)
            wait_for("the settings to be read", lambda: b"settings read again" in log.read_bytes())
            path.write_text("nonsense: [")
            p.send_signal(signal.SIGHUP)
            wait_for("the mistake to be told", lambda: b"stay in force" in log.read_bytes())
            assert {e["type"]: e for e in ask()}["plimsoll.shard.planned.v1"]["data"]["workload"]["spread"] == 5
            p.stdin.close()
            assert p.wait(60) == 0
        finally:
            p.kill()
            p.wait()


def test_hangup_without_the_test_that_an_option_names(config, tmp_path):
    path, log = config(), tmp_path / "log"
    good = path.read_text()
    path.write_text(good.replace("tests:", "tests:\n  nightly: {when: [code]}"))
    with open(log, "wb") as err:
        p = start("planner", "--config", path, "--test", "nightly", stderr=err)
        try:
            p.stdin.write(lines(change()))
            p.stdin.flush()
            assert p.stdout.readline(), log.read_text()
            path.write_text(good)
            p.send_signal(signal.SIGHUP)
            wait_for("the missing test to be told", lambda: b"no test nightly any more" in log.read_bytes())
            p.stdin.write(lines(change()))
            p.stdin.close()
            assert p.wait(60) == 0, log.read_text()
        finally:
            p.kill()
            p.wait()
