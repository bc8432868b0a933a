"""The users of Redis that `plimsoll admin acl` prints: each may call the functions of its stage, and nothing else.

A function runs with the rights of who calls it, so a user has the commands of its functions too, on the keys that they touch.
"""
import collections
import os
import random
import re

import pytest

from fault import model_check
from helpers.bus import Bus
from helpers.programs import ROOT

STAGES = {"W": "watcher", "P": "planner", "C": "collector", "S": "sink", "A": "admin"}
KEY = "{pl}:f:a/f1"
# None of these is in any function. Words as they are sent; a refusal is told before anything is done.
FORBIDDEN = """
ACL LIST|ACL SETUSER pl-sink on +@all|ACL WHOAMI|ACL LOAD|ACL SAVE|ACL GETUSER pl-admin|ACL DELUSER pl-sink|ACL LOG
APPEND {k} x|BGREWRITEAOF|BGSAVE|BITOP NOT {k} {k}|BLPOP {k} 1|BLMOVE {k} {k} LEFT LEFT 1|CLIENT KILL ID 1|CLIENT LIST
CLIENT PAUSE 1000|CLIENT NO-EVICT on|CLIENT UNBLOCK 1|CLUSTER RESET|CLUSTER INFO|COMMAND COUNT|CONFIG GET requirepass
CONFIG SET appendfsync no|CONFIG SET maxmemory-policy allkeys-lru|CONFIG REWRITE|CONFIG RESETSTAT|COPY {k} {k}2
DBSIZE|DEBUG SLEEP 0|DEBUG JMAP|DUMP {k}|EVAL return(1) 0|EVALSHA abc 0|EVAL_RO return(1) 0|SCRIPT FLUSH|SCRIPT LOAD x
FAILOVER|FLUSHALL|FLUSHDB|FUNCTION DELETE plimsoll|FUNCTION FLUSH|FUNCTION DUMP|FUNCTION RESTORE x|FUNCTION KILL|FUNCTION STATS
FCALL other 0|FCALL_RO pl_status 0|FCALL pl_ 0|GETDEL {k}|GETSET {k} x|INFO|KEYS *|LASTSAVE|LATENCY RESET|LATENCY DOCTOR
LOLWUT|MEMORY PURGE|MEMORY USAGE {k}|MIGRATE h 1 k 0 1|MODULE LOAD /tmp/x.so|MODULE LIST|MONITOR|MOVE {k} 1|MULTI
OBJECT ENCODING {k}|PERSIST {k}x|PSUBSCRIBE *|PSYNC ? -1|PUBSUB CHANNELS|RANDOMKEY|READONLY|RENAME {k} {k}2|REPLCONF x y
REPLICAOF no one|RESTORE k 0 x|ROLE|SAVE|SELECT 1|SET {k} x|SHUTDOWN NOSAVE|SLAVEOF no one|SLOWLOG GET|SORT {k}|SPUBLISH x y
SSUBSCRIBE x|SWAPDB 0 1|SYNC|TOUCH {k}|TYPE {k}|UNLINK {k}|WAIT 0 0|WATCH {k}|XGROUP CREATE {pl}:aud g $|XTRIM {pl}:aud MAXLEN 0
XDEL {pl}:aud 1-1|ZPOPMIN {pl}:q:new|ZUNIONSTORE {pl}:q:new 1 x|HGETDEL x|SPOP {k}|LTRIM {k} 0 0|HSCAN {k} 0|LPOP {k}|EXPIREAT {k} 1
"""
# Only for some: commands that a function of another stage calls.
NOT_THEIRS = {
    "watcher": ["SCAN 0", "DEL {k}", "TTL {k}", "SADD {pl}:dv:c:x s", "LPOS {pl}:out:a/f1 x", "PERSIST {k}", "ZCOUNT {pl}:q:run 0 1",
                "FUNCTION LOAD x", "FUNCTION LIST"],
    "planner": ["DEL {k}", "SADD {pl}:dv:c:x s", "HSETNX {k} a b", "PERSIST {k}", "FUNCTION LOAD x", "FUNCTION LIST"],
    "collector": ["SCAN 0", "SADD {pl}:dv:c:x s", "TTL {k}", "ZCOUNT {pl}:q:run 0 1", "FUNCTION LOAD x", "FUNCTION LIST"],
    "sink": ["SCAN 0", "INCR {pl}:seq", "RPUSH {pl}:out:a/f1 x", "LPUSH {pl}:fq:a/f1 x", "HINCRBY {pl}:money d 1", "HSETNX {k} a b",
             "FUNCTION LOAD x", "FUNCTION LIST"],
    "admin": ["SCAN 0", "SUBSCRIBE {pl}:kick", "DEL {k}", "SADD {pl}:dv:c:x s", "LPUSH {pl}:fq:a/f1 x", "PERSIST {k}"],
}
# Commands that they have, on keys that they have not.
NOT_THEIR_KEYS = {
    "watcher": ["HSET {pl}:doc:planner a b", "HGET {pl}:doc:accepted a", "HSET {pl}:loaders a b", "HSET {pl}:res a 1", "INCR {pl}:tok",
                "ZADD {pl}:q:lease 1 x", "ZREM {pl}:dead x", "HGET other a", "HGETALL {pl}x", "PUBLISH other x", "SUBSCRIBE other"],
    "planner": ["HSET {pl}:doc:sink a b", "HGET {pl}:doc:watcher a", "HGET other a", "INCR {pl}:seq", "PUBLISH other x", "SUBSCRIBE *"],
    "collector": ["HSET {pl}:doc:planner a b", "HGET {pl}:doc:sink a", "HSET {pl}:loaders a b", "INCR {pl}:tok", "ZADD {pl}:dead 1 x",
                  "HGET other a", "DEL other", "SUBSCRIBE other"],
    "sink": ["HSET {pl}:c:x st queued", "HSET {pl}:money d 1", "HSET {pl}:doc:accepted a b", "HGET {pl}:doc:planner a",
             "ZADD {pl}:q:run 1 x", "ZADD {pl}:q:lease 1 x", "LRANGE {pl}:fq:a/f1 0 -1", "HGETALL {pl}:res", "DEL {pl}:c:x", "DEL other"],
    "admin": ["HSET {pl}:loaders a b", "HSET {pl}:res a 1", "INCR {pl}:tok", "ZADD {pl}:q:lease 1 x", "HGET other a", "PUBLISH other x"],
}


def functions_of_the_page():
    """{"pl_x": {"watcher", ...}} of docs/STATE.md."""
    found = {}
    with open(os.path.join(ROOT, "docs", "STATE.md"), encoding="utf-8") as f:
        for name, letters in re.findall(r"^\| `(pl_\w+)` ([A-Za-z ]+) \|", f.read(), re.M):
            words = [w for w in letters.split() if w != "R"]
            found[name] = set(STAGES.values()) if words == ["all"] else {STAGES[w] for w in words}
    return found


FUNCTIONS = functions_of_the_page()
CHUNK = re.compile(r"^(?:local function (\w+)|function (\w+)\.\w+|local (\w+)\s*=|(\w+)\.\w+\s*=)")


def commands_of_the_library():
    """{"pl_x": {"hget", ...}}: what pl.lua's functions call, through the local functions and tables that they use."""
    with open(os.path.join(ROOT, "common", "jobs", "pl.lua"), encoding="utf-8") as f:
        text = f.read()
    chunks, name = collections.defaultdict(str), None
    for line in text.split("\n"):
        start = CHUNK.match(line)
        name = next(filter(None, start.groups())) if start else name
        if name:
            chunks[name] += re.sub(r"--.*", "", line) + "\n"
    uses, calls = {}, {}
    for name, code in chunks.items():
        words = re.sub(r"'[^']*'", "", code)
        uses[name] = (set(re.findall(r"(?<![.:\w])([a-z_]\w*)\(", words)) | set(re.findall(r"\b([A-Z_]{2,})\b", words))) & set(chunks)
        calls[name] = {c.lower() for c in re.findall(r"call\('([A-Z]+)'", code)}
    found = {}
    for function, first in re.findall(r"\{'(pl_\w+)', (\w+)", text):
        seen, left = set(), {first} & set(chunks)
        while left:
            seen |= left
            left = set().union(*(uses[n] for n in left)) - seen
        found[function] = set().union(*(calls[n] for n in seen), {"publish"} if "kick" in seen else set())
    return found


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with Bus(tmp_path_factory.mktemp("acl"), appendfsync="no") as made:
        yield made


def rights(world, stage):
    line = next(x for x in world.users().split("\n") if x.startswith(f"user pl-{stage} "))
    return {w[1:] for w in line.split() if w.startswith("+")}


@pytest.mark.parametrize("stage", STAGES.values())
def test_a_user_has_its_functions_and_the_commands_that_they_call(world, stage):
    own = {f for f, who in FUNCTIONS.items() if stage in who}
    library = commands_of_the_library()
    assert set(library) == set(FUNCTIONS)
    more = {"function|load", "function|list", "info", "config|get"} if stage == "admin" else {"subscribe"}
    assert rights(world, stage) == {"fcall|" + f for f in own} | set().union(*(library[f] for f in own)) | more


def refused(world, stage, words):
    import redis
    client = redis.Redis(unix_socket_path=world.redis.socket, username="pl-" + stage, password=world.passwords[stage],
                         socket_timeout=5, protocol=2)
    try:
        said = client.execute_command(*words)
        return f"{stage} may {' '.join(words)}: {said!r}"
    except redis.exceptions.NoPermissionError:
        return None
    except redis.exceptions.ResponseError as e:
        # What this Redis does not know, or has switched off, is no right of anybody.
        return None if re.search("unknown command|command not allowed", str(e)) else f"{stage} may {' '.join(words)}: {e}"
    finally:
        client.close()


def commands(text):
    return [c.replace("{k}", KEY).split(" ") for line in text.strip().split("\n") for c in line.split("|")]


def test_the_list_is_long_enough():
    assert len(commands(FORBIDDEN)) >= 60


@pytest.mark.parametrize("stage", STAGES.values())
def test_forbidden_commands_are_refused(world, stage):
    tried = commands(FORBIDDEN) + commands("|".join(NOT_THEIRS[stage])) + commands("|".join(NOT_THEIR_KEYS[stage]))
    if stage == "collector":  # pl_judge calls PERSIST
        tried = [t for t in tried if t[0] != "PERSIST"]
    if stage == "admin":  # the doctor looks
        tried = [t for t in tried if t[0] != "INFO" and t[:2] != ["CONFIG", "GET"]]
    assert [r for r in (refused(world, stage, words) for words in tried) if r] == []


@pytest.mark.parametrize("stage", STAGES.values())
def test_functions_of_other_stages_are_refused(world, stage):
    for function, who in FUNCTIONS.items():
        refusal = refused(world, stage, ["FCALL", function, "0"])
        assert (refusal is None) == (stage not in who), (function, refusal)


def test_nobody_is_the_default_user(world):
    import redis
    client = redis.Redis(unix_socket_path=world.redis.socket)
    for words in (["PING"], ["AUTH", "default", ""], ["FCALL", "pl_status", "0"], ["HGETALL", "{pl}:money"]):
        with pytest.raises(redis.exceptions.RedisError):
            client.execute_command(*words)
    with pytest.raises(redis.exceptions.RedisError):
        redis.Redis(unix_socket_path=world.redis.socket, username="default", password="").ping()


class UsersWire(model_check.Wire):
    """Every function is called as one of the users that may call it; all else as the user of the tests."""

    world = users = None

    def __init__(self, path):
        super().__init__(path)
        self.user = None
        assert super().ask(("AUTH", *self.world.redis.admin))[0] == "OK"
        self.random = random.Random(1)

    def as_user(self, command):
        if command[0] != "FCALL":
            return self.world.redis.admin
        stage = self.random.choice(sorted(FUNCTIONS[command[1]]))
        return "pl-" + stage, self.world.passwords[stage]

    def ask(self, *sent):
        words, is_answer = [], []
        for command in sent:
            user = self.as_user(command)
            if user != self.user:
                words.append(("AUTH", *user))
                is_answer.append(False)
                self.user = user
            words.append(command)
            is_answer.append(True)
        return [reply for reply, yes in zip(super().ask(*words), is_answer) if yes]


@pytest.mark.timeout(300)
def test_their_rights_suffice_for_all_that_the_functions_do(tmp_path, monkeypatch):
    """The random calls of the model, each as a user that may make it: none is refused, all cells are hit."""
    with Bus(tmp_path / "bus", appendonly="no") as world:
        monkeypatch.setattr(UsersWire, "world", world)
        monkeypatch.setattr(model_check, "Wire", UsersWire)
        for stage in STAGES.values():  # the model's documents are those of no real stage
            world.redis.call("ACL", "SETUSER", "pl-" + stage, *("~{pl}:doc:" + n for n in ("planner", "collector", "none")))
        calls, cells = model_check.check(world.redis.socket, 40_000, 7, all_cells=True)
        assert calls >= 40_000 and model_check.missing(cells) == []
        denied = [x for x in world.redis.call("ACL", "LOG") if x["reason"] != "auth"]
        assert denied == []
