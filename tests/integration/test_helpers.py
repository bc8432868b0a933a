"""The helpers of the services' tests: what they promise, they keep."""
import socket
import time

import pytest
import redis as redispy

from helpers.programs import example, pl
from helpers.servers import http


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
    assert [c[1:4] for c in witness.calls()] == [("/a", "r1", "0.1"), ("/b", "r2", "1.2"), ("/c?d", "-", "-")]
    assert all(began <= c[0] <= time.time_ns() for c in witness.calls())


def test_witness_stalls_when_told(witness):
    witness.stall(600)
    began = time.monotonic()
    ask(witness.port, request("/a"), request("/b"))
    assert time.monotonic() - began > 0.1 and len(list(witness.calls())) == 2
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
