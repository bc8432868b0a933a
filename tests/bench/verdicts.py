"""`make bench-verdicts`: how often the collector is right, in a world whose truth is known (tests/bench/simulate.c).

Each cell is RUNS made-up runs that the real plimsoll-collector judges. Prints the tables of docs/VERDICT.md and writes
build/verdicts.json. RUNS=1000 (COVERAGE_RUNS=2000), CELLS=words to pick tables or cells by name.
"""
import json
import math
import os
import subprocess
import sys
import tempfile

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
BUILD = os.environ.get("PLIMSOLL_BUILD", os.path.join(ROOT, "build", "release"))
RUNS = int(os.environ.get("RUNS", "1000"))
COVERAGE_RUNS = int(os.environ.get("COVERAGE_RUNS", str(2 * RUNS)))
CELLS = os.environ.get("CELLS", "")
VERDICTS = ["worse", "better", "no-difference", "cannot-tell"]

SMALL = {"calls": 1200, "tolerance": 0.1}
LARGE = {"calls": 4800, "tolerance": 0.05}

# (what the world is, the share that must be called so: word, least or most)
POWER = [({**SMALL, "environments": e, "host_spread": s, "change": c}, want) for e, s, c, want in [
    (8, 0.05, 0, ("false", 0.01)), (8, 0.05, 0.2, None), (8, 0.10, 0, ("false", 0.01)), (8, 0.10, 0.2, None),
    (16, 0.05, 0, ("false", 0.01)), (16, 0.05, 0.2, ("worse", 0.90)),
    (16, 0.10, 0, ("false", 0.01)), (16, 0.10, 0.2, None),
    (24, 0.05, 0, ("false", 0.01)), (24, 0.05, 0.2, ("worse", 0.95)), (24, 0.05, -0.2, None),
    (48, 0.05, 0, ("false", 0.01)), (48, 0.05, 0.2, None),
    (48, 0.10, 0, ("false", 0.01)), (48, 0.10, 0.2, ("worse", 0.88)),
]] + [({**LARGE, "environments": 64, "host_spread": 0.05, "change": c}, want) for c, want in [
    (0, ("false", 0.01)), (0.1, ("worse", 0.95))]]

COVERAGE = [({**SMALL, "environments": 16, "host_spread": s, "change": c, "errors": 0.02, "more_errors": m,
              "one_gate": True, **basis})
            for basis in [{}, {"unknown": True, "lottery": "true"}, {"unknown": True}]
            for s in (0, 0.05, 0.10) for c, m in ((0.1, 0.02),)]


def judged(world, runs, sequential=None):
    """The run.finished data of each run."""
    options = []
    for key, value in world.items():
        if value is True:
            options.append("--" + key.replace("_", "-"))
        else:
            options += ["--" + key.replace("_", "-"), str(value)]
    if sequential:
        options += ["--sequential", sequential]
    make = subprocess.Popen([os.path.join(BUILD, "tests/bench/simulate"), "--runs", str(runs), *options],
                            stdout=subprocess.PIPE)
    judge = subprocess.Popen([os.path.join(BUILD, "plimsoll-collector")], stdin=make.stdout, stdout=subprocess.PIPE)
    make.stdout.close()
    found = []
    for line in judge.stdout:
        if b'"plimsoll.run.finished.v1"' in line:
            found.append(json.loads(line)["data"])
    assert make.wait() == 0 and judge.wait() == 0, (make.returncode, judge.returncode)
    assert len(found) == runs, f"{len(found)} of {runs} runs were judged"
    return found


def shares(words):
    return {v: sum(w == v for w in words) / len(words) for v in VERDICTS}


def mark(ok):
    return "" if ok is None else " ok" if ok else " **missed**"


def held(want, got):
    if want is None:
        return None
    word, limit = want
    return got["worse"] + got["better"] <= limit if word == "false" else got[word] >= limit


def power_table(results):
    print("\n| calls | environments a side | hosts | true change | worse | better | no difference | cannot tell "
          "| old-then-new, plain bootstrap: worse / better |\n|---|---|---|---|---|---|---|---|---|", flush=True)
    for world, want in POWER:
        with tempfile.NamedTemporaryFile("r") as f:
            runs = judged(world, RUNS, f.name)
            naive = shares(f.read().split())
        bad = [r["outcome"] for r in runs if r["outcome"] != "valid"]
        got = shares([r["verdict"] for r in runs])
        ok = held(want, got)
        results.append({"table": "power", "world": world, "want": want, "held": ok, "got": got, "sequential": naive,
                        "runs": RUNS, "not_valid": len(bad)})
        print(f"| {world['calls']} | {world['environments']} | {world['host_spread']:.0%} | {world['change']:+.0%} | "
              + " | ".join(f"{got[v]:.1%}" for v in VERDICTS)
              + f"{mark(ok)} | {naive['worse']:.1%} / {naive['better']:.1%} |", flush=True)


def true_errors(world):
    return world["more_errors"]


def coverage_of(runs, name, truth):
    """Share of the intervals that hold the truth, and their median width."""
    metrics = [next(m for m in r["metrics"] if m["name"] == name) for r in runs]
    metrics = [m for m in metrics if m.get("low") is not None]
    inside = sum(m["low"] <= truth <= m["high"] for m in metrics)
    widths = sorted(m["high"] - m["low"] for m in metrics)
    return inside / len(metrics), widths[len(widths) // 2], {m["basis"] for m in metrics}, len(metrics)


def coverage_table(results):
    print("\n| environments | hosts | metric | basis | level | coverage | median width |\n|---|---|---|---|---|---|---|",
          flush=True)
    for world in COVERAGE:
        world = dict(world)
        known = "known" if "unknown" not in world else "unknown, lottery measured" if "lottery" in world else \
            "unknown, default lottery 5 %"
        if "lottery" in world:
            world["lottery"] = world["host_spread"]
        runs = judged(world, COVERAGE_RUNS)
        for name, truth in (("response_p50", world["change"]), ("error_ratio", true_errors(world))):
            share, width, bases, count = coverage_of(runs, name, truth)
            must_hold = known != "unknown, default lottery 5 %"
            ok = 0.93 <= share <= 0.975 if must_hold else None
            results.append({"table": "coverage", "world": world, "metric": name, "coverage": share, "held": ok,
                            "width": width, "runs": count})
            print(f"| {known} | {world['host_spread']:.0%} | {name} | {', '.join(sorted(bases))} | 95 % | "
                  f"{share:.1%}{mark(ok)} | {width:.4f} |", flush=True)


TABLES = {"power": power_table, "coverage": coverage_table}


def main():
    results = []
    for name, table in TABLES.items():
        if not CELLS or name in CELLS.split(","):
            table(results)
    with open(os.path.join(ROOT, "build", "verdicts.json"), "w") as f:
        json.dump(results, f, indent=1)
    missed = sum(r["held"] is False for r in results)
    error = 1.96 * math.sqrt(0.01 * 0.99 / RUNS)
    print(f"\n{len(results)} rows of {RUNS} runs ({COVERAGE_RUNS} for coverage); a share of 1 % is known to +-{error:.1%}; "
          f"{missed} missed", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
