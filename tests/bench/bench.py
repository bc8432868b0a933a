"""`make bench`: what a request costs the load engine, side by side with wrk on the same nginx in the same run.

The two take turns; figures are CPU time of the whole client process by the operating system's account, divided by its
requests. Quote the ratio, not the microseconds: machines differ and are noisy.
"""
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from helpers import engine_bench  # noqa: E402
from helpers.servers import Nginx, make_certificate  # noqa: E402

TURNS = int(os.environ.get("TURNS", "5"))
REQUESTS = int(os.environ.get("REQUESTS", "100000"))
CONNECTIONS = 64


def run(command):
    """(CPU seconds, standard output) of one process."""
    p = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    out = p.stdout.read()
    _, status, usage = os.wait4(p.pid, 0)
    assert status == 0, (command, status)
    return usage.ru_utime + usage.ru_stime, out


def ours(url, ca):
    cpu_s, _ = run([engine_bench.build(), "--requests", str(REQUESTS), "--connections", str(CONNECTIONS), "--ramp",
                    *(["--ca", ca] if ca else []), url])
    return cpu_s / REQUESTS * 1e6


def wrk(url, _):
    cpu_s, out = run(["wrk", "-t1", f"-c{CONNECTIONS}", "-d5s", url])
    return cpu_s / int(re.search(r"(\d+) requests in", out).group(1)) * 1e6


def compare(name, url, ca=None):
    mine, theirs = [], []
    for turn in range(TURNS):
        mine.append(ours(url, ca))
        theirs.append(wrk(url, ca))
        print(f"bench: {name}: turn {turn + 1} of {TURNS}", file=sys.stderr)
    ratio = statistics.median(a / b for a, b in zip(mine, theirs))
    print(f"{name:<10} engine {statistics.median(mine):5.1f} us a request ({min(mine):.1f} to {max(mine):.1f}), "
          f"wrk {statistics.median(theirs):5.1f} ({min(theirs):.1f} to {max(theirs):.1f}), ratio {ratio:.2f}", flush=True)


def main():
    if not shutil.which("wrk"):
        sys.exit("bench: wrk is the peer and is not installed: apt-get install wrk")
    with tempfile.TemporaryDirectory() as folder:
        with Nginx(os.path.join(folder, "plain")) as server:
            compare("HTTP/1.1", server.url + "/ok")
        tls = make_certificate(folder)
        with Nginx(os.path.join(folder, "tls"), tls=tls) as server:
            compare("TLS", server.url + "/ok", ca=tls[0])


main()
