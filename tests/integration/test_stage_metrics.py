"""What a stage tells about itself: /metrics and /healthz of real stages, and the alerts that read them."""
import os
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

from helpers.programs import ROOT, binary, build_dir, clean_env, dying_with_us, example, lines
from helpers.servers import Prometheus, free_port, http, wait_for

CONFIG = """\
accounts:
  prod: {provider: aws, region: us-east-1, endpoint: "http://127.0.0.1:9"}
  dev: {provider: aws, region: us-east-1, endpoint: "http://127.0.0.1:9"}
functions:
  prod/hello: {payload: '{}'}
limits: {cost_per_run: 1 USD, cost_per_day: 5 USD, concurrency: 32}
sinks:
  file: {path: results.ndjson}
"""
STAGES = ["echo", "planner", "loader", "collector", "sink"]


class Stage:
    """A stage that reads what we say, with /metrics on a free port."""

    def __init__(self, name, folder, *args, config=CONFIG, where=None, env=None, pass_fds=(), prefix=()):
        self.port = free_port()
        program = os.path.join(build_dir(), "tests/echo_stage") if name == "echo" else binary(name)
        path = os.path.join(folder, "plimsoll.yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(config)
        metrics = [] if where == "" else ["--metrics", where or f"127.0.0.1:{self.port}"]
        self.log = open(os.path.join(folder, name + ".log"), "w+", encoding="utf-8")
        self.popen = subprocess.Popen(
            [*dying_with_us([]), *prefix, program, "--config", path, *metrics, *args], stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL, stderr=self.log, cwd=folder, env=clean_env(env), pass_fds=pass_fds)

    def get(self, path="/metrics"):
        return http(f"http://127.0.0.1:{self.port}{path}")

    def is_well(self):
        try:
            return self.get("/healthz")[0] == 200
        except OSError:
            assert self.popen.poll() is None, self.said()
            return False

    def ready(self):
        wait_for("a healthy stage", self.is_well, 20)
        return self

    def say(self, data):
        self.popen.stdin.write(data)
        self.popen.stdin.flush()

    def value(self, series):
        """Of "name" or 'name{a="b"}'; None when it is not on the page."""
        for line in self.get()[1].splitlines():
            if line.startswith(series + " "):
                return float(line.rsplit(" ", 1)[1])
        return None

    def said(self):
        self.log.seek(0)
        return self.log.read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.popen.stdin.close()
        try:
            self.popen.wait(60)
        finally:
            self.popen.kill()
            self.popen.wait()
            self.log.close()


def check_page(text):
    p = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=60)
    assert p.returncode == 0 and p.stdout + p.stderr == "", p.stdout + p.stderr + text


@pytest.mark.parametrize("name", STAGES)
def test_page_of_every_stage(tmp_path, name):
    """Prometheus takes the page, before there was anything and after good and bad lines."""
    args = ("--allow-empty",) if name == "sink" else ()
    with Stage(name, tmp_path, *args) as stage:
        stage.ready()
        check_page(stage.get()[1])
        stage.say(lines([example("function.changed"), example("run.planned")]) + b"no event\n{}\n")
        rejected = 'plimsoll_rejected_total{kind="not-an-event"}'
        wait_for("both bad lines", lambda: stage.value(rejected) == 2, 20)
        status, page = stage.get()
        assert status == 200
        check_page(page)
        assert re.search(r"^plimsoll_loop_delay_seconds [0-9.e-]+$", page, re.M)
        assert re.search(r"^plimsoll_lag_seconds [0-9.e+]+$", page, re.M)


def test_events_are_counted(tmp_path):
    with Stage("echo", tmp_path) as stage:
        stage.ready()
        stage.say(lines([example("function.changed")] * 3))
        taken = 'plimsoll_events_total{type="function.changed",result="taken"}'
        wait_for("three events", lambda: stage.value(taken) == 3, 20)


def test_budget(tmp_path):
    """What is left of the day, for each account; nothing once a run was refused for want of it."""
    series = 'plimsoll_budget_remaining_usd{account="prod"}'
    with Stage("planner", tmp_path) as stage:
        stage.ready()
        assert stage.value(series) == 5
        assert stage.value(series.replace("prod", "dev")) == 5
        event = dict(example("function.changed"), time=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
        stage.say(lines(event))
        wait_for("money is booked", lambda: 0 < stage.value(series) < 5, 20)
    small = CONFIG.replace("cost_per_day: 5 USD", "cost_per_day: 0.000001 USD")
    with Stage("planner", tmp_path, config=small) as stage:
        stage.ready()
        assert stage.value(series) > 0
        stage.say(lines(event))
        wait_for("the day is spent", lambda: stage.value(series) == 0, 20)


def test_calls_in_flight(tmp_path):
    """Accounts of the settings are there before anything is called."""
    with Stage("loader", tmp_path) as stage:
        stage.ready()
        assert stage.value('plimsoll_requests_in_flight{account="prod"}') == 0


def test_groups_that_are_refused(tmp_path):
    with Stage("sink", tmp_path, "--allow-empty") as stage:
        stage.ready()
        assert stage.value("plimsoll_sink_rejected_groups") == 0


@pytest.mark.measures
def test_a_stalled_loop_is_seen(tmp_path):
    """SIGSTOP for 1.5 s: the page says how late timers ran, once."""
    with Stage("echo", tmp_path) as stage:
        stage.ready()
        stage.get()
        stage.popen.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        wait_for("a second and a half", lambda: time.monotonic() - began > 1.5)
        stage.popen.send_signal(signal.SIGCONT)
        assert stage.value("plimsoll_loop_delay_seconds") > 1
        assert stage.value("plimsoll_loop_delay_seconds") < 1


@pytest.mark.measures
def test_stopping_is_not_well(tmp_path):
    """A stage that drains says so, and still answers."""
    slow = tmp_path / "slow.sh"
    slow.write_text("#!/bin/sh\ncat >/dev/null\nexec sleep 30\n")
    slow.chmod(0o755)
    config = CONFIG.replace("file: {path: results.ndjson}", "slow: {exec: ./slow.sh, timeout: 20s}")
    with Stage("sink", tmp_path, "--drain", "4s", config=config) as stage:
        stage.ready()
        stage.say(lines(example()))
        wait_for("the result is taken", lambda: stage.value(
            'plimsoll_events_total{type="run.finished",result="taken"}'), 20)
        stage.popen.send_signal(signal.SIGTERM)
        wait_for("503 while it drains", lambda: stage.get("/healthz") == (503, "stopping\n"), 3)


def test_unix_socket(tmp_path):
    path = str(tmp_path / "m.sock")
    if len(path) > 100:
        pytest.skip("the folder's name is too long for a socket")
    with Stage("echo", tmp_path, where="unix:" + path):
        wait_for("the socket", lambda: os.path.exists(path), 20)
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(path)
            s.sendall(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
            assert s.recv(100).startswith(b"HTTP/1.1 ")
    assert not os.path.exists(path)


# As systemd does it: the descriptor is 3, and LISTEN_PID is the process itself.
ACTIVATE = """\
import os, sys
fd = int(sys.argv[1])
os.dup2(fd, 3, inheritable=True)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES="metrics")
os.execv(sys.argv[2], sys.argv[2:])
"""


def test_socket_activation(tmp_path):
    """The socket is systemd's: it is there before, between and after the stage's lives, and nothing has to be said."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen(8)
        port = s.getsockname()[1]
        for _ in range(2):
            early = socket.create_connection(("127.0.0.1", port))  # before the stage is there
            early.sendall(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
            with Stage("echo", tmp_path, where="", pass_fds=(s.fileno(),),
                       prefix=(sys.executable, "-c", ACTIVATE, str(s.fileno()))) as stage:
                stage.port = port
                stage.ready()
                assert early.recv(100).startswith(b"HTTP/1.1 ")
                early.close()


@pytest.mark.parametrize("where, code, word", [
    ("9471", 100, "expected HOST:PORT or unix:PATH"),
    ("unix:/nonexistent/m.sock", 100, "No such file"),
    ("busy", 111, "Address already in use"),
])
def test_places_that_are_no_good(tmp_path, where, code, word):
    with socket.socket() as s:
        if where == "busy":
            s.bind(("127.0.0.1", 0))
            s.listen(1)
            where = "127.0.0.1:%d" % s.getsockname()[1]
        with Stage("echo", tmp_path, where=where) as stage:
            assert stage.popen.wait(60) == code
            assert word in stage.said()


def test_check_listens_nowhere(tmp_path):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen(1)
        with Stage("echo", tmp_path, "--check", where="127.0.0.1:%d" % s.getsockname()[1]) as stage:
            assert stage.popen.wait(60) == 0


def test_alerts_fire_on_a_real_prometheus(tmp_path):
    """The rules that ship, on a planner: its money is spent, then it is killed. Only the patience is shortened."""
    rules = tmp_path / "rules.yml"
    with open(os.path.join(ROOT, "grafana", "rules.yml"), encoding="utf-8") as f:
        rules.write_text(f.read().replace("for: 5m", "for: 1s"))
    with Stage("planner", tmp_path, config=CONFIG.replace("cost_per_day: 5 USD", "cost_per_day: 0.000001 USD")) as stage:
        stage.ready()
        with Prometheus(tmp_path / "prometheus", [f"127.0.0.1:{stage.port}"], rules=[rules],
                        job="plimsoll-planner") as prometheus:
            prometheus.wait_for_query("up == 1")
            assert not prometheus.query("ALERTS")
            stage.say(lines(dict(example("function.changed"), time=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))))
            prometheus.wait_for_query('ALERTS{alertname="PlimsollBudgetGone",account="prod",alertstate="firing"}')
            assert not prometheus.query('ALERTS{alertname="PlimsollStageDown"}')
            stage.popen.kill()
            prometheus.wait_for_query('ALERTS{alertname="PlimsollStageDown",job="plimsoll-planner",alertstate="firing"}')
