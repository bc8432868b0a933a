"""Stages on the bus, in trouble: Redis away, a disk that takes nothing, the end of the process, systemd."""
import os
import signal
import socket
import stat

import pytest

import test_bus_pipe as recorded
from helpers.programs import pl
from helpers.servers import wait_for
from test_collector import shard


@pytest.fixture
def set_up(bus):
    return bus.configure(recorded.CONFIG)


def text(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def queued(bus):
    return bus.redis.client().zcard("{pl}:q:new")


def test_waits_for_redis_before_it_is_ready_and_ends_when_told(set_up):
    bus = set_up
    bus.redis.stop()
    read, write = os.pipe()
    os.set_inheritable(write, True)
    p = bus.start("planner")
    p.wait_log("level=warn")
    assert p.is_alive() and p.stop() == 0
    assert p.log().count("level=warn") == 1, "said once"
    os.close(read)
    os.close(write)


def test_a_redis_that_comes_back_is_enough(set_up):
    bus = set_up
    p = bus.start("planner")
    p.wait_log("Redis answers")
    bus.redis.kill()
    p.wait_log("level=warn")
    bus.redis.start()
    for event in recorded.recorded():
        assert bus.ingest(event)[0] == "OK"
    wait_for("plans", lambda: not queued(bus))
    assert p.log().count("level=warn") <= 2 and p.stop() == 0, "said once, and what came of it"


def test_a_planner_that_dies_has_lost_nothing(set_up):
    bus = set_up
    for event in recorded.recorded():
        bus.ingest(event)
    redis = bus.redis.client()
    for _ in range(3):
        p = bus.start("planner")
        p.wait_log("Redis answers")
        p.kill()
    bus.start("planner")
    wait_for("plans", lambda: not queued(bus))
    planned = [k for k in redis.scan_iter("{pl}:r:*", count=1000)]
    assert len(planned) == 6, "one run for each change but the removed one"


def measured(bus):
    """A run that waits for the collector. Its id."""
    bus.start("planner")
    assert bus.ingest(recorded.change("alpha"))[0] == "OK"
    wait_for("a plan", lambda: bus.redis.client().zcard("{pl}:q:run"))
    (run,) = [k.split(":")[-1] for k in bus.redis.client().scan_iter("{pl}:r:*", count=1000)]
    shard = recorded.json.loads(bus.redis.client().hget("{pl}:s:" + run, "0"))
    recorded.as_a_loader(bus, run, shard)
    return run


def test_a_disk_that_takes_nothing_keeps_the_run_measured(set_up):
    bus = set_up
    run = measured(bus)
    in_the_way = os.path.join(bus.state, "collector", "results", run + ".f0.json")
    os.mkdir(in_the_way)  # nothing can be renamed over it
    collector = bus.start("collector")
    collector.wait_log("cannot keep")
    assert bus.redis.client().hget("{pl}:r:" + run, "st") == "measured"
    os.rmdir(in_the_way)
    collector.wait_log("could be kept")
    wait_for("a verdict", lambda: bus.redis.client().hget("{pl}:r:" + run, "st") == "judged")
    assert collector.log().count("cannot keep") == 1, "said once"


def test_a_damaged_result_is_told_as_incomplete(set_up):
    bus = set_up
    run = measured(bus)
    folder = os.path.join(bus.state, "collector", "results")
    (name,) = os.listdir(folder)
    with open(os.path.join(folder, name), "ab") as f:
        f.write(b" ")
    collector = bus.start("collector")
    wait_for("a verdict", lambda: bus.redis.client().hget("{pl}:r:" + run, "st") == "judged")
    with open(os.path.join(folder, run + ".f0.json"), encoding="utf-8") as f:
        told = recorded.json.load(f)["data"]
    assert told["outcome"] == "incomplete" and "damaged" in told["reason"]
    assert "cannot be used" in collector.log()


def believable(planned):
    """A result of equal code that nothing is to be said against."""
    return dict(shard(run=planned["plimsollrun"], add_us=0), subject=planned["subject"])


def test_a_report_after_the_verdict_amends_it(set_up, monkeypatch):
    """And the objective that was unknown without it is judged."""
    bus = set_up
    monkeypatch.setattr(recorded, "result", believable)
    run = measured(bus)
    bus.start("collector")
    sink = bus.start("sink", "--to", "file=" + bus.path("told"))
    bus.drained()
    report = recorded.copy.deepcopy(recorded.example("measurement.reported"))
    report["data"]["run"] = report["plimsollrun"] = run
    assert bus.fcall("pl_report", run, report["id"], recorded.lines(report).decode().rstrip("\n")) == ["OK"]
    wait_for("an amendment", lambda: bus.redis.client().hget("{pl}:r:" + run, "rev") == "1", 90)
    bus.drained()
    with open(bus.path("told"), encoding="utf-8") as f:
        told = [recorded.json.loads(line)["data"] for line in f]
    assert [t["rev"] for t in told] == [0, 1] and told[1]["external"] and told[0]["verdict"] == told[1]["verdict"]
    assert told[1]["outcome"] == "valid", told[1]["reason"]
    objective = [t["objectives"][1] for t in told]
    assert [o["is_met"] for o in objective] == [None, True] and objective[1]["value"] == 0.75, objective
    assert objective[0]["reason"] == "no figure from coverage" and "reason" not in objective[1]
    assert sink.is_alive()


def runs(bus, change):
    """Plans that answer this change, by its place in the queue."""
    redis = bus.redis.client()
    found = [redis.hgetall(k) for k in redis.scan_iter("{pl}:r:*", count=1000)]
    return [recorded.json.loads(r["plan"])["data"]["run"] for r in found if r["chg"] == change]


def test_a_run_to_confirm_is_planned_as_one(set_up):
    bus = set_up
    event = recorded.change("alpha")
    first, wish = "r" + "a" * 20, "k" + "a" * 20
    bus.start("planner")
    line = recorded.lines(event).decode().rstrip("\n")
    assert bus.fcall("pl_ingest", wish, event["subject"], "confirm", line, first)[0] == "OK"
    wait_for("a plan", lambda: runs(bus, wish))
    (run,) = runs(bus, wish)
    assert run["purpose"] == "confirm" and run["confirms"] == first and run["change"] == event["id"]


def test_what_calibrate_measured_reaches_the_plan(set_up):
    bus = set_up
    event = recorded.change("alpha")
    assert bus.fcall("pl_put", f"calibrated/{event['subject']}", '{"lottery": 0.125, "runs": 10}') == ["OK"]
    bus.start("planner")
    assert bus.ingest(event)[0] == "OK"
    wait_for("a plan", lambda: runs(bus, event["id"]))
    plans = [recorded.json.loads(r)["data"] for k in bus.redis.client().scan_iter("{pl}:r:*") for r in [bus.redis.client().hget(k, "plan")]]
    assert [p["lottery"] for p in plans] == [0.125]


def test_a_dead_run_that_is_tried_again_is_a_new_one(set_up):
    bus = set_up
    event = recorded.change("alpha")
    bus.start("planner")
    bus.ingest(event)
    wait_for("a plan", lambda: runs(bus, event["id"]))
    (run,) = runs(bus, event["id"])
    token = bus.fcall("pl_lease", run["id"], "nonce", 30000, "l/1")[1]
    assert bus.fcall("pl_fail", run["id"], 0, token, "l/1", 0, "it cannot be", 0)[0] == "OK"
    assert bus.fcall("pl_dead", "retry", run["id"])[0] == "OK"
    retry = wait_for("another plan", lambda: [k.split(":")[-1] for k in bus.redis.client().scan_iter("{pl}:c:d*")])
    wait_for("another plan", lambda: runs(bus, retry[0]))
    (again,) = runs(bus, retry[0])
    assert again["id"] != run["id"] and again["change"] == retry[0]


@pytest.mark.parametrize("why, said", [
    ("the role may not be assumed", "the role may not be assumed"),
    ("the role may not be assumed" + "\u00e9" * 100, "the role may not be assumed" + "\u00e9" * 40),  # byte 200 is half a letter
    (b"\xff\x9b2J", "for no reason that is text"),
], ids=["short", "cut", "no text"])
def test_a_run_that_died_is_told_with_its_reason(set_up, why, said):
    bus = set_up
    event = recorded.change("alpha")
    bus.start("planner")
    bus.ingest(event)
    wait_for("a plan", lambda: runs(bus, event["id"]))
    (run,) = runs(bus, event["id"])
    token = bus.fcall("pl_lease", run["id"], "nonce", 30000, "l/1")[1]
    bus.fcall("pl_fail", run["id"], 0, token, "l/1", 0, why, 0)
    bus.start("collector")
    bus.start("sink", "--to", "file=" + bus.path("told"))
    bus.drained()
    with open(bus.path("told"), encoding="utf-8") as f:
        (told,) = [recorded.json.loads(line)["data"] for line in f]
    assert told["outcome"] == "failed" and said in told["reason"]


def test_without_money_a_change_is_planned_again_and_refused(set_up):
    bus = set_up
    bus.configure(recorded.CONFIG.replace("cost_per_day: 1000 USD", "cost_per_day: 0.003 USD"))
    for name in recorded.NAMES[:4]:
        bus.ingest(recorded.change(name))
    bus.start("planner")
    wait_for("plans", lambda: not queued(bus), 30)
    redis = bus.redis.client()
    states = [redis.hget(k, "st") for k in redis.scan_iter("{pl}:r:*", count=1000)]
    booked = sum(int(v) for v in redis.hgetall("{pl}:money").values())
    assert len(states) == 4 and states.count("planned") == 1 and booked <= 3000


def test_options_that_make_no_sense_on_the_bus(set_up, tmp_path):
    bus = set_up
    plain = tmp_path / "plain.yaml"
    plain.write_text(recorded.CONFIG)
    assert pl("planner", "--bus", "--config", plain).code == 100
    r = pl("collector", "--bus", "--config", bus.config_path, env=bus.environment("collector"))
    assert r.code == 100 and "--state" in r.errors
    assert pl("planner", "--bus", "--check", "--config", bus.config_path).code == 0


def test_systemd_is_told(set_up, tmp_path):
    bus = set_up
    path = bus.run_dir + "/notify"
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(path)
    listener.settimeout(20)
    p = bus.start("planner", env={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "400000"})

    def until(text):
        heard = []
        while not heard or not heard[-1].startswith(text):
            heard.append(listener.recv(400).decode())
        return heard
    until("READY=1")
    until("WATCHDOG=1")
    p.signal(signal.SIGHUP)
    until("RELOADING=1")
    until("READY=1")
    bus.redis.kill()
    until("STATUS=Redis: ")
    bus.redis.start()
    until("STATUS=ready")
    p.signal(signal.SIGTERM)
    until("STOPPING=1")
    listener.close()
    assert stat.S_ISSOCK(os.stat(path).st_mode)


def test_a_sink_that_is_told_the_wrong_folder_loses_nothing(set_up):
    bus = set_up
    run = measured(bus)
    bus.start("collector")
    redis = bus.redis.client()
    wait_for("a verdict", lambda: redis.hget("{pl}:r:" + run, "st") == "judged")
    results = os.path.join(bus.state, "collector", "results")
    os.rename(results, results + ".aside")
    sink = bus.start("sink", "--to", "file=" + bus.path("told"))
    sink.wait_log("cannot be told")
    assert redis.hget("{pl}:r:" + run, "st") == "judged"
    os.rename(results + ".aside", results)
    bus.drained()
    with open(bus.path("told"), encoding="utf-8") as f:
        assert [recorded.json.loads(line)["plimsollrun"] for line in f] == [run]


def test_a_destination_that_is_away_does_not_keep_news_from_the_others(set_up):
    bus = set_up
    run = measured(bus)
    bus.start("collector")
    bus.start("sink", "--to", "file=" + bus.path("told"), "--to", "pushgateway=http://127.0.0.1:1")
    redis = bus.redis.client()
    told = bus.path("told")
    wait_for("a verdict", lambda: os.path.exists(told) and os.path.getsize(told))
    report = recorded.copy.deepcopy(recorded.example("measurement.reported"))
    report["data"]["run"] = report["plimsollrun"] = run
    bus.fcall("pl_report", run, report["id"], recorded.lines(report).decode().rstrip("\n"))
    wait_for("the amendment", lambda: len(text(told).splitlines()) == 2)
    assert recorded.json.loads(text(told).splitlines()[1])["data"]["rev"] == 1
    assert redis.zcard("{pl}:q:out") == 1, "the gateway is still owed"
