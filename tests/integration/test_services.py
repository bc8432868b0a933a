"""The services end to end: a change that Redis is told comes out as a group of metrics."""
import copy
import signal
import time

import pytest

from helpers.programs import example
from helpers.servers import wait_for

CONFIG = """\
accounts:
  web: {{provider: http, allow: [127.0.0.1], quiet_time: 0s}}
functions:
  web/hello: {{url: '{url}/ok', payload: '{{}}', tests: [tiny]}}
tests:
  tiny:
    workload: {{executor: constant-arrival-rate, rate: 20/s, duration: 1s, spread: off}}
    warmup: 0s
    when: [added, code]
metrics: {{gate: {{response_p50: {{tolerance: 10%}}}}}}
limits: {{abort_error_ratio: 100%}}
"""


def change(n=0):
    e = copy.deepcopy(example("function.changed"))
    e["subject"] = "web/hello"
    e["id"] = e["data"]["change"]["id"] = f"c{n:020d}"
    e["data"]["change"].update(kind="code", causes=["code"])
    e["data"]["target"] = {"provider": "http", "is_immutable": False}
    e["data"].pop("candidates", None)
    e["data"].pop("limits", None)
    return e


@pytest.fixture
def services(bus, nginx, pushgateway):
    """Planner, one loader, collector and sink; nginx is the target."""
    bus.configure(CONFIG.format(url=nginx().url))
    bus.add_loader("l2")
    for stage in ("planner", "collector"):
        bus.start(stage)
    bus.start("loader", as_name="l1")
    bus.start("sink", "--to", "pushgateway=" + pushgateway.url)
    bus.gateway = pushgateway
    return bus


@pytest.mark.measures
def test_a_change_becomes_a_group_of_metrics(services):
    assert services.ingest(change())[0] == "OK"
    services.drained()
    text = wait_for("the group", lambda: services.gateway.metrics())
    line = next(s for s in text.splitlines() if s.startswith("plimsoll_run_outcome") and 'outcome="valid"' in s)
    assert line.endswith(" 1") and 'function="hello"' in line, line


def active(bus):
    return bus.redis.client().zcard("{pl}:st:active")


def shards_of(loader):
    return [line.split("shard ")[1].split(" ")[0] for line in loader.log().splitlines() if ": complete" in line]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_run_goes_to_another_loader_when_its_own_ends(services, how):
    first = services.processes[-2]
    assert services.ingest(change())[0] == "OK"
    wait_for("the run", lambda: active(services))
    second = services.start("loader", as_name="l2")
    services.processes[0].wait_log("loader l2 is here")
    first.signal(how)
    services.drained()
    assert not shards_of(first) and len(shards_of(second)) == 1
    assert first.popen.wait() == (0 if how == signal.SIGTERM else -how)


def test_a_run_is_published_only_when_the_gateway_has_it(services):
    services.gateway.signal(signal.SIGSTOP)
    try:
        assert services.ingest(change())[0] == "OK"
        r = services.redis.client()
        run = wait_for("a verdict", lambda: r.zrange("{pl}:st:judged", 0, 0), 30)[0]
        wait_for("the sink", lambda: (r.zscore("{pl}:q:out", "web/hello") or 0) > r.time()[0] * 1000 + 2000)
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            assert r.hget("{pl}:r:" + run, "st") == "judged"
            assert any(e.startswith("f:" + run) for e in r.lrange("{pl}:out:web/hello", 0, -1))
            time.sleep(0.1)
    finally:
        services.gateway.signal(signal.SIGCONT)
    services.drained()
    assert r.hget("{pl}:r:" + run, "st") == "published" and "plimsoll_run_outcome" in services.gateway.metrics()


@pytest.mark.parametrize("stage", ["planner", "collector", "sink"])
def test_a_stage_that_dies_in_a_run_is_not_missed(services, stage):
    assert services.ingest(change())[0] == "OK"
    wait_for("the run", lambda: active(services))
    next(p for p in services.processes if p.name == stage).kill()
    services.start(stage, *(["--to", "pushgateway=" + services.gateway.url] if stage == "sink" else []))
    services.drained()
    text = services.gateway.metrics()
    assert sum("plimsoll_run_outcome" in s and 'outcome="valid"' in s for s in text.splitlines()) == 1
    assert services.redis.client().hget("{pl}:f:web/hello", "results") == "1"
