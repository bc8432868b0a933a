"""How often the verdict is right, in short: some cells of `make bench-verdicts` (docs/VERDICT.md has the whole tables).

The made-up runs follow from their seeds, so that these figures are the same on every machine: a change of one is a
change of the arithmetic. The limits are those of the issue, with room for so few runs."""
import pytest

from bench import verdicts

SMALL = {"calls": 1200, "tolerance": 0.1}


@pytest.mark.parametrize("world, word, least, most", [
    ({"environments": 16, "host_spread": 0.05}, "false", 0, 0.01),
    ({"environments": 8, "host_spread": 0.10}, "false", 0, 0.01),
    ({"environments": 16, "host_spread": 0.05, "change": 0.2}, "worse", 0.95, 1),
    ({"environments": 16, "host_spread": 0.05, "change": -0.2}, "better", 0.95, 1),
    ({"environments": 48, "host_spread": 0.10, "change": 0.2}, "worse", 0.90, 1),
], ids=["equal", "equal, few hosts far apart", "slower", "faster", "slower, hosts far apart"])
def test_the_right_word(world, word, least, most):
    runs = verdicts.judged({**SMALL, **world}, 200)
    got = verdicts.shares([r["verdict"] for r in runs])
    got["false"] = got["worse"] + got["better"]
    assert least <= got[word] <= most, got


# Of 300 intervals that hold the truth with 95 %, between 91.7 and 98 % do, 99 times in 100.
@pytest.mark.parametrize("runs, world", [(300, {}), (200, {"unknown": True, "lottery": 0.10})], ids=["known", "unknown, measured"])
def test_intervals_hold_what_they_say(runs, world):
    truth = {"response_p50": 0.1, "error_ratio": 0.02}
    found = verdicts.judged({**SMALL, "environments": 16, "host_spread": 0.10, "change": truth["response_p50"], "errors": 0.02,
                             "more_errors": truth["error_ratio"], "one_gate": True, "seed": 5000, **world}, runs)
    for name, true in truth.items():
        share, _, _, count = verdicts.coverage_of(found, name, true)
        assert count == runs and 0.917 <= share <= 0.98, (name, share)


@pytest.mark.parametrize("change, word", [(0, "no-difference"), (0.2, "worse")])
def test_stopping_early_saves_calls_and_no_word_is_lost(change, word):
    world = {**SMALL, "environments": 24, "host_spread": 0.05, "change": change, "stop": "when-decided"}
    runs = verdicts.judged(world, 60)
    assert not verdicts.open_though_stopped(runs)
    assert verdicts.shares([r["verdict"] for r in runs])[word] >= 0.97
    assert verdicts.median_calls(runs) <= 600
