"""Stages swapped for something else: a loader in a few lines of shell, one made of k6, a source in three lines."""
import copy
import json
import os
import shutil
import subprocess

import pytest

from helpers.programs import ROOT, build_dir, clean_env, dying_with_us, example, lines, pl
from helpers.servers import Nginx

FROM = "2026-11-22T15:00:00.000Z"


def planned(urls, samples=20, in_flight=16):
    """run.planned and shard.planned for HTTP targets: {variant: url}."""
    run, shard = copy.deepcopy(example("run.planned")), copy.deepcopy(example("shard.planned"))
    run["data"]["variants"] = [v for v in run["data"]["variants"] if v["name"] in urls]
    run["data"]["compare"] = "interleaved" if len(urls) == 2 else "none"
    targets = {t["variant"]: t for t in shard["data"]["targets"]}
    shard["data"]["targets"] = [
        {"variant": v, "method": "http", "url": url, "headers": {}, "expect": targets[v]["expect"]} for v, url in urls.items()]
    shard["data"]["workload"].update(rate_per_s=samples / 2, duration_ms=4000, warmup_ms=1000, spread=0)
    shard["data"]["payloads"] = []
    shard["data"]["limits"]["in_flight"] = in_flight
    return [run, shard]


def swapped(command, events, env=None, said=b""):
    """What it gives; `said` must be in its standard error."""
    p = subprocess.run(dying_with_us([os.path.join(ROOT, "pipelines", command)]), input=lines(events), capture_output=True,
                       env=clean_env(env), timeout=120)
    assert p.returncode == 0 and said in p.stderr, p.stderr.decode()
    return [json.loads(line) for line in p.stdout.splitlines()]


def test_shell_loader_as_it_stands(nginx):
    url = nginx().url + "/ok"
    run, shard = planned({"new": url})
    events = swapped("shell-loader.sh", [run, shard])
    assert events[0] == run and len(events) == 2
    assert events[1]["type"] == "plimsoll.shard.finished.v1"
    assert len(events[1]["data"]["series"][0]["samples_ms"]) == 20
    r = pl("collector", input=events)
    assert r.code == 0, r
    finished = r.of("run.finished")[0]["data"]
    assert (finished["outcome"], finished["reason"]) == ("suspect", "no-self-check"), r
    assert finished["verdict"] in ("cannot-tell", "not-compared")
    assert pl("sink", "--to", "terminal", input=r.events).code == 2


@pytest.mark.measures
def test_one_shot_pipe_and_its_recording(site):
    site.configure(rate="8/s", duration="4s", warmup="1s")
    site.cloud.create("hello", sleep_ms=50)
    env = {**site.env(), "PLIMSOLL_BIN": build_dir()}
    p = subprocess.run(dying_with_us([os.path.join(ROOT, "pipelines", "one-shot.sh"), "prod/hello"]), capture_output=True,
                       cwd=site.folder, env=clean_env(env, site.folder), timeout=120)
    said = p.stdout.decode()
    assert p.returncode == 0 and "prod/hello" in said and "not-compared" in said, (said, p.stderr.decode())
    with open(site.path("one-shot/3-loader.ndjson"), "rb") as f:
        again = pl("collector", input=f.read())
    with open(site.path("one-shot/4-collector.ndjson"), "rb") as f:
        want = [json.loads(line) for line in f]
    assert [e["data"] for e in again.of("run.finished")] == [e["data"] for e in want if "run.finished" in e["type"]] != []


K6 = os.environ.get("K6") or shutil.which("k6") or shutil.which("k6", path=os.path.expanduser("~/go/bin"))


@pytest.mark.skipif(not K6, reason="k6 is not on the PATH (go install go.k6.io/k6@latest)")
def test_loader_swapped_for_k6(nginx):
    server = nginx(locations=Nginx.DEFAULT + "location = /slow { limit_rate 20k; root html; }")
    with open(os.path.join(server.folder, "html", "slow"), "wb") as f:
        f.write(b"x" * 22000)
    # A second a call at 65/s a side: k6 leaves out what is due while all its users wait, so give it enough of them.
    plan = planned({"old": server.url + "/ok", "new": server.url + "/slow"}, samples=260, in_flight=128)
    events = swapped("k6-loader.sh", plan, env={"K6": K6})
    shard = events[1]["data"]
    assert shard["outcome"] == "complete", shard
    assert {s["variant"]: len(s["samples_ms"]) >= 200 for s in shard["series"]} == {"old": True, "new": True}
    few = planned({"old": server.url + "/ok", "new": server.url + "/slow"}, samples=60, in_flight=4)
    swapped("k6-loader.sh", few, env={"K6": K6}, said=b"calls that were due")
    r = pl("collector", input=events)
    finished = r.of("run.finished")[0]["data"]
    assert pl("sink", "--to", "terminal", input=r.events).code == 2
    assert (finished["outcome"], finished["reason"]) == ("suspect", "no-self-check")
    metric = next(m for m in finished["metrics"] if m["name"] == "response_p50")
    assert metric["diff_abs"] > 0 and finished["verdict"] == "worse", "from 200 samples a side on a foreign tool is compared"


SONAR = """
    location /api/measures/component {
        if ($http_authorization != "Basic c2VjcmV0Og==") { return 401; }
        default_type application/json;
        return 200 '{"component":{"key":"$arg_component","measures":[{"metric":"coverage","value":"81.5"},{"metric":"code_smells","value":"3"}]}}';
    }
"""


def test_shell_source_as_it_stands(nginx, tmp_path):
    (tmp_path / "token").write_text("secret\n")
    measurements = swapped("sonarqube-source.sh", example("run.planned"),
                           {"SONAR": nginx(locations=SONAR).url, "SONAR_TOKEN_FILE": str(tmp_path / "token")})
    assert measurements == [{"name": "coverage", "value": 81.5, "unit": "1"}, {"name": "code_smells", "value": 3, "unit": "1"}]


@pytest.mark.parametrize("name", ["plimsoll.yaml", "loader-host.yaml"])
def test_the_settings_of_the_services_are_right(name):
    r = pl("plimsoll", "check", "--config", os.path.join(ROOT, "pipelines", "services", name))
    assert r.code == 0, r
