"""Writes tests/data/history.csv: made-up histories, and what Apache Otava 0.8.0 finds in them with its defaults.

One series a line: name, how many points Otava reports in the whole, how long the series was when it first reported
one (0 = never; flat series: not asked), then the values. tests/unit/test_change.c holds ours against it.

	pip install apache-otava==0.8.0 && python3 tests/bench/history_otava.py > tests/data/history.csv
"""
import math
import random

from otava.analysis import compute_change_points

NOISE = 0.03
FLAT, CREEPS, BEFORE, VERSIONS = 100, 12, 10, 30


def points(values):
    return len(compute_change_points(list(values))[0])


def first(values):
    return next((n for n in range(4, len(values) + 1) if points(values[:n])), 0)


def main():
    rng = random.Random(6)
    for i in range(FLAT):
        values = [round(60 * math.exp(rng.gauss(0, NOISE)), 3) for _ in range(BEFORE + VERSIONS)]
        print(f"flat{i},{points(values)},0," + ",".join(map(str, values)))
    for i in range(CREEPS):
        level = [0] * BEFORE + [0.01 * (k + 1) for k in range(VERSIONS)]
        values = [round(60 * math.exp(x + rng.gauss(0, NOISE)), 3) for x in level]
        print(f"creep{i},{points(values)},{first(values)}," + ",".join(map(str, values)))


if __name__ == "__main__":
    main()
