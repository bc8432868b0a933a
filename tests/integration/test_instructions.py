"""What a request costs the loader, in instructions: the number in the tree may not grow by more than a tenth."""
import os

import pytest

from helpers import instructions
from helpers.programs import build_dir


def test_a_request_costs_no_more_instructions_than_it_did(tmp_path):
    if os.path.basename(build_dir()) != "release":
        pytest.skip("only the release build is counted")
    limits = instructions.recorded().get(instructions.compiler())
    if limits is None:
        pytest.skip(f"no number for {instructions.compiler()}: make count-instructions RECORD=1")
    counted = instructions.measure(str(tmp_path))
    for row, was in limits.items():
        if counted[row] > was * instructions.AT_MOST:  # a second look, before it is red
            counted = instructions.measure(str(tmp_path))
        assert counted[row] <= was * instructions.AT_MOST, (
            f"{row}: {counted[row]:.0f} instructions a request, {was} are recorded in tests/data/instructions.json. "
            "When it is worth it: make count-instructions RECORD=1")
