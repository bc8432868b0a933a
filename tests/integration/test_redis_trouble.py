"""Redis down, full, without disk, killed while it rewrites its file: nothing that was accepted is lost, what cannot be
accepted is refused, and all goes on by itself (docs/RELIABILITY.md, R1 to R3). DOWN_S=30 for the long form."""
import os
import signal
import subprocess
import time

import pytest
import redis as redispy

from fault.world import World
from helpers.servers import wait_for

DOWN_S = float(os.environ.get("DOWN_S", "6"))
REFUSED = redispy.exceptions.OutOfMemoryError


@pytest.fixture
def world(tmp_path):
    made = []

    def start(**kw):
        w = World(str(tmp_path / f"w{len(made)}"), functions=10, **kw)
        made.append(w)
        return w.start()
    yield start
    for w in made:
        w.stop()


def change_all(w, until=None):
    for f in w.functions:
        w.change(f)


def ends_well(w, timeout_s=60):
    w.wait_idle(timeout_s)
    assert w.wrong() == []
    assert not w.supervisor.given_up()


def test_all_goes_well(world):
    w = world()
    change_all(w)
    ends_well(w)
    results = [f for f in os.listdir(os.path.join(w.bus.state, "collector", "results")) if f.endswith(".f0.json")]
    assert len(results) == len(w.functions)


def test_redis_is_down(world):
    w = world()
    change_all(w)
    w.supervisor.hold("redis", signal.SIGKILL)
    until = time.monotonic() + DOWN_S
    wait_for("the stages to say so", lambda: all("redis" in w.supervisor.log(n).lower() for n in ("planner", "collector", "sink")), 10)
    wait_for("the end of the pause", lambda: time.monotonic() > until, DOWN_S + 5)
    assert all(w.supervisor.services[n].starts == 1 for n in ("planner", "collector", "sink")), "a stage waits, it does not die"
    w.supervisor.release("redis")
    servers_up = wait_for("Redis", w.redis_answers, 10)
    assert servers_up
    change_all(w)
    ends_well(w)


def test_redis_is_full(world):
    w = world()
    change_all(w)
    w.redis.call("CONFIG", "SET", "maxmemory", "1mb")
    with pytest.raises(REFUSED):
        for _ in range(1000):
            w.change("f0")
    w.wait_idle(60)                                  # what was accepted comes to its end
    w.redis.call("CONFIG", "SET", "maxmemory", "512mb")
    change_all(w)
    ends_well(w)


def mount_small(folder, size):
    if os.geteuid() != 0:
        pytest.skip("a small file system needs root")
    os.makedirs(folder, exist_ok=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip("cannot mount a small file system here: " + done.stderr.strip())


def fill(path, folder):
    with open(path, "wb", buffering=0) as f:
        try:
            while True:
                f.write(b"x" * 4096)
        except OSError:
            pass
    assert os.statvfs(folder).f_bavail == 0


def test_the_disk_of_redis_is_full(world, tmp_path):
    disk = str(tmp_path / "w0" / "bus" / "redis")
    mount_small(disk, "24m")
    try:
        w = world()
        change_all(w)
        fill(disk + "/filler", disk)
        with pytest.raises((redispy.exceptions.RedisError, TimeoutError)):
            for f in w.functions * 20:
                w.feed(w.event(f, "change"), "change", patience_s=1)
        wait_for("Redis to have ended or to refuse", lambda: w.supervisor.deaths["redis"] or not w.redis_answers() or
                 "MISCONF" in w.supervisor.log("redis"), 10)
        os.unlink(disk + "/filler")
        wait_for("Redis", w.redis_answers, 15)
        change_all(w)
        ends_well(w)
        w.stop()
    finally:
        subprocess.run(["umount", "-l", disk], check=False)


def test_redis_is_killed_while_it_rewrites(world):
    w = world()
    for turn in range(8):
        change_all(w)
        w.redis.call("BGREWRITEAOF")
        time.sleep(0.002 * turn)                     # another moment of the rewrite each time: nothing to wait for
        w.kill("redis")
        wait_for("Redis", w.redis_answers, 10)
    ends_well(w)
