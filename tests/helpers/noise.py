"""Was the machine ours while a test measured? The one place that knows, and that tries such a test again.

A test marked `measures` holds times or rates against a limit. When it fails and there is evidence that others kept the
machine - the hypervisor stole, we were woken late, more wanted to run than there are cores - it is tried again, with
fixtures made anew, TRIES times in all. Without evidence, or every time, it fails: what is broken fails every time.

	with Noise() as noise: ...
	noise.words()		# "woken up to 31 ms late, steal 4.0%", or "" on a quiet machine
	is_busy()		# now; wait_for() is more patient then
"""
import os
import threading
import time

TRIES = 3
EVERY_S = 0.01
LATE_S = 0.01          # of a thread that sleeps EVERY_S; a quiet machine of two cores shows 4 ms
STEAL_RATIO = 0.01
again = []             # a line for each try that was not the last


def is_busy():
    """More want to run than there are cores."""
    return os.getloadavg()[0] > os.cpu_count()


def cpu_ticks():
    """(all, stolen) ticks of all cores."""
    with open("/proc/stat", encoding="ascii") as f:
        ticks = [int(n) for n in f.readline().split()[1:9]]
    return sum(ticks), ticks[7]


class Noise:
    """Watches the machine from enter to exit."""

    def __enter__(self):
        self.before, self.late_s, self.done = cpu_ticks(), 0.0, threading.Event()
        self.thread = threading.Thread(target=self._sleep_and_look, daemon=True)
        self.thread.start()
        return self

    def _sleep_and_look(self):
        asleep = time.monotonic()
        while not self.done.wait(EVERY_S):
            now = time.monotonic()
            self.late_s, asleep = max(self.late_s, now - asleep - EVERY_S), now

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()
        total, stolen = (b - a for a, b in zip(self.before, cpu_ticks()))
        self.steal_ratio = stolen / max(total, 1)

    def words(self):
        signs = [(self.late_s > LATE_S, f"woken up to {self.late_s * 1000:.0f} ms late"),
                 (self.steal_ratio > STEAL_RATIO, f"steal {self.steal_ratio:.1%}"),
                 (is_busy(), f"load {os.getloadavg()[0]:.1f}")]
        return ", ".join(text for is_seen, text in signs if is_seen)


def protocol(item, nextitem):
    """pytest_runtest_protocol of a test that measures."""
    from _pytest.runner import runtestprotocol  # the demo and the benches use our other half without pytest
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for left in reversed(range(TRIES)):
        with Noise() as noise:
            reports = runtestprotocol(item, nextitem=nextitem, log=False)
        if not left or not noise.words() or not any(r.failed for r in reports):
            break
        again.append(f"{item.nodeid}: {noise.words()}")
        item.session._setupstate.teardown_exact(None)  # what a module's tests share was measured in the noise too
        item._initrequest()
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True
