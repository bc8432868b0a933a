"""A loader with a valid key, or one that had one, against another loader's work: broker and intake, and a real Redis."""
import hashlib

import pytest

from fault.invariants import overlaps
from helpers.bus import http_config
from helpers.programs import example, lines
from helpers.servers import wait_for
from helpers.work import Peer, Work


class Loader:
    """A loader that does nothing by itself, on both endpoints."""

    def __init__(self, bus, name, routing_id=None):
        self.name, self.nonce = name, "n" + name
        self.work = Peer(bus, name, "work", routing_id)
        self.results = Peer(bus, name, "results", routing_id)

    def ready(self, free=1, nonce=None):
        self.work.say("READY", nonce or self.nonce, free, 1, 0, "*", 5)
        return self.work.hear_until("READY-ACK")

    def take_work(self):
        """(run, index, token) of the WORK that comes."""
        assert self.ready()
        return tuple(self.work.hear_until("WORK")[1:4])

    def beat(self, shard, nonce=None, timeout_s=5):
        """The code of the answer, or None."""
        self.work.say("BEAT", *shard, nonce or self.nonce, 1, 7)
        answer = self.work.hear_until("BEAT-ACK", timeout_s)
        return answer and answer[4]

    def fail(self, shard, nonce=None, timeout_s=5):
        self.work.say("FAIL", *shard, nonce or self.nonce, 0, "because")
        answer = self.work.hear_until("FAIL-ACK", timeout_s)
        return answer and answer[4]

    def result(self, shard, nonce=None, line=None, sha=None, timeout_s=5):
        line = line or result_line(shard)
        self.results.say("RESULT", *shard, nonce or self.nonce, sha or hashlib.sha256(line).hexdigest(), line)
        answer = self.results.hear_until("ACK", timeout_s)
        return answer and answer[4]

    def close(self):
        self.work.close()
        self.results.close()


def result_line(shard, index=None, **data):
    event = example("shard.finished")
    event.update(id=f"{shard[0]}.{shard[1]}", plimsollrun=shard[0])
    event["data"].update(run=shard[0], shard={"index": int(shard[1] if index is None else index), "of": 1}, **data)
    return lines(event).rstrip(b"\n")


@pytest.fixture
def work(bus):
    bus.lease = "3s"
    for name in ("l1", "l2"):  # who comes before its line tries again only after 5 s
        bus.add_loader(name)
    w = Work(bus)
    w.broker()
    w.intake()
    return w


@pytest.fixture
def loader(bus):
    made = []

    def make(name, **kw):
        made.append(Loader(bus, name, **kw))
        return made[-1]
    yield make
    for m in made:
        m.close()


def test_who_knows_all_about_a_shard_and_holds_another_key_can_do_nothing_to_it(work, loader):
    victim, thief = loader("l1"), loader("l2")
    run = work.plan()
    shard = victim.take_work()
    assert shard[0] == run and victim.beat(shard) == "OK"
    thief.ready(free=0)
    thief.ready(free=0, nonce=victim.nonce)
    for nonce in (thief.nonce, victim.nonce):
        assert thief.beat(shard, nonce) == "STALE"
        assert thief.fail(shard, nonce) == "STALE"
        assert thief.result(shard, nonce) == "STALE"
    assert work.results() == [] and work.state(run) == "active"
    assert victim.beat(shard) == "OK" and victim.result(shard) == "OK"
    work.reaches(run, "measured")
    assert len(work.results()) == 1
    assert thief.result(shard, victim.nonce) in ("DUP", "STALE") and len(work.results()) == 1


def test_another_process_of_the_same_key_is_another_owner(work, loader):
    first, second = loader("l1"), loader("l1")
    second.nonce = "another"
    work.plan()
    shard = first.take_work()
    assert second.beat(shard) == "STALE" and second.fail(shard) == "STALE" and second.result(shard) == "STALE"
    assert first.beat(shard) == "OK"


def test_a_routing_id_takes_nothing_away(work, loader):
    victim = loader("l1", routing_id=b"l1")
    assert victim.ready(free=0)
    thief = loader("l2", routing_id=b"l1")
    thief.work.say("READY", victim.nonce, 1, 1, 0, "*", 5)
    assert thief.work.hear(1.5) is None
    run = work.plan()
    assert victim.take_work()[0] == run
    assert thief.work.hear(0.5) is None


def test_room_under_anothers_nonce_is_not_anothers_room(work, loader):
    victim, thief = loader("l1"), loader("l2")
    thief.ready(free=0)
    victim.ready(free=0)
    run = work.plan()
    thief.ready(free=0, nonce=victim.nonce)
    shard = victim.take_work()
    assert shard[0] == run and thief.work.hear(0.3) is None
    assert victim.beat(shard) == "OK"


@pytest.mark.parametrize("forge", [
    lambda shard: {"sha": "0" * 64},
    lambda shard: {"line": b"{}"},
    lambda shard: {"line": b"x" * 1000},
    lambda shard: {"line": lines(example("run.planned")).rstrip(b"\n")},
    lambda shard: {"line": result_line(("r" + "z" * 20, 0))},
    lambda shard: {"line": result_line(shard, index=1)},
    lambda shard: {"line": result_line(shard).replace(b'"plimsollrun":"' + shard[0].encode(), b'"plimsollrun":"r' + b"z" * 20)},
], ids=["sha", "empty", "no event", "another kind", "another run", "another shard", "another run in the envelope"])
def test_a_result_that_is_not_what_it_says_is_refused(work, loader, forge):
    honest = loader("l1")
    run = work.plan()
    shard = honest.take_work()
    assert honest.result(shard, **forge(shard)) == "BAD"
    assert work.results() == [] and work.state(run) == "active"
    assert honest.result(shard) == "OK"


def test_other_words_about_a_shard_that_is_done_leave_no_file(work, loader):
    """Else whoever had one shard could fill the disk of the monitoring host, a MiB a message."""
    honest = loader("l1")
    work.plan()
    shard = honest.take_work()
    assert honest.result(shard) == "OK"
    (kept,) = work.results()
    for i in range(3):
        assert honest.result(shard, line=result_line(shard, reason=f"other {i}")) == "STALE"
    assert honest.result(shard) == "DUP" and work.results() == [kept]


@pytest.mark.parametrize("message", [
    [], ["READY"], ["WORK", "r", 0, "t", 1, 1, 0, "{}"], ["BEAT", "../x", 0, "1.n", "n", 1, 1], ["BEAT", "r1", -1, "1.n", "n", 1, 1],
    ["BEAT", "r1", 5000, "1.n", "n", 1, 1], ["BEAT", "r1", 0, "1.n", "n", 1, 2 ** 54], ["FAIL", "r1", 0, "1.n", "n", 1, "x" * 5000],
    ["READY", "n", 2 ** 53, 2 ** 53, 2 ** 53, ",,,*,\\", 1], ["READY", "n\n", 1, 1, 0, "*", 1], [b"\xff\0"] * 16,
    ["ACK", "r1", 0, "1.n", "OK"], ["RESULT", "r1", 0, "1.n", "n", "0" * 64, b"x" * 1048576],
], ids=str)
def test_messages_of_another_form_are_dropped_and_hurt_nobody(work, loader, message):
    odd, honest = loader("l2"), loader("l1")
    for peer in (odd.work, odd.results):
        peer.say(*(message or [b""]))
    run = work.plan()
    shard = honest.take_work()
    assert shard[0] == run and honest.beat(shard) == "OK" and honest.result(shard) == "OK"
    assert all(p.is_alive() for p in work.bus.processes)


def test_revoked_in_mid_run_it_is_nobody_and_another_gets_the_run(work, loader, bus):
    gone, other = loader("l1"), loader("l2")
    run = work.plan()
    shard = gone.take_work()
    assert gone.beat(shard) == "OK"
    key = bus.loaders.pop("l1")
    bus.write_loaders()
    wait_for("silence", lambda: gone.beat(shard, timeout_s=0.3) is None, 10)
    assert gone.result(shard, timeout_s=0.5) is None and gone.fail(shard, timeout_s=0.5) is None
    again = wait_for("the run to be planned again", lambda: other.ready() and other.work.hear_until("WORK", 1), 15)
    assert again[1] == run and tuple(again[1:4]) != shard
    assert other.beat(again[1:4]) == "OK"
    bus.loaders["l1"] = key
    bus.write_loaders()
    wait_for("an answer", lambda: gone.beat(shard, timeout_s=0.3) == "STALE", 10)
    assert gone.result(shard) == "STALE" and gone.result(again[1:4]) == "STALE"
    assert other.result(again[1:4]) == "OK"
    work.reaches(run, "measured")
    assert len(work.results()) == 1


def test_the_real_loader_that_is_revoked_stops_before_the_next_begins(bus, witness):
    """With all stages: its calls end, another carries the run, and no two call at one time."""
    bus.configure(http_config(witness, ["hello"], duration="6s"))
    for name in ("l1", "l2"):
        bus.add_loader(name)
    for stage in ("planner", "collector", "sink"):
        bus.start(stage, *(["--to", "file=/dev/null"] if stage == "sink" else []))
    l1 = bus.start("loader", as_name="l1")
    event = example("function.changed")
    event["subject"] = "web/hello"
    event["data"]["change"].update(kind="code", causes=["code"])
    event["data"]["target"] = {"provider": "http", "is_immutable": False}
    for name in ("candidates", "limits"):
        event["data"].pop(name, None)
    bus.ingest(event)
    wait_for("calls of l1", lambda: len(list(witness.calls())) > 10, 20)
    del bus.loaders["l1"]
    bus.write_loaders()
    l1.wait_log("no beat was answered")
    bus.start("loader", as_name="l2")
    bus.drained(60)
    calls = [c for c in witness.calls() if c[2] != "-"]
    by = [c[3].partition(".")[2] for c in sorted(calls)]  # run.shard.attempt
    assert set(by) == {"0.0", "0.1"} and by == sorted(by) and overlaps(calls) == []
    assert by.count("0.1") == 120 > by.count("0.0")
    entries = [e for e in bus.journal() if e["id"].startswith("r")]
    assert [e["t"] for e in entries if e["t"] in ("active", "measured")] == ["active", "active", "measured"]
