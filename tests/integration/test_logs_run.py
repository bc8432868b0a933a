"""plimsoll run on a Lambda that answers without naming environments: what its logs say is the last word, everywhere."""
import http.server
import json
import re
import sqlite3
import threading
import time
import uuid

import pytest

from helpers.programs import pl

pytestmark = [pytest.mark.measures, pytest.mark.timeout(240)]

SLEEP_S = {"1": 0.060, "2": 0.070}  # 16 % slower: not beyond doubt while the spread between hosts is only assumed
CONFIG = """\
accounts:
  prod: {{provider: aws, region: us-east-1, endpoint: "{url}", environments_from_logs: true}}
functions:
  prod/*: {{payload: '{{}}', tests: [compare]}}
tests:
  compare:
    workload: {{executor: constant-arrival-rate, rate: 20/s, duration: 4s, spread: 4}}
    warmup: 1s
metrics: {{gate: {{response_p50: {{tolerance: 10%}}}}}}
limits: {{cost_per_run: 1 USD, cost_per_day: 10 USD, rate: 200/s, concurrency: 64}}
sinks:
  pushgateway: {{url: "{gateway}"}}
"""


class Lambda(http.server.ThreadingHTTPServer):
    """A call takes a free environment of its version, or a new one; the environment's log stream gets its report."""
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.lock, self.free, self.reports, self.streams = threading.Lock(), {"1": [], "2": []}, [], {"1": 0, "2": 0}
        self.url = f"http://127.0.0.1:{self.server_port}"

    def take(self, version):
        with self.lock:
            if self.free[version]:
                return self.free[version].pop(0)
            self.streams[version] += 1
            return f"2026/11/23/[{version}]{self.streams[version]:032x}"

    def invoke(self, version):
        stream, call = self.take(version), str(uuid.uuid4())
        time.sleep(SLEEP_S[version])
        with self.lock:
            self.free[version].append(stream)
            self.reports.append({"logStreamName": stream, "timestamp": int(time.time() * 1000), "message":
                                 f"REPORT RequestId: {call}\tDuration: 60.12 ms\tBilled Duration: 61 ms\tMemory Size: 128 MB\t\n"})
        return call


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # one write an answer

    def answer(self, status, body, **headers):
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def version(self, otherwise="$LATEST"):
        found = re.search(r"Qualifier=([^&]+)", self.path)
        return found.group(1) if found else otherwise

    def describe(self, version):
        code = "2" if version == "$LATEST" else version
        return {"FunctionName": "hello", "FunctionArn": "arn:aws:lambda:us-east-1:123456789012:function:hello:" + version, "Version": version,
                "CodeSha256": code, "RevisionId": code, "LastModified": "2026-11-22T00:00:00.000+0000", "MemorySize": 128, "Timeout": 3,
                "Runtime": "python3.12", "State": "Active", "LastUpdateStatus": "Successful"}

    def do_GET(self):
        rows = [("/versions", lambda: {"Versions": [self.describe(v) for v in ("$LATEST", "1", "2")]}),
                ("/aliases", lambda: {"Aliases": []}),
                ("/concurrency", dict),
                ("/account-settings", lambda: {"AccountLimit": {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 1000}}),
                ("/configuration", lambda: self.describe(self.version()))]
        self.answer(200, next(make for words, make in rows if words in self.path)())

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        target = self.headers.get("X-Amz-Target", "")
        if target.startswith("Logs"):
            from_ms = json.loads(body)["startTime"]
            self.answer(200, {"events": [r for r in self.server.reports if r["timestamp"] >= from_ms]})
        elif target:
            self.answer(400, {"__type": "ValidationException", "message": "no metrics here"})
        else:
            version = self.version()
            call = self.server.invoke(version)
            self.answer(200, {}, X_Amz_Executed_Version=version, x_amzn_RequestId=call)

    def log_message(self, *_):
        pass


@pytest.fixture
def aws():
    server = Lambda()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_last_word_is_what_the_logs_say(aws, pushgateway, tmp_path):
    config, archive = tmp_path / "plimsoll.yaml", tmp_path / ".local/state/plimsoll/archive.sqlite"
    config.write_text(CONFIG.format(url=aws.url, gateway=pushgateway.url))

    def door(*args):
        return pl("plimsoll", *args, "-c", config, home=tmp_path, cwd=tmp_path,
                  env={"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true"})
    r = door("run", "prod/hello", "--old", "1", "--new", "2", "--wait-cloud", "1s")
    assert r.code == 1 and "measuring once more" in r.errors, (r.text, r.errors)
    first, second = [page.split("amended, ") for page in r.text.split("\ncannot-tell ")]
    assert "it was cannot-tell" in first[1] and "it was cannot-tell" in second[1], r.text
    assert "worse (unconfirmed)" in first[0] and "A second run confirmed it." in second[1], r.text
    assert re.search(r"again [\d.]+ m?s later: \d+ of \d+ environments had answered the first run too", second[1]), r.text
    with sqlite3.connect(archive) as db:
        rows = db.execute("select rev, verdict, is_confirmed, purpose from runs order by finished_ms, rev").fetchall()
        last = db.execute("select verdict from last_revisions").fetchall()
    assert rows == [(0, "cannot-tell", 0, "manual"), (1, "worse", 0, "manual"),
                    (0, "cannot-tell", 0, "confirm"), (1, "worse", 1, "confirm")] and last == [("worse",)] * 2, rows
    assert door("gate", "prod/hello").code == 1 and "worse" in door("status").text
    told = [line for line in pushgateway.metrics().splitlines() if line.startswith("plimsoll_verdict{") and line.endswith(" 1")]
    assert len(told) == 1 and 'verdict="worse"' in told[0], told
