"""The collector as a program: replay in any order, sources, the cloud's figures, what ends a run."""
import base64
import copy
import http.server
import json
import os
import random
import select
import signal
import socket
import stat
import struct
import threading
import time
from datetime import datetime, timedelta, timezone

import pytest
from hdrh.histogram import HdrHistogram

from helpers.programs import example, lines, pl, start

WARM, CONNECT = 1, 5
CONFIG = """\
accounts:
  prod: {{provider: aws, region: us-east-1{account}}}
functions:
  prod/*: {{payload: '{{}}'}}
sources:
{sources}
"""


def histogram(values):
    h = HdrHistogram(1, 3600000000, 3)
    for v in values:
        h.record_value(v)
    return h.encode().decode()


def shard(index=0, of=1, run="raaaaaaaaaaaaaaaaaaaa", add_us=80000, seed=1, rounds=38, spread=4, gone_after=None):
    """shard.finished of a made-up run: four environments a side, old 60 ms, new slower by add_us; from round
    `gone_after` on nothing answers."""
    rng = random.Random(seed * 1000 + index)
    calls, values, lost = [], {"old": [], "new": []}, 0
    for r in range(rounds):
        for v, name in enumerate(("old", "new")):
            for e in range(spread):
                if gone_after is not None and r >= gone_after:
                    calls.append(struct.pack("<iIBBHIIIIIB", r * 800000, r, v | CONNECT << 1, 0, 0, 500, 400, 0, 0, 0, 0))
                    lost += v
                    continue
                us = int(60000 * rng.lognormvariate(0, 0.03)) + v * add_us
                values[name].append(us)
                calls.append(struct.pack("<iIBBHIIIIIB", r * 800000, r, v, WARM, 1 + v * spread + e, us, us - 300, 0, 0, 40960, 0))
    packed = b"PLC1" + struct.pack("<II", len(calls), 1) + b"".join(calls)
    event = copy.deepcopy(example("shard.finished"))
    event.update(id=f"{run}.{index}.0", plimsollrun=run)
    event["data"].update(
        run=run, shard={"index": index, "of": of}, due=len(calls), warmup=[], blocks=[], throttle_reasons={}, error_reasons={},
        calls=base64.b64encode(packed).decode(), instances=[f"{index}{n}" for n in range(2 * spread)],
        series=[{"variant": n, "temperature": "warm", "outcomes": {"ok": len(v), "connect": lost}, "response": histogram(v), "service": histogram(v)}
                for n, v in values.items()])
    return event


def planned(run="raaaaaaaaaaaaaaaaaaaa", shards=1, **data):
    event = copy.deepcopy(example("run.planned"))
    event.update(id=run, plimsollrun=run)
    event["data"].update(shards=shards, **data)
    event["data"]["run"]["id"] = run
    return event


def report(n, run="raaaaaaaaaaaaaaaaaaaa"):
    event = copy.deepcopy(example("measurement.reported"))
    event.update(id=f"m{n:020d}", plimsollrun=run)
    event["data"]["metrics"][0]["value"] = n
    event["time"] = f"2026-11-22T23:00:{n:02d}.000Z"  # after the results
    return event


def finished(result):
    """run.finished events, sorted by id, without what may differ."""
    out = sorted(result.of("run.finished"), key=lambda e: e["id"])
    for e in out:
        e.pop("time"), e.pop("source")
    return out


def by_id(result):
    return {e["id"]: e["data"] for e in result.of("run.finished")}


RUN = "raaaaaaaaaaaaaaaaaaaa"
OTHER = "rbbbbbbbbbbbbbbbbbbbb"


def test_a_slower_function_is_worse_and_the_plan_is_passed_on():
    events = [planned(), shard()]
    r = pl("collector", input=events)
    assert r.code == 0 and r.events[0] == events[0]
    data = by_id(r)[RUN + ".f0"]
    assert (data["outcome"], data["verdict"], data["confirm_wanted"]) == ("valid", "worse", True), r
    p50 = next(m for m in data["metrics"] if m["name"] == "response_p50")
    assert p50["low_abs"] <= 80000 <= p50["high_abs"] and p50["basis"] == "environments"
    assert p50["environments_old"] == p50["environments_new"] == 4
    errors = next(m for m in data["metrics"] if m["name"] == "error_ratio")
    assert (errors["verdict"], errors["reason"]) == ("no-difference", "none-seen") and 0.019 < errors["upper_new"] < 0.02
    assert data["requests"] == {"old": {"ok": 152}, "new": {"ok": 152}}
    assert HdrHistogram.decode(data["histograms"]["new"]["response"]).get_total_count() == 152


def hostile(index, of, **data):
    event = shard(index, of)
    event["data"].update(data)
    return event


@pytest.mark.parametrize("shards, outcome", [
    ([hostile(0, 1, due=1, quality={"suspect": [f"doubt {i}" for i in range(32)]})], "suspect"),
    ([hostile(i, 2, error_reasons={f"{i}.{k}": 1 for k in range(64)}) for i in range(2)], "failed"),
    ([hostile(i, 2, throttle_reasons={"x": 2 ** 53}) for i in range(2)], "failed"),
], ids=["doubts", "reasons", "counts"])
def test_shards_that_add_up_to_no_event_end_their_run_and_no_other(shards, outcome):
    """Each is a fine event; what comes of them is none. The run is told all the same, and the one behind it."""
    behind = "rbbbbbbbbbbbbbbbbbbbb"
    r = pl("collector", input=[planned(shards=len(shards)), *shards, planned(behind), shard(run=behind)])
    told = {e["plimsollrun"]: e["data"] for e in r.events}
    assert r.code == 0, r
    assert told["raaaaaaaaaaaaaaaaaaaa"]["outcome"] == outcome and told[behind]["outcome"] == "valid"


def test_replayed_shuffled_and_doubled_it_says_the_same():
    events = [planned(shards=3, environments=12), *(shard(i, 3) for i in range(3)), planned(OTHER, decision="refuse", reason="too dear"),
              planned("rcccccccccccccccccccc"), shard(run="rcccccccccccccccccccc", add_us=0, seed=5), report(1), report(2),
              planned("rdddddddddddddddddddd", shards=2), shard(0, 2, run="rdddddddddddddddddddd")]
    want = finished(pl("collector", input=events))
    assert [(e["id"], e["data"]["outcome"]) for e in want] == [
        (RUN + ".f0", "valid"), (RUN + ".f1", "valid"), (OTHER + ".f0", "refused"), ("rcccccccccccccccccccc.f0", "valid"),
        ("rdddddddddddddddddddd.f0", "incomplete")]
    assert want[1]["data"]["external"] and not want[0]["data"]["external"]
    rng = random.Random(9)
    for _ in range(6):
        mixed = events + rng.sample(events, 5)
        rng.shuffle(mixed)
        assert finished(pl("collector", input=mixed)) == want


def test_a_run_that_misses_a_shard_is_incomplete():
    r = pl("collector", input=[planned(shards=2), shard(0, 2)])
    data = by_id(r)[RUN + ".f0"]
    assert (data["outcome"], data["verdict"]) == ("incomplete", "cannot-tell"), r
    assert "the input ended" in data["reason"]


@pytest.mark.parametrize("gates, outcome, reason", [
    (["response_p50", "error_ratio"], "valid", "error_ratio: interval-too-wide"),
    (["response_p50"], "suspect", "suspect: not-reached"),
])
def test_a_target_that_went_away_is_never_green(gates, outcome, reason):
    """Both versions fail alike, and the good calls before it show no difference."""
    plan = planned()
    for m in plan["data"]["metrics"]:
        m["is_gate"] = m["name"] in gates
    r = pl("collector", input=[plan, shard(add_us=0, gone_after=30)])
    data = by_id(r)[RUN + ".f0"]
    assert next(m for m in data["metrics"] if m["name"] == "response_p50")["verdict"] == "no-difference"
    assert (data["outcome"], data["verdict"], data["verdict_reason"]) == (outcome, "cannot-tell", reason)
    assert pl("sink", "--to", "terminal", input=r.events).code == 2


def test_results_without_a_plan_are_told_of():
    r = pl("collector", input=[shard()])
    assert r.code == 0 and not r.events and "no plan" in r.errors


def test_sigterm_tells_what_is_known():
    p = start("collector")
    p.stdin.write(lines([planned(), planned(OTHER), shard()]))
    p.stdin.flush()
    first = [json.loads(p.stdout.readline()) for _ in range(3)]
    assert first[2]["data"]["verdict"] == "worse"
    p.send_signal(signal.SIGTERM)
    out, err = p.communicate(timeout=20)
    assert p.returncode == 0, err
    assert [json.loads(line)["data"]["outcome"] for line in out.splitlines()] == ["incomplete"]


def source(folder, name, text):
    path = folder / name
    path.write_text("#!/usr/bin/env bash\n" + text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def configure(folder, sources, account=""):
    path = folder / "plimsoll.yaml"
    path.write_text(CONFIG.format(account=account, sources="".join(f"  {s}\n" for s in sources) or "  {}\n"))
    return path


def test_exec_sources_and_their_secrets(tmp_path):
    (tmp_path / "token").write_text("canary-7261\n")
    source(tmp_path, "good.sh", """
        read -r event
        echo "{\\"name\\": \\"token\\", \\"value\\": $(wc -c < "$TOKEN"), \\"unit\\": \\"1\\"}"
        echo "{\\"name\\": \\"shards\\", \\"value\\": $(jq .data.shards <<<"$event"), \\"unit\\": \\"1\\"}"
        env > "$(dirname "$0")/env"; ls -l "$TOKEN" >> "$(dirname "$0")/env"; echo "$TOKEN" > "$(dirname "$0")/path"
        echo nonsense
    """)
    source(tmp_path, "bad.sh", "echo '{\"name\": \"never\", \"value\": 1}'; exit 3")
    source(tmp_path, "slow.sh", "exec sleep 60")
    config = configure(tmp_path, [
        f"coverage: {{exec: {tmp_path}/good.sh, timeout: 10s, secrets: {{TOKEN: 'file:{tmp_path}/token'}}}}",
        f"broken: {{exec: {tmp_path}/bad.sh}}", f"slow: {{exec: {tmp_path}/slow.sh, timeout: 300ms}}"])
    began = time.monotonic()
    r = pl("collector", "--config", config, input=[planned(), shard()], env={"AWS_SECRET_ACCESS_KEY": "canary-9911"})
    assert r.code == 0 and time.monotonic() - began < 20, r
    last = sorted(by_id(r).items())[-1][1]
    assert last["external"] == [{"tool": "coverage", "metrics": [{"name": "token", "value": 11, "unit": "1"},
                                                                   {"name": "shards", "value": 1, "unit": "1"}]}]
    assert last["verdict"] == "worse"
    env = (tmp_path / "env").read_text()
    assert "canary" not in env and "-rw-------" in env
    assert not os.path.exists((tmp_path / "path").read_text().strip())
    assert "canary" not in r.errors + r.text
    assert "lines that are no measurement" in r.errors and "broken" in r.errors and "slow" in r.errors


@pytest.mark.measures
def test_a_source_that_never_stops_talking_is_cut_off(tmp_path):
    source(tmp_path, "loud.sh", "exec cat /dev/zero")
    config = configure(tmp_path, [f"loud: {{exec: {tmp_path}/loud.sh, timeout: 10s}}"])
    began = time.monotonic()
    r = pl("collector", "--config", config, input=[planned(), shard()])
    assert r.code == 0 and "source loud failed" in r.errors and time.monotonic() - began < 8, r
    assert by_id(r)[RUN + ".f0"]["verdict"] == "worse"


def test_how_fast_a_source_is_changes_nothing(tmp_path):
    """One that answers before the first shard is there, and one that answers long after the last."""
    told = []
    for delay_s in (0, 1):
        path = source(tmp_path, "source.sh", f"""sleep {delay_s}; echo '{{"name": "lines", "value": 7, "unit": "1"}}'""")
        p = start("collector", "--config", configure(tmp_path, [f"coverage: {{exec: {path}}}"]))
        p.stdin.write(lines(planned()))
        p.stdin.flush()
        time.sleep(0 if delay_s else 1)
        out, err = p.communicate(lines(shard()), timeout=60)
        assert p.returncode == 0, err
        told.append([(e["id"], e["data"]) for e in map(json.loads, out.splitlines()) if "finished" in e["type"]])
    assert told[0] == told[1] and [i for i, _ in told[0]] == [RUN + ".f0", RUN + ".f1"]
    assert [bool(d["external"]) for _, d in told[0]] == [False, True]
    said = pl("sink", "--to", "terminal", input=out)
    assert said.code == 1 and "lines 7" in said.text, said


SOURCE_OF_THE_SCHEMAS = r"""
key=$(jq -r '.subject | sub("/"; ":")')
curl -fsS -K <(printf 'user = "%s:"\n' "$SONAR_TOKEN") "$SONAR/api/measures/component?component=$key&metricKeys=coverage,code_smells" |
  jq -c '.component.measures[] | {name: .metric, value: (.value|tonumber), unit: "1"}'
"""


def test_the_three_line_source_as_it_stands(nginx, tmp_path):
    answer = '{"component":{"measures":[{"metric":"coverage","value":"81.5"},{"metric":"code_smells","value":"3"}]}}'
    server = nginx(locations=f"""location /api/measures/component {{
        if ($http_authorization != "Basic c2VjcmV0Og==") {{ return 401; }}
        if ($arg_component != "prod:hello") {{ return 404; }}
        default_type application/json; return 200 '{answer}'; }}""")
    path = source(tmp_path, "sonar.sh", f"SONAR={server.url} SONAR_TOKEN=$(<\"$TOKEN\")" + SOURCE_OF_THE_SCHEMAS)
    config = configure(tmp_path, [f"sonar: {{exec: {path}, secrets: {{TOKEN: secret}}}}"])
    r = pl("collector", "--config", config, input=[planned(), shard()])
    last = sorted(by_id(r).items())[-1][1]
    assert last["external"] == [{"tool": "sonar", "metrics": [{"name": "coverage", "value": 81.5, "unit": "1"},
                                                                {"name": "code_smells", "value": 3, "unit": "1"}]}], r


def with_objective(text):
    """A plan whose only objective is on a figure of somebody else."""
    metric, op, limit = text.split()
    return planned(objectives=[{"name": text, "metric": metric, "op": op, "limit": float(limit)}])


def equal_code():
    return shard(add_us=0)


@pytest.mark.parametrize("text, met, code, words", [
    ("sonar/coverage >= 80", True, 0, "met      sonar/coverage >= 80  (81.5)"),
    ("sonar/coverage >= 90", False, 1, "missed   sonar/coverage >= 90  (81.5)"),
    ("sonar/bugs < 1", None, 2, "unknown  sonar/bugs < 1  (no figure from sonar)"),
    ("snoar/coverage >= 80", None, 2, "unknown  snoar/coverage >= 80  (no figure from snoar)"),
])
def test_an_objective_on_a_figure_of_a_source_is_unknown_until_it_comes(nginx, tmp_path, text, met, code, words):
    answer = '{"component":{"measures":[{"metric":"coverage","value":"81.5"}]}}'
    server = nginx(locations=f"""location /api/measures/component {{ default_type application/json; return 200 '{answer}'; }}""")
    path = source(tmp_path, "sonar.sh", f"SONAR={server.url} SONAR_TOKEN=x" + SOURCE_OF_THE_SCHEMAS)
    r = pl("collector", "--config", configure(tmp_path, [f"sonar: {{exec: {path}}}"]), input=[with_objective(text), equal_code()])
    told = by_id(r)
    first, last = (told[f"{RUN}.f{rev}"] for rev in (0, 1))
    tool = text.split("/")[0]
    assert first["verdict"] == last["verdict"] == "no-difference" and not first["external"], first
    assert first["objectives"][0]["is_met"] is None and first["objectives"][0]["reason"] == f"no figure from {tool}"
    assert last["objectives"][0]["is_met"] is met and last["objectives"][0].get("value") == (None if met is None else 81.5), last
    events = r.of("run.finished")
    junit = tmp_path / "junit.xml"
    said = pl("sink", "--to", "terminal", "--to", f"junit={junit}", "--to", f"archive={tmp_path}/a.sqlite", input=events)
    assert said.code == code and f"  {words}\n" in said.text, said
    assert pl("sink", "--to", "terminal", input=events[:1]).code == 2, "before the figure came"
    cases = junit.read_text()
    assert (f'name="{text.replace("<", "&lt;").replace(">", "&gt;")}"' in cases) and ("unknown: no figure" in cases) == (met is None)
    github = pl("sink", "--to", "github", input=events).text
    assert github.count("::warning" if met is None else "::error" if code else "::notice") == 1 and len(github.splitlines()) == 1, github


def stamp(at):
    return at.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def called(cloud, n=5):
    """A function on the emulator that was called, and its plan and result as of now."""
    fn = cloud.create("hello", sleep_ms=50)
    for _ in range(n):
        fn.client.invoke(FunctionName="hello")
    result = shard()
    result["data"].update(started_at=stamp(datetime.now(timezone.utc) - timedelta(seconds=30)), duration_ms=60000)
    return fn, planned(), result


@pytest.mark.measures
def test_figures_of_the_cloud_come_as_an_amendment(cloud, tmp_path):
    _, plan, result = called(cloud)
    config = configure(tmp_path, [], account=f", endpoint: '{cloud.server.url}'")
    env = {k: v for k, v in cloud.env().items() if k != "AWS_ENDPOINT_URL"}
    p = start("collector", "--config", config, "--wait-cloud", "20s", "--cloud-every", "1s", env=env)
    began = time.monotonic()
    p.stdin.write(lines([plan, result]))
    p.stdin.close()
    p.stdin = None
    p.stdout.readline()
    first = json.loads(p.stdout.readline())
    waited_s = time.monotonic() - began
    out, err = p.communicate(timeout=60)
    assert p.returncode == 0, err
    second = json.loads(out)
    assert waited_s < 5 and (first["id"], second["id"]) == (RUN + ".f0", RUN + ".f1")
    assert "cloud" not in first["data"] and first["data"]["bookkeeping"] == "unchecked"
    cloud_says = second["data"]["cloud"]
    assert cloud_says["source"] == "cloudwatch" and cloud_says["invocations"] == 5, cloud_says
    assert cloud_says["errors"] == 0 and cloud_says["duration_p50_ms"] > 0
    assert second["data"]["bookkeeping"] == "unchecked", "the emulator does not count by version"
    assert {k: v for k, v in second["data"].items() if k not in ("cloud", "rev")} == \
           {k: v for k, v in first["data"].items() if k != "rev"}


class SlowCloud(http.server.ThreadingHTTPServer):
    """CloudWatch whose figures still grow, and which does not answer before it may."""

    def __init__(self, invocations):
        self.invocations, self.asked, self.may_answer = list(invocations), 0, threading.Event()
        super().__init__(("127.0.0.1", 0), SlowCloud.Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            queries = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["MetricDataQueries"]
            self.server.may_answer.wait(60)
            value = self.server.invocations[min(self.server.asked, len(self.server.invocations) - 1)]
            self.server.asked += 1
            body = json.dumps({"MetricDataResults": [
                {"Id": q["Id"], "Label": q["Id"], "Timestamps": [int(time.time())], "StatusCode": "Complete",
                 "Values": [value if q["MetricStat"]["Metric"]["MetricName"] == "Invocations" else 0]} for q in queries]}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass


def test_the_first_verdict_does_not_wait_for_the_cloud_which_is_read_until_two_agree(tmp_path):
    server = SlowCloud([100, 150, 152])
    config = configure(tmp_path, [], account=f", endpoint: 'http://127.0.0.1:{server.server_port}'")
    p = start("collector", "--config", config, "--wait-cloud", "60s", "--cloud-every", "100ms",
              env={"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"})
    p.stdin.write(lines([planned(), shard()]))
    p.stdin.close()
    p.stdin = None
    assert select.select([p.stdout], [], [], 20)[0]
    first = [json.loads(p.stdout.readline()) for _ in range(2)][1]
    assert (first["id"], first["data"]["verdict"]) == (RUN + ".f0", "worse") and server.asked == 0
    server.may_answer.set()
    out, err = p.communicate(timeout=60)
    server.shutdown()
    second = json.loads(out)
    assert (p.returncode, second["id"], server.asked) == (0, RUN + ".f1", 4), err
    assert second["data"]["cloud"]["invocations"] == 152 and second["data"]["bookkeeping"] == "closed"


@pytest.mark.parametrize("wait, text, code", [
    ("20s", "cloudwatch/invocations > 151", 0), ("20s", "cloudwatch/errors > 0", 1), ("0s", "cloudwatch/invocations > 151", 2)])
def test_an_objective_on_a_figure_of_the_cloud(tmp_path, wait, text, code):
    server = SlowCloud([100, 152])
    server.may_answer.set()
    config = configure(tmp_path, [], account=f", endpoint: 'http://127.0.0.1:{server.server_port}'")
    r = pl("collector", "--config", config, "--wait-cloud", wait, "--cloud-every", "100ms", input=[with_objective(text), equal_code()],
           env={"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"})
    server.shutdown()
    events = r.of("run.finished")
    first, last = (e["data"]["objectives"][0] for e in (events[0], events[-1]))
    assert (first["is_met"], first["reason"]) == (None, "no figure from cloudwatch"), r
    assert last["is_met"] is {0: True, 1: False, 2: None}[code] and len(events) == (1 if wait == "0s" else 2)
    assert pl("sink", "--to", "terminal", input=events).code == code


def publish(cloud, version, **figures):
    """Figures of one version, as AWS has them; the emulator has none of its own with this dimension."""
    cloud.client("cloudwatch").put_metric_data(Namespace="AWS/Lambda", MetricData=[
        {"MetricName": name, "Value": value, "Timestamp": datetime.now(timezone.utc), "Unit": "Count",
         "Dimensions": [{"Name": "FunctionName", "Value": "hello"}, {"Name": "Resource", "Value": "hello:" + version}]}
        for name, value in figures.items()])


@pytest.mark.parametrize("old, new, bookkeeping", [
    ({"Invocations": 152}, {"Invocations": 152}, "closed"),
    ({"Invocations": 152}, {"Invocations": 100, "Throttles": 52}, "closed"),
    ({"Invocations": 152}, {"Invocations": 153}, "open"),
    ({"Invocations": 151}, {"Invocations": 152}, "open"),
    ({"Invocations": 152}, {}, "unchecked"),
])
def test_bookkeeping_by_the_clouds_count_of_each_version(cloud, tmp_path, old, new, bookkeeping):
    _, plan, result = called(cloud, 1)
    publish(cloud, "1", **old)
    if new:
        publish(cloud, "2", **new)
    config = configure(tmp_path, [], account=f", endpoint: '{cloud.server.url}'")
    env = {k: v for k, v in cloud.env().items() if k != "AWS_ENDPOINT_URL"}
    r = pl("collector", "--config", config, "--wait-cloud", "20s", "--cloud-every", "300ms", input=[plan, result], env=env)
    first, last = (by_id(r)[f"{RUN}.f{rev}"] for rev in (0, 1))
    assert (first["bookkeeping"], last["bookkeeping"]) == ("unchecked", bookkeeping), last["cloud"]
    assert first["verdict"] == last["verdict"] == "worse"
    assert pl("sink", "--to", "terminal", input=r.events).code == 1


def test_a_cloud_that_is_away_costs_nothing_but_the_figures(tmp_path):
    config = configure(tmp_path, [], account=", endpoint: 'http://127.0.0.1:9'")
    r = pl("collector", "--config", config, "--wait-cloud", "3s", "--cloud-every", "1s", input=[planned(), shard()],
           env={"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"})
    assert r.code == 0 and list(by_id(r)) == [RUN + ".f0"], r


@pytest.mark.parametrize("revision, outcome", [("as planned", "valid"), ("another", "invalid")])
def test_a_mutable_target_that_changed_meanwhile_is_invalid(cloud, tmp_path, revision, outcome):
    fn, plan, result = called(cloud, 0)
    now = fn.client.get_function_configuration(FunctionName="hello")
    plan["data"]["target"].update(qualifier="$LATEST", is_immutable=False, code_sha256=now["CodeSha256"])
    plan["data"]["change"]["revision"] = now["RevisionId"] if revision == "as planned" else "80497f44"
    config = configure(tmp_path, [], account=f", endpoint: '{cloud.server.url}'")
    r = pl("collector", "--config", config, input=[plan, result], env=cloud.env())
    data = by_id(r)[RUN + ".f0"]
    assert data["outcome"] == outcome, r
    assert data["verdict"] == ("worse" if outcome == "valid" else "cannot-tell")


def test_a_run_whose_revision_is_being_read_is_told_when_memory_runs_out(tmp_path):
    """It is complete: it must not go the way of those that will never be."""
    plan = planned()
    plan["data"]["target"].update(qualifier="$LATEST", is_immutable=False)
    fillers = [shard(run=f"r{i:020d}", rounds=1) for i in range(20)]
    for event in fillers:
        event["data"]["padding"] = "x" * 1000000
    with socket.create_server(("127.0.0.1", 0)) as silent:
        config = configure(tmp_path, [], account=f", endpoint: 'http://127.0.0.1:{silent.getsockname()[1]}'")
        r = pl("collector", "--config", config, input=[plan, shard(), *fillers],
               env={"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"})
    assert r.code == 0 and by_id(r)[RUN + ".f0"]["verdict"] == "worse", r


@pytest.mark.slow
def test_memory_stays_bounded_while_nothing_completes():
    """Shards of runs whose plan never comes must not fill the memory."""
    p = start("collector")
    with open(f"/proc/{p.pid}/status", encoding="utf-8") as f:
        assert f.readable()
    for i in range(600):
        event = shard(run=f"r{i:020d}", rounds=1)
        event["data"]["padding"] = "x" * 200000
        p.stdin.write(lines(event))
    p.stdin.flush()
    with open(f"/proc/{p.pid}/status", encoding="utf-8") as f:
        peak_kib = next(int(line.split()[1]) for line in f if line.startswith("VmHWM:"))
    p.stdin.close()
    p.stdin = None
    p.communicate(timeout=60)
    limit = 64 * 1024 if "asan" not in os.environ.get("MODE", "") else 1 << 30
    assert p.returncode == 0 and peak_kib < limit, peak_kib
