"""What is sealed can be read with its key, at its place, and not otherwise."""

from __future__ import annotations

import pytest
from sqlalchemy.dialects import sqlite

from portfolio.db.keyfile import KeyFile
from portfolio.db.keysource import GivenKeys, new_key
from portfolio.db.sealed import Sealed, key_id, key_of
from portfolio.db.sealing import Sealer
from portfolio.errors import KeyLost, KeyUnavailable, SealBroken, Unreadable

PLACE = "secret:1/2/token:sealed"
CANARY = "canary-4711 – with ß and “quotes”"


@pytest.fixture
def file(tmp_path):
    made = KeyFile(tmp_path / "foliosync.key")
    assert made.ensure()
    return made


def test_what_is_sealed_is_read_at_its_place(file):
    sealer = Sealer(file)
    sealed = sealer.seal(PLACE, CANARY)
    assert "canary" not in sealed
    assert sealer.unseal(PLACE, sealed) == CANARY
    assert Sealer(KeyFile(file.file)).unseal(PLACE, sealed) == CANARY
    assert sealed != sealer.seal(PLACE, CANARY)


@pytest.mark.parametrize(
    "place", ["secret:1/3/token:sealed", "secret:1/2/name:sealed", "target:1:sealed", ""]
)
def test_what_was_moved_is_refused(file, place):
    sealer = Sealer(file)
    with pytest.raises(SealBroken, match="another place"):
        sealer.unseal(place, sealer.seal(PLACE, CANARY))


def test_what_was_changed_is_refused_at_each_character(file):
    sealer = Sealer(file)
    sealed = sealer.seal(PLACE, CANARY)
    # The last character before the padding has bits that nobody reads.
    for at in range(len(sealed.rstrip("=")) - 1):
        other = sealed[:at] + ("0" if sealed[at] != "0" else "1") + sealed[at + 1 :]
        with pytest.raises(Unreadable):
            sealer.unseal(PLACE, other)


@pytest.mark.parametrize("text", ["", CANARY, "s1..", "s2.0123456789ab.gAAAA", "gAAAAABm"])
def test_what_is_no_seal_is_refused_and_not_repeated(file, text):
    with pytest.raises(SealBroken) as caught:
        Sealer(file).unseal(PLACE, text)
    assert "canary" not in str(caught.value)


def test_a_lost_key_is_told_from_damage_and_named(file):
    sealed = Sealer(file).seal(PLACE, CANARY)
    other = Sealer(GivenKeys([new_key()]))
    with pytest.raises(KeyLost, match=key_of(sealed)):
        other.unseal(PLACE, sealed)


def test_the_newest_key_seals_and_all_of_them_open():
    first, second = new_key(), new_key()
    old = Sealer(GivenKeys([first])).seal(PLACE, CANARY)
    both = Sealer(GivenKeys([second, first]))
    assert both.ids() == (key_id(second), key_id(first))
    assert both.unseal(PLACE, old) == CANARY
    again = both.reseal(old)
    assert key_of(again) == key_id(second)
    assert Sealer(GivenKeys([second])).unseal(PLACE, again) == CANARY


def test_what_was_moved_stays_refused_when_it_is_sealed_anew(file):
    sealer = Sealer(file)
    with pytest.raises(SealBroken):
        sealer.unseal("secret:9:sealed", sealer.reseal(sealer.seal(PLACE, CANARY)))


def test_a_running_program_follows_its_key_file(file):
    sealer = Sealer(file)
    old = sealer.seal(PLACE, CANARY)
    key = new_key()
    file.write([key, *file.read()])
    assert key_of(sealer.seal(PLACE, CANARY)) == key_id(key)
    assert sealer.unseal(PLACE, old) == CANARY
    assert Sealer(file).ids() == sealer.ids() == tuple(map(key_id, file.read()))


def test_without_a_file_nothing_is_sealed_and_what_is_open_stays_open(file):
    sealer = Sealer(file)
    sealed = sealer.seal(PLACE, CANARY)
    file.file.unlink()
    with pytest.raises(KeyUnavailable, match=r"foliosync\.key is not there"):
        sealer.seal(PLACE, CANARY)
    assert sealer.unseal(PLACE, sealed) == CANARY


def test_a_file_that_others_may_read_is_not_used_in_a_running_program_either(file):
    sealer = Sealer(file)
    sealed = sealer.seal(PLACE, CANARY)
    file.write([new_key(), *file.read()])
    file.file.chmod(0o644)
    with pytest.raises(KeyUnavailable, match="chmod 600"):
        sealer.seal(PLACE, CANARY)
    assert sealer.unseal(PLACE, sealed) == CANARY


def test_a_column_of_secrets_takes_nothing_plain(file):
    column, dialect = Sealed(), sqlite.dialect()
    sealed = Sealer(file).seal(PLACE, CANARY)
    assert column.process_bind_param(sealed, dialect) == sealed
    assert column.process_bind_param(None, dialect) is None
    with pytest.raises(TypeError) as caught:
        column.process_bind_param(CANARY, dialect)
    assert "canary" not in str(caught.value)


def test_no_key_shows_in_what_could_be_printed(file):
    sealer = Sealer(file)
    sealer.seal(PLACE, CANARY)
    (key,) = file.read()
    for thing in (sealer, sealer._ring, file, GivenKeys([key])):
        assert key not in repr(thing)
    assert key_id(key) not in key
