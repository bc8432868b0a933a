"""HTTP/2 of the load engine: against nginx by ALPN and by prior knowledge, and servers that misbehave frame by frame,
with curl as a witness. Every call ends, in its class, and a stream that fails takes no other with it."""
import concurrent.futures
import json
import subprocess

import pytest

from helpers.awkward import Awkward
from helpers.h2_frames import H2_CASES
from helpers.engine_bench import bench, build, total
from helpers.programs import pl
from helpers.servers import make_certificate

OK = 'location = /ok { return 200 "ok\\n"; }'
CALLS = 20
WORKERS = 16


@pytest.fixture
def tls(tmp_path):
    return make_certificate(tmp_path / "tls")


def h2(server, path, *args):
    ca = ["--ca", server.tls[0]] if server.tls else []
    return bench(server.url + path, "--http", "2", *ca, *args)


@pytest.mark.parametrize("is_tls", [True, False], ids=["alpn", "prior-knowledge"])
def test_many_calls_on_few_connections(nginx, tls, is_tls):
    server = nginx(locations=OK, tls=tls if is_tls else None, http2=True)
    r = h2(server, "/ok", "--requests", 5000, "--connections", 4, "--streams", 32)
    assert (r["answered"], r["2xx"], r["connects"], r["open"], r["body_bytes"]) == (5000, 5000, 4, 4, 15000), r


@pytest.mark.parametrize("http2, http, want", [
    (True, "auto", {"2xx": 20, "connects": 1}),
    (False, "auto", {"2xx": 20, "connects": 4}),
    (False, "2", {"tls": 20, "why": "the server does not offer HTTP/2"}),
    (True, "1.1", {"2xx": 20, "connects": 4}),
])
def test_what_alpn_chooses(nginx, tls, http2, http, want):
    server = nginx(locations=OK, tls=tls, http2=http2)
    streams = 20 if http2 and http != "1.1" else 1
    connections = 1 if streams > 1 else 4
    r = bench(server.url + "/ok", "--http", http, "--ca", tls[0], "--requests", 20, "--connections", connections,
              "--streams", streams)
    if want.get("tls") and "no application protocol" in r["why"]:
        want = {"tls": 20}  # of servers that end the handshake over it
    assert {k: r[k] for k in want} == want, r


@pytest.mark.parametrize("location, args, want", [
    ('return 503 "no\\n";', [], {"5xx": 20}),
    ('return 204;', [], {"2xx": 20, "body_bytes": 0}),
    ('return 200 "0123456789";', ["--method", "HEAD"], {"2xx": 20, "body_bytes": 0}),
    ('alias PAGE;', ["--keep", "100"], {"2xx": 20, "body_bytes": 20 * 3000000}),
    ('client_max_body_size 1k; root /nowhere;', ["--body", "8000000", "--method", "POST"], {"4xx": 20}),
    ('limit_rate 1k; alias PAGE;', ["--timeout", "300ms"], {"timeout": 20}),
], ids=["5xx", "204", "head", "large", "early-413", "slow"])
def test_answers(nginx, tls, tmp_path, location, args, want):
    page = tmp_path / "page.html"
    page.write_bytes(b"x" * 3000000)
    server = nginx(locations="location = /x { " + location.replace("PAGE", str(page)) + " }", tls=tls, http2=True)
    r = h2(server, "/x", "--requests", 20, "--streams", 4, *args)
    want["connects"] = 1
    assert {k: r[k] for k in want} == want, r
    assert total(r) == 20


def test_bodies_of_requests(nginx, tls):
    server = nginx(locations="client_max_body_size 1g; client_body_buffer_size 8m; location = /_put { return 200 ok; }",
                   tls=tls, http2=True)
    r = h2(server, "/_put", "--requests", 20, "--streams", 4, "--body", 1000000, "--method", "POST")
    assert (r["2xx"], r["connects"]) == (20, 1), r


def test_goaway_after_fifty_requests(nginx, tls):
    """nginx answers the calls it took; those that were on their way are refused, and not one more."""
    server = nginx(locations="keepalive_requests 50;" + OK, tls=tls, http2=True)
    r = h2(server, "/ok", "--requests", 1000, "--connections", 2, "--streams", 4)
    assert total(r) == 1000 and r["answered"] + r["connect"] == 1000, r
    assert r["connects"] >= 18 and r["connect"] <= 3 * r["connects"], r
    assert not r["connect"] or r["why"] == "refused by GOAWAY: NO_ERROR"
    r = h2(server, "/ok", "--requests", 200, "--streams", 1)
    assert r["answered"] == 200, r


def test_load_by_http2(nginx, tls, tmp_path):
    server = nginx(locations=OK, tls=tls, http2=True)
    r = pl("plimsoll", "load", server.url + "/ok", "--http", "2", "--vus", 32, "--connections", 2, "--requests", 2000,
           "--cacert", tls[0], "--json", home=tmp_path, cwd=tmp_path)
    result = json.loads(r.out)
    assert result["requests"]["due"] == result["requests"]["ok"] == 2000, r.text
    r = pl("plimsoll", "load", server.url + "/ok", "--http", "2", "--rate", "500/s", "--duration", "1s", "--cacert", tls[0],
           "--json", home=tmp_path, cwd=tmp_path)
    result = json.loads(r.out)
    assert result["requests"]["due"] == result["requests"]["ok"] == 500, r.text


# ---- servers that misbehave ----

def curl(case, url):
    body = ["--data-binary", "@-"] if "--body" in case.args else []
    most_s = "1" if case.curl == "timeout" else "15"
    told = subprocess.run(["curl", "-q", "-s", "-o", "/dev/null", "--noproxy", "*", "--http2-prior-knowledge", "--max-time",
                           most_s, *body, "-w", "%{json}", url], input=b"x" * 200000 if body else b"", timeout=30,
                          capture_output=True)
    code = json.loads(told.stdout)["exitcode"]
    return {0: "ok", 28: "timeout"}.get(code, "failed"), code


def try_case(case):
    with Awkward(case.behave) as server:
        url = f"http://127.0.0.1:{server.port}/"
        args = ["--streams", 4] if "--timeout" in case.args else ["--streams", 4, "--timeout", "10s"]
        result = bench(url, "--http", "2", "--requests", CALLS, *args, *case.args)
        return result, curl(case, url) if case.curl else None


@pytest.fixture(scope="module")
def tried():
    build()
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        return dict(zip(H2_CASES, pool.map(try_case, H2_CASES.values())))


@pytest.mark.parametrize("name", H2_CASES)
def test_awkward_server(tried, name):
    case, (r, _) = H2_CASES[name], tried[name]
    assert total(r) == CALLS, r
    assert {k: r[k] for k in case.want} == case.want, r
    for word, (low, high) in case.may.items():
        assert low <= r[word] <= high, r
    assert sum(r[k] for k in {**case.want, **case.may}) == CALLS, r
    if case.connects:
        assert r["connects"] == case.connects, r
    if case.why and r["answered"] < CALLS:
        assert r["why"] == case.why, r


@pytest.mark.parametrize("name", [n for n, c in H2_CASES.items() if c.curl])
def test_curl_sees_the_same(tried, name):
    got, code = tried[name][1]
    assert got == H2_CASES[name].curl, f"curl ended with {code}"
