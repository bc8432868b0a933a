"""plimsoll load: the engine as a load tool of its own, against a real nginx."""
import fcntl
import json
import os
import signal
import time

import pytest
from hdrh.log import HistogramLogReader
from hdrh.histogram import HdrHistogram

from helpers.programs import pl, start
from helpers.servers import make_certificate, wait_for

OUTCOMES = ("ok", "function_error", "throttled", "http_error", "timeout", "connect", "tls", "dns", "aborted", "not_sent")


@pytest.fixture
def load(tmp_path):
    def run(*args, **kw):
        return pl("plimsoll", "load", *args, home=tmp_path, cwd=tmp_path, **kw)
    return run


@pytest.fixture(scope="module")
def site(request, tmp_path_factory):
    from helpers.servers import Nginx
    server = Nginx(str(tmp_path_factory.mktemp("nginx")), locations=Nginx.DEFAULT + """
        location = /secret { if ($http_authorization != "Bearer hush") { return 403; } return 200 "in\\n"; }
        location = /put { if ($request_method != PUT) { return 405; } return 200 "put\\n"; }
    """)
    server.start()
    yield server
    server.stop()


def result(r):
    """The object of --json, after looking whether it adds up."""
    o = json.loads(r.text)
    assert len(r.text.strip().splitlines()) == 1
    assert sum(o["requests"][c] for c in OUTCOMES) == o["requests"]["due"], o["requests"]
    return o


def test_a_url_alone_is_bounded_and_says_what_it_does(load, site):
    r = load(site.url + "/ok", "--duration", "1s", "--csv", "s.csv")
    assert r.code == 0, r
    assert "50 calls a second for 1 s (50 calls, open model)" in r.errors
    assert "50 due, 50 sent, 50 ok" in r.text
    for word in ("response", "service", "p99.9", "quality     ", "####"):
        assert word in r.text, word


def test_open_model_calls_exactly_what_was_asked(load, site):
    o = result(load(site.url + "/ok", "--rate", "1003/s", "--duration", "1500ms", "--json", "--arrival", "poisson"))
    assert o["model"] == "open" and o["requests"]["due"] == 1505 and o["requests"]["ok"] == 1505
    assert o["rate"]["asked_per_s"] == 1003
    assert list(o["response_us"]) == ["count", "min", "p50", "p75", "p90", "p95", "p99", "p99.9", "max", "mean"]
    assert o["service_us"]["p50"] <= o["response_us"]["p50"]
    o = result(load(site.url + "/ok", "--requests", 300, "--duration", "1s", "--json", "-q"))
    assert o["requests"]["due"] == 300 and o["rate"]["asked_per_s"] == 300


@pytest.mark.parametrize("http", ["1.1", "2"])
def test_calls_of_a_batch_leave_together_and_are_measured_apart(load, nginx, tmp_path, http):
    cert = make_certificate(tmp_path)
    server = nginx(tls=cert, http2=http == "2")
    o = result(load(server.url + "/ok", "--rate", "3000/s", "--duration", "1s", "--batch", "1ms", "--cacert", cert[0], "--http", http, "--json"))
    assert o["requests"]["ok"] == 3000
    assert o["quality"]["late_p50_us"] >= 200  # turns are 1 ms apart
    assert o["service_us"]["p50"] < o["response_us"]["p50"]
    o = result(load(server.url + "/ok", "--vus", 300, "--requests", 3000, "--connections", 300 if http == "1.1" else 4, "--cacert", cert[0],
                    "--http", http, "--json"))
    assert o["requests"]["ok"] == 3000
    assert o["quality"]["late_p50_us"] > 0  # 300 users rest by themselves


def test_closed_model_by_count_and_by_time(load, site):
    o = result(load(site.url + "/ok", "--vus", 7, "--requests", 1234, "--json"))
    assert o["model"] == "closed" and o["executor"] == "shared-iterations" and o["requests"]["ok"] == 1234
    o = result(load(site.url + "/ok", "--vus", 3, "--duration", "1s", "--json"))
    assert o["executor"] == "constant-vus" and o["requests"]["ok"] == o["requests"]["due"] > 100


def test_several_processes_share_the_load(load, site):
    o = result(load(site.url + "/ok", "--rate", "500/s", "--duration", "2s", "--processes", 3, "--json"))
    assert o["requests"]["ok"] == 1000 == o["response_us"]["count"] and o["processes"] == 3
    o = result(load(site.url + "/ok", "--vus", 4, "--requests", 901, "--processes", 2, "--json"))
    assert o["requests"]["ok"] == 901


def test_method_data_headers_and_expectations(load, site, tmp_path):
    (tmp_path / "secret").write_text("# for the site\nAuthorization: Bearer hush\n")
    common = ("--duration", "200ms", "--json")
    assert result(load(site.url + "/secret", *common))["reasons"] == {"HTTP_403": 10}
    assert result(load(site.url + "/secret", "-H", "@secret", *common))["requests"]["ok"] == 10
    assert result(load(site.url + "/put", "-X", "PUT", "-d", "abc", *common))["requests"]["ok"] == 10
    assert result(load(site.url + "/put", "-d", "abc", *common))["reasons"] == {"HTTP_405": 10}
    o = result(load(site.url + "/json", "--expect-body", '"ok":false', *common))
    assert o["requests"]["ok"] == 0
    assert load(site.url + "/bad", "--expect-status", 503, *common).code == 0


@pytest.mark.parametrize("good, bad", [
    (["--expect-status", "404,2xx"], ["--expect-status", "404,3xx"]),
    (["--expect-header", "content-type: application/json"], ["--expect-header", "X-Not-There"]),
    (["--expect-json", "/ok=true"], ["--expect-json", "/ok=yes"]),
    (["--expect-body-bytes", "5-20"], ["--expect-body-bytes", "5"]),
    (["--expect-body", '"ok":true'], ["--expect-body", "oh"]),
])
def test_expectations(load, site, good, bad):
    common = ("--duration", "100ms", "--json", "-q")
    assert result(load(site.url + "/json", *good, *common))["requests"]["ok"] == 5
    o = result(load(site.url + "/json", *bad, *common))
    assert o["requests"]["ok"] == 0 and sum(o["reasons"].values()) == 5, o


def test_scenarios_run_side_by_side(load, site, tmp_path):
    (tmp_path / "k6.yaml").write_text("""
scenarios:
  browse: {executor: constant-arrival-rate, rate: 1200, timeUnit: 1m, duration: 1s, preAllocatedVUs: 5}
  buy: {executor: shared-iterations, vus: 2, iterations: 33, startTime: 500ms}
""")
    o = result(load(site.url + "/ok", "--scenario", "k6.yaml", "--json", "--hdr", "out.hlog", "--processes", 2))
    assert o["requests"]["ok"] == 53 and list(o["scenarios"]) == ["browse", "buy"]
    assert o["scenarios"]["browse"]["requests"]["ok"] == 20 and o["scenarios"]["buy"]["requests"]["ok"] == 33
    assert [line.split(",")[0] for line in (tmp_path / "out.hlog").read_text().splitlines()[3:]] == [
        "Tag=browse.response", "Tag=browse.service", "Tag=buy.response", "Tag=buy.service"]
    r = load(site.url + "/ok", "--scenario", "k6.yaml")
    assert r.code == 0 and "\nbuy\n" in "\n" + r.text and "together" in r.text
    (tmp_path / "k6.yaml").write_text("scenarios:\n  a: {executor: constant-vus, vu: 1, duration: 1s}\n")
    r = load(site.url + "/ok", "--scenario", "k6.yaml")
    assert r.code == 100 and 'k6.yaml:2:31: unknown key "vu" (did you mean "vus"?)' in r.errors
    assert "leave the options" in load(site.url + "/ok", "--scenario", "k6.yaml", "--rate", "1/s").errors


@pytest.mark.parametrize("args, ok", [
    (["--stages", "500ms:100/s,500ms:0"], 50),
    (["--shape", "spike", "--rate", "100/s", "--duration", "1s", "-p", 2], 28),
    (["--executor", "per-vu-iterations", "--vus", 3, "--requests", 7], 21),
    (["--executor", "ramping-vus", "--stages", "300ms:4,300ms:0"], None),
    (["--replay", "trace.csv", "--speed", 2, "--times", 2, "-d", "a", "-d", "b"], 8),
])
def test_every_executor(load, site, tmp_path, args, ok):
    (tmp_path / "trace.csv").write_text("offset_ms,payload\n0,0\n100,1\n500,0\n900,1\n")
    o = result(load(site.url + "/ok", *args, "--json"))
    assert o["requests"]["ok"] == o["requests"]["due"] and o["requests"]["ok"] > 0
    assert ok in (None, o["requests"]["ok"])


def test_templates_and_rows(load, witness, tmp_path):
    (tmp_path / "rows.csv").write_text("id,name\n7,a b\n8,c/d\n")
    o = result(load(witness.url + "/{{row.id}}/{{row.name}}?n={{seq}}", "--template", "--rows", "rows.csv", "-d", '{"x": "{{row.name}}"}',
                    "--vus", 1, "--requests", 4, "--json"))
    assert o["requests"]["ok"] == 4
    assert sorted(c[1] for c in witness.calls()) == ["/7/a%20b?n=0", "/7/a%20b?n=2", "/8/c%2Fd?n=1", "/8/c%2Fd?n=3"]
    r = load(witness.url + "/{{rwo.id}}", "--template")
    assert r.code == 100 and "--template: the URL" in r.errors
    assert load(witness.url + "/", "--rows", "rows.csv").code == 100


def test_a_unix_socket_and_nothing_else(load, nginx, tmp_path):
    """The socket is what was typed; the URL's host is only a name then."""
    path = tmp_path / "app.sock"
    nginx(locations=f"""location = /ok {{ return 200 "ok\\n"; }} }} server {{ listen unix:{path}; location / {{ return 202; }}""")
    o = result(load("http://app.example/x", "--unix-socket", "app.sock", "--duration", "200ms", "--expect-status", 202, "--json"))
    assert o["requests"]["ok"] == 10
    assert load("http://app.example/x", "--unix-socket", "no.sock").code == 100


def test_connections_are_opened_ahead_and_bound(load, site):
    o = result(load(site.url + "/ok", "--rate", "500/s", "--connections", 600, "--duration", "500ms", "--json"))
    assert o["requests"]["ok"] == 250 and o["bytes"]["received"] > 250 * 100


def test_tls_with_a_ca_of_ones_own(load, nginx, tmp_path):
    tls = make_certificate(tmp_path)
    server = nginx(tls=tls)
    o = result(load(server.url + "/ok", "--vus", 4, "--requests", 100, "--cacert", tls[0], "--json"))
    assert o["requests"]["ok"] == 100
    o = result(load(server.url + "/ok", "--vus", 4, "--requests", 100, "--json"))
    assert o["requests"]["tls"] == 100 and o["requests"]["ok"] == 0


def test_http2_by_choice_and_by_alpn(load, nginx, tmp_path):
    tls = make_certificate(tmp_path)
    server = nginx(tls=tls, http2=True)
    for version in ("2", "auto"):
        o = result(load(server.url + "/ok", "--vus", 40, "--requests", 400, "--http", version, "--connections", 2,
                        "--streams", 16, "--cacert", tls[0], "--json"))
        assert o["requests"]["ok"] == 400, o
    assert load(server.url + "/ok", "--vus", 1, "--streams", 5).code == 100


def test_secrets_leave_no_trace(tmp_path, site):
    """Neither in the loaders' arguments nor, once they have begun, in a file."""
    run = tmp_path / "run"
    run.mkdir(mode=0o700)
    r = pl("plimsoll", "load", site.url + "/secret", "-H", "Authorization: Bearer hush", "--duration", "300ms", "--json",
           home=tmp_path, env={"XDG_RUNTIME_DIR": run})
    assert r.code == 0 and "hush" not in r.text + r.errors
    assert list(run.iterdir()) == []


def test_what_a_killed_one_left_is_taken_away_and_nothing_else(tmp_path, site):
    """A folder of settings and secrets: ours, for us alone, older than a minute, without a lock, with nothing else in it."""
    run, elsewhere = tmp_path / "run", tmp_path / "elsewhere"

    def made(name, mode=0o700, age_s=3600, files=("plimsoll.yaml", "header-0", "header-3")):
        folder = run / name
        folder.mkdir(mode=mode)
        folder.chmod(mode)
        for file in files:
            (folder / file).write_text("hush")
        os.utime(folder, (0, time.time() - age_s))
        return folder

    for folder in (run, elsewhere):
        folder.mkdir(mode=0o700)
    (elsewhere / "header-0").write_text("mine")
    os.utime(elsewhere, (0, 0))
    (run / "plimsoll-load-LINKED").symlink_to(elsewhere)
    gone = [made("plimsoll-load-aaaaaa"), made("plimsoll-load-bbbbbb", files=())]
    (gone[1] / "plimsoll.yaml").symlink_to(elsewhere / "header-0")
    os.utime(gone[1], (0, 0))
    kept = [made("plimsoll-load-locked"), made("plimsoll-load-fresh0", age_s=5), made("plimsoll-load-shared", mode=0o755), made("other-aaaaaa")]
    full = made("plimsoll-load-keeps0", files=("plimsoll.yaml", "notes"))
    if os.geteuid() == 0:
        kept.append(made("plimsoll-load-theirs"))
        os.chown(kept[-1], 65534, 65534)
    lock = os.open(kept[0], os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    r = pl("plimsoll", "load", site.url + "/ok", "--duration", "100ms", home=tmp_path, env={"XDG_RUNTIME_DIR": run})
    os.close(lock)
    assert r.code == 0, r.errors
    assert not any(f.exists() for f in gone)
    assert all(len(list(f.iterdir())) == 3 for f in kept), "what may be somebody's is left whole"
    assert [f.name for f in full.iterdir()] == ["notes"] and (elsewhere / "header-0").read_text() == "mine"
    assert len(list(run.iterdir())) == len(kept) + 2


@pytest.mark.parametrize("args, want, words", [
    (["--max-p95", "5s", "--max-error-ratio", "1%"], 0, "limit       max-p95 5.00 s: held"),
    (["--max-error-ratio", "0.5"], 1, "MISSED, 100 %"),
    (["--max-p95", "1us"], 1, "max-p95 1 us: MISSED"),
    (["--max-p50", "1ms"], 1, "max-p50"),
])
def test_thresholds(load, site, args, want, words):
    r = load(site.url + ("/ok" if want == 0 else "/bad"), "--duration", "200ms", *args)
    assert r.code == want and words in r.text, r


def test_nothing_ok_is_never_green(load):
    r = load("http://127.0.0.1:9/", "--duration", "200ms")
    assert r.code == 2 and "connect 10" in r.text, r


@pytest.mark.parametrize("args, words", [
    (["http://me:pw@127.0.0.1/"], "--header @FILE"),
    (["http://127.0.0.1:1/ x"], "expected http://HOST/"),
    (["http://127.0.0.1:1/", "--rate", "10/s", "--vus", "2"], "open model"),
    (["http://127.0.0.1:1/", "--rate", "fast"], "expected a rate"),
    (["http://127.0.0.1:1/", "--executor", "constant"], "expected one of constant-arrival-rate"),
    (["http://127.0.0.1:1/", "-H", "nothing"], "Name: value"),
    (["http://127.0.0.1:1/", "--processes", "many"], "expected auto"),
    (["http://127.0.0.1:1/", "--vus", "2", "--processes", "3"], "too small"),
    (["127.0.0.1:8080/x"], "is it http://127.0.0.1:8080/x?"),
    (["localhost"], "is it http://localhost?"),
    (["http://127.0.0.1:1/", "--vus", "0"], "a whole number from 1"),
    (["http://127.0.0.1:1/", "--timeout", "100us"], "1ms at least"),
    (["http://127.0.0.1:1/", "--batch", "2ms"], "at most 1ms"),
    (["http://127.0.0.1:1/", "--batch", "1ms", "--spin", "50us"], "exclude each other"),
    (["http://127.0.0.1:1/", "--max-p95", "0s"], "more than 0"),
])
def test_wrong_options_say_what_is_right(load, args, words):
    r = load(*args)
    assert r.code == 100 and words in r.errors and not r.text, r


def test_files(load, site, tmp_path):
    r = load(site.url + "/ok", "--rate", "100/s", "--duration", "2500ms", "--hdr", "out.hlog", "--csv", "out.csv", "--json")
    o = result(r)
    log = HistogramLogReader(str(tmp_path / "out.hlog"), HdrHistogram(1, 3600000000, 3))
    response, service = log.get_next_interval_histogram(), log.get_next_interval_histogram()
    assert response.get_total_count() == 250 == service.get_total_count()
    assert response.get_value_at_percentile(95) == o["response_us"]["p95"]
    rows = (tmp_path / "out.csv").read_text().splitlines()
    assert rows[0] == "seconds,scenario,process,due,ok,not_ok,in_flight,p50_us,p95_us" and len(rows) >= 3


@pytest.mark.parametrize("form", ["--json", "--quiet"])
def test_ctrl_c_tells_what_there_is(tmp_path, site, form):
    p = start("plimsoll", "load", site.url + "/ok", "--duration", "60s", "--csv", "s.csv", form, home=tmp_path, cwd=tmp_path)
    wait_for("a row", lambda: (tmp_path / "s.csv").exists() and (tmp_path / "s.csv").read_bytes().count(b"\n") > 1)
    p.send_signal(signal.SIGINT)
    out, err = p.communicate(timeout=20)
    assert p.returncode == 130, err
    if form != "--json":  # what was not due yet did not fail
        assert b" planned, " in out and b"% not" not in out and b"  stopped     not_sent " in out and b"incomplete" not in out, out
        return
    o = json.loads(out)
    assert o["is_cancelled"] and o["requests"]["ok"] > 10 and sum(o["requests"][c] for c in OUTCOMES) == o["requests"]["due"]


def test_a_loader_that_is_killed_is_told(tmp_path, site):
    """Without its share the rest is not what was asked for: it ends, and what was measured is no result."""
    p = start("plimsoll", "load", site.url + "/ok", "--duration", "60s", "--csv", "s.csv", "-p", 2, home=tmp_path, cwd=tmp_path)
    wait_for("two rows", lambda: (tmp_path / "s.csv").exists() and (tmp_path / "s.csv").read_bytes().count(b"\n") > 2)
    loaders = [int(pid) for pid in open(f"/proc/{p.pid}/task/{p.pid}/children").read().split()]
    os.kill(loaders[0], signal.SIGKILL)
    out, err = p.communicate(timeout=20)
    assert p.returncode == 111 and b"killed by a signal" in err and b"without telling what it measured" in err, err
    assert not os.path.exists(f"/proc/{loaders[1]}")


def test_a_function_is_called_with_what_its_rule_says(cloud, tmp_path):
    """The Lambda path and credentials of a run; a payload is asked for, never made up."""
    from helpers.cloud import read_witness
    cloud.create("hello", sleep_ms=50, witness=tmp_path / "w")
    (tmp_path / "plimsoll.yaml").write_text(f"""
accounts: {{prod: {{provider: aws, region: {cloud.region}, endpoint: "{cloud.server.url}"}}}}
functions: {{prod/rule: {{payload: '{{}}', cloud_name: hello}}, prod/hello: {{}}}}
limits: {{rate: 20/s, concurrency: 8}}
""")

    def load(*args):
        return pl("plimsoll", "load", *args, home=tmp_path, cwd=tmp_path, env=cloud.env())
    o = result(load("rule", "--requests", 8, "--duration", "1s", "--json"))
    assert o["requests"]["ok"] == 8 and o["target"] == "prod/rule" and len(read_witness(tmp_path / "w")) == 8
    assert result(load("prod/hello", "--requests", 2, "--vus", 1, "-d", "{}", "--json"))["requests"]["ok"] == 2
    r = load("hello")
    assert r.code == 100 and "Give --data" in r.errors
    r = load("rule", "--rate", "21/s", "--duration", "1s")
    assert r.code == 100 and "limits.rate" in r.errors and not r.text
    assert "limits.concurrency" in load("rule", "--vus", 9).errors
    assert load("rule", "--processes", 2).code == 100
    assert load("other/rule").code == 100 and len(read_witness(tmp_path / "w")) == 10
