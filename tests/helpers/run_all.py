#!/usr/bin/env python3
"""run_all.py - `make test`: runs the steps, shows their output, adds up their counts.

	run_all.py MAKE_TARGET...

Every step is a make target that leaves "passed failed skipped" in the file named by PLIMSOLL_COUNTS. A step that
fails without having counted a failure counts as one; the others still run. The last line is the sum, plain:
"N passed, N failed, N skipped". Exit 1 on any failure.
"""
import os
import subprocess
import sys
import time


def counts_of(path):
    try:
        with open(path, encoding="utf-8") as f:
            return [int(n) for n in f.read().split()][:3]
    except (OSError, ValueError):
        return [0, 0, 0]


def run(target, folder):
    path = os.path.join(folder, target + ".counts")
    if os.path.exists(path):
        os.unlink(path)
    print(f"== make {target}", flush=True)
    began = time.monotonic()
    code = subprocess.run([os.environ.get("MAKE", "make"), "--no-print-directory", target],
                          env=dict(os.environ, PLIMSOLL_COUNTS=path)).returncode
    passed, failed, skipped = counts_of(path)
    if code != 0 and failed == 0:
        failed = 1
    print(f"== {target}: {passed} passed, {failed} failed, {skipped} skipped, {time.monotonic() - began:.0f} s", flush=True)
    return passed, failed, skipped


def main(targets):
    folder = os.path.abspath("build/counts")
    os.makedirs(folder, exist_ok=True)
    total = [0, 0, 0]
    for target in targets:
        total = [a + b for a, b in zip(total, run(target, folder))]
    print("%d passed, %d failed, %d skipped" % tuple(total), flush=True)
    return 1 if total[1] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
