"""The loader against real servers: nginx, the emulator, and a few awkward ones."""
import collections
import http.server
import json
import os
import signal
import statistics
import threading
import time

import pytest

from helpers.cloud import Cloud, allow, read_witness
from helpers.programs import lines, pl, start
from helpers.servers import make_certificate, wait_for
from helpers.shards import calls, check_sums, http_target, lambda_target, outcomes, packed, shard, stamp

LOCATIONS = """
    location = /old { default_type application/json; return 200 '{"instance":"o","cold":false,"ok":true}'; }
    location = /new { default_type application/json; return 200 '{"instance":"n","cold":false,"ok":true}'; }
    location = /bad { return 503 "bad"; }
    location = /ids { default_type application/json; add_header X-Request-Id "${request_id}-abc"; return 200 '{"ok":true}'; }
    location = /busy { return 429 "busy"; }
"""


@pytest.fixture
def web(tmp_path, nginx):
    """nginx and a configuration that allows it: shards of account web."""
    class Web:
        def __init__(self, **kw):
            self.server = nginx(locations=LOCATIONS, **kw)
            self.allow([f"127.0.0.1:{self.server.port}"])

        def allow(self, hosts, more=""):
            self.config = tmp_path / "plimsoll.yaml"
            self.config.write_text(f"accounts:\n  web: {{provider: http, allow: {json.dumps(hosts)}{more}}}\n"
                                   "limits: {rate: 100000/s, concurrency: 1000}\nfunctions: {}\n")

        def shard(self, old="/old", new="/new", subject="web/hello", more=None, **workload):
            targets = [http_target("old", self.server.url + old, **(more or {}))] if old else []
            return shard(subject, targets + [http_target("new", self.server.url + new, **(more or {}))], **workload)

        def args(self, *more):
            return ("loader", "--config", self.config, "--state", tmp_path / "state", "--max-rate", "100000/s", *more)

        def run(self, *events, args=()):
            result = pl(*self.args(*args), input=list(events))
            assert result.code == 0, result
            data = [e["data"] for e in result.of("shard.finished")]
            for d in data:
                check_sums(d)
            return data if len(events) > 1 else data[0]
    return Web


def config_for(cloud, folder, **account):
    path = folder / "plimsoll.yaml"
    account = {"provider": "aws", "region": cloud.region, "endpoint": cloud.server.url, **account}
    path.write_text(json.dumps({"accounts": {"prod": account}, "functions": {"prod/*": {"payload": "{}"}}}))
    return path


def feed(p, event, is_all=True):
    p.stdin.write(lines(event))
    p.stdin.flush()
    if is_all:
        p.stdin.close()
        p.stdin = None


def wait_for_load(p):
    wait_for("load", lambda: b"shard.progress" in p.stdout.readline())


def result_of(p, timeout_s=30):
    out, err = p.communicate(timeout=timeout_s)
    data = json.loads(out.splitlines()[-1])["data"]
    check_sums(data)
    assert p.returncode == 0, err
    return data


def finished(result):
    assert result.code == 0, result
    data = result.of("shard.finished")[0]["data"]
    check_sums(data)
    return data


# ---- what is due, and what comes of it ----

def test_every_call_ends_in_one_class_and_rounds_are_whole(web):
    w = web()
    data = w.run(w.shard(rate_per_s=200, spread=4, warmup_ms=500, duration_ms=3000, block_ms=1000))
    assert data["outcome"] == "complete" and data["due"] == 600
    assert outcomes(data) == {"ok": 600}
    assert {x["variant"]: x["due"] for x in data["warmup"]} == {"old": 48, "new": 48}
    rounds = collections.defaultdict(collections.Counter)
    for c in calls(data):
        rounds[c["round"]][c["variant"]] += 1
        assert c["due_us"] == c["round"] * 40000 and c["temperature"] == "warm"
    assert sorted(rounds) == list(range(75)) and set(map(lambda r: (r["old"], r["new"]), rounds.values())) == {(4, 4)}
    assert {(b["i"], b["variant"]) for b in data["blocks"]} == {(i, v) for i in range(3) for v in ("old", "new")}
    assert data["quality"]["environments"] == {"old": 1, "new": 1} and data["quality"]["achieved_ratio"] == 1
    assert abs(data["clock_offset_ms"]) < 1000


def test_one_variant_alone_works_the_same(web):
    w = web()
    data = w.run(w.shard(old=None, rate_per_s=100, duration_ms=1000))
    assert outcomes(data) == {"ok": 100} and {b["variant"] for b in data["blocks"]} == {"new"}


@pytest.mark.parametrize("work, due", [
    ({"executor": "shared-iterations", "vus": 4, "iterations": 50}, 50),
    ({"executor": "shared-iterations", "vus": 64, "iterations": 9}, 10),
    ({"executor": "constant-vus", "vus": 4, "duration_ms": 700, "warmup_ms": 300}, None),
    ({"rate_per_s": 100, "arrival": "poisson", "duration_ms": 1000}, 104),
    ({"rate_per_s": 100, "arrival": "uniform", "duration_ms": 1000}, 104),
    ({"rate_per_s": 100, "spread": 0, "duration_ms": 1000}, 112),
])
def test_executors_and_arrivals(web, work, due):
    w = web()
    data = w.run(w.shard(**work))
    assert data["outcome"] == "complete" and set(outcomes(data)) == {"ok"}
    assert outcomes(data, "old") == outcomes(data, "new")
    assert data["due"] == due if due else data["due"] > 100


def test_a_large_run_carries_every_kth_whole_round(web):
    w = web()
    result = pl(*w.args(), input=w.shard(executor="constant-vus", vus=8, duration_ms=2500, limits={"requests": 400000}))
    data = finished(result)
    assert data["calls_every"] > 1 and len(result.out.splitlines()[-1]) <= 1 << 20
    got = calls(data)
    assert 16 <= len(got) <= 10000 and {c["round"] % data["calls_every"] for c in got} == {0}
    assert set(collections.Counter(c["round"] for c in got).values()) == {16}


def test_a_result_that_is_too_long_drops_calls_by_whole_rounds(web):
    """10,000 calls with ids of 36 characters, 4,096 environments and 400 blocks do not fit into an event."""
    w = web()
    result = pl(*w.args(), input=w.shard(old="/ids", new="/ids", more={"instance": "header:X-Request-Id"}, spread=1,
                                        rate_per_s=2000, duration_ms=5000, block_ms=10))
    data = finished(result)
    assert data["outcome"] == "complete" and data["due"] == 10000 and len(result.out.splitlines()[-1]) <= 1 << 20
    assert data["calls_every"] == 2 and len(calls(data)) == 5000 and len(calls(data)[0]["id"]) == 36


@pytest.mark.parametrize("path, more, outcome, reason", [
    ("/bad", {}, "http_error", "HTTP_503"),
    ("/busy", {}, "throttled", "HTTP_429"),
    ("/new", {"expect": {"status": 201}}, "function_error", "expect:status:200"),
    ("/bad", {"expect": {"status": [200, "3xx"]}}, "function_error", "expect:status:503"),
    ("/busy", {"expect": {"status": 200}}, "throttled", "HTTP_429"),
    ("/new", {"expect": {"body_contains": "not there"}}, "function_error", "expect:body_contains"),
    ("/new", {"expect": {"json": {"/ok": False}}}, "function_error", "expect:json:/ok"),
    ("/new", {"expect": {"headers": {"content-type": {"contains": "xml"}}}}, "function_error", "expect:header:content-type"),
    ("/new", {"expect": {"status": "2xx", "json": {"/ok": True, "/instance": "n"}, "body_bytes": {"min": 2, "max": 200},
                         "headers": {"content-type": {"equals": "application/json"}, "x-none": {"present": False}}}}, "ok", None),
    ("/new", {"expect": {"status": 200, "body_contains": "\"ok\":true"}}, "ok", None),
])
def test_answers_are_classified(web, path, more, outcome, reason):
    w = web()
    data = w.run(w.shard(old=None, new=path, more=more, duration_ms=500))
    assert set(outcomes(data)) == {outcome}
    assert list({**data["error_reasons"], **data["throttle_reasons"]}) == ([reason] if reason else [])
    assert ("response" in data["series"][0]) == (outcome == "ok")


@pytest.mark.parametrize("is_trusted, outcome", [(True, "ok"), (False, "tls")])
def test_tls_is_verified(web, tmp_path, is_trusted, outcome):
    certificate = make_certificate(tmp_path / "tls")
    w = web(tls=certificate)
    data = w.run(w.shard(more={"ca": certificate[0]} if is_trusted else {}, duration_ms=500))
    assert data["outcome"] == "complete" and outcomes(data) == {outcome: data["due"]}


# ---- trouble ----

def test_a_server_killed_in_mid_run_ends_it(web):
    w = web()
    p = start(*w.args())
    feed(p, w.shard(rate_per_s=100, duration_ms=10000, limits={"abort_error_ratio": 0.5}))
    wait_for_load(p)
    w.server.kill()
    data = result_of(p, 30)
    assert data["outcome"] == "aborted" and "failed" in data["reason"] and data["due"] == 1000
    assert set(outcomes(data)) <= {"ok", "connect", "not_sent", "aborted"} and outcomes(data)["connect"] >= 20


def test_a_full_house_is_not_sent(web):
    """Calls that find no free connection wait until their timeout and are then not sent; nothing vanishes."""
    w = web()
    p = start(*w.args())
    feed(p, w.shard(rate_per_s=100, duration_ms=2000, limits={"in_flight": 4, "timeout_ms": 400}))
    wait_for_load(p)
    w.server.signal(signal.SIGSTOP)
    time.sleep(2)
    w.server.signal(signal.SIGCONT)
    data = result_of(p, 30)
    assert data["due"] == 200 and {"ok", "timeout", "not_sent"} <= set(outcomes(data))


@pytest.mark.measures
@pytest.mark.parametrize("how", ["term", "pause"])
def test_a_cancelled_run_still_adds_up(web, tmp_path, how):
    w = web()
    p = start(*w.args("--pause-file", tmp_path / "pause"))
    feed(p, w.shard(rate_per_s=100, duration_ms=20000), is_all=False)
    wait_for_load(p)
    if how == "term":
        p.send_signal(signal.SIGTERM)
    else:
        (tmp_path / "pause").write_text("")
    began = time.monotonic()
    line = next(x for x in iter(p.stdout.readline, b"") if b"shard.finished" in x)
    assert time.monotonic() - began < 3
    p.stdin.close()
    assert p.wait(60) == 0
    data = json.loads(line)["data"]
    check_sums(data)
    assert data["outcome"] == "cancelled" and data["due"] == 2000 and outcomes(data)["not_sent"] > 1000


def test_a_paused_loader_waits(web, tmp_path):
    w = web()
    pause = tmp_path / "pause"
    pause.write_text("")
    p = start(*w.args("--pause-file", pause))
    feed(p, w.shard(duration_ms=300))
    time.sleep(1)  # nothing to wait for: the point is that nothing happens
    assert p.poll() is None
    pause.unlink()
    out, _ = p.communicate(timeout=20)
    assert json.loads(out.splitlines()[-1])["data"]["outcome"] == "complete"


def test_a_reader_that_left_ends_it_with_111(web):
    w = web()
    p = start(*w.args())
    feed(p, w.shard(duration_ms=20000), is_all=False)
    wait_for_load(p)
    p.stdout.close()
    assert p.wait(60) == 111, p.stderr.read()
    assert b"BUG" not in p.stderr.read()


def test_killed_loaders_leave_whole_lines(web):
    w = web()
    p = start(*w.args())
    feed(p, w.shard(duration_ms=20000), is_all=False)
    wait_for_load(p)
    p.kill()
    out, _ = p.communicate()
    assert out == b"" or out.endswith(b"\n")
    assert b"shard.finished" not in out


# ---- side by side, one after the other ----

@pytest.mark.measures
def test_runs_go_side_by_side_but_a_function_has_one_at_a_time(web):
    w = web()
    began = time.monotonic()
    data = w.run(w.shard(subject="web/a", duration_ms=1500), w.shard(subject="web/b", duration_ms=1500),
                 w.shard(subject="web/a", duration_ms=1500))
    assert [d["outcome"] for d in data] == ["complete"] * 3
    took = time.monotonic() - began
    assert 2.9 < took < 4.4, took


@pytest.mark.measures
def test_two_loaders_never_test_a_function_at_once(web, tmp_path):
    w = web()
    running = [start(*w.args()) for _ in range(2)]
    for p in running:
        feed(p, w.shard(duration_ms=1500))
    spans = []
    for p in running:
        out, _ = p.communicate(timeout=30)
        d = json.loads(out.splitlines()[-1])["data"]
        assert d["outcome"] == "complete"
        spans.append((d["started_at"], d["duration_ms"]))
    spans.sort()

    def ms(text):
        h, m, s = text[11:-1].split(":")
        return (int(h) * 60 + int(m)) * 60000 + float(s) * 1000
    assert ms(spans[1][0]) >= ms(spans[0][0]) + spans[0][1] - 50


# ---- what it refuses ----

@pytest.mark.parametrize("hosts, url, words", [
    (["example.com"], None, "not on the allow list"),
    (["127.0.0.1:1"], None, "not on the allow list"),
    (["plimsoll-test.localhost"], "http://plimsoll-test.localhost:{port}/new", "cannot call"),
])
def test_http_targets_outside_the_list_are_never_called(web, hosts, url, words):
    w = web()
    w.allow(hosts)
    event = w.shard(old=None, duration_ms=300)
    if url:
        event["data"]["targets"][0]["url"] = url.format(port=w.server.port)
    data = w.run(event)
    assert data["outcome"] == "error" and words in data["reason"]
    assert set(outcomes(data)) <= {"dns"}  # where nobody knows a name under localhost


def test_http_targets_without_a_configuration_are_refused(web):
    w = web()
    data = finished(pl("loader", input=w.shard(duration_ms=300)))
    assert data["outcome"] == "error" and "allow list" in data["reason"]


@pytest.mark.parametrize("change, words", [
    ({"executor": "ramping-vus"}, "stages"),
    ({"rate_per_s": 2e5}, "limit"),
    ({"duration_ms": 86400000, "rate_per_s": 1000}, "calls"),
    ({"limits": {"in_flight": 5000}}, "in flight"),
    ({"deadline_s": -5}, "deadline"),
    ({"deadline_s": 1, "duration_ms": 5000}, "deadline"),
    ({"more": {"headers": {"X-Key": "no such credential!"}}}, "credential"),
    ({"more": {"headers": {"X-Key": "credential:absent"}}}, "X-Key"),
])
def test_what_cannot_be_run_says_why(web, change, words):
    w = web()
    data = w.run(w.shard(**change))
    assert data["outcome"] == "error" and words in data["reason"], data["reason"]


def test_headers_carry_credentials_by_name(web, tmp_path):
    seen = []

    class Target(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            seen.append((self.headers, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Target)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (tmp_path / "creds").mkdir()
    (tmp_path / "creds" / "api").write_text("canary-7\n")
    w = web()
    w.allow([f"127.0.0.1:{server.server_port}"])
    event = shard("web/hello", [http_target("new", f"http://127.0.0.1:{server.server_port}/x", headers={"X-Key": "credential:api"})],
                  payload=b'{"a":1}', duration_ms=100, rate_per_s=40)
    result = pl(*w.args(), input=event, env={"CREDENTIALS_DIRECTORY": tmp_path / "creds"})
    server.shutdown()
    data = finished(result)
    assert outcomes(data) == {"ok": data["due"]} and len(seen) == data["due"]
    head, body = seen[0]
    assert head["X-Key"] == "canary-7" and head["Plimsoll-Run"] == event["data"]["run"] and body == b'{"a":1}'
    assert b"canary" not in result.out + result.err


@pytest.mark.measures
@pytest.mark.parametrize("off_s, outcome", [(0, "complete"), (-10, "complete"), (600, "error")])
def test_a_clock_that_is_off_is_noticed(web, off_s, outcome):
    class Target(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.send_response_only(200)
            self.send_header("Date", self.date_time_string(time.time() + off_s))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Target)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    w = web()
    w.allow([f"127.0.0.1:{server.server_port}"])
    data = finished(pl(*w.args(), input=shard("web/hello", [http_target("new", f"http://127.0.0.1:{server.server_port}/")],
                                              rate_per_s=20, duration_ms=1500)))
    server.shutdown()
    assert data["outcome"] == outcome
    doubts = " ".join(data["quality"]["suspect"])
    assert ("clock-off" in doubts) == (off_s != 0) and abs(data["clock_offset_ms"] + off_s * 1000) < 1000


# ---- Lambda ----

def invoke_shard(cloud, fn, old, new, limits=None, **kw):
    """A round of four calls a version each second; cold starts may take long on a busy machine."""
    return shard("prod/" + fn.name, [lambda_target("old", cloud.server.url, fn.name, old), lambda_target("new", cloud.server.url, fn.name, new)],
                 payload=b"{}", limits={"timeout_ms": 20000, **(limits or {})},
                 **{"rate_per_s": 8, "warmup_ms": 3000, "duration_ms": 8000, **kw})


def run_lambda(cloud, folder, event, timeout_s=90, env=None, **account):
    return pl("loader", "--config", config_for(cloud, folder, **account), input=event, env={**cloud.env(), **(env or {})}, timeout_s=timeout_s)


@pytest.mark.measures
def test_the_witness_saw_what_the_result_says(cloud, tmp_path):
    fn = cloud.create("hello", sleep_ms=60, witness=tmp_path / "w")
    old, new = fn.publish(), fn.update(sleep_ms=60, extra={"x": b"1"}).publish()
    data = finished(run_lambda(cloud, tmp_path, invoke_shard(cloud, fn, old, new, rate_per_s=4, warmup_ms=6000, duration_ms=16000)))
    assert data["outcome"] == "complete" and data["due"] == 64 and outcomes(data) == {"ok": 64}
    seen = read_witness(tmp_path / "w")
    counts = collections.Counter(x["version"] for x in seen)
    assert counts == {old: 32 + 12, new: 32 + 12}
    in_order = sorted(seen, key=lambda x: x["mono_s"])
    for i in range(24, len(in_order), 8):  # cold calls of the warm-up start when their process is there
        assert collections.Counter(x["version"] for x in in_order[i:i + 8]) == {old: 4, new: 4}, f"round {i // 8}"
    assert min(data["quality"]["environments"].values()) >= 4 and data["sessions"] == 1
    got = calls(data)
    assert all(len(c["id"]) == 16 and c["instance"] for c in got) and {c["temperature"] for c in got} <= {"warm", "cold"}
    assert statistics.median(c["response_us"] for c in got) > 60_000
    cold = collections.Counter((c["variant"], c["temperature"]) for c in packed(data) if c["due_us"] < 0)
    assert set(cold) == {("old", "cold"), ("new", "cold")} and min(cold.values()) >= 4, cold


@pytest.mark.measures
def test_throttles_are_counted_with_their_reason_and_not_retried(cloud, tmp_path):
    """The emulator holds the limit against $LATEST only, but counts the calls of all versions for it."""
    fn = cloud.create("tight", sleep_ms=60, witness=tmp_path / "w")
    old = fn.publish()
    fn.concurrency(1)
    data = finished(run_lambda(cloud, tmp_path, invoke_shard(cloud, fn, old, "$LATEST", warmup_ms=0,
                                                             limits={"abort_error_ratio": 0.1})))
    got = outcomes(data, "new")
    assert data["outcome"] == "complete" and set(got) <= {"ok", "throttled"} and got["throttled"] > 20
    assert data["throttle_reasons"] == {"ReservedFunctionConcurrentInvocationLimitExceeded": got["throttled"]}
    assert data["error_reasons"] == {} and outcomes(data, "old") == {"ok": 32}
    assert len(read_witness(tmp_path / "w")) == outcomes(data)["ok"]


@pytest.mark.measures
def test_the_accounts_own_limit_ends_a_run(own_ministack, tmp_path):
    """Throttles of the account hit its other functions too, so they count as errors."""
    cloud = Cloud(own_ministack(concurrency=1))
    fn = cloud.create("greedy", sleep_ms=60)
    old, new = fn.publish(), fn.publish_copy()
    data = finished(run_lambda(cloud, tmp_path, invoke_shard(cloud, fn, old, new, duration_ms=20000, limits={"abort_error_ratio": 0.3})))
    assert data["outcome"] == "aborted" and "throttled ConcurrentInvocationLimitExceeded" in data["reason"]


@pytest.mark.measures
def test_calls_that_raise_are_function_errors(cloud, tmp_path):
    fn = cloud.create("raises", sleep_ms=60, witness=tmp_path / "w")
    old, new = fn.publish(), fn.update(sleep_ms=60, fail_every=3).publish()
    data = finished(run_lambda(cloud, tmp_path, invoke_shard(cloud, fn, old, new)))
    failed = sum(x["outcome"] == "raises" for x in read_witness(tmp_path / "w"))
    warm = next(x for x in data["warmup"] if x["variant"] == "new")["outcomes"].get("function_error", 0)
    got = outcomes(data, "new")
    assert got["function_error"] + warm == failed > 0 and data["error_reasons"] == {"Unhandled": got["function_error"]}
    assert set(outcomes(data, "old")) == {"ok"} and not any("churn" in s for s in data["quality"]["suspect"])


@pytest.mark.measures
def test_a_function_deleted_in_mid_run_ends_it(cloud, tmp_path):
    fn = cloud.create("gone", sleep_ms=60)
    old, new = fn.publish(), fn.publish_copy()
    p = start("loader", "--config", config_for(cloud, tmp_path), env=cloud.env())
    feed(p, invoke_shard(cloud, fn, old, new, warmup_ms=0, duration_ms=20000, limits={"abort_error_ratio": 0.5}))
    for _ in range(3):
        assert b"shard.progress" in p.stdout.readline()
    fn.delete()
    data = result_of(p, 40)
    got = outcomes(data)
    assert data["outcome"] == "aborted" and got.get("http_error", 0) + got.get("function_error", 0) >= 10, data["error_reasons"]
    assert got["not_sent"] > 50


@pytest.mark.measures
def test_keys_are_renewed_within_a_run(cloud_auth, tmp_path):
    fn = cloud_auth.create("short", sleep_ms=60)
    old, new = fn.publish(), fn.publish_copy()
    user = cloud_auth.user("op", allow("sts:AssumeRole"))
    role = cloud_auth.role("tester", allow("lambda:InvokeFunction"), trusted=cloud_auth.user_arn("op"), external_id="x-7")
    result = run_lambda(user, tmp_path, invoke_shard(cloud_auth, fn, old, new, duration_ms=20000), role=role, external_id="x-7",
                        env={"PLIMSOLL_SESSION_DURATION": "12s"})
    data = finished(result)
    assert data["outcome"] == "complete" and set(outcomes(data)) == {"ok"} and data["sessions"] >= 2, result


def test_a_role_that_may_not_be_assumed_says_so(cloud_auth, tmp_path):
    fn = cloud_auth.create("closed", sleep_ms=60)
    v = fn.publish()
    user = cloud_auth.user("nobody", allow("lambda:ListFunctions"))
    role = cloud_auth.role("other", allow("lambda:InvokeFunction"), trusted=cloud_auth.user_arn("nobody"), external_id="x-7")
    data = finished(run_lambda(user, tmp_path, invoke_shard(cloud_auth, fn, v, v), role=role, external_id="wrong"))
    assert data["outcome"] == "error" and data["due"] == 0 and "sts:AssumeRole" in data["reason"], data


def test_a_broken_helper_is_an_error_of_the_run(cloud, tmp_path):
    helper = tmp_path / "helper"
    helper.write_text("#!/bin/sh\necho no keys today >&2\nexit 100\n")
    helper.chmod(0o755)
    fn = cloud.function("x")
    result = pl("loader", "--config", config_for(cloud, tmp_path), "--credential-program", helper, input=invoke_shard(cloud, fn, "1", "2"))
    assert finished(result)["reason"] == "no keys today"


@pytest.mark.parametrize("endpoint, words", [("http://127.0.0.1:9", "endpoint"), ("https://example.com", "endpoint")])
def test_signed_calls_go_to_the_accounts_endpoint_only(cloud, tmp_path, endpoint, words):
    fn = cloud.function("x")
    event = shard("prod/x", [lambda_target("new", endpoint, fn.name, "1")], duration_ms=300)
    data = finished(run_lambda(cloud, tmp_path, event))
    assert data["outcome"] == "error" and words in data["reason"]


def planned_for(event, **data):
    run = event["data"]["run"]
    return {**event, "type": "plimsoll.run.planned.v1", "id": run,
            "data": {"run": {"id": run, "purpose": "change"}, "decision": "test", "reason": "x", "shards": 1, **data}}


def test_an_earlier_deadline_cuts_a_run_short(web):
    w = web()
    event = w.shard(duration_ms=20000)
    p = start(*w.args())
    feed(p, event, is_all=False)
    wait_for_load(p)
    feed(p, planned_for(event, deadline=stamp(0.5)))
    data = result_of(p, 10)
    assert data["outcome"] == "aborted" and "deadline" in data["reason"] and outcomes(data)["not_sent"] > 1000


def test_run_planned_passes_through_and_can_withdraw(web):
    w = web()
    event = w.shard(duration_ms=20000)
    planned = planned_for(event, decision="refuse")
    p = start(*w.args())
    feed(p, event, is_all=False)
    wait_for_load(p)
    feed(p, planned)
    out, _ = p.communicate(timeout=10)
    kinds = [json.loads(x)["type"].split(".")[1:3] for x in out.splitlines() if b"progress" not in x]
    assert kinds == [["run", "planned"], ["shard", "finished"]]
    assert json.loads(out.splitlines()[-1])["data"]["outcome"] == "cancelled"
