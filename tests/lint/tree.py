"""The files that lint looks at: what git would commit, by suffix or folder."""
import os
import re
import subprocess

COMMENT_OR_TEXT = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


class Tree:
    def __init__(self, root):
        self.root = root
        out = subprocess.run(["git", "-C", root, "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True)
        names = out.stdout.split("\n") if out.returncode == 0 else [
            os.path.relpath(os.path.join(d, f), root) for d, _, fs in os.walk(root) for f in fs]
        self.names = sorted(n for n in names if n and os.path.isfile(os.path.join(root, n)))

    def files(self, *suffixes, under=""):
        return [n for n in self.names if n.endswith(suffixes) and n.startswith(under)]

    def path(self, name):
        return os.path.join(self.root, name)

    def text(self, name):
        with open(self.path(name), encoding="utf-8", errors="replace") as f:
            return f.read()

    def code(self, name):
        """The text with comments and literals blanked; the lines stay where they are."""
        return COMMENT_OR_TEXT.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), self.text(name))


def includes(tree, name):
    """(line number, what, is_system) of every #include."""
    for n, line in enumerate(tree.text(name).split("\n"), 1):
        m = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if m:
            yield n, m.group(2), m.group(1) == "<"
