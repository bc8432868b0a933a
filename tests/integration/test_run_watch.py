"""plimsoll run, watch, pause, accept and the looking commands, as a person uses them, on functions of the emulator.

One emulator, three whole runs (fixture `runs`), else runs that are cut short: about a minute and a half.
"""
import os
import pty
import re
import select
import signal
import subprocess
import time

import pytest

from helpers.cloud import Cloud, read_witness
from helpers.programs import binary, clean_env, dying_with_us, pl, start
from helpers.servers import Pushgateway, wait_for

pytestmark = [pytest.mark.measures, pytest.mark.timeout(240)]

CONFIG = """\
accounts:
  prod: {{provider: aws, region: {region}, endpoint: "{url}", publish_versions: keep 5, poll: 1s, quiet_time: 1s}}
functions:
  prod/*: {{payload: '{{}}', instance: /instance, cold: /cold, tests: [compare]}}
  prod/asks: {{tests: [compare]}}
  prod/left: {{tests: []}}
tests:
  compare:
    workload: {{executor: constant-arrival-rate, rate: 5/s, duration: {duration}, spread: 4}}
    warmup: 3s
metrics: {{gate: {{response_p50: {{tolerance: 10%}}}}}}
objectives: {{prod/same: [cloudwatch/errors < 1, sonar/coverage >= 80]}}
limits: {{cost_per_run: {cost}, cost_per_day: 10 USD, rate: 200/s, concurrency: {concurrency}}}
sources: {{sonar: {{exec: "{source}"}}}}
sinks:
  pushgateway: {{url: "{gateway}"}}
"""


CALLS = 88     # whole rounds of 2 * 4 calls, one each 1.6 s, within 3 + 16 s
SHORT = 48     # within 3 + 8 s


class Door:
    """A person's folder: settings, home, state."""

    def __init__(self, folder, cloud, gateway):
        self.folder, self.cloud, self.gateway = folder, cloud, gateway
        self.source = folder / "sonar.sh"
        self.source.write_text("""#!/bin/sh\necho '{"name": "coverage", "value": 81.5, "unit": "1"}'\n""")
        self.source.chmod(0o755)
        self.path = folder / "plimsoll.yaml"
        self.path.write_text(self.settings())

    def settings(self, duration="16s", cost="1 USD", concurrency=64):
        return CONFIG.format(region=self.cloud.region, url=self.cloud.server.url, gateway=self.gateway.url, source=self.source,
                             duration=duration, cost=cost, concurrency=concurrency)

    def other(self, name, **changes):
        """Other settings beside the usual ones."""
        path = self.folder / name
        path.write_text(self.settings(**changes))
        return path

    def env(self):
        env = self.cloud.env()
        env.pop("AWS_ENDPOINT_URL")
        return dict(env, AWS_EC2_METADATA_DISABLED="true")

    def __call__(self, *args, **kw):
        return pl("plimsoll", *args, env=self.env(), home=self.folder, cwd=self.folder, **kw)

    def start(self, *args):
        return start("plimsoll", *args, env=self.env(), home=self.folder, cwd=self.folder)

    def on_terminal(self, *args):
        return Terminal(args, clean_env(self.env(), self.folder), self.folder)

    def witness(self, name):
        return read_witness(self.folder / name)

    def called(self, name, count):
        """Waits until the function was called that often."""
        wait_for(f"{count} calls of {name}", lambda: len(self.witness(name)) >= count, 30)

    def settled(self, name):
        """How often it was called, once the emulator has worked through what was cut off."""
        seen = [-1]

        def is_quiet():
            seen.append(len(self.witness(name)))
            return seen[-1] == seen[-2]
        wait_for(f"{name} quiet", is_quiet, 30, every_s=1)
        return seen[-1]

    def left_running(self):
        """Our programs that still work on these settings."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    line = f.read().decode().split("\0")
            except OSError:
                continue
            if "plimsoll-" in line[0] and any(str(self.folder) in word for word in line):
                found.append(line)
        return found


class Terminal:
    """The front door on a terminal of its own."""

    def __init__(self, args, env, cwd):
        self.fd, inner = pty.openpty()
        self.p = subprocess.Popen(["setsid", "--ctty", *dying_with_us([binary("plimsoll"), *args])], env=env, cwd=cwd,
                                  stdin=inner, stdout=inner, stderr=inner)
        os.close(inner)
        self.text = ""

    def read(self, timeout_s):
        """What comes until then; False at the end."""
        if not select.select([self.fd], [], [], timeout_s)[0]:
            return True
        try:
            self.text += os.read(self.fd, 65536).decode("utf-8", "replace")
        except OSError:
            return False
        return True

    def wait_for(self, pattern, timeout_s=30):
        end = time.monotonic() + timeout_s
        while not re.search(pattern, self.text):
            assert time.monotonic() < end and self.read(0.2), f"{pattern} does not come: {self.text}"

    def type(self, keys):
        os.write(self.fd, keys)

    def finish(self, timeout_s):
        """Its exit code."""
        end = time.monotonic() + timeout_s
        while self.read(0.2):
            assert time.monotonic() < end, self.text
        os.close(self.fd)
        return self.p.wait(5)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with Pushgateway(tmp_path_factory.mktemp("gateway")) as server:
        yield server


@pytest.fixture(scope="module")
def door(tmp_path_factory, ministack, gateway):
    folder = tmp_path_factory.mktemp("person")
    cloud = Cloud(ministack, account="420000000000")
    names = ("slower", "same", "asks", "left", "cut")
    for name in names:
        cloud.create(name, sleep_ms=60, witness=folder / name).publish()
    cloud.function("slower").update(sleep_ms=140).publish()
    for name in ("same", "asks", "cut"):
        cloud.function(name).publish_copy()
    yield Door(folder, cloud, gateway)
    for name in names:
        cloud.function(name).delete()


def figures(text):
    return dict(re.findall(r"^  (calls|money|concurrency|time|smallest effect) +(.+)$", text, re.M))


# -- before anything is called --

def test_a_dry_run_says_all_and_calls_nothing(door):
    r = door("run", "prod/slower", "--dry-run")
    assert r.code == 0 and "Nothing was called." in r.text, r
    said = figures(r.text)
    assert set(said) == {"calls", "money", "concurrency", "time", "smallest effect"}, r
    assert int(said["calls"]) == CALLS
    assert re.match(r"0\.\d+ USD \(a call's time from: timeout\)", said["money"])
    assert re.match(r"\d+ at most", said["concurrency"]) and said["time"].startswith("19")
    assert re.match(r"\d+\.\d % of latency", said["smallest effect"])
    assert "1 against 2" in r.text
    assert door.witness("slower") == []


REFUSALS = [
    ("money", {"cost": "0.0001 USD"}, (), r"0\.00\d+ USD.*0\.0001"),
    ("concurrency", {"concurrency": 1}, (), r"\b1\b.*limits\.concurrency"),
    ("no such version", {}, ("--old", "17"), r"no version 17; those that can be called: 2, 1"),
    ("no such test", {}, ("--test", "nope"), r"nope: no such test"),
    ("no such payload", {}, ("--payload", "@/nowhere"), r"/nowhere"),
    ("no duration", {}, ("--wait-cloud", "soon"), r"soon: expected a duration"),
]


@pytest.mark.parametrize("name,changes,more,says", REFUSALS, ids=[r[0] for r in REFUSALS])
def test_a_refusal_has_its_figures_and_calls_nothing(door, name, changes, more, says):
    r = door("run", "prod/slower", "-c", door.other("refused.yaml", **changes), *more)
    assert r.code == 100, r
    assert re.search(says, r.text + r.errors), r
    assert door.witness("slower") == []


def test_a_dry_run_tells_a_refusal_too(door):
    r = door("run", "prod/slower", "--dry-run", "-c", door.other("refused.yaml", cost="0.0001 USD"))
    assert r.code == 100 and "refused (" in r.text and "Nothing was called." in r.text, r
    assert door.witness("slower") == []


def test_names_that_are_none(door):
    for name, says in (("prod/stranger", "stranger"), ("nowhere/slower", "expected account/function"), ("a/b/c", "expected")):
        r = door("run", name)
        assert r.code == 100 and says in r.errors, r
    r = door("run", "left")
    assert r.code == 100 and "never called" in r.text and door.witness("left") == [], r


def test_nobody_is_there_to_be_asked(door):
    r = door("run", "asks", input=b"")
    assert r.code == 100 and "--payload" in r.errors and door.witness("asks") == [], r


def test_init_add_and_list(door, tmp_path):
    env = dict(door.cloud.env(), AWS_EC2_METADATA_DISABLED="true")

    def run(*args):
        return pl("plimsoll", *args, env=env, home=tmp_path, cwd=tmp_path)
    r = run("init", "--account", "mine")
    assert r.code == 0 and "5 functions" in r.text, r
    assert "mine/slower" in (tmp_path / "plimsoll.yaml").read_text()
    assert run("init", "--account", "mine").code == 100, "it does not write over what is there"
    assert run("check").code == 0
    assert re.search(r"mine/slower .*never tested", run("list").text)
    assert run("add", "slower", "--payload", '{"a": 1}').code == 0
    assert re.search(r"mine/slower .*mine/slower +compare", run("list").text)
    assert run("list", "nowhere").code == 100


def test_without_settings_the_sdk_s_account_and_small_limits(door, tmp_path):
    env = dict(door.cloud.env(), AWS_EC2_METADATA_DISABLED="true")
    r = pl("plimsoll", "run", "slower", "--dry-run", env=env, home=tmp_path, cwd=tmp_path)
    assert r.code == 0 and "default/slower" in r.text, r
    assert "1 USD and 32 calls at a time" in r.errors and door.cloud.region in r.errors
    assert int(figures(r.text)["concurrency"].split()[0]) <= 32
    assert door.witness("slower") == []
    env.pop("AWS_REGION")
    r = pl("plimsoll", "run", "slower", env=env, home=tmp_path, cwd=tmp_path)
    assert r.code == 100 and "AWS_REGION" in r.errors, r


# -- whole runs --

@pytest.fixture(scope="module")
def runs(door):
    """One that stays for the cloud's figures; while it waits, a slower one that is measured again."""
    same = door.start("run", "same", "--wait-cloud", "20s", "-c", door.other("short.yaml", duration="8s"))
    told = same.stdout.readline()
    slower = door.start("run", "slower")
    ended = {}
    for name, p, before in (("same", same, told), ("slower", slower, b"")):
        out, err = p.communicate(timeout=120)
        ended[name] = (p.returncode, (before + out).decode(), err.decode())
    return ended


def test_worse_is_confirmed_and_exits_1(door, runs):
    code, out, err = runs["slower"]
    assert code == 1 and out.count("run  ") == 2, (out, err)
    assert "measuring once more" in err
    assert "onfirmed" in out.split("measuring once more")[-1]
    assert re.search(r"; again [\d.]+ m?s later: \S+ (of \S+ )?environments had answered the first run", out), out
    assert {w["version"] for w in door.witness("slower")} == {"1", "2"}
    assert len(door.witness("slower")) == 2 * CALLS, "twice what the dry run said"


def test_wait_cloud_tells_the_amended_figures(door, runs):
    code, out, err = runs["same"]
    assert code in (0, 2), (out, err)
    calls = len(door.witness("same"))
    assert calls == SHORT, out
    assert re.search(rf"amended.*\n( +objectives .*\n.*\n)? +cloud +{calls} invocations", out), out


def test_run_stays_for_the_figures_that_objectives_rest_on(door, runs):
    _, out, err = runs["same"]
    last = out.split("amended, ")[-1]
    for text, slug, value in (("cloudwatch/errors < 1", "cloudwatch_errors_lt_1", "0"),
                              ("sonar/coverage >= 80", "sonar_coverage_ge_80", "81.5")):
        assert f"met      {text}  ({value})" in last, (out, err)
        assert any(line.startswith("plimsoll_objective_met{") and f'objective="{slug}"' in line and line.endswith(" 1")
                   for line in door.gateway.metrics().splitlines()), slug


def run_ids(door):
    return re.findall(r"\b(r[a-z2-7]{20})\b", door("status", "prod/slower").text)


def test_the_looking_commands(door, runs):
    status = door("status")
    assert re.search(r"prod/slower +worse +valid +1 -> 2", status.text), status
    newest, first = run_ids(door)[:2]
    assert re.search(r"response_p50 .*ms", door("show", newest).text)
    compared = door("compare", first, newest)
    assert compared.code == 0 and newest in compared.text and "response_p50" in compared.text
    assert re.search(r"manual valid: worse", door("why", "slower").text)
    assert door("show", "r").code == 100, "several runs begin so"


def test_accept_makes_a_baseline_and_ends_the_alert(door, runs):
    label = 'function="slower"'
    assert any(line.startswith("plimsoll_accepted{") and label in line and line.endswith(" 0")
               for line in door.gateway.metrics().splitlines())
    r = door("accept", "slower", "--reason", "new crypto")
    assert r.code == 0 and "version 2" in r.text, r
    assert any(line.startswith("plimsoll_accepted{") and label in line and line.endswith(" 1")
               for line in door.gateway.metrics().splitlines()), r
    assert "baseline: version 2" in door("why", "slower").text
    before = len(door.witness("slower"))
    assert "2 is the accepted baseline" in door("run", "slower", "--new", "2", "--dry-run").text
    fn = door.cloud.function("slower")
    fn.update(sleep_ms=150).publish()
    fn.update(sleep_ms=160).publish()
    fn.update(sleep_ms=170)
    versions = fn.versions()
    r = door("run", "slower", "--dry-run")
    assert "held against 2, the accepted baseline" in r.text, r
    assert fn.versions() == versions, "a dry run publishes nothing"
    assert len(door.witness("slower")) == before


# -- runs that are cut short --

def test_a_terminal_asks_shows_progress_and_ctrl_c_tells_what_was_measured(door):
    t = door.on_terminal("run", "asks")
    t.wait_for(r"Payload \(JSON")
    t.type(b"{}\n")
    t.wait_for(r"prod/asks +\d+ s of \d+")
    t.type(b"\x03")
    code = t.finish(8)
    assert code == 130, t.text
    assert "what was measured so far is told" in t.text and re.search(r"cancelled.*prod/asks", t.text), t.text
    assert door.left_running() == []


def test_a_second_signal_ends_at_once(door):
    before = door.settled("cut")
    p = door.start("run", "cut")
    door.called("cut", before + 4)
    p.send_signal(signal.SIGINT)
    time.sleep(0.5)  # within a third of a second it would be an echo (insist.h)
    p.send_signal(signal.SIGINT)
    out, err = p.communicate(timeout=2)
    assert p.returncode == 130, (out, err)
    assert door.left_running() == []


def test_pause_cancels_what_runs_and_lets_nothing_start(door):
    before = door.settled("cut")
    p = door.start("run", "cut")
    door.called("cut", before + 4)
    assert door("pause", "the database is down").code == 0
    try:
        began = time.monotonic()
        out, err = p.communicate(timeout=10)
        assert time.monotonic() - began < 4
        assert p.returncode == 111 and b"cancelled" in out and b"paused" in out, (out, err)
        seen = door.settled("cut")
        r = door("run", "cut")
        assert r.code == 111 and "the database is down" in r.errors, r
        assert "the database is down" in door("status").text
        assert door("run", "cut", "--dry-run").code == 0
        assert door.settled("cut") == seen
    finally:
        assert door("resume").code == 0


def test_watch_tests_a_change_and_ctrl_c_tells_what_was_measured(door):
    before = door.settled("cut")
    p = door.start("watch")
    try:
        told = b""
        while b"first sight" not in told:
            assert select.select([p.stderr], [], [], 30)[0], told
            told += os.read(p.stderr.fileno(), 4096)
        door.cloud.function("cut").update(sleep_ms=60, extra={"other.txt": b"1"})
        door.called("cut", before + 8)
        p.send_signal(signal.SIGINT)
        out, err = p.communicate(timeout=15)
    finally:
        p.kill()
    assert p.returncode == 130, (out, err)
    assert re.search(rb"cancelled +prod/cut +2 \S+ 3 +code", out), (out, err)
    assert door.left_running() == []
