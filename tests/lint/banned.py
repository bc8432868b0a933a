"""Calls that only some places may make. (What nobody may call does not compile: common/base/banned.h.)"""
import re

# call, where it is allowed (a file or a folder), what to do instead
CALLS = [
    ("exit", ["common/stage/", "common/base/bug", "main"], "return an error; only the skeleton and main end the process"),
    ("_exit", ["common/stage/", "common/base/proc", "common/base/bug", "main"], "as exit; a forked child goes through proc_spawn"),
    ("abort", ["common/base/bug", "common/base/crash"], "BUG_ON"),
    ("assert", [], "BUG_ON"),
    ("signal", ["common/base/proc", "common/base/loop", "common/stage/"], "signals come by the loop"),
    ("sleep", [], "a loop timer"),
    ("nanosleep", ["common/aws/"], "a loop timer"),
    ("fork", ["common/base/proc"], "proc_spawn"),
    ("vfork", [], "proc_spawn"),
    ("rand", [], "rng.h"),
    ("random", [], "rng.h"),
    ("setenv", ["common/stage/", "cmd/plimsoll/doctor_world"], "give the child an environment of its own"),
    ("time", ["common/base/clock"], "wall_now, mono_now"),
    ("gettimeofday", [], "wall_now"),
    ("clock_gettime", ["common/base/clock", "common/aws/limiter"], "wall_now, mono_now"),
]


def is_main(name):
    parts = name.split("/")
    return parts[0] == "cmd" and len(parts) == 3 and parts[2] == parts[1] + ".c"


def is_allowed(name, places):
    return any(name.startswith(p) for p in places) or ("main" in places and is_main(name))


def check(tree):
    for name in tree.files(".c", ".h", under="common/") + tree.files(".c", ".h", under="cmd/"):
        for n, line in enumerate(tree.code(name).split("\n"), 1):
            for call, places, instead in CALLS:
                if re.search(rf"(?<![\w.>]){call}\s*\(", line) and not is_allowed(name, places) \
                        and not re.search(rf"\(\*\s*{call}\)|\b(int|void|struct \w+ \*?)\s+{call}\(", line):
                    yield f"{name}:{n}: {call}(): {instead}"
