"""The watcher on the bus: what it notices gets into Redis once, whatever dies or is full meanwhile."""
import pytest

import test_watcher as watcher
from helpers.servers import wait_for


@pytest.fixture
def watched(bus, cloud):
    """Two known functions, and a watcher that follows the account."""
    bus.configure(watcher.CONFIG.format(region=cloud.region, url=cloud.server.url, functions=watcher.TESTED, quiet="100ms",
                                        account=", publish_versions: keep 3"))
    bus.functions = [cloud.create("a"), cloud.create("b")]
    bus.cloud_env = dict(cloud.env(), AWS_EC2_METADATA_DISABLED="true")
    bus.cloud_env.pop("AWS_ENDPOINT_URL")
    follow(bus)
    wait_for("the inventory", lambda: len(told(bus)) == 2, 30)
    return bus


def follow(bus):
    bus.watcher = bus.start("watcher", "--follow", env=bus.cloud_env)
    return bus.watcher


def told(bus):
    """(function, causes) of each change that Redis knows, oldest first."""
    import json
    redis = bus.redis.client()
    found = [redis.hgetall(k) for k in redis.scan_iter("{pl}:c:*", count=1000)]
    found.sort(key=lambda c: int(c["seq"]))
    return [(c["fn"], json.loads(c["line"])["data"]["change"]["causes"]) for c in found]


def test_a_change_is_told_once_and_remembered_by_the_next_process(watched):
    bus = watched
    assert sorted(told(bus)) == [("prod/a", ["first-seen"]), ("prod/b", ["first-seen"])]
    bus.functions[0].update(sleep_ms=1)
    wait_for("the change", lambda: len(told(bus)) == 3, 30)
    bus.watcher.kill()
    bus.functions[1].update(sleep_ms=1)
    follow(bus)
    wait_for("the change of a time without a watcher", lambda: len(told(bus)) == 4, 30)
    assert told(bus)[2:] == [("prod/a", ["code"]), ("prod/b", ["code"])]
    assert bus.watcher.stop(30) == 0
    assert len(told(bus)) == 4


def test_a_full_redis_refuses_and_the_change_comes_later(watched):
    bus = watched
    redis = bus.redis.client()
    redis.config_set("maxmemory", "1kb")
    bus.functions[0].update(sleep_ms=1)
    bus.watcher.wait_log("OOM", 30)
    assert len(told(bus)) == 2
    redis.config_set("maxmemory", "512mb")
    wait_for("the change", lambda: len(told(bus)) == 3, 30)
    assert told(bus)[2] == ("prod/a", ["code"])
    assert bus.watcher.log().count("OOM") == 1, "said once"
