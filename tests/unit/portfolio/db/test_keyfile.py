"""The file of keys is whole or not there, and nobody else's to read."""

from __future__ import annotations

import os

import pytest

from portfolio.db.keyfile import KeyFile
from portfolio.db.keysource import new_key
from portfolio.errors import KeyUnavailable, SetupProblem


@pytest.fixture
def keys(tmp_path):
    return KeyFile(tmp_path / "below" / "foliosync.key")


def test_it_is_made_once_for_its_owner_alone(keys):
    assert keys.stamp() is None
    assert keys.ensure()
    assert keys.file.stat().st_mode & 0o777 == 0o600
    first = keys.read()
    assert len(first) == 1
    assert not keys.ensure()
    assert keys.read() == first
    assert list(keys.file.parent.iterdir()) == [keys.file]


def test_of_two_that_make_it_the_first_wins(keys, monkeypatch):
    other = KeyFile(keys.file)
    link = os.link

    def late(source, target):
        monkeypatch.setattr("os.link", link)
        assert other.ensure()
        link(source, target)

    monkeypatch.setattr("os.link", late)
    assert not keys.ensure()
    assert len(keys.read()) == 1


@pytest.mark.parametrize("there", [True, False])
def test_a_file_system_without_links_has_it_as_well(keys, monkeypatch, there):
    def refused(_source, target):
        if there:
            target.write_text("")
        raise OSError("no links here")

    monkeypatch.setattr("os.link", refused)
    assert keys.ensure() is not there


def test_it_is_replaced_as_a_whole(keys):
    keys.ensure()
    both = (new_key(), *keys.read())
    before = keys.stamp()
    keys.write(both)
    assert keys.read() == both
    assert keys.stamp() != before
    assert keys.file.stat().st_mode & 0o777 == 0o600


def test_a_link_stays_and_the_file_it_leads_to_is_replaced(keys, tmp_path):
    keys.ensure()
    link = KeyFile(tmp_path / "link.key")
    link.file.symlink_to(keys.file)
    both = (new_key(), *keys.read())
    link.write(both)
    assert link.file.is_symlink()
    assert keys.read() == link.read() == both
    assert keys.file.stat().st_mode & 0o777 == 0o600
    assert list(keys.file.parent.iterdir()) == [keys.file]


def test_what_a_killed_process_left_is_cleared(keys):
    keys.ensure()
    left = keys.file.with_name(f".{keys.file.name}.abc.part")
    left.write_text(new_key())
    keys.write([new_key()])
    assert not left.exists()


def test_where_it_cannot_be_written_it_stays_as_it_was(keys, monkeypatch):
    keys.ensure()
    first = keys.read()

    def full(_handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(SetupProblem, match="No space left on device; it is as it was"):
        keys.write([new_key()])
    assert keys.read() == first
    assert list(keys.file.parent.iterdir()) == [keys.file]


def test_where_it_cannot_be_made_the_sentence_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(KeyUnavailable, match="cannot be made"):
        KeyFile(tmp_path / "file" / "foliosync.key").ensure()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_file_that_others_may_read_is_refused_with_the_command(keys, mode):
    keys.ensure()
    keys.file.chmod(mode)
    with pytest.raises(SetupProblem, match=f"`chmod 600 {keys.file}`"):
        keys.read()


@pytest.mark.parametrize(
    "text", ["", "\n\n", "# none\n", "canary-4711", "ä", "{key}\ncanary-4711"]
)
def test_a_file_without_keys_is_refused_and_not_repeated(keys, text):
    keys.ensure()
    keys.file.write_text(text.replace("{key}", new_key()), encoding="utf-8")
    with pytest.raises(SetupProblem) as caught:
        keys.read()
    assert "canary" not in str(caught.value)


def test_people_may_write_notes_into_it(keys):
    keys.ensure()
    (key,) = keys.read()
    keys.file.write_text(f"# of 2026\n\n {key} \n{key}\n", encoding="ascii")
    assert keys.read() == (key,)
