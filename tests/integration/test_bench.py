"""make bench still works: two rows, one turn, the floor and ours."""
import json
import os
import subprocess
import sys

import pytest

from helpers.programs import ROOT, build_dir


@pytest.mark.measures
def test_a_row_of_the_bench_gives_figures_and_ratios(tmp_path):
    subprocess.run(["make", "--no-print-directory", f"MODE={os.path.basename(build_dir())}", "bench-programs"],
                   cwd=ROOT, check=True, stdout=subprocess.DEVNULL, timeout=300)
    env = {**os.environ, "ROWS": "h1,sends", "PEERS": "floor", "TURNS": "1", "SECONDS": "1", "REPEATS": "0",
           "OUT": str(tmp_path), "PLIMSOLL_BUILD": build_dir()}
    run = subprocess.run([sys.executable, os.path.join(ROOT, "tests", "bench", "bench.py")], env=env, capture_output=True,
                         text=True, timeout=100)
    assert run.returncode == 0, run.stderr
    rows = {r["name"]: r["summary"] for r in json.loads((tmp_path / "bench.json").read_text())["rows"]}
    for row, figure in (("h1", "cpu_us"), ("sends", "off_us")):
        assert rows[row]["floor"]["trouble"] == rows[row]["plimsoll"]["trouble"] == [], run.stderr
        assert rows[row]["plimsoll"][figure]["median"] > 0
        assert rows[row]["floor"]["ratio"]["median"] > 0
    assert (tmp_path / "bench.md").read_text() in run.stdout
