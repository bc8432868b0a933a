"""Runs one program and says what it took, and how quiet the machine was meanwhile.

	run = measure(["wrk", "-t1", url], core=1, others=[server.pid])
	run.cpu_s, run.wall_s, run.rss_mib, run.out, run.code, run.noise

CPU is user + system of the program and of every child that it waited for, by the kernel's own account. RSS is the
most that the tree held at one moment, sampled.
"""
import os
import subprocess
import tempfile
import time

TICK_S = 1.0 / os.sysconf("SC_CLK_TCK")
PAGE_MIB = os.sysconf("SC_PAGESIZE") / 1048576
SAMPLE_S = 0.1


class Run:
    """One run of one program."""

    def __init__(self):
        self.cpu_s = self.wall_s = self.rss_mib = 0.0
        self.code, self.out, self.err = None, "", ""
        self.steal_ratio = self.others_ratio = 0.0  # of all cores
        self.is_cut = False  # it did not end by itself

    @property
    def noise(self):
        return self.steal_ratio + self.others_ratio


def _machine():
    """(busy, stolen) seconds of all cores since boot."""
    with open("/proc/stat", encoding="ascii") as f:
        v = [int(x) * TICK_S for x in f.readline().split()[1:]]
    return v[0] + v[1] + v[2] + v[5] + v[6], v[7]


def _of_process(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
            v = f.read().rsplit(")", 1)[1].split()
        return (int(v[11]) + int(v[12])) * TICK_S
    except OSError:
        return 0.0


def _children(pid):
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as f:
                yield from (int(p) for p in f.read().split())
    except OSError:
        return


def _tree_rss_mib(pid):
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as f:
            mine = int(f.read().split()[1]) * PAGE_MIB
    except (OSError, IndexError):
        return 0.0
    return mine + sum(_tree_rss_mib(c) for c in _children(pid))


def _watch(process, run, end, moments):
    """Samples memory and does what is due until the program ends or `end` passes. moments: [(seconds, function)]."""
    start = time.monotonic()
    moments = sorted(moments, key=lambda m: m[0])
    while True:
        try:
            done = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        now = time.monotonic()
        if done:
            return
        while moments and now - start >= moments[0][0]:
            moments.pop(0)[1]()
        if now > end:
            run.is_cut = True
            process.kill()
            return
        run.rss_mib = max(run.rss_mib, _tree_rss_mib(process.pid))
        time.sleep(SAMPLE_S if not moments else max(0.0, min(SAMPLE_S, start + moments[0][0] - time.monotonic())))


def measure(command, core=None, others=(), at=(), timeout_s=60.0, cwd=None):
    """others: processes whose CPU is known (the target). at: [(seconds after the start, function)]."""
    run = Run()
    pinned = ["setpriv", "--pdeathsig", "KILL", "--"]
    if core is not None:
        pinned += ["taskset", "-c", str(core)]
    with tempfile.TemporaryFile() as err, tempfile.TemporaryFile() as out:
        busy, stolen = _machine()
        known = sum(_of_process(p) for p in others) + time.process_time()
        start = time.monotonic()
        process = subprocess.Popen(pinned + list(command), stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=cwd,
                                   start_new_session=True)
        _watch(process, run, start + timeout_s, list(at))
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = run.code = os.waitstatus_to_exitcode(status)
        run.wall_s = time.monotonic() - start
        run.cpu_s = usage.ru_utime + usage.ru_stime
        known = sum(_of_process(p) for p in others) + time.process_time() - known
        busy, stolen = (b - a for a, b in zip((busy, stolen), _machine()))
        total = run.wall_s * os.cpu_count()
        run.steal_ratio = stolen / total
        run.others_ratio = max(0.0, busy - known - run.cpu_s) / total
        for f, name in ((out, "out"), (err, "err")):
            f.seek(0)
            setattr(run, name, f.read().decode("utf-8", "replace"))
    return run
