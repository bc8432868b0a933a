"""What is called: nginx for what a request costs, our recorder for what only the target can know.

Both on core TARGET_CORE; the clients have core CLIENT_CORE.
"""
import array
import json
import os
import signal
import subprocess

from helpers.programs import dying_with_us
from helpers.servers import Nginx

import peers

CORES = sorted(os.sched_getaffinity(0))
TARGET_CORE, CLIENT_CORE = CORES[0], CORES[-1]


class BenchNginx(Nginx):
    """One worker on a core of its own, without limits that a benchmark would meet."""

    MORE = [("worker_connections 4096", "worker_connections 16384"), ("keepalive_requests 1000000", "keepalive_requests 1000000000"),
            (" ssl;", " ssl http2;")]

    def command(self):
        words = super().command()
        with open(words[-1], encoding="utf-8") as f:
            conf = f.read()
        for old, new in self.MORE:
            conf = conf.replace(old, new)
        with open(words[-1], "w", encoding="utf-8") as f:
            f.write(conf)
        return ["taskset", "-c", str(TARGET_CORE), *words]


class Recorder:
    """tests/bench/recorder.c: start(), kill() (as a crash would), stop() with what it saw."""

    def __init__(self, folder, **options):
        self.stamps_path = os.path.join(folder, "stamps")
        self.options, self.port, self.process = options, 0, None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/"

    @property
    def pid(self):
        return self.process.pid

    def start(self):
        words = [w for k, v in self.options.items() for w in ("--" + k.replace("_", "-"), str(v))]
        self.process = subprocess.Popen(
            dying_with_us(["taskset", "-c", str(TARGET_CORE), peers.find("recorder"), "--port", str(self.port),
                           "--stamps", self.stamps_path, *words]), stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())
        return self

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        out, _ = self.process.communicate(timeout=30)
        return json.loads(out)

    def stamps(self):
        """Nanoseconds of each request, in order."""
        out = array.array("q")
        with open(self.stamps_path, "rb") as f:
            out.frombytes(f.read())
        return sorted(out)
