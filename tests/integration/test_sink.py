"""plimsoll-sink against a real Pushgateway, a real Prometheus, sqlite3 and programs of ours."""
import copy
import json
import os
import pathlib
import pty
import signal
import sqlite3
import subprocess
import xml.etree.ElementTree

import pytest

from helpers.programs import ROOT, clean_env, binary, dying_with_us, example, lines, pl, start
from helpers.servers import Prometheus, free_port, wait_for


def result(function="prod/hello", run="raaaaaaaaaaaaaaaaaaaa", kind="run.finished", **data):
    """The example's event for another function or run, with some members of data replaced."""
    e = copy.deepcopy(example(kind))
    e["subject"], e["plimsollrun"] = function, run
    e["id"] = f"{run}.f{data.get('rev', 0)}" if kind == "run.finished" else run
    if "run" in e["data"] and isinstance(e["data"]["run"], dict):
        e["data"]["run"]["id"] = run
    e["data"].update(data)
    return e


def removed(function):
    e = copy.deepcopy(example("function.removed"))
    e["subject"] = function
    return e


def to(gateway):
    return f"pushgateway={gateway.url}"


def functions(gateway):
    """The functions that have a group, the sink's own left out."""
    return sorted(f"{g['account']}/{g['function']}" for g in gateway.groups()
                  if g.get("function", "_service") != "_service")


# -- the gate ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("events, options, code", [
    ([], [], 2),
    ([], ["--allow-empty"], 0),
    ([result(verdict="better")], [], 0),
    ([result(verdict="no-difference")], [], 0),
    ([result(verdict="worse")], [], 1),
    ([result(verdict="better", objectives=[{"name": "x", "limit": 1, "is_met": False}])], [], 1),
    ([result(verdict="better", objectives=[{"name": "x", "limit": 1, "is_met": None}])], [], 2),
    ([result(verdict="cannot-tell")], [], 2),
    ([result(verdict="not-compared")], [], 0),
    ([result(verdict="not-compared")], ["--require-comparison"], 2),
    ([result(outcome="skipped", verdict="not-compared")], [], 0),
    ([result(outcome="suspect")], [], 2),
    ([result(outcome="refused")], [], 100),
    ([result(outcome="failed")], [], 111),
    ([result(kind="run.planned")], [], 111),
    ([result(kind="run.planned", decision="skip")], [], 0),
    ([result(kind="run.planned", decision="refuse")], [], 100),
    ([result(kind="run.planned"), result(verdict="better")], [], 0),
    ([result(kind="run.planned"), result(verdict="better"), result(kind="run.planned")], [], 0),
    ([result(verdict="cannot-tell"), result(verdict="better", rev=1)], [], 0),
    ([removed("prod/hello")], [], 0),
    ([example("shard.progress")], [], 2),
])
def test_exit_codes(events, options, code):
    assert pl("sink", *options, input=events).code == code


def test_a_plan_without_an_answer_is_told_everywhere(tmp_path, pushgateway):
    state, archive = tmp_path / "state", tmp_path / "a.sqlite"
    assert pl("sink", "--state", state, "--to", to(pushgateway), input=[result(verdict="better")]).code == 0
    assert 'plimsoll_verdict{account="prod",function="hello",instance="",job="plimsoll",verdict="better"} 1' \
        in pushgateway.metrics()
    planned = dict(result(run="rbbbbbbbbbbbbbbbbbbbb", kind="run.planned"), time="2026-11-22T16:00:00.000Z")
    r = pl("sink", "--state", state, "--to", "terminal", "--to", to(pushgateway), "--to", f"archive={archive}",
           "--to", f"file={tmp_path / 'out'}", input=[planned])
    assert r.code == 111 and r.text.startswith("incomplete     prod/hello"), r
    page = pushgateway.metrics()
    assert 'verdict="better"} 0' in page and 'verdict="cannot-tell"} 1' in page and 'outcome="incomplete"} 1' in page
    assert sqlite3.connect(archive).execute("select outcome from verdicts").fetchall() == [("incomplete",)]
    assert json.loads((tmp_path / "out").read_text())["data"]["outcome"] == "incomplete"


# -- Prometheus -------------------------------------------------------------------------------------------------------

def check_metrics(page):
    p = subprocess.run(["promtool", "check", "metrics"], input=page.encode(), capture_output=True, timeout=30)
    assert p.returncode == 0, p.stdout + p.stderr


def ours(page):
    """Our metrics alone: the gateway's own are its affair."""
    return "".join(line + "\n" for line in page.splitlines() if "plimsoll_" in line)


def test_groups_and_queries(tmp_path, pushgateway, prometheus):
    r = pl("sink", "--to", to(pushgateway), "--state", tmp_path / "s", input=[
        result(), result("prod/other", "rbbbbbbbbbbbbbbbbbbbb", verdict="better")])
    assert r.code == 1, r
    check_metrics(ours(pushgateway.metrics()))
    assert functions(pushgateway) == ["prod/hello", "prod/other"]
    got = prometheus.wait_for_query('plimsoll_verdict{account="prod",function="hello"} == 1')
    assert [labels["verdict"] for labels, _ in got] == ["worse"]
    assert prometheus.query('plimsoll_change_ratio{function="hello",bound="estimate"}')[0][1] == 1.311
    assert prometheus.query('count({function="hello",job="plimsoll"})')[0][1] <= 63


def test_a_restarted_gateway_gets_all_back(tmp_path, pushgateway):
    state = tmp_path / "state"
    pl("sink", "--state", state, "--to", to(pushgateway), input=[
        result(), result("prod/other", "rbbbbbbbbbbbbbbbbbbbb"), result("stage/x", "rcccccccccccccccccccc")])
    before = functions(pushgateway)
    assert len(before) == 3
    pushgateway.restart_empty()
    assert functions(pushgateway) == []
    # Another function has a run: the sink notices that the gateway is another one.
    pl("sink", "--state", state, "--to", to(pushgateway), input=[result("prod/new", "rdddddddddddddddddddd")])
    assert functions(pushgateway) == sorted(before + ["prod/new"])
    assert 'plimsoll_runs_total{account="prod",function="hello",instance="",job="plimsoll"} 1' in pushgateway.metrics()


def test_a_gateway_that_restarts_while_we_run(tmp_path, pushgateway):
    p = start("sink", "--to", to(pushgateway))
    p.stdin.write(lines([result(), result("prod/other", "rbbbbbbbbbbbbbbbbbbbb")]))
    p.stdin.flush()
    wait_for("both groups", lambda: functions(pushgateway) == ["prod/hello", "prod/other"])
    pushgateway.restart_empty()
    wait_for("both groups again", lambda: functions(pushgateway) == ["prod/hello", "prod/other"], 30)
    out, err = p.communicate(timeout=30)
    assert p.returncode == 1, err


def test_a_removed_function_loses_its_group_and_no_other(tmp_path, pushgateway):
    state = tmp_path / "state"
    pl("sink", "--state", state, "--to", to(pushgateway), input=[
        result(), result("prod/other", "rbbbbbbbbbbbbbbbbbbbb")])
    before = [line for line in pushgateway.metrics().splitlines() if 'function="other"' in line]
    assert pl("sink", "--state", state, "--to", to(pushgateway), input=[removed("prod/hello")]).code == 0
    wait_for("the group to go", lambda: functions(pushgateway) == ["prod/other"])
    assert [line for line in pushgateway.metrics().splitlines() if 'function="other"' in line] == before
    # Not even a restart brings it back.
    pushgateway.restart_empty()
    pl("sink", "--state", state, "--to", to(pushgateway), "--allow-empty", input=[])
    wait_for("the group to go", lambda: functions(pushgateway) == ["prod/other"])


def test_a_gateway_that_is_down_is_told_and_owed(tmp_path, pushgateway):
    state, port = tmp_path / "state", free_port()
    down = f"pushgateway=http://127.0.0.1:{port}"
    r = pl("sink", "--state", state, "--to", down, "--retry", "2s", input=[result(verdict="better")])
    assert r.code == 111 and "not pushed" in r.errors, r
    # The same address answers later: what was owed is pushed by whoever comes next.
    pushgateway.stop()
    pushgateway.fixed_port = port
    pushgateway.start()
    assert pl("sink", "--state", state, "--to", down, "--allow-empty", input=[]).code == 0
    assert functions(pushgateway) == ["prod/hello"]


def test_what_is_owed_to_nobody_is_passed_over(tmp_path, pushgateway):
    """A file of the state that somebody edited: no crash, and the rest is pushed."""
    state = tmp_path / "state"
    pushgateway.fixed_port = pushgateway.port
    pushgateway.stop()
    options = ["--state", state, "--to", to(pushgateway), "--retry", "500ms"]
    assert pl("sink", *options, input=[result(verdict="better")]).code == 111
    path = next((state / "gateways").iterdir())
    text = path.read_text()
    assert '"prod/hello"' in text
    path.write_text(text.replace('"prod/hello"', '"nobody", "' + "x" * 300 + '/y", 7, "prod/hello"'))
    pushgateway.start()
    r = pl("sink", *options, "--allow-empty", input=[])
    assert r.code == 0 and functions(pushgateway) == ["prod/hello"], r


def test_a_gateway_that_comes_up_late(tmp_path, pushgateway):
    pushgateway.stop()
    p = start("sink", "--to", f"pushgateway=http://127.0.0.1:{pushgateway.port}")
    p.stdin.write(lines([result(verdict="better")]))
    p.stdin.close()
    p.stdin = None
    pushgateway.fixed_port = pushgateway.port
    pushgateway.start()
    out, err = p.communicate(timeout=40)
    assert p.returncode == 0, err
    assert functions(pushgateway) == ["prod/hello"]


def test_a_refused_group_does_not_stop_the_others(tmp_path, pushgateway):
    # Somebody else's metric of the same name and another type: the gateway says 400 to ours.
    from helpers.servers import http
    http(pushgateway.url + "/metrics/job/somebody", b"# TYPE plimsoll_external_value counter\nplimsoll_external_value 1\n",
         "PUT")
    plain = result("prod/plain", "rbbbbbbbbbbbbbbbbbbbb", external=[])
    r = pl("sink", "--to", to(pushgateway), "--state", tmp_path / "s", input=[result(), plain])
    assert "refuses the group of prod/hello" in r.errors and r.code == 111, r
    wait_for("the stump to go", lambda: functions(pushgateway) == ["prod/plain"])
    assert "plimsoll_sink_rejected_groups{" in pushgateway.metrics()
    assert 'function="_service",instance="",job="plimsoll"} 1' in pushgateway.metrics()


def test_unknown_groups_are_swept(tmp_path, pushgateway):
    state = tmp_path / "state"
    pl("sink", "--to", to(pushgateway), "--state", tmp_path / "other", input=[
        result("prod/gone"), result("dev/somebody", "rbbbbbbbbbbbbbbbbbbbb")])
    p = start("sink", "--to", to(pushgateway), "--state", state, "--sweep", "1s")
    p.stdin.write(lines([result("prod/hello", "rcccccccccccccccccccc")]))
    p.stdin.flush()
    # prod is ours, so what we do not know of it goes; dev is not.
    wait_for("the sweep", lambda: functions(pushgateway) == ["dev/somebody", "prod/hello"])
    p.communicate(timeout=30)


# -- the archive ------------------------------------------------------------------------------------------------------

def sql(path, query):
    p = subprocess.run(["sqlite3", str(path), query], capture_output=True, text=True, timeout=30)
    assert p.returncode == 0, p.stderr
    return p.stdout.splitlines()


def test_verdicts_newest_first(tmp_path):
    path = tmp_path / "archive.sqlite"
    events = [result(run=f"r{c * 20}", verdict=v, finished_at=f"2026-11-22T1{i}:00:00.000Z")
              for i, (c, v) in enumerate([("b", "better"), ("d", "cannot-tell"), ("c", "worse")])]
    events += [result("prod/other", "reeeeeeeeeeeeeeeeeeee"), dict(events[1], id="x")]
    amended = result(run="r" + "d" * 20, verdict="no-difference", rev=1, finished_at="2026-11-22T11:00:00.000Z")
    for batch in (events, [amended], events):
        pl("sink", "--to", f"archive={path}", input=batch)
    got = sql(path, "select verdict from verdicts where function = 'prod/hello'")
    assert got == ["worse", "no-difference", "better"]
    all_times = sql(path, "select finished_at from verdicts")
    assert len(all_times) == 4 and all_times == sorted(all_times, reverse=True)
    assert sql(path, "select * from verdicts where function='prod/hello'")[0].startswith("prod/hello|2026-11-22T12:")
    assert sql(path, "select function, verdict from fleet") == ["prod/hello|worse", "prod/other|worse"]
    assert sql(path, "select count(*) from runs") == ["5"]
    assert sql(path, "select json_extract(event, '$.data.verdict') from runs where rev = 1") == ["no-difference"]
    assert sql(path, "pragma user_version; pragma journal_mode; pragma integrity_check") == ["1", "wal", "ok"]


@pytest.mark.parametrize("before, after, code", [("cannot-tell", "worse", 1), ("worse", "no-difference", 0), ("better", "cannot-tell", 2)])
def test_the_last_revision_is_the_answer_everywhere(tmp_path, pushgateway, before, after, code):
    """An amendment may turn a verdict (environments from the logs); a first word that comes again changes nothing."""
    archive, first, last = tmp_path / "archive.sqlite", result(verdict=before), result(verdict=after, rev=1)
    options = ["--state", tmp_path / "state", "--to", to(pushgateway), "--to", f"archive={archive}"]
    assert pl("sink", *options, input=[first, last]).code == code
    for again in ([], [first], [last]):
        pl("sink", *options, input=again)
        told = [m for m in pushgateway.metrics().splitlines() if m.startswith("plimsoll_verdict{") and m.endswith(" 1")]
        assert len(told) == 1 and f'verdict="{after}"' in told[0], (again, told)
        assert sql(archive, "select verdict from last_revisions") == [after]
        runs = [m for m in pushgateway.metrics().splitlines() if m.startswith("plimsoll_runs_total{")]
        assert len(runs) == 1 and runs[0].endswith(" 1"), runs


def test_two_sinks_one_archive(tmp_path):
    path = tmp_path / "archive.sqlite"
    ids = [[f"r{a}{n:019d}" for n in range(40)] for a in "xy"]
    ps = [start("sink", "--to", f"archive={path}") for _ in ids]
    for p, mine in zip(ps, ids):
        p.stdin.write(lines([result(run=i) for i in mine]))
    assert [p.communicate(timeout=60) and p.returncode for p in ps] == [1, 1]
    assert sql(path, "select count(*) from verdicts") == ["80"]


def test_somebody_elses_database_is_left_alone(tmp_path):
    path = tmp_path / "contacts.sqlite"
    sql(path, "create table people (name)")
    before = path.read_bytes()
    r = pl("sink", "--to", f"archive={path}", input=[result()])
    assert r.code == 100 and "not an archive of Plimsoll" in r.errors, r
    assert path.read_bytes() == before


def test_a_newer_archive_is_refused(tmp_path):
    path = tmp_path / "a.sqlite"
    pl("sink", "--to", f"archive={path}", input=[result()])
    sql(path, "pragma user_version = 99")
    r = pl("sink", "--to", f"archive={path}", input=[result()])
    assert r.code == 100 and "newer Plimsoll" in r.errors, r


# -- files and programs -----------------------------------------------------------------------------------------------

def test_file(tmp_path):
    path = tmp_path / "out.ndjson"
    for run in ("raaaaaaaaaaaaaaaaaaaa", "rbbbbbbbbbbbbbbbbbbbb"):
        pl("sink", "--to", f"file={path}", input=[result(run=run), example("shard.progress")])
    kept = [json.loads(line) for line in path.read_text().splitlines()]
    assert [e["plimsollrun"] for e in kept] == ["raaaaaaaaaaaaaaaaaaaa", "rbbbbbbbbbbbbbbbbbbbb"]
    assert kept[0] == result()


def test_a_line_that_was_cut_off_is_not_joined_to_the_next(tmp_path):
    path = tmp_path / "told"
    path.write_text('{"half')
    assert pl("sink", "--to", f"file={path}", input=[result(verdict="better"), result(run="r" + "b" * 20, verdict="better")]).code == 0
    first, *rest = path.read_text().splitlines()
    assert first == '{"half' and [json.loads(x)["plimsollrun"] for x in rest] == ["r" + "a" * 20, "r" + "b" * 20]


def test_file_on_a_full_disk():
    r = pl("sink", "--to", "file=/dev/full", input=[result(verdict="better")])
    assert r.code == 111 and "No space left" in r.errors, r


def test_the_shell_sink_of_pipelines(tmp_path):
    r = pl("sink", "--to", f"exec={ROOT}/pipelines/sinks/notice.sh", input=[
        result(), result("prod/other", "rbbbbbbbbbbbbbbbbbbbb", verdict="better")],
        env={"XDG_STATE_HOME": tmp_path})
    assert r.code == 1, r
    assert (tmp_path / "plimsoll-notices").read_text().splitlines() == [
        "2026-11-22T15:00:36.000Z prod/hello: worse (run raaaaaaaaaaaaaaaaaaaa)",
        "2026-11-22T15:00:36.000Z prod/other: better (run rbbbbbbbbbbbbbbbbbbbb)"]


def program(folder, text):
    path = folder / "program"
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return path


def test_names_cannot_steer_the_terminal(tmp_path):
    e = result(verdict="worse")
    e["data"]["variants"][1]["qualifier"] = "2\x1b[2J\r\x07"
    r = pl("sink", "--to", "terminal", input=[e])
    assert "2?[2J??" in r.text and "\x1b" not in r.text and "\r" not in r.text, r


@pytest.mark.parametrize("text, code, said", [
    ("cat >/dev/null", 0, None),
    ("exit 3", 111, "exit code 3; given up"),
    ("kill -9 $$", 111, "killed by signal 9; given up"),
    ("echo talk; env | grep -q SECRET && exit 9; exit 0", 0, None),
])
def test_exec(tmp_path, text, code, said):
    count = tmp_path / "count"
    path = program(tmp_path, f"echo x >>{count}\n{text}")
    r = pl("sink", "--to", f"exec={path}", input=[result(verdict="better")], env={"AWS_SECRET_ACCESS_KEY": "SECRET"})
    assert r.code == code, r
    assert len(count.read_text().splitlines()) == (3 if code else 1)
    assert said is None or said in r.errors, r
    assert "talk" not in r.text


def test_exec_takes_what_it_started_with_it(tmp_path):
    """A program that is killed leaves none of its own children behind."""
    path = program(tmp_path, f"sleep 60 & echo $! >{tmp_path}/child; wait")
    sinks = tmp_path / "plimsoll.yaml"
    sinks.write_text("accounts:\n  web: {provider: http, allow: [example.com]}\n"
                     f"sinks:\n  slow: {{exec: {path}, timeout: 300ms}}\n")
    r = pl("sink", "--config", sinks, input=[result(verdict="better")])
    assert r.code == 111 and "killed" in r.errors, r
    pid = int((tmp_path / "child").read_text())
    stat = pathlib.Path(f"/proc/{pid}/stat")
    assert not stat.exists() or stat.read_text().split()[2] in "ZX", "the program's child lives"


def test_exec_tries_again(tmp_path):
    path = program(tmp_path, f"[ -e {tmp_path}/tried ] && cat >{tmp_path}/got && exit 0\ntouch {tmp_path}/tried; exit 1")
    big = result(verdict="better", artefacts=["x" * 300_000])
    assert pl("sink", "--to", f"exec={path}", input=[big]).code == 0
    assert json.loads((tmp_path / "got").read_text()) == big


def test_exec_holds_the_input_back(tmp_path):
    path = program(tmp_path, f"sleep 0.02; jq -r .plimsollrun >>{tmp_path}/runs")
    runs = [f"r{n:020d}" for n in range(40)]
    r = pl("sink", "--to", f"exec={path}", input=[result(run=i, verdict="better") for i in runs])
    assert r.code == 0, r
    assert (tmp_path / "runs").read_text().split() == runs


def test_a_password_in_a_url_is_refused_and_not_repeated():
    r = pl("sink", "--to", "pushgateway=http://user:canary@127.0.0.1:9", input=[result()])
    assert r.code == 100 and "expected a URL" in r.errors and "canary" not in r.errors, r


# -- options and settings ---------------------------------------------------------------------------------------------

@pytest.mark.parametrize("option, said", [
    ("pushgatway=http://x", "did you mean pushgateway?"),
    ("terminal=x", "takes no value"),
    ("archive", "expected --to archive=PATH"),
    ("file=/nowhere/at/all", "cannot open /nowhere/at/all"),
    ("exec=/nowhere/program", "expected a program that can be started"),
    ("pushgateway=localhost:9091", "expected a URL"),
])
def test_a_wrong_sink(option, said):
    r = pl("sink", "--to", option, input=[result()])
    assert r.code == 100 and said in r.errors, r


def test_sinks_of_the_settings(tmp_path, pushgateway):
    config = tmp_path / "plimsoll.yaml"
    config.write_text(f"""
accounts: {{prod: {{provider: aws, region: us-east-1}}}}
functions: {{prod/hello: {{payload: '{{}}'}}}}
sources: {{coverage: {{exec: /bin/true, export: [lines]}}}}
sinks:
  pushgateway: {{url: {pushgateway.url}}}
  archive: {{path: {tmp_path}/a.sqlite}}
""")
    covered = result(external=[{"tool": "coverage", "metrics": [
        {"name": "lines", "value": 0.5, "unit": "1"}, {"name": "secret", "value": 1, "unit": "1"}]}])
    assert pl("sink", "--config", config, "--check").code == 0
    assert not (tmp_path / "a.sqlite").exists()
    r = pl("sink", "--config", config, input=[covered])
    assert r.code == 1 and r.text.startswith("worse "), r
    assert sql(tmp_path / "a.sqlite", "select verdict from verdicts") == ["worse"]
    page = pushgateway.metrics()
    assert 'metric="lines"' in page and "secret" not in page
    # An old event that is only told again goes nowhere else.
    old = result(verdict="better", run="rbbbbbbbbbbbbbbbbbbbb", finished_at="2026-11-22T23:00:00.000Z")
    assert pl("sink", "--config", config, "--to", "terminal", "--only", input=[old]).text.startswith("better ")
    assert 'verdict="better"} 0' in pushgateway.metrics()
    assert sql(tmp_path / "a.sqlite", "select count(*) from verdicts") == ["1"]


# -- the terminal -----------------------------------------------------------------------------------------------------

def on_a_terminal(events, **env):
    """What the sink writes when standard output is a terminal."""
    ours_fd, theirs_fd = pty.openpty()
    p = subprocess.Popen(dying_with_us([binary("sink")]), stdin=subprocess.PIPE, stdout=theirs_fd,
                         env=clean_env({"TERM": "xterm", **env}))
    os.close(theirs_fd)
    p.stdin.write(lines(events))
    p.stdin.close()
    got = b""
    try:
        while chunk := os.read(ours_fd, 65536):
            got += chunk
    except OSError:
        pass
    p.wait(30)
    os.close(ours_fd)
    return got.decode()


def test_colours_and_progress_on_a_terminal_only():
    events = [example("shard.progress"), result()]
    coloured = on_a_terminal(events)
    assert "\x1b[1;31mworse" in coloured and "7 s of 35" in coloured
    plain = on_a_terminal(events, NO_COLOR="1")
    assert "\x1b[1;31m" not in plain and "7 s of 35" in plain
    piped = pl("sink", input=events).text
    assert "\x1b" not in piped and "7 s of 35" not in piped and piped.startswith("worse ")


def test_an_inventory_is_one_line():
    events = []
    for n in range(120):
        e = result(f"prod/f{n}", f"r{n:020d}", outcome="skipped", verdict="not-compared", metrics=[], reason="first seen")
        e["data"]["change"] = {"id": "c", "kind": "added", "causes": ["first-seen"]}
        events.append(e)
    r = pl("sink", input=events)
    assert r.code == 0
    assert r.text.splitlines() == ["noted          120 functions seen for the first time in prod; a change of one "
                                   "will be tested"]


def test_a_reader_that_goes_away_changes_no_verdict():
    p = start("sink", stdout=subprocess.PIPE)
    p.stdout.close()
    p.stdin.write(lines([result(run=f"r{n:020d}", verdict="better") for n in range(50)]))
    p.stdin.close()
    assert p.wait(30) == 0, p.stderr.read()


def test_a_full_disk_is_no_success():
    with open("/dev/full", "wb") as full:
        p = start("sink", stdout=full)
        p.communicate(lines([result(verdict="better")]), timeout=30)
    assert p.returncode == 111


def test_stopped_before_anything_came():
    p = start("sink", "--ready-fd", "2")
    p.stderr.read(1)
    p.send_signal(signal.SIGTERM)
    p.communicate(timeout=30)
    assert p.returncode == 0


# -- for CI systems ---------------------------------------------------------------------------------------------------

HOSTILE = 'say "no" & <b>\x1b[2J</b>: 50 %, done\r\n::error::fake'


def test_junit_says_what_the_gates_said(tmp_path):
    path = tmp_path / "plimsoll.xml"
    runs = [result(), result("prod/gone", "rcccccccccccccccccccc", outcome="failed", reason=HOSTILE),
            result("prod/idle", "rdddddddddddddddddddd", outcome="skipped", reason="nothing worth testing"),
            result("prod/first", "reeeeeeeeeeeeeeeeeeee", verdict="not-compared", metrics=[], objectives=[]),
            result("prod/slow", "rffffffffffffffffffff",
                   objectives=[{"name": HOSTILE, "value": 400000, "unit": "us", "limit": 1, "is_met": False}]),
            result(rev=1)]
    r = pl("sink", "--to", f"junit={path}", "--only", input=lines(runs))
    assert r.code == 111, r
    root = xml.etree.ElementTree.parse(path).getroot()
    assert root.attrib == {"name": "plimsoll", "tests": "9", "failures": "3", "errors": "3", "skipped": "1"}
    assert [s.attrib["name"] for s in root] == ["prod/hello", "prod/gone", "prod/idle", "prod/first", "prod/slow"]
    hello = {c.attrib["name"]: [(e.tag, e.attrib) for e in c] for c in root[0]}
    assert hello == {
        "response_p50": [("failure", {"type": "worse (unconfirmed)", "message": "+131 % (+128 … +134 %), tolerance ±10 %"})],
        "error_ratio": [("error", {"type": "cannot-tell",
                                   "message": "+1.32 pp (-0.50 … +3.00 pp), tolerance ±0.5 pp: interval-too-wide"})],
        "response_p95 < 300ms": []}
    assert root[1][0][0].tag == "error" and root[1][0][0].attrib["message"] == HOSTILE.replace("\x1b", " ").replace("\r\n", "  ")
    assert root[2][0][0].tag == "skipped" and not list(root[3][0])
    assert root[4][2][0].attrib == {"type": "missed", "message": "missed: it is 400 ms"}


def test_junit_needs_a_place_to_write(tmp_path):
    r = pl("sink", "--to", f"junit={tmp_path}/none/x.xml", "--only", input=lines([result(verdict="better")]))
    assert r.code == 111 and "none/x.xml" in r.errors


def test_github_gets_annotations():
    runs = [result(), result("prod/fine", "rbbbbbbbbbbbbbbbbbbbb", verdict="better", verdict_reason="faster"),
            result("prod/open", "rcccccccccccccccccccc", verdict="cannot-tell", verdict_reason=HOSTILE,
                   objectives=[{"name": "a: b", "limit": 1, "is_met": None}]),
            result("prod/gone", "rdddddddddddddddddddd", outcome="failed", reason="no answer")]
    r = pl("sink", "--to", "github", "--only", input=lines(runs))
    assert r.text.split("\n") == [
        "::error title=prod/hello is worse (unconfirmed)::response_p50 is worse by more than 10 %25",
        "::notice title=prod/fine is better::faster",
        '::warning title=prod/open is cannot-tell::say "no" & <b>%1B[2J</b>: 50 %25, done%0D%0A::error::fake%0Anot known: a: b',
        "::error title=prod/gone is failed::no answer", ""]
