"""From a changed function to its verdict as a user gets it, on functions that say themselves what ran (the witness):
the short form of `make check-verdicts` (tests/bench/emulator_runs.py).

How many functions of each kind: PLIMSOLL_RUNS (2 unless told otherwise).
"""
import collections
import concurrent.futures
import os

import pytest

from bench.emulator_runs import BASE_MS, SLOWER_MS, Bench, word_of
from helpers.cloud import Cloud, read_witness

RUNS = int(os.environ.get("PLIMSOLL_RUNS", "2"))
NAMES = [f"{kind}{i}" for i in range(RUNS) for kind in ("slower", "equal")]
EXITS = {"no-difference": 0, "better": 0, "worse": 1, "cannot-tell": 2}

pytestmark = [pytest.mark.measures, pytest.mark.timeout(600 + 100 * RUNS)]


def p50(data):
    return next(m for m in data["metrics"] if m["name"] == "response_p50")


def is_starved(runs):
    """The function sleeps 60 ms; where the old code took far longer, the machine had no time for the emulator."""
    return any(p50(d)["old"] > (BASE_MS + 40) * 1000 for d in runs)


@pytest.fixture(scope="module")
def bench(tmp_path_factory, ministack):
    """All functions measured, four side by side; .ended: name -> (exit code, run.finished data of first and second run)."""
    bench = Bench(tmp_path_factory.mktemp("verdicts"), Cloud(ministack, account="410000000000"), duration="24s")
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        bench.ended = {name: ended[:2] for name, ended in zip(NAMES, pool.map(bench.whole, NAMES))}
    for name, (_, runs) in bench.ended.items():
        if name.startswith("slower") and word_of(runs) != "worse, confirmed" and is_starved(runs):
            bench.ended[name] = bench.whole(name)[:2]
    return bench


def test_slower_is_confirmed_every_time(bench):
    for name, (code, runs) in bench.ended.items():
        if name.startswith("slower"):
            assert word_of(runs) == "worse, confirmed" and code == 1, (name, code, runs)
            assert [d["run"]["purpose"] for d in runs] == ["manual", "confirm"] and not runs[0]["is_confirmed"]


def test_the_interval_is_about_the_true_difference(bench):
    """Not the 95 %, which needs many runs (test_verdict_figures.py): sign, unit and size."""
    told = [(p50(d)["low_abs"], p50(d)["high_abs"]) for name in NAMES if name.startswith("slower") and not is_starved(bench.ended[name][1])
            for d in bench.ended[name][1]]
    assert all(low - 10000 <= SLOWER_MS * 1000 <= high + 10000 for low, high in told), told


def test_equal_code_is_never_confirmed_to_be_worse(bench):
    words = {name: word_of(bench.ended[name][1]) for name in NAMES if name.startswith("equal")}
    assert "worse, confirmed" not in words.values() and "not measured" not in words.values(), words


def test_the_exit_code_says_the_verdict(bench):
    for name, (code, runs) in bench.ended.items():
        assert code == EXITS[runs[-1]["verdict"]], (name, code, runs[-1])


def sent(data):
    """Calls that reached the function, by variant, warm-up included."""
    out = collections.Counter()
    for variant, outcomes in data["requests"].items():
        warmup = data["warmup_requests"][variant]
        out[variant] += sum(n for o in (outcomes, warmup) for k, n in o.items() if k in ("ok", "function_error"))
    return out


def test_the_witness_saw_exactly_the_calls_of_the_events(bench):
    for name in NAMES:
        seen = collections.Counter({"1": "old", "2": "new"}[w["version"]] for w in read_witness(bench.witness(name)))
        assert seen == sum((sent(d) for d in bench.told[name]), collections.Counter()), name


def rounds(witness, gap_s=0.4):
    """Calls that began together: a new round begins after a pause."""
    out = []
    for w in sorted(witness, key=lambda w: w["mono_s"]):
        if not out or w["mono_s"] - out[-1][-1]["mono_s"] > gap_s:
            out.append([])
        out[-1].append(w)
    return out


def test_old_and_new_are_interleaved_within_every_round(bench):
    for name in NAMES:
        seen = rounds(read_witness(bench.witness(name)))
        whole = [r for r in seen if len(r) == 8]
        assert len(whole) >= 0.8 * len(seen), [len(r) for r in seen]
        assert all(collections.Counter(w["version"] for w in r) == {"1": 4, "2": 4} for r in whole)
        assert {r[0]["version"] for r in whole} == {"1", "2"}, "the order is shuffled"
