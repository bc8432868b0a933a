#!/usr/bin/env python3
"""run_unit.py - runs cmocka test programs, shows what fails, counts.

	run_unit.py PROGRAM...

Each program runs with CMOCKA_MESSAGE_OUTPUT=TAP and its own time limit. A program that dies
(sanitizer, abort, time-out) counts as one failure more than the tests it had reported. One that fails is run once more
when all others are over; if it passes then, a line says so. The counts go to
the file named by PLIMSOLL_COUNTS ("passed failed skipped"), if any. Exit 1 on any failure.
"""
import concurrent.futures
import os
import re
import subprocess
import sys
import time

AGAIN_MAX = 3   # programs; more that fail are no accident
TIMEOUT_S = float(os.environ.get("PLIMSOLL_UNIT_TIMEOUT_S", "180"))
SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
}
RESULT = re.compile(r"^(not )?ok \d+(.*)$", re.M)


def count(text):
    """Counts TAP lines: (passed, failed, skipped)."""
    passed = failed = skipped = 0
    for bad, rest in RESULT.findall(text):
        if "# SKIP" in rest.upper():
            skipped += 1
        elif bad:
            failed += 1
        else:
            passed += 1
    return passed, failed, skipped


def run(path):
    env = dict(os.environ, CMOCKA_MESSAGE_OUTPUT="TAP")
    for key, value in SANITIZERS.items():
        env.setdefault(key, value)
    started = time.monotonic()
    try:
        p = subprocess.run([path], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, timeout=TIMEOUT_S)
        text, code = p.stdout.decode("utf-8", "replace"), p.returncode
        note = f"ended with {code}" if code else ""
    except subprocess.TimeoutExpired as e:
        text, code = (e.stdout or b"").decode("utf-8", "replace"), -1
        note = f"no end after {TIMEOUT_S:g} s"
    passed, failed, skipped = count(text)
    if code != 0 and failed == 0:
        failed = 1
    if code == 0 and passed + failed + skipped == 0:
        failed, note = 1, "reported no test"
    return path, (passed, failed, skipped), text, note, time.monotonic() - started


def tell(result):
    path, counts, text, note, seconds = result
    print(f"{'FAIL' if counts[1] else 'ok  '} {os.path.basename(path)}: {counts[0]} passed, {counts[1]} failed, "
          f"{counts[2]} skipped, {seconds:.1f} s {note}", flush=True)
    if counts[1]:
        print("    " + text.replace("\n", "\n    "), flush=True)
    for line in text.splitlines():
        if counts[2] and "# SKIP" in line.upper():
            print("    " + line)


def try_again(path):
    result = run(path)
    tell(result)
    if not result[1][1]:
        print(f"ONCE MORE {os.path.basename(path)}: failed among the others, passed alone", flush=True)
    return result


def main(paths):
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        results = []
        for result in pool.map(run, paths):
            tell(result)
            results.append(result)
    if sum(bool(r[1][1]) for r in results) <= AGAIN_MAX:
        results = [try_again(r[0]) if r[1][1] else r for r in results]
    total = [sum(n) for n in zip(*(r[1] for r in results))]
    if "PLIMSOLL_COUNTS" in os.environ:
        with open(os.environ["PLIMSOLL_COUNTS"], "w", encoding="utf-8") as f:
            f.write("%d %d %d\n" % tuple(total))
    print("unit tests: %d passed, %d failed, %d skipped" % tuple(total))
    return 1 if total[1] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
