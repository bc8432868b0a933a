"""`make bench-page`: the tables of the last `make bench` into docs/BENCHMARKS.md."""
import os
import re

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PAGE = os.path.join(ROOT, "docs", "BENCHMARKS.md")

with open(os.path.join(ROOT, "build", "bench.md"), encoding="utf-8") as f:
    tables = f.read().strip()
with open(PAGE, encoding="utf-8") as f:
    page = f.read()
new, count = re.subn(r"(<!-- bench -->\n).*(\n<!-- /bench -->)", lambda m: m.group(1) + tables + m.group(2), page, flags=re.S)
assert count == 1, f"{PAGE}: no place for the tables"
with open(PAGE, "w", encoding="utf-8") as f:
    f.write(new)
