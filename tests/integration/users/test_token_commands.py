"""Tokens on a terminal."""

from __future__ import annotations

import pytest

from portfolio.cli import main


@pytest.fixture
def foliosync(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FOLIOSYNC_DATA_DIR", str(tmp_path))

    def run(*arguments):
        status = main(["token", *arguments])
        said = capsys.readouterr()
        return status, said.out.strip(), said.err.strip()

    return run


def test_a_token_is_made_listed_and_revoked(foliosync):
    status, secret, _ = foliosync("create", "cron", "--scope", "sync", "--days", "30")
    assert (status, len(secret), secret[:4]) == (0, 36, "fls_")
    _, listed, _ = foliosync("list", "--user", "Owner")
    assert listed.startswith("cron: sync; until ")
    assert listed.endswith("; never used")
    assert foliosync("revoke", "cron") == (0, "The token opens nothing any more.", "")
    assert foliosync("list")[1] == "There are no tokens."


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("create", "x", "--scope", "all"), "scopes: At least one of read, sync, write."),
        (("create", "x", "--scope", "read", "--days", "0"), "days: A number of days"),
        (("create", "x", "--scope", "read", "--user", "Nobody"), "There is no such user."),
        (("revoke", "x"), "There is no such token. “foliosync token list” names"),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence(foliosync, arguments, said):
    status, out, err = foliosync(*arguments)
    assert (status, out) == (1, "")
    assert err.startswith(f"foliosync: {said}")


def test_a_name_that_is_taken_speaks_of_no_form(foliosync):
    assert foliosync("create", "cron", "--scope", "sync")[0] == 0
    status, out, err = foliosync("create", "cron", "--scope", "sync")
    why = "There is a token of this name: choose another, or revoke it. No token was made."
    assert (status, out, err) == (1, "", f"foliosync: name: {why}")
    assert foliosync("revoke", "cron")[0] == 0
    assert foliosync("create", "cron", "--scope", "sync")[0] == 0


def test_a_restored_copy_brings_no_token_back(foliosync, tmp_path):
    foliosync("create", "cron", "--scope", "sync")
    copy = str(tmp_path / "copy.db")
    assert main(["backup", copy]) == 0
    foliosync("revoke", "cron")
    assert main(["restore", copy]) == 0
    assert foliosync("list")[1].endswith("There are no tokens.")
