"""What common/aws does when the service is slow, busy, broken or talks nonsense: a server that answers by script."""
import http.server
import json
import os
import subprocess
import threading
import time

import pytest
from helpers.programs import build_dir, clean_env

LISTED = (200, {"Functions": []})


def function(name):
    return {"FunctionName": name, "FunctionArn": "arn:" + name}


class Scripted(http.server.BaseHTTPRequestHandler):
    """Answers with script items (status, body[, headers]) in turn; the last one again and again."""
    protocol_version = "HTTP/1.1"

    def answer(self):
        server = self.server
        length = int(self.headers.get("Content-Length") or 0)
        server.asked.append((time.monotonic(), self.command, self.path, self.rfile.read(length)))
        status, body, *more = server.script.pop(0) if len(server.script) > 1 else server.script[0]
        if status == 0:  # never answers
            server.hang.wait(30)
            self.close_connection = True
            return
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        for name, value in (more[0] if more else {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_DELETE = answer

    def log_message(self, *_):
        pass


@pytest.fixture
def service():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Scripted)
    server.daemon_threads = True
    server.asked, server.script, server.hang = [], [LISTED], threading.Event()
    server.env = {"AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": "s", "AWS_REGION": "us-east-1",
                  "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}"}
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.hang.set()
    server.shutdown()
    thread.join()
    server.server_close()


def start(service, *args, **env):
    return subprocess.Popen([os.path.join(build_dir(), "tests", "aws_probe"), *args],
                            env=clean_env(dict(service.env, **env)), stdout=subprocess.PIPE)


def probe(service, *args, **env):
    out, _ = start(service, *args, **env).communicate(timeout=90)
    return json.loads(out)


def gaps(service):
    times = [t for t, *_ in service.asked]
    return [b - a for a, b in zip(times, times[1:])]


def test_throttled_calls_are_tried_again_with_growing_gaps(service):
    service.script = [(429, {"__type": "TooManyRequestsException"})] * 4 + [LISTED]
    assert probe(service, "list")["items"] == []
    assert len(service.asked) == 5
    for i, gap in enumerate(gaps(service)):  # 200 ms doubled; the upper half is drawn
        assert 0.1 * 2 ** i <= gap < 0.2 * 2 ** i + 0.4, gaps(service)


def test_retry_after_is_honoured(service):
    service.script = [(429, {}, {"Retry-After": "1"}), LISTED]
    assert probe(service, "list")["items"] == []
    assert gaps(service)[0] >= 1.0


def test_throttled_for_ever_ends_and_says_so(service):
    service.script = [(400, {"__type": "ThrottlingException", "message": "Rate exceeded"})]
    got = probe(service, "list")
    assert got["fault"] == "throttled" and "Rate exceeded" in got["text"]
    assert len(service.asked) == 7


@pytest.mark.parametrize("status, fault, calls", [(500, "server-error", 4), (403, "access-denied", 1),
                                                 (404, "not-found", 1), (400, "bad-request", 1)])
def test_how_often_each_refusal_is_tried(service, status, fault, calls):
    service.script = [(status, {})]
    assert probe(service, "list")["fault"] == fault
    assert len(service.asked) == calls


@pytest.mark.parametrize("body", [b"not json", b"[]", b"{}", b'{"Functions": 1}', b'{"Functions": [{}]}',
                                  b'{"Functions": [{"FunctionName": ""}]}', b"[" * 10000, b'{"Functions": [], "x": "\xff"}'])
def test_nonsense_is_a_bad_answer(service, body):
    service.script = [(200, body)]
    got = probe(service, "list")
    assert got["fault"] == "bad-answer" and got["items"] == [], got


def test_a_page_that_fails_leaves_no_half_inventory(service):
    service.script = [(200, {"Functions": [function("a")], "NextMarker": "a b/:"}), (403, {})]
    got = probe(service, "list")
    assert got["fault"] == "access-denied" and got["items"] == []
    assert service.asked[1][2] == "/2015-03-31/functions?Marker=a%20b%2F%3A&MaxItems=50"


def test_expired_session_is_renewed_once(service, tmp_path):
    session = ("<r><Credentials><AccessKeyId>ASIA{0}</AccessKeyId><SecretAccessKey>s</SecretAccessKey>"
               "<SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></r>")
    expired = (403, {"__type": "ExpiredTokenException"})
    service.script = [(200, session.format(1).encode()), expired, (200, session.format(2).encode()), LISTED]
    assert probe(service, "list", PROBE_ROLE="arn:aws:iam::1:role/r")["items"] == []
    assert [a[1] for a in service.asked] == ["POST", "GET", "POST", "GET"]
    service.asked.clear()
    service.script = [(200, session.format(1).encode()), expired, (200, session.format(2).encode()), expired]
    got = probe(service, "list", PROBE_ROLE="arn:aws:iam::1:role/r")
    assert got["fault"] == "expired" and len(service.asked) == 4


def test_odd_sts_answer(service):
    service.script = [(200, b"<html>hello</html>")]
    got = probe(service, "list", PROBE_ROLE="arn:aws:iam::1:role/r")
    assert got["fault"] == "bad-answer" and "STS" in got["text"]


def points(token=None, status="Complete", **more):
    result = {"Id": "q0", "Timestamps": [1795353900, 1795353840], "Values": [2.0, 1.0], "StatusCode": status, **more}
    return (200, {"MetricDataResults": [result], **({"NextToken": token} if token else {})})


def test_metric_pages_and_statuses(service):
    service.script = [points("next", "PartialData"), points(), (200, {"MetricDataResults": []})]
    got = probe(service, "metrics", "f", "5")
    assert got["invocations"] == 6 and got["points"] == 4 and got["status"] == 0
    assert got["last_status"] == 2  # nobody answered that one: not complete
    assert len(service.asked) == 3
    first, second, third = (json.loads(a[3]) for a in service.asked)
    assert len(first["MetricDataQueries"]) == 500 and "NextToken" not in first
    assert second["NextToken"] == "next" and len(third["MetricDataQueries"]) == 1
    assert first["StartTime"] % 60 == 0 and first["EndTime"] % 60 == 0

    service.script = [points(status="Forbidden", Messages=[{"Code": "x", "Value": "not yours"}])]
    got = probe(service, "metrics", "f", "5")
    assert got["status"] == 3 and got["message"] == "not yours"


@pytest.mark.parametrize("answer", [b"{}", b'{"MetricDataResults": [{"Id": "x"}]}', b'{"MetricDataResults": [{"Id": "q900"}]}',
                                    b'{"MetricDataResults": [{"Id": "q0", "Timestamps": [1], "Values": []}]}',
                                    b'{"MetricDataResults": [{"Id": "q0", "Timestamps": ["x"], "Values": [1]}]}'])
def test_odd_metrics(service, answer):
    service.script = [(200, answer)]
    assert probe(service, "metrics", "f", "5")["fault"] == "bad-answer"


@pytest.mark.measures
def test_sigterm_ends_a_call_that_hangs(service):
    service.script = [(0, b"")]
    running = start(service, "list")
    while not service.asked:
        time.sleep(0.02)
    began = time.monotonic()
    running.terminate()
    out, _ = running.communicate(timeout=20)
    assert json.loads(out)["fault"] == "stopped"
    assert time.monotonic() - began < 3


@pytest.mark.measures
def test_sigterm_ends_the_wait_between_two_tries(service):
    service.script = [(429, {}, {"Retry-After": "30"})]
    running = start(service, "list")
    while not service.asked:
        time.sleep(0.02)
    began = time.monotonic()
    running.terminate()
    out, _ = running.communicate(timeout=20)
    assert json.loads(out)["fault"] in ("stopped", "throttled")
    assert time.monotonic() - began < 3 and len(service.asked) == 1
