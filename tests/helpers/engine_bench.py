"""tests/helpers/bench_engine.c of the build under test: the load engine without a loader round it.

	r = bench(server.url + "/ok", "--requests", 100)
	assert r["answered"] == 100 and total(r) == 100
"""
import json
import os
import subprocess

from helpers.programs import ROOT, build_dir, dying_with_us

ENDS = ("answered", "timeout", "connect", "tls", "dns", "bad_answer", "aborted", "not_sent")


def build():
    """Links it, if need be; returns its path."""
    folder = build_dir()
    path = os.path.join(folder, "tests", "bench_engine")
    subprocess.run(["make", "--no-print-directory", f"MODE={os.path.basename(folder)}", os.path.relpath(path, ROOT)],
                   cwd=ROOT, check=True, stdout=subprocess.DEVNULL, timeout=300)
    return path


def start(url, *args):
    """A running bench; finish() reads its result."""
    command = [build(), *(str(a) for a in args), url]
    return subprocess.Popen(dying_with_us(command), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process, timeout_s=60):
    try:
        out, err = process.communicate(timeout=timeout_s)
    finally:
        process.kill()
    assert process.returncode == 0, err
    return json.loads(out)


def bench(url, *args, timeout_s=60):
    return finish(start(url, *args), timeout_s)


def total(r):
    return sum(r[e] for e in ENDS)
