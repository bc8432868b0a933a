"""The sink on the bus: every destination is told once, one in trouble holds up no other, and the Pushgateway is right again
soon after it is back. Results are put into Redis as planner and collector would."""
import hashlib
import json
import os
import signal
import sqlite3
import time

import pytest

from helpers.bus import Bus
from helpers.programs import lines
from helpers.servers import Pushgateway, http, wait_for
from test_sink import functions, result

CONFIG = "accounts:\n  prod: {provider: http, allow: [127.0.0.1]}\n"
BACK_S = 60  # RELIABILITY: right again after so long


class Checked(Pushgateway):
    """One that was started as our unit starts it: it does not look at all series at each push."""

    def command(self):
        return [*super().command(), "--push.disable-consistency-check"]


def line(event):
    return lines(event).decode().rstrip("\n")


def tell(bus, names, turn=0, **data):
    """A change, its plan and its result of each function, judged: what the sink has to tell."""
    folder = os.path.join(bus.state, "collector", "results")
    os.makedirs(folder, exist_ok=True)
    pipe = bus.redis.client().pipeline(transaction=False)
    for name in names:
        fn = f"prod/{name}"
        ident = hashlib.sha256(f"{name} {turn}".encode()).hexdigest()[:20]
        change, run = "c" + ident, "r" + ident
        event, plan = result(fn, change, "function.changed"), result(fn, run, "run.planned")
        event["id"] = event["data"]["change"]["id"] = change
        plan["data"]["run"]["change"] = change
        text = line(result(fn, run, **data)).encode()
        with open(os.path.join(folder, run + ".f0.json"), "wb") as f:
            f.write(text)
        for words in (("pl_ingest", change, fn, "change", line(event)),
                      ("pl_plan", change, "2026-11-22", 0, 0, 1, run, "skip", line(plan), 0, 0, "prod", 0, 0),
                      ("pl_judge", run, 0, hashlib.sha256(text).hexdigest(), len(text), "better", 0, "", 0), ("pl_told", run)):
            pipe.execute_command("FCALL", words[0], 0, *words[1:])
    replies = pipe.execute()
    assert {r[0] for r in replies} == {"OK"}, [r for r in replies if r[0] != "OK"][:3]


def in_file(path):
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as f:
        return [json.loads(x)["subject"].split("/")[1] for x in f]


def names(count, prefix="f"):
    return [f"{prefix}{i:04d}" for i in range(count)]


def states(bus):
    r = bus.redis.client()
    return {r.hget(k, "st") for k in r.scan_iter("{pl}:r:*", count=1000)}


@pytest.fixture
def set_up(bus, tmp_path, pushgateway):
    bus.configure(CONFIG)
    bus.gateway, bus.file = pushgateway, str(tmp_path / "told")

    def sink(*more, to=None, env=None):
        to = to or ["file=" + bus.file, "pushgateway=" + pushgateway.url]
        return bus.start("sink", *(x for t in to for x in ("--to", t)), *more, env=env)
    bus.sink = sink
    return bus


def groups(bus):
    return [f.split("/")[1] for f in functions(bus.gateway)]


def test_all_have_it_and_it_is_published(set_up):
    bus = set_up
    tell(bus, names(20))
    p = bus.sink()
    bus.drained(30)
    assert sorted(in_file(bus.file)) == names(20) == groups(bus)
    assert states(bus) == {"published"} and bus.redis.client().keys("{pl}:dv:*") == []
    assert p.stop() == 0, "a verdict is no exit code of a service"


def stopped(gateway):
    gateway.fixed_port = gateway.port
    gateway.stop()
    return gateway.start


def hanging(gateway):
    gateway.signal(signal.SIGSTOP)
    return lambda: gateway.signal(signal.SIGCONT)


@pytest.mark.parametrize("trouble", [stopped, hanging])
def test_a_gateway_in_trouble_holds_up_nobody(set_up, trouble):
    bus = set_up
    p = bus.sink()
    p.wait_log("Redis answers")
    comes_back = trouble(bus.gateway)
    for turn, letter in enumerate("fg"):
        tell(bus, names(30, letter))
        wait_for("the file", lambda: len(in_file(bus.file)) == 30 * (turn + 1), 5)
    tell(bus, names(30), 1)  # news of what the gateway does not have yet
    wait_for("the file", lambda: len(in_file(bus.file)) == 90, 5)
    redis = bus.redis.client()
    wait_for("it to be noted", lambda: sum(redis.scard(k) for k in redis.keys("{pl}:dv:f:*")) == 90)
    p.kill()  # who has it already is in Redis
    p = bus.sink()
    tell(bus, names(30, "h"))
    wait_for("the file", lambda: len(in_file(bus.file)) == 120, 5)
    assert "judged" in states(bus), "the gateway does not have it"
    comes_back()
    back = time.monotonic()
    bus.drained(BACK_S)
    print(f"right again {time.monotonic() - back:.1f} s after the gateway was back")
    assert groups(bus) == names(30) + names(30, "g") + names(30, "h") and states(bus) == {"published"}
    assert len(in_file(bus.file)) == 120, "told once, with a restart in between"


def test_one_that_was_restarted_empty_is_filled_again(set_up):
    bus = set_up
    tell(bus, names(50))
    bus.sink()
    bus.drained(30)
    bus.gateway.restart_empty()
    back = time.monotonic()
    wait_for("all groups", lambda: groups(bus) == names(50), BACK_S)
    print(f"filled again after {time.monotonic() - back:.1f} s")


def test_a_group_that_is_refused_stands_alone(set_up):
    """Somebody else's metric of the same name and another type: the gateway says 400 to the groups that have it."""
    bus = set_up
    http(bus.gateway.url + "/metrics/job/somebody", b"# TYPE plimsoll_objective_met counter\nplimsoll_objective_met 1\n", "PUT")
    tell(bus, ["refused"])
    tell(bus, names(10), objectives=[])
    p = bus.sink()
    bus.drained(30)  # it counts as given up
    wait_for("the stump to go", lambda: groups(bus) == names(10))
    assert "refuses the group of prod/refused" in p.log()
    wait_for("the count", lambda: 'function="_service",instance="",job="plimsoll"} 1' in bus.gateway.metrics())
    tell(bus, names(10), 1, objectives=[])
    bus.drained(5)
    assert sorted(in_file(bus.file)) == sorted([*names(10), *names(10), "refused"]) and states(bus) == {"published"}


def test_slow_programs_hold_up_nobody_and_give_up(set_up, tmp_path):
    bus = set_up
    program = tmp_path / "slow"
    program.write_text(f"#!/bin/sh\ncat >/dev/null\nsleep 0.2\necho x >>{tmp_path / 'heard'}\n")
    program.chmod(0o755)
    bus.sink(to=["file=" + bus.file, f"exec={program}"])
    tell(bus, names(20))
    wait_for("the file", lambda: len(in_file(bus.file)) == 20, 5)
    assert not os.path.exists(tmp_path / "heard") or os.path.getsize(tmp_path / "heard") < 40
    bus.drained(30)
    assert (tmp_path / "heard").read_text().count("x") == 20


def test_an_archive_that_cannot_be_written_gets_it_later(set_up, tmp_path):
    bus = set_up
    path = tmp_path / "a.sqlite"
    bus.sink(to=["file=" + bus.file, f"archive={path}"])
    wait_for("the archive", path.exists)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    tell(bus, names(5))
    wait_for("the file", lambda: len(in_file(bus.file)) == 5, 30)
    holder.execute("COMMIT")
    holder.close()
    bus.drained(BACK_S)
    assert sqlite3.connect(path).execute("SELECT count(*) FROM runs").fetchone() == (5,)


def test_groups_that_nobody_knows_are_removed(set_up):
    bus = set_up
    tell(bus, names(3))
    for account in ("prod", "elsewhere"):
        http(f"{bus.gateway.url}/metrics/job/plimsoll/account/{account}/function/gone", b"x 1\n", "PUT")
    bus.sink("--sweep", "1s")
    bus.drained(30)
    wait_for("the sweep", lambda: functions(bus.gateway) == ["elsewhere/gone", *("prod/" + n for n in names(3))])


def test_a_function_that_is_removed_has_no_group(set_up):
    bus = set_up
    tell(bus, names(2))
    bus.sink()
    bus.drained(30)
    removed = result("prod/f0000", "c" + "9" * 20, "function.removed")
    removed["id"] = "c" + "9" * 20
    assert bus.ingest(removed)[0] == "OK"
    wait_for("no group", lambda: groups(bus) == ["f0001"])



def shared(gateway):
    return sorted(g["batch"] for g in gateway.groups() if "batch" in g)


def test_many_functions_in_one_group(bus, pushgateway):
    """A gateway that checks: one of another team."""
    bus.configure(CONFIG + f"sinks:\n  pushgateway: {{url: '{pushgateway.url}', mode: batch}}\n")
    bus.gateway = pushgateway
    http(f"{pushgateway.url}/metrics/job/plimsoll/account/prod/function/f0001", b"x 1\n", "PUT")
    tell(bus, names(200))
    bus.start("sink", "--sweep", "1s")
    bus.drained(60)
    assert shared(pushgateway) == [f"{i:02d}" for i in range(16)]
    found = {x.split('function="')[1].split('"')[0] for x in pushgateway.metrics().split("\n") if x.startswith("plimsoll_run_outcome{")}
    assert found == set(names(200))
    wait_for("no group of one function", lambda: groups(bus) == [])
    removed = result("prod/f0000", "c" + "9" * 20, "function.removed")
    removed["id"] = "c" + "9" * 20
    assert bus.ingest(removed)[0] == "OK"
    wait_for("it is gone", lambda: 'function="f0000"' not in pushgateway.metrics())


@pytest.mark.measures
@pytest.mark.parametrize("count", [int(os.environ.get("GATEWAY_FUNCTIONS", "5000"))])
def test_five_thousand_functions_are_pushed_again(tmp_path, count):
    with Bus(tmp_path / "bus", appendfsync="no") as bus, Checked(tmp_path / "gateway") as gateway:
        bus.configure(CONFIG)
        bus.gateway = gateway
        tell(bus, names(count))
        began = time.monotonic()
        bus.start("sink", "--to", "pushgateway=" + gateway.url)
        bus.drained(BACK_S)
        told = time.monotonic() - began
        gateway.restart_empty()
        back = time.monotonic()
        wait_for("all groups", lambda: len(gateway.groups()) == count + 1, BACK_S, 0.5)
        print(f"{count} functions on {os.cpu_count()} cores: told in {told:.1f} s, pushed again {time.monotonic() - back:.1f} s "
              "after the gateway was back")
