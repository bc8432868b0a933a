"""Shows that every check can fail: small trees with one mistake each, and one tree without any."""
import os
import tempfile

from tree import Tree

RANKS = "# rank folder\n0 base\n1 json\n1 stats\n2 event\n"
LONG = "void f(void);\nvoid f(void)\n{\n" + "\t;\n" * 90 + "}\n"

# check, file, text: the check must find something in a tree of RANKS and this file
CASES = [
    ("layers", "common/base/a.c", '#include "common/json/json.h"\n'),
    ("layers", "common/json/a.c", '#include "common/stats/hist.h"\n'),
    ("layers", "common/json/a.c", '#include "cmd/loader/x.h"\n'),
    ("layers", "common/nowhere/a.c", '#include "common/base/buf.h"\n'),
    ("layers", "cmd/loader/a.c", '#include "cmd/planner/plan.h"\n'),
    ("layers", "cmd/loader/a.c", '#include "local.h"\n'),
    ("doors", "cmd/loader/a.c", "#include <jansson.h>\n"),
    ("doors", "common/http/a.c", "#include <openssl/sha.h>\n"),
    ("banned", "common/json/a.c", "void f(void)\n{\n\texit(1);\n}\n"),
    ("banned", "cmd/loader/send.c", "void f(void)\n{\n\tif (time (NULL))\n\t\tsleep(1);\n}\n"),
    ("sizes", "common/json/a.c", LONG),
    ("sizes", "common/json/a.h", "int x;\n" * 701),
    ("words", "docs/a.md", "see /wo" + "rk/shared\n"),
    ("words", "common/json/a.c", "/* TO" + "DO */\n"),
    ("format", "common/json/a.c", "int  f( void );\n"),
    ("shellcheck", "tests/a.sh", "#!/bin/sh\nrm -rf $1/x\n"),
    ("lone-headers", "common/json/a.h", "size_t f(void);\n"),
    ("cppcheck", "common/json/a.c", "int f(void);\nint f(void)\n{\n\tint a[2];\n\ta[2] = 1;\n\treturn a[0];\n}\n"),
]
GOOD = {
    "common/json/a.c": '#include "common/base/b.h"\n\n/* exit(1) in words; "common/stats/x.h" too */\nint f(void)\n{\n\treturn 0;\n}\n',
    "common/base/b.h": "int f(void);\n",
    "cmd/loader/loader.c": '#include <stdlib.h>\n#include "common/base/b.h"\n\nint main(void)\n{\n\texit(f());\n}\n',
}


def findings(check, files):
    with tempfile.TemporaryDirectory() as root:
        with open(os.path.join(os.getcwd(), ".clang-format"), encoding="utf-8") as f:
            style = f.read()
        for name, text in dict(files, **{"common/RANKS": RANKS, ".clang-format": style}).items():
            path = os.path.join(root, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
        return list(check(Tree(root)))


def check(checks):
    for name, path, text in CASES:
        if not findings(checks[name], {path: text}):
            yield f"{path}: lint {name} does not see: {text.splitlines()[0]}"
    for name in checks:
        for line in findings(checks[name], GOOD):
            yield f"lint {name} objects to good code: {line}"
    for name in set(checks) - {c[0] for c in CASES}:
        yield f"lint {name} has no case that it must find"
