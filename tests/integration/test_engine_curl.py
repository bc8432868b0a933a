"""The load engine and curl on the same awkward servers: the same class of outcome, and in time."""
import subprocess
import time

import pytest

from helpers.awkward import BEHAVIOURS, Awkward
from helpers.engine_bench import ENDS, bench, build, total
from helpers.servers import free_port, make_certificate

TIMEOUT_S = 1

# curl's exit codes in the engine's words
CLASSES = {0: "answered", 28: "timeout", 6: "dns", 35: "tls", 60: "tls", 1: "bad_answer", 8: "bad_answer",
           7: "connect", 18: "connect", 52: "connect", 55: "connect", 56: "connect"}
# Where we differ, and why.
DIFFERENT = {
    "bad-chunk": ("bad_answer", "curl says 56, the code of a broken connection, for a malformed chunk"),
    "long-chunk": ("bad_answer", "as above"),
    "lengths-differ": ("bad_answer", "curl takes the first of two different lengths; RFC 9112 6.3 says: an error"),
    "endless-header": ("bad_answer", "curl says 56 at its bound for the head, or 100 in later versions"),
    "many-headers": ("bad_answer", "as above"),
    "head-cut": ("connect", "curl takes a head that breaks off for a whole one"),
    "tls-good-closed": ("connect", "an answer that only the end delimits, without close_notify, is incomplete: RFC 9112 8"),
}


def curl(url, *args):
    command = ["curl", "-q", "-s", "-o", "/dev/null", "--noproxy", "*", "--http1.1", "--max-time", str(TIMEOUT_S), *args, url]
    return CLASSES.get(subprocess.run(command, timeout=20, check=False).returncode, "other")


def engine(url, *args):
    r = bench(url, "--requests", 1, "--timeout", f"{TIMEOUT_S}s", *args)
    assert total(r) == 1
    return next(e for e in ENDS if r[e]), r


def hold(name, url, curl_args=(), engine_args=()):
    start = time.monotonic()
    ours, r = engine(url, *engine_args)
    assert time.monotonic() - start < TIMEOUT_S + 1
    want, why = DIFFERENT.get(name, (None, ""))
    assert ours == (want or curl(url, *curl_args)), (r, why)


@pytest.fixture(scope="module", autouse=True)
def built():
    """Linking is not part of any time limit."""
    return build()


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_same_class_as_curl(name):
    with Awkward(BEHAVIOURS[name]) as server:
        hold(name, f"http://127.0.0.1:{server.port}/")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.mark.parametrize("name", ["good", "in-parts", "good-closed", "silent", "closes", "resets", "body-cut", "chunk-cut", "ssh"])
def test_same_class_over_tls(name, certificate):
    with Awkward(BEHAVIOURS[name], certificate) as server:
        hold("tls-" + name, f"https://127.0.0.1:{server.port}/", ["--cacert", certificate[0]], ["--ca", certificate[0]])


def test_same_class_without_a_server():
    hold("refused", f"http://127.0.0.1:{free_port()}/")


def test_same_class_for_an_unknown_ca(certificate):
    with Awkward(BEHAVIOURS["good"], certificate) as server:
        hold("unknown-ca", f"https://127.0.0.1:{server.port}/")


def test_same_class_for_plain_http_on_a_tls_port():
    with Awkward(lambda s: s.sendall(b"HTTP/1.1 400 Bad\r\n\r\n")) as server:
        hold("plain", f"https://127.0.0.1:{server.port}/")


def test_same_class_for_tls_on_a_plain_port(certificate):
    with Awkward(BEHAVIOURS["good"], certificate) as server:
        hold("tls", f"http://127.0.0.1:{server.port}/")
