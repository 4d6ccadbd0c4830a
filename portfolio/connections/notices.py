"""What a person should be told, and in which words; pure functions that know no database."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

LONGEST_NAME = 60
MOST_NAMES = 3
MOST_PARTS = 10
# A shorter id could be part of any word.
SHORTEST_ID = 5
SETTINGS = "/settings"


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """How a need is told: a few words for the title, what is the matter, and what to do."""

    title: str
    matter: str
    do: str


# What concerns a gateway and so all accounts behind it; of several the first one is told.
GATEWAY_WIDE = {
    "certificate_changed": Words(
        title="certificate changed",
        matter="The gateway of {who} shows another certificate than before. Nothing was sent to "
        "it.",
        do="Click “Test connection” and compare; accept it only if it was you who changed it.",
    ),
    "certificate_untrusted": Words(
        title="certificate not trusted",
        matter="The certificate of the gateway of {who} is not trusted. Nothing was sent to it.",
        do="Click “Test connection”; it says what to do.",
    ),
    "credentials_missing": Words(
        title="enter a secret again",
        matter="What is needed to sign in for {who} is not there, or cannot be read any more.",
        do="Enter it at the gateway.",
    ),
    "not_a_gateway": Words(
        title="another program answers",
        matter="Another program answers where the gateway of {who} should be.",
        do="Click “Test connection”; it says what to do.",
    ),
    "address_not_allowed": Words(
        title="this computer is refused",
        matter="The gateway of {who} does not allow this computer's address.",
        do="Click “Test connection”; it says what to do.",
    ),
    "not_authenticated": Words(
        title="sign in again",
        matter="Nobody is signed in at the gateway of {who}.",
        do="Click “Sign in”. Until then the holdings stay as they were last read.",
    ),
}
ACCOUNT_WIDE = {
    "broker_account_missing": Words(
        title="another user is signed in",
        matter="The broker account of {who} is not in the list of the user who is signed in.",
        do="Click “Test connection” on its Edit page to see who that is, and sign in as the right "
        "one.",
    ),
    "sync_rejected": Words(
        title="a sync was not applied",
        matter="The last sync of {who} was not applied; your holdings are unchanged.",
        do="Look at what was seen, and compare with your broker.",
    ),
    "not_reconciled": Words(
        title="a total differs",
        matter="Twice in a row {who} did not agree with what the broker itself says.",
        do="Look at where they differ.",
    ),
}
# Other brokers have troubles of their own.
OTHER = Words(title="look at an account", matter="{who} needs you.", do="It says what to do.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A connected account; `name` is safe to be told, `code` is what it needs a person for.

    While its gateway `comes_and_goes`, the last word about the gateway stands.
    """

    account_id: int
    portfolio_id: int
    gateway_id: int
    name: str
    code: str | None
    scheduled: bool = True
    comes_and_goes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """How a subject is: `code` is its need, and None where it is well.

    It is not `known` while a trouble of the gateway keeps us from looking at the account, or
    while the gateway comes and goes.
    """

    who: tuple[str, ...]
    path: str
    code: str | None
    known: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What a person does not know yet, by subject; `gone` are subjects that are no more."""

    needed: Mapping[str, State]
    well: Mapping[str, State]
    gone: frozenset[str]

    @property
    def worth_telling(self) -> bool:
        """Whether there is a message in it."""
        return bool(self.needed or self.well)


def compare(states: Mapping[str, State], told: Mapping[str, str]) -> News:
    """What is new, given how things are and which need of each subject was told last."""
    known = {subject: of for subject, of in states.items() if of.known}
    return News(
        needed={s: of for s, of in known.items() if of.code and told.get(s) != of.code},
        well={s: of for s, of in known.items() if not of.code and s in told},
        gone=frozenset(told) - frozenset(states),
    )


def states(accounts: Iterable[Watched]) -> dict[str, State]:
    """How each gateway and each account is, by subject."""
    found: dict[str, State] = {}
    ordered = sorted(accounts, key=lambda each: each.gateway_id)
    for gateway_id, group in groupby(ordered, key=lambda each: each.gateway_id):
        members = list(group)
        found[f"gateway:{gateway_id}"] = _gateway(members)
        found |= {f"account:{each.account_id}": _account(each) for each in members}
    return found


def _gateway(members: Sequence[Watched]) -> State:
    # What nobody syncs keeps its old trouble, and must not hide that the gateway is well.
    judged = [each for each in members if each.scheduled] or members
    codes = {each.code for each in judged}
    return State(
        who=tuple(each.name for each in members),
        path=SETTINGS,
        code=next((code for code in GATEWAY_WIDE if code in codes), None),
        known=not any(each.comes_and_goes for each in judged),
    )


def _account(of: Watched) -> State:
    hidden = of.code in GATEWAY_WIDE
    return State(
        who=(of.name,),
        path=f"/portfolio/{of.portfolio_id}/accounts/~{of.account_id}",
        code=None if hidden else of.code,
        known=not hidden,
    )


def message(news: News) -> tuple[str, str]:
    """The title and the text of one message about all that is new."""
    needed = [(_words(of), of) for of in news.needed.values()]
    if not needed:
        title = "Foliosync: well again"
    elif len(needed) == 1:
        title = f"Foliosync needs you: {needed[0][0].title}"
    else:
        title = "Foliosync needs you"
    parts = [
        f"{words.matter.format(who=listed(of.who))}\nIn Foliosync open {of.path}. {words.do}"
        for words, of in needed
    ]
    parts += [_well(subject, of) for subject, of in news.well.items()]
    if len(parts) > MOST_PARTS:
        parts = [*parts[:MOST_PARTS], f"And {len(parts) - MOST_PARTS} more: open / in Foliosync."]
    return title, "\n\n".join(parts)


def _words(of: State) -> Words:
    return (GATEWAY_WIDE | ACCOUNT_WIDE).get(of.code or "", OTHER)


def _well(subject: str, of: State) -> str:
    gateway = "The gateway of " if subject.startswith("gateway:") else ""
    return f"{gateway}{listed(of.who)} is well again."


def listed(names: Sequence[str]) -> str:
    """Names as a sentence has them: “A”, “B” and 3 others."""
    quoted = [f"“{name}”" for name in names[:MOST_NAMES]]
    if len(names) > MOST_NAMES:
        quoted.append(f"{len(names) - MOST_NAMES} more")
    return " and ".join(part for part in (", ".join(quoted[:-1]), quoted[-1]) if part)


def safe_name(name: str, secret: Iterable[str]) -> str:
    """An account's name in one short line, without what is `secret`: ids at the broker."""
    line = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in name)
    for each in secret:
        if len(each) >= SHORTEST_ID:
            line = re.sub(re.escape(each), "…", line, flags=re.IGNORECASE)
    line = " ".join(line.split()) or "…"
    return line if len(line) <= LONGEST_NAME else f"{line[: LONGEST_NAME - 1]}…"
