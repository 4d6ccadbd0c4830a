"""Keeps secrets that this process knows out of what it logs, prints and reports.

No text of ours has a secret in it. This is for the texts of others: a library that puts an address
into its exception, or a driver that repeats what it was given.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
import traceback
from collections.abc import Iterable
from types import TracebackType
from typing import Any
from urllib.parse import unquote

HIDDEN = "***"
# A shorter text could be part of any word.
SHORTEST = 6
# A part of an address that is shorter is a scheme, a port, or a word that many have.
SHORTEST_PART = 8
# Of texts that people enter so many are hidden; each record is compared with all of them.
MOST_SEALED = 2000
# A key in base32, or what mixes letters and figures: no word and no time that a log needs.
RANDOM = re.compile(r"[A-Z2-7]{16,}|(?=.*[A-SU-Za-z])(?=.*[0-9]).{8,}", re.ASCII)
# What PostgreSQL says of a row that it refuses: values of it, up to the next thing that is said.
REFUSED = re.compile(
    r"^(DETAIL:\s+).*?(?=\n\[SQL: |\n\(Background |\n\nThe above |\n\nDuring |\Z)",
    re.MULTILINE | re.DOTALL,
)
_known: set[str] = set()
_sealed: dict[str, None] = {}
# A signal's handler may log while its own thread is in here.
_lock = threading.RLock()
_usual_record = logging.getLogRecordFactory()


def hide(*secrets: str) -> None:
    """Take these texts out of everything from now on."""
    _known.update(text for text in secrets if len(text) >= SHORTEST)


def hide_addresses(addresses: Iterable[str]) -> None:
    """Take addresses out, and the parts of them that could be a password or a token."""
    for address in addresses:
        parts = [part for part in re.split(r"[/:@?&=,\s]+", address) if _could_be_secret(part)]
        hide(address, *parts, *map(unquote, parts))


def _could_be_secret(part: str) -> bool:
    # Addresses of computers in figures stand in many lines of a log.
    return len(part) >= SHORTEST_PART and not re.fullmatch(r"[\d.]+", part)


def hide_sealed(text: str) -> None:
    """Take out what somebody had sealed: all of it, what looks random, and logins as they stand.

    A plain word of it stays: whoever enters `ntfy://host/Traceback` must not blank the log. The
    latest two thousand texts are remembered.
    """
    parts = [part for part in re.split(r"[/:@?&=,.\s]+", text) if RANDOM.fullmatch(part)]
    standing = re.findall(r"//[^/@?]+@|[?&][a-z]+=[^&]+", text)
    found = (text, *parts, *map(unquote, parts), *standing)
    with _lock:
        for each in found:
            if len(each) >= SHORTEST:
                _sealed.pop(each, None)
                _sealed[each] = None
        while len(_sealed) > MOST_SEALED:
            del _sealed[next(iter(_sealed))]


def hide_password_of(url: str) -> None:
    """Take the password of a database's URL out; its other parts are no secrets."""
    found = re.match(r"[^:]+://[^:/]*:(.*)@", url)
    if found:
        hide(found[1], unquote(found[1]))
    for value in re.findall(r"[?&](?:ssl)?password=([^&]*)", url):
        hide(value, unquote(value))


def redacted(text: str) -> str:
    """The text without what is hidden, and without what a database repeats of its rows."""
    # The longest first: one secret may be part of another.
    with _lock:
        secrets = {*_known, *_sealed}
    for secret in sorted(secrets, key=len, reverse=True):
        if secret in text:
            text = text.replace(secret, HIDDEN)
    return REFUSED.sub(rf"\1{HIDDEN}", text)


def install() -> None:
    """Redact every record of every logger, and what ends the process or a thread."""
    logging.setLogRecordFactory(_record)
    # It logs each path that is asked for, and those have numbers of accounts in them.
    logging.getLogger("urllib3").setLevel(logging.INFO)
    sys.excepthook = _report
    threading.excepthook = lambda ended: _report(
        ended.exc_type, ended.exc_value, ended.exc_traceback
    )


def _record(*args: Any, **kwargs: Any) -> logging.LogRecord:
    record = _usual_record(*args, **kwargs)
    try:
        message = record.getMessage()
    except (TypeError, ValueError):
        # The handler says what is wrong with it.
        return record
    shown = redacted(message)
    if shown != message:
        record.msg, record.args = shown, ()
    if record.exc_info and record.exc_info[0] is not None:
        # A formatter takes the text that is there, instead of making its own.
        record.exc_text = redacted(_text(*record.exc_info))
    return record


def _text(
    kind: type[BaseException], error: BaseException | None, trace: TracebackType | None
) -> str:
    return "".join(traceback.format_exception(kind, error, trace)).rstrip("\n")


def _report(
    kind: type[BaseException], error: BaseException | None, trace: TracebackType | None
) -> None:
    sys.stderr.write(f"{redacted(_text(kind, error, trace))}\n")
