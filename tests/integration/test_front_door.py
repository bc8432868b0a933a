"""The front door's commands that need no cloud: help, check, hist, pause, add, the looking ones without an archive."""
import concurrent.futures
import copy
import json
import re
import os

import pytest
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogWriter

from helpers.programs import example, lines, pl

COMMANDS = ["init", "check", "add", "list", "run", "load", "watch", "status", "show", "why", "compare", "hist", "pause",
            "resume", "accept", "credential", "sign", "admin install", "admin acl", "admin doctor", "admin dead list", "admin dead retry", "admin dead drop",
            "admin key new", "admin key list", "admin key revoke"]

GOOD = """\
accounts:
  prod: {provider: aws, region: us-east-1, endpoint: "http://127.0.0.1:9"}
  web: {provider: http, allow: [127.0.0.1]}
functions:
  prod/hello: {payload: '{}', tests: [compare]}
  prod/never-*: {tests: []}
"""


@pytest.fixture
def door(tmp_path):
    (tmp_path / "plimsoll.yaml").write_text(GOOD)

    def run(*args, **kw):
        return pl("plimsoll", *args, home=tmp_path, cwd=tmp_path, **kw)
    return run


def test_every_command_explains_itself(door):
    listed = door("--help")
    assert listed.code == 0
    for name in COMMANDS:
        assert f"\n  {name} " in listed.text, name
        r = door(*name.split(), "--help")
        assert r.code == 0 and r.text.startswith("usage: plimsoll " + name), (name, r)
        assert door(*name.split(), "--no-such-option").code == 100, name
    assert "did you mean check?" in door("chekc").errors


def test_the_commands_of_a_group_are_listed(door):
    r = door("admin", "--help")
    assert r.code == 0 and "\n  admin install " in r.text and "  check " not in r.text
    for args in (["admin"], ["admin", "instal"], ["admin", "install", "instal"]):
        assert door(*args).code == 100, args
    assert "plimsoll admin --help" in door("admin", "instal").errors


def test_check_says_every_mistake_and_exits_100(door, tmp_path):
    assert door("check").code == 0
    bad = tmp_path / "bad.yaml"
    bad.write_text("accounts:\n  prod: {provider: aws, regin: x}\nlimts: {}\n")
    r = door("check", bad)
    assert r.code == 100
    assert len(r.errors.strip().splitlines()) == 3
    assert f'{bad}:3:1: unknown key "limts" (did you mean "limits"?), expected one of' in r.errors
    assert json.loads(door("check", "--schema").text)["type"] == "object"


def write_log(path, values):
    h = HdrHistogram(1, 3600 * 1000 * 1000, 3)
    for v in values:
        h.record_value(v)
    with open(path, "w") as f:
        w = HistogramLogWriter(f)
        w.output_log_format_version()
        f.write("#[StartTime: 1441812279.474 (seconds since epoch), Wed Sep 09 08:24:39 PDT 2015]\n")
        w.output_legend()
        w.output_interval_histogram(h)
    return h


def test_hist_reads_and_merges_logs_of_others(door, tmp_path):
    a = write_log(tmp_path / "a.hlog", range(100, 100000, 37))
    a.add(write_log(tmp_path / "b.hlog", [5, 5, 5, 123456, 3599999999]))
    got = json.loads(door("hist", "--json", tmp_path / "a.hlog", tmp_path / "b.hlog").text)
    want = {"count": a.get_total_count(), "min": a.get_min_value(), "max": a.get_max_value()}
    want |= {name: a.get_value_at_percentile(p) for name, p in
             (("p50", 50), ("p90", 90), ("p95", 95), ("p99", 99), ("p999", 99.9))}
    mean = got.pop("mean")
    assert got == want
    assert abs(mean - a.get_mean_value()) < 1e-6 * mean
    csv = door("hist", "--csv", tmp_path / "b.hlog").text.splitlines()
    assert csv[0] == "value,count,share" and csv[1] == "5,3,0.600000" and csv[-1].endswith(",1.000000")
    (tmp_path / "c.hlog").write_text("not,a,log,HISTFxxxx\n")
    r = door("hist", tmp_path / "c.hlog")
    assert r.code == 100 and "c.hlog:1: " in r.errors


def test_pause_and_resume(door, tmp_path):
    assert door("resume").text == "was not paused\n"
    assert door("pause", "deploy at noon").code == 0
    assert (tmp_path / ".local/state/plimsoll/pause").read_text() == "deploy at noon"
    assert "paused" in door("status").text
    assert door("resume").text == "resumed\n"
    assert not os.path.exists(tmp_path / ".local/state/plimsoll/pause")


def test_add_writes_a_rule_that_holds(door, tmp_path):
    r = door("add", "prod/other", "--payload", """{"name": "it's"}""")
    assert r.code == 0, r
    assert "prod-other.yaml" in r.text and (tmp_path / "conf.d/prod-other.yaml").exists()
    assert "rule prod/other" in door("why", "prod/other").text
    assert door("add", "prod/other").code == 100
    assert door("add", "nowhere/other").code == 100
    r = door("add", "prod/third", "--tests", "no-such-test")
    assert r.code == 100 and not (tmp_path / "conf.d/prod-third.yaml").exists()


def test_why_names_the_rule(door):
    assert "rule prod/hello (plimsoll.yaml:5)" in door("why", "prod/hello").text
    assert "never called" in door("why", "prod/never-me").text
    assert "no rule matches" in door("why", "prod/stranger").text


def test_what_the_archive_knows(door, tmp_path):
    assert "nothing has been tested yet" in door("status").errors
    state = tmp_path / ".local/state/plimsoll"
    event = example("run.finished")
    event["data"]["verdict_reason"] = "a stranger wrote \x1b[2J this"
    fed = pl("sink", "--to", f"archive={state}/archive.sqlite", input=lines([event]), home=tmp_path)
    assert fed.code == 1, fed
    r = door("status")
    assert "prod/hello" in r.text and "worse" in r.text
    assert "1 -> 2" in r.text
    shown = door("show", "raaaa")
    assert shown.code == 0 and "response_p50" in shown.text
    assert json.loads(door("show", "--json", "raaaa").text)["data"]["verdict"] == "worse"
    assert door("show", "rzzzz").code == 100
    assert "response_p50" in door("compare", "raaaa", "raaaa").text
    assert "worse" in door("why", "prod/hello").text
    for told in (r, shown, door("why", "prod/hello")):
        assert "a stranger wrote ?[2J this" in told.text and "\x1b" not in told.text
    r = door("accept", "prod/hello", "--reason", "new crypto")
    assert r.code == 0 and "version 2" in r.text
    assert door("accept", "prod/stranger").code == 100


def test_run_without_a_payload_refuses_when_nobody_can_answer(door, tmp_path):
    (tmp_path / "plimsoll.yaml").write_text(GOOD.replace("{payload: '{}', tests: [compare]}", "{tests: [compare]}"))
    r = door("run", "prod/hello", input=b"")
    assert r.code == 100 and "--payload" in r.errors


def test_the_policy_is_json(door):
    def allowed(*options):
        policy = json.loads(door("init", "--print-policy", *options).text)
        return {action for statement in policy["Statement"] for action in statement["Action"]}
    least = allowed()
    assert "lambda:InvokeFunction" in least
    assert allowed("--publish") - least == {"lambda:PublishVersion", "lambda:DeleteFunction"}
    assert allowed("--logs") - least == {"logs:FilterLogEvents"}
    assert allowed("--logs", "--copies") - allowed("--publish") == {"logs:FilterLogEvents", "lambda:UpdateFunctionConfiguration"}


def test_gate_ends_with_what_the_last_run_said(door, tmp_path):
    state = tmp_path / ".local/state/plimsoll"
    assert door("gate").code == 2
    first, second = example("run.finished"), example("run.finished")
    first["data"].update(verdict="better", finished_at="2026-11-22T14:00:00.000Z")
    first["data"]["metrics"][0]["verdict"] = first["data"]["metrics"][1]["verdict"] = "better"
    second["plimsollrun"] = second["data"]["run"]["id"] = "r" + "b" * 20
    second["id"] = second["plimsollrun"] + ".f0"
    second["data"]["variants"][1]["qualifier"] = "3"
    pl("sink", "--to", f"archive={state}/archive.sqlite", input=lines([first, second]), home=tmp_path)
    r = door("gate", "prod/hello", "--to", "terminal", "--to", f"junit={tmp_path}/gate.xml")
    assert r.code == 1 and r.text.startswith("worse (unconfirmed)  prod/hello")
    assert "failures=\"1\"" in (tmp_path / "gate.xml").read_text()
    assert 'type="worse (unconfirmed)"' in (tmp_path / "gate.xml").read_text()
    assert door("gate").code == 1
    assert "is worse (unconfirmed)::" in door("gate", "prod/hello", "--to", "github").text
    assert "worse (unconfirmed)" in door("status").text and "worse (unconfirmed)" in door("status", "prod/hello").text
    assert door("show", second["plimsollrun"]).text.startswith("worse (unconfirmed)")
    assert door("gate", "prod/hello", "--version", "2").code == 0
    r = door("gate", "prod/hello", "--version", "4", "--wait", "1s")
    assert r.code == 2 and "version 4" in r.errors and "--wait" in r.errors
    assert door("gate", "--version", "4").code == 100


def test_gate_follows_the_amendment_and_waits_for_it(door, tmp_path):
    """An objective on a figure of another tool: unknown at first, met when the figure has come."""
    archive = f"archive={tmp_path}/.local/state/plimsoll/archive.sqlite"
    on = {"name": "sonar/coverage >= 80", "metric": "sonar/coverage", "op": ">=", "limit": 80}
    first = example("run.finished")
    first["data"].update(verdict="better", objectives=[{**on, "is_met": None, "reason": "no figure from sonar"}])
    last = copy.deepcopy(first)
    last["id"] = first["plimsollrun"] + ".f1"
    last["data"].update(rev=1, objectives=[{**on, "value": 81.5, "is_met": True}])
    pl("sink", "--to", archive, input=lines([first]), home=tmp_path)
    r = door("gate", "prod/hello", "--to", "terminal", "--to", f"junit={tmp_path}/gate.xml")
    assert r.code == 2 and "unknown  sonar/coverage >= 80  (no figure from sonar)" in r.text, r
    assert "unknown: no figure from sonar" in (tmp_path / "gate.xml").read_text()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        waiting = pool.submit(door, "gate", "prod/hello", "--wait", "60s")
        pl("sink", "--to", archive, input=lines([last]), home=tmp_path)
        r = waiting.result()
    assert r.code == 0 and "met      sonar/coverage >= 80  (81.5)" in r.text, r
    assert "met      sonar/coverage >= 80  (81.5)" in door("show", first["plimsollrun"]).text


def test_history_shows_a_creep_that_no_single_run_sees(door, tmp_path):
    """1 % a version over 30 versions, each comparison blind below 2 %."""
    state, events, level = tmp_path / ".local/state/plimsoll", [], 60000.0
    for i in range(30):
        e = example("run.finished")
        run = "r" + "abcdefghijklmnopqrstuvwxyz234567"[i] * 20
        e["plimsollrun"] = e["data"]["run"]["id"] = run
        e["id"], e["time"] = run + ".f0", f"2026-10-{i + 1:02}T10:00:00.000Z"
        level *= 1.01
        e["data"].update(verdict="no-difference", finished_at=e["time"])
        e["data"]["metrics"][0].update(new=level, diff=0.01, low=-0.01, high=0.03, verdict="no-difference")
        for variant, version in zip(e["data"]["variants"], (i + 1, i + 2)):
            variant["qualifier"] = str(version)
        events.append(e)
    events[3]["data"]["outcome"] = "suspect"
    assert pl("sink", "--to", f"archive={state}/archive.sqlite", input=lines(events), home=tmp_path).code != 101
    r = door("compare", "--history", "prod/hello")
    assert r.code == 0 and "29 valid runs" in r.text
    assert re.search(r"level: from 2026-10-\d\d 10:00 \(version \d+\) on", r.text), r.text
    # Run 3 is left out, so the chain begins behind it: 26 versions, 1 % each, errors of 2 % by their squares.
    assert "drift: 26 compared versions in a row, from 5 to 31: +29.5 % (+17.1 … +43.3)" in r.text, r.text
    rows = door("compare", "--history", "--csv", "prod/hello").text.splitlines()
    assert rows[0] == "finished_at,version,value" and len(rows) == 30 and rows[1].startswith("2026-10-01 10:00,2,60600")
    assert door("compare", "--history", "--metric", "nothing", "prod/hello").code == 2
    assert door("compare", "--history").code == 100 and door("compare", "prod/hello").code == 100
