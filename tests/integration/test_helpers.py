"""The servers and helpers themselves: they start, do what the tests lean on, and leave nothing behind."""
import os
import subprocess

import botocore.exceptions
import pytest

from helpers import servers
from helpers.cloud import Cloud, allow, make_zip, read_witness


def group_of(pid):
    """Processes whose session is `pid`."""
    out = subprocess.run(["ps", "-o", "pid=", "-s", str(pid)], capture_output=True, text=True).stdout
    return out.split()


def test_zip_is_deterministic():
    assert make_zip({"b": b"1", "a": b"2"}) == make_zip({"a": b"2", "b": b"1"})


def test_old_versions_run_old_code(cloud, tmp_path):
    witness = tmp_path / "witness"
    fn = cloud.create("hello", sleep_ms=50, label="one", witness=witness)
    one = fn.publish()
    two = fn.update(sleep_ms=50, label="two").publish()
    copy = fn.publish_copy()
    assert (one, two, copy) == ("1", "2", "3")
    first, again = fn.invoke(one)[0], fn.invoke(one)[0]
    assert (first["label"], first["version"], first["cold"], again["cold"]) == ("one", "1", True, False)
    assert first["instance"] == again["instance"]
    assert [fn.invoke(q)[0]["label"] for q in (two, copy)] == ["two", "two"]
    assert [(w["version"], w["label"], w["n"]) for w in read_witness(witness)] == [
        ("1", "one", 1), ("1", "one", 2), ("2", "two", 1), ("3", "two", 1)]


def test_every_third_call_raises(cloud):
    fn = cloud.create("raises", sleep_ms=50, fail_every=3)
    assert [fn.invoke()[1] for _ in range(3)] == [None, None, "Unhandled"]


def test_accounts_do_not_see_each_other(ministack):
    a, b = Cloud(ministack, account="311111111111"), Cloud(ministack, account="322222222222")
    a.create("mine", sleep_ms=50)
    assert b.client("lambda").list_functions()["Functions"] == []
    a.function("mine").delete()


def test_auth_checks_users_roles_and_external_id(cloud_auth):
    user = cloud_auth.user("op", allow("sts:AssumeRole"))
    role = cloud_auth.role("tester", allow("lambda:*"), trusted=cloud_auth.user_arn("op"), external_id="right")
    with pytest.raises(botocore.exceptions.ClientError, match="AccessDenied"):
        user.client("lambda").list_functions()
    with pytest.raises(botocore.exceptions.ClientError, match="AccessDenied"):
        user.client("sts").assume_role(RoleArn=role, RoleSessionName="session", ExternalId="wrong")
    c = user.client("sts").assume_role(RoleArn=role, RoleSessionName="session", ExternalId="right")["Credentials"]
    session = Cloud(user.server, user.account, secret=c["SecretAccessKey"], token=c["SessionToken"], key=c["AccessKeyId"])
    assert session.client("lambda").list_functions()["Functions"] == []


def test_pushgateway_to_prometheus(pushgateway, prometheus):
    servers.http(pushgateway.url + "/metrics/job/j/account/a", data=b"x_total 3\n", method="PUT")
    assert prometheus.wait_for_query("x_total")[0][1] == 3
    pushgateway.restart_empty()
    assert pushgateway.groups() == []


def test_nginx_plain_and_tls(nginx, tmp_path):
    assert servers.http(nginx().url + "/ok") == (200, "ok\n")
    crt, key = servers.make_certificate(str(tmp_path / "tls"))
    tls = nginx(tls=(crt, key))
    out = subprocess.run(["curl", "-sS", "--cacert", crt, tls.url + "/json"], capture_output=True, text=True)
    assert out.stdout == '{"ok":true}', out.stderr


def test_nothing_is_left_behind(tmp_path):
    with servers.Ministack(tmp_path / "m") as server:
        fn = Cloud(server).create("left", sleep_ms=50)
        fn.invoke()
        pid = server.pid
        assert len(group_of(pid)) >= 2
    assert group_of(pid) == [], "stop() waits for all of them"


def test_servers_die_with_their_starter(tmp_path):
    code = ("import sys, os, time; sys.path.insert(0, sys.argv[1]); from helpers.servers import Pushgateway\n"
            "s = Pushgateway(sys.argv[2]).start(); print(s.pid, flush=True); time.sleep(60)")
    import sys
    tests = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    p = subprocess.Popen([sys.executable, "-c", code, tests, str(tmp_path / "p")], stdout=subprocess.PIPE)
    pid = int(p.stdout.readline())
    p.kill()
    p.wait()
    p.stdout.close()
    servers.wait_for("gone", lambda: group_of(pid) == [], 5)
