"""common/RANKS holds: a folder includes itself and lower ranks; common knows no stage; no stage knows another."""
from tree import includes

C = (".c", ".h", ".def")


def ranks(tree):
    out = {}
    for line in tree.text("common/RANKS").split("\n"):
        if line and not line.startswith("#"):
            rank, folder = line.split()
            out[folder] = int(rank)
    return out


def judge(of, mine, theirs):
    """Why a file in folder `mine` (["common", "base"]) may not include one of folder `theirs`; None = it may."""
    if theirs[0] == "common" and theirs[1] not in of:
        return f"common/{theirs[1]} has no rank"
    if mine[0] == "cmd":
        if theirs[0] == "cmd" and theirs[1] != mine[1]:
            return "a stage never includes another"
        return None
    if mine[0] != "common":
        return None
    if mine[1] not in of:
        return f"common/{mine[1]} has no rank"
    if theirs[0] == "cmd":
        return "nothing in common knows a stage"
    if theirs[0] == "tests":
        return "nothing in common knows a test"
    if theirs[0] == "common" and theirs[1] != mine[1] and of[theirs[1]] >= of[mine[1]]:
        return f"rank {of[mine[1]]} may include only lower ranks, common/{theirs[1]} has {of[theirs[1]]}"
    return None


def check(tree):
    of = ranks(tree)
    for name in tree.files(*C):
        for line, what, is_system in includes(tree, name):
            parts = what.split("/")
            if is_system:
                continue
            if len(parts) < 2 or parts[0] not in ("common", "cmd", "tests"):
                yield f'{name}:{line}: "{what}": write includes from the top folder'
                continue
            why = judge(of, name.split("/"), parts)
            if why:
                yield f'{name}:{line}: "{what}": {why}'
