"""The units as `make install` writes them: sound, closed, and about programs, options and users that there are."""
import glob
import json
import os
import re
import shutil
import subprocess

import pytest

from helpers.programs import clean_env

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PREFIX = "/usr/local"
UNITS = PREFIX + "/lib/systemd/system"
SERVICES = ["collector", "loader@1", "planner", "pushgateway", "redis", "sink", "watcher"]
STAGES = ["collector", "loader@1", "planner", "sink", "watcher"]
EXPOSURE_MOST = 2.0


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """What an administrator has after make install, beside the units of the distribution."""
    root = str(tmp_path_factory.mktemp("root"))
    subprocess.run(["make", "-s", "install", f"DESTDIR={root}", f"PREFIX={PREFIX}"], cwd=ROOT, check=True,
                   timeout=300, capture_output=True)
    shutil.copytree("/lib/systemd/system", root + "/lib/systemd/system", symlinks=True)
    os.makedirs(root + "/usr/bin")
    for program in ("/usr/bin/redis-server", "/usr/bin/prometheus-pushgateway", "/bin/kill"):
        os.makedirs(os.path.dirname(root + program), exist_ok=True)
        shutil.copy("/bin/true", root + program)
    return root


def run(*command, root=None, **kw):
    got = subprocess.run(command, capture_output=True, text=True, timeout=60, env=clean_env(), **kw)
    return got.returncode, got.stdout + got.stderr


def unit(root, name):
    """{key: [values]} of a unit as installed, without its drop-ins."""
    found = {}
    with open(f"{root}{UNITS}/{name}") as f:
        for line in f:
            if "=" in line and not line.startswith("#"):
                key, value = line.strip().split("=", 1)
                found.setdefault(key, []).append(value)
    return found


def all_units(root):
    names = [os.path.basename(p) for p in glob.glob(f"{root}{UNITS}/plimsoll*") if os.path.isfile(p)]
    return [n.replace("@.", "@1.") for n in sorted(names)]


def exposure(root, service):
    code, text = run("systemd-analyze", "security", f"--root={root}", "--offline=true", "--json=short",
                     "--threshold=20", f"plimsoll-{service}.service")
    return code, text


def test_every_path_is_filled_in(root):
    for name in all_units(root):
        with open(f"{root}{UNITS}/" + name.replace("@1.", "@.")) as f:
            assert not re.search(r"@[A-Z]+@", f.read()), name


def test_units_verify(root):
    names = all_units(root)
    assert len(names) >= 15
    code, text = run("systemd-analyze", "verify", f"--root={root}", "--man=no", "--recursive-errors=no", *names)
    assert (code, text) == (0, "")


def test_verify_would_find_a_fault(root, tmp_path):
    """The test above can fail: a program that is not there, a setting that does not exist."""
    for old, new in (("plimsoll-sink --bus", "plimsoll-sunk --bus"), ("Type=notify", "Type=notify-reload")):
        bad = str(tmp_path / new[:13].replace("=", "-"))
        shutil.copytree(root, bad, symlinks=True)
        path = f"{bad}{UNITS}/plimsoll-sink.service"
        with open(path) as f:
            text = f.read()
        assert old in text
        with open(path, "w") as f:
            f.write(text.replace(old, new))
        code, text = run("systemd-analyze", "verify", f"--root={bad}", "--man=no", "plimsoll-sink.service")
        assert (code, text) != (0, "")


@pytest.mark.parametrize("service", SERVICES)
def test_sandbox_is_tight(root, service):
    code, text = run("systemd-analyze", "security", f"--root={root}", "--offline=true", "--threshold=20", "--no-pager",
                     f"plimsoll-{service}.service")
    level = float(re.search(r"Overall exposure level for \S+: ([0-9.]+)", text)[1])
    assert code == 0 and level <= EXPOSURE_MOST, text


def test_every_service_is_in_the_table(root):
    names = {os.path.basename(p)[9:-8].replace("@", "@1") for p in glob.glob(f"{root}{UNITS}/plimsoll-*.service")}
    assert names == set(SERVICES)


def test_the_drop_in_is_what_closes_it(root, tmp_path):
    """One file holds for all: without it every service is far over the limit."""
    bare = str(tmp_path / "bare")
    shutil.copytree(root, bare, symlinks=True)
    os.remove(f"{bare}{UNITS}/plimsoll-.service.d/50-hardening.conf")
    for service in SERVICES:
        code, text = exposure(bare, service)
        assert code != 0, service


def test_units_do_not_set_what_the_drop_in_would_overrule(root):
    """A drop-in is read after the unit: the same key in a unit would look good and do nothing. Lists grow."""
    lists = {"RestrictAddressFamilies", "InaccessiblePaths", "SystemCallFilter"}
    common = set(unit(root, "plimsoll-.service.d/50-hardening.conf")) - lists
    for service in SERVICES:
        own = set(unit(root, f"plimsoll-{service}.service".replace("@1", "@")))
        assert not own & common, service


@pytest.mark.parametrize("stage", STAGES)
def test_stage_units(root, stage):
    """What every stage's unit holds, and that its program knows the options it is started with."""
    u = unit(root, f"plimsoll-{stage}.service".replace("@1", "@"))
    assert u["Type"] == ["notify"] and u["WatchdogSec"] == ["300" if stage == "watcher" else "30"]
    words = u["ExecStart"][0].split()
    program = words[0]
    code, text = run(root + program, "--print-options")
    known = {line.split("\t")[0].lstrip("-") for line in text.splitlines()}
    assert code == 0
    for word in words[1:]:
        if word.startswith("--"):
            assert word[2:] in known, f"{program} knows no {word}"
    secrets = [s.split(":")[0] for s in u["LoadCredential"]]
    assert ("redis" in secrets) == (stage != "loader@1")
    assert ("curve" in secrets) == (stage in ("loader@1", "planner", "collector"))


def test_common_rules(root):
    u = unit(root, "plimsoll-.service.d/50-hardening.conf")
    for key, value in (("Restart", "always"), ("RestartSec", "200ms"), ("StartLimitIntervalSec", "0"),
                       ("RestartPreventExitStatus", "100"), ("LimitCORE", "0")):
        assert u[key] == [value], key
    for service in SERVICES:
        own = unit(root, f"plimsoll-{service}.service".replace("@1", "@"))
        assert {"MemoryMax", "TasksMax", "LimitNOFILE", "UMask", "User", "StateDirectory"} <= set(own), service


def test_loader_has_no_way_to_redis(root):
    u = unit(root, "plimsoll-loader@.service")
    assert "plimsoll-redis" not in " ".join(u["SupplementaryGroups"] + u["Group"])
    assert "-%t/plimsoll/redis" in " ".join(u["InaccessiblePaths"]).split()


def test_prometheus_is_told_of_each_socket(root):
    """grafana/prometheus.yml names the ports of the socket units, under the job names that the alerts want."""
    path = f"{root}{PREFIX}/share/plimsoll/grafana/prometheus.yml"
    with open(path) as f:
        text = f.read()
    assert run("promtool", "check", "config", "--syntax-only", path)[0] == 0
    for stage in STAGES + ["pushgateway"]:
        port = unit(root, f"plimsoll-{stage}.socket".replace("@1", "@"))["ListenStream"][0].replace("%i", "1")
        job = "pushgateway" if stage == "pushgateway" else "plimsoll-" + stage.replace("@1", "")
        assert re.search(rf"job_name: {job}\n(?:    honor.*\n)?    static_configs: \[{{targets: \[\"{port}\"\]}}\]", text), stage


def test_sockets_are_apart(root):
    """Each socket has its own address, is named so that the stage finds it, and has its service."""
    seen = set()
    for path in glob.glob(f"{root}{UNITS}/*.socket"):
        name = os.path.basename(path)
        if not name.startswith("plimsoll-"):
            continue
        u = unit(root, name)
        assert u["ListenStream"][0].startswith("127.0.0.1:") and u["ListenStream"][0] not in seen
        seen.add(u["ListenStream"][0])
        assert os.path.exists(path.replace(".socket", ".service"))
        if "pushgateway" not in name:
            assert u["FileDescriptorName"] == ["metrics"]
    assert len(seen) == 6


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes users and folders of other users")
def test_users_and_folders(root, tmp_path):
    """systemd-sysusers and systemd-tmpfiles make all users, groups and folders that the units name."""
    host = str(tmp_path / "host")
    shutil.copytree(root + PREFIX + "/lib", host + PREFIX + "/lib")
    for folder in ("etc/plimsoll/secrets", "run", "var/lib"):
        os.makedirs(f"{host}/{folder}")
    secret = f"{host}/etc/plimsoll/secrets/pl-sink"
    with open(secret, "w") as f:
        f.write("x")
    os.chmod(secret, 0o644)
    code, text = run("systemd-sysusers", f"--root={host}", "plimsoll.conf")
    assert code == 0, text
    code, text = run("systemd-tmpfiles", f"--root={host}", "--create", "plimsoll.conf")
    assert code == 0, text
    with open(f"{host}/etc/passwd") as f:
        users = {line.split(":")[0] for line in f}
    with open(f"{host}/etc/group") as f:
        groups = {line.split(":")[0] for line in f}
    for service in SERVICES:
        u = unit(root, f"plimsoll-{service}.service".replace("@1", "@"))
        assert set(u["User"]) <= users and set(u["Group"]) <= groups, service
        assert set(" ".join(u.get("SupplementaryGroups", [])).split()) <= groups, service
    assert os.stat(secret).st_mode & 0o777 == 0o600
    assert os.stat(f"{host}/etc/plimsoll/secrets").st_mode & 0o777 == 0o700
    assert os.stat(f"{host}/run/plimsoll").st_mode & 0o777 == 0o755
