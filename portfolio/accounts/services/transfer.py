"""Holdings and cash from a file, after showing what it would change."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from unicodedata import normalize

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from portfolio.accounts.csvfile import CASH, Row, cell
from portfolio.accounts.models import MANUAL, CashBalance, Holding, Instrument
from portfolio.accounts.names import (
    clean_currency,
    clean_isin,
    clean_notes,
    clean_text,
    label_of,
)
from portfolio.accounts.queries.scope import Scope
from portfolio.accounts.queries.totals import cash_rows, open_holdings
from portfolio.accounts.services.holdings import (
    TERMS,
    Terms,
    check_quantity,
    describe,
    terms_from,
    write_figures,
)
from portfolio.accounts.services.totals import touch
from portfolio.errors import Invalid

# Some fields of a row by the columns of a file.
Stored = Mapping[str, object]

ADDED, CHANGED, UNCHANGED, BAD = "added", "changed", "unchanged", "bad"
# What a line may leave open beside the kind: the column of each term.
OPEN_TERMS = {
    "multiplier": "multiplier",
    "expiry": "expiry",
    "strike": "strike",
    "option_right": "right",
}
DESCRIBED = ("name", "underlying", "isin", "notes")
# What a line may say otherwise of a broker's row; its price is another one at each read anyway.
STAYS = ("quantity", "average_price", "notes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a line changes of one field, as text; None where there is nothing."""

    field: str
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one line of a file would do.

    `row` has the kind and terms of the holding that it is; `note` says what was decided for it.
    `is_brought` is whether it is the broker's own row, exported here, that is there already.
    """

    row: Row
    label: str
    action: str
    changes: tuple[Change, ...]
    problems: Mapping[str, str]
    terms: Terms | None = None
    note: str | None = None
    is_brought: bool = False

    @property
    def kind(self) -> str | None:
        """What the line is of; None where what it says is no kind."""
        if "kind" in self.row.problems:
            return None
        return CASH if self.row.is_cash else str(self.row.values["kind"])


class _Shelf:
    """What is there already, read once, so that ten thousand lines cost a few statements."""

    def __init__(self, at: Scope) -> None:
        owner = at.account.portfolio.owner_id
        known = select(Instrument).where(Instrument.owner_id == owner, Instrument.source == MANUAL)
        rows = at.session.scalars(known.options(selectinload(Instrument.identifiers)))
        self.instruments = {_terms(row): row for row in rows}
        held = select(Holding).where(Holding.account_id == at.account.id, Holding.source == MANUAL)
        self.held: dict[int, Holding] = {}
        # Of several that were removed the last one comes back, as where it is added by a form.
        newest = Holding.closed_at.is_(None), Holding.closed_at, Holding.id.desc()
        for row in at.session.scalars(held.order_by(*newest)):
            self.held[row.instrument_id] = row
        self._open: list[Terms] = []
        self._brought: dict[Terms, None] = {}
        self._found: dict[tuple[bool, tuple[str, ...]], dict[object, list[Terms]]] = {}
        for terms in self.instruments:
            here = self.holding(terms)
            if here is not None and here.closed_at is None:
                self._open.append(terms)
        cash = cash_rows(at.session, at.account.id)
        self.cash = {row.currency: row for row in cash if row.source == MANUAL}
        self.synced: dict[tuple[object, Terms | str], list[Stored]] = defaultdict(list)
        synced = open_holdings(at.account.id).where(Holding.source != MANUAL)
        for row in at.session.scalars(synced):
            terms = _as_read_back(row.instrument)
            self._brought[terms] = None
            self.synced[row.source, terms].append({name: getattr(row, name) for name in STAYS})
        for balance in cash:
            if balance.source != MANUAL:
                stays = {"quantity": balance.amount}
                self.synced[balance.source, balance.currency].append(stays)
        self._sources = {source for source, _ in self.synced}

    def holding(self, terms: Terms) -> Holding | None:
        """The holding by hand of these terms, also one that was removed."""
        instrument = self.instruments.get(terms)
        return self.held.get(instrument.id) if instrument else None

    def alike(self, row: Row) -> list[Terms]:
        """The terms of what is held and has all that a line says, whatever its kind.

        That is what is held by hand, or else what a broker brought: of another kind, what is added
        beside that would look like another thing, and count twice without a word. A line that says
        to be the broker's is that first.
        """
        try:
            symbol = clean_text(_text(row.values.get("symbol")), "symbol", 100)
            currency = clean_currency(str(row.values["currency"]))
        except Invalid:
            # Whoever checks the whole line says what is wrong.
            return []
        given = {of: row.values.get(column) for of, column in OPEN_TERMS.items()}
        said = {of: value for of, value in given.items() if value is not None}
        is_brought = row.values.get("source") in self._sources
        for brought in (is_brought, not is_brought):
            known = self._by(brought, tuple(said))
            found = known.get((symbol or "", currency, *said.values()))
            if found:
                return found
        return []

    def _by(self, brought: bool, names: tuple[str, ...]) -> Mapping[object, list[Terms]]:
        """What a broker brought, or what is held by hand, by symbol, currency and some terms.

        Made once for all lines that say the same terms: there may be thousands of one symbol.
        """
        if (brought, names) not in self._found:
            by: defaultdict[object, list[Terms]] = defaultdict(list)
            for terms in self._brought if brought else self._open:
                said = (getattr(terms, name) for name in names)
                by[terms.symbol, terms.currency, *said].append(terms)
            self._found[brought, names] = by
        return self._found[brought, names]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportPlan:
    """What a file would do, line by line, to what was there."""

    steps: tuple[Step, ...]
    there: _Shelf

    def count(self, action: str) -> int:
        """How many lines would be added, changed, unchanged, or are bad."""
        return sum(step.action == action for step in self.steps)


def _terms(row: Instrument) -> Terms:
    return Terms(**{name: getattr(row, name) for name in TERMS})


def _as_read_back(row: Instrument) -> Terms:
    """The terms of a broker's row as a file with them is understood."""
    terms = _terms(row)
    return replace(terms, symbol=normalize("NFC", terms.symbol).strip())


def plan_import(at: Scope, rows: Sequence[Row]) -> ImportPlan:
    """What the lines of a file would do to an account; writes nothing."""
    shelf, steps = _Shelf(at), []
    seen: dict[Terms | str, int] = {}
    for row in rows:
        step = _cash_step(shelf, row) if row.is_cash else _holding_step(shelf, row)
        key = step.terms or step.label
        # What is kept by hand beside a broker's row has the same terms, and a line of its own.
        if step.action != BAD and not step.is_brought:
            if key in seen:
                why = {"symbol": f"It stands in line {seen[key]} already."}
                step = Step(row=row, label=step.label, action=BAD, changes=(), problems=why)
            else:
                seen[key] = row.line
        steps.append(step)
    return ImportPlan(steps=tuple(steps), there=shelf)


def _bad(row: Row, problems: Mapping[str, str]) -> Step:
    label = str(row.values.get("symbol") or row.values.get("currency") or "")
    return Step(row=row, label=label, action=BAD, changes=(), problems=problems)


def _meant(shelf: _Shelf, row: Row) -> tuple[Row, str | None]:
    """A line without a kind as the one holding that it can be, and what to say of that."""
    alike = [] if row.says_kind else shelf.alike(row)
    if not alike:
        return row, None
    default = str(row.values["kind"])
    if len(alike) > 1:
        held = f"{len(alike)} holdings here have its symbol"
        return row, f"It names no kind, and {held}: read as {_word(default)}."
    (terms,) = alike
    of_terms = {column: getattr(terms, of) for of, column in OPEN_TERMS.items()}
    found = replace(row, values={**row.values, "kind": terms.kind, **of_terms})
    same = terms.kind == default
    return found, None if same else f"It names no kind: read as the {_word(terms.kind)} held here."


def _word(kind: str) -> str:
    return kind.replace("_", " ")


def _holding_step(shelf: _Shelf, row: Row) -> Step:
    if row.problems:
        return _bad(row, row.problems)
    row, note = _meant(shelf, row)
    try:
        terms = terms_from(row.values)
        check_quantity(row.values.get("quantity"))
        values = _described(row)
    except Invalid as error:
        # By column of the file, which knows no identifiers around an ISIN.
        problems = {of.removeprefix("identifiers."): why for of, why in error.fields.items()}
        return _bad(row, problems)
    held = shelf.holding(terms)
    changes: tuple[Change, ...] = ()
    brought = shelf.synced.get((row.values.get("source"), terms))
    if brought:
        action, note = UNCHANGED, _staying(brought, values) or note
    elif held is None or held.closed_at is not None:
        action = ADDED
    else:
        changes = _changes(_present(held), values)
        action = CHANGED if changes else UNCHANGED
    return Step(
        row=row,
        label=label_of(terms),
        action=action,
        changes=changes,
        problems={},
        terms=terms,
        note=note,
        is_brought=bool(brought),
    )


def _staying(brought: Sequence[Stored], given: Stored) -> str | None:
    """What a line says otherwise of a broker's row; of several, of that which is most like it."""
    others = [[name for name in of if given.get(name, of[name]) != of[name]] for of in brought]
    fewest: list[str] = min(others, key=len)
    named = ", ".join(fewest).replace("_", " ")
    return f"It came from a broker, so a file does not change its {named}." if named else None


def _described(row: Row) -> dict[str, Any]:
    """The figures and descriptions of a line, in normal form; `Invalid` where one cannot be."""
    given = row.values
    values = {n: given[n] for n in ("quantity", "average_price", "price") if n in given}
    if "name" in given:
        values["name"] = clean_text(_text(given["name"]), "name", 200)
    if "underlying" in given:
        values["underlying"] = clean_text(_text(given["underlying"]), "underlying", 100)
    if "isin" in given:
        values["isin"] = clean_isin(_text(given["isin"]))
    if "notes" in given:
        values["notes"] = clean_notes(_text(given["notes"]))
    return values


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _present(held: Holding) -> dict[str, Any]:
    of = held.instrument
    return {
        "quantity": held.quantity,
        "average_price": held.average_price,
        "price": held.price,
        "name": of.name,
        "underlying": of.underlying,
        "isin": next((each.value for each in of.identifiers if each.scheme == "isin"), None),
        "notes": held.notes,
    }


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Change, ...]:
    differing = {name: value for name, value in new.items() if old[name] != value}
    return tuple(
        Change(field=name, old=cell(old[name]) or None, new=cell(value) or None)
        for name, value in differing.items()
    )


def _cash_step(shelf: _Shelf, row: Row) -> Step:
    problems = dict(row.problems)
    try:
        currency = clean_currency(str(row.values["currency"]))
    except Invalid as error:
        problems.update(error.fields)
    amount = row.values.get("quantity")
    if amount is None:
        problems.setdefault("quantity", "An amount is needed.")
    if problems:
        return _bad(row, problems)
    held = shelf.cash.get(currency)
    brought = shelf.synced.get((row.values.get("source"), currency))
    if brought:
        label, note = f"{currency} cash of the broker", _staying(brought, {"quantity": amount})
        unchanged = Step(row=row, label=label, action=UNCHANGED, changes=(), problems={})
        return replace(unchanged, note=note, is_brought=True)
    changes = () if held is None else _changes({"quantity": held.amount}, {"quantity": amount})
    action = ADDED if held is None else CHANGED if changes else UNCHANGED
    return Step(row=row, label=f"{currency} cash", action=action, changes=changes, problems={})


def apply_import(at: Scope, plan: ImportPlan) -> None:
    """Write the good lines of a plan, made in the same transaction; bad ones are left out."""
    shelf = plan.there
    for step in plan.steps:
        if step.action in (ADDED, CHANGED):
            if step.terms is None:
                _write_cash(at, shelf, step)
            else:
                _write_holding(at, shelf, step.terms, _described(step.row))
    if plan.count(ADDED) or plan.count(CHANGED):
        touch(at.session, at.account, at.moment)


def _write_cash(at: Scope, shelf: _Shelf, step: Step) -> None:
    currency = clean_currency(str(step.row.values["currency"]))
    amount: Any = step.row.values["quantity"]
    row = shelf.cash.get(currency)
    row = row or CashBalance(account_id=at.account.id, currency=currency, source=MANUAL)
    row.amount = amount
    at.session.add(row)


def _write_holding(at: Scope, shelf: _Shelf, terms: Terms, values: dict[str, Any]) -> None:
    owner = at.account.portfolio.owner_id
    instrument = shelf.instruments.get(terms)
    if instrument is None:
        described = {name: getattr(terms, name) for name in TERMS}
        instrument = Instrument(owner_id=owner, source=MANUAL, identifiers=[], **described)
        shelf.instruments[terms] = instrument
    row = shelf.held.get(instrument.id) if instrument.id else None
    if row is None:
        row = Holding(account_id=at.account.id, instrument=instrument, source=MANUAL)
    named: dict[str, Any] = {n: values[n] for n in ("name", "underlying") if n in values}
    if "isin" in values:
        named["identifiers"] = {"isin": values["isin"]}
    describe(instrument, named, adding=not row.id or row.closed_at is not None)
    write_figures(row, values, at.moment)
    at.session.add(row)
