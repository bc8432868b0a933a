"""Nothing of a developer's machine in tracked files, no open ends, no conflict marks."""
import re

# pattern (written so that it does not match itself), what is wrong with it
WORDS = [
    (r"(?<!common)/w[o]rk/", "a path of one machine"),
    (r"/home/[a-z]+/", "a path of one machine"),
    (r"\bT[O]DO\b|\bFIX[M]E\b|\bX[X]X\b(?!X)", "finish it, or write it in docs/KNOWN_BUGS.md"),
    (r"^<{7} |^>{7} ", "a merge is not finished"),
    (r"-{5}BEGIN [A-Z ]*PRIVATE KEY", "a private key"),
    (r"\bAKIA(?!IOSFODNN7EXAMPLE|I44QH8DHBEXAMPLE)[A-Z0-9]{16}\b", "an access key"),
]
TEXT = (".c", ".h", ".def", ".py", ".sh", ".md", ".yaml", ".yml", ".json", ".txt", "Makefile", "run", ".lua", ".jq")


def check(tree):
    for name in tree.files(*TEXT):
        for n, line in enumerate(tree.text(name).split("\n"), 1):
            for pattern, why in WORDS:
                if re.search(pattern, line):
                    yield f"{name}:{n}: {why}: {line.strip()[:80]}"
