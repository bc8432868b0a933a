#!/usr/bin/env python3
"""check_fault.py - `make check-fault`: dies at every labelled point, and looks whether anything was lost or done twice.

	check_fault.py [--long] [--only WORD] [--worlds N]

The points are the CRASH_POINT("module.step")s of the sources; the programs come from build/fault. For each point and
way (kill at the first pass; --long: passes 1, 2 and 5, each with kill, stop for twice the lease, abort) every stage is
started anew with PLIMSOLL_CRASH, changes are fed that take every road, and when all is done the invariants are looked
at. A point that is never reached is a failure. Worlds are used again until one fails.

The last line is the sum. Exit 1 when something is wrong.
"""
import argparse
import os
import queue
import re
import shutil
import signal
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [ROOT, os.path.join(ROOT, "tests")]
from fault.invariants import show  # noqa: E402
from fault.world import World  # noqa: E402
from helpers.servers import wait_for  # noqa: E402

LEASE_S = 1.5
POINT = re.compile(r'CRASH_POINT\("([a-z0-9.-]+)"\)')
DRAIN_S, REACHED_S = 60, 20
USES_OF_A_WORLD = 12


def points():
    """name -> file of every point in the sources."""
    found = {}
    for top in ("common", "cmd"):
        for base, _, names in os.walk(os.path.join(ROOT, top)):
            for name in (n for n in names if n.endswith(".c")):
                with open(os.path.join(base, name), encoding="utf-8") as f:
                    for point in POINT.findall(f.read()):
                        found[point] = os.path.relpath(os.path.join(base, name), ROOT)
    return dict(sorted(found.items()))


def is_stopped(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
            return f.read().rpartition(")")[2].split()[0] == "T"
    except (OSError, IndexError):
        return False


class Waker(threading.Thread):
    """Wakes what a point has stopped, after twice the lease."""

    def __init__(self, world):
        super().__init__(daemon=True)
        self.world, self.is_done, self.since = world, False, {}

    def run(self):
        while not self.is_done:
            for name in self.world.stages:
                pid = self.world.supervisor.pid(name)
                if pid is None or not is_stopped(pid):
                    self.since.pop(name, None)
                elif time.monotonic() - self.since.setdefault(name, time.monotonic()) > 2 * LEASE_S:
                    self.world.signal(name, signal.SIGCONT)
            time.sleep(0.05)


def watch(w, spec):
    """A watcher tells of six functions and ends, or dies at the point."""
    p = w.bus.start("watcher", "--once", *(f"web/{f}" for f in w.functions[:6]), env=spec)
    wait_briefly(lambda: not p.is_alive() or is_stopped(p.pid), 5)
    if is_stopped(p.pid):
        time.sleep(2 * LEASE_S)
        p.signal(signal.SIGCONT)
    p.stop(5)


def leave_old_files(w):
    """Of runs that nobody knows any more: to be swept away."""
    folder = os.path.join(w.bus.state, "collector", "results")
    os.makedirs(folder, exist_ok=True)
    for letter in "abcdef":
        path = os.path.join(folder, f"r{letter * 20}.f0.json")
        with open(path, "w", encoding="utf-8") as f:
            f.write("{}")
        os.utime(path, (time.time() - 5 * 86400,) * 2)


def drive(w, spec, hit, until):
    """Changes that take every road: tested, carried by two, superseded, cancelled in the run, removed, given back, lost,
    told while the Pushgateway is away. Again and again until the point was reached. A later pass needs processes that live
    for long: then loaders die only every tenth turn."""
    lasting = next(f for f in w.functions if f.endswith("7"))
    plain = [f for f in w.functions if not f.endswith("7")]
    end = time.monotonic() + REACHED_S * hit
    watch(w, spec)
    for turn in range(1000):
        for function in plain:
            w.change(function)
        w.change(lasting)
        w.change(plain[0])
        wait_briefly(lambda: w.redis.client().hget("{pl}:f:web/" + lasting, "act"), 2)
        if turn % 3 == 0 or (hit > 1 and turn % 10 < 8):
            w.change(lasting)                       # cancels the run
        elif turn % 3 == 1:
            w.restart("loader-l1")                  # gives it back
        else:
            w.kill("loader-l2")                     # loses it
        if turn % 2 == 1:
            w.supervisor.hold("pushgateway")
        w.remove(plain[1])
        wait_briefly(until, 2)
        w.supervisor.release("pushgateway")
        if until() or time.monotonic() > end:
            return


def wait_briefly(check, timeout_s):
    try:
        wait_for("it", check, timeout_s)
    except TimeoutError:
        pass


def try_point(w, point, hit, how):
    """What is wrong."""
    mark = os.path.join(w.folder, f"mark-{point}-{hit}-{how}")
    spec = {"PLIMSOLL_CRASH": f"{point}:{hit}:{how}", "PLIMSOLL_CRASH_MARK": mark}
    for name in w.stages:
        w.restart(name, env=spec, number=signal.SIGKILL)
    before = {(name, code): count for name, codes in w.supervisor.deaths.items() for code, count in codes.items()}
    leave_old_files(w)
    waker = Waker(w)
    waker.start()
    try:
        drive(w, spec, hit, lambda: os.path.exists(mark))
        w.wait_idle(DRAIN_S)
        wrong = w.wrong()
    except TimeoutError as e:
        wrong = [str(e)] + stuck(w)
    finally:
        waker.is_done = True
        waker.join()
    if not os.path.exists(mark):
        wrong.append("never reached")
    wrong += [f"{name} ended with {code}" for name, codes in w.supervisor.deaths.items() for code, count in codes.items()
              if count > before.get((name, code), 0) and
              (code in (100, 101) or (code == -signal.SIGABRT and how != "abort"))]
    return wrong


def stuck(w):
    from fault.invariants import State, newest_has_ended
    return list(newest_has_ended(w.evidence(), State(w.redis)))[:10]


def work(jobs, folder, number, results):
    world, uses = None, 0
    while True:
        try:
            point, hit, how = jobs.get_nowait()
        except queue.Empty:
            break
        began = time.monotonic()
        try:
            if world is None:
                place = os.path.join(folder, f"{number}-{point}-{hit}-{how}")
                world, uses = World(place, functions=9, seed=hash((point, hit, how)), long="3s", lease=f"{LEASE_S}s"), 0
                world.start()
            wrong = try_point(world, point, hit, how)
        except Exception as e:  # the harness itself: told as a failure of the point
            wrong = [f"{type(e).__name__}: {e}"]
        uses += 1
        results.put((point, hit, how, wrong, time.monotonic() - began, world))
        if wrong or uses == USES_OF_A_WORLD:
            world = close(world, keep=bool(wrong))
    close(world, keep=False)


def close(world, keep):
    if world is not None:
        world.stop()
        if not keep:
            shutil.rmtree(world.folder, ignore_errors=True)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--long", action="store_true")
    p.add_argument("--only", default="")
    p.add_argument("--worlds", type=int, default=3)
    a = p.parse_args()
    os.environ.setdefault("PLIMSOLL_BUILD", os.path.join(ROOT, "build", "fault"))
    folder = os.path.join(ROOT, "build", "check-fault")
    shutil.rmtree(folder, ignore_errors=True)
    found, ways = points(), [(1, "kill")]
    if a.long:
        ways = [(hit, how) for hit in (1, 2, 5) for how in ("kill", "stop", "abort")]
    jobs, results = queue.Queue(), queue.Queue()
    todo = [(name, hit, how) for name in found if a.only in name for hit, how in ways]
    for job in todo:
        jobs.put(job)
    print(f"check-fault: {len(found)} points, {len(todo)} cases, lease {LEASE_S} s", flush=True)
    workers = [threading.Thread(target=work, args=(jobs, folder, i, results), daemon=True) for i in range(a.worlds)]
    for t in workers:
        t.start()
    failed = report(len(todo), found, results)
    for t in workers:
        t.join()
    print(f"{len(todo) - failed} passed, {failed} failed, 0 skipped; {len(found)} points", flush=True)
    return 1 if failed or not todo else 0


def report(count, found, results):
    failed = 0
    for _ in range(count):
        point, hit, how, wrong, took_s, world = results.get()
        failed += bool(wrong)
        print(f"{'FAIL' if wrong else 'ok  '} {point} {how} at pass {hit} ({found[point]}), {took_s:.1f} s", flush=True)
        if wrong:
            print("     " + show(wrong).replace("\n", "\n     ") + f"\n     see {world.folder if world else '-'}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
