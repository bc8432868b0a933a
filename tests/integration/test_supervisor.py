"""The supervisor that stands in for systemd (pipelines/services/supervisor.py)."""
import os
import signal
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from helpers.servers import wait_for  # noqa: E402
from pipelines.services.supervisor import Supervisor  # noqa: E402


@pytest.fixture
def supervisor(tmp_path):
    s = Supervisor(str(tmp_path))
    yield s
    s.stop(2)


def shell(text):
    return ["sh", "-c", text]


def test_what_dies_is_started_again(supervisor):
    supervisor.add("a", shell("echo up; exec sleep 60"), dict(os.environ))
    supervisor.start()
    first = wait_for("a", lambda: supervisor.pid("a"), 5)
    wait_for("up", lambda: "up" in supervisor.log("a"), 5)
    assert supervisor.signal("a", signal.SIGKILL)
    assert wait_for("another", lambda: supervisor.pid("a") not in (None, first), 5)
    assert supervisor.deaths["a"] == {-signal.SIGKILL: 1}


def test_code_100_is_final(supervisor):
    supervisor.add("a", shell("exit 100"), dict(os.environ))
    supervisor.add("b", shell("exit 111"), dict(os.environ))
    supervisor.start()
    wait_for("b died twice", lambda: supervisor.deaths["b"][111] >= 2, 5)
    assert supervisor.deaths["a"] == {100: 1} and supervisor.given_up() == ["a"]


def test_held_is_not_started(supervisor):
    supervisor.add("a", shell("exec sleep 60"), dict(os.environ))
    supervisor.start()
    wait_for("a", lambda: supervisor.pid("a"), 5)
    supervisor.hold("a")
    assert supervisor.pid("a") is None and supervisor.services["a"].starts == 1
    supervisor.release("a")
    wait_for("a again", lambda: supervisor.pid("a"), 5)
    assert supervisor.stop(5) == {"a": -signal.SIGTERM}
