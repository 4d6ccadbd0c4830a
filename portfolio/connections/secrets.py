"""What adapters need to sign in: stored sealed, for its owner, gateway and field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, delete, select, update
from sqlalchemy.orm import Session

from brokers.contract import SecretField
from brokers.errors import CredentialsMissing
from brokers.registry import Registry
from portfolio.accounts.models import Account
from portfolio.connections.models import Connection, Gateway, Secret
from portfolio.db.keycheck import hold_keys
from portfolio.db.sealing import Sealer
from portfolio.db.session import read_only
from portfolio.errors import Invalid, KeyUnavailable, Unreadable

LONGEST = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretView:
    """A secret that an adapter declares, without the secret; `set_at` is None where none is set.

    It is not `readable` while its key is missing, or where it was tampered with.
    """

    name: str
    label: str
    hint: str
    set_at: datetime | None
    readable: bool


def secrets_of(
    session: Session, gateway: Gateway, brokers: Registry, sealer: Sealer
) -> tuple[SecretView, ...]:
    """The secrets that the adapter of a gateway declares, in its order."""
    rows = {row.field: row for row in session.scalars(_of(gateway.id))}
    return tuple(
        SecretView(
            name=field.name,
            label=field.label,
            hint=field.hint,
            set_at=rows[field.name].set_at if field.name in rows else None,
            readable=field.name in rows and _opened(rows[field.name], sealer) is not None,
        )
        for field in declared(gateway, brokers)
    )


def declared(gateway: Gateway, brokers: Registry) -> tuple[SecretField, ...]:
    """What the adapter of a gateway asks for; nothing where it is not installed."""
    broker = brokers.brokers.get(gateway.broker)
    return broker.manifest.secrets if broker is not None else ()


def put_secrets(
    session: Session,
    gateway: Gateway,
    values: Mapping[str, str],
    fields: Sequence[SecretField],
    sealing: tuple[Sealer, datetime],
) -> None:
    """Store secrets of a gateway, sealed; what is not named stays as it is.

    `Invalid` for a name that the adapter does not declare, and for a value that is too long. What
    waited for them waits no longer.
    """
    sealer, now = sealing
    known = {field.name for field in fields}
    wrong = {name[:40]: "The adapter does not ask for it." for name in values if name not in known}
    wrong |= {
        name: f"From 1 to {LONGEST} characters are needed."
        for name, value in values.items()
        if name in known and not 0 < len(value) <= LONGEST
    }
    if wrong:
        raise Invalid(wrong)
    hold_keys(session)
    for name, value in values.items():
        row = session.get(Secret, (gateway.id, name))
        row = row or Secret(gateway_id=gateway.id, field=name, owner_id=gateway.owner_id)
        row.sealed, row.set_at = sealer.seal(_place(row), value), now
        session.add(row)
    _wait_no_longer(session, gateway, now)


def _wait_no_longer(session: Session, gateway: Gateway, now: datetime) -> None:
    through = select(Connection.account_id).where(Connection.gateway_id == gateway.id)
    waiting = Account.id.in_(through), Account.attention_code == CredentialsMissing.code
    session.execute(update(Account).where(*waiting).values(attention_code=None))
    gateway.next_contact_at = now


def forget_secrets(session: Session, gateway: Gateway) -> None:
    """Remove all secrets of a gateway."""
    session.execute(delete(Secret).where(Secret.gateway_id == gateway.id))


def open_secrets(
    sealer: Sealer, gateway_id: int, fields: Sequence[SecretField]
) -> Mapping[str, str]:
    """What an adapter declared, for its constructor; `CredentialsMissing` where not all is there.

    Reads in a session of its own. The result must not be logged or shown.
    """
    with read_only() as session:
        rows = session.scalars(_of(gateway_id)).all()
        found = {row.field: opened for row in rows if (opened := _opened(row, sealer)) is not None}
    missing = [field.label for field in fields if field.name not in found]
    if missing:
        raise CredentialsMissing(
            f"What is needed to sign in is not there or cannot be read: {', '.join(missing)}.",
            "Enter it again on Settings, at this gateway.",
        )
    return {field.name: found[field.name] for field in fields}


def _of(gateway_id: int) -> Select[Secret]:
    return select(Secret).where(Secret.gateway_id == gateway_id)


def _opened(row: Secret, sealer: Sealer) -> str | None:
    try:
        return sealer.unseal(_place(row), row.sealed)
    except (Unreadable, KeyUnavailable):
        return None


def _place(row: Secret) -> str:
    return f"secret:{row.owner_id}/{row.gateway_id}/{row.field}:sealed"
