"""Fixtures of the integration tests; tests/helpers/README.md explains them."""
import itertools
import os

import pytest

from helpers import noise
from helpers.cloud import Cloud
from helpers.bus import Bus
from helpers.servers import Ministack, Nginx, Prometheus, Pushgateway, Redis, Witness
from helpers.site import Site

ACCOUNTS = itertools.count(200000000000 + os.getpid() * 1000)


@pytest.fixture(scope="session")
def ministack(tmp_path_factory):
    """The emulator, shared by the session, without signature checks. Use `cloud` for functions."""
    with Ministack(tmp_path_factory.mktemp("ministack")) as server:
        yield server


@pytest.fixture(scope="session")
def ministack_auth(tmp_path_factory):
    """The same with AUTH=true: signatures, policies, expiry are checked. Use `cloud_auth`."""
    with Ministack(tmp_path_factory.mktemp("ministack-auth"), auth=True) as server:
        yield server


@pytest.fixture
def own_ministack(tmp_path):
    """Starts emulators that belong to one test: own_ministack(auth=True, concurrency=3) -> server."""
    started = []

    def start(**kw):
        server = Ministack(tmp_path / f"ministack-{len(started)}", **kw)
        started.append(server)
        return server.start()
    yield start
    for server in started:
        server.stop()


@pytest.fixture
def cloud(ministack):
    """An account of its own on the shared emulator: it holds no function of another test."""
    cloud = Cloud(ministack, account=str(next(ACCOUNTS)))
    yield cloud
    clear(cloud)


@pytest.fixture
def cloud_auth(ministack_auth):
    cloud = Cloud(ministack_auth, account=str(next(ACCOUNTS)))
    yield cloud
    clear(cloud)


def clear(cloud):
    """Deletes the functions, so that their workers end."""
    client = cloud.client("lambda")
    for page in client.get_paginator("list_functions").paginate():
        for fn in page["Functions"]:
            client.delete_function(FunctionName=fn["FunctionName"])


@pytest.fixture
def pushgateway(tmp_path):
    with Pushgateway(tmp_path / "pushgateway") as server:
        yield server


@pytest.fixture
def prometheus(tmp_path, pushgateway):
    """Scrapes the test's own Pushgateway once a second."""
    with Prometheus(tmp_path / "prometheus", [f"127.0.0.1:{pushgateway.port}"]) as server:
        yield server


@pytest.fixture
def redis(tmp_path):
    """Starts Redis on a unix socket: redis(appendfsync="no", users=...) -> server, with our functions loaded
    (library=False: without them). It belongs to the test: kill it, SIGSTOP it, restart it."""
    started = []

    def start(library=True, **kw):
        server = Redis(tmp_path / f"redis-{len(started)}", **kw)
        started.append(server)
        server.start()
        if library:
            server.load_library()
        return server
    yield start
    for server in started:
        server.stop()
        server.remove()


@pytest.fixture
def witness(tmp_path):
    """An HTTP target that writes down who called: .url, .calls()."""
    with Witness(tmp_path / "witness") as server:
        yield server


@pytest.fixture
def bus(tmp_path):
    """Everything a stage with --bus needs: Redis, keys, passwords, plimsoll.yaml (helpers/bus.py)."""
    with Bus(tmp_path / "bus") as made:
        yield made


@pytest.fixture
def nginx(tmp_path):
    """Starts nginx: nginx(locations=..., tls=make_certificate(...)) -> server. Without arguments: /ok /json /bad."""
    started = []

    def start(**kw):
        server = Nginx(tmp_path / f"nginx-{len(started)}", **kw)
        started.append(server)
        return server.start()
    yield start
    for server in started:
        server.stop()


def pytest_runtest_protocol(item, nextitem):
    """A test that measures is tried again where the machine was not ours."""
    return noise.protocol(item, nextitem) if item.get_closest_marker("measures") else None


def counted(path):
    """What the passes before this one left for `make test`."""
    if not path or not os.path.exists(path):
        return 0, 0, 0
    with open(path, encoding="utf-8") as f:
        return tuple(int(n) for n in f.read().split())


COUNTS = os.environ.get("PLIMSOLL_COUNTS")
BEFORE = counted(COUNTS)
IS_AGAIN = "PLIMSOLL_AGAIN" in os.environ
AGAIN_MAX = 5   # tests; more that fail are no accident


def pytest_collection_modifyitems(config, items):
    """The pass over what failed (--last-failed)."""
    if IS_AGAIN and len(items) > AGAIN_MAX:
        config.hook.pytest_deselected(items=items[:])
        items.clear()


def pytest_terminal_summary(terminalreporter):
    """Says what was tried again; leaves the counts where `make test` adds them up."""
    stats = terminalreporter.stats
    for line in noise.again:
        terminalreporter.write_line(f"MEASURED AGAIN {line}")
    for report in stats.get("passed", []) if IS_AGAIN else []:
        terminalreporter.write_line(f"ONCE MORE {report.nodeid}: failed among the others, passed alone")
    if not COUNTS:
        return
    counts = {k: len(v) for k, v in stats.items()}
    passed, skipped = counts.get("passed", 0) + counts.get("xfailed", 0), counts.get("skipped", 0)
    failed = counts.get("failed", 0) + counts.get("error", 0) + counts.get("xpassed", 0)
    if IS_AGAIN:  # they are counted as failed already
        failed = -passed - skipped
    with open(COUNTS, "w", encoding="utf-8") as f:
        f.write("%d %d %d\n" % tuple(a + b for a, b in zip(BEFORE, (passed, failed, skipped))))


@pytest.fixture
def site(tmp_path, cloud):
    """A folder with a plimsoll.yaml for `cloud`; runs the pipe (helpers/site.py)."""
    return Site(tmp_path, cloud)
