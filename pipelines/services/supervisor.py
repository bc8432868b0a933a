"""Keeps processes running, as systemd does with Restart=always and RestartSec=200ms: for hosts and tests without it.

	s = Supervisor(folder)
	s.add("planner", ["plimsoll-planner", "--bus"], env)	# logs to folder/planner.log
	s.start()
	s.signal("planner", signal.SIGKILL)			# it is there again 0.2 s later
	s.hold("planner"); s.release("planner")			# down for as long as somebody likes
	s.deaths["planner"]					# Counter of exit codes, signals as negative numbers
	s.stop()

Exit code 100 ("you must change something") is final, as RestartPreventExitStatus=100 makes it. Every process dies with us.
"""
import collections
import os
import signal
import subprocess
import threading
import time

RESTART_S = 0.2
TICK_S = 0.02
FINAL = 100


class Service:
    def __init__(self, name, command, env, cwd):
        self.name, self.command, self.env, self.cwd = name, command, env, cwd
        self.popen, self.due, self.is_held, self.is_final, self.starts = None, 0.0, False, False, 0
        self.once = None  # environment of the next start alone

    def is_running(self):
        return self.popen is not None and self.popen.poll() is None


class Supervisor:
    def __init__(self, folder, restart_s=RESTART_S):
        self.folder, self.restart_s = folder, restart_s
        self.services, self.deaths = {}, collections.defaultdict(collections.Counter)
        self.lock, self.thread, self.is_stopping = threading.RLock(), None, False
        os.makedirs(folder, exist_ok=True)

    def add(self, name, command, env, cwd=None):
        self.services[name] = Service(name, [str(c) for c in command], env, cwd or self.folder)

    def log_path(self, name):
        return os.path.join(self.folder, name + ".log")

    def log(self, name):
        """What it has said so far."""
        if not os.path.exists(self.log_path(name)):
            return ""
        with open(self.log_path(name), encoding="utf-8", errors="replace") as f:
            return f.read()

    def start(self):
        """The processes are children of this thread's, which lives until stop(): PR_SET_PDEATHSIG goes by threads."""
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()
        return self

    def _watch(self):
        while True:
            with self.lock:
                if self.is_stopping:
                    return
                for service in self.services.values():
                    self._look(service)
            time.sleep(TICK_S)

    def _look(self, s):
        if s.popen is not None and s.popen.poll() is not None:
            self.deaths[s.name][s.popen.returncode] += 1
            s.is_final = s.popen.returncode == FINAL
            s.popen, s.due = None, time.monotonic() + self.restart_s
        if s.popen is None and not s.is_held and not s.is_final and time.monotonic() >= s.due:
            self._spawn(s)

    def _spawn(self, s):
        with open(self.log_path(s.name), "ab") as log:
            s.popen = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", *s.command], env=s.once or s.env, cwd=s.cwd,
                                       stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        s.starts, s.once = s.starts + 1, None

    def pid(self, name):
        """The process that runs now, or None."""
        with self.lock:
            s = self.services[name]
            return s.popen.pid if s.is_running() else None

    def signal(self, name, number):
        """False when it is not running just now."""
        with self.lock:
            s = self.services[name]
            if not s.is_running():
                return False
            s.popen.send_signal(number)
            return True

    def hold(self, name, number=None, timeout_s=10):
        """Ends it (SIGTERM) and does not start it again before release()."""
        with self.lock:
            s = self.services[name]
            s.is_held = True
            p = s.popen
            self.signal(name, number or signal.SIGTERM)
        if p is not None:
            p.wait(timeout_s)

    def release(self, name, once=None):
        """once: the environment of the next start alone."""
        with self.lock:
            s = self.services[name]
            s.once = once
            s.is_held = s.is_final = False
            s.due = 0.0

    def given_up(self):
        """Names of those that ended with 100."""
        with self.lock:
            return [s.name for s in self.services.values() if s.is_final]

    def stop(self, timeout_s=10, last=()):
        """SIGTERM to all, those of last after the others; SIGKILL to what is left. Exit codes by name."""
        with self.lock:
            for s in self.services.values():
                s.is_held = True
        codes = {}
        first = [s for s in self.services.values() if s.name not in last]
        for group in (first, [s for s in self.services.values() if s.name in last]):
            codes.update(self._stop_group(group, timeout_s))
        with self.lock:
            self.is_stopping = True
        if self.thread:
            self.thread.join()
        return codes

    def _stop_group(self, group, timeout_s):
        with self.lock:
            running = {s.name: s.popen for s in group if s.popen is not None}
            for name in running:
                self.signal(name, signal.SIGCONT)
                self.signal(name, signal.SIGTERM)
        end = time.monotonic() + timeout_s
        codes = {}
        for name, p in running.items():
            try:
                codes[name] = p.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                p.kill()
                codes[name] = p.wait()
        return codes
