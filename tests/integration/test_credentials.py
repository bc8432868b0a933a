"""Sessions that end in mid-run, and secrets that must be seen nowhere: the loader on the emulator with AUTH=true."""
import json
import os
import stat
import subprocess
import threading

import pytest
from helpers.cloud import allow
from helpers.programs import binary, dying_with_us, lines, pl
from helpers.site import Site

RUN_S = int(os.environ.get("PLIMSOLL_SESSION_RUN_S", "40"))
WRAPPER = """#!/bin/sh
umask 077
"{program}" "$@" > {folder}/answer.$$ || exit
mv {folder}/answer.$$ {folder}/session.$$
cat {folder}/session.$$
"""


class Watch(threading.Thread):
    """Looks at the command lines and environments of all processes until it is told to stop."""

    def __init__(self):
        super().__init__()
        self.done, self.seen = threading.Event(), set()

    def run(self):
        while not self.done.wait(0.1):
            for pid in filter(str.isdigit, os.listdir("/proc")):
                for name in ("cmdline", "environ"):
                    try:
                        with open(f"/proc/{pid}/{name}", "rb") as f:
                            self.seen.add(f.read())
                    except OSError:
                        pass


def load(site, planned, env, *more):
    """The loader over these events while a Watch looks: (events, stderr, what was seen in /proc)."""
    watch = Watch()
    watch.start()
    try:
        r = subprocess.run(dying_with_us([binary("loader"), *site.args("loader")[1:], "--log-level", "debug", *more]),
                           input=lines(planned), env=env, capture_output=True, timeout=RUN_S + 120, cwd=site.folder)
    finally:
        watch.done.set()
        watch.join()
    assert r.returncode == 0, r.stderr.decode()
    return [json.loads(line) for line in r.stdout.splitlines()], r.stdout, r.stderr, b"\n".join(watch.seen)


def finished(events):
    return next(e["data"] for e in events if e["type"] == "plimsoll.shard.finished.v1")


def total(shard):
    out = {}
    for series in shard["series"]:
        for name, n in series["outcomes"].items():
            out[name] = out.get(name, 0) + n
    return {k: n for k, n in out.items() if n}


@pytest.fixture
def site_with_role(cloud_auth, tmp_path):
    """prod is a role that asks for an ExternalId from a file; the caller's keys stand in a credentials file only."""
    fn = cloud_auth.create("hello", sleep_ms=60)
    old, new = fn.publish(), fn.publish_copy()
    caller = cloud_auth.user("caller", allow("sts:AssumeRole"))
    role = cloud_auth.role("plimsoll", allow("lambda:InvokeFunction"), trusted=cloud_auth.user_arn("caller"),
                           external_id="external-id-0123456789")
    (tmp_path / "external-id").write_text("external-id-0123456789\n")
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text(
        f"[tester]\naws_access_key_id = {caller.key}\naws_secret_access_key = {caller.secret}\n")
    site = Site(tmp_path, cloud_auth)
    site.configure(rate="6/s", duration=f"{RUN_S}s", warmup="2s", spread=2,
                   account=f', role: "{role}", external_id: "file:{tmp_path}/external-id", profile: tester')
    site.caller = caller
    site.planned = site.plan([site.changed(fn, old, new)]).events
    assert site.planned[-1]["type"] == "plimsoll.shard.planned.v1", site.planned
    return site


@pytest.mark.timeout(RUN_S + 150)
def test_sessions_of_20_s_lose_no_request_and_show_no_secret(site_with_role, tmp_path):
    site, folder = site_with_role, tmp_path / "sessions"
    folder.mkdir()
    wrapper = tmp_path / "credential"
    wrapper.write_text(WRAPPER.format(program=binary("plimsoll"), folder=folder))
    wrapper.chmod(stat.S_IRWXU)
    env = {k: v for k, v in site.environment().items() if not k.startswith("AWS_") or k == "AWS_EC2_METADATA_DISABLED"}
    env["PLIMSOLL_SESSION_DURATION"] = "20s"
    events, out, err, seen = load(site, site.planned, env, "--state", str(tmp_path / "state"),
                                  "--credential-program", str(wrapper))

    shard = finished(events)
    assert total(shard) == {"ok": shard["due"]}, (total(shard), shard["due"])
    assert shard["sessions"] >= 2 and shard["outcome"] == "complete"

    sessions = [json.loads(p.read_text()) for p in folder.glob("session.*")]
    assert len(sessions) >= 2
    secrets = {site.caller.secret, "external-id-0123456789"}
    for s in sessions:
        secrets |= {s["SecretAccessKey"], s["SessionToken"]}
    assert str(tmp_path).encode() in seen  # it did look at the loader's command line
    for secret in secrets:
        for place, data in (("stdout", out), ("stderr", err), ("/proc", seen)):
            assert secret.encode() not in data, (place, secret)
    for path in (tmp_path / "state").rglob("*"):
        assert path.is_dir() or not any(s.encode() in path.read_bytes() for s in secrets), path
    assert (tmp_path / "state" / "limit-prod").exists()  # STS is asked behind the account's limiter


def test_no_session_to_be_had(site_with_role, tmp_path):
    """The shard ends with the words of `plimsoll credential`: what is missing, and what to do."""
    site = site_with_role
    (tmp_path / "external-id").write_text("a wrong one\n")
    r = pl(*site.args("loader"), input=site.planned, env={"AWS_EC2_METADATA_DISABLED": "true"}, home=site.folder)
    shard = next(e["data"] for e in r.events if e["type"] == "plimsoll.shard.finished.v1")
    assert shard["outcome"] == "error", shard
    assert "assume role" in shard["reason"] and "must equal external_id: of the account" in shard["reason"]
    assert "a wrong one" not in r.text + r.errors, r
