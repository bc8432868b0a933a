"""The functions of Redis, one rule of docs/STATE.md at a time. The model test walks everywhere; these say why."""
import glob
import os
import shutil

from helpers.jobs import DAY, Jobs, pairs
from helpers.servers import Redis, wait_for
import pytest
from redis.exceptions import OutOfMemoryError, ReadOnlyError

FN = "prod/hello"


@pytest.fixture
def server(redis):
    return redis(appendfsync="no")


@pytest.fixture
def jobs(server):
    return Jobs(server)


def published(jobs, run):
    jobs.shard(run, jobs.lease(run)["token"])
    jobs.judge(run)
    jobs.publish()
    return run


# -- fencing --

def test_who_lost_the_lease_cannot_write_any_more(jobs):
    run = jobs.planned()
    old = jobs.lease(run, "l1")["token"]
    jobs.beat(run, old)
    jobs.expire(run)
    new = jobs.lease(run, "l2")["token"]
    assert new != old
    assert jobs.shard(run, old, "l1") == ["STALE", "active"]
    assert jobs.beat(run, old, "l1") == ["STALE", "active"]
    assert jobs.fail(run, old, "l1") == ["STALE", "active"]
    assert jobs.shard(run, new, "l2") == ["OK", "0"]
    assert jobs.shard(run, old, "l1") == ["STALE", "measured"]


def test_the_same_loader_is_another_one_after_its_lease(jobs):
    run = jobs.planned()
    old = jobs.lease(run, "l1")["token"]
    jobs.expire(run)
    new = jobs.lease(run, "l1")["token"]
    assert jobs.shard(run, old, "l1") == ["STALE", "active"]
    assert jobs.beat(run, old, "l1") == ["STALE", "active"]
    assert jobs.fail(run, old, "l1") == ["STALE", "active"]
    assert jobs.shard(run, new, "l1") == ["OK", "0"]


def test_a_token_without_the_shard_is_worth_nothing(jobs):
    run = jobs.planned(shards=2)
    token = jobs.lease(run, "l1", "l2")["token"]
    assert jobs.shard(run, token, "l1", i=1) == ["STALE", "active"]
    assert jobs.beat(run, token, "l2", i=0) == ["STALE", "active"]
    assert jobs.shard(run, token, "l2", i=1) == ["OK", "1"]


def test_one_run_of_a_function_at_a_time(jobs):
    change = jobs.ingest()
    runs = [f"r{i:020d}" for i in range(2)]
    words = [word for run in runs for word in (run, "test", "plan", 0, 0, "prod", 1, 0, "shard")]
    assert jobs("pl_plan", change, DAY, 0, 0, 2, *words) == ["OK"]
    assert jobs("pl_ready", 10, "*")[1::3] == runs[:1]
    assert jobs.lease(runs[1]) == {"code": "NO", "why": "busy"}
    token = jobs.lease(runs[0])["token"]
    assert jobs.lease(runs[1]) == {"code": "NO", "why": "busy"}
    jobs.shard(runs[0], token)
    assert jobs("pl_ready", 10, "*")[1::3] == runs[1:]
    token = jobs.lease(runs[1])["token"]
    newer = jobs.planned()
    assert jobs("pl_ready", 10, "*") == ["OK"] and jobs.lease(newer) == {"code": "NO", "why": "busy"}
    jobs.shard(runs[1], token)
    assert jobs("pl_ready", 10, "*")[1::3] == [newer]


# -- late, lost, dead --

def test_a_late_result_is_taken_while_nobody_began_anew(jobs):
    run = jobs.planned(cost=300)
    token = jobs.lease(run, "l1")["token"]
    jobs.beat(run, token)
    jobs.expire(run)
    assert jobs.state(run) == "planned"
    assert jobs.shard(run, token, "l2") == ["STALE", "planned"]
    assert jobs.shard(run, token, "l1") == ["OK", "0"]
    assert jobs.state(run) == "measured"
    assert jobs.shard(run, token, "l1") == ["DUP"]
    assert jobs("pl_ready", 10, "*") == ["OK"]
    assert jobs.redis.client().hget("{pl}:money", DAY) == "300"


def test_a_late_shard_of_several_is_not_taken(jobs):
    run = jobs.planned(shards=2)
    token = jobs.lease(run, "l1", "l2")["token"]
    assert jobs.shard(run, token, "l1") == ["OK", "1"]
    jobs.make_due("lease", f"{run}/1")
    assert jobs("pl_reap", 100) == ["OK", "1"]
    assert jobs.shard(run, token, "l2", i=1) == ["STALE", "planned"]
    jobs.make_due("run", run)
    again = jobs.lease(run, "l1", "l2")["token"]
    assert jobs.shard(run, again, "l1") == ["OK", "1"]
    assert jobs.shard(run, again, "l2", i=1) == ["OK", "0"]


@pytest.mark.parametrize("how,most,why", [("stall", 3, "lease over (stall 3)"), ("lexp", 20, "lease over (lexp 20)"),
                                          ("fail", 3, "broken (fail 3)")])
def test_a_run_that_kills_its_loaders_ends_dead(jobs, how, most, why):
    run = jobs.planned()
    for i in range(most):
        assert jobs.state(run) == "planned"
        token = jobs.lease(run)["token"]
        jobs.beat(run, token, is_running=int(how == "stall"))
        if how == "fail":
            jobs.fail(run, token, why="broken")
        else:
            jobs.expire(run)
    assert jobs.state(run) == "measured dead"
    assert jobs.run(run)["why"] == why
    assert jobs("pl_list", "dead")[1:4] == ["1", run, FN]


def test_a_loader_that_stops_is_not_its_run_s_failure(jobs):
    run = jobs.planned()
    for _ in range(5):
        assert jobs.fail(run, jobs.lease(run)["token"], is_retry=2) == ["OK", "planned"]
    assert jobs.fail(run, jobs.lease(run)["token"], is_retry=0, why="cannot be") == ["OK", "measured"]
    assert jobs.state(run) == "measured dead"


def test_the_back_off_grows_while_nobody_begins_to_eight_seconds(jobs):
    run, waits = jobs.planned(), []
    for _ in range(12):
        jobs.lease(run)
        jobs.make_due("lease")
        now = jobs.redis.client().time()
        jobs("pl_reap", 100)
        waits.append(jobs.redis.client().zscore("{pl}:q:run", run) - (now[0] * 1000 + now[1] / 1000))
        assert jobs.lease(run) == {"code": "NO", "why": "later"}
        jobs.make_due("run")
    for wait, want in zip(waits, [1, 2, 4, 8, 8, 8, 8, 8, 8, 8, 8, 8]):
        assert want * 1000 - 2 <= wait <= want * 1000 + 2000


def test_leases_that_nobody_began_do_not_lengthen_the_back_off_of_a_run_that_was_lost(jobs):
    """In a storm of kills two-shard runs were left for minutes after it was over."""
    run = jobs.planned()
    for _ in range(10):
        jobs.lease(run)
        jobs.make_due("lease")
        jobs("pl_reap", 100)
        jobs.make_due("run")
    token = jobs.lease(run)["token"]
    assert jobs.beat(run, token, is_running=1) == ["OK"]
    jobs.make_due("lease")
    now = jobs.redis.client().time()
    jobs("pl_reap", 100)
    assert jobs.redis.client().zscore("{pl}:q:run", run) - (now[0] * 1000 + now[1] / 1000) <= 3000


def test_a_dead_run_is_told_and_can_be_tried_again(jobs):
    run = jobs.planned()
    jobs.fail(run, jobs.lease(run)["token"], is_retry=0)
    assert jobs.judge(run, verdict="cannot-tell") == ["OK"]
    assert f"f:{run}.0" in jobs.publish()
    assert jobs("pl_dead", "retry", run) == ["OK"]
    assert jobs("pl_dead", "retry", run) == ["NOOP"]
    (_, id, kind, _, fn, line, _) = jobs("pl_changes", 10, 1000)
    assert (id, kind, fn) == ("d" + run[1:], "change", FN)
    assert line == jobs.hash("c", jobs.run(run)["chg"])["line"]
    again = jobs.plan(id)
    assert jobs.shard(again, jobs.lease(again)["token"]) == ["OK", "0"]


def test_a_dead_run_is_not_tried_again_when_something_newer_is_there(jobs):
    run = jobs.planned()
    jobs.fail(run, jobs.lease(run)["token"], is_retry=0)
    jobs.ingest()
    assert jobs("pl_dead", "retry", run) == ["NOOP"]
    assert jobs("pl_dead", "drop", run) == ["OK"]
    assert jobs("pl_list", "dead") == ["OK", "0"]


# -- changes --

def test_a_repeat_of_an_event_is_known_in_every_state(jobs):
    change = jobs.ingest()
    assert jobs("pl_ingest", change, FN, "change", "x") == ["DUP", "queued"]
    jobs.plan(change)
    assert jobs("pl_ingest", change, FN, "change", "x") == ["DUP", "planned"]
    newer, newest = jobs.ingest(), jobs.ingest()
    assert jobs("pl_ingest", newer, FN, "change", "x") == ["DUP", "cancelled"]
    assert jobs.function(FN)["pend"] == newest
    assert jobs.function(FN)["gen"] == "4"  # three changes and a plan: a repeat tells nothing


def test_a_roll_back_is_a_change_of_its_own(jobs):
    """A, B, A: the events differ though the code does not."""
    runs = [published(jobs, jobs.planned()) for _ in range(3)]
    assert [jobs.state(run) for run in runs] == ["published"] * 3
    assert jobs.function(FN)["results"] == "3"


def test_a_plan_that_is_repeated_changes_nothing(jobs):
    change = jobs.ingest()
    run = jobs.plan(change, cost=100)
    assert jobs("pl_plan", change, DAY, 0, 0, 1, run, "test", "plan", 100, 0, "prod", 1, 0, "shard") == ["STALE", "planned"]
    assert jobs.redis.client().hget("{pl}:money", DAY) == "100"


@pytest.mark.parametrize("mut,expected", [(False, ["OK"]), (True, ["CANCEL", "superseded"])])
def test_a_newer_change_ends_an_active_run_only_when_its_target_is_mutable(jobs, mut, expected):
    run = jobs.planned(mut=mut)
    token = jobs.lease(run)["token"]
    jobs.ingest()
    assert jobs.beat(run, token) == expected
    if mut:
        assert jobs.shard(run, token) == ["STALE", "measured"]
        assert jobs.state(run) == "measured cancelled"
        assert "results" not in jobs.function(FN)
    else:
        assert jobs.shard(run, token) == ["OK", "0"]


def test_a_newer_change_replaces_what_waits(jobs):
    waiting, run = jobs.planned(), None
    queued = jobs.ingest()
    assert jobs.state(waiting) == "measured cancelled"
    run = jobs.planned()
    assert jobs.hash("c", queued)["st"] == "cancelled"
    assert jobs("pl_ready", 10, "*")[1::3] == [run]


def test_an_older_run_has_no_second_try_beside_a_newer_change(jobs):
    run = jobs.planned()
    token = jobs.lease(run)["token"]
    jobs.ingest()
    assert jobs.fail(run, token) == ["OK", "measured"]
    assert jobs.state(run) == "measured cancelled"


def test_a_function_removed_while_its_run_is_active(jobs):
    run, told = jobs.planned(), []
    token = jobs.lease(run)["token"]
    jobs.beat(run, token)
    removed = jobs.ingest(kind="removed")
    told = jobs.publish()
    assert f"c:{removed}" in told
    assert jobs.beat(run, token) == ["CANCEL", "removed"]
    assert jobs.fail(run, token, is_retry=0) == ["OK", "published"]
    assert jobs.state(run) == "published cancelled"
    assert jobs("pl_measured", 10, 1000) == ["OK"]
    assert jobs("pl_out", 10, 1000) == ["OK"]


def test_a_result_of_a_function_that_was_removed_is_told_to_nobody(jobs):
    run = jobs.planned()
    jobs.shard(run, jobs.lease(run)["token"])
    jobs.ingest(kind="removed")
    jobs.publish()
    assert jobs.judge(run) == ["OK"]
    assert jobs.state(run) == "published"
    assert jobs("pl_out", 10, 1000) == ["OK"]


def test_a_function_that_comes_back_is_tested_again(jobs):
    published(jobs, jobs.planned())
    jobs.ingest(kind="removed")
    run = jobs.planned()
    assert "removed" not in jobs.function(FN)
    assert published(jobs, run) and jobs.function(FN)["results"] == "2"


# -- confirmation --

def test_a_confirmation_is_queued_once_and_replaces_nothing(jobs):
    run = jobs.planned()
    jobs.shard(run, jobs.lease(run)["token"])
    assert jobs.judge(run, confirm=1) == ["OK"]
    assert jobs.judge(run, confirm=1) == ["DUP"]
    assert jobs("pl_list", "queued")[1:5] == ["1", "k" + run[1:21], FN, "confirm"]
    (_, id, kind, confirms, *_) = jobs("pl_changes", 10, 1000)
    assert (id, kind, confirms) == ("k" + run[1:21], "confirm", run)
    assert jobs("pl_ingest", "mine", FN, "confirm", "x", run) == ["NOOP", "newer"]
    jobs.ingest()
    assert jobs.hash("c", "k" + run[1:21])["st"] == "cancelled"


def test_an_amendment_to_worse_is_confirmed_too_and_once(jobs):
    run = jobs.planned()
    jobs.shard(run, jobs.lease(run)["token"])
    assert jobs.judge(run) == ["OK"]
    assert jobs("pl_list", "queued")[1] == "0"
    assert jobs.judge(run, rev=1, confirm=1) == ["OK"]
    assert jobs("pl_list", "queued")[1:5] == ["1", "k" + run[1:21], FN, "confirm"]
    assert jobs.judge(run, rev=2, confirm=1) == ["OK"]
    assert jobs("pl_list", "queued")[1] == "1"


def test_no_confirmation_of_an_amendment_beside_a_newer_change(jobs):
    run = jobs.planned()
    jobs.shard(run, jobs.lease(run)["token"])
    assert jobs.judge(run) == ["OK"]
    newer = jobs.ingest()
    assert jobs.judge(run, rev=1, confirm=1) == ["OK"]
    assert jobs("pl_list", "queued")[1:3] == ["1", newer]


def test_no_confirmation_beside_a_newer_change(jobs):
    run = jobs.planned()
    token = jobs.lease(run)["token"]
    newer = jobs.ingest()
    jobs.shard(run, token)
    assert jobs.judge(run, confirm=1) == ["OK"]
    assert jobs("pl_list", "queued")[1:3] == ["1", newer]


# -- money, resources --

def test_no_run_is_planned_beyond_the_money_of_the_day(jobs):
    first = jobs.ingest("prod/a")
    jobs.plan(first, cost=700, day_limit=1000)
    second = jobs.ingest("prod/b")
    assert jobs("pl_plan", second, DAY, 1000, 0, 1, "r9", "test", "p", 400, 0, "prod", 1, 0, "s") == ["NOMONEY", "700"]
    assert jobs.hash("c", second)["st"] == "queued"
    assert jobs.plan(second, cost=400, decision="refuse", day_limit=1000)
    assert jobs.redis.client().hget("{pl}:money", DAY) == "700"


def test_a_forged_cost_stays_a_number(jobs):
    for _ in range(12):
        run = jobs.planned(fn="prod/forged", cost=100)
        jobs.shard(run, jobs.lease(run)["token"])
        assert jobs("pl_judge", run, 0, "a" * 64, 10, "worse", 0, 9 * 10**17, 0)[0] == "OK"
    assert jobs.redis.client().hget("{pl}:money", DAY) == str(12 * 10**12)


@pytest.mark.parametrize("end,left", [("never leased", 0), ("leased, never begun", 0), ("begun", 500), ("judged", 120)])
def test_money_is_given_back_when_nothing_was_called(jobs, end, left):
    run = jobs.planned(cost=500)
    if end == "judged":
        jobs.shard(run, jobs.lease(run)["token"])
        jobs.judge(run, cost=120)
    elif end == "never leased":
        jobs("pl_cancel", run, "a person")
    else:
        token = jobs.lease(run)["token"]
        jobs.beat(run, token, is_running=int(end == "begun"))
        jobs.fail(run, token, is_retry=0)
        jobs.judge(run, cost=0)  # what the collector cannot know is not settled
    assert jobs.redis.client().hget("{pl}:money", DAY) == str(left)


def test_each_try_that_called_is_paid(jobs):
    run = jobs.planned(cost=500)
    jobs.beat(run, jobs.lease(run)["token"])
    jobs.expire(run)
    token = jobs.lease(run)["token"]
    assert jobs.redis.client().hget("{pl}:money", DAY) == "1000"
    jobs.shard(run, token)
    jobs.judge(run, cost=450)
    assert jobs.redis.client().hget("{pl}:money", DAY) == "950"


@pytest.mark.parametrize("leave", ["shard", "fail", "expire", "cancel"])
def test_resources_are_held_while_active_and_not_longer(jobs, leave):
    limit = [("prod/calls", 2, 3)]
    one, two = jobs.planned("prod/a", resources=limit), jobs.planned("prod/b", resources=limit)
    token = jobs.lease(one)["token"]
    assert jobs.redis.client().hgetall("{pl}:res") == {"prod/calls": "2"}
    assert jobs("pl_ready", 10, "*") == ["OK"]
    assert jobs.lease(two) == {"code": "NO", "why": "resource prod/calls"}
    assert jobs("pl_list", "planned")[10] == "prod/calls is in use"
    if leave == "shard":
        jobs.shard(one, token)
    elif leave == "fail":
        jobs.fail(one, token, backoff_ms=60000)
    elif leave == "expire":
        jobs.make_due("lease")
        jobs("pl_reap", 10)
    else:
        jobs("pl_cancel", one, "a person")
        jobs.shard(one, token)
    assert jobs.redis.client().hgetall("{pl}:res") == {}
    assert jobs("pl_ready", 10, "*")[1:2] == [two]


# -- outbox --

def test_an_entry_stays_until_it_is_done_and_remembers_who_has_it(jobs):
    run = jobs.planned()
    [(fn, entries)] = jobs.outbox(jobs("pl_out", 10, 30000))
    assert [e["entry"] for e in entries] == ["c:c1", f"p:{run}"] and jobs("pl_out", 10, 30000) == ["OK"]
    assert jobs("pl_delivered", "c:c1", "gateway", "annotations") == ["OK"]
    jobs.make_due("out")
    [(_, entries)] = jobs.outbox(jobs("pl_out", 10, 30000))
    assert entries[0]["to"] == ["annotations", "gateway"]
    jobs.shard(run, jobs.lease(run)["token"])
    jobs.judge(run)  # between pl_out and pl_out_done
    assert jobs("pl_out_done", fn, "c:c1", f"p:{run}") == ["OK", "1"]
    [(_, entries)] = jobs.outbox(jobs("pl_out", 10, 30000))
    assert [e["ref"] for e in entries] == [f"{run}.f0.json"]


def test_what_a_destination_did_not_take_waits_for_the_end_of_its_hold(jobs):
    run = jobs.planned()
    [(fn, _)] = jobs.outbox(jobs("pl_out", 10, 30000))
    assert jobs("pl_out_done", fn, "c:c1") == ["OK", "1"]
    assert jobs("pl_out", 10, 30000) == ["OK"]
    jobs.make_due("out")
    assert [e["entry"] for e in jobs.outbox(jobs("pl_out", 10, 30000))[0][1]] == [f"p:{run}"]


def test_an_amendment_takes_the_place_of_what_was_not_told(jobs):
    run = jobs.planned()
    jobs.shard(run, jobs.lease(run)["token"])
    jobs.judge(run)
    assert jobs.judge(run, rev=1, verdict="better") == ["OK"]
    assert jobs.judge(run, rev=0) == ["STALE", "judged"]
    assert jobs.publish()[2:] == [f"f:{run}.1"]
    assert jobs.state(run) == "published"
    assert jobs("pl_report", run, "m1", "figures") == ["OK"]
    assert jobs.judge(run, rev=2) == ["OK"]
    assert jobs.state(run) == "judged" and jobs.redis.client().ttl(f"{{pl}}:r:{run}") == -1
    assert jobs.publish() == [f"f:{run}.2"]
    assert jobs.function(FN)["results"] == "1"


# -- all or nothing --

def contents(server):
    """Everything in Redis, comparable."""
    client, found = server.client(), {}
    for key in sorted(client.keys("*")):
        read = {"hash": lambda k: client.hgetall(k), "list": lambda k: client.lrange(k, 0, -1), "set": lambda k: client.smembers(k),
                "zset": lambda k: client.zrange(k, 0, -1, withscores=True), "string": lambda k: client.get(k),
                "stream": lambda k: client.xrange(k)}[client.type(key)]
        found[key] = read(key)
    return found


class Noting(Jobs):
    """Notes after each command what is in Redis."""

    def __init__(self, redis):
        super().__init__(redis)
        self.states = [contents(redis)]

    def __call__(self, *words):
        reply = super().__call__(*words)
        self.states.append(contents(self.redis))
        return reply

    def make_due(self, *where):
        super().make_due(*where)
        self.states.append(contents(self.redis))


def a_life(jobs):
    """A call of each kind that writes."""
    change = jobs.ingest()
    run = jobs.plan(change, cost=10, shards=2, resources=[("prod/calls", 1, 5)])
    token = jobs.lease(run, "l1", "l2")["token"]
    jobs.beat(run, token)
    jobs.fail(run, token, "l2", i=1)
    token = jobs.lease(run, "l1", "l2")["token"]
    jobs.shard(run, token)
    jobs.shard(run, token, "l2", i=1)
    jobs.judge(run, confirm=1, cost=7)
    jobs.publish()
    jobs("pl_told", run)
    jobs.ingest(kind="removed")


def test_an_aof_that_is_cut_anywhere_holds_whole_moves(redis, tmp_path):
    server = redis(aof_rewrite_incremental_fsync="no")
    jobs = Noting(server)
    path = glob.glob(os.path.join(server.aof, "*.incr.aof"))[0]
    first = os.path.getsize(path)
    a_life(jobs)
    server.stop()
    states = jobs.states
    size = os.path.getsize(path)
    cuts, seen = [first + (size - first) * i // 36 for i in range(37)], set()
    for n, cut in enumerate(cuts):
        folder = tmp_path / f"cut-{n}"
        shutil.copytree(server.aof, folder / "appendonlydir")
        os.truncate(folder / "appendonlydir" / os.path.basename(path), cut)
        with Redis(folder, appendfsync="no") as after:
            found = contents(after)
            assert found in states, f"half a move in an AOF cut at byte {cut} of {size}"
            seen.add(states.index(found))
            assert after.call("FCALL", "pl_version", 0)[0] == "OK"
            assert not set(Jobs(after).audit())
    assert len(seen) > 8 and {0, len(states) - 1} <= seen


def test_full_memory_refuses_the_intake_and_lets_the_rest_come_to_its_end(server, jobs):
    run, waiting = jobs.planned("prod/a"), jobs.planned("prod/b")
    token = jobs.lease(run)["token"]
    change = jobs.ingest("prod/c")
    server.client().config_set("maxmemory", 1)
    with pytest.raises(OutOfMemoryError):
        jobs.ingest("prod/d")
    assert jobs.hash("c", "c99") == {} and "prod/d" not in str(jobs("pl_list", "queued"))
    assert pairs(jobs("pl_status")[1:])["active"] == "1"
    assert jobs("pl_show", run)[0] == "OK" and jobs("pl_docs", "planner") == ["OK"]
    assert jobs.beat(run, token) == ["OK"]
    assert jobs.shard(run, token) == ["OK", "0"]
    assert jobs.judge(run) == ["OK"]
    assert jobs("pl_told", run) == ["OK"]
    assert jobs.publish("prod/a") and jobs.state(run) == "published"
    token = jobs.lease(waiting)["token"]
    assert jobs.fail(waiting, token, is_retry=0) == ["OK", "measured"]
    assert jobs.plan(change) and jobs("pl_reap", 10) == ["OK", "0"] and jobs.audit() == []
    with pytest.raises(OutOfMemoryError):
        jobs("pl_report", run, "m1", "line")
    server.client().config_set("maxmemory", 0)
    assert jobs.ingest("prod/d")


def test_reading_goes_on_when_nothing_can_be_written(server, jobs):
    """A replica, as one that must not be written to: the functions that only read say so to Redis."""
    run = jobs.planned()
    server.call("REPLICAOF", "127.0.0.1", "1")
    with pytest.raises(ReadOnlyError):
        jobs.ingest()
    for words in (("pl_ready", 1, "*"), ("pl_docs", "planner"), ("pl_status",), ("pl_list", "planned"), ("pl_show", run),
                  ("pl_version",)):
        assert jobs(*words)[0] == "OK"
    server.call("REPLICAOF", "NO", "ONE")


# -- audit --

@pytest.mark.parametrize("lost", ["q:new", "q:run", "q:meas", "q:out", "st:queued", "st:planned", "st:active", "st:measured",
                                  "st:judged", "res", "dead", "fq:prod/planned", "out:prod/judged"])
def test_an_index_that_is_lost_is_made_again(server, jobs, lost):
    jobs.ingest("prod/queued")
    jobs.planned("prod/planned")
    jobs.lease(jobs.planned("prod/active", resources=[("prod/calls", 2, 5)]))
    for fn in ("measured", "judged", "dead"):
        run = jobs.planned("prod/" + fn)
        token = jobs.lease(run)["token"]
        jobs.fail(run, token, is_retry=0) if fn == "dead" else jobs.shard(run, token)
        if fn != "measured":
            jobs.judge(run)
    before = contents(server)
    assert jobs.audit() == []
    assert server.client().delete("{pl}:" + lost) == 1
    mended = jobs.audit()
    assert mended
    assert jobs.audit() == []
    after = contents(server)
    if lost == "out:prod/judged":  # the result is told again, not the plan
        assert [e[:2] for e in after["{pl}:" + lost]] == ["f:"]
    else:
        names = lambda key: sorted(m[0] if isinstance(m, tuple) else m for m in key)  # noqa: E731  scores may differ
        assert names(after["{pl}:" + lost]) == names(before["{pl}:" + lost])


def test_a_lease_that_is_lost_is_one_again(server, jobs):
    run = jobs.planned()
    token = jobs.lease(run)["token"]
    server.client().delete("{pl}:q:lease")
    assert jobs.audit() == [f"lease {run}/0"]
    assert jobs.beat(run, token) == ["OK"]
    jobs.expire(run)
    assert jobs.state(run) == "planned"


def test_times_that_lie_too_far_ahead_are_clamped(server, jobs):
    """The clock was put back by a day."""
    run = jobs.planned()
    jobs.lease(run)
    jobs.ingest("prod/other")
    client, now = server.client(), server.client().time()[0] * 1000
    far = now + 86_400_000
    for queue, member in (("lease", f"{run}/0"), ("out", FN), ("new", client.zrange("{pl}:q:new", 0, 0)[0])):
        client.zadd("{pl}:q:" + queue, {member: far})
    assert jobs("pl_reap", 100) == ["OK", "0"]
    for queue in ("lease", "out", "new"):
        assert client.zrange("{pl}:q:" + queue, -1, -1, withscores=True)[0][1] <= now + 65_000


def test_ready_gives_those_behind_their_turn(server, jobs):
    """More runs that cannot start than one call looks at: the others are found within some seconds."""
    pipe = server.client().pipeline(transaction=False)
    for i in range(1300):
        pipe.execute_command("FCALL", "pl_ingest", 0, f"c{i}", f"a/f{i}", "change", "line")
        pipe.execute_command("FCALL", "pl_plan", 0, f"c{i}", DAY, 0, 0, 1, f"r{i}", "test", "p", 0, 0,
                             "mine" if i == 1200 else "other", 1, 0, "s")
    pipe.execute()
    jobs.redis.client().zadd("{pl}:q:run", {f"r{i}": i for i in range(1300)})
    assert wait_for("its turn", lambda: jobs("pl_ready", 5, "mine")[1:] == ["r1200", "1", "mine"], 10)
