"""Functions of at most 80 lines, files of at most 700, unless a comment says why ("Long because ...").

A test's function may hold its table of cases: 120.
"""
import re

FUNCTION_LINES, TEST_FUNCTION_LINES, FILE_LINES = 80, 120, 700
REASON = re.compile(r"[Ll]ong because")


def functions(text):
    """(first line, last line) of every function body: Linux style puts both braces in the first column."""
    start = None
    for n, line in enumerate(text.split("\n"), 1):
        if line.startswith("{"):
            start = n
        elif line.startswith("}") and start:
            yield start, n
            start = None


def check(tree):
    for name in tree.files(".c", ".h"):
        lines = tree.text(name).split("\n")
        if len(lines) > FILE_LINES and not REASON.search("\n".join(lines[:40])):
            yield f"{name}:1: {len(lines)} lines, at most {FILE_LINES}"
        most = TEST_FUNCTION_LINES if name.startswith("tests/") else FUNCTION_LINES
        for first, last in functions(tree.code(name)):
            around = "\n".join(lines[max(0, first - 12):first + 3])
            if last - first > most and not REASON.search(around):
                yield f"{name}:{first}: a function of {last - first} lines, at most {most}"
