"""The services under a real systemd, from an empty machine on: docs/SERVICES.md word by word, then what systemd must do
for them when they die, hang, are reloaded, stopped, asked; and what the sandbox keeps from them."""
import json
import os
import re
import shutil
import signal
import subprocess
import time

import pytest

from helpers.machine import Machine, Refused
from helpers.programs import ROOT, build_dir
from helpers.servers import wait_for

STAGES = ["plimsoll-watcher", "plimsoll-planner", "plimsoll-collector", "plimsoll-sink", "plimsoll-loader@1"]
PORTS = {"plimsoll-watcher": 9471, "plimsoll-planner": 9472, "plimsoll-collector": 9473, "plimsoll-sink": 9474,
         "plimsoll-loader@1": 9481}
SETTINGS = """\
accounts:
  web: {provider: http, allow: [127.0.0.1], quiet_time: 0s}
functions:
  web/hello: {url: 'http://127.0.0.1:8099/hello', payload: '{}', tests: [tiny]}
tests:
  tiny:
    workload: {executor: constant-arrival-rate, rate: 20/s, duration: 1s, spread: off}
    warmup: 0s
    when: [added, code]
metrics: {gate: {response_p50: {tolerance: 10%}}}
limits: {cost_per_run: 1 USD, cost_per_day: 5 USD, rate: 1000/s, concurrency: 100}
"""


def commands(heading, page="SERVICES.md"):
    """The lines of a section of a page that a person types."""
    with open(os.path.join(ROOT, "docs", page), encoding="utf-8") as f:
        section = f.read().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return "".join(line[1:] + "\n" for line in section.splitlines() if line.startswith("\t"))


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """What make install makes, and the target of the tests."""
    installed = str(tmp_path_factory.mktemp("installed"))
    subprocess.run(["make", "-s", "install", f"DESTDIR={installed}", "PREFIX=/usr/local"], cwd=ROOT, check=True, timeout=300,
                   capture_output=True)
    shutil.copy(os.path.join(build_dir(), "tests", "witness"), installed + "/usr/local/bin/witness")
    return installed


@pytest.fixture(scope="module")
def machine(tmp_path_factory, installed):
    """After "First start", and a target that can be called."""
    m = Machine(tmp_path_factory.mktemp("machine"), installed)
    try:
        m.start()
    except Refused as why:
        m.stop() if hasattr(m, "holder") else None
        pytest.skip(f"no machine with a systemd of its own here: {why}")
    try:
        m.write("/etc/plimsoll/plimsoll.yaml", SETTINGS)
        first = commands("First start")
        assert first.count("server_key: \"REPLACE ME\"") == 1
        before, rest = first.split("mkdir -p", 1)
        said = m.sh("set -e\n" + before)
        key = re.search(r"server_key: (\".*\")", said)[1]
        m.doctor = m.sh("set -e\nmkdir -p" + rest.replace('"REPLACE ME"', key))
        m.sh("systemd-run -u witness /usr/local/bin/witness /tmp/witness.log 8099")
        yield m
    finally:
        m.stop()


def is_active(m, unit):
    return m.show(unit, "ActiveState") == "active"


def pid_of(m, unit):
    return int(m.show(unit, "MainPID"))


def healthz(m, unit):
    code, text = m.try_sh(f"curl -s -m 5 -w ' %{{http_code}}' http://127.0.0.1:{PORTS[unit]}/healthz")
    return text.strip() if code == 0 else ""


def wait_well(m, unit, timeout_s=15):
    wait_for(f"{unit} is well", lambda: is_active(m, unit) and healthz(m, unit) == "ok\n 200", timeout_s)


def change(m, number):
    """A change as the watcher would ingest it; the id."""
    with open(os.path.join(ROOT, "tests", "data", "example.json"), encoding="utf-8") as f:
        event = next(e for e in json.load(f) if e["type"] == "plimsoll.function.changed.v1")
    event = json.loads(json.dumps(event).replace("prod/hello", "web/hello"))
    id_ = "c%020d" % number
    event["id"] = event["data"]["change"]["id"] = id_
    event["time"] = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
    event["data"]["target"] = {"provider": "http", "url": "http://127.0.0.1:8099/hello", "is_immutable": False,
                               "code_sha256": "s%d" % number}
    event["data"].pop("candidates", None)
    event["data"].pop("limits", None)
    m.write("/tmp/event", json.dumps(event, separators=(",", ":")))
    said = m.sh("redis-cli --no-auth-warning -s /run/plimsoll/redis/redis.sock --user pl-admin "
                f"-a $(cat /etc/plimsoll/secrets/pl-admin) -x FCALL pl_ingest 0 {id_} web/hello change < /tmp/event")
    assert "OK" in said, said
    return id_


def gateway(m, series):
    return m.sh(f"curl -s http://127.0.0.1:9492/metrics | grep '^{series}' || true")


def runs_total(m):
    text = gateway(m, "plimsoll_runs_total{")
    return int(float(text.rsplit(" ", 1)[1])) if text else 0


def test_first_start(machine):
    """Everything runs, and the doctor finds nothing."""
    for unit in STAGES + ["plimsoll-redis", "plimsoll-pushgateway"]:
        assert is_active(machine, unit), unit + machine.journal()
    for unit in STAGES:
        wait_well(machine, unit)
    assert machine.sh("plimsoll admin doctor").splitlines()[-1].endswith(" 0 warnings, 0 wrong")


def test_a_change_becomes_a_result(machine):
    before = runs_total(machine)
    change(machine, 1)
    wait_for("the result in the Pushgateway", lambda: runs_total(machine) == before + 1, 40)
    assert int(machine.sh("wc -l < /tmp/witness.log")) >= 10


@pytest.mark.parametrize("unit", STAGES + ["plimsoll-redis", "plimsoll-pushgateway"])
def test_killed_again_and_again(machine, unit):
    """Eight times in a row, more than the default limit of starts allows: it is back each time."""
    for _ in range(8):
        pid = pid_of(machine, unit)
        machine.sh(f"kill -9 {pid}")
        wait_for(f"{unit} is back", lambda: pid_of(machine, unit) not in (0, pid) and is_active(machine, unit), 15)
    for stage in STAGES:
        wait_well(machine, stage)


def test_work_goes_on_after_all_that(machine):
    before = runs_total(machine)
    change(machine, 2)
    wait_for("the result in the Pushgateway", lambda: runs_total(machine) == before + 1, 60)


def test_hanging_is_noticed(machine):
    """The watchdog is fed by the main loop: a stage that is stopped is killed and started again. 2 s instead of 30."""
    machine.sh("mkdir -p /run/systemd/system/plimsoll-sink.service.d && "
               "printf '[Service]\\nWatchdogSec=2\\n' > /run/systemd/system/plimsoll-sink.service.d/60-test.conf && "
               "systemctl daemon-reload && systemctl restart plimsoll-sink")
    wait_well(machine, "plimsoll-sink")
    pid = pid_of(machine, "plimsoll-sink")
    began = time.monotonic()
    wait_for("three seconds without a restart", lambda: time.monotonic() - began > 3)
    assert pid_of(machine, "plimsoll-sink") == pid
    machine.sh(f"kill -STOP {pid}")
    wait_for("another process", lambda: pid_of(machine, "plimsoll-sink") not in (0, pid), 30)
    machine.sh("rm -r /run/systemd/system/plimsoll-sink.service.d && systemctl daemon-reload && systemctl restart plimsoll-sink")
    wait_well(machine, "plimsoll-sink")


def test_what_a_person_must_mend_is_not_repeated(machine):
    """Exit code 100: failed, and started once; after mending it starts."""
    machine.sh("cp /etc/plimsoll/plimsoll.yaml /tmp/good && echo 'wrong: [' >> /etc/plimsoll/plimsoll.yaml")
    machine.try_sh("systemctl restart plimsoll-watcher")
    wait_for("it has failed", lambda: machine.show("plimsoll-watcher", "ActiveState") == "failed", 15)
    assert machine.show("plimsoll-watcher", "ExecMainStatus") == "100"
    assert machine.show("plimsoll-watcher", "NRestarts") == "0"
    machine.sh("cp /tmp/good /etc/plimsoll/plimsoll.yaml && systemctl start plimsoll-watcher")
    wait_well(machine, "plimsoll-watcher")


def test_reload(machine):
    for unit in STAGES:
        pid = pid_of(machine, unit)
        machine.sh(f"systemctl reload {unit}")
        assert pid_of(machine, unit) == pid and is_active(machine, unit)


def test_socket_outlives_its_service(machine):
    """Asked while it is stopped, a stage is started and answers."""
    machine.sh("systemctl stop plimsoll-sink")
    assert not is_active(machine, "plimsoll-sink")
    wait_for("an answer", lambda: healthz(machine, "plimsoll-sink").endswith("200"), 20)
    assert is_active(machine, "plimsoll-sink")


def test_redis_away_is_said(machine):
    """Redis stopped: the stages live, say 503 and why, and are well again by themselves."""
    pids = [pid_of(machine, unit) for unit in STAGES]
    machine.sh("systemctl stop plimsoll-redis")
    wait_for("503 of the planner", lambda: re.match("Redis: .* 503$", healthz(machine, "plimsoll-planner"), re.S), 15)
    code, text = machine.try_sh("plimsoll admin doctor --wait 1s")
    assert code == 111 and "systemctl status plimsoll-redis" in text
    machine.sh("systemctl start plimsoll-redis")
    for unit in STAGES:
        wait_well(machine, unit)
    assert [pid_of(machine, unit) for unit in STAGES] == pids


def test_planner_away_is_said_by_the_loader(machine):
    machine.sh("systemctl stop plimsoll-planner")
    wait_for("503 of the loader", lambda: re.match("the planner .* 503$", healthz(machine, "plimsoll-loader@1"), re.S), 15)
    machine.sh("systemctl start plimsoll-planner")
    wait_well(machine, "plimsoll-loader@1")


def inside(m, unit, script):
    """In the service's own view of the files, as its user, with its groups and no rights beyond."""
    pid = pid_of(m, unit)
    status = m.sh(f"cat /proc/{pid}/status")
    uid, gid = (re.search(rf"^{k}:\s+(\d+)", status, re.M)[1] for k in ("Uid", "Gid"))
    groups = ",".join(re.search(r"^Groups:\s*(.*)$", status, re.M)[1].split()) or gid
    return m.try_sh(f"nsenter -t {pid} -m setpriv --reuid {uid} --regid {gid} --groups {groups} --bounding-set=-all sh -c '{script}'")


@pytest.mark.parametrize("unit, path, is_there", [
    ("plimsoll-loader@1", "/run/plimsoll/redis/redis.sock", False),
    ("plimsoll-loader@1", "/var/lib/plimsoll/collector/results", False),
    ("plimsoll-loader@1", "/run/plimsoll/planner/work.sock", True),
    ("plimsoll-loader@1", "/run/credentials/plimsoll-planner.service/redis", False),
    ("plimsoll-collector", "/run/plimsoll/redis/redis.sock", True),
    ("plimsoll-collector", "/run/credentials/plimsoll-collector.service/redis", True),
    ("plimsoll-collector", "/run/credentials/plimsoll-sink.service/redis", False),
    ("plimsoll-collector", "/etc/plimsoll/secrets/pl-admin", False),
    ("plimsoll-watcher", "/var/lib/plimsoll/redis/users.acl", False),
    ("plimsoll-sink", "/var/lib/plimsoll/collector/results", True),
])
def test_what_a_service_can_reach(machine, unit, path, is_there):
    code, text = inside(machine, unit, f"test -r {path}")
    assert code == (0 if is_there else 1), text


@pytest.mark.parametrize("unit", ["plimsoll-planner", "plimsoll-redis", "plimsoll-pushgateway"])
def test_a_service_starts_no_other_program(machine, unit):
    """Those that have no business with other programs may not start one."""
    assert inside(machine, unit, "true")[0] == 126


@pytest.mark.parametrize("unit", [u for u in STAGES if u != "plimsoll-planner"])
def test_a_service_writes_nowhere_else(machine, unit):
    for path in ("/etc/x", "/usr/x", "/root/x", "/var/lib/x", "/var/lib/plimsoll/x", "/run/x", "/run/plimsoll/x"):
        assert inside(machine, unit, f"touch {path}")[0] == 1, path


def test_the_kernel_limits_are_on(machine):
    """No capability, no new privileges, a filter of system calls, no core files: of each process."""
    for unit in STAGES + ["plimsoll-redis", "plimsoll-pushgateway"]:
        pid = pid_of(machine, unit)
        status = dict(line.split(":\t", 1) for line in machine.sh(f"cat /proc/{pid}/status").splitlines() if ":\t" in line)
        assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0, unit
        assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2", unit
        assert re.search(r"Max core file size +0 +0 ", machine.sh(f"cat /proc/{pid}/limits")), unit


def test_upgrade(machine):
    """The section "Upgrade and rollback" word by word, make install left out: it was installed from outside."""
    script = "".join(line for line in commands("Upgrade and rollback").splitlines(True) if line != "make install\n")
    machine.sh("set -e\n" + script, timeout_s=120)
    for unit in STAGES:
        wait_well(machine, unit)


def test_pause(machine):
    """The words of "Every day": no call while it is paused, and the change is tested afterwards."""
    machine.sh("plimsoll pause --state /var/lib/plimsoll test")
    wait_for("the loader has noticed", lambda: "paused" in machine.journal("plimsoll-loader@1"), 10)
    calls, before = machine.sh("wc -l < /tmp/witness.log"), runs_total(machine)
    change(machine, 3)
    began = time.monotonic()
    wait_for("three seconds", lambda: time.monotonic() - began > 3)
    assert machine.sh("wc -l < /tmp/witness.log") == calls
    machine.sh("plimsoll resume --state /var/lib/plimsoll")
    wait_for("the result in the Pushgateway", lambda: runs_total(machine) == before + 1, 60)


def test_broken_append_only_file(machine):
    """Broken in the middle: Redis does not start, whatever systemd does; the runbook's words mend it, and work goes on."""
    machine.sh("systemctl stop plimsoll-redis")
    machine.sh("f=$(ls /var/lib/plimsoll/redis/appendonlydir/*.incr.aof | tail -1) && "
               "dd if=/dev/zero of=$f bs=1 count=1000 seek=$(($(stat -c %s $f) - 3000)) conv=notrunc 2>&1")
    machine.try_sh("systemctl start plimsoll-redis")
    wait_for("Redis says why", lambda: "Bad file format" in machine.journal("plimsoll-redis"), 15)
    assert not is_active(machine, "plimsoll-redis")
    code, text = machine.try_sh("plimsoll admin doctor --wait 1s")
    assert code == 111
    script = commands("Redis does not start", "RUNBOOK.md").replace("plimsoll admin doctor\n", "")
    machine.sh("set -e\n" + script)
    for unit in STAGES:
        wait_well(machine, unit)
    assert " 0 wrong" in machine.sh("plimsoll admin doctor")
    before = runs_total(machine)
    change(machine, 4)
    wait_for("the result in the Pushgateway", lambda: runs_total(machine) > before, 60)


def test_a_loader_on_another_host(machine, installed, tmp_path):
    """docs/SERVICES.md, "Loaders on other hosts", on a second machine and a cable: its key never leaves it, and it alone
    carries a run while the loader beside the planner is stopped."""
    with Machine(tmp_path / "far", installed) as far:
        machine.connect(far, "10.1.2.1/24", "10.1.2.2/24")
        services = machine.sh("cat /etc/plimsoll/conf.d/services.yaml")
        server_key = re.search("server_key: .*", services)[0]
        machine.write("/etc/plimsoll/conf.d/services.yaml", services.replace("bus:\n", """bus:
  work: ["ipc:///run/plimsoll/planner/work.sock", "tcp://0.0.0.0:7070"]
  results: ["ipc:///run/plimsoll/collector/results.sock", "tcp://0.0.0.0:7071"]
"""))
        machine.sh("mkdir -p /etc/systemd/system/plimsoll-planner.service.d && printf '[Service]\\nIPAddressAllow=10.1.2.0/24\\n' > "
                   "/etc/systemd/system/plimsoll-planner.service.d/override.conf && systemctl daemon-reload && "
                   "systemctl restart plimsoll-planner plimsoll-collector && systemctl stop plimsoll-loader@1")
        far.sh("systemd-sysusers plimsoll.conf; systemd-tmpfiles --create plimsoll.conf")
        said = far.sh("plimsoll admin key new far1 --no-list --out /etc/plimsoll/secrets/loader-1")
        far.write("/etc/plimsoll/plimsoll.yaml", SETTINGS + f"""bus:
  work: ["tcp://10.1.2.1:7070"]
  results: ["tcp://10.1.2.1:7071"]
  key: credential:curve
  {server_key}
""")
        key = re.search(r"far1 (\S{40})", said)[1]
        machine.sh(f"plimsoll admin key new far1 --public '{key}' && systemctl reload plimsoll-planner plimsoll-collector")
        far.sh("systemctl daemon-reload; systemctl enable --now plimsoll-loader@1")
        far.sh("systemd-run -u witness /usr/local/bin/witness /tmp/witness.log 8099")
        wait_well(far, "plimsoll-loader@1")
        assert " 0 wrong" in far.sh("plimsoll admin doctor --loader")
        before, calls = runs_total(machine), machine.sh("wc -l < /tmp/witness.log")
        change(machine, 5)
        wait_for("the result in the Pushgateway", lambda: runs_total(machine) == before + 1, 60)
        assert int(far.sh("wc -l < /tmp/witness.log")) >= 10
        assert machine.sh("wc -l < /tmp/witness.log") == calls
        machine.sh("plimsoll admin key revoke far1; systemctl reload plimsoll-planner plimsoll-collector; "
                   "systemctl start plimsoll-loader@1")
        wait_well(machine, "plimsoll-loader@1")


def test_stop_and_start(machine):
    """The target takes all of them along, and nothing is left behind."""
    machine.sh("systemctl stop plimsoll.target", timeout_s=90)
    for unit in STAGES + ["plimsoll-redis", "plimsoll-pushgateway"]:
        wait_for(f"{unit} has ended", lambda: machine.show(unit, "ActiveState") == "inactive", 40)
    machine.sh("systemctl start plimsoll.target")
    for unit in STAGES:
        wait_well(machine, unit)


def test_nothing_died_of_the_sandbox(machine):
    """No process was killed for a system call, and nothing was a bug of ours."""
    text = machine.sh("journalctl --no-pager -o cat")
    assert not re.search(r"status=31/SYS|code=dumped|BUG at|status=226|status=101", text)
