"""Which addresses of Apprise people may enter: those that do no more than bring a message.

Apprise also knows kinds that send any request anywhere, open files or run programs, and keys that
choose methods, headers and files. So kinds and keys are closed lists, and what is new is refused.
"""

from __future__ import annotations

import re

KINDS = frozenset(
    "discord gchat gotify gotifys mailto mailtos matrix matrixs mmost mmosts nctalk nctalks ntfy"
    " ntfys pbul pover rocket rockets signal signals slack tgram workflow workflows zulip".split()
)
KEYS = frozenset(
    "bcc botname cc channel format from id mode name pass priority reply sig smtp sound team"
    " thread to token topic user xtags".split()
)
# Stricter than Apprise reads it, so that both of us see the same keys.
QUERY = re.compile(r"[a-z]+=[^&;?#]*(?:&[a-z]+=[^&;?#]*)*", re.ASCII)


def kind_of(address: str) -> str:
    """What stands before `://`, in lower case."""
    return address.partition("://")[0].lower()


def reason_against(address: str) -> str | None:
    """Why people may not enter this address, as a sentence that does not repeat it, or None."""
    if kind_of(address) not in KINDS:
        return (
            "What stands before :// is a kind that is not known, or one that only the operator "
            "can set. Choose one that brings messages, such as ntfys, mailtos or tgram."
        )
    before, mark, query = address.partition("?")
    if "#" in before or (mark and not _plain(query)):
        return (
            "What stands after the question mark may only say whom the message is for, "
            "such as to, from, user or pass."
        )
    return None


def _plain(query: str) -> bool:
    found = QUERY.fullmatch(query)
    return found is not None and {each.partition("=")[0] for each in query.split("&")} <= KEYS
