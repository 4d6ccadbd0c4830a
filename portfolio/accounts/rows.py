"""The headings and the rows of the table of holdings, written in Python.

A page has fifty rows with nine cells each, over which Jinja took as long as over all the rest.
What stands in a cell is decided here; how it looks is said by its column in app.css.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from decimal import Decimal
from html import escape

from portfolio.accounts.models import MANUAL
from portfolio.accounts.queries.order import Wanted
from portfolio.accounts.resources import AccountView, HoldingView, InstrumentView
from portfolio.db.base import MONEY
from portfolio.web.filters import (
    contract,
    days_left,
    kind_label,
    money,
    percent,
    quantity,
    signed,
    table_query,
    when,
)

USUAL_KINDS = frozenset({"stock", "etf"})
# Their quantity is a face value, and their multiplier no size of a contract.
IN_PERCENT = frozenset({"bond", "bill"})
SOON = 30
ONE, HUNDRED = Decimal(1), Decimal(100)
COLUMNS = (
    *(("symbol", "Instrument"), ("quantity", "Quantity"), ("price", "Price"), ("value", "Value")),
    *(("cost", "Cost"), ("pnl", "P&amp;L"), ("pnl_pct", "%")),
    *(("", '<span class="hidden">Weight as a bar</span>'), ("weight", "Weight")),
)


@dataclass(frozen=True, slots=True)
class HoldingHeads:
    """The headings: a link each, that sorts also without JavaScript and says its direction.

    It leads to the page that it is on.
    """

    wanted: Wanted

    def __html__(self) -> str:
        """What a template shows."""
        return "".join([self._head(*column) for column in COLUMNS])

    def _head(self, column: str, label: str) -> str:
        if not column:
            return f'<th scope="col">{label}</th>'
        by = self.wanted.sort
        current, descending = by.removeprefix("-") == column, by == f"-{column}"
        upwards = descending or (column == "symbol" and not current)
        url = f"?{table_query(self.wanted, sort=column if upwards else f'-{column}')}"
        link = f'href="{escape(url)}" hx-get="{escape(url)}"'
        told = f' aria-sort="{"descending" if descending else "ascending"}"' if current else ""
        arrow = f'<span aria-hidden="true"> {"↓" if descending else "↑"}</span>' if current else ""
        return (
            f'<th scope="col"{told}><a {link} hx-target="#holdings-table" hx-swap="outerHTML"'
            f' hx-push-url="true">{label}{arrow}</a></th>'
        )


@dataclass(frozen=True, slots=True)
class HoldingRows:
    """Some holdings of an account as rows; the longest bar is that of the `largest` weight.

    `at` is the path of the account's page: in a relative link, a colon would end a scheme.
    `inner` rows are members of a group. Ages are told as `now` in the `zone`. The profit of the
    broker's futures is in the cash, or counts beside it: in the currencies `futures_beside`.
    """

    holdings: Sequence[HoldingView]
    account: AccountView
    at: str
    largest: Decimal
    now: datetime
    zone: tzinfo
    inner: bool = False
    futures_beside: frozenset[str] = frozenset()

    def __html__(self) -> str:
        """What a template shows; every text from outside is escaped."""
        link = f"{escape(self.at)}/holdings/"
        units = {of.currency: _unit(of.currency) for of in self.holdings}
        base = _unit(self.account.currency)
        return "".join([self._row(of, link, units[of.currency], base) for of in self.holdings])

    def _row(self, of: HoldingView, link: str, unit: str, base: str) -> str:
        member = ' class="member"' if self.inner else ""
        # A figure names its currency where that is another than the account's.
        other = "" if unit == base else unit
        worth = _worth(of, unit, base) if of.counts_in_value else self._notional(of, other)
        price = _unknown("no price") if of.price is None else quantity(of.price)
        bar = "" if of.weight is None else _bar(of.weight, self.largest)
        return (
            f'<tr{member}><th scope="row">{self._what(of, link)}</th>'
            f"<td{_below(of.quantity)}>{quantity(of.quantity)}</td><td>{price}</td>{worth}"
            f"{_profit(of, other)}<td>{bar}</td><td>{_weight(of)}</td></tr>\n"
        )

    def _what(self, row: HoldingView, link: str) -> str:
        of, shared = row.instrument, self.account.shared_by
        symbol = escape(of.symbol)
        # On a phone this and the name have a line each.
        first = f"<b>{symbol}</b>" if shared else f'<a href="{link}{row.id}">{symbol}</a>'
        if of.expiry:
            first = f"<span>{first}{escape(contract(of))}</span>"
        about = f"{escape(of.name or '')}{_size(of)}{_tags(row)}{self._age(row)}"
        return f"{first} <small>{about}</small>{_notes(row) if shared and row.notes else ''}"

    def _notional(self, row: HoldingView, unit: str) -> str:
        beside = row.source != MANUAL and row.currency in self.futures_beside
        in_cash = row.instrument.kind == "future" and not beside
        why = "in cash" if in_cash else "P&amp;L counts"
        size = f"notional {_amount(row.notional, row.why_no_value, unit)}"
        return f'<td class="quiet">{why}</td><td class="quiet">{size}</td>'

    def _age(self, row: HoldingView) -> str:
        """The time of a price that is older than all else that the account was read with."""
        of, read_at = row.quoted_at, self.account.synced_at
        if of is None or read_at is None or of >= read_at:
            return ""
        return f' <span class="tag">price as of {when(of, self.now, self.zone)}</span>'


def _size(of: InstrumentView) -> str:
    return "" if of.multiplier == 1 or of.kind in IN_PERCENT else f" ×{quantity(of.multiplier)}"


def _tags(row: HoldingView) -> str:
    kind, days = row.instrument.kind, row.days_left
    tags = "" if kind in USUAL_KINDS else f' <span class="tag">{escape(kind_label(kind))}</span>'
    if row.source == MANUAL:
        tags += ' <span class="tag">by hand</span>'
    if days is not None and days <= SOON:
        tags += f' <span class="tag needs">{days_left(days, kind)}</span>'
    return tags


def _notes(row: HoldingView) -> str:
    of = f'Notes<span class="hidden"> of {escape(row.instrument.symbol)}</span>'
    notes = f"<summary>{of}</summary><p>{escape(row.notes or '')}</p>"
    return f'<details class="note-line small">{notes}</details>'


def _worth(row: HoldingView, unit: str, base: str) -> str:
    """The value and the cost, each once more in the account's currency where that is another."""
    value, cost, base_value, base_cost, other = row.market_value, row.cost, "", "", ""
    if unit != base:
        why, other = f"no rate for {row.currency}", unit
        base_value = _amount(row.base_value, row.why_no_value if value is None else why, base)
        base_cost = _amount(row.base_cost, row.why_no_cost if cost is None else why, base)
        base_value = f"<div>{base_value}</div>"
        base_cost = f'<div title="at today’s rate">{base_cost}</div>'
    return (
        f"<td{_below(value)}>{_amount(value, row.why_no_value, unit)}{base_value}</td>"
        f"<td{_below(cost)}>{_amount(cost, row.why_no_cost, other)}{base_cost}</td>"
    )


def _profit(row: HoldingView, unit: str) -> str:
    profit, ratio = row.unrealized_pnl, row.unrealized_pct
    amount = _unknown(row.why_no_profit) if profit is None else f"{signed(profit)}{unit}"
    share = _unknown(row.why_no_percent) if ratio is None else percent(ratio)
    return f"<td{_sign(profit)}>{amount}</td><td{_sign(ratio)}>{share}</td>"


def share_of(weight: Decimal, largest: Decimal) -> Decimal:
    """How long a bar is, in percent of the longest one, each of which is half a pixel."""
    share = MONEY.divide(MONEY.multiply(abs(weight), HUNDRED), largest) if largest else HUNDRED
    return min(share, HUNDRED).quantize(ONE)


def _bar(weight: Decimal, largest: Decimal) -> str:
    short = ' class="short"' if weight < 0 else ""
    return f'<svg aria-hidden="true"><rect{short} width="{share_of(weight, largest)!s}%"/></svg>'


def _weight(row: HoldingView) -> str:
    return _unknown(row.why_no_weight) if row.weight is None else percent(row.weight)


def _amount(value: Decimal | None, reason: str, unit: str) -> str:
    return _unknown(reason) if value is None else f"{money(value)}{unit}"


def _unit(code: str) -> str:
    # Up to five in a row: an element with a longer name makes a page a kilobyte longer.
    return f" <i>{escape(code)}</i>"


def _unknown(reason: str) -> str:
    """A dash with its reason, as the macro `unknown`."""
    why = escape(reason)
    return f'<span class="quiet" title="{why}">—<span class="hidden"> {why}</span></span>'


def _below(value: Decimal | None) -> str:
    return ' class="negative"' if value is not None and value < 0 else ""


def _sign(value: Decimal | None) -> str:
    return ' class="positive"' if value is not None and value > 0 else _below(value)
