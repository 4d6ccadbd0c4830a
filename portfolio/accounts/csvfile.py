"""Holdings and cash as a CSV file: read from anybody's columns, written so that it reads back.

RFC 4180. What a spreadsheet would take for a formula is written after an apostrophe, and the
apostrophe is taken off again when the file comes back.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from itertools import islice

from brokers.types import Kind
from portfolio.db.base import canonical, typed_decimal
from portfolio.errors import Invalid

# Some lines of a file: each column by its name, one as long as the other.
Columns = Mapping[str, Sequence[str | None]]
# What a file has in a line, and the number of the line that it ends with.
Line = tuple[int, list[str]]

CASH = "cash"
NUMBERS = ("quantity", "average_price", "price", "multiplier", "strike")
COLUMNS = (
    *("type", "symbol", "name", "kind", "currency", "quantity", "average_price", "price"),
    *("multiplier", "isin", "expiry", "strike", "right", "underlying", "notes", "source"),
)
# What only we can say; whoever reads the file back works it out anew.
WRITTEN = (*COLUMNS, "market_value", "cost", "unrealized_pnl", "weight", "quoted_at")
# What people and brokers write as they like; the other columns are of closed lists, or numbers.
TEXTS = ("symbol", "name", "currency", "isin", "underlying", "notes", "source")
LONGEST = 50_000
WIDEST = 200
# Full-width signs count, too, and what stands behind spaces or quotes.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "'", "＝", "＋", "－", "＠")
# What other programs call the columns, in small letters and without signs.
SYNONYMS = {
    "type": ("type", "rowtype"),
    "symbol": ("symbol", "ticker", "code", "instrument"),
    "name": ("name", "description", "security", "title"),
    "kind": ("kind", "assetclass", "assettype", "securitytype", "class"),
    "currency": ("currency", "ccy", "curr", "currencyprimary"),
    "quantity": ("quantity", "qty", "shares", "units", "amount", "position", "nominal"),
    "average_price": ("averageprice", "avgprice", "averagecost", "purchaseprice", "costprice"),
    "price": ("price", "lastprice", "closeprice", "marketprice", "last", "markprice"),
    "multiplier": ("multiplier", "contractsize"),
    "isin": ("isin",),
    "expiry": ("expiry", "expirydate", "expiration", "maturity", "maturitydate"),
    "strike": ("strike", "strikeprice"),
    "right": ("right", "putcall", "callput"),
    "underlying": ("underlying", "underlyingsymbol"),
    "source": ("source",),
    "notes": ("notes", "note", "comment", "comments"),
}
KINDS = {"equity": "stock", "stocks": "stock", "etfs": "etf", "bonds": "bond", "cash": CASH}
KINDS |= {
    "mutualfund": "fund",
    "mutual fund": "fund",
    "cryptocurrency": "crypto",
    "fop": "future_option",
}
RIGHTS = {"c": "call", "p": "put", "call": "call", "put": "put"}
LONGER = "It has more cells than there are headings; a number such as 1,5 needs quotes."
CUT = "The file ends within this line; send all of it, or end the line with a line break."
OPEN = "From line {} on its quotation marks do not match; within a cell, write one twice."
# How spreadsheets say first what separates the cells.
SEPARATOR = re.compile(r'"?sep=([,;\t])"?[ \t,;]*(?:\r?\n|\r)', re.IGNORECASE)
# How JSON begins, and no heading of a file.
JSON = re.compile(r"""\s*(\{\s*["}]|\[\s*[\[{\]])""")
# Thousands are grouped by the one sign throughout, each group but the first has three digits, and
# the first is none of zeros: a space elsewhere is between two numbers, and 0,123 is less than 1.
SPACED = " \u00a0\u202f’"
WHOLE = r"([+-]?) ?(\d+|[1-9]\d{0,2}([GROUPING])\d{3}(?:\3\d{3})*)"
NUMBER = {
    ".": re.compile(WHOLE.replace("GROUPING", f",{SPACED}") + r"(?:\.(\d+))?\Z", re.ASCII),
    ",": re.compile(WHOLE.replace("GROUPING", f".{SPACED}") + r"(?:,(\d+))?\Z", re.ASCII),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How a file is to be read: which of its columns is what, and how it writes numbers."""

    columns: Mapping[str, str]
    decimal: str = "."
    kind: str = "stock"
    currency: str = "USD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A file as it stands: its headings, and its lines with their numbers.

    `unsure` says by their numbers which lines are not to be read, and why.
    A line has no more headings than it has cells: what it does not have stays as it is.
    """

    headings: tuple[str, ...]
    lines: tuple[tuple[int, Mapping[str, str]], ...]
    unsure: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line as it is understood; `problems` says by column what cannot be.

    What is wrong with all of it stands under `line`.
    Where it says no kind, that in `values` is the layout's.
    """

    line: int
    values: Mapping[str, object]
    problems: Mapping[str, str]
    says_kind: bool = True

    @property
    def is_cash(self) -> bool:
        """Whether the line is money, not a holding."""
        return self.values.get("type") == CASH


def decode(raw: bytes) -> str:
    """The text of a file: UTF-8, UTF-16 with its mark, or what old spreadsheets write."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings: tuple[str, ...] = ("utf-16",)
    else:
        encodings = ("utf-8-sig", "cp1252")
    for encoding in encodings:
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise Invalid({"file": "This is not a text file."})


def read(text: str, came_in: str = "file") -> Table:
    """The table of a file, or `Invalid`, which names the field it came in, where it is none."""
    if "\0" in text:
        raise Invalid({came_in: "This is not a text file."})
    if JSON.match(text.lstrip("\ufeff")):
        raise Invalid({came_in: "This is JSON; a CSV file is needed, such as export.csv."})
    try:
        filled, unsure = _rows(text, _delimiter(text))
    except csv.Error as error:
        raise Invalid({came_in: f"This is not a CSV file: {error}."}) from None
    if _separator(text):
        del filled[0]
    if len(filled) < 2:
        raise Invalid({came_in: "The file needs a line of headings and at least one more."})
    if len(filled) > LONGEST:
        raise Invalid({came_in: f"The file has more than {LONGEST} lines."})
    if filled[0][0] in unsure:
        raise Invalid({came_in: unsure[filled[0][0]]})
    headings = tuple(cell.strip() for cell in filled[0][1])
    if len(headings) > WIDEST:
        raise Invalid({came_in: f"The file has more than {WIDEST} columns."})
    repeated = next((name for name in headings if name and headings.count(name) > 1), None)
    if repeated:
        raise Invalid({came_in: f"The heading “{repeated[:40]}” stands twice."})
    lines = tuple((number, dict(zip(headings, row, strict=False))) for number, row in filled[1:])
    # What is left over is often the second half of a number, so that none of its cells is sure.
    # Where each line ends with the sign between cells, the last heading is none.
    width = max((place for place, name in enumerate(headings, 1) if name), default=0)
    unsure |= {number: LONGER for number, row in filled[1:] if any(map(str.strip, row[width:]))}
    number, row = filled[-1]
    # Nor is the last cell of a file that was cut: it may be the first half of a number.
    if len(row) < width and not _is_ended(text, row):
        unsure[number] = CUT
    return Table(headings=headings, lines=lines, unsure=unsure)


def _rows(text: str, delimiter: str) -> tuple[list[Line], dict[int, str]]:
    """The lines of a file that are not empty, and which of them are not sure.

    A quotation mark that nothing closes takes in all lines down to the next one.
    """
    with suppress(csv.Error):
        strict = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        return _filled((strict.line_num, row) for row in strict), {}
    unsure: dict[int, str] = {}
    return _filled(_leniently(text, delimiter, unsure)), unsure


def _filled(lines: Iterable[Line]) -> list[Line]:
    filled = (line for line in lines if any(cell.strip() for cell in line[1]))
    # Of a file that is too long no more is kept than shows it; one line more may be no heading.
    return [*islice(filled, LONGEST + 2)]


def _leniently(text: str, delimiter: str, unsure: dict[int, str]) -> Iterator[Line]:
    taken: list[str] = []

    def lines() -> Iterator[str]:
        for line in io.StringIO(text, newline=""):
            taken.append(line)
            yield line

    reader = csv.reader(lines(), delimiter=delimiter)
    for row in reader:
        number = reader.line_num
        if not _is_quoted_well(taken, delimiter):
            unsure[number] = OPEN.format(number - len(taken) + 1)
        taken.clear()
        yield number, row


def _is_quoted_well(lines: Sequence[str], delimiter: str) -> bool:
    """Whether a row ends where its lines do, with no text beside a quoted cell."""
    with suppress(csv.Error):
        return len([*csv.reader(lines, delimiter=delimiter, strict=True)]) == 1
    return False


def _is_ended(text: str, last: Sequence[str]) -> bool:
    """Whether the last line of a file ends with a line break, and not one within quotes."""
    breaks = "\r", "\n"
    return text.endswith(breaks) and not last[-1].endswith(breaks)


def _delimiter(text: str) -> str:
    first = text.lstrip("\ufeff\r\n").split("\n", 1)[0]
    return _separator(text) or max(",;\t", key=first.count)


def _separator(text: str) -> str | None:
    """What separates the cells of a file whose first line says it."""
    said = SEPARATOR.match(text.lstrip("\ufeff\r\n"))
    return said and said[1]


def guess(table: Table, currency: str) -> Layout:
    """The most likely layout of a file; a person can correct it."""
    plain = {_plain(heading): heading for heading in table.headings}
    columns: dict[str, str] = {}
    for column, names in SYNONYMS.items():
        found = next((plain[name] for name in names if name in plain), None)
        if found is not None and found not in columns.values():
            columns[column] = found
    return Layout(columns=columns, decimal=_decimal(table, columns), currency=currency)


def _plain(heading: str) -> str:
    return "".join(character for character in heading.lower() if character.isalnum())


def _decimal(table: Table, columns: Mapping[str, str]) -> str:
    headings = [columns[name] for name in NUMBERS if name in columns]
    cells = [line.get(heading, "").strip() for _, line in table.lines for heading in headings]
    point = sum(number(cell, ".") is not None for cell in cells if cell)
    comma = sum(number(cell, ",") is not None for cell in cells if cell)
    return "," if comma > point else "."


def ambiguous(table: Table, layout: Layout) -> str | None:
    """A number that would be another one with the other decimal sign, where nothing decides."""
    other = "," if layout.decimal == "." else "."
    headings = [layout.columns[name] for name in NUMBERS if name in layout.columns]
    cells = [line.get(heading, "").strip() for _, line in table.lines for heading in headings]
    filled = [cell for cell in cells if cell]
    if any(number(cell, other) is None for cell in filled):
        return None
    return next((c for c in filled if number(c, other) != number(c, layout.decimal)), None)


def number(text: str, decimal: str) -> Decimal | None:
    """A number as people write it, with thousands grouped or not; None where it is none."""
    found = NUMBER[decimal].match(text.strip().replace("−", "-"))
    if found is None:
        return None
    sign, whole, grouping, part = found.groups()
    digits = whole.replace(grouping, "") if grouping else whole
    return typed_decimal(f"{sign.strip('+')}{digits}{f'.{part}' if part else ''}")


def understand(table: Table, layout: Layout) -> tuple[Row, ...]:
    """Every line of a file, understood by a layout."""
    unsure = {number: {"line": why} for number, why in table.unsure.items()}
    return tuple(
        _row(number, cells, layout, problems=unsure.get(number, {}))
        for number, cells in table.lines
    )


def _row(line: int, cells: Mapping[str, str], layout: Layout, *, problems: dict[str, str]) -> Row:
    given = {
        column: unguarded(cells[heading]).strip()
        for column, heading in layout.columns.items()
        if heading in cells
    }
    values: dict[str, object] = {}
    for column, text in given.items():
        try:
            values[column] = _value(column, text, layout)
        except ValueError as error:
            problems[column] = str(error)
    says_kind = bool(values.get("kind"))
    values["kind"] = values.get("kind") or layout.kind
    values["currency"] = values.get("currency") or layout.currency
    if CASH in (values.get("type"), values["kind"]):
        values["type"] = CASH
    return Row(line=line, values=values, problems=problems, says_kind=says_kind)


def _value(column: str, text: str, layout: Layout) -> object:
    if not text:
        return None
    if column in NUMBERS:
        found = number(text, layout.decimal)
        if found is None:
            raise ValueError(f"“{text[:40]}” is not a number.")
        return found
    if column == "kind":
        kind = KINDS.get(text.lower(), text.lower().replace(" ", "_"))
        if kind != CASH and kind not in set(Kind):
            raise ValueError(f"“{text[:40]}” is not a kind: {', '.join((*Kind, CASH))}.")
        return kind
    if column == "type":
        return text.lower()
    if column == "expiry":
        return _day(text)
    if column == "right":
        if text.lower() not in RIGHTS:
            raise ValueError(f"“{text[:40]}” is neither call nor put.")
        return RIGHTS[text.lower()]
    return text


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"“{text[:40]}” is not a day such as 2027-01-15.") from None


def written(parts: Iterable[Columns]) -> Iterator[str]:
    """The lines of a file with all our columns, each cell already text, or None where empty.

    Columns instead of rows: what is the same for all cells of a column is looked at once.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(WRITTEN)
    for part in parts:
        empty = [None] * len(part["type"])
        columns = (_safe(name, part.get(name, empty)) for name in WRITTEN)
        writer.writerows(zip(*columns, strict=True))
        yield _taken(text)
    yield _taken(text)


def _safe(name: str, column: Sequence[str | None]) -> Sequence[str | None]:
    """A column of which no spreadsheet takes a cell for a formula."""
    if name not in TEXTS:
        return column
    # Most cells begin with a letter or a digit.
    return [text if not text or text[0].isalnum() else guarded(text) for text in column]


def _taken(text: io.StringIO) -> str:
    """What was written since the last time."""
    taken = text.getvalue()
    text.seek(0)
    text.truncate()
    return taken


def cell(value: object) -> str:
    """A field as a file writes it."""
    if value is None:
        return ""
    return canonical(value) if isinstance(value, Decimal) else str(value)


def guarded(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if _is_formula(text) and typed_decimal(text) is None else text


def unguarded(text: str) -> str:
    """A cell as it was before it was guarded."""
    return text[1:] if text.startswith("'") and _is_formula(text[1:]) else text


def _is_formula(text: str) -> bool:
    return text.lstrip(' "').startswith(FORMULA)


def headings_of(columns: Sequence[str], wanted: Mapping[str, str]) -> dict[str, str]:
    """The columns that a person chose, as far as the file has them."""
    return {name: wanted[name] for name in COLUMNS if wanted.get(name) in columns}
