"""How figures, times and kinds look on a page; rounding happens only here, half to even."""

from __future__ import annotations

import re
from datetime import date, datetime, tzinfo
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any
from urllib.parse import urlencode

from flask import Flask
from markupsafe import Markup, escape

from brokers.tls import grouped
from portfolio.db.base import MONEY, exact

UNKNOWN = "—"
MINUS = "−"
KINDS = {
    "etf": "ETF",
    "cfd": "CFD",
    "future_option": "future option",
}
# As in net liquidation: what is accrued is no holding, and of futures only the profit counts.
PARTS = {"cash": "Cash and accruals", "future": "Futures P&L"}
MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
SLASH = re.compile("(?<!/)/(?!/)")
CODE = Markup("<code>{}</code>")
HUNDRED = Decimal(100)
# The smallest step of a figure with so many decimals.
STEPS = tuple(Decimal(1).scaleb(-places) for places in range(10))
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()


def register(app: Flask) -> None:
    """Make the filters known to the templates."""
    figures = (money, signed, quantity, percent, sign_class, decimal)
    words = (kind_label, capitalize_first, contract, inline_code, jointed)
    for of in (*figures, grouped, when, clock, day, days_left, *words):
        app.template_filter(of.__name__)(of)
    app.jinja_env.globals["table_query"] = table_query
    app.jinja_env.globals["labels"] = {"kind": _kind_title, "same": str}


def money(value: Decimal | None, places: int = 2) -> str:
    """An amount: thousands grouped, a fixed number of decimals, a true minus sign."""
    if value is None:
        return UNKNOWN
    return _minus(f"{value.quantize(STEPS[places], ROUND_HALF_EVEN, MONEY):,f}")


def decimal(text: str | None) -> Decimal | None:
    """A figure that is kept as text."""
    return None if text is None else exact(text)


def signed(value: Decimal | None, places: int = 2) -> str:
    """An amount that always shows its sign, unless it is zero."""
    text = money(value, places)
    return f"+{text}" if value is not None and value > 0 else text


def quantity(value: Decimal | None) -> str:
    """A quantity or price with all its digits and no trailing zeros."""
    if value is None:
        return UNKNOWN
    text = f"{value:,f}"
    return _minus(text.rstrip("0").rstrip(".") if "." in text else text)


def percent(ratio: Decimal | None, places: int = 1) -> str:
    """A share of one in percent."""
    return UNKNOWN if ratio is None else f"{money(MONEY.multiply(ratio, HUNDRED), places)} %"


def sign_class(value: Decimal | None) -> str:
    """The style of a figure: its sign is always printed as well."""
    if not value:
        return "figure"
    return "figure positive" if value > 0 else "figure negative"


def _minus(text: str) -> str:
    if "-" not in text:
        return text
    # "-0.00" is a rounded zero.
    return text.replace("-", MINUS if text.strip("-0.,") else "")


def when(value: datetime | None, now: datetime, zone: tzinfo) -> str:
    """A time as people say it: 14:05, 2 min ago; yesterday 22:00; Friday 22:00.

    A week ago and more, or ahead, it has its date: Fri 20 Nov 26, 22:00.
    """
    if value is None:
        return "never"
    local, today = value.astimezone(zone), now.astimezone(zone).date()
    at = clock(value, zone)
    minutes = int((now - value).total_seconds() // 60)
    if local.date() == today and 0 <= minutes < 60:
        return f"{at}, {'just now' if minutes < 1 else f'{minutes} min ago'}"
    if local.date() == today:
        return at
    days, name = (today - local.date()).days, DAYS[local.weekday()]
    if 0 < days < 7:
        return f"{'yesterday' if days == 1 else name} {at}"
    return f"{name[:3]} {day(local.date())}, {at}"


def clock(value: datetime, zone: tzinfo) -> str:
    """A time of the day: 22:00."""
    return f"{value.astimezone(zone):%H:%M}"


def day(value: date | None) -> str:
    """A date: 16 Jan 27."""
    if value is None:
        return UNKNOWN
    return f"{value.day} {MONTHS[value.month - 1]} {value.year % 100:02d}"


def kind_label(kind: str) -> str:
    """A kind of instrument in words."""
    return KINDS.get(kind, kind.replace("_", " "))


def _kind_title(kind: str) -> str:
    return PARTS.get(kind) or capitalize_first(kind_label(kind))


def days_left(days: int, kind: str) -> str:
    """How soon an option expires or a bond matures."""
    verb = "matures" if kind in {"bond", "bill"} else "expires"
    if days < 0:
        return "matured" if verb == "matures" else "expired"
    return f"{verb} {'today' if days == 0 else 'tomorrow' if days == 1 else f'in {days} days'}"


def capitalize_first(text: str) -> str:
    """Text with its first letter in capitals and the rest as it is."""
    return text[:1].upper() + text[1:]


def inline_code(text: str) -> Markup:
    """Text in which what stands between backticks is code; all of it is escaped."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return escape(text)
    shown = (CODE.format(of) if place % 2 else escape(of) for place, of in enumerate(parts))
    return Markup("").join(shown)


def jointed(text: str) -> Markup:
    """An address or a path, which may break behind its slashes, but not behind a scheme."""
    return Markup("/<wbr>").join(SLASH.split(text))


def table_query(wanted: Any, **changes: Any) -> str:
    """The query of a table's URL, with some of it changed; what is usual is left out."""
    values = {"sort": wanted.sort, "text": wanted.text, "kind": wanted.kind, "page": 1}
    values |= {"group": "underlying" if wanted.group else ""} | changes
    usual = {"page": 1, "sort": "-value"}
    return urlencode({k: v for k, v in values.items() if v and usual.get(k) != v})


def contract(instrument: Any) -> str:
    """The terms of a derivative in one line: 16 Jan 27 · 200 call."""
    parts = [day(instrument.expiry)] if instrument.expiry else []
    if instrument.strike is not None and instrument.right:
        parts.append(f"{quantity(instrument.strike)} {instrument.right}")
    return " · ".join(parts)
