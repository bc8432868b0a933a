"""The judge's intervals against SciPy's, on the same calls: Welch over environments to the last digits, the block
bootstrap within what its random draws allow. The calls are unpacked here as docs/EVENTS.md says, and centred as
docs/MEASURING.md says, so these pages are held too.
"""
import json
import subprocess

import numpy
import pytest
from scipy import stats

from helpers import programs, shards


def judged(*options):
    """(shard.finished data, response_p50 of run.finished) of one made-up run."""
    events = subprocess.run([programs.build_dir() + "/tests/bench/simulate", "--runs", "1", "--one-gate", *options],
                            stdout=subprocess.PIPE, check=True, timeout=60).stdout
    run = programs.pl("collector", input=events)
    assert run.code == 0, run.err
    finished = next(e["data"] for e in run.events if e["type"] == "plimsoll.run.finished.v1")
    shard = next(e for e in map(json.loads, events.splitlines()) if e["type"] == "plimsoll.shard.finished.v1")
    return shard["data"], next(m for m in finished["metrics"] if m["name"] == "response_p50")


def centred(data):
    """Log response times of warm, good calls, each minus the middle of the two medians of its round."""
    good = [c for c in shards.calls(data) if c["outcome"] == "ok" and c["temperature"] == "warm"]
    rounds = {}
    for c in good:
        rounds.setdefault(c["round"], {"old": [], "new": []})[c["variant"]].append(numpy.log(c["response_us"]))
    middle = {r: (numpy.median(s["old"]) + numpy.median(s["new"])) / 2 for r, s in rounds.items() if s["old"] and s["new"]}
    return [(c["variant"], c["instance"], c["round"], numpy.log(c["response_us"]) - middle[c["round"]])
            for c in good if c["round"] in middle]


def medians(points, variant, least=5):
    """One a environment that answered often enough."""
    of = {}
    for v, instance, _, x in points:
        if v == variant:
            of.setdefault(instance, []).append(x)
    return [numpy.median(x) for x in of.values() if len(x) >= least]


@pytest.mark.parametrize("seed", range(1, 6))
@pytest.mark.parametrize("world", [["--environments", "4", "--calls", "400"], ["--environments", "16", "--change", "0.2"],
                                   ["--environments", "48", "--host-spread", "0.1", "--life", "60"]], ids=["4", "16", "48"])
def test_welch(world, seed):
    data, metric = judged("--seed", str(seed), *world)
    points = centred(data)
    old, new = medians(points, "old"), medians(points, "new")
    with numpy.errstate(all="raise"):
        want = stats.ttest_ind(new, old, equal_var=False).confidence_interval(metric["level"])
    assert metric["basis"] == "environments"
    assert (metric["environments_old"], metric["environments_new"]) == (len(old), len(new))
    assert metric["diff"] == pytest.approx(numpy.expm1(numpy.mean(new) - numpy.mean(old)), abs=1e-9)
    assert metric["low"] == pytest.approx(numpy.expm1(want.low), abs=1e-9)
    assert metric["high"] == pytest.approx(numpy.expm1(want.high), abs=1e-9)


@pytest.mark.parametrize("seed", [1, 2])
def test_block_bootstrap(seed):
    """With a lottery of 0 nothing is widened. Rounds of 32 calls at 10/s last 3.2 s: each is a block."""
    data, metric = judged("--seed", str(seed), "--unknown", "--lottery", "0", "--change", "0.1")
    points = centred(data)
    of = {v: [(r, x) for variant, _, r, x in points if variant == v] for v in ("old", "new")}
    blocks = sorted({r for _, _, r, _ in points})
    values = {v: {b: [x for r, x in of[v] if r == b] for b in blocks} for v in of}

    def difference(drawn):
        new, old = (numpy.concatenate([values[v][blocks[int(b)]] for b in drawn]) for v in ("new", "old"))
        return numpy.median(new) - numpy.median(old)

    draws = 3000
    want = stats.bootstrap((numpy.arange(len(blocks)),), difference, vectorized=False, n_resamples=draws, method="percentile",
                           confidence_level=metric["level"], rng=numpy.random.default_rng(seed))
    low, high = want.confidence_interval
    assert metric["basis"] == "blocks-widened"
    # The standard error of a quantile from so many draws: sqrt(q (1 - q) / n) / density, the density taken from the draws.
    for q, got, end in ((0.025, metric["low"], low), (0.975, metric["high"], high)):
        near = numpy.quantile(want.bootstrap_distribution, [max(q - 0.01, 0), min(q + 0.01, 1)])
        error = numpy.sqrt(q * (1 - q) / draws) * (near[1] - near[0]) / 0.02
        assert numpy.log1p(got) == pytest.approx(end, abs=4 * error), (got, end, error)
