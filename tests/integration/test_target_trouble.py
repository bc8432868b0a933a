"""The target dies and comes back, resets connections, or closes its half of them, in mid-run: the load goes on as
planned, every call that was due ends in its class, and what the target counted is what we counted."""
import collections
import concurrent.futures
import json
import os
import threading
import time

import pytest

from helpers import awkward_h2
from helpers.awkward import HELLO, OK, RESET, Awkward, request
from helpers.programs import lines, start
from helpers.servers import make_certificate
from helpers.shards import calls, check_sums, http_target, outcomes, shard

RATE = 200
DOWN_S = 2.0
# From the kill to the last call that may fail, and around the return: what a busy machine makes of "at once".
MARGIN_S = 0.5


class Load:
    """A loader with one shard after another; descriptors() between them."""

    def __init__(self, folder, authority, ca=None):
        config = folder / "plimsoll.yaml"
        config.write_text(f"accounts:\n  web: {{provider: http, allow: ['{authority}']{f', ca_file: {ca}' if ca else ''}}}\nfunctions: {{}}\n")
        self.p = start("loader", "--config", config)
        self.watchdog = threading.Timer(60, self.p.kill)
        self.watchdog.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.watchdog.cancel()
        self.p.kill()
        self.p.wait()

    def begin(self, url, version="1.1", **workload):
        event = shard("web/hello", [http_target("new", url, http_version=version)], spread=1, rate_per_s=RATE,
                      limits={"in_flight": 64, "timeout_ms": 1000}, **workload)
        self.p.stdin.write(lines(event))
        self.p.stdin.flush()

    def until(self, word):
        line = next(line for line in iter(self.p.stdout.readline, b"") if word in line)
        return json.loads(line)["data"]

    def result(self):
        data = self.until(b"shard.finished")
        check_sums(data)
        assert data["outcome"] == "complete"
        return data

    def descriptors(self):
        time.sleep(0.1)  # the last connections are closed behind the result
        return len(os.listdir(f"/proc/{self.p.pid}/fd"))


def kill_and_restart(server, folder, tls, version):
    with Load(folder, f"127.0.0.1:{server.port}", tls and tls[0]) as load:
        load.begin(server.url + "/ok", version, duration_ms=500)
        assert outcomes(load.result()) == {"ok": RATE // 2}
        descriptors = load.descriptors()
        load.begin(server.url + "/ok", version, duration_ms=5000)
        load.until(b"shard.progress")
        server.kill()
        killed_at = time.monotonic()
        time.sleep(DOWN_S)
        server.fixed_port = server.port
        server.start()
        back_s = time.monotonic() - killed_at
        data = load.result()
        assert load.descriptors() == descriptors
    return data, back_s


@pytest.mark.measures
def test_killed_and_back_after_two_seconds(nginx, tmp_path):
    """HTTP/1.1 plain and over TLS, HTTP/2 by prior knowledge; side by side."""
    certificate = make_certificate(tmp_path / "certificate")
    runs = []
    with concurrent.futures.ThreadPoolExecutor() as pool:
        for name, tls, version in (("plain", None, "1.1"), ("tls", certificate, "1.1"), ("http2", None, "2")):
            (tmp_path / name).mkdir()
            runs.append(pool.submit(kill_and_restart, nginx(tls=tls, http2=version == "2"), tmp_path / name, tls, version))
    for run in runs:
        hold_killed(*run.result())


def hold_killed(data, back_s):
    assert data["due"] == 5 * RATE
    got, all_calls = outcomes(data), calls(data)
    assert set(got) <= {"ok", "connect", "tls"} and got.get("tls", 0) <= 3, got  # tls: dead within a handshake
    due = collections.Counter(c["due_us"] // 1_000_000 for c in all_calls)
    assert due == {s: RATE for s in range(5)}
    failed = sorted(c["due_us"] / 1e6 for c in all_calls if c["outcome"] != "ok")
    assert DOWN_S - MARGIN_S <= failed[-1] - failed[0] <= back_s + MARGIN_S
    well_within = [c for c in all_calls if failed[0] + 0.1 < c["due_us"] / 1e6 < failed[0] + DOWN_S - 0.1]
    assert {c["outcome"] for c in well_within} == {"connect"}  # and not one is missing
    assert {c["outcome"] for c in all_calls if c["due_us"] / 1e6 > failed[-1]} == {"ok"}


class Every:
    """Answers, and does something else to every n-th request; counts both."""

    def __init__(self, n, otherwise):
        self.n, self.otherwise = n, otherwise
        self.lock, self.requests, self.spoilt = threading.Lock(), 0, 0

    def __call__(self, s):
        while request(s):
            with self.lock:
                self.requests += 1
                is_spoilt = self.requests % self.n == 0
                self.spoilt += is_spoilt
            if is_spoilt:
                return self.otherwise(s)
            s.sendall(HELLO)
        return None


class EveryStream(Every):
    """The same by HTTP/2: otherwise(socket, stream)."""

    def __call__(self, s):
        def reply(s, stream):
            with self.lock:
                self.requests += 1
                is_spoilt = self.requests % self.n == 0
                self.spoilt += is_spoilt
            if is_spoilt:
                return self.otherwise(s, stream)
            s.sendall(awkward_h2.answer(stream))
            return None
        return awkward_h2.speaks(reply)(s)


def resets_in_body(s):
    s.sendall(HELLO[:-2])
    return RESET


def closes_its_half(s):
    """No answer, no more bytes from there; what is sent is still read."""
    s.shutdown(1)
    while s.recv(1000):
        pass


def answers_and_closes_its_half(s):
    s.sendall(OK + b"\r\nhello")
    closes_its_half(s)


STREAMS = {
    "h2-reset": (lambda s, stream: s.sendall(awkward_h2.rst(stream, awkward_h2.INTERNAL)), "connect"),
    "h2-malformed": (lambda s, stream: s.sendall(awkward_h2.answer(stream, b"\x00\x01A\x01b")), "http_error"),
    "h2-silence": (lambda s, stream: None, "timeout"),
}
SPOILT = {
    **STREAMS,
    "reset": (lambda s: RESET, "connect"),
    "reset-in-body": (resets_in_body, "connect"),
    "half-closed": (closes_its_half, "connect"),
    "half-closed-answer": (answers_and_closes_its_half, "ok"),
    "nonsense": (lambda s: s.sendall(b"nonsense\r\n\r\n"), "http_error"),
    "silence": (lambda s: time.sleep(1.5), "timeout"),
}


def spoil(name, folder):
    every = (EveryStream if name in STREAMS else Every)(7, SPOILT[name][0])
    folder.mkdir()
    with Awkward(every) as server, Load(folder, f"127.0.0.1:{server.port}") as load:
        url = f"http://127.0.0.1:{server.port}/"
        counts = []
        for _ in range(2):
            load.begin(url, "2" if name in STREAMS else "1.1", duration_ms=1000)
            data = load.result()
            counts.append(load.descriptors())
            assert data["due"] == RATE
        assert counts[0] == counts[1]
    return outcomes(data), every


@pytest.fixture(scope="module")
def spoilt_runs(tmp_path_factory):
    """All side by side, once."""
    folder = tmp_path_factory.mktemp("spoilt")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        return {name: pool.submit(spoil, name, folder / name) for name in SPOILT}


@pytest.mark.parametrize("name", SPOILT)
def test_every_seventh_request_goes_wrong(name, spoilt_runs):
    got, every = spoilt_runs[name].result()
    spoilt = SPOILT[name][1]
    assert every.requests == 2 * RATE
    if spoilt == "ok":
        assert got == {"ok": RATE}
    else:  # both runs together had every.spoilt
        assert set(got) == {"ok", spoilt} and abs(got[spoilt] - every.spoilt / 2) <= 1, (got, every.spoilt)
