from __future__ import annotations

import tracemalloc
from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portfolio.accounts import csvfile
from portfolio.errors import Invalid


@pytest.mark.parametrize(
    ("text", "decimal", "value"),
    [
        ("1,234.50", ".", D("1234.50")),
        ("1.234,50", ",", D("1234.50")),
        ("1 234,50", ",", D("1234.50")),
        ("1’234.50", ".", D("1234.50")),
        ("-5", ".", D(-5)),
        ("−5", ".", D(-5)),
        ("+5", ".", D(5)),
        ("- 1 234 567", ".", D(-1_234_567)),
        ("1\u202f234,5", ",", D("1234.5")),
        ("1234567.5", ".", D("1234567.5")),
        ("1 5", ".", None),
        ("0,123", ".", None),
        ("0,123", ",", D("0.123")),
        ("1 234 5", ".", None),
        ("1’5", ",", None),
        ("12 34.5", ".", None),
        ("1,234 567", ".", None),
        ("0.5 1", ".", None),
        ("+-5", ".", None),
        ("\u0661", ".", None),
        ("1" * 21, ".", None),
        ("1,23", ".", None),
        ("1.23", ",", None),
        ("12,34.5", ".", None),
        ("1e5", ".", None),
        ("NaN", ".", None),
        ("", ".", None),
    ],
)
def test_numbers_are_read_as_people_write_them_or_not_at_all(text, decimal, value):
    assert csvfile.number(text, decimal) == value


def rows(text, **changes):
    table = csvfile.read(text)
    guessed = csvfile.guess(table, "EUR")
    layout = csvfile.Layout(
        columns=changes.get("columns", guessed.columns),
        decimal=changes.get("decimal", guessed.decimal),
        kind=guessed.kind,
        currency=guessed.currency,
    )
    return csvfile.understand(table, layout)


def test_columns_of_other_programs_are_guessed():
    headings = "Ticker;Description;Asset Class;Qty;Avg. Price;Last Price;CCY"
    text = f"{headings}\nVWCE;All-World;ETF;12,5;98,10;101;EUR\n"
    (row,) = rows(text)
    assert row.problems == {}
    assert row.values["symbol"] == "VWCE"
    assert row.values["kind"] == "etf"
    assert row.values["quantity"] == D("12.5")
    assert row.values["average_price"] == D("98.10")
    assert row.line == 2


def test_columns_that_are_named_are_the_only_ones_and_without_a_kind_it_is_a_stock():
    (row,) = rows(
        "Menge,symbol,kind\n5,VWCE,etf\n", columns={"symbol": "symbol", "quantity": "Menge"}
    )
    assert row.values == {"symbol": "VWCE", "quantity": 5, "kind": "stock", "currency": "EUR"}


def test_each_bad_cell_is_named_with_its_reason():
    (row,) = rows("symbol,kind,quantity,expiry,right\nX,castle,many,15.1.2027,up\n")
    assert set(row.problems) == {"kind", "quantity", "expiry", "right"}
    assert "“many” is not a number" in row.problems["quantity"]
    # What is offered is taken, also for money.
    offered = row.problems["kind"].removesuffix(".").split(": ", 1)[1].split(", ")
    assert {"stock", "cash"} <= set(offered)
    for kind in offered:
        (row,) = rows(f"symbol,kind,quantity\nX,{kind},5\n")
        assert not row.problems, kind


def test_a_number_that_begins_with_a_zero_tells_the_decimal_sign():
    (row,) = rows("symbol;quantity;price\nX;0,125;1.234\n")
    assert row.problems == {}
    assert (row.values["quantity"], row.values["price"]) == (D("0.125"), 1234)


def test_an_ambiguous_number_is_pointed_out():
    table = csvfile.read('symbol,quantity\nX,"1,234"\n')
    assert csvfile.ambiguous(table, csvfile.guess(table, "EUR")) == "1,234"
    clear = csvfile.read('symbol,quantity,price\nX,"1,234",5.25\n')
    assert csvfile.ambiguous(clear, csvfile.guess(clear, "EUR")) is None


@pytest.mark.parametrize(
    "text",
    ["", "symbol\n", "a,a\n1,2\n", "a\0b\nc,d\n", 'symbol,q\n"open,1\n' * 1 + "x" * 200_000],
)
def test_what_is_no_table_is_refused(text):
    with pytest.raises(Invalid):
        csvfile.read(text)


@pytest.mark.parametrize("line", ["1\n", "\r\n", '"1"x\n'])
def test_of_a_file_that_is_too_long_no_more_is_kept_than_shows_it(monkeypatch, line):
    monkeypatch.setattr(csvfile, "LONGEST", 1000)
    tracemalloc.start()
    try:
        with pytest.raises(Invalid):
            csvfile.read(line * 200_000)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # The text once more is a tenth of that.
    assert most < 15_000_000
    assert len(csvfile.read("a\n" + "1\n" * 999).lines) == 999
    assert len(csvfile.read("sep=;\na\n" + "1\n\n" * 999).lines) == 999
    for first in ("", "sep=;\n"):
        with pytest.raises(Invalid, match="more than 1000 lines"):
            csvfile.read(first + "a\n" + "1\n" * 1000)


def test_files_of_old_and_new_spreadsheets_are_decoded():
    assert csvfile.decode("ä;€".encode("utf-8-sig")) == "ä;€"
    assert csvfile.decode("ä;€".encode("utf-16")) == "ä;€"
    assert csvfile.decode("ä;€".encode("cp1252")) == "ä;€"


# Full-width signs, a new line, and what stands behind spaces and quotes.
FURTHER = ("＝1", "＋1", "－x", "＠x", "\nx", " =1", ' "=1', "''", " '", "' =1")


@pytest.mark.parametrize(
    "cell", [*("=1+1", "@x", "+41", "-x", "'=1", "\tx", "'", "plain", "-5", "5.25"), *FURTHER]
)
def test_no_spreadsheet_takes_a_cell_for_a_formula_and_it_comes_back(cell):
    written = csvfile.guarded(cell)
    assert csvfile.unguarded(written) == cell
    assert written in ("-5", "5.25", "plain") or written.startswith("'")


ANY_TEXT = st.text(st.characters(exclude_characters="\0\r", exclude_categories=("Cs",)))


@given(st.lists(st.tuples(ANY_TEXT.filter(str.strip), ANY_TEXT), min_size=1))
def test_any_text_survives_the_way_through_a_file(cells):
    symbols, notes = map(list, zip(*cells, strict=True))
    part = {"type": ["holding"] * len(cells), "symbol": symbols, "notes": notes}
    lines = [line for _, line in csvfile.read("".join(csvfile.written([part]))).lines]
    unguarded = csvfile.unguarded
    assert [(unguarded(line["symbol"]), unguarded(line["notes"])) for line in lines] == cells


def test_lines_end_as_the_standard_says():
    part = {"type": [None], "symbol": ['a"b,c']}
    assert "".join(csvfile.written([part])).endswith(',"a""b,c",' + "," * 18 + "\r\n")


@given(st.sampled_from(csvfile.WRITTEN), st.lists(st.none() | st.text()))
def test_a_column_is_guarded_cell_by_cell_where_others_wrote_it(name, column):
    guarded = [of and csvfile.guarded(of) for of in column]
    assert csvfile._safe(name, column) == (guarded if name in csvfile.TEXTS else column)


def test_a_column_that_is_too_short_is_no_file():
    with pytest.raises(ValueError, match="shorter"):
        list(csvfile.written([{"type": ["holding"] * 2, "symbol": ["S1"]}]))


def test_a_long_file_comes_in_pieces_without_a_line_missing():
    symbols = [f"S{number}" for number in range(7)]
    parts = [{"type": ["holding"] * 3, "symbol": symbols[:3]}, {"type": [], "symbol": []}]
    parts += [{"type": ["holding"] * 4, "symbol": symbols[3:]}]
    pieces = list(csvfile.written(parts))
    assert len(pieces) == 1 + len(parts)
    table = csvfile.read("".join(pieces))
    assert [line["symbol"] for _, line in table.lines] == symbols
