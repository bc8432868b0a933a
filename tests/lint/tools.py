"""The checks that programs of others make: clang-format, cppcheck, shellcheck, the compiler on lone headers."""
import concurrent.futures
import os
import subprocess


def run(tree, command):
    return subprocess.run(command, cwd=tree.root, capture_output=True, text=True, timeout=600)


def said(p):
    return [line for line in (p.stdout + p.stderr).split("\n") if line.strip()]


def format_check(tree):
    names = tree.files(".c", ".h")
    if names and run(tree, ["clang-format", "-n", "-Werror"] + names).returncode:
        for name in names:
            if run(tree, ["clang-format", "-n", "-Werror", name]).returncode:
                yield f"{name}: run clang-format -i {name}"


CPPCHECK = ["cppcheck", "-q", "-j2", "--std=c11", "--error-exitcode=1", "--inline-suppr", "--template={file}:{line}: {id}: {message}",
            "--enable=warning,portability,performance", "--suppress=missingIncludeSystem", "--suppress=normalCheckLevelMaxBranches", "--suppress=arrayIndexThenCheck",
            "-I.", "-D_GNU_SOURCE", "-D__linux__"]


def cppcheck(tree):
    names = tree.files(".c", under="common/") + tree.files(".c", under="cmd/")
    if not names:
        return
    cache = tree.path("build/cppcheck")
    os.makedirs(cache, exist_ok=True)
    p = run(tree, CPPCHECK + [f"--cppcheck-build-dir={cache}"] + names)
    if p.returncode:
        yield from said(p)


def is_shell(tree, name):
    return name.endswith(".sh") or tree.text(name)[:40].split("\n")[0].endswith(("/sh", "env bash", "/bash"))


def shellcheck(tree):
    names = [n for n in tree.names if (n.endswith(".sh") or "." not in n.rsplit("/", 1)[-1]) and is_shell(tree, n)]
    if names:
        p = run(tree, ["shellcheck", "-f", "gcc"] + names)
        if p.returncode:
            yield from said(p)


def lone_headers(tree):
    flags = ["cc", "-std=c11", "-D_GNU_SOURCE", "-I.", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-x", "c"]
    names = tree.files(".h", under="common/") + tree.files(".h", under="cmd/")
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        for name, p in zip(names, pool.map(lambda n: run(tree, flags + ["-Wno-unused-function", n]), names)):
            if p.returncode:
                yield f"{name}: does not compile alone: {said(p)[0]}"
