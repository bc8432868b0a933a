"""From a changed function to its verdict, on functions that say themselves what ran (the witness).

How many runs: PLIMSOLL_RUNS (3 unless told otherwise; 10 is the release check).
"""
import collections
import os

import pytest

from helpers.cloud import read_witness
from helpers.programs import pl

RUNS = int(os.environ.get("PLIMSOLL_RUNS", "3"))
SLOWER_MS = 80


def finished(result):
    return {e["subject"].split("/")[1]: e["data"] for e in result.of("run.finished")}


def metric(data, name="response_p50"):
    return next(m for m in data["metrics"] if m["name"] == name)


@pytest.fixture(scope="module")
def many(tmp_path_factory, ministack):
    """RUNS functions made 80 ms slower and RUNS with two copies of one code, all run side by side, four at a time."""
    from helpers.cloud import Cloud
    from helpers.site import Site
    folder = tmp_path_factory.mktemp("many")
    cloud = Cloud(ministack, account="410000000000")
    site = Site(folder, cloud)
    events = []
    for i in range(RUNS):
        slow = cloud.create(f"slower{i}", sleep_ms=60, label="old", witness=folder / f"slower{i}")
        old, new = slow.publish(), slow.update(sleep_ms=60 + SLOWER_MS, label="new").publish()
        events.append(site.changed(slow, old, new))
        same = cloud.create(f"equal{i}", sleep_ms=60, label="same", witness=folder / f"equal{i}")
        old, new = same.publish(), same.publish_copy()
        events.append(site.changed(same, old, new))
    result = site.pipe(events, slots=4, timeout_s=120 + 45 * len(events))
    yield site, result
    for i in range(RUNS):
        cloud.function(f"slower{i}").delete()
        cloud.function(f"equal{i}").delete()


pytestmark = pytest.mark.timeout(300 + 100 * RUNS)


def test_slower_is_worse_every_time(many):
    site, result = many
    got = finished(result)
    slower = [got[f"slower{i}"] for i in range(RUNS)]
    assert [d["verdict"] for d in slower] == ["worse"] * RUNS, result
    assert [metric(d)["verdict"] for d in slower] == ["worse"] * RUNS
    sink = pl(*site.args("sink", "--to", "terminal"), input=[e for e in result.events if "slower" in e["subject"]], cwd=site.folder)
    assert sink.code == 1, sink


def test_the_true_difference_is_inside_the_interval(many):
    _, result = many
    got = finished(result)
    inside = [metric(got[f"slower{i}"]) for i in range(RUNS)]
    hits = sum(m["low_abs"] <= SLOWER_MS * 1000 <= m["high_abs"] for m in inside)
    assert hits >= RUNS * 0.9 - 0.1, [(m["low_abs"], m["high_abs"]) for m in inside]


def test_equal_code_is_hardly_ever_worse(many):
    _, result = many
    verdicts = collections.Counter(finished(result)[f"equal{i}"]["verdict"] for i in range(RUNS))
    assert verdicts["worse"] <= (1 if RUNS >= 10 else 0), verdicts
    assert verdicts["no-difference"] >= RUNS / 2, verdicts


def test_cannot_tell_never_exits_0(many):
    site, result = many
    for event in result.of("run.finished"):
        if event["data"]["verdict"] == "cannot-tell":
            assert pl(*site.args("sink", "--to", "terminal"), input=[event], cwd=site.folder).code == 2


def sent(data):
    """Calls that reached the function, by variant, warm-up included."""
    out = {}
    for variant, outcomes in data["requests"].items():
        warmup = data["warmup_requests"][variant]
        out[variant] = sum(n for o in (outcomes, warmup) for k, n in o.items() if k in ("ok", "function_error"))
    return out


def test_the_witness_saw_exactly_the_calls_of_the_event(many):
    site, result = many
    for name, data in finished(result).items():
        versions = {v["qualifier"]: v["name"] for v in data["variants"]}
        seen = collections.Counter(versions[w["version"]] for w in read_witness(site.path(name)))
        assert dict(seen) == sent(data), name


def test_outcomes_add_up_to_due(many):
    site, _ = many
    shards = [e["data"] for e in site.events("loader") if e["type"] == "plimsoll.shard.finished.v1"]
    assert len(shards) == 2 * RUNS
    for d in shards:
        assert sum(n for s in d["series"] for n in s["outcomes"].values()) == d["due"]
        assert all({b["variant"] for b in d["blocks"] if b["i"] == i} == {"old", "new"} for i in {b["i"] for b in d["blocks"]})


def rounds(witness, gap_s=0.4):
    """Calls that began together: a new round begins after a pause."""
    out = []
    for w in sorted(witness, key=lambda w: w["mono_s"]):
        if not out or w["mono_s"] - out[-1][-1]["mono_s"] > gap_s:
            out.append([])
        out[-1].append(w)
    return out


def test_old_and_new_are_interleaved_within_every_round(many):
    site, _ = many
    for i in range(RUNS):
        seen = rounds(read_witness(site.path(f"equal{i}")))
        whole = [r for r in seen if len(r) == 8]
        assert len(whole) >= 0.8 * len(seen), [len(r) for r in seen]
        assert all(collections.Counter(w["version"] for w in r) == {"1": 4, "2": 4} for r in whole)
        firsts = {r[0]["version"] for r in whole}
        assert firsts == {"1", "2"}, "the order is shuffled"
