#!/usr/bin/env python3
"""make_docs.py - writes the reference pages from the tables that the programs use.

	make_docs.py BUILD_FOLDER DOCS_FOLDER

EVENTS, METRICS and CONFIG (and the JSON Schema for editors) come from BUILD/tests/reference; OPTIONS from each
program's --print-options, and from that of every command of the front door.
"""
import os
import subprocess
import sys

STAGES = ["watcher", "planner", "loader", "collector", "sink"]
PAGES = {"events": "EVENTS.md", "metrics": "METRICS.md", "config": "CONFIG.md", "schema": "plimsoll.schema.json"}


def run(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, cwd="/").stdout.decode()


def rows(build, program, *command):
    for line in run(os.path.join(build, program), *command, "--print-options").splitlines():
        name, short, _, metavar, default, text = (cell if cell != "-" else "" for cell in line.split("\t"))
        metavar = metavar.replace("|", "\\|")
        flag = f"`--{name}{' ' + metavar if metavar else ''}`" + (f", `-{short}`" if short else "")
        yield flag, default, text


def table(items):
    yield "| option | default | what |"
    yield "|---|---|---|"
    for flag, default, text in items:
        yield f"| {flag} | {f'`{default}`' if default else ''} | {text} |".replace("  ", " ")


def shared(found):
    """The options that all have."""
    first, *others = found.values()
    return [r for r in first if all(r in o for o in others)]


def stages(build):
    """Options that every stage has stand once."""
    found = {s: list(rows(build, "plimsoll-" + s)) for s in STAGES}
    common = shared(found)
    yield from ("## Every stage", "", *table(common))
    for stage in STAGES:
        yield from ("", f"## plimsoll-{stage}", "", *table(r for r in found[stage] if r not in common))


def front_door(build):
    """Options that every command has stand once."""
    commands = [line.split("\t") for line in run(os.path.join(build, "plimsoll"), "--print-options").splitlines()]
    found = {name: list(rows(build, "plimsoll", *name.split())) for name, *_ in commands}
    common = shared(found)
    yield from ("", "## Every command of the front door", "", *table(common))
    for name, _, synopsis, text in commands:
        own = [r for r in found[name] if r not in common]
        yield from ("", f"## plimsoll {name}", "", f"`plimsoll {name}{' ' + synopsis if synopsis else ''}`: {text}")
        if own:
            yield from ("", *table(own))


def options(build):
    out = ["# Options", "", "Made from the programs' own tables by `make docs`.", "", *stages(build), *front_door(build)]
    return "\n".join(out) + "\n"


def main(build, docs):
    build = os.path.abspath(build)
    texts = {file: run(os.path.join(build, "tests", "reference"), page) for page, file in PAGES.items()}
    texts["OPTIONS.md"] = options(build)
    for file, text in texts.items():
        with open(os.path.join(docs, file), "w", encoding="utf-8") as f:
            f.write(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
