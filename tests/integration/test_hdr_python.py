"""Our histogram against the PyPI package hdrhistogram: equal bytes, readable both ways."""
import base64
import os
import random
import subprocess
import zlib
from pathlib import Path

import pytest
from hdrh.histogram import HdrHistogram

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def hdr_tool(tmp_path_factory):
    """tests/helpers/hdr_tool.c, linked with the archives of the build under test."""
    build = Path(os.environ.get("PLIMSOLL_BUILD", ROOT / "build" / os.environ.get("MODE", "release")))
    if not build.is_absolute():
        build = ROOT / build
    archives = [build / "common" / f"{name}.a" for name in ("stats", "digest", "base")]
    subprocess.run(["make", "--no-print-directory", f"MODE={build.name}",
                    *(str(a.relative_to(ROOT)) for a in archives)],
                   cwd=ROOT, check=True, stdout=subprocess.DEVNULL, timeout=300)
    tool = tmp_path_factory.mktemp("hdr") / "hdr_tool"
    sanitize = ["-fsanitize=address,undefined"] if build.name == "asan" else []
    subprocess.run([*os.environ.get("CC", "cc").split(), "-std=c11", "-Wall", "-Werror", "-D_GNU_SOURCE", f"-I{ROOT}", *sanitize, "-o", tool,
                    ROOT / "tests/helpers/hdr_tool.c", *archives, "-lcrypto", "-lz", "-lm"],
                   check=True, timeout=120)
    return lambda verb, text: subprocess.run([tool, verb], input=text, text=True, check=True, timeout=60,
                                             stdout=subprocess.PIPE).stdout.strip()


def python_histogram(values):
    h = HdrHistogram(1, 3600000000, 3)
    for value, times in values:
        h.record_value(value, times)
    return h


def draws(seed):
    rng = random.Random(seed)
    return [(int(rng.lognormvariate(rng.uniform(0, 15), 2)) % 3600000000, rng.choice([1, 1, 1, 7, 100000]))
            for _ in range(rng.randrange(2000))]


CASES = {"empty": [], "zero": [(0, 1)], "one": [(1, 1)], "a single zero counter": [(0, 1), (2, 1)],
         "highest": [(3600000000, 3)], "large count": [(5, 1 << 45), (70000, 1 << 61)],
         **{f"random {seed}": draws(seed) for seed in range(20)}}


@pytest.mark.parametrize("values", CASES.values(), ids=CASES.keys())
def test_equal_and_readable_both_ways(hdr_tool, values):
    theirs = python_histogram(values)
    ours = hdr_tool("encode", "".join(f"{v} {n}\n" for v, n in values))
    packed, packed_theirs = base64.b64decode(ours), base64.b64decode(theirs.encode())
    assert packed[:4] == packed_theirs[:4]
    assert zlib.decompress(packed[8:]) == zlib.decompress(packed_theirs[8:])

    back = HdrHistogram.decode(ours)
    assert back.get_total_count() == sum(n for _, n in values)
    assert [back.get_value_at_percentile(p) for p in (50, 90, 99, 99.9)] == \
           [theirs.get_value_at_percentile(p) for p in (50, 90, 99, 99.9)]

    count, low, high, p50, p90, p99, p999, mean = hdr_tool("decode", theirs.encode().decode()).split()
    assert int(count) == theirs.get_total_count()
    assert (int(low), int(high)) == (theirs.get_min_value(), theirs.get_max_value())
    assert [int(p50), int(p90), int(p99), int(p999)] == \
           [theirs.get_value_at_percentile(p) for p in (50, 90, 99, 99.9)]
    assert float(mean) == pytest.approx(theirs.get_mean_value(), rel=1e-9)
