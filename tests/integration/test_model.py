"""The functions of Redis against a model of docs/STATE.md: tests/fault/model_check.py, a tenth of a release's calls."""
import os

from fault.model_check import CODES, Difference, check, missing
import pytest

CALLS = 100_000
STATE = os.path.join(os.path.dirname(__file__), "..", "..", "docs", "STATE.md")


@pytest.mark.timeout(300)
def test_random_calls_answer_and_leave_what_the_model_says(redis):
    seed = int.from_bytes(os.urandom(4), "big")
    print(f"seed {seed}")
    calls, cells = check(redis(appendonly="no").socket, CALLS, seed, all_cells=True)
    assert calls >= CALLS
    assert missing(cells) == []


def test_the_model_knows_all_functions_of_the_page():
    with open(STATE, encoding="utf-8") as f:
        names = {line.split("`")[1] for line in f if line.startswith("| `pl_")}
    assert names == set(CODES)


def test_a_wrong_function_is_noticed(redis, tmp_path):
    """The comparison itself: with a library that forgets one index it must end in a difference."""
    r = redis(appendonly="no")
    with open(r.LIBRARY, encoding="utf-8") as f:
        text = f.read()
    wrong = tmp_path / "wrong.lua"
    wrong.write_text(text.replace("call('ZADD', P .. 'dead', text(now_ms()), run)", "", 1))
    assert wrong.read_text() != text
    r.load_library(wrong)
    with pytest.raises(Difference, match="seed 1"):
        check(r.socket, 20_000, 1)
