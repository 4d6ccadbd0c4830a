"""What is secret is taken out of the texts of others."""

from __future__ import annotations

import logging
import threading

import pytest

from portfolio import redaction

CANARY = "canary-4711"


@pytest.fixture
def log(caplog):
    redaction.install()
    caplog.set_level(logging.DEBUG)
    return caplog


def test_records_and_tracebacks_of_every_logger_are_redacted(log):
    redaction.hide(CANARY)
    logging.getLogger("some.library").debug("asked %s for %d", f"https://x/{CANARY}", 5)
    logging.getLogger("some.library").warning("%s", {"token": CANARY})
    try:
        try:
            raise ValueError(CANARY)
        except ValueError as error:
            raise RuntimeError("outer") from error
    except RuntimeError:
        logging.getLogger("other").exception("it failed")
    assert CANARY not in log.text
    assert "https://x/*** for 5" in log.text
    assert "ValueError: ***" in log.text
    assert "RuntimeError: outer" in log.text


def test_what_is_not_secret_stays_as_it_is(log):
    redaction.hide("short", "")
    logging.getLogger("some.library").info("short %s %s", "words", "stay")
    assert "short words stay" in log.text
    (record,) = log.records
    assert record.args == ("words", "stay")


def test_a_record_that_cannot_be_made_harms_nobody():
    redaction.install()
    record = logging.getLogRecordFactory()("x", logging.INFO, "f", 1, "%d", ("word",), None)
    assert record.msg == "%d"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://me:canary-4711@localhost/p",
        "postgresql://me:canary-4711%2Fx%40@localhost:5432/p",
        "postgresql://localhost/p?user=me&password=canary-4711",
        "postgresql://:canary-4711@/p",
    ],
)
def test_the_password_of_a_database_is_hidden_and_its_name_is_not(url):
    redaction.hide_password_of(url)
    assert CANARY not in redaction.redacted(f"cannot connect to {url}")
    assert "localhost" in redaction.redacted("localhost is down")
    if "%" in url:
        assert CANARY not in redaction.redacted("the password canary-4711/x@ is wrong")


@pytest.mark.parametrize(
    "url", ["sqlite:////home/me/.foliosync/foliosync.db", "", "postgresql:///p"]
)
def test_without_a_password_nothing_is_hidden(url):
    redaction.hide_password_of(url)
    assert redaction.redacted(f"{url} foliosync foliosync.db") == f"{url} foliosync foliosync.db"


def test_parts_of_an_address_are_hidden_but_not_where_it_leads_in_figures():
    redaction.hide_addresses([f"json://me:{CANARY}@127.0.0.1:8080/tok%2Fen-4711"])
    said = redaction.redacted(f"127.0.0.1 refused {CANARY} and tok/en-4711 and tok%2Fen-4711")
    assert said == "127.0.0.1 refused *** and *** and ***"


def test_what_somebody_had_sealed_is_hidden_and_words_of_the_log_stay():
    address = f"ntfy://portfolio:Traceback@10.0.0.7:1/Traceback/portfolio/{CANARY}?to=OSError7"
    redaction.hide_sealed(address)
    words = "Traceback in portfolio at 10.0.0.7, site-packages/portfolio.connections"
    assert redaction.redacted(words) == words
    said = redaction.redacted(f"{address} and {CANARY} and http://portfolio:Traceback@10.0.0.7/")
    assert said == "*** and *** and http:***10.0.0.7/"
    redaction.hide_sealed("2026-11-25T12:00:00+00:00 ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF")
    said = redaction.redacted("2026-11-25T12:01:02 ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF")
    assert said == "2026-11-25T12:01:02 ***"


def test_only_the_latest_of_what_was_sealed_is_remembered():
    for number in range(redaction.MOST_SEALED + 5):
        redaction.hide_sealed(f"word {number:05}")
    assert len(redaction._sealed) == redaction.MOST_SEALED
    assert redaction.redacted("word 00001, word 02004") == "word 00001, ***"


def test_what_ends_a_thread_is_redacted(capsys):
    redaction.install()
    redaction.hide(CANARY)

    def fail():
        raise ValueError(CANARY)

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    said = capsys.readouterr().err
    assert "ValueError: ***" in said
    assert CANARY not in said
