"""common/redis against a real Redis that is killed, stopped, full, busy: no call is lost, none comes after a newer one.

tests/helpers/redis_client.c turns lines into calls and replies into lines.
"""
import os
import re
import signal
import subprocess
import threading
import time

import pytest

from helpers.programs import build_dir, dying_with_us
from helpers.servers import wait_for


class Client:
    """redis_client with a thread that reads what it says."""

    def __init__(self, socket, timeout_ms=1000, *more):
        self.said = []
        self.popen = subprocess.Popen(dying_with_us([os.path.join(build_dir(), "tests", "redis_client"), socket,
                                                     str(timeout_ms), *more]),
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.popen.stdout:
            self.said.append(line.rstrip("\n"))

    def tell(self, *lines):
        self.popen.stdin.write("".join(line + "\n" for line in lines))
        self.popen.stdin.flush()

    def has(self, *starts):
        return all(any(line.startswith(start) for line in self.said) for start in starts)

    def wait(self, *starts, timeout_s=20):
        wait_for(f"{starts} in {self.said[-5:]}", lambda: self.has(*starts), timeout_s, 0.01)
        return self

    def end(self, timeout_s=60):
        self.tell("end")
        assert self.popen.wait(timeout_s) == 0
        return self.said


@pytest.fixture
def client():
    made = []

    def start(*args):
        made.append(Client(*args))
        return made[-1]
    yield start
    for c in made:
        c.popen.kill()
        c.popen.wait()


def items(server, name="L"):
    return [int(x.split(":")[0]) for x in server.call("LRANGE", name, 0, -1)]


def assert_in_order(got, count, breaks):
    """Each call once and in order; after a break it goes on at most where it stood, and never back without going on."""
    back = [i for i in range(1, len(got)) if got[i] != got[i - 1] + 1]
    assert set(got) == set(range(1, count + 1))
    assert got[0] == 1 and got[-1] == count
    assert len(back) <= breaks, [got[i - 1:i + 1] for i in back][:10]
    assert all(got[i] <= got[i - 1] + 1 for i in back)


def test_calls_and_replies_in_order_hello_first(redis, client):
    server = redis(library=False)
    c = client(server.socket)
    c.tell("repeat SET a 1", "repeat GET a", "repeat GET b", "repeat INCR a", "once LRANGE x 0 -1", "repeat NOSUCH", "repeat MGET a b")
    said = c.end()
    assert said == ["up ", "reply hello (nil)", "reply SET OK", "reply GET 1", "reply GET (nil)", "reply INCR 2", "reply LRANGE",
                    "error NOSUCH ERR unknown command 'NOSUCH', with args beginning with: ", "reply MGET 2 (nil)"]


def test_redis_comes_later(redis, client):
    server = redis(library=False)
    server.stop()
    c = client(server.socket)
    c.tell("repeat SET a 1")
    c.wait("down cannot connect to Redis")
    server.start()
    c.wait("up", "reply SET OK")
    assert c.said[0] != "up " and c.end()


def test_killed_in_mid_stream_nothing_is_lost_or_out_of_order(redis, client):
    server = redis(library=False)
    c = client(server.socket)
    c.wait("up")
    c.tell("many 60000 L")
    for n in range(4):
        wait_for("some more", lambda: int((server.call("LRANGE", "L", -1, -1) or ["0:"])[0][:-1]) > 12000 * n, every_s=0.005)
        server.restart(hard=True)
    c.end()
    assert_in_order(items(server), 60000, breaks=4)


def test_a_call_once_is_lost_and_not_sent_again(redis, client):
    server = redis(library=False, appendfsync="no")
    c = client(server.socket)
    c.wait("up")
    server.signal(signal.SIGSTOP)
    c.tell("once INCR n", "repeat SET a 1")
    c.wait("lost INCR")
    server.signal(signal.SIGCONT)
    c.wait("reply SET")
    assert c.end().count("lost INCR") == 1
    assert int(server.call("GET", "n") or 0) <= 1


def test_stopped_for_longer_than_the_timeout(redis, client):
    """What the old connection still holds must not come after what the new one sends: Redis reads it in many turns of its
    loop (the calls are slow here), with those of the new connection in between."""
    server = redis(library=False, appendfsync="no")
    c = client(server.socket, 300)
    c.wait("up")
    for n in range(2):
        server.signal(signal.SIGSTOP)
        c.tell(f"slow 2500 L{n}", "repeat SET a 1")
        c.wait("down Redis has not answered")
        c.wait("down waits until Redis has read")
        server.signal(signal.SIGCONT)
        c.wait("reply SET")
        c.said.clear()
    c.end()
    for n in range(2):
        assert_in_order(items(server, f"L{n}"), 2500, breaks=3)


def test_full_then_freed(redis, client):
    server = redis(library=False, appendfsync="no")
    c = client(server.socket)
    c.wait("up")
    server.call("CONFIG", "SET", "maxmemory", server.client().info("memory")["used_memory"] + 1_500_000)
    c.tell("sized 30 100000 L", "repeat SET after 1")
    c.wait("up OOM")
    assert server.call("EXISTS", "after") == 0
    server.call("CONFIG", "SET", "maxmemory", "1mb")
    c.tell("once SET once 1", "once GET none")
    c.wait("lost SET", "reply GET (nil)")  # goes past those that wait
    server.call("CONFIG", "SET", "maxmemory", "100mb")
    c.wait("reply SET OK")
    assert c.end()[-1] == "reply SET OK" and c.said.count("up ") == 2
    assert_in_order(items(server), 30, breaks=30)


def test_busy_is_waited_for(redis, client):
    server = redis(library=False, appendfsync="no", busy_reply_threshold="50")
    c = client(server.socket, 3000)
    c.wait("up")
    script = "local t0 = redis.call('TIME') while true do local t = redis.call('TIME') " \
             "if (t[1] - t0[1]) * 1000000 + (t[2] - t0[2]) > 1200000 then return 1 end end"
    slow = threading.Thread(target=server.client(db=0).eval, args=(script, 0))
    slow.start()
    time.sleep(0.3)
    c.tell("repeat SET a 1", "repeat SET b 2")
    c.wait("up BUSY", "reply SET")
    slow.join()
    assert c.end()[-3:] == ["up ", "reply SET OK", "reply SET OK"]


def test_wrong_password_and_a_new_one(redis, client):
    server = redis(library=False)
    server.call("ACL", "SETUSER", "u", "on", ">right", "+@all", "~*", "&*")
    c = client(server.socket, 1000, "u", "wrong")
    c.tell("repeat SET a 1")
    c.wait("down WRONGPASS")
    server.call("ACL", "SETUSER", "u", ">wrong")
    c.wait("up", "reply SET OK")
    c.end()


def test_messages_of_the_channel(redis, client):
    server = redis(library=False)
    server.call("ACL", "SETUSER", "u", "on", ">pw", "+@all", "~*", "resetchannels", "&{pl}:kick")
    c = client(server.socket, 1000, "u", "pw", "{pl}:kick")
    c.wait("message ")
    wait_for("a subscriber", lambda: server.call("PUBLISH", "{pl}:kick", "new") == 1)
    c.wait("message new")
    c.said.clear()
    server.restart(hard=True)
    server.call("ACL", "SETUSER", "u", "on", ">pw", "+@all", "~*", "resetchannels", "&{pl}:kick")
    c.wait("up")
    wait_for("subscribed again", lambda: "message " in c.said)
    wait_for("a subscriber", lambda: server.call("PUBLISH", "{pl}:kick", "run") == 1)
    c.wait("message run")
    c.end()


def test_a_call_that_is_too_large_is_an_error(redis, client):
    server = redis(library=False)
    c = client(server.socket)
    c.tell("huge 67108865", "repeat SET a 1")
    assert c.end()[-2:] == ["error huge TOOLARGE the call is larger than 64 MiB", "reply SET OK"]


def ends_with_100(bus, stage="sink", **more):
    p = bus.start(stage, "--to", "file=" + bus.path("told"), **more)
    assert p.popen.wait(60) == 100, p.log()
    return p.log()


def test_a_stage_with_a_wrong_password_says_what_to_do(bus):
    bus.configure("accounts:\n  web: {provider: http, allow: [127.0.0.1]}\n")
    with open(os.path.join(bus.credentials("sink"), "redis"), "w", encoding="utf-8") as f:
        f.write("wrong")
    said = ends_with_100(bus)
    assert "Redis refuses AUTH to the user pl-sink (WRONGPASS" in said and "plimsoll admin acl" in said and "wrong\"" not in said


def test_a_stage_without_its_library_says_what_to_do(bus):
    bus.configure("accounts:\n  web: {provider: http, allow: [127.0.0.1]}\n")
    bus.redis.call("FUNCTION", "DELETE", "plimsoll")
    assert "the library is not loaded: run `plimsoll admin install`" in ends_with_100(bus)


def test_a_stage_with_another_library_says_what_to_do(bus):
    """Also when it is loaded under its feet: the version is looked at after each connect."""
    bus.configure("accounts:\n  web: {provider: http, allow: [127.0.0.1]}\n")
    with open(bus.redis.LIBRARY, encoding="utf-8") as f:
        other, ours = re.subn(r"local VERSION = '\d+'", "local VERSION = '77'", f.read(), count=1)
    assert ours == 1
    p = bus.start("sink", "--to", "file=" + bus.path("told"))
    p.wait_log("Redis answers")
    bus.redis.call("FUNCTION", "LOAD", "REPLACE", other)
    bus.redis.call("CLIENT", "KILL", "USER", "pl-sink")
    assert p.popen.wait(60) == 100 and "has version 77 and this program needs " in p.log()


def test_a_user_with_too_few_rights_says_what_to_do(bus):
    bus.configure("accounts:\n  web: {provider: http, allow: [127.0.0.1]}\n")
    bus.redis.call("ACL", "SETUSER", "pl-sink", "-hgetall")
    assert "load what `plimsoll admin acl` of this release prints" in ends_with_100(bus)
