"""plimsoll status, show, why, accept and admin dead on the bus: what the services have in hand."""
import json
import os
import re
import time

import pytest

from helpers.jobs import Jobs
from helpers.programs import example, pl

CONFIG = """\
accounts:
  prod: {provider: aws, region: us-east-1, endpoint: "http://127.0.0.1:9"}
functions:
  prod/*: {payload: '{}'}
"""
STATES = ("queued", "confirm", "planned", "active", "measured", "refused", "judged", "dead")


@pytest.fixture
def site(bus):
    bus.configure(CONFIG)
    bus.jobs = Jobs(bus.redis)
    folder = bus.credentials("admin")

    def run(*args, **kw):
        return pl("plimsoll", *args, "--config", bus.config_path, env=dict(os.environ, CREDENTIALS_DIRECTORY=folder),
                  home=bus.folder, **kw)
    bus.plimsoll = run
    return bus


def fill(jobs):
    """A function in each state; the ids."""
    ids = {"queued": jobs.ingest("prod/queued"), "planned": jobs.planned("prod/planned", resources=[("prod/calls", 2, 3)])}
    ids["active"] = jobs.planned("prod/active", resources=[("prod/calls", 2, 3)])
    jobs.lease(ids["active"], "l1")
    for name in ("confirm", "measured", "judged", "dead"):
        run = ids[name] = jobs.planned("prod/" + name, cost=1200)
        token = jobs.lease(run, "l2")["token"]
        jobs.fail(run, token, "l2", is_retry=0, why="cannot connect") if name == "dead" else jobs.shard(run, token, "l2")
        if name in ("confirm", "judged"):
            jobs.judge(run, confirm=int(name == "confirm"))
    ids["refused"] = jobs.planned("prod/refused", decision="refuse")
    return ids


def row_of(text, state, function):
    rows = [line for line in text.splitlines() if re.match(rf"\s*{state}\s+{function}\s", line)]
    assert len(rows) == 1, f"{state} {function} in\n{text}"
    return rows[0]


def test_status_says_what_each_waits_for(site):
    ids = fill(site.jobs)
    heard = int(time.time() * 1000)
    site.jobs("pl_loaders", "l1", json.dumps({"free": 1, "slots": 2, "heard_ms": heard}),
              "l9", json.dumps({"free": 1, "slots": 1, "heard_ms": heard - 600_000}))
    r = site.plimsoll("status")
    assert r.code == 0, r
    assert r.text.startswith("services: 2 queued, 1 planned, 1 active, 3 measured, 2 judged, 1 dead; to be told of 8 functions; ")
    assert "0.003600 USD booked on 2026-11-22" in r.text
    assert "loader l1: 1 of 2 slots at work" in r.text and "loader l9: not heard of for 10m" in r.text
    for state, function, words in (
            ("queued", "prod/queued", "is to be planned"), ("queued", "prod/confirm", "a worse is to be confirmed"),
            ("planned", "prod/planned", "waits for prod/calls is in use"), ("active", "prod/active", "on l1"),
            ("measured", "prod/measured", "is to be judged"), ("measured", "prod/refused", "ended refused: refuse; is to be told"),
            ("measured", "prod/dead", "ended dead: cannot connect; is to be told"),
            ("judged", "prod/judged", "has a verdict; is to be told"), ("dead", "prod/dead", "cannot connect")):
        assert words in row_of(r.text, state, function)
    assert ids["active"] in row_of(r.text, "active", "prod/active")
    only = site.plimsoll("status", "active")
    assert "prod/active" in only.text and "prod/queued" not in only.text


def test_lost_and_stopped_runs_say_why(site):
    run = site.jobs.planned("prod/lost")
    site.jobs.lease(run)
    site.jobs.make_due("lease")
    site.jobs("pl_reap", 10)
    cancelled = site.jobs.planned("prod/stopped", mut=True)
    site.jobs.lease(cancelled)
    site.jobs.ingest("prod/stopped")
    r = site.plimsoll("status")
    assert "waits for back-off; lost after try 1: lease over" in row_of(r.text, "planned", "prod/lost")
    assert "on l1; is being stopped: superseded" in row_of(r.text, "active", "prod/stopped")


def test_many_rows_are_counted(site):
    for i in range(40):
        site.jobs.ingest(f"prod/f{i}")
    r = site.plimsoll("status")
    assert r.text.count("is to be planned") == 30 and "and 10 more queued" in r.text
    assert "is to be planned" in row_of(site.plimsoll("status", "f39").text, "queued", "prod/f39")


def test_what_strangers_wrote_cannot_steer_the_terminal(site):
    run = site.jobs.planned("prod/evil")
    site.jobs.fail(run, site.jobs.lease(run)["token"], is_retry=0, why="\x1b[2Jgone")
    for args in (["status"], ["admin", "dead", "list"], ["show", "--bus", run]):
        r = site.plimsoll(*args)
        assert r.code == 0 and "\x1b" not in r.text and "[2Jgone" in r.text, args


def test_status_answers_when_redis_is_full(site):
    fill(site.jobs)
    site.redis.client().config_set("maxmemory", 1)
    r = site.plimsoll("status")
    assert r.code == 0 and "Redis is full: no change is taken in" in r.text
    row_of(r.text, "active", "prod/active")


@pytest.mark.parametrize("args", [["status"], ["why", "hello"], ["show", "--bus", "r1"], ["admin", "dead", "list"],
                                  ["admin", "dead", "drop", "r1"]])
def test_without_redis_they_say_so(site, args):
    site.redis.stop()
    r = site.plimsoll(*args, "--wait", "300ms")
    assert r.code == 111
    assert f"Redis at {site.redis.socket} does not do it" in r.errors


def test_a_user_of_redis_that_may_not_look_is_told(site):
    r = site.plimsoll("status", "--user", "nobody")
    assert r.code == 100 and "nobody" in r.errors + r.text or "WRONGPASS" in r.errors


def test_one_run_with_all_that_redis_knows(site):
    ids = fill(site.jobs)
    r = site.plimsoll("show", "--bus", ids["dead"])
    assert r.code == 0
    for field, value in (("st", "measured"), ("end", "dead"), ("why", "cannot connect"), ("shard.0.own", "l2")):
        assert re.search(rf"^{re.escape(field)}\s+{value}$", r.text, re.M), field
    assert site.plimsoll("show", "--bus", ids["queued"]).code == 0
    none = site.plimsoll("show", "--bus", "r9")
    assert none.code == 100 and "no run or change r9" in none.errors


def test_why_says_where_the_function_s_change_is(site):
    fill(site.jobs)
    r = site.plimsoll("why", "active")
    assert r.code == 0 and "rule prod/*" in r.text
    row_of(r.text, "active", "prod/active")


def test_dead_runs_are_listed_tried_again_and_dropped(site):
    runs = []
    for name in ("a", "b"):
        run = site.jobs.planned("prod/" + name)
        site.jobs.fail(run, site.jobs.lease(run)["token"], is_retry=0, why="broken " + name)
        runs.append(run)
    listed = site.plimsoll("admin", "dead", "list")
    assert listed.code == 0 and all(run in listed.text for run in runs) and "broken b" in listed.text
    again = site.plimsoll("admin", "dead", "retry", runs[0])
    assert again.code == 0 and again.text == f"{runs[0]}: its change is queued again\n"
    both = site.plimsoll("admin", "dead", "drop", *runs)
    assert both.code == 100 and f"{runs[0]}: is not dead" in both.errors and both.text == f"{runs[1]}: dropped\n"
    assert site.plimsoll("admin", "dead", "retry", "r-none").code == 100
    assert site.plimsoll("admin", "dead", "list").text == "none is dead\n"
    assert [c for c in site.jobs("pl_list", "queued")[2::9]] == ["d" + runs[0][1:]]


def test_accept_on_the_bus_is_a_document_of_redis(site, tmp_path):
    """The run is in the archive; what was accepted goes to Redis, where planner and sink find it."""
    event = example("run.finished")
    state = tmp_path / "state"
    state.mkdir()
    pl("sink", "--to", f"archive={state}/archive.sqlite", input=[event], home=tmp_path)
    subject = event["subject"]
    r = site.plimsoll("accept", subject, "--state", state)
    assert r.code == 0, r
    doc = json.loads(site.redis.call("HGET", "{pl}:doc:accepted", subject))
    assert doc["run"] == event["data"]["run"]["id"] and doc["version"] and not (state / "accepted").exists()
