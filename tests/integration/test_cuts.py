"""Three of the cuts of `make check-cuts`: a loader in a network of its own, and nftables between it and the planner."""
import json
import os
import shutil
import subprocess
import sys

import pytest

from helpers.programs import ROOT, build_dir, dying_with_us


def may_make_networks():
    if os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("nft"):
        return False
    name = f"pltry{os.getpid()}"
    tries = [subprocess.run(words, capture_output=True) for words in (  # in a chroot one can make them and not enter them
        ["ip", "netns", "add", name], ["ip", "-n", name, "link", "show", "lo"])]
    subprocess.run(["ip", "netns", "delete", name], capture_output=True)
    return all(t.returncode == 0 for t in tries)


@pytest.mark.skipif(not may_make_networks(), reason="needs root, ip, nft and network namespaces")
def test_three_cuts_and_no_two_loaders_at_one_function(tmp_path):
    command = [sys.executable, os.path.join(ROOT, "tests", "fault", "cuts.py"), "--cuts", "3", "--most", "6", "--folder", tmp_path / "c"]
    r = subprocess.run(dying_with_us(command), env=dict(os.environ, PLIMSOLL_BUILD=build_dir()), capture_output=True, text=True, timeout=240)
    assert r.returncode == 0, r.stdout + r.stderr
    told = json.loads(r.stdout.strip().splitlines()[-1].removeprefix("cuts: "))
    assert told["cuts"] == 3 and told["violations"] == 0 and told["late_calls"] == 0 and told["calls"] > 100, told
