"""common/work on a real Redis and a real bus: what the services hand to each other, also lost, doubled, late or forged."""
import hashlib
import json
import os
import signal

import pytest

from helpers.packed import unpack
from helpers.programs import example, lines
from helpers.servers import wait_for
from helpers.work import CONFIG, Peer, Work, said


@pytest.fixture
def work(bus):
    return Work(bus)


def test_a_run_goes_to_a_loader_and_its_result_to_the_collector(work):
    work.broker()
    work.intake()
    worker = work.worker("l1")
    run = work.plan()
    work.reaches(run, "measured")
    assert said(worker, "work") == [[run, "0", "0"]]
    assert len(work.results()) == 1 and work.results()[0].startswith(run + ".0.")
    assert worker.stop() == 0


def test_slots_are_never_given_twice_and_all_runs_end(work):
    """30 runs, two loaders with two slots: at no moment more than they said, and none is given back."""
    work.broker()
    work.intake()
    workers = [work.worker(name, slots=2, duration_ms=100) for name in ("l1", "l2")]
    runs = [work.plan() for _ in range(30)]
    for run in runs:
        assert work.reaches(run, "measured", 60)["att"] == "1"
    shares = [len(said(w, "work")) for w in workers]
    assert sum(shares) == 30 and min(shares) >= 5
    for run in runs:
        assert not {"fail", "lexp", "stall"} & set(work.show(run))


def test_shards_of_a_run_start_together_on_several_loaders(work):
    work.broker()
    work.intake()
    workers = [work.worker(name, duration_ms=200) for name in ("l1", "l2", "l3")]
    run = work.plan(shards=3)
    work.reaches(run, "measured")
    starts = [int(start[2]) for w in workers for start in said(w, "start")]
    assert len(starts) == 3 and max(starts) - min(starts) < 50_000
    assert sorted(s[1] for w in workers for s in said(w, "work")) == ["0", "1", "2"]
    assert len(work.results()) == 3


def test_a_large_run_is_not_starved_by_small_ones(work):
    """Two slots that are never free at the same time; a run of two shards among many small ones gets its turn."""
    work.broker()
    work.intake()
    work.worker("l1", duration_ms=700)
    work.worker("l2", duration_ms=1137)
    small = [work.plan() for _ in range(4)]
    large = work.plan(shards=2)
    small += [work.plan() for _ in range(30)]
    work.reaches(large, "measured", 40)
    assert any(work.state(run) != "measured" for run in small)


def test_a_run_goes_only_to_who_may_call_its_account(work):
    work.broker()
    work.intake()
    web = work.worker("l1", accounts="web")
    prod = work.worker("l2", accounts="prod,other")
    run = work.plan()
    work.reaches(run, "measured")
    assert said(prod, "work") and not said(web, "work")
    assert work.plan("web/hello", account="web") and not said(web, "revoke")


def test_a_loader_that_stops_gives_its_shard_back(work):
    work.broker()
    work.intake()
    first = work.worker("l1", duration_ms=60000)
    run = work.plan()
    work.reaches(run, "active")
    wait_for("work", lambda: said(first, "start"))
    assert first.stop() == 0
    second = work.worker("l2", duration_ms=50)
    assert work.reaches(run, "measured")["att"] == "2"
    assert said(second, "work") == [[run, "0", "1"]]
    assert len(work.results()) == 1


def test_a_cancelled_run_is_revoked_at_the_next_beat(work):
    work.broker()
    work.intake()
    worker = work.worker("l1", duration_ms=60000)
    run = work.plan()
    wait_for("work", lambda: said(worker, "start"))
    work.bus.fcall("pl_cancel", run, "because")
    assert work.reaches(run, "measured")["end"] == "cancelled"
    assert said(worker, "revoke") == [[run, "because"]]
    assert not work.results()


def test_a_killed_loader_costs_a_lease_and_the_run_is_repeated(work):
    work.broker()
    work.intake()
    first = work.worker("l1", duration_ms=60000)
    run = work.plan()
    wait_for("work", lambda: said(first, "start"))
    first.kill()
    work.worker("l2")
    shown = work.reaches(run, "measured", 30)
    assert shown["att"] == "2" and shown["stall"] == "1"


def test_a_shard_that_is_lost_takes_the_others_of_its_run_with_it(work):
    """One of three loaders dies: the others are told at a beat, and all three shards begin anew, together."""
    broker = work.broker()
    work.intake()
    workers = {name: work.worker(name, slots=2, duration_ms=4000) for name in ("l1", "l2", "l3")}
    wait_for("three loaders", lambda: broker.log().count(" is here") == 3)
    run = work.plan(shards=3)
    wait_for("three shards", lambda: sum(len(said(w, "start")) for w in workers.values()) == 3)
    workers.pop("l2").kill()
    assert work.reaches(run, "measured", 40)["att"] in ("2", "3")  # 3: the dead one was asked first
    ends = sorted(end[2] for w in workers.values() for end in said(w, "end"))
    assert ends == ["complete"] * 3 + ["fenced"] * 2
    starts = [int(start[2]) for w in workers.values() for start in said(w, "start")]
    assert max(sorted(starts)[2:]) - min(sorted(starts)[2:]) < 50_000


def test_a_stopped_loader_fences_itself_before_anything_else(work):
    """SIGSTOP for longer than the lease: another loader has it by then; the first thing the woken one does is to stop."""
    work.broker()
    work.intake()
    first = work.worker("l1", duration_ms=4000)
    run = work.plan()
    wait_for("work", lambda: said(first, "start"))
    first.signal(signal.SIGSTOP)
    second = work.worker("l2", duration_ms=50)
    assert work.reaches(run, "measured", 30)["att"] == "2"
    first.signal(signal.SIGCONT)
    wait_for("the fence", lambda: said(first, "end"))
    assert said(first, "end") == [[run, "0", "fenced"]]
    assert said(second, "end") == [[run, "0", "complete"]]
    assert len(work.results()) == 1


def test_a_broker_that_is_away_for_less_than_the_fence_costs_nothing(work):
    work.bus.lease = "6s"
    work.bus.configure(CONFIG)
    broker = work.broker()
    work.intake()
    worker = work.worker("l1", duration_ms=6000)
    run = work.plan()
    wait_for("work", lambda: said(worker, "start"))
    broker.kill()
    work.broker()
    assert work.reaches(run, "measured", 30)["att"] == "1"
    assert not said(worker, "revoke")


def test_without_a_broker_the_loader_fences_itself(work):
    broker = work.broker()
    work.intake()
    worker = work.worker("l1", duration_ms=60000)
    run = work.plan()
    wait_for("work", lambda: said(worker, "start"))
    broker.signal(signal.SIGSTOP)
    wait_for("the fence", lambda: said(worker, "end"))
    assert said(worker, "end") == [[run, "0", "fenced"]]
    broker.signal(signal.SIGCONT)
    wait_for("again", lambda: len(said(worker, "work")) == 2)


def test_an_earlier_attempt_is_over_before_the_next_begins(work):
    """Fenced, but its calls take their time; the run comes back to the same loader, which keeps the lease and waits."""
    broker = work.broker()
    work.intake()
    worker = work.worker("l1", slots=2, duration_ms=5000, env={"PROBE_LINGER_MS": "6000"})
    run = work.plan()
    wait_for("work", lambda: said(worker, "start"))
    broker.signal(signal.SIGSTOP)
    wait_for("the fence", lambda: said(worker, "revoke"))
    broker.signal(signal.SIGCONT)
    assert work.reaches(run, "measured", 30)["att"] == "2"
    words = [line.split()[0] for line in worker.log().splitlines() if line.split()[0] in ("work", "end")]
    assert words == ["work", "end", "work", "end"]


def test_redis_away_fences_loaders_and_all_goes_on_by_itself(work):
    work.broker()
    work.intake()
    worker = work.worker("l1", duration_ms=1000)
    run = work.plan()
    wait_for("work", lambda: said(worker, "start"))
    work.bus.redis.signal(signal.SIGSTOP)
    wait_for("the fence", lambda: said(worker, "end"), 10)
    work.bus.redis.signal(signal.SIGCONT)
    work.reaches(run, "measured", 30)
    assert [e[2] for e in said(worker, "end")][-1] == "complete"


def test_results_wait_in_the_spool_for_a_collector(work):
    """The lease is kept by beats meanwhile; a new process of the loader sends what the old one left."""
    work.broker()
    worker = work.worker("l1")
    run = work.plan()
    wait_for("a spooled result", lambda: any(n.endswith(".result") for n in os.listdir(work.spool("l1"))))
    wait_for("beats", lambda: work.bus.redis.client().zscore("{pl}:q:lease", run + "/0"), 5)
    before = work.bus.redis.client().zscore("{pl}:q:lease", run + "/0")
    wait_for("more beats", lambda: (work.bus.redis.client().zscore("{pl}:q:lease", run + "/0") or 0) > before + 2000)
    assert work.show(run)["att"] == "1"
    worker.kill()
    work.worker("l1")
    work.intake()
    assert work.reaches(run, "measured")["att"] == "1"
    wait_for("an empty spool", lambda: os.listdir(work.spool("l1")) == ["bad"])


def test_a_result_that_was_sent_and_lost_is_sent_again(work):
    """The collector has it in its hands, not in its head, and dies."""
    work.broker()
    intake = work.intake()
    worker = work.worker("l1", duration_ms=500)
    run = work.plan()
    wait_for("work", lambda: said(worker, "start"))
    intake.signal(signal.SIGSTOP)
    wait_for("a spooled result", lambda: any(n.endswith(".result") for n in os.listdir(work.spool("l1"))))
    intake.kill()
    work.intake()
    assert work.reaches(run, "measured")["att"] == "1"
    wait_for("an empty spool", lambda: os.listdir(work.spool("l1")) == ["bad"])


def test_files_that_nobody_can_ask_for_are_swept(work):
    """Old, and of a run that Redis does not know; what is young or known stays."""
    work.broker()
    folder = work.bus.path("state-collector", "results")
    os.makedirs(folder)
    run = work.plan(account="web")  # nobody takes it
    names = {"old": "rzzzzzzzzzzzzzzzzzzzz.f0.json", "young": "ryyyyyyyyyyyyyyyyyyyy.0.abc.json", "known": f"{run}.0.abc.json"}
    for name in names.values():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
            f.write("{}")
    for what in ("old", "known"):
        os.utime(os.path.join(folder, names[what]), (1, 1))
    work.intake()
    wait_for("the sweep", lambda: names["old"] not in work.results())
    assert work.results() == sorted([names["young"], names["known"]])
    assert work.state(run) == "planned"


def test_what_status_knows_of_loaders_comes_and_goes(work):
    work.broker()
    work.intake()
    worker = work.worker("l1", slots=3, accounts="prod")

    def loaders():
        return {k: json.loads(v) for k, v in work.bus.redis.client().hgetall("{pl}:loaders").items()}

    wait_for("l1", lambda: "l1" in loaders())
    assert loaders()["l1"]["slots"] == 3 and loaders()["l1"]["accounts"] == "prod"
    worker.stop()
    wait_for("nobody", lambda: not loaders())


# -- peers that say whatever they like --

class Loader(Peer):
    """A loader of pyzmq: one process of NAME."""

    def __init__(self, work, name, nonce="n1"):
        super().__init__(work.bus, name, "work")
        self.nonce, self.taken = nonce, 0

    def ready(self, free=1, slots=1, accounts="*"):
        self.say("READY", self.nonce, free, slots, self.taken, accounts, 5)
        return self.hear_until("READY-ACK")

    def work(self, timeout_s=5):
        """(run, token) of the next WORK."""
        got = self.hear_until("WORK", timeout_s)
        if not got:
            return None
        self.taken += 1
        return got[1], got[3]

    def beat(self, run, token, index=0, nonce=None, clock=7):
        self.say("BEAT", run, index, token, nonce or self.nonce, 1, clock)
        return self.hear_until("BEAT-ACK")

    def fail(self, run, token, retry=1, nonce=None):
        self.say("FAIL", run, 0, token, nonce or self.nonce, retry, "because")
        return self.hear_until("FAIL-ACK")


class Sender(Peer):
    def __init__(self, work, name):
        super().__init__(work.bus, name, "results")

    def result(self, run, token, index=0, nonce="n1", sha=None, more=None, change=None):
        event = example("shard.finished")
        event.update(id=f"{run}.{index}.0", plimsollrun=run)
        event["data"].update(run=run, shard={"index": index, "of": 1}, **(more or {}))
        if change:
            change(event)
        line = lines(event).rstrip(b"\n")
        self.say("RESULT", run, index, token, nonce, sha or hashlib.sha256(line).hexdigest(), line)
        return self.ack()

    def ack(self, timeout_s=10):
        ack = self.hear_until("ACK", timeout_s)
        return ack and ack[4]


def leased(work, name="l1", **kw):
    """A broker, a loader of pyzmq and the lease of a run."""
    work.broker()
    loader = Loader(work, name)
    run = work.plan(**kw)
    loader.ready()
    got, token = loader.work()
    assert got == run
    return loader, run, token


def test_what_is_said_twice_is_answered_twice_and_counts_once(work):
    work.intake()
    loader, run, token = leased(work)
    assert loader.beat(run, token)[4] == loader.beat(run, token)[4] == "OK"
    sender = Sender(work, "l1")
    assert [sender.result(run, token) for _ in range(3)] == ["OK", "DUP", "DUP"]
    assert len(work.results()) == 1 and work.show(run)["done"] == "1"
    assert loader.beat(run, token)[4] == "STALE"
    assert loader.fail(run, token)[4] == "STALE"
    assert work.state(run) == "measured"


def test_a_result_is_acknowledged_only_when_redis_has_it(work):
    """The file is there, Redis stands still: no word until it has taken the result."""
    work.intake()
    _, run, token = leased(work)
    sender = Sender(work, "l1")
    sender.heard = [["ACK", run, "0", token, "not yet"]]  # so that result() does not wait
    work.bus.redis.signal(signal.SIGSTOP)
    try:
        assert sender.result(run, token) == "not yet"
        wait_for("the file", work.results)
        assert sender.ack(1.2) is None
    finally:
        work.bus.redis.signal(signal.SIGCONT)
    assert sender.ack() == "OK" and work.state(run) == "measured"


def test_nobody_speaks_for_anothers_shard(work):
    """With the run, the shard and the token, but another key or another process: refused, and nothing changes."""
    work.intake()
    loader, run, token = leased(work)
    thief = Loader(work, "l2")
    assert thief.beat(run, token)[4] == "STALE"
    assert thief.fail(run, token)[4] == "STALE"
    assert loader.beat(run, token, nonce="another")[4] == "STALE"
    assert Sender(work, "l2").result(run, token, more={"due": 1}) == "STALE"
    assert work.results() == [] and work.state(run) == "active"
    assert loader.beat(run, token)[4] == "OK"
    assert Sender(work, "l1").result(run, token) == "OK"
    kept = work.results()
    for more in ({"due": 2}, None):  # other words, and the very same ones
        assert Sender(work, "l2").result(run, token, more=more) == "STALE"
        assert work.results() == kept


def test_a_routing_id_is_no_identity(work):
    """A second connection with the routing id of the first, and another key: WORK goes to who has the key."""
    work.broker()
    first = Loader.__new__(Loader)
    Peer.__init__(first, work.bus, "l1", "work", b"loader-1")
    first.nonce, first.taken = "n1", 0
    assert first.ready()
    second = Loader.__new__(Loader)
    Peer.__init__(second, work.bus, "l2", "work", b"loader-1")
    second.nonce, second.taken = "n1", 0
    second.say("READY", "n1", 1, 1, 0, "*", 5)
    run = work.plan()
    assert first.work()[0] == run
    assert work.show(run)["shard.0.own"] == "l1/n1"
    assert second.work(1) is None


def test_late_words_of_an_earlier_lease_change_nothing(work):
    work.intake()
    loader, run, old = leased(work)
    wait_for("the reaper", lambda: work.state(run) == "planned")
    wait_for("another lease", lambda: loader.ready() and work.state(run) == "active")
    _, new = loader.work()
    assert new != old
    assert loader.beat(run, old)[4] == "STALE"
    assert loader.fail(run, old)[4] == "STALE"
    assert Sender(work, "l1").result(run, old) == "STALE"
    assert work.results() == []
    assert loader.beat(run, new)[4] == "OK"
    assert Sender(work, "l1").result(run, new) == "OK"


def test_a_result_that_comes_late_but_before_anybody_else_began_counts(work):
    work.intake()
    _, run, token = leased(work)
    wait_for("the reaper", lambda: work.state(run) == "planned")
    assert Sender(work, "l1").result(run, token) == "OK"
    assert work.state(run) == "measured"


def test_results_that_are_not_what_they_say_are_refused(work):
    work.intake()
    _, run, token = leased(work)
    sender = Sender(work, "l1")

    def other_run(event):
        event["data"]["run"] = "rbbbbbbbbbbbbbbbbbbbb"

    def other_shard(event):
        event["data"]["shard"]["index"] = 1

    def other_type(event):
        event["type"] = "plimsoll.run.finished.v1"

    assert sender.result(run, token, sha="0" * 64) == "BAD"
    for change in (other_run, other_shard, other_type, lambda event: event.pop("id")):
        assert sender.result(run, token, change=change) == "BAD"
    sender.say("RESULT", run, 0, token, "n1", hashlib.sha256(b"{}").hexdigest(), b"{}")
    assert sender.hear_until("ACK")[4] == "BAD"
    assert Sender(work, "l1").result("rzzzzzzzzzzzzzzzzzzzz", token) == "NONE"
    assert work.results() == [] and work.state(run) == "active"
    assert sender.result(run, token) == "OK"


def test_malformed_messages_are_counted_and_nothing_else(work):
    work.intake()
    loader, run, token = leased(work)
    before = work.show(run)
    sender = Sender(work, "l1")
    for peer in (loader, sender):
        for words in ([""], ["READY"], ["READY", "x"], ["BEAT", run, 0, token, "n1", 1], ["BEAT", run, 4096, token, "n1", 1, 5],
                      ["BEAT", "a b", 0, token, "n1", 1, 5], ["FAIL", run, "-1", token, "n1", 1, "x"], ["x" * 70000],
                      ["RESULT", run, 0, token, "n1", "0" * 64, b""], ["READY", "n\x00", 1, 1, 0, "*", 5],
                      ["READY", "n1", 1, 1, 0, "a b,,\xff,../x," + "y" * 300, 5], ["WORK", run, 0, token, 1, 0, 0, "{}"],
                      [b"\xff" * 10] * 15):
            peer.say(*words)
    after = work.show(run)
    assert {k: v for k, v in after.items() if k != "upd"} == {k: v for k, v in before.items() if k != "upd"}
    assert loader.beat(run, token)[4] == "OK"
    assert sender.result(run, token) == "OK"
    assert all(p.is_alive() for p in work.bus.processes)


def test_a_planner_of_another_version_is_refused_and_its_silence_is_told(work):
    """It hears one frame of version 2, answers in several of version 1, and then nothing."""
    import zmq
    with zmq.Context() as context, context.socket(zmq.ROUTER) as planner:
        planner.linger, planner.rcvtimeo = 0, 20000
        planner.curve_server, planner.curve_secretkey = True, work.bus.server[1].encode()
        planner.bind(work.bus.endpoints()[0])
        worker = work.worker("l1")
        routing_id, ready = planner.recv_multipart()
        assert unpack(ready)[0] == b"READY" and unpack(ready)[-1].isdigit()
        planner.send_multipart([routing_id, b"READY-ACK", b"30000", b"5", b"1790000000000"])
        worker.wait_log("dropped a message of the server, which does not speak version 2 of the bus")
        worker.wait_log("the planner does not answer")
        assert said(worker, "work") == []


def test_credit_is_what_the_loader_said_less_what_is_under_way(work):
    """READYs that left before a WORK came do not count the slot twice."""
    work.broker()
    loader = Loader(work, "l1")
    for _ in range(5):
        work.plan()
    loader.ready()
    first = loader.work()
    loader.taken = 0  # as if that WORK had not come yet
    for _ in range(3):
        loader.ready()
    assert first and loader.work(0.5) is None
    loader.taken = 1
    loader.ready(free=0)
    assert loader.work(0.5) is None
    loader.ready(free=1)
    assert loader.work()


def test_a_work_that_comes_after_its_lease_is_never_begun(work):
    """The loader stands still while its WORK and its lease go by: it asks before it begins."""
    broker = work.broker()
    work.intake()
    worker = work.worker("l1")
    wait_for("the loader", lambda: "loader l1 is here" in broker.log())
    worker.signal(signal.SIGSTOP)
    run = work.plan()
    work.reaches(run, "active")
    work.reaches(run, "planned")
    worker.signal(signal.SIGCONT)
    work.reaches(run, "measured")
    assert said(worker, "work") == [[run, "0", "1"]]


def test_a_revoked_loader_is_not_heard_any_more(work):
    loader, run, token = leased(work)
    assert loader.beat(run, token)[4] == "OK"
    del work.bus.loaders["l1"]
    work.bus.write_loaders()
    wait_for("silence", lambda: not (loader.say("BEAT", run, 0, token, "n1", 1, 9), loader.hear(0.5))[1])
    wait_for("the reaper", lambda: work.state(run) == "planned")
    second = Loader(work, "l2")
    second.ready()
    assert second.work()[0] == run


def test_two_processes_with_one_key_are_two_loaders(work):
    """Each has its own shards; what one says of the other's is refused."""
    work.broker()
    one, two = Loader(work, "l1", "one"), Loader(work, "l1", "two")
    runs = {work.plan(), work.plan()}
    one.ready()
    two.ready()
    a, b = one.work(), two.work()
    assert {a[0], b[0]} == runs
    assert one.beat(*a)[4] == two.beat(*b)[4] == "OK"
    assert one.beat(*b)[4] == "STALE"
