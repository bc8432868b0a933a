"""The checker of the invariants finds what it is for: a state that is right, and one broken thing at a time."""
import os

import pytest

from fault.invariants import Evidence, Journal, check, overlaps

GATEWAY = """\
plimsoll_run_info{account="web",function="a",instance="",job="plimsoll",run="%s",version=""} 1
plimsoll_verdict{account="web",function="a",instance="",job="plimsoll",verdict="better"} 1
plimsoll_verdict{account="web",function="a",instance="",job="plimsoll",verdict="worse"} 0
plimsoll_runs_total{account="web",function="a",instance="",job="plimsoll"} %d
push_time_seconds{account="web",function="a",instance="",job="plimsoll"} 1.6e+09
"""


class Stages:
    """What the stages do, one call after the other."""

    def __init__(self, redis):
        self.redis, self.journal, self.accepted, self.last = redis, Journal(redis), {}, ""

    def f(self, name, *args):
        reply = self.redis.call("FCALL", "pl_" + name, 0, *args)
        return reply[0] if isinstance(reply, list) else reply

    def change(self, change, kind="change"):
        assert self.f("ingest", change, "web/a", kind, "{}") == "OK"
        self.accepted[change] = ("web/a", kind)

    def plan(self, change, run):
        assert self.f("plan", change, "2026-11-22", 0, 0, 1, run, "test", "{}", 5, 1, "web", 1, 1, "concurrency", 4, 10, "{}") == "OK"

    def lease(self, run):
        reply = self.redis.call("FCALL", "pl_lease", 0, run, "n", 1000, "l1")
        assert reply[0] == "OK"
        return reply[1]

    def measure(self, run):
        token = self.lease(run)
        assert self.f("beat", run, 0, token, "l1", 1000, 1) == "OK"
        assert self.f("shard", run, 0, token, "l1", "00", 5) == "OK"

    def judge(self, run):
        assert self.f("judge", run, 0, "00", 5, "better", 0, 5, 0) == "OK"
        assert self.f("told", run) == "OK"

    def tell(self):
        reply = self.redis.call("FCALL", "pl_out", 0, 100, 100)
        entries = [w for w in reply[3:] if w[:2] in ("c:", "p:", "f:")]
        assert self.f("out_done", "web/a", *entries) == "OK"

    def whole(self, change, run):
        self.change(change)
        self.plan(change, run)
        self.measure(run)
        self.judge(run)
        self.tell()

    def evidence(self, **more):
        given = dict(redis=self.redis, journal=self.journal.read(), accepted=self.accepted, gateway=GATEWAY % ("r2", 2))
        given.update(more)
        return Evidence(**given)


@pytest.fixture
def stages(redis):
    s = Stages(redis(appendfsync="no"))
    s.whole("c1", "r1")
    s.whole("c2", "r2")
    return s


def test_what_is_right_passes(stages):
    assert check(stages.evidence()) == []


def call(*words):
    return lambda s: s.redis.call(*words)


def entry(name, before, after, token="", who="", why=""):
    return call("XADD", "{pl}:aud", "*", "id", name, "f", before, "t", after, "tok", token, "w", who, "y", why)


BROKEN = {
    "an accepted change is gone": ("I1", call("DEL", "{pl}:c:c1")),
    "two runs of one change": ("I2", call("HSET", "{pl}:r:r1", "chg", "c2")),
    "a run was published twice": ("I2", entry("r1", "judged", "published")),
    "a result was counted twice": ("I3", call("HINCRBY", "{pl}:f:web/a", "results", "1")),
    "a run was judged twice": ("I3", entry("r1", "measured", "judged")),
    "a change hangs": ("I4", lambda s: s.change("c3")),
    "a run hangs": ("I4", lambda s: (s.change("c3"), s.plan("c3", "r3"))),
    "a dead token was good": ("I5", entry("r1", "active", "measured", "0.x")),
    "two leases at once": ("I6", lambda s: (entry("r1", "planned", "active", "8.n")(s), entry("r2", "planned", "active", "9.n")(s))),
    "an index was lost": ("I7", lambda s: (s.change("c3"), s.redis.call("ZREM", "{pl}:q:new", "c3"))),
    "resources were not given back": ("I7", call("HSET", "{pl}:res", "concurrency", "4")),
    "an index holds the dead": ("I7", call("ZADD", "{pl}:q:meas", "0", "r1")),
    "a move that nobody may make": ("I9", entry("r1", "published", "active", "1.n")),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_broken_is_found(stages, what):
    want, break_it = BROKEN[what]
    break_it(stages)
    assert want in {text.split()[0] for text in check(stages.evidence())}


@pytest.mark.parametrize("text", ["", GATEWAY % ("r1", 2), GATEWAY % ("r2", 3), (GATEWAY % ("r2", 2)).replace('r"} 1', 'r"} 0').replace('e"} 0', 'e"} 1'),
                                  GATEWAY % ("r2", 2) + (GATEWAY % ("r9", 1)).replace('"a"', '"ghost"')])
def test_a_gateway_that_differs_is_found(stages, text):
    assert any(w.startswith("I8") for w in check(stages.evidence(gateway=text)))


def test_a_secret_in_a_file_is_found(stages, tmp_path):
    os.makedirs(tmp_path / "logs" / "credentials")
    (tmp_path / "logs" / "credentials" / "mine").write_text("hunter2")
    assert check(stages.evidence(secrets={"pw": "hunter2"}, folders=[tmp_path])) == []
    (tmp_path / "logs" / "a.log").write_text("AUTH hunter2")
    assert [w[:3] for w in check(stages.evidence(secrets={"pw": "hunter2"}, folders=[tmp_path]))] == ["I10"]


def test_overlaps_at_the_target():
    def at(ns, run, attempt, path="/a"):
        return ns, path, run, attempt, 1
    assert overlaps([at(1, "r1", "0.1"), at(2, "r1", "1.1"), at(3, "r1", "0.2"), at(4, "r2", "0.1"), at(2, "r9", "0.1", "/b")]) == []
    assert len(overlaps([at(1, "r1", "0.1"), at(2, "r1", "0.2"), at(3, "r1", "0.1")])) == 1
    assert len(overlaps([at(1, "r1", "0.1"), at(2, "r2", "0.1"), at(3, "r1", "0.1"), at(4, "r2", "0.1")])) == 1
