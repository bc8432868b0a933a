"""Environments from the function's logs: answers of FilterLogEvents, replayed to the program that asks."""
import base64
import concurrent.futures
import http.server
import json
import os
import struct
import threading
import time
import uuid
from datetime import datetime, timezone

import pytest
from helpers.programs import pl
from test_aws import probe
from test_collector import planned, shard

KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
GROUP = "/aws/lambda/hello"
TEXT = "REPORT RequestId: {id}\tDuration: 60.12 ms\tBilled Duration: 61 ms\tMemory Size: 128 MB\tMax Memory Used: 40 MB\t\n"


def report(call, stream, is_json=False):
    message = json.dumps({"time": "2026-11-23T01:00:00.100Z", "type": "platform.report", "record": {
        "requestId": call, "status": "success", "metrics": {"durationMs": 60.12, "billedDurationMs": 61}}})
    return {"logStreamName": stream, "timestamp": 1795395600100, "ingestionTime": 1795395603000,
            "eventId": "3848" + call, "message": message if is_json else TEXT.format(id=call)}


def page(events, token=None):
    return 200, {"events": events, "searchedLogStreams": [], **({"nextToken": token} if token else {})}


def throttled():
    return 400, {"__type": "ThrottlingException", "message": "Rate exceeded"}


class Recorded(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        self.answer(200, {"FunctionName": "hello", "FunctionArn": "arn:aws:lambda:us-east-1:1:function:hello",
                          "CodeSha256": "a", "RevisionId": "r", "LastModified": "2026-11-22T00:00:00.000+0000", "LoggingConfig": self.server.logging})

    def do_POST(self):
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers["X-Amz-Target"].startswith("Granite"):  # metrics: none
            self.answer(400, {"__type": "ValidationException", "message": "no metrics here"})
            return
        self.server.asked.append((self.headers["X-Amz-Target"], question))
        self.answer(*self.server.pages.pop(0))

    def log_message(self, *_):
        pass


@pytest.fixture
def logs(tmp_path):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Recorded)
    server.daemon_threads = True
    server.asked, server.pages, server.logging = [], [], {"LogFormat": "Text", "LogGroup": GROUP}
    server.config = tmp_path / "plimsoll.yaml"
    server.config.write_text("accounts:\n  prod: {provider: aws, region: us-east-1, environments_from_logs: true, endpoint: "
                             f"'http://127.0.0.1:{server.server_port}'}}\nfunctions:\n  prod/*: {{payload: '{{}}'}}\n")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def ask(logs):
    question = {"config": str(logs.config), "account": "prod", "function": "hello", "want": "environments",
                "from": "2026-11-23T01:00:00Z", "to": "2026-11-23T01:00:30.5Z"}
    return pl("collector", "--ask-cloud", input=[question],
              env=KEYS)


def streams(result):
    assert result.code == 0, result.errors
    answer = json.loads(result.out)
    return {call: answer["streams"][i] for call, i in answer["calls"].items()}


def test_pages_throttled_in_between_are_put_together(logs):
    logs.pages = [page([report("r1", "s/a"), report("r2", "s/b")], "t1"), throttled(), page([], "t2"),
                  page([report("r3", "s/a"), {"logStreamName": "s/a", "message": "printed by the function"}])]
    assert streams(ask(logs)) == {"r1": "s/a", "r2": "s/b", "r3": "s/a"}
    assert {target for target, _ in logs.asked} == {"Logs_20140328.FilterLogEvents"}
    assert [q.get("nextToken") for _, q in logs.asked] == [None, "t1", "t1", "t2"]
    question = logs.asked[0][1]
    assert question["logGroupName"] == GROUP and question["filterPattern"] == '"REPORT RequestId: "'
    assert (question["startTime"], question["endTime"]) == (1795395600000, 1795395630501)


def test_logs_in_json_in_a_group_of_their_own(logs):
    logs.logging = {"LogFormat": "JSON", "LogGroup": "shared"}
    logs.pages = [page([report("r1", "s/a", is_json=True), report("r2", "s/a")])]
    assert streams(ask(logs)) == {"r1": "s/a"}
    assert logs.asked[0][1]["logGroupName"] == "shared"
    assert logs.asked[0][1]["filterPattern"] == '{ $.type = "platform.report" }'


def test_a_function_that_does_not_say_where_it_logs(logs):
    logs.logging = {}
    logs.pages = [page([report("r1", "s/a")])]
    assert streams(ask(logs)) == {"r1": "s/a"}
    assert logs.asked[0][1]["logGroupName"] == GROUP


@pytest.mark.parametrize("answer, words", [
    ((400, {"__type": "AccessDeniedException", "message": "not authorized"}), "logs:FilterLogEvents"),
    ((400, {"__type": "ResourceNotFoundException", "message": "The specified log group does not exist."}), "log group"),
    ((200, b'{"events":[{"message":'), "cannot read the logs"),
    ((200, {"nextToken": "x"}), "cannot read the logs"),
    ((200, b" " * (9 << 20)), "read the logs"),
], ids=["denied", "no-group", "malformed", "no-events", "oversize"])
def test_what_cannot_be_read_is_one_line(logs, answer, words):
    logs.pages = [answer] * 8
    result = ask(logs)
    assert result.code == 111 and not result.out and words in result.errors, result.errors
    assert len(result.errors.splitlines()) == 1, result.errors


def call_id(n):
    return str(uuid.UUID(int=n << 64))


def test_all_calls_of_a_large_run_and_no_more(logs):
    """Pages as AWS makes them at most; 36 bytes an id; what is past the bounds is left, and said."""
    names = [call_id(n) for n in range(31_000)]
    pages = [[report(c, f"2026/11/23/[7]{n % 300:032x}") for n, c in enumerate(names)][i:i + 5000] for i in range(0, 31_000, 5000)]
    logs.pages = [page(p, f"t{i}") for i, p in enumerate(pages[:5])] + [page(pages[5])]
    assert set(streams(ask(logs))) == set(names[:30_000])
    logs.pages = [page(p, f"t{i}") for i, p in enumerate(pages)]
    result = ask(logs)
    assert len(streams(result)) == 30_000 and "more in its logs" in result.errors


def test_no_more_than_a_hundred_pages(logs):
    logs.pages = [page([report(f"r{i}", "s/a")], f"t{i}") for i in range(101)]
    read = probe("logs", GROUP, env={**KEYS, "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": f"http://127.0.0.1:{logs.server_port}"})
    assert len(read["answer"]["calls"]) == len(logs.asked) == 100 and read["is_cut"]


def unnamed(rounds=250, names=None):
    """A result whose calls have request ids and no environments, and what the logs say of each."""
    event, streams = shard(add_us=9000, rounds=rounds), {}
    packed = base64.b64decode(event["data"]["calls"])
    count, out = struct.unpack("<I", packed[4:8])[0], packed[:12]
    for i in range(count):
        record = bytearray(packed[12 + i * 33:12 + (i + 1) * 33])
        assert len(record) == 33 and record[32] == 0
        place, call = struct.unpack("<H", record[10:12])[0], (names[i] if names else call_id(i)).encode()
        streams[call.decode()] = "2026/11/23/[%d]%s" % (1 + (place > 4), event["data"]["instances"][place - 1])
        record[10:12], record[32] = b"\0\0", len(call)
        out += bytes(record) + call
    event["data"].update(calls=base64.b64encode(out).decode(), instances=[])
    return event, streams


def collect(logs, event, pages, *options, every="100ms"):
    logs.pages = list(pages)
    result = pl("collector", "--config", logs.config, "--wait-cloud", "2s", "--cloud-every", every, *options, input=[planned(), event],
                env=KEYS)
    assert result.code == 0, result.errors
    return result, [e["data"] for e in result.of("run.finished")]


def recompute(name):
    return pl("plimsoll", "recompute", *name)


def test_the_amendment_is_drawn_again(logs, tmp_path):
    event, streams = unnamed()
    told = collect(logs, event, [reports(streams)], "--state", tmp_path / "s")[1]
    kept = tmp_path / "s/kept"
    assert sorted(f.suffix for f in kept.iterdir()) == [".logs", ".ndjson"]
    for name in (["--state", tmp_path / "s", told[0]["run"]["id"]], [next(kept.glob("*.ndjson"))]):
        r = recompute(name)
        assert r.code == 0 and r.text.count("the same") == 2 and ", by the logs  the same" in r.text, (r.text, r.errors)
        assert [line.split()[-1] for line in r.text.splitlines()] == [t["verdict"] for t in told]
    said = next(kept.glob("*.logs"))
    answer, last = said.read_text().splitlines()
    assert json.loads(last)["data"]["basis"] == told[1]["basis"] and json.loads(last)["data"]["metrics"] == told[1]["metrics"]
    other = json.loads(answer)
    one, two = [i for i, name in enumerate(other["streams"]) if "[1]" in name][:2]
    merged = {call: one if i == two else i for call, i in other["calls"].items()}
    said.write_text(json.dumps({**other, "calls": merged}) + "\n" + last + "\n")
    r = recompute(name)
    assert r.code == 1 and "came out otherwise" in r.text and r.text.count("the same") == 1, r.text
    said.write_text("{\n" + last + "\n")
    assert recompute(name).code == 111


def test_what_the_logs_said_goes_with_its_run(logs, tmp_path):
    event, streams = unnamed()
    kept = tmp_path / "s/kept"
    kept.mkdir(parents=True, mode=0o700)
    for i in range(100):
        for kind in ("ndjson", "logs"):
            (kept / f"r{i}.{kind}").touch()
        os.utime(kept / f"r{i}.ndjson", (1000 + i, 1000 + i))
    collect(logs, event, [reports(streams)], "--state", tmp_path / "s")
    assert sorted(f.suffix for f in kept.iterdir()) == [".logs"] * 100 + [".ndjson"] * 100
    assert not (kept / "r0.logs").exists() and (kept / "r1.logs").exists()


def reports(streams):
    return page([report(c, s) for c, s in streams.items()])


def test_the_first_verdict_is_amended(logs):
    event, streams = unnamed()
    half = page([report(c, s) for i, (c, s) in enumerate(streams.items()) if i % 2])
    result, told = collect(logs, event, [half, reports(streams)])
    first, second = told
    assert (first["rev"], first["basis"]["interval"]) == (0, "blocks-widened"), first["basis"]
    assert (second["rev"], second["basis"]["interval"]) == (1, "environments"), second["basis"]
    assert second["basis"]["environments_from"] == "logs" and "environments_from" not in first["basis"]
    p50 = [next(m for m in d["metrics"] if m["name"] == "response_p50") for d in told]
    assert p50[1]["environments_old"] == 4 and (p50[0]["n_old"], p50[0]["diff"] > 0) == (p50[1]["n_old"], True)
    assert "name the environments of 1000 of 2000 calls" in result.errors
    again = collect(logs, event, [reports(streams)])[0]
    assert result.out == again.out


@pytest.mark.parametrize("pages", ["half", "a-stream-a-call", "denied"])
def test_no_amendment(logs, pages):
    event, streams = unnamed()
    answers = {"half": [page([report(c, s) for i, (c, s) in enumerate(streams.items()) if i % 2])] * 2,
               "a-stream-a-call": [page([report(c, "s/" + c) for c in streams])],
               "denied": [(400, {"__type": "AccessDeniedException", "message": "not authorized"})]}[pages]
    began = time.monotonic()
    result, told = collect(logs, event, answers, every="60s")
    assert time.monotonic() - began < 30, "--wait-cloud is over after 2 s"
    assert [d["rev"] for d in told] == [0], result.errors
    assert ("logs:FilterLogEvents" in result.errors) == (pages == "denied")


def test_an_emulator_where_each_call_has_a_stream_of_its_own(cloud, logs):
    """Its reports are read and found, all of them, and are no environments: nothing is told again."""
    fn = cloud.create("hello", sleep_ms=1)
    began = datetime.now(timezone.utc)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: fn.client.invoke(FunctionName="hello"), range(160)))
    took = datetime.now(timezone.utc) - began
    logs.config.write_text(logs.config.read_text().replace(f"http://127.0.0.1:{logs.server_port}", cloud.server.url))
    env = {k: v for k, v in cloud.env().items() if k != "AWS_ENDPOINT_URL"}
    said = streams(pl("collector", "--ask-cloud", env=env, input=[
        {"config": str(logs.config), "account": "prod", "function": "hello", "want": "environments",
         "from": began.isoformat(), "to": (began + 2 * took).isoformat()}]))
    assert len(said) == len(set(said.values())) == 160
    event = unnamed(rounds=20, names=sorted(said))[0]
    event["data"].update(started_at=began.isoformat(timespec="milliseconds").replace("+00:00", "Z"), duration_ms=int(took.total_seconds() * 1000))
    r = pl("collector", "--config", logs.config, "--wait-cloud", "1s", "--cloud-every", "100ms", input=[planned(), event], env=env)
    told = [e["data"] for e in r.of("run.finished")]
    assert r.code == 0 and not r.errors and told[-1]["cloud"]["invocations"] >= 160, r
    assert [(d["outcome"], d["basis"]["interval"] == "environments") for d in told] == [("valid", False)] * 2, [d["basis"] for d in told]
    assert not any("environments_from" in d["basis"] for d in told)
