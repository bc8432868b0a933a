"""`make bench-page`: the tables of the last `make bench` and `make bench-verdicts` into their pages."""
import os
import re

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PLACES = [("bench.md", "BENCHMARKS.md", "bench"), ("verdicts-power.md", "VERDICT.md", "power"),
          ("verdicts-coverage.md", "VERDICT.md", "coverage"), ("verdicts-adaptive.md", "VERDICT.md", "adaptive")]


def put(tables, page, mark):
    path = os.path.join(ROOT, "docs", page)
    with open(path, encoding="utf-8") as f:
        text = f.read()
    new, count = re.subn(rf"(<!-- {mark} -->\n).*(\n<!-- /{mark} -->)", lambda m: m.group(1) + tables + m.group(2), text, flags=re.S)
    assert count == 1, f"{path}: no place for the tables"
    with open(path, "w", encoding="utf-8") as f:
        f.write(new)


for file, page, mark in PLACES:
    made = os.path.join(ROOT, "build", file)
    if os.path.exists(made):
        with open(made, encoding="utf-8") as f:
            put(f.read().strip(), page, mark)
        print(f"build/{file} -> docs/{page}")
