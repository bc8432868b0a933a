"""plimsoll admin key: who may speak on the bus."""
import os
import re
import stat
import subprocess

import pytest

from helpers.programs import binary, pl

Z85 = r"[0-9a-zA-Z.:+=^!/*?&<>()\[\]{}@%$#-]{40}"


@pytest.fixture
def key(tmp_path):
    listing = tmp_path / "loaders"

    def run(*args):
        return pl("plimsoll", "admin", "key", *args, "--list", listing)
    run.listing = listing
    run.out = tmp_path / "secret"
    return run


def test_new_writes_a_secret_file_and_a_line(key):
    r = key("new", "alpha", "--out", key.out)
    assert r.code == 0, r.errors
    secret = key.out.read_text().strip()
    assert re.fullmatch(Z85, secret) and secret not in r.text + r.errors
    assert stat.S_IMODE(os.stat(key.out).st_mode) == 0o600
    assert re.fullmatch(f"alpha {Z85}\n", key.listing.read_text())
    assert stat.S_IMODE(os.stat(key.listing).st_mode) == 0o644
    assert key("list").text == key.listing.read_text()


def test_comments_order_and_mode_stay(key):
    key.listing.write_text("# ours\n\nalpha " + "a" * 40 + "\n  beta\t" + "b" * 40)
    key.listing.chmod(0o640)
    assert key("new", "gamma", "--out", key.out).code == 0
    assert key("revoke", "beta").code == 0
    lines = key.listing.read_text().splitlines()
    assert lines[:3] == ["# ours", "", "alpha " + "a" * 40] and lines[3].startswith("gamma ") and len(lines) == 4
    assert stat.S_IMODE(os.stat(key.listing).st_mode) == 0o640


def test_a_key_made_elsewhere(key):
    made = key("new", "alpha", "--no-list", "--out", key.out)
    line = made.text.splitlines()[1]
    assert made.code == 0 and not key.listing.exists() and line.startswith("alpha ")
    assert key("new", "alpha", "--public=" + line.split(" ", 1)[1]).code == 0
    assert key("list").text == line + "\n"


def test_the_pair_of_the_server_is_in_no_list(key):
    r = key("new", "--server", "--out", key.out)
    assert r.code == 0 and not key.listing.exists()
    assert re.search(f'server_key: "{Z85}"', r.text)


@pytest.mark.parametrize("args, says", [
    (("new",), "name the loader"),
    (("new", "a/b"), "a name is"),
    (("new", "alpha"), "alpha is in"),
    (("new", "beta", "--public", "short"), "40 characters"),
    (("new", "beta", "--public", "a" * 40), "alpha is in"),
    (("new", "beta", "--public", "c" * 40, "--no-list"), "--public goes with"),
    (("new", "--server", "beta"), "takes no NAME"),
    (("revoke", "beta"), "beta is not in"),
    (("revoke",), "name one loader"),
])
def test_mistakes_exit_100_and_change_nothing(key, args, says):
    key.listing.write_text("alpha " + "a" * 40 + "\n")
    r = key(*args)
    assert r.code == 100 and says in r.errors
    assert key.listing.read_text() == "alpha " + "a" * 40 + "\n"


def test_a_secret_that_is_there_and_a_broken_list_are_left_alone(key):
    key.out.write_text("mine")
    assert key("new", "alpha", "--out", key.out).code == 100
    assert key.out.read_text() == "mine" and not key.listing.exists()
    key.listing.write_text("nonsense\n")
    assert key("new", "alpha", "--out", key.out.with_name("other")).code == 100
    assert key("revoke", "nonsense").code == 100 and key("list").code == 100
    assert not key.out.with_name("other").exists() and key.listing.read_text() == "nonsense\n"


def test_thirty_at_once_lose_no_line(key, tmp_path):
    children = [subprocess.Popen([binary("plimsoll"), "admin", "key", "new", f"l{i}", "--list", key.listing,
                                  "--out", tmp_path / f"s{i}"], stdout=subprocess.DEVNULL) for i in range(30)]
    assert [c.wait(30) for c in children] == [0] * 30
    assert sorted(line.split()[0] for line in key("list").text.splitlines()) == sorted(f"l{i}" for i in range(30))


def test_the_list_of_the_settings(tmp_path):
    config = tmp_path / "plimsoll.yaml"
    config.write_text(f"accounts: {{web: {{provider: http, allow: [a.example]}}}}\nfunctions: {{}}\nbus: {{loaders: {tmp_path}/who}}\n")
    r = pl("plimsoll", "admin", "key", "new", "alpha", "--config", config, "--out", tmp_path / "s")
    assert r.code == 0, r.errors
    assert (tmp_path / "who").read_text().startswith("alpha ")
