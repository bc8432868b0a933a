"""The pages of the reference are those that the tables make, and pages point to files that are there."""
import os
import re

import pytest

from helpers import make_docs
from helpers.programs import ROOT, build_dir

GENERATED = sorted([*make_docs.PAGES.values(), "OPTIONS.md"])


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("docs")
    make_docs.main(build_dir(), folder)
    return folder


@pytest.mark.parametrize("name", GENERATED)
def test_committed_page_is_the_one_that_the_tables_make(made, name):
    assert read(os.path.join(ROOT, "docs", name)) == read(made / name), "run `make docs`"


def pages():
    for folder, _, files in os.walk(ROOT):
        if not any(part in ("build", ".git", ".pytest_cache") for part in os.path.relpath(folder, ROOT).split(os.sep)):
            yield from (os.path.relpath(os.path.join(folder, f), ROOT) for f in files if f.endswith(".md"))


@pytest.mark.parametrize("page", sorted(pages()))
def test_links_lead_to_files(page):
    broken = []
    for target in re.findall(r"\]\(([^)#\s]+)", read(os.path.join(ROOT, page))):
        if "://" not in target and not os.path.exists(os.path.join(ROOT, os.path.dirname(page), target)):
            broken.append(target)
    assert broken == []


def test_make_help_lists_every_target_of_the_house():
    makefile = read(os.path.join(ROOT, "Makefile"))
    described = set(re.findall(r"^([a-z-]+):.*##", makefile, re.M))
    assert {"all", "demo", "test", "check-unit", "check-integration", "lint", "docs", "install", "clean", "help"} <= described
