"""How a pipe ends when something in it ends early: nothing is lost silently, nothing green comes of it."""
import json
import os
import signal
import subprocess
import time

import pytest

from helpers.programs import binary, dying_with_us, lines, start
from helpers.servers import wait_for


@pytest.fixture
def change(site):
    """A function with two versions, and the event that says so."""
    site.configure(rate="8/s", duration="70s", warmup="4s")
    fn = site.cloud.create("hello", sleep_ms=50, label="old", witness=site.path("witness"))
    old = fn.publish()
    new = fn.update(sleep_ms=50, label="new").publish()
    return site.changed(fn, old, new)


class Running:
    """planner | loader | collector | sink, each with its own standard error and a tee behind it."""

    def __init__(self, site, event, *sink_args):
        self.site, self.p = site, {}
        source = subprocess.PIPE
        for name, more in (("planner", ("--state", "state")), ("loader", ()), ("collector", ()),
                           ("sink", sink_args or ("--to", "terminal"))):
            with open(site.path(name + ".err"), "wb") as err:
                self.p[name] = subprocess.Popen(
                    dying_with_us([binary(name), "--config", "plimsoll.yaml", *more]), stdin=source, stdout=subprocess.PIPE,
                    stderr=err, cwd=site.folder, env=site.environment())
            if source is not subprocess.PIPE:
                source.close()
            source = self.p[name].stdout
        self.feed = self.p["planner"].stdin
        self.feed.write(lines(event))
        self.feed.flush()

    def wait_for_calls(self, n=10):
        def has_calls():
            path = self.site.path("witness")
            if not os.path.exists(path):
                return False
            with open(path, "rb") as f:
                return f.read().count(b"\n") >= n
        wait_for(f"{n} calls", has_calls, 60)

    def end(self, timeout_s=60):
        self.feed.close()
        out = self.p["sink"].stdout.read().decode()
        return out, {n: p.wait(timeout_s) for n, p in self.p.items()}

    def errors(self, name):
        with open(self.site.path(name + ".err"), encoding="utf-8") as f:
            return f.read()

    def close(self):
        for p in self.p.values():
            if p.poll() is None:
                p.kill()
                p.wait()
            p.stdout.close()
        try:
            self.feed.close()
        except OSError:
            pass


@pytest.fixture
def running(site, change):
    r = Running(site, change)
    yield r
    r.close()


@pytest.mark.parametrize("victim", ["loader", "collector"])
def test_a_killed_stage_is_incomplete_and_111(running, victim):
    running.wait_for_calls()
    running.p[victim].kill()
    out, codes = running.end()
    assert codes["sink"] == 111, (out, codes, running.errors("sink"))
    assert "incomplete" in out and "prod/hello" in out
    assert codes["planner"] == 0


def test_a_stopped_loader_drains_and_never_says_0(running):
    """SIGTERM: the shard ends early but is reported; the run says that it was cut short."""
    running.wait_for_calls()
    running.p["loader"].terminate()
    out, codes = running.end()
    assert codes["loader"] == 0, running.errors("loader")
    assert codes["sink"] in (2, 111), (out, codes)
    assert "prod/hello" in out


def test_a_second_signal_ends_at_once_with_111(site, change):
    plan = site.plan([change]).out
    p = start("loader", "--config", site.path("plimsoll.yaml"), "--drain", "60s", env=site.env(), home=site.folder)
    try:
        p.stdin.write(plan)
        p.stdin.flush()
        wait_for("a call", lambda: os.path.exists(site.path("witness")), 60)
        p.send_signal(signal.SIGTERM)
        p.send_signal(signal.SIGTERM)
        began = time.monotonic()
        assert p.wait(20) in (0, 111)
        assert time.monotonic() - began < 10
    finally:
        p.kill()
        p.communicate()


def test_a_reader_that_left_while_a_run_is_held_is_111(site, change):
    plan = site.plan([change]).out
    p = start("loader", "--config", site.path("plimsoll.yaml"), env=site.env(), home=site.folder)
    try:
        p.stdin.write(plan)
        p.stdin.flush()
        wait_for("a call", lambda: os.path.exists(site.path("witness")), 60)
        p.stdout.close()
        p.stdout = None
        assert p.wait(60) == 111, p.stderr.read()
        assert b"unfinished" in p.stderr.read()
    finally:
        p.kill()
        p.communicate()


def test_the_end_of_input_finishes_what_is_held(site, change):
    site.configure(rate="8/s", duration="5s", warmup="1s")
    result = site.pipe([change])
    assert result.code == 0, result
    shard = next(e for e in site.events("loader") if e["type"] == "plimsoll.shard.finished.v1")
    assert shard["data"]["outcome"] == "complete"
    finished = result.of("run.finished")
    assert len(finished) == 1
    assert finished[0]["data"]["verdict"] == "cannot-tell", "5 s are too few blocks"
    assert json.dumps(finished[0]["data"]).find("few-blocks") > 0
