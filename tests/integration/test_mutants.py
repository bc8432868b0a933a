"""The table of tests/fault/mutants.py is true; `make check-mutants` tries each mutant."""
import ast
import os
import re

from fault.mutants import MUTANTS, ROOT, main, text_of


def test_each_mutant_has_its_place_and_its_test():
    for m in MUTANTS:
        assert text_of(os.path.join(ROOT, m.file)).count(m.old) == 1, m.name
        assert m.old != m.new, m.name
        path, _, name = m.test.partition("::")
        functions = [n.name for n in ast.parse(text_of(os.path.join(ROOT, path))).body if isinstance(n, ast.FunctionDef)]
        assert name in functions, m.name


def test_the_page_has_the_same_mutants():
    """To make it again: the rows of this test's message."""
    page = text_of(os.path.join(ROOT, "docs", "RELIABILITY.md")).partition("## Mutants")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (?!bug|---)(.*) \|$", page, re.M)
    assert rows == [f"{m.name} | `{os.path.basename(m.file)}` | {m.test.rpartition('::')[2]}" for m in MUTANTS]


def test_a_mutant_is_found(capsys):
    """One of them, from end to end: the fence."""
    assert main("results need no token") == 0
    assert "found  results need no token" in capsys.readouterr().out
