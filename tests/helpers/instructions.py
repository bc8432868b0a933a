"""How many instructions a request costs the loader: valgrind counts them, so that a noisy machine does not matter.

	counted = measure(folder)	# {"http1": 3210.5}
	compiler()			# "GCC 12 x86_64": another one makes other code
	make count-instructions		# prints; with RECORD=1 writes tests/data/instructions.json

The real program, from the event to the result: `shared-iterations` with one user against a target that always answers the
same, so that no two runs differ in how answers are batched. Two runs, of few and of many requests: their difference holds
no start-up. Everything is on: schedule, histograms, outcome classes, the packed calls, the clock of the target.
"""
import json
import os
import re
import subprocess
import sys

if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from helpers.programs import ROOT, binary, build_dir, clean_env, dying_with_us, lines  # noqa: E402
from helpers.shards import http_target, shard  # noqa: E402

RECORD = os.path.join(ROOT, "tests", "data", "instructions.json")
FEW, MANY = 10000, 20000  # a result carries at most 10,000 calls: packing them falls out too
AT_MOST = 1.10


def recorder():
    """tests/bench/recorder.c as a process: (Popen, port)."""
    path = os.path.join(build_dir(), "tests", "bench", "recorder")
    subprocess.run(["make", "--no-print-directory", f"MODE={os.path.basename(build_dir())}", os.path.relpath(path, ROOT)],
                   cwd=ROOT, check=True, stdout=subprocess.DEVNULL, timeout=300)
    p = subprocess.Popen(dying_with_us([path]), stdout=subprocess.PIPE, text=True)
    return p, int(p.stdout.readline())


def count(folder, port, requests):
    """Instructions of a whole run."""
    config = os.path.join(folder, "plimsoll.yaml")
    with open(config, "w", encoding="utf-8") as f:
        f.write(f"accounts:\n  web: {{provider: http, allow: ['127.0.0.1:{port}']}}\n"
                "limits: {rate: 100000/s, concurrency: 1000}\nfunctions: {}\n")
    event = shard("web/hello", [http_target("new", f"http://127.0.0.1:{port}/")], executor="shared-iterations", vus=1, spread=0,
                  iterations=requests, rate_per_s=None, duration_ms=60000, block_ms=60000,  # one block, however slow valgrind is
                  arrival=None)
    work = event["data"]["workload"]
    event["data"]["workload"] = {k: v for k, v in work.items() if v is not None}
    out = os.path.join(folder, "callgrind.out")
    run = subprocess.run(dying_with_us(["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", binary("loader"),
                                        "--config", config]), env=clean_env(), input=lines(event), capture_output=True, timeout=120)
    done = [e for e in map(json.loads, run.stdout.splitlines()) if e["type"].endswith("shard.finished.v1")]
    assert run.returncode == 0 and done, run.stderr.decode(errors="replace")
    assert done[0]["data"]["due"] == requests and done[0]["data"]["series"][0]["outcomes"]["ok"] == requests, done
    return int(re.search(r"Collected : (\d+)", run.stderr.decode()).group(1))


def measure(folder):
    """Runs differ by some hundredths: timers, reports of progress, histograms of other times."""
    target, port = recorder()
    try:
        few, many = (count(folder, port, n) for n in (FEW, MANY))
    finally:
        target.kill()
        target.wait()
    return {"http1": (many - few) / (MANY - FEW)}


def compiler():
    """What the loader was built with, by its own word."""
    out = subprocess.run(["readelf", "-p", ".comment", binary("loader")], capture_output=True, text=True, timeout=30).stdout
    m = re.search(r"(GCC|clang)[^\d]*(?:\([^)]*\) )?(\d+)", out)
    return f"{m.group(1)} {m.group(2)} {os.uname().machine}" if m else "unknown"


def recorded():
    with open(RECORD, encoding="utf-8") as f:
        return json.load(f)


def main():
    import tempfile
    with tempfile.TemporaryDirectory() as folder:
        counted = {k: round(v) for k, v in measure(folder).items()}
    print(f"{compiler()}: {counted} instructions a request")
    if "--record" in sys.argv:
        kept = recorded() if os.path.exists(RECORD) else {}
        with open(RECORD, "w", encoding="utf-8") as f:
            json.dump({**kept, compiler(): counted}, f, indent=1, sort_keys=True)
            f.write("\n")


if __name__ == "__main__":
    main()
