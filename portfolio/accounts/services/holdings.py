"""Holdings that are kept by hand, also on a linked account beside the synced rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from brokers.types import Kind
from portfolio.accounts.models import (
    MANUAL,
    Account,
    CashBalance,
    Holding,
    Instrument,
    InstrumentIdentifier,
)
from portfolio.accounts.names import clean_currency, clean_isin, clean_notes, clean_text
from portfolio.accounts.queries.heirs import Heir
from portfolio.accounts.queries.holdings import find_holding
from portfolio.accounts.queries.scope import Scope
from portfolio.accounts.quotes import Quoted, quoted_at, revalued
from portfolio.accounts.services import twins
from portfolio.accounts.services.totals import touch
from portfolio.clock import Moment
from portfolio.errors import Conflict, Invalid

# A price in percent of par on a face value.
IN_PERCENT = frozenset({"bond", "bill"})
# Their contract size is never one; a guess would be a wrong number shown calmly.
SIZE_NEEDED = frozenset({"option", "future", "future_option"})
TERMS = ("symbol", "kind", "currency", "multiplier", "expiry", "strike", "option_right")
DESCRIPTIONS = ("name", "underlying")
FIGURES = ("quantity", "average_price", "price")


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What an instrument kept by hand is, checked."""

    symbol: str
    kind: str
    currency: str
    multiplier: Decimal
    expiry: date | None = None
    strike: Decimal | None = None
    option_right: str | None = None


def terms_from(values: Mapping[str, Any]) -> Terms:
    """The terms of an instrument from what was typed, or `Invalid` with every reason at once."""
    problems: dict[str, str] = {}
    kind = str(values.get("kind") or "")
    if kind not in set(Kind):
        problems["kind"] = f"One of {', '.join(Kind)}."
    symbol = _checked(problems, clean_text, values.get("symbol"), "symbol", 100)
    if not symbol and "symbol" not in problems:
        problems["symbol"] = "A symbol is needed."
    currency = _checked(problems, clean_currency, values.get("currency") or "", "currency")
    multiplier = values.get("multiplier")
    if multiplier is None:
        multiplier = default_multiplier(kind)
    if multiplier is None:
        problems["multiplier"] = "The size of one contract is needed: 100 for most stock options."
    elif multiplier <= 0:
        problems["multiplier"] = "A multiplier is greater than 0."
    if problems or multiplier is None:
        raise Invalid(problems)
    return Terms(
        symbol=symbol or "",
        kind=kind,
        currency=currency or "",
        multiplier=multiplier,
        expiry=values.get("expiry"),
        strike=values.get("strike"),
        option_right=values.get("right"),
    )


def default_multiplier(kind: str) -> Decimal | None:
    """What the multiplier of a kind is where none is said; None where one has to be."""
    if kind in SIZE_NEEDED:
        return None
    return Decimal("0.01") if kind in IN_PERCENT else Decimal(1)


def _checked(problems: dict[str, str], clean: Any, *given: Any) -> str | None:
    try:
        cleaned: str | None = clean(*given)
    except Invalid as error:
        problems.update(error.fields)
        return None
    return cleaned


def check_quantity(quantity: Any) -> None:
    """Refuse a quantity that is missing, or zero, which is not a holding."""
    if quantity is None:
        raise Invalid({"quantity": "A quantity is needed."})
    if not quantity:
        raise Invalid({"quantity": "A quantity is not 0: remove the holding instead."})


def add_holding(at: Scope, values: Mapping[str, Any]) -> Holding:
    """A holding by hand; `Conflict` where the account already has this instrument by hand."""
    row, is_new = place_holding(at, values)
    if not is_new:
        raise Conflict(
            f"“{at.account.name}” already holds {row.instrument.symbol} by hand.",
            "Change that holding instead.",
        )
    touch(at.session, at.account, at.moment)
    return row


def place_holding(at: Scope, values: Mapping[str, Any]) -> tuple[Holding, bool]:
    """The holding by hand of an instrument, made if there is none; the flag says whether it was.

    A holding that was removed comes back with its notes. An existing one is left as it is.
    """
    terms = terms_from(values)
    check_quantity(values.get("quantity"))
    instrument = instrument_of(at.session, at.account.portfolio.owner_id, terms)
    row = held_by_hand(at, instrument)
    if row is not None and row.closed_at is None:
        return row, False
    if row is None:
        row = Holding(account_id=at.account.id, instrument=instrument, source=MANUAL)
    describe(instrument, values, adding=True)
    write_figures(row, values, at.moment)
    at.session.add(row)
    at.session.flush()
    return row, True


def instrument_of(session: Session, owner_id: int, terms: Terms) -> Instrument:
    """The owner's instrument with these terms, made if it is not known."""
    same = [
        getattr(Instrument, name) == getattr(terms, name) for name in TERMS if name != "multiplier"
    ]
    query = select(Instrument).where(
        Instrument.owner_id == owner_id, Instrument.source == MANUAL, *same
    )
    found = session.scalars(query.options(selectinload(Instrument.identifiers))).all()
    for row in found:
        if row.multiplier == terms.multiplier:
            return row
    values = {name: getattr(terms, name) for name in TERMS}
    row = Instrument(owner_id=owner_id, source=MANUAL, identifiers=[], **values)
    session.add(row)
    session.flush()
    return row


def describe(instrument: Instrument, values: Mapping[str, Any], *, adding: bool = False) -> None:
    """Give an instrument what is said of it beside its terms; what is not named stays.

    Where a holding is `adding` it, an empty field says nothing: other accounts may know more.
    """
    for name, longest in (("name", 200), ("underlying", 100)):
        if name in values:
            text = clean_text(values[name], name, longest)
            setattr(instrument, name, text or (getattr(instrument, name) if adding else None))
    identifiers = values.get("identifiers") or {}
    if "isin" in identifiers:
        isin = clean_isin(identifiers["isin"])
        if isin or not adding:
            _identify(instrument, isin)


def _identify(instrument: Instrument, isin: str | None) -> None:
    row = next((each for each in instrument.identifiers if each.scheme == "isin"), None)
    if isin is None:
        if row is not None:
            instrument.identifiers.remove(row)
    elif row is not None:
        row.value = isin
    else:
        instrument.identifiers.append(
            InstrumentIdentifier(owner_id=instrument.owner_id, scheme="isin", value=isin)
        )


def held_by_hand(at: Scope, instrument: Instrument) -> Holding | None:
    """The holding by hand of an instrument, also one that was removed, or None."""
    query = select(Holding).where(
        Holding.account_id == at.account.id,
        Holding.instrument_id == instrument.id,
        Holding.source == MANUAL,
    )
    newest = query.order_by(Holding.closed_at.is_not(None), Holding.closed_at.desc(), Holding.id)
    return at.session.scalars(newest).first()


def write_figures(row: Holding, values: Mapping[str, Any], moment: Moment) -> None:
    """Write the figures and notes that are named; what is not named stays.

    A form sends each price again: the same one says nothing new, and keeps its time. A holding
    that was none till now is held from now on, with the figures that are named and no others.
    """
    is_new = not row.id or row.closed_at is not None
    price = values.get("price")
    if is_new or ("price" in values and price != row.price):
        row.quoted_at = None if price is None else moment.now
    if is_new:
        row.opened_at, row.closed_at = moment.now, None
    for name in FIGURES:
        # What was paid, and what it was worth when it left, says nothing of what is held anew.
        if name in values or is_new:
            setattr(row, name, values.get(name))
    if "notes" in values:
        row.notes = clean_notes(values["notes"])


def change_holding(at: Scope, holding_id: int, values: Mapping[str, Any]) -> Holding:
    """Change a holding; of one that a connection brings, only the notes are the user's.

    A changed term is another instrument. A row that a broker once brought keeps its instrument,
    and its value follows the quantity and the price.
    """
    row = find_holding(at.session, at.account, holding_id)
    values = dict(values)
    if "duplicate_of" in values:
        del values["duplicate_of"]
        twins.settle(at.session, row, at.account.portfolio.owner_id)
    mine = at.view.may_edit(row.source, row.source_account)
    given = {name for name in values if values[name] != _present(row, name)}
    if not mine and given - {"notes"}:
        raise Conflict(
            f"{row.instrument.symbol} comes from the broker; only its notes can be changed here.",
            "Change it at the broker and sync, or disconnect the account first.",
        )
    if "quantity" in values:
        check_quantity(values["quantity"])
    if row.source != MANUAL:
        _refuse_other_terms(given)
        if given & set(FIGURES):
            revalue(row, values)
    elif given:
        _move_to(at, row, values)
    write_figures(row, values, at.moment)
    at.session.flush()
    if mine:
        touch(at.session, at.account, at.moment)
    return row


def _present(row: Holding, name: str) -> Any:
    of = row.instrument
    if name == "identifiers":
        return {"isin": next((i.value for i in of.identifiers if i.scheme == "isin"), None)}
    if name == "right":
        return of.option_right
    return getattr(row if hasattr(row, name) else of, name)


def _refuse_other_terms(given: set[str]) -> None:
    foreign = sorted(given - {*FIGURES, "notes"})
    if foreign:
        raise Invalid(dict.fromkeys(foreign, "Given by the broker; it cannot be changed."))


def _move_to(at: Scope, row: Holding, values: Mapping[str, Any]) -> None:
    of = row.instrument
    present = {name: getattr(of, name) for name in TERMS} | {"right": of.option_right}
    if values.get("kind", of.kind) != of.kind and of.multiplier == default_multiplier(of.kind):
        # It followed from the kind: at a bond's, a stock would be worth a hundredth.
        del present["multiplier"]
    terms = terms_from({**present, **values})
    target = instrument_of(at.session, at.account.portfolio.owner_id, terms)
    if target.id != of.id:
        other = held_by_hand(at, target)
        if other is not None and other.closed_at is None:
            raise Conflict(
                f"“{at.account.name}” already holds {target.symbol} by hand.",
                "Change that holding instead, or remove it first.",
            )
        row.instrument = target
        # Other accounts may hold it already, and have described it.
        undescribed = [name for name in DESCRIPTIONS if getattr(target, name) is None]
        describe(target, {name: getattr(of, name) for name in undescribed})
    describe(target, values)


def revalue(row: Holding, values: Mapping[str, Any]) -> None:
    """Let the value and the profit of a row that a broker brought follow a change by hand."""
    before = quoted(row)
    named = {name: values[name] for name in FIGURES if name in values}
    after = revalued(before, before._replace(**named), row.instrument.multiplier)
    row.market_value, row.unrealized_pnl = after.market_value, after.unrealized_pnl


def date_quote(row: Holding, account: Account) -> None:
    """Note how old the quote of a row is that the account's next read will not renew."""
    row.quoted_at = quoted_at(quoted(row), row.quoted_at, account.synced_at)


def quoted(row: Holding) -> Quoted:
    """The figures of a row as plain values."""
    return Quoted(*(getattr(row, name) for name in Quoted._fields))


def remove_holding(at: Scope, holding_id: int) -> None:
    """Let a holding go: it is no longer held, and comes back with its notes if added again."""
    row = find_holding(at.session, at.account, holding_id)
    refuse_synced(at, row, row.instrument.symbol)
    row.closed_at = at.moment.now
    touch(at.session, at.account, at.moment)


def refuse_synced(at: Scope, row: Holding | CashBalance, what: str) -> None:
    """Refuse to change what a connection brings."""
    if not at.view.may_edit(row.source, row.source_account):
        raise Conflict(
            f"{what} comes from the broker and cannot be changed here.",
            "Change it at the broker and sync, or disconnect the account first.",
        )


def inherit(at: Scope, offer: Heir) -> None:
    """Move what a person wrote of a holding that left to the one that took its place."""
    former, heir = (
        at.session.get_one(Holding, offer.former_id),
        at.session.get_one(Holding, offer.heir_id),
    )
    twins.hand_over(former, heir)
    former.notes = None
    at.session.flush()
