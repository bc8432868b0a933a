"""Calls that differ, and checks on what comes back, against a server that writes down what it got."""
import collections
import datetime
import hashlib
import http.server
import json
import threading
import urllib.parse
import uuid

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from helpers.programs import pl
from helpers.shards import calls, check_sums, http_target, lambda_target, outcomes, shard

USERS = [("1", "Ada"), ("2", 'Grace "Amazing" Hopper'), ("3", "Zoë, née\nX"), ("4", ""), ("5", "a&b=c/d")]


class Echo(http.server.ThreadingHTTPServer):
    """Answers what each call asks for; keeps (method, target, headers, body)."""
    daemon_threads = True
    request_queue_size = 256

    def __init__(self):
        server = self
        self.seen, self.answer = [], lambda n, path, body: (200, {}, b"{}")

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def serve(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                server.seen.append((self.command, self.path, dict(self.headers), body))
                status, headers, out = server.answer(len(server.seen), self.path, body)
                head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(out)}\r\n"
                self.wfile.write((head + "".join(f"{k}: {v}\r\n" for k, v in headers.items()) + "\r\n").encode() + out)
            do_GET = do_POST = serve

            def log_message(self, *args):
                pass
        super().__init__(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server_port}"
        self.url = "http://" + self.host
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def bodies(self, variant):
        return [json.loads(b) for _, path, _, b in self.seen if path.startswith("/" + variant)]


@pytest.fixture
def echo():
    with Echo() as server:
        yield server
        server.shutdown()


@pytest.fixture
def load(echo, tmp_path):
    """load(event, ...) -> data of each shard.finished; files beneath tmp_path/files."""
    (tmp_path / "files").mkdir()
    config = tmp_path / "plimsoll.yaml"
    config.write_text(json.dumps({"files": str(tmp_path / "files"), "functions": {}, "limits": {"rate": "100000/s"}, "accounts": {
        "web": {"provider": "http", "allow": [echo.host]},
        "prod": {"provider": "aws", "region": "us-east-1", "endpoint": echo.url}}}))

    def run(*events):
        echo.seen.clear()
        keys = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "token"}
        result = pl("loader", "--config", config, "--max-rate", "100000/s", input=list(events), env=keys)
        assert result.code == 0, result
        data = [e["data"] for e in result.of("shard.finished")]
        for d in data:
            check_sums(d)
        return data
    return run


@pytest.fixture
def rows(tmp_path, load):
    """rows("users.csv", order="random") -> what stands in the plan."""
    def make(name, **more):
        path = tmp_path / "files" / name
        quoted = [(i, '"' + n.replace('"', '""') + '"') for i, n in USERS]
        path.write_bytes("".join(f"{i},{n}\r\n" for i, n in [("id", "name"), *quoted]).encode() if name.endswith(".csv") else
                         "".join(json.dumps({"id": int(i), "name": n, "tags": [i, None]}) + "\n" for i, n in USERS).encode())
        return {"file": name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "format": name.rsplit(".")[-1], **more}
    return make


def differing(echo, body, rows=None, path="", payloads=None, targets=None, **work):
    urls = [(v, f"{echo.url}/{v}{path}") for v in ("old", "new")]
    event = shard("web/x", targets or [http_target(v, u, template="{{" in u) for v, u in urls], payload=body,
                  **{"rate_per_s": 200, "duration_ms": 1000, **work})
    for p in event["data"]["payloads"]:
        p.update({"template": "json"}, **({"rows": rows} if rows else {}))
    event["data"]["payloads"] += payloads or []
    return event


def in_order(bodies):
    return sorted(bodies, key=lambda b: b["seq"])


BODY = b'{"seq": {{seq}}, "id": "{{uuid}}", "n": {{random -5 5}}, "user": "{{row.id}}", "name": "{{row.name}}", "v": "{{variant}}"}'


@pytest.mark.measures
@pytest.mark.parametrize("name", ["users.csv", "users.ndjson"])
def test_both_variants_get_the_same_values_and_each_call_its_own(load, echo, rows, name):
    event = differing(echo, BODY, rows(name), warmup_ms=200)
    [data] = load(event)
    assert data["outcome"] == "complete" and data["prepared_late"] <= 20, data
    old, new = in_order(echo.bodies("old")), in_order(echo.bodies("new"))
    assert {b.pop("v") for b in old} == {"old"} and {b.pop("v") for b in new} == {"new"}
    assert old == new and len(old) == data["due"] // 2 + 20
    assert [b["seq"] for b in old] == list(range(len(old)))
    assert len({uuid.UUID(b["id"]) for b in old}) == len(old) and {uuid.UUID(b["id"]).version for b in old} == {4}
    assert {b["n"] for b in old} == set(range(-5, 6))
    assert [(b["user"], b["name"]) for b in old] == [USERS[i % 5] for i in range(len(old))]
    load(event)
    assert in_order(echo.bodies("old")) == [{**b, "v": "old"} for b in old]


def test_rows_in_random_order_and_values_as_json(load, echo, rows):
    body = b'{"seq": {{seq}}, "row": {"id": {{row.id}}, "name": {{json row.name}}, "tags": {{row.tags}}, "last": {{row./tags/1}}}}'
    load(differing(echo, body, rows("users.ndjson", order="random")))
    got = in_order(echo.bodies("new"))
    assert {(r["row"]["id"], r["row"]["name"]) for r in got} == {(int(i), n) for i, n in USERS}
    assert all(r["row"]["tags"] == [str(r["row"]["id"]), None] and r["row"]["last"] is None for r in got)
    assert [r["row"]["id"] for r in got[:10]] != [1, 2, 3, 4, 5] * 2
    assert max(collections.Counter(r["row"]["id"] for r in got).values()) < len(got) / 2


def test_paths_and_queries_of_a_get(load, echo, rows):
    event = differing(echo, b"", rows("users.csv"), path="/{{row.id}}/x?name={{row.name}}&n={{seq}}")
    del event["data"]["payloads"][0]["template"]
    [data] = load(event)
    assert set(outcomes(data)) == {"ok"}
    for variant in ("old", "new"):
        paths = [p for m, p, _, b in echo.seen if p.startswith("/" + variant) and m == "GET" and not b]
        assert len(paths) == data["due"] // 2
        for p in paths:
            parts = urllib.parse.urlsplit(p)
            query = dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True))
            i, n = USERS[int(query["n"]) % 5]
            assert parts.path == f"/{variant}/{i}/x" and query["name"] == n


def test_weights_beside_payloads_that_are_all_equal(load, echo):
    event = differing(echo, b'{"kind": "a", "seq": {{seq}}}', payloads=[{"weight": 3, "base64": "eyJraW5kIjogImIifQ=="}],
                      rate_per_s=400, duration_ms=2000)
    [data] = load(event)
    kinds = {v: collections.Counter(b["kind"] for b in echo.bodies(v)) for v in ("old", "new")}
    assert kinds["old"] == kinds["new"] and sum(kinds["old"].values()) == data["due"] // 2
    assert 0.18 < kinds["old"]["a"] / (data["due"] // 2) < 0.32
    assert len({b["seq"] for b in echo.bodies("old") if b["kind"] == "a"}) == kinds["old"]["a"]


def test_shards_share_no_number_and_users_get_theirs_at_once(load, echo):
    numbers = []
    for index in range(3):
        event = differing(echo, b'{"seq": {{seq}}}', executor="constant-vus", vus=4, duration_ms=300)
        event["data"]["shard"] = {"index": index, "of": 3}
        [data] = load(event)
        assert set(outcomes(data)) == {"ok"} and "prepared_late" not in data
        numbers += [b["seq"] for b in echo.bodies("old")]
    assert len(set(numbers)) == len(numbers) and {n % 3 for n in numbers} == {0, 1, 2}


@pytest.mark.measures
def test_every_call_has_a_signature_of_its_own(load, echo, monkeypatch):
    event = shard("prod/f", [lambda_target(v, echo.url, "f", q) for v, q in (("old", "1"), ("new", "2"))],
                  payload=b'{"seq": {{seq}}, "id": "{{uuid}}"}', rate_per_s=200, duration_ms=1500)
    event["data"]["payloads"][0]["template"] = "json"
    [data] = load(event)
    assert data["outcome"] == "complete" and set(outcomes(data)) == {"ok"} and data["prepared_late"] <= 30, data
    auth = botocore.auth.SigV4Auth(Credentials("AKIDEXAMPLE", "secret", "token"), "lambda", "us-east-1")
    for method, path, headers, body in echo.seen:
        when = datetime.datetime.strptime(headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ")
        monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda when=when: when)
        signed = headers["Authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
        ours = {k: v for k, v in headers.items() if k.lower() in signed and k.lower() not in ("x-amz-date", "x-amz-security-token")}
        request = AWSRequest(method, echo.url + path, ours, body)
        auth.add_auth(request)
        assert request.headers["Authorization"].split("Signature=")[1] == headers["Authorization"].split("Signature=")[1]
    dates = {h["X-Amz-Date"] for _, _, h, _ in echo.seen}
    assert len(dates) >= 2 and len({h["Authorization"] for _, _, h, _ in echo.seen}) == len(echo.seen) == data["due"]


def test_other_rows_than_planned_are_refused(load, echo, rows, tmp_path):
    plan = rows("users.csv")
    (tmp_path / "files" / "users.csv").write_text("id,name\n9,Eve\n")
    (tmp_path / "secret.csv").write_text("id\n1\n")
    outside = {**plan, "file": "../secret.csv"}
    missing = {**rows("users.ndjson"), "format": "csv"}
    got = [load(differing(echo, b'{"a": "{{row.nme}}"}', r))[0] for r in (plan, outside, missing)]
    assert [d["outcome"] for d in got] == ["error"] * 3 and not echo.seen
    for d, words in zip(got, ("other bytes than the plan", "cross-device", "no column")):
        assert words in d["reason"].lower(), d["reason"]


def test_failing_checks_are_counted_by_their_name(load, echo):
    """Every kind of answer comes equally often: the counts are known exactly."""
    good = (200, {"ETag": '"1"', "Content-Type": "application/json"}, b'{"ok": true, "n": 1}')
    kinds = {
        "ok": good,
        "expect:status:503": (503, *good[1:]),
        "expect:header:etag": (200, {"Content-Type": "application/json"}, good[2]),
        "expect:header:content-type": (200, {"ETag": '"1"', "Content-Type": "text/html"}, good[2]),
        "expect:body_contains": (200, good[1], b'{"OK": true, "n": 1}'),
        "expect:json:/ok": (200, good[1], b'{"ok":  null, "n": 1}'),
        "expect:json:/n": (200, good[1], b'{"ok": true, "n":"1"}'),
        "expect:body_bytes": (200, good[1], b'{"ok": true, "n": 1}' + b" " * 100),
        "HTTP_429": (429, *good[1:]),
    }
    names = list(kinds)
    echo.answer = lambda n, path, body: kinds[names[int(path.rsplit("=")[-1]) % len(names)]]
    expect = {"status": [200, "3xx"], "headers": {"etag": {"present": True}, "content-type": {"contains": "json"}},
              "body_contains": '"ok":', "json": {"/ok": True, "/n": 1.0}, "body_bytes": {"min": 1, "max": 50}}
    url = echo.url + "/x?n={{seq}}"
    event = differing(echo, b"", targets=[http_target(v, url, template=True, expect=expect) for v in ("old", "new")],
                      rate_per_s=180, duration_ms=2000, spread=0)
    del event["data"]["payloads"][0]["template"]
    [data] = load(event)
    pairs = data["due"] // 2
    share = {name: 2 * len(range(i, pairs, len(names))) for i, name in enumerate(names)}
    assert data["error_reasons"] == {k: v for k, v in share.items() if k.startswith("expect")}
    assert data["throttle_reasons"] == {"HTTP_429": share["HTTP_429"]}
    assert outcomes(data) == {"ok": share["ok"], "throttled": share["HTTP_429"], "function_error": sum(data["error_reasons"].values())}
    assert all(c["outcome"] != "http_error" for c in calls(data))


def test_from_settings_to_the_server(echo, tmp_path):
    """plimsoll-planner puts into the plan what the settings say, and the loader does it."""
    (tmp_path / "users.csv").write_text("id\n7\n8\n")
    config = tmp_path / "plimsoll.yaml"
    config.write_text(f"""
accounts: {{web: {{provider: http, allow: ["{echo.host}"]}}}}
functions:
  web/items:
    url: {echo.url}/items/{{{{row.id}}}}?r={{{{random 1 9}}}}
    rows: users.csv
    expect: {{status: 2xx, json: {{/ok: true}}}}
tests: {{compare: {{workload: {{executor: shared-iterations, vus: 2, iterations: 40}}, warmup: 0s}}}}
""")
    echo.answer = lambda n, path, body: (200, {}, b'{"ok": true}' if "/7?" in path else b'{"ok": 1}')
    shards = pl("watcher", "--once", "--config", config, "web/items")
    planned = pl("planner", "--config", config, input=shards.events)
    assert planned.of("shard.planned"), (shards, planned)
    data = pl("loader", "--config", config, input=planned.of("shard.planned")).of("shard.finished")[0]["data"]
    assert data["outcome"] == "complete", (shards, planned, data)
    assert outcomes(data) == {"ok": data["due"] // 2, "function_error": data["due"] // 2}
    assert data["error_reasons"] == {"expect:json:/ok": data["due"] // 2}
    assert {p.split("?")[0] for _, p, _, _ in echo.seen} == {"/items/7", "/items/8"}
