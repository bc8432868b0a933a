"""A verdict drawn again from what it was drawn from: the same bytes, on another day, host, clock and language."""
import json
import os
import subprocess

from helpers import programs
from helpers.programs import ROOT, pl

# What a collector of 23 November 2026 kept of made-up runs: plan, shards, verdict. The second one's environments are
# unknown: its intervals come from random draws. What its gates could have found (`detectable`) is told since that evening.
RECORDED, UNKNOWN = (os.path.join(ROOT, "tests", "data", name) for name in ("kept.ndjson", "kept-unknown.ndjson"))


def made_up(*options):
    return subprocess.run([programs.build_dir() + "/tests/bench/simulate", "--runs", "1", *options],
                          stdout=subprocess.PIPE, check=True, timeout=60).stdout


def kept(folder):
    (name,) = os.listdir(folder / "kept")
    return folder / "kept" / name


def front_door(*args, env=None):
    return pl("plimsoll", *args, env=env)


def test_a_run_of_another_day_comes_out_the_same():
    for path in (RECORDED, UNKNOWN):
        r = front_door("recompute", path)
        assert r.code == 0, r.err
        assert "the same" in r.text


def test_neither_the_zone_nor_the_language_nor_the_order_matters(tmp_path):
    lines = open(RECORDED, encoding="utf-8").read().splitlines(keepends=True)
    turned = tmp_path / "turned.ndjson"
    turned.write_text("".join([*reversed(lines[:-1]), lines[-1]]))
    for env in ({"TZ": "Pacific/Kiritimati", "LC_ALL": "de_DE.UTF-8", "LANG": "de_DE.UTF-8"}, {"TZ": "America/Anchorage"}):
        for path in (RECORDED, UNKNOWN, str(turned)):
            r = front_door("recompute", path, env=env)
            assert r.code == 0, (env, path, r.text, r.err)


def test_what_was_judged_is_kept_and_judged_again(tmp_path):
    state = tmp_path / "state"
    r = pl("collector", "--state", state, input=made_up("--seed", "5"))
    told = next(e for e in r.events if e["type"] == "plimsoll.run.finished.v1")
    lines = kept(state).read_text().splitlines()
    assert json.loads(lines[-1]) == told
    r = front_door("recompute", "--state", state, told["plimsollrun"])
    assert r.code == 0, r.err
    assert told["data"]["verdict"] in r.text
    assert front_door("recompute", "--state", state, "rnosuchrun").code == 100


def test_figures_that_were_touched_are_seen(tmp_path):
    lines = open(RECORDED, encoding="utf-8").read().splitlines()
    told = json.loads(lines[-1])
    told["data"]["metrics"][0]["high"] += 1e-9
    touched = tmp_path / "touched.ndjson"
    touched.write_text("\n".join([*lines[:-1], json.dumps(told)]) + "\n")
    r = front_door("recompute", str(touched))
    assert r.code == 1
    assert "metrics differs" in r.text


def test_no_more_than_a_hundred_runs_are_kept(tmp_path):
    folder = tmp_path / "state" / "kept"
    folder.mkdir(parents=True, mode=0o700)
    for i in range(100):
        (folder / f"r{i}.ndjson").touch()
        os.utime(folder / f"r{i}.ndjson", (1000 + i, 1000 + i))
    assert pl("collector", "--state", tmp_path / "state", input=made_up("--seed", "6")).code == 0
    left = os.listdir(folder)
    assert len(left) == 100
    assert "r0.ndjson" not in left and "r1.ndjson" in left
