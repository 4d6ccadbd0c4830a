"""Addresses that people enter for their own notifications: stored sealed, never shown again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from portfolio import values
from portfolio.connections.allowed import kind_of, reason_against
from portfolio.connections.models import Messenger, Target
from portfolio.db.keycheck import hold_keys
from portfolio.db.sealing import Sealer
from portfolio.db.session import end_reading, unit_of_work
from portfolio.errors import Conflict, Invalid, KeyUnavailable, NotFound, Unreadable
from portfolio.web.runtime import owner_id, reading, runtime

MOST = 10
LONGEST = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetView:
    """A stored address without the address: which kind it is, and whether it can be opened."""

    id: str
    kind: str
    added_at: datetime
    readable: bool


def targets(session: Session, owner: int, sealer: Sealer) -> tuple[TargetView, ...]:
    """The owner's addresses, the oldest first."""
    return tuple(
        TargetView(
            id=row.id,
            kind=row.kind,
            added_at=row.added_at,
            readable=_opened(row, sealer) is not None,
        )
        for row in _rows(session, owner)
    )


def addresses(session: Session, owner: int, sealer: Sealer) -> list[str]:
    """What the owner's readable targets are; a secret that must not leave the program."""
    opened = (_opened(row, sealer) for row in _rows(session, owner))
    return [address for address in opened if address is not None]


def _opened(row: Target, sealer: Sealer) -> str | None:
    """The address, or None: the settings page says which one has to be entered again."""
    try:
        address = sealer.unseal(_place(row.id), row.sealed)
    except (Unreadable, KeyUnavailable):
        return None
    # The lists may have become shorter since it was stored.
    return None if reason_against(address) else address


def _rows(session: Session, owner: int) -> Sequence[Target]:
    query = select(Target).where(Target.owner_id == owner)
    return session.scalars(query.order_by(Target.added_at, Target.id)).all()


def _place(target: str) -> str:
    return f"target:{target}:sealed"


def add_target(typed: str) -> TargetView:
    """Store an address of Apprise; `Invalid` where it is none, `Conflict` where there are many.

    `TooManyRequests` within two seconds of the last one, or while others add theirs. No message
    repeats what was typed. It takes a second: Apprise is asked in its own process.
    """
    of, owner = runtime(), owner_id()
    address = _checked(typed)
    _make_room(reading(), owner, address, of.sealer)
    end_reading()
    with of.turns.adding(owner, of.clock.now()):
        if not of.understands(address):
            raise _wrong("Apprise does not understand this address")
    now, made = of.clock.now(), of.outside.new_id()
    with unit_of_work() as session:
        hold_keys(session)
        _make_room(session, owner, address, of.sealer)
        row = Target(
            id=made,
            owner_id=owner,
            kind=kind_of(address),
            sealed=of.sealer.seal(_place(made), address),
            added_at=now,
        )
        session.add(row)
        if session.get(Messenger, owner) is None:
            session.add(Messenger(owner_id=owner, until=now))
    return TargetView(id=made, kind=row.kind, added_at=now, readable=True)


def _checked(typed: str) -> str:
    try:
        found = values.targets(typed)
    except ValueError:
        found = ()
    if len(found) != 1 or len(found[0]) > LONGEST:
        raise _wrong("Exactly one address of Apprise is needed")
    against = reason_against(found[0])
    if against:
        raise Invalid({"address": against})
    return found[0]


def _wrong(what: str) -> Invalid:
    return Invalid({"address": f"{what}, such as ntfys://ntfy.sh/topic."})


def _make_room(session: Session, owner: int, address: str, sealer: Sealer) -> None:
    if len(_rows(session, owner)) >= MOST:
        raise Conflict(f"There are {MOST} addresses already.", "Remove one that you do not need.")
    if address in addresses(session, owner, sealer):
        raise Conflict("This address is there already.", "Send a test message to it.")


def remove_target(target: str) -> None:
    """Forget an address; `NotFound` where it is not the owner's."""
    owner = owner_id()
    with unit_of_work() as session:
        row = session.get(Target, target)
        if row is None or row.owner_id != owner:
            raise NotFound("address of notifications")
        session.delete(row)
