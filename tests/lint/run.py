#!/usr/bin/env python3
"""run.py - `make lint`: the house's own checks and those of other tools, one row each.

	run.py [CHECK...]

Prints every finding as file:line: what. The counts (a check is one test) go to PLIMSOLL_COUNTS, if set. Exit 1 when
a check finds something. selftest.py shows that every check can fail.
"""
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import banned  # noqa: E402
import doors  # noqa: E402
import layers  # noqa: E402
import selftest  # noqa: E402
import sizes  # noqa: E402
import tools  # noqa: E402
import words  # noqa: E402
from tree import Tree  # noqa: E402

CHECKS = {
    "layers": layers.check,
    "doors": doors.check,
    "banned": banned.check,
    "sizes": sizes.check,
    "words": words.check,
    "format": tools.format_check,
    "shellcheck": tools.shellcheck,
    "lone-headers": tools.lone_headers,
    "cppcheck": tools.cppcheck,
}


def main(names):
    tree = Tree(os.getcwd())
    rows = {n: CHECKS[n] for n in names} if names else dict(CHECKS, selftest=lambda _: selftest.check(CHECKS))
    passed = failed = 0
    for name, check in rows.items():
        began = time.monotonic()
        found = list(check(tree))
        for line in found:
            print(f"{line} [{name}]")
        print(f"{'FAIL' if found else 'ok  '} lint {name}: {len(found)} findings, {time.monotonic() - began:.1f} s", flush=True)
        failed += bool(found)
        passed += not found
    if "PLIMSOLL_COUNTS" in os.environ:
        with open(os.environ["PLIMSOLL_COUNTS"], "w", encoding="utf-8") as f:
            f.write(f"{passed} {failed} 0\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
