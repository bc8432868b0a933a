"""The helpers of the services' tests: what they promise, they keep."""
import os
import socket
import subprocess
import sys
import time

import pytest
import redis as redispy

from helpers.programs import ROOT, example, pl
from helpers.servers import http, wait_for


def test_redis_keeps_what_it_acknowledged(redis):
    r = redis(library=False)
    r.call("SET", "a", "1")
    r.restart(hard=True)
    assert r.call("GET", "a") == "1"
    assert r.call("CONFIG", "GET", "appendfsync") == {"appendfsync": "always"}


def test_redis_settings_and_users(redis):
    r = redis(library=False, appendfsync="no", users="user default off\nuser boss on >secret ~* &* +@all\n", admin=("boss", "secret"))
    assert r.call("CONFIG", "GET", "appendfsync") == {"appendfsync": "no"}
    with pytest.raises(redispy.exceptions.AuthenticationError):
        r.client("boss", "wrong", db=0).ping()


def ask(port, *requests):
    with socket.create_connection(("127.0.0.1", port), 5) as s:
        s.sendall(b"".join(requests))
        got = b""
        while got.count(b"{\"ok\": true}") < len(requests):
            data = s.recv(65536)
            assert data
            got += data
    return got


def request(path, run="", attempt="", body=b""):
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nPlimsoll-Run: {run}\r\nplimsoll-attempt: {attempt}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def test_witness_writes_down_who_called(witness):
    began = time.time_ns()
    ask(witness.port, request("/a", "r1", "0.1", b"x" * 40000), request("/b", "r2", "1.2"), b"GET /c?d HTTP/1.1\r\n\r\n")
    wait_for("the journal", lambda: len(list(witness.calls())) == 3)  # written after the answers
    assert [c[1:4] for c in witness.calls()] == [("/a", "r1", "0.1"), ("/b", "r2", "1.2"), ("/c?d", "-", "-")]
    assert all(began <= c[0] <= time.time_ns() for c in witness.calls())


@pytest.mark.measures
def test_witness_stalls_when_told(witness):
    witness.stall(600)
    began = time.monotonic()
    ask(witness.port, request("/a"), request("/b"))
    assert time.monotonic() - began > 0.1
    wait_for("the journal", lambda: len(list(witness.calls())) == 2)
    began = time.monotonic()
    assert http(witness.url + "/c")[0] == 200 and time.monotonic() - began < 0.3


def test_bus_settings_are_valid(bus):
    bus.configure("accounts:\n  web: {provider: http, allow: [127.0.0.1]}\nfunctions: {}\n")
    assert "bus" in bus.redis.socket
    r = pl("planner", "--config", bus.config_path, "--check", env={"CREDENTIALS_DIRECTORY": bus.credentials("planner")})
    assert r.code == 0, r


def test_redis_reads_its_file_again_with_the_users_of_admin_acl(bus):
    """Redis replays its file as the default user: with no rights, all that functions wrote was gone after a restart."""
    bus.configure("accounts:\n  web: {provider: http, allow: [127.0.0.1]}\nfunctions: {}\n")
    assert bus.ingest(example("function.changed"))[0] == "OK"
    bus.redis.restart(hard=True)
    assert bus.ingest(example("function.changed"))[:2] == ["DUP", "queued"]
    with pytest.raises(redispy.exceptions.AuthenticationError):
        bus.redis.client("default", "", db=0).ping()
    with pytest.raises(redispy.exceptions.AuthenticationError):
        redispy.Redis(unix_socket_path=bus.redis.socket).execute_command("PING")


TRIED = """
import os, pathlib, pytest
from helpers import noise
from integration.conftest import pytest_runtest_protocol, pytest_terminal_summary
noise.Noise.words = lambda _: os.environ["NOISE"]
at = pathlib.Path(__file__).parent / "tries"

@pytest.fixture(scope="module")
def measured():
    at.open("a").write("x")
    return at.stat().st_size

@pytest.mark.measures
def test_measures(measured):
    assert measured >= int(os.environ["GOOD"])

def test_does_not():
    assert int(os.environ["GOOD"]) < 9
"""


@pytest.mark.parametrize("words, good, tries, told", [
    ("", 2, 1, "1 failed, 1 passed"),           # it is slow on a quiet machine
    ("steal", 2, 2, "2 passed"),
    ("steal", 4, 3, "1 failed, 1 passed"),
    ("steal", 9, 3, "2 failed"),                # what measures nothing is tried once
])
def test_what_measures_is_tried_again_in_noise_alone(tmp_path, words, good, tries, told):
    (tmp_path / "test_tried.py").write_text(TRIED)
    (tmp_path / "conftest.py").write_text("from test_tried import pytest_runtest_protocol, pytest_terminal_summary\n")
    env = dict(os.environ, NOISE=words, GOOD=str(good), PYTHONPATH=f"{tmp_path}:{ROOT}/tests", PLIMSOLL_COUNTS=str(tmp_path / "counts"))
    (tmp_path / "counts").write_text("10 10 10\n")
    r = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "ignore", "--rootdir", tmp_path, tmp_path],
                       env=env, capture_output=True, text=True, timeout=60, check=False)
    assert told in r.stdout and (tmp_path / "tries").stat().st_size == tries, r.stdout + r.stderr
    assert r.stdout.count("MEASURED AGAIN") == tries - 1
    passed, failed, _ = map(int, (tmp_path / "counts").read_text().split())
    assert (passed - 10, failed - 10) == (2 - told.count("failed") * int(told[0]), told.count("failed") * int(told[0]))
