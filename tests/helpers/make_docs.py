#!/usr/bin/env python3
"""make_docs.py - writes the reference pages from the tables that the programs use.

	make_docs.py BUILD_FOLDER DOCS_FOLDER

EVENTS, METRICS and CONFIG (and the JSON Schema for editors) come from BUILD/tests/reference; OPTIONS from each
program's --print-options.
"""
import os
import subprocess
import sys

STAGES = ["watcher", "planner", "loader", "collector", "sink"]
PAGES = {"events": "EVENTS.md", "metrics": "METRICS.md", "config": "CONFIG.md", "schema": "plimsoll.schema.json"}


def run(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, cwd="/").stdout.decode()


def rows(build, stage):
    for line in run(os.path.join(build, "plimsoll-" + stage), "--print-options").splitlines():
        name, short, _, metavar, default, text = (cell if cell != "-" else "" for cell in line.split("\t"))
        flag = f"`--{name}{' ' + metavar if metavar else ''}`" + (f", `-{short}`" if short else "")
        yield flag, default, text


def table(items):
    yield "| option | default | what |"
    yield "|---|---|---|"
    for flag, default, text in items:
        yield f"| {flag} | {f'`{default}`' if default else ''} | {text} |".replace("  ", " ")


def options(build):
    """Options that every stage has stand once."""
    found = {s: list(rows(build, s)) for s in STAGES}
    common = [r for r in found[STAGES[0]] if all(r in f for f in found.values())]
    out = ["# Options", "", "Made from the programs' own tables by `make docs`. `plimsoll --help` lists the front door's commands.", "",
           "## Every stage", "", *table(common)]
    for stage in STAGES:
        out += ["", f"## plimsoll-{stage}", "", *table(r for r in found[stage] if r not in common)]
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
