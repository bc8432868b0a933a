"""Runs our own programs from build/$MODE (PLIMSOLL_BUILD overrides the folder).

	r = pl("planner", "--config", path, input=events)	# list of dicts, text or bytes
	assert r.code == 0 and r.events[0]["type"] == "plimsoll.run.planned.v1"
	out = pipe([("planner", "--config", c), ("loader",), ("collector",)], input=events)

They run with a clean environment: PATH, a HOME of their own, LANG, the sanitizers' options, and what env= gives; no
AWS variable of the machine leaks in.
"""
import json
import os
import subprocess
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PASSED_ON = ("PATH", "LANG", "TMPDIR", "ASAN_OPTIONS", "UBSAN_OPTIONS", "SSL_CERT_FILE")
TIMEOUT_S = 120


def build_dir():
    return os.path.abspath(os.environ.get("PLIMSOLL_BUILD") or
                           os.path.join(ROOT, "build", os.environ.get("MODE") or "release"))


def binary(program):
    """Path of "plimsoll" or of a stage ("loader" or "plimsoll-loader")."""
    name = program if program.startswith("plimsoll") else "plimsoll-" + program
    return os.path.join(build_dir(), name)


def example(kind=None):
    """tests/data/example.json: all events, or the one of a kind ("run.planned")."""
    with open(os.path.join(ROOT, "tests", "data", "example.json"), encoding="utf-8") as f:
        events = json.load(f)
    if kind is None:
        return events
    return next(e for e in events if e["type"] == f"plimsoll.{kind}.v1")


def lines(events):
    """Events (dicts, or ready text) as NDJSON bytes."""
    if events is None:
        return b""
    if isinstance(events, bytes):
        return events
    if isinstance(events, str):
        return events.encode()
    if isinstance(events, dict):
        events = [events]
    return b"".join(json.dumps(e, separators=(",", ":")).encode() + b"\n" for e in events)


def clean_env(env=None, home=None):
    out = {k: os.environ[k] for k in PASSED_ON if k in os.environ}
    out["PATH"] = build_dir() + ":" + out.get("PATH", "/usr/bin:/bin")
    out["HOME"] = str(home or os.path.join(tempfile.gettempdir(), "plimsoll-test-home-that-is-not-there"))
    out.update({k: str(v) for k, v in (env or {}).items()})
    return out


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def text(self):
        return self.out.decode("utf-8", "replace")

    @property
    def errors(self):
        return self.err.decode("utf-8", "replace")

    @property
    def events(self):
        return [json.loads(line) for line in self.out.splitlines() if line.strip()]

    def of(self, kind):
        """The events of one kind ("run.finished")."""
        return [e for e in self.events if e["type"] == f"plimsoll.{kind}.v1"]

    def __repr__(self):
        return f"exit {self.code}\n--- stdout\n{self.text[-3000:]}\n--- stderr\n{self.errors[-3000:]}"


def dying_with_us(command):
    """The command, wrapped so that it is killed when we die: no test leaves a process behind."""
    return ["setpriv", "--pdeathsig", "KILL", "--"] + [str(c) for c in command]


def start(program, *args, env=None, home=None, cwd=None, **popen):
    """A running program (subprocess.Popen with pipes); the caller ends it."""
    for name in ("stdin", "stdout", "stderr"):
        popen.setdefault(name, subprocess.PIPE)
    return subprocess.Popen(dying_with_us([binary(program), *args]), env=clean_env(env, home), cwd=cwd, **popen)


def pl(program, *args, input=None, env=None, home=None, cwd=None, timeout_s=TIMEOUT_S):
    """Runs a program to its end."""
    p = start(program, *args, env=env, home=home, cwd=cwd)
    try:
        out, err = p.communicate(lines(input), timeout=timeout_s)
    except BaseException:
        p.kill()
        out, err = p.communicate()
        raise AssertionError(f"{program} {args}: no end after {timeout_s} s\n{Result(None, out, err)}")
    return Result(p.returncode, out, err)


def pipe(stages, input=None, env=None, home=None, cwd=None, timeout_s=TIMEOUT_S):
    """Runs stages [(program, *args), ...] one behind the other, in a real pipe: list of Results; only the last has
    its output (put `tee` between for the others: a stage may be ("tee", path), any command on the PATH)."""
    running, errors = [], []
    try:
        for i, (program, *args) in enumerate(stages):
            path = binary(program) if os.path.exists(binary(program)) else program
            err = tempfile.TemporaryFile()
            p = subprocess.Popen(dying_with_us([path, *args]), env=clean_env(env, home), cwd=cwd,
                                 stdin=running[-1].stdout if running else subprocess.PIPE,
                                 stdout=subprocess.PIPE, stderr=err)
            if running:
                running[-1].stdout.close()
            running.append(p)
            errors.append(err)
        feed, last = running[0].stdin, running[-1]
        out = _communicate(feed, lines(input), last, timeout_s)
        codes = [p.wait(timeout_s) for p in running]
    finally:
        for p in running:
            if p.poll() is None:
                p.kill()
                p.wait()
    results = []
    for i, err in enumerate(errors):
        err.seek(0)
        results.append(Result(codes[i], out if i == len(errors) - 1 else b"", err.read()))
    return results


def _communicate(feed, data, last, timeout_s):
    import threading

    def write():
        try:
            feed.write(data)
            feed.close()
        except OSError:
            pass
    t = threading.Thread(target=write, daemon=True)
    t.start()
    if feed is last.stdin:
        last.stdin = None
    out, _ = last.communicate(timeout=timeout_s)
    t.join(timeout_s)
    return out
