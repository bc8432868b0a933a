"""Cold starts and restores of snapshots: a Lambda that answers as recorded (no emulator has Init or Restore Duration)."""
import base64
import re
import threading
import time
import uuid

import pytest

from helpers.awkward import Awkward
from helpers.programs import example, pipe, pl
from helpers.shards import stamp

FORCED = """\
accounts: {{prod: {{provider: aws, region: {region}, endpoint: "{url}", quiet_time: 100ms, publish_versions: keep 4}}}}
functions: {{prod/forced: {{payload: '{{}}', cold: /cold, tests: [short]}}}}
tests: {{short: {{workload: {{executor: constant-arrival-rate, rate: 4/s, duration: 2s, spread: 2}}, warmup: 2s, cold: force}}}}
"""
CONFIG = """\
accounts: {{prod: {{provider: aws, region: us-east-1, endpoint: "http://127.0.0.1:{port}"}}}}
functions: {{prod/hello: {{payload: '{{}}', tests: [short]}}}}
tests: {{short: {{workload: {{executor: constant-arrival-rate, rate: 32/s, duration: 3s, spread: 4}}, warmup: 1s}}}}
metrics: {{report: [init_p50, cold_response_p50, restore_p50, restored_response_p50]}}
"""
ENV = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_EC2_METADATA_DISABLED": "true"}
START_MS = {"1": 100, "2": 200}


class Recorded:
    """Environments of versions 1 and 2: a call takes a free one, or starts one. The REPORT lines are AWS's own."""

    def __init__(self, start, warm=()):
        self.start, self.lock = start, threading.Lock()
        self.free = {v: 100 if v in warm else 0 for v in START_MS}

    def report(self, version):
        rid = str(uuid.uuid4())
        with self.lock:
            is_warm = self.free[version] > 0
            self.free[version] -= is_warm
        start_ms = 0 if is_warm else START_MS[version]
        time.sleep((start_ms + 20) / 1000)
        with self.lock:
            self.free[version] += 1
        return rid, (f"REPORT RequestId: {rid}\tDuration: 20.00 ms\tBilled Duration: {20 + start_ms} ms\tMemory Size: 128 MB\t"
                     "Max Memory Used: 40 MB\t" + ("" if is_warm else self.start.format(start_ms)))

    def behave(self, s):
        data = b""
        while True:
            while b"\r\n\r\n" not in data or not data.endswith(b"{}"):
                piece = s.recv(65536)
                if not piece:
                    return
                data += piece
            rid, line = self.report(re.search(rb"Qualifier=(\d)", data)[1].decode())
            data = b""
            s.sendall((f"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nx-amzn-RequestId: {rid}\r\n"
                       f"X-Amz-Log-Result: {base64.b64encode(line.encode()).decode()}\r\n\r\n{{}}").encode())


def run(tmp_path, recorded):
    event = example("function.changed")
    event.update(subject="prod/hello", time=stamp())
    event["data"]["target"].update(qualifier="2", code_sha256="b", memory_bytes=128 << 20)
    event["data"]["candidates"] = [{"qualifier": q, "code_sha256": c} for q, c in (("2", "b"), ("1", "a"))]
    with Awkward(recorded.behave) as server:
        path = tmp_path / "plimsoll.yaml"
        path.write_text(CONFIG.format(port=server.port))
        result = pipe([("planner", "--config", path), ("loader", "--config", path), ("collector", "--config", path)], input=[event], env=ENV, home=tmp_path)[-1]
    assert result.of("run.finished"), result
    return result, {m["name"]: m for m in result.of("run.finished")[0]["data"]["metrics"]}


@pytest.mark.parametrize("start,init,response,others", [
    ("Init Duration: {}.00 ms\t", "init_p50", "cold_response_p50", ("restore_p50", "restored_response_p50")),
    ("Restore Duration: {}.00 ms\tBilled Restore Duration: 3 ms\t", "restore_p50", "restored_response_p50",
     ("init_p50", "cold_response_p50")),
])
def test_the_first_burst_gives_starts_old_against_new(tmp_path, start, init, response, others):
    _, got = run(tmp_path, Recorded(start))
    for name in (init, response):
        m = got[name]
        assert m["n_old"] >= 4 and m["n_new"] >= 4 and m["basis"] == "environments", m
        assert m["environments_old"] == m["n_old"] and m["environments_new"] == m["n_new"]
    assert (got[init]["old"], got[init]["new"]) == (100_000, 200_000)
    assert 0.5 < got[response]["low"] <= got[response]["diff"] <= got[response]["high"] < 1.2
    assert not any("new" in got[name] for name in others)


def test_an_old_version_that_was_warm_has_none_and_it_says_so(tmp_path):
    result, got = run(tmp_path, Recorded("Init Duration: {}.00 ms\t", warm="1"))
    m = got["init_p50"]
    assert "n_old" not in m and m["n_new"] >= 4 and m["new"] == 200_000 and m["reason"] == "no-data" and "diff" not in m
    told = pl("sink", "--to", "terminal", input=result.of("run.finished"), home=tmp_path, cwd=tmp_path)
    assert f"no-data, 0 + {m['n_new']} calls" in told.text, told


def test_forced_starts_of_old_and_new_code(cloud, tmp_path):
    fn = cloud.create("forced", sleep_ms=20)
    path = tmp_path / "plimsoll.yaml"
    path.write_text(FORCED.format(region=cloud.region, url=cloud.server.url))
    env = {k: v for k, v in dict(cloud.env(), AWS_EC2_METADATA_DISABLED="true").items() if k != "AWS_ENDPOINT_URL"}

    def look():
        return pl("watcher", "--once", "--config", path, "--state", tmp_path / "state", env=env, home=tmp_path).events
    look()
    fn.invoke(fn.versions()[0])  # somebody else's call is nothing that we know of
    fn.update(sleep_ms=20, label="1")
    look()  # both versions are told, so both are used, and there is a copy
    fn.update(sleep_ms=20, label="2")
    event, = look()
    result = pipe([("planner", "--config", path), ("loader", "--config", path), ("collector", "--config", path)],
                  input=[event], env=env, home=tmp_path)[-1]
    data = result.of("run.finished")[0]["data"]
    assert [v["is_unused"] for v in data["variants"]] == [True, True], result
    m = {m["name"]: m for m in data["metrics"]}["cold_response_p50"]
    assert m["n_old"] >= 2 and m["n_new"] >= 2, m
