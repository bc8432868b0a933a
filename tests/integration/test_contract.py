"""The contract of every stage (docs/STAGE.md), as one table over every folder in cmd/.

A row says how a program is started and which lines of the contract apply to it; a folder without a row fails.
"""
import json
import os
import re
import select
import signal
import subprocess
import time
from dataclasses import dataclass, field

import pytest

from helpers.programs import ROOT, binary, build_dir, clean_env, dying_with_us, example
from helpers.servers import wait_for

STREAM = ("bad-lines", "long-line", "deep-line", "truncated", "pass-on", "ready", "sigterm", "bounded")
OUTPUT = ("full-disk", "broken-pipe")
PAGES = ("help", "version", "print-options", "unknown-option", "bad-config", "no-config")
LIMIT_KIB = 64 * 1024
GIB = 1 << 30

CONFIG = """\
accounts:
  prod: {provider: aws, region: us-east-1, endpoint: "http://127.0.0.1:9"}
functions:
  prod/hello: {payload: '{}'}
sinks:
  file: {path: results.ndjson}
"""


@dataclass
class Row:
    lines: tuple                            # of the contract that apply
    args: tuple = ()                        # for a run
    check: bool = True                      # --check looks at the configuration
    eats: tuple = ()                        # event kinds that do not come out again
    reads: tuple = ()                       # kinds it works on
    ends_with: int = 0                      # exit code of a run in which nothing happened
    path: str = None                        # of the binary, if not build/MODE/plimsoll-NAME
    needs: dict = field(default_factory=dict)


TABLE = {
    "echo": Row(STREAM + OUTPUT + PAGES[:4], path="tests/echo_stage"),
    "watcher": Row(PAGES + ("full-disk-page",)),
    "planner": Row(STREAM + OUTPUT + PAGES, reads=("function.changed", "function.removed")),
    "loader": Row(STREAM + OUTPUT + PAGES, eats=("shard.planned",), reads=("run.planned",)),
    "collector": Row(STREAM + OUTPUT + PAGES, eats=("shard.finished", "measurement.reported"), reads=("run.planned",)),
    "sink": Row(STREAM + PAGES, args=("--to", "terminal", "--allow-empty"), eats=("*",)),
    "plimsoll": Row(("help", "version", "unknown-option"), check=False),
}


def rows(line):
    return [n for n, r in TABLE.items() if line in r.lines]


class Stage:
    """A running stage with its pipes, its ready descriptor and its folder."""

    def __init__(self, name, folder, *more, stdout=subprocess.PIPE, config=CONFIG):
        row = TABLE[name]
        self.folder = folder
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "plimsoll.yaml"), "w", encoding="utf-8") as f:
            f.write(config)
        path = os.path.join(build_dir(), row.path) if row.path else binary(name)
        self.ready_fd, ready = os.pipe()
        args = [] if row.path else ["--config", "plimsoll.yaml"]
        self.err = open(os.path.join(folder, "stderr"), "w+b")
        self.p = subprocess.Popen(dying_with_us([path, *args, *row.args, "--ready-fd", str(ready), *more]),
                                  cwd=folder, env=clean_env(home=folder), stdin=subprocess.PIPE, stdout=stdout,
                                  stderr=self.err, pass_fds=[ready])
        os.close(ready)

    def ready(self, timeout_s=20):
        assert select.select([self.ready_fd], [], [], timeout_s)[0], self.errors()
        assert os.read(self.ready_fd, 2) == b"\n", self.errors()
        return self

    def feed(self, data):
        """Writes it all and ends the input; what came out."""
        out, _ = self.p.communicate(data, timeout=60)
        return out or b""

    def errors(self):
        self.err.seek(0)
        return self.err.read().decode("utf-8", "replace")

    def peak_kib(self):
        """Most memory so far. Works while it runs."""
        with open(f"/proc/{self.p.pid}/status", encoding="utf-8") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmHWM:"))

    def close(self):
        if self.p.poll() is None:
            self.p.kill()
            self.p.wait()
        for f in (self.p.stdin, self.p.stdout, self.err):
            if f:
                try:
                    f.close()
                except OSError:
                    pass
        os.close(self.ready_fd)


@pytest.fixture
def run_stage(tmp_path):
    started = []

    def start(name, *more, **kw):
        s = Stage(name, tmp_path / f"{name}-{len(started)}", *more, **kw)
        started.append(s)
        return s
    yield start
    for s in started:
        s.close()


def page(name, *args, env=None, cwd=None, stdout=subprocess.PIPE):
    row = TABLE[name]
    path = os.path.join(build_dir(), row.path) if row.path else binary(name)
    p = subprocess.run(dying_with_us([path, *args]), env=clean_env(env), cwd=cwd, stdin=subprocess.DEVNULL,
                       stdout=stdout, stderr=subprocess.PIPE, timeout=60)
    return p.returncode, (p.stdout or b"").decode(), p.stderr.decode()


def other(n, size=0):
    """An event of a type that nobody knows: every stage passes it on, the end eats it."""
    return json.dumps({"specversion": "1.0", "type": "com.example.other.v1", "id": f"o{n}", "source": "test",
                       "time": "2026-11-22T15:00:00.000Z", "subject": "prod/hello", "spaces": "kept ",
                       "data": {"n": n, "fill": "x" * size}}, indent=None).encode() + b"\n"


def passed_on(name, *lines):
    """What of these foreign lines must come out."""
    return b"" if TABLE[name].eats == ("*",) else b"".join(lines)


def test_every_program_has_a_row():
    assert {d for d in os.listdir(os.path.join(ROOT, "cmd"))} == set(TABLE) - {"echo"}


# -- pages --

@pytest.mark.parametrize("name", rows("help"))
def test_help_is_a_page_on_stdout(name, tmp_path):
    for args in (["--help"],):
        code, out, err = page(name, *args, cwd=tmp_path)
        assert (code, err) == (0, "")
        assert out.lower().startswith("usage: plimsoll") and "\n" in out


@pytest.mark.parametrize("name", rows("version"))
def test_version_is_one_line(name, tmp_path):
    code, out, err = page(name, "--version", cwd=tmp_path)
    assert (code, err, out.count("\n")) == (0, "", 1)
    assert out.startswith("plimsoll")


@pytest.mark.parametrize("name", rows("print-options"))
def test_options_for_machines_are_those_of_help(name, tmp_path):
    code, out, _ = page(name, "--print-options", cwd=tmp_path)
    help_text = page(name, "--help", cwd=tmp_path)[1]
    options = [line.split("\t") for line in out.splitlines()]
    assert code == 0 and options and all(len(o) == 6 for o in options), out
    assert [o[0] for o in options if "--" + o[0] not in help_text] == []
    assert {"config", "help", "version", "check", "print-options"} <= {o[0] for o in options}


@pytest.mark.parametrize("name", rows("unknown-option"))
def test_a_misspelt_option_is_named_and_100(name, tmp_path):
    code, out, err = page(name, "--hepl", cwd=tmp_path)
    assert (code, out) == (100, "") and "hepl" in err and "help" in err


@pytest.mark.parametrize("name", rows("bad-config"))
def test_a_bad_configuration_is_100_with_its_place(name, tmp_path):
    (tmp_path / "bad.yaml").write_text("accounts: {prod: {provider: aws, region: us-east-1}}\nfunctons: {}\n")
    for args in (["--check"], []):
        code, out, err = page(name, "--config", "bad.yaml", *args, cwd=tmp_path)
        assert (code, out) == (100, ""), err
        assert "bad.yaml:2:1:" in err and "functions" in err


@pytest.mark.parametrize("name", rows("no-config"))
def test_a_configuration_that_is_not_there_is_100(name, tmp_path):
    code, out, err = page(name, "--config", "nowhere.yaml", "--check", cwd=tmp_path)
    assert (code, out) == (100, "") and "nowhere.yaml" in err


@pytest.mark.parametrize("name", [n for n in rows("bad-config") if TABLE[n].check])
def test_check_of_a_good_configuration_is_0(name, tmp_path):
    (tmp_path / "plimsoll.yaml").write_text(CONFIG)
    code, out, err = page(name, "--config", "plimsoll.yaml", *TABLE[name].args, "--check", cwd=tmp_path)
    assert code == 0, err
    assert sorted(os.listdir(tmp_path)) == ["plimsoll.yaml"], "--check leaves something behind"


@pytest.mark.parametrize("name", sorted(set(rows("full-disk")) | set(rows("full-disk-page")) | {"sink"}))
def test_a_page_on_a_full_disk_is_no_success(name, tmp_path):
    with open("/dev/full", "wb") as full:
        for arg in ("--help", "--version", "--print-options"):
            assert page(name, arg, cwd=tmp_path, stdout=full)[0] == 111, arg


# -- lines --

BAD = [b"not json\n", b"{}\n", b"[1]\n", b'{"specversion":"1.0"}\n', b"\xff\xfe\n", b'{"a":1,"a":2}\n', b"\x00\n"]


@pytest.mark.parametrize("name", rows("bad-lines"))
def test_bad_lines_are_put_aside_and_the_rest_goes_on(name, run_stage):
    s = run_stage(name, "--reject", "rejects")
    out = s.feed(other(1) + b"".join(BAD) + other(2))
    assert s.p.returncode == TABLE[name].ends_with, s.errors()
    assert out == passed_on(name, other(1), other(2))
    with open(s.folder / "rejects", "rb") as f:
        assert f.read() == b"".join(BAD)
    logged = [line for line in s.errors().splitlines() if "put aside" in line]
    assert len(logged) == 1, "once per kind"
    assert f"{len(BAD)} in all" in s.errors()


@pytest.mark.parametrize("name", rows("long-line"))
def test_a_line_of_two_mib_is_put_aside(name, run_stage):
    s = run_stage(name)
    out = s.feed(other(1) + b"x" * (2 << 20) + b"\n" + other(2, 2 << 20) + other(3))
    assert s.p.returncode == TABLE[name].ends_with, s.errors()
    assert out == passed_on(name, other(1), other(3))
    assert "too-long" in s.errors() and "2 in all" in s.errors()


@pytest.mark.parametrize("name", rows("deep-line"))
def test_nesting_is_refused_before_it_costs_memory(name, run_stage):
    s = run_stage(name).ready()
    deep = other(1)[:-2] + b',"deep":' + b"[" * 500000 + b"]" * 500000 + b"}\n"
    s.p.stdin.write(deep + other(2))
    s.p.stdin.flush()
    if TABLE[name].eats != ("*",):
        assert s.p.stdout.readline() == other(2)
    else:
        wait_for("the line was put aside", lambda: "put aside" in s.errors(), 20)
    if "asan" not in build_dir():
        assert s.peak_kib() < LIMIT_KIB // 2
    s.feed(b"")
    assert s.p.returncode == TABLE[name].ends_with, s.errors()


@pytest.mark.parametrize("name", rows("truncated"))
def test_a_truncated_last_line_is_put_aside(name, run_stage):
    s = run_stage(name, "--reject", "rejects")
    cut = other(2)[:-20]
    out = s.feed(other(1) + cut)
    assert s.p.returncode == TABLE[name].ends_with, s.errors()
    assert out == passed_on(name, other(1))
    with open(s.folder / "rejects", "rb") as f:
        assert f.read() == cut + b"\n"
    assert "truncated" in s.errors()


@pytest.mark.parametrize("name", rows("truncated"))
def test_a_whole_last_line_without_its_newline_is_taken(name, run_stage):
    s = run_stage(name)
    assert s.feed(other(1) + other(2)[:-1]) == passed_on(name, other(1), other(2))
    assert s.p.returncode == TABLE[name].ends_with, s.errors()


@pytest.mark.parametrize("name", rows("pass-on"))
def test_what_is_not_eaten_passes_on_unchanged_and_in_order(name, run_stage):
    row = TABLE[name]
    kinds = ["run.finished", "shard.progress", "function.removed"]
    lines = [other(1)] + [json.dumps(example(k), indent=None, sort_keys=True).encode() + b" \n" for k in kinds] + [other(2)]
    s = run_stage(name)
    out = s.feed(b"".join(lines))
    if row.eats == ("*",):
        return
    assert [line for line in out.splitlines(True) if line in lines] == lines
    assert s.p.returncode == row.ends_with, s.errors()


# -- ends --

@pytest.mark.parametrize("name", rows("ready"))
def test_ready_is_told_while_the_input_is_open(name, run_stage):
    s = run_stage(name).ready()
    assert s.p.poll() is None
    s.feed(b"")
    assert s.p.returncode == TABLE[name].ends_with, s.errors()


@pytest.mark.parametrize("name", rows("ready"))
def test_no_core_file_may_hold_its_secrets(name, run_stage):
    s = run_stage(name).ready()
    with open(f"/proc/{s.p.pid}/limits", encoding="ascii") as f:
        assert re.search(r"Max core file size +0 +0 ", f.read())
    s.feed(b"")


@pytest.mark.parametrize("name", rows("sigterm"))
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_0(name, number, run_stage):
    s = run_stage(name).ready()
    s.p.send_signal(number)
    assert s.p.wait(60) == TABLE[name].ends_with, s.errors()


@pytest.mark.parametrize("name", rows("full-disk"))
def test_a_full_disk_is_111(name, run_stage):
    with open("/dev/full", "wb") as full:
        s = run_stage(name, stdout=full)
        s.feed(other(1) * 3)
    assert s.p.returncode == 111, s.errors()
    assert "No space left" in s.errors()


@pytest.mark.parametrize("name", rows("broken-pipe"))
def test_a_reader_that_left_is_0_when_nothing_is_held(name, run_stage):
    s = run_stage(name).ready()
    s.p.stdout.close()
    s.p.stdout = None
    try:
        while s.p.poll() is None:
            s.p.stdin.write(other(1, 1000))
            s.p.stdin.flush()
    except BrokenPipeError:
        pass
    assert s.p.wait(60) == 0, s.errors()


@pytest.mark.measures
@pytest.mark.parametrize("name", rows("broken-pipe"))
def test_drain_is_counted_once_while_the_reader_stands_still(name, run_stage):
    s = run_stage(name, "--drain", "2s").ready()
    flood(s, lambda n: other(n, 30000), idle_s=1.0)
    begun = time.monotonic()
    s.p.send_signal(signal.SIGTERM)
    assert s.p.wait(60) == 111, s.errors()
    assert 1.5 < time.monotonic() - begun < 3.5, s.errors()


def test_a_signal_reaches_a_stage_that_failed_before_a_slow_reader(run_stage):
    s = run_stage("echo", "--reject", "/dev/full", "--drain", "1s").ready()
    s.p.stdin.write(other(1, 30000) * 4 + b"no event\n")
    s.p.stdin.flush()
    wait_for("the failure", lambda: "No space left" in s.errors())
    s.p.send_signal(signal.SIGTERM)
    assert s.p.wait(60) == 111, s.errors()


# -- memory --

def flood(stage, make, total_bytes=GIB, idle_s=2.0):
    """Feeds events until the input stays blocked for idle_s or all is written. Bytes written."""
    fd = stage.p.stdin.fileno()
    os.set_blocking(fd, False)
    written, n, chunk = 0, 0, b""
    while written < total_bytes and stage.p.poll() is None:
        if not chunk:
            chunk, n = b"".join(make(n + i) for i in range(16)), n + 16
        if not select.select([], [fd], [], idle_s)[1]:
            break
        try:
            sent = os.write(fd, chunk)
        except BlockingIOError:
            continue
        written, chunk = written + sent, chunk[sent:]
    return written


def own(kind):
    """Makes distinct events of a kind that the stage works on."""
    text = json.dumps(example(kind))
    run = example(kind).get("plimsollrun") or example(kind)["id"]

    def make(n):
        return text.replace(run, run[0] + f"{n:019d}".translate(str.maketrans("0123456789", "abcdefghij"))).encode() + b"\n"
    return make


FLOODS = [(n, "other") for n in rows("bounded")] + [(n, k) for n in rows("bounded") for k in TABLE[n].reads + TABLE[n].eats if k != "*"]


@pytest.mark.skipif("asan" in build_dir(), reason="memory is measured in release builds")
@pytest.mark.parametrize("name,kind", FLOODS)
def test_memory_is_bounded_while_the_reader_stands_still(name, kind, run_stage):
    reader = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    try:
        reader.send_signal(signal.SIGSTOP)
        s = run_stage(name, stdout=reader.stdin)
        reader.stdin.close()
        s.ready()
        make = (lambda n: other(n, 30000)) if kind == "other" else own(kind)
        written = flood(s, make, GIB if kind == "other" else GIB // 16)  # small events that are eaten take their time
        assert s.p.poll() is None, s.errors()[-2000:]
        assert s.peak_kib() <= LIMIT_KIB, f"{s.peak_kib()} KiB after {written} bytes"
        if kind == "other" and TABLE[name].eats != ("*",):
            assert written < GIB // 16, "it goes on reading though its output stands still"
    finally:
        reader.send_signal(signal.SIGCONT)
        reader.kill()
        reader.wait()
