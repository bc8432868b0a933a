"""The load engine against a real nginx, plain and over TLS with a CA of our own."""
import os
import signal
import socket
import subprocess
import time

import pytest

from helpers.engine_bench import bench, finish, start, total
from helpers.servers import Nginx, make_certificate

OK = 'location = /ok { return 200 "ok\\n"; }'


def requests_logged(server, path="access.log"):
    with open(os.path.join(server.folder, path), encoding="utf-8") as f:
        return len(f.readlines())


def logged(folder, rest):
    return f'location = /x {{ access_log {folder}/access.log; {rest} }}'


def test_each_call_is_one_request_on_a_kept_connection(nginx, tmp_path):
    server = nginx(locations=logged(tmp_path / "nginx-0", 'return 200 "hello\\n";'))
    r = bench(server.url + "/x", "--requests", 5000, "--connections", 32)
    assert (r["answered"], r["2xx"], r["connects"], r["open"]) == (5000, 5000, 32, 32)
    assert r["body_bytes"] == 5000 * 6
    server.stop()
    assert requests_logged(server) == 5000


def test_connection_close_every_tenth(nginx):
    server = nginx(locations='keepalive_requests 10;' + OK)
    r = bench(server.url + "/ok", "--requests", 1000, "--connections", 4)
    assert r["2xx"] == 1000 and 100 <= r["connects"] <= 104


@pytest.mark.parametrize("location, args, want", [
    ('return 503 "no\\n";', [], {"5xx": 20, "connects": 1}),
    ('return 302 /ok;', [], {"3xx": 20, "connects": 1}),
    ('return 204;', [], {"2xx": 20, "connects": 1, "body_bytes": 0}),
    ('return 200 "0123456789";', ["--method", "HEAD"], {"2xx": 20, "connects": 1, "body_bytes": 0}),
    ('keepalive_timeout 0; return 200 "x";', [], {"2xx": 20, "connects": 20}),
    ('return 444;', [], {"connect": 20}),
    ('client_max_body_size 1k; root /nowhere;', ["--body", "8000000", "--method", "POST"], {"4xx": 20}),
    ('ssi on; ssi_types *; alias PAGE;', [], {"2xx": 20, "connects": 1, "body_bytes": 20 * 3000000}),
    ('alias PAGE;', ["--keep", "100"], {"2xx": 20, "connects": 1, "body_bytes": 20 * 3000000}),
    ('limit_rate 1k; alias PAGE;', ["--timeout", "300ms"], {"timeout": 20}),
], ids=["5xx", "3xx", "204", "head", "close", "no-answer", "early-413", "chunked", "length", "slow"])
def test_answers(nginx, tmp_path, location, args, want):
    page = tmp_path / "page.html"
    page.write_bytes(b"x" * 3000000)
    server = nginx(locations="location = /x { " + location.replace("PAGE", str(page)) + " }")
    r = bench(server.url + "/x", "--requests", 20, *args)
    assert {k: r[k] for k in want} == want, r
    assert total(r) == 20


@pytest.fixture
def tls(tmp_path):
    return make_certificate(tmp_path / "tls")


def test_tls_of_our_own_ca(nginx, tls):
    server = nginx(locations=OK, tls=tls)
    r = bench(server.url + "/ok", "--requests", 3000, "--connections", 16, "--ca", tls[0])
    assert (r["2xx"], r["connects"]) == (3000, 16), r


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_tls_sessions_are_resumed(nginx, tls, version):
    server = nginx(locations=f'ssl_protocols {version}; keepalive_timeout 0; ssl_session_cache shared:a:1m;'
                   'location = /x { if ($ssl_session_reused = r) { return 204; } return 200 "new\\n"; }', tls=tls)
    r = bench(server.url + "/x", "--requests", 20, "--ca", tls[0])
    assert (r["2xx"], r["connects"], r["body_bytes"]) == (20, 20, 4), r


def test_tls_bodies_of_many_records(nginx, tls, tmp_path):
    page = tmp_path / "page.html"
    page.write_bytes(b"x" * 3000000)
    server = nginx(locations=f"location = /x {{ alias {page}; }} client_max_body_size 1g;"
                   f"location = /put {{ client_body_buffer_size 8m; return 200 ok; }}", tls=tls)
    r = bench(server.url + "/x", "--requests", 20, "--connections", 2, "--ca", tls[0])
    assert (r["2xx"], r["body_bytes"], r["connects"]) == (20, 20 * 3000000, 2), r
    r = bench(server.url + "/put", "--requests", 10, "--body", 4000000, "--method", "POST", "--ca", tls[0])
    assert (r["2xx"], r["connects"]) == (10, 1), r


@pytest.mark.parametrize("sni, ca, why", [
    ("wrong.example", True, "hostname mismatch"),
    (None, False, "self-signed certificate"),
])
def test_tls_that_must_fail(nginx, tls, sni, ca, why):
    server = nginx(locations=OK, tls=tls)
    args = (["--sni", sni] if sni else []) + (["--ca", tls[0]] if ca else [])
    r = bench(server.url + "/ok", "--requests", 5, *args)
    assert r["tls"] == 5 and r["why"] == why, r


def test_tls_expired(nginx, tls):
    for step in (["req", "-new", "-key", tls[1], "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
                  "-out", tls[0] + ".req"],
                 ["x509", "-req", "-in", tls[0] + ".req", "-signkey", tls[1], "-days", "-1", "-copy_extensions",
                  "copy", "-out", tls[0]]):
        subprocess.run(["openssl", *step], check=True, capture_output=True, timeout=30)
    server = nginx(locations=OK, tls=tls)
    r = bench(server.url + "/ok", "--requests", 5, "--ca", tls[0])
    assert r["tls"] == 5 and r["why"] == "certificate has expired", r


def test_tls_client_certificate(nginx, tls, tmp_path):
    ours = make_certificate(tmp_path / "ours", names=("client",))
    server = nginx(locations=f"ssl_client_certificate {ours[0]}; ssl_verify_client on;"
                   'location = /x { return 200 $ssl_client_s_dn; }', tls=tls)
    r = bench(server.url + "/x", "--requests", 5, "--ca", tls[0], "--cert", ours[0], "--key", ours[1])
    assert (r["2xx"], r["body_bytes"]) == (5, 5 * len("CN=localhost")), r
    assert bench(server.url + "/x", "--requests", 5, "--ca", tls[0])["4xx"] == 5
    with open(ours[0], "ab") as both, open(ours[1], "rb") as key:
        both.write(key.read())
    assert bench(server.url + "/x", "--requests", 5, "--ca", tls[0], "--cert", ours[0])["2xx"] == 5


@pytest.mark.parametrize("cert, key, why", [
    (0, 1, "cannot load our key"),
    (1, 1, "cannot load our certificate"),
    (0, 2, "cannot load our key"),
], ids=["another", "no-certificate", "passphrase"])
def test_tls_client_certificate_that_cannot_be_used(tls, tmp_path, cert, key, why):
    ours = make_certificate(tmp_path / "ours")
    locked = str(tmp_path / "locked.key")
    subprocess.run(["openssl", "ec", "-in", ours[1], "-aes128", "-passout", "pass:x", "-out", locked],
                   check=True, capture_output=True, timeout=30)
    keys = [ours[0], tls[1], locked]
    p = start("https://127.0.0.1:1/", "--cert", keys[cert], "--key", keys[key])
    out, err = p.communicate(timeout=20)
    assert p.returncode == 100 and why in err and not out


def test_unix_socket(nginx, tls, tmp_path):
    server = nginx(locations=f"listen unix:{tmp_path}/plain.s; listen unix:{tmp_path}/tls.s ssl;"
                   f"ssl_certificate {tls[0]}; ssl_certificate_key {tls[1]};" + OK)
    r = bench("http://any.example/ok", "--requests", 500, "--connections", 8, "--unix", tmp_path / "plain.s")
    assert (r["2xx"], r["connects"]) == (500, 8), r
    r = bench("https://localhost/ok", "--requests", 50, "--ca", tls[0], "--unix", tmp_path / "tls.s")
    assert (r["2xx"], r["connects"]) == (50, 1), r
    server.stop()
    assert bench("http://any.example/ok", "--requests", 5, "--unix", tmp_path / "plain.s")["connect"] == 5


def test_ipv6(nginx):
    with socket.socket(socket.AF_INET6) as s:
        s.bind(("::1", 0))
        port = s.getsockname()[1]
    nginx(locations=f"listen [::1]:{port};" + OK)
    assert bench(f"http://[::1]:{port}/ok", "--requests", 50)["2xx"] == 50


def test_tls_name_by_sni(nginx, tls):
    server = nginx(locations=OK, tls=tls)
    r = bench(server.url + "/ok", "--requests", 5, "--ca", tls[0], "--sni", "localhost")
    assert r["2xx"] == 5, r


def test_a_name_with_an_address_where_nobody_listens(nginx):
    """localhost is ::1 and 127.0.0.1 on most machines; nginx listens on the latter only."""
    server = nginx()
    r = bench(server.url.replace("127.0.0.1", "localhost") + "/ok", "--requests", 200, "--connections", 8)
    assert r["2xx"] == 200, r


@pytest.mark.measures
def test_open_model_keeps_its_rate(nginx):
    server = nginx()
    r = bench(server.url + "/ok", "--requests", 1000, "--rate", 500, "--connections", 20)
    assert r["2xx"] == 1000 and r["not_sent"] == 0
    assert 480 < r["requests_per_s"] < 510


@pytest.mark.measures
@pytest.mark.parametrize("connections", [4, 400])
def test_a_stall_is_seen_in_full(nginx, connections):
    """A target that stands still for 1 s: no call is lost, and the first one due in it waits for all of it."""
    server = nginx()
    p = start(server.url + "/ok", "--requests", 600, "--rate", 200, "--connections", connections)
    time.sleep(0.7)
    server.signal(signal.SIGSTOP)
    time.sleep(1.0)
    server.signal(signal.SIGCONT)
    r = finish(p)
    assert r["2xx"] == 600, r
    assert r["response_max_us"] >= 900e3
    assert r["late_max_us"] >= 900e3 if connections == 4 else r["late_max_us"] < 200e3


@pytest.mark.measures
def test_a_long_stall_ends_in_time(nginx):
    server = nginx()
    p = start(server.url + "/ok", "--requests", 300, "--rate", 200, "--connections", 8, "--timeout", "500ms")
    time.sleep(0.5)
    server.signal(signal.SIGSTOP)
    r = finish(p, timeout_s=20)
    assert total(r) == 300
    assert r["timeout"] >= 8 and r["answered"] + r["timeout"] + r["not_sent"] == 300, r


@pytest.mark.measures
def test_a_target_that_dies_and_comes_back(tmp_path):
    server = Nginx(tmp_path / "nginx").start()
    try:
        p = start(server.url + "/ok", "--requests", 1000, "--rate", 500, "--connections", 50, "--timeout", "1s")
        time.sleep(0.5)
        server.kill()
        time.sleep(0.5)
        again = Nginx(tmp_path / "nginx", port=server.port).start()
        r = finish(p, timeout_s=20)
        again.stop()
    finally:
        server.stop()
    assert total(r) == 1000
    assert r["answered"] + r["connect"] == 1000 and 100 < r["connect"] < 700, r


@pytest.mark.measures
def test_a_thousand_connections(nginx):
    server = nginx()
    r = bench(server.url + "/ok", "--requests", 3000, "--rate", 3000, "--connections", 1000, "--ramp")
    assert (r["2xx"], r["connects"], r["open"]) == (3000, 1000, 1000), r
    assert r["peak_rss_kib"] < 16 * 1024 or "asan" in os.environ.get("PLIMSOLL_BUILD", ""), r


@pytest.mark.measures
def test_idle_connections_closed_by_the_target_cost_no_call(nginx):
    """nginx closes idle connections after 1 s, again and again while calls are due every 100 ms."""
    server = nginx(locations="keepalive_timeout 1s;" + OK)
    r = bench(server.url + "/ok", "--requests", 60, "--rate", 20, "--connections", 30, "--ramp")
    assert r["2xx"] == 60, r
