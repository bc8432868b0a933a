"""`make bench-verdicts`: how often the collector is right, in a world whose truth is known (tests/bench/simulate.c).

Each cell is RUNS made-up runs that the real plimsoll-collector judges. Prints the tables of docs/VERDICT.md and writes
build/verdicts.json and build/verdicts-TABLE.md (for `make bench-page`). RUNS=1000 (COVERAGE_RUNS=2000), CELLS=power,
coverage or adaptive: these tables alone. tests/integration/test_verdict_figures.py runs some cells in short.
"""
import json
import math
import os
import subprocess
import sys
import tempfile
from datetime import date

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from helpers.programs import ROOT, binary, build_dir

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

# Judged twice, as planned and with stop: when-decided. A change of the tolerance itself is where false alarms are made.
ADAPTIVE = [({**SMALL, "environments": e, "host_spread": s, "change": c}, want) for e, s, c, want in [
    (24, 0.05, 0, 0.01), (48, 0.10, 0, 0.01), (24, 0.05, 0.1, 0.025), (24, 0.05, 0.2, None), (48, 0.10, 0.2, None)]]

# Each row has seeds of its own: with the same ones all rows would have the same errors, since hosts make none.
BASES = ["known", "unknown, λ measured", "unknown, λ = 5 % assumed"]
COVERAGE = [(basis, {**SMALL, "environments": 16, "host_spread": s, "change": 0.1, "errors": 0.02, "more_errors": 0.02,
                     "one_gate": True, "seed": 1 + 100000 * (3 * row + column),
                     **({} if basis == "known" else {"unknown": True}),
                     **({"lottery": s} if basis == "unknown, λ measured" else {})})
            for row, basis in enumerate(BASES) for column, s in enumerate((0, 0.05, 0.10))]


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
    make = subprocess.Popen([os.path.join(build_dir(), "tests/bench/simulate"), "--runs", str(runs), *options],
                            stdout=subprocess.PIPE)
    judge = subprocess.Popen([binary("collector")], stdin=make.stdout, stdout=subprocess.PIPE)
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


def held(want, got):
    if want is None:
        return None
    word, limit = want
    return got["worse"] + got["better"] <= limit if word == "false" else got[word] >= limit


def coverage_of(runs, name, truth):
    """Share of the intervals that hold the truth, their median width, their bases, and how many there are."""
    metrics = [next(m for m in r["metrics"] if m["name"] == name) for r in runs]
    metrics = [m for m in metrics if m.get("low") is not None]
    inside = sum(m["low"] <= truth <= m["high"] for m in metrics)
    widths = sorted(m["high"] - m["low"] for m in metrics)
    return inside / len(metrics), widths[len(widths) // 2], sorted({m["basis"] for m in metrics}), len(metrics)


def mark(ok):
    return " **missed**" if ok is False else ""


class Table:
    """Rows on the terminal, for docs/VERDICT.md and for verdicts.json."""

    def __init__(self, name, runs, columns):
        self.name, self.runs, self.rows, self.lines = name, runs, [], []
        self.line("| " + " | ".join(columns) + " |")
        self.line("|" + "---|" * len(columns))

    def line(self, text):
        self.lines.append(text)
        print(text, flush=True)

    def add(self, *cells, **row):
        self.line("| " + " | ".join(cells) + " |")
        self.rows.append({"table": self.name, **row})

    def write(self):
        with open(os.path.join(ROOT, "build", f"verdicts-{self.name}.md"), "w", encoding="utf-8") as f:
            f.write("\n".join(self.lines) + f"\n\n({self.runs:,} runs a row, {date.today()}.)\n")


def power_table():
    table = Table("power", RUNS, ["calls", "environments a side", "hosts", "true change", "worse", "better", "no difference",
                                  "cannot tell", "old-then-new: worse / better"])
    for world, want in POWER:
        with tempfile.NamedTemporaryFile("r") as f:
            runs = judged(world, RUNS, f.name)
            naive = shares(f.read().split())
        got = shares([r["verdict"] for r in runs])
        ok = held(want, got)
        words = [f"{got[v]:.1%}" for v in VERDICTS]
        words[-1] += mark(ok)
        table.add(str(world["calls"]), str(world["environments"]), f"{world['host_spread']:.0%}", f"{world['change']:+.0%}", *words,
                  f"{naive['worse']:.1%} / {naive['better']:.1%}",
                  world=world, want=want, held=ok, got=got, sequential=naive, runs=RUNS,
                  not_valid=sum(r["outcome"] != "valid" for r in runs))
    return table


def coverage_table():
    table = Table("coverage", COVERAGE_RUNS, ["environments", "hosts", "metric", "basis", "coverage of the 95 % interval", "median width"])
    for basis, world in COVERAGE:
        runs = judged(world, COVERAGE_RUNS)
        for name, truth, must in (("response_p50", world["change"], "assumed" not in basis), ("response_p95", world["change"], False),
                                  ("error_ratio", world["more_errors"], True)):
            share, width, bases, count = coverage_of(runs, name, truth)
            ok = 0.93 <= share <= 0.975 if must else None
            table.add(basis, f"{world['host_spread']:.0%}", f"`{name}`", ", ".join(bases), f"{share:.1%}{mark(ok)}", f"{width:.4f}",
                      world=world, metric=name, coverage=share, held=ok, width=width, runs=count)
    return table


def median_calls(runs):
    return sorted(sum(sum(v.values()) for v in r["requests"].values()) for r in runs)[len(runs) // 2]


def open_though_stopped(runs):
    """Runs that the loader's rule ended and the collector's left open: both are to be one rule."""
    return [r["run"]["id"] for r in runs if "stopped" in r
            and any(m["is_gate"] and m["verdict"] == "cannot-tell" for m in r["metrics"])]


def adaptive_table():
    table = Table("adaptive", RUNS, ["environments a side", "hosts", "true change", "worse: fixed", "stopped", "better: fixed", "stopped",
                                     "cannot tell: fixed", "stopped", "median calls: fixed", "stopped", "saved"])
    for world, most in ADAPTIVE:
        fixed, early = (judged({**world, "stop": stop}, RUNS) for stop in ("off", "when-decided"))
        assert not open_though_stopped(early), open_though_stopped(early)
        words = [shares([r["verdict"] for r in runs]) for runs in (fixed, early)]
        calls = [median_calls(runs) for runs in (fixed, early)]
        ok = None if most is None else words[1]["worse"] + words[1]["better"] <= most
        table.add(str(world["environments"]), f"{world['host_spread']:.0%}", f"{world['change']:+.0%}",
                  *(f"{got[v]:.1%}" for v in ("worse", "better", "cannot-tell") for got in words), *map(str, calls),
                  f"{1 - calls[1] / calls[0]:.0%}{mark(ok)}", world=world, held=ok, fixed=words[0], early=words[1], calls=calls)
    return table


TABLES = {"power": power_table, "coverage": coverage_table, "adaptive": adaptive_table}


def main():
    rows = []
    for name, make in TABLES.items():
        if not CELLS or name in CELLS.split(","):
            table = make()
            table.write()
            rows += table.rows
            print()
    with open(os.path.join(ROOT, "build", "verdicts.json"), "w", encoding="utf-8") as f:
        json.dump(rows, f, indent=1)
    missed = sum(r["held"] is False for r in rows)
    error = 1.96 * math.sqrt(0.01 * 0.99 / RUNS)
    print(f"{len(rows)} rows of {RUNS} runs ({COVERAGE_RUNS} for coverage); a share of 1 % is known to +-{error:.1%}; "
          f"{missed} missed", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
