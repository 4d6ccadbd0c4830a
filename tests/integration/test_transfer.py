"""CSV in and out, as a page and as an API."""

from __future__ import annotations

import re
from io import BytesIO

import pytest
from sqlalchemy import text
from werkzeug.http import parse_options_header

from portfolio.accounts import csvfile
from portfolio.accounts.schemas.transfer import ImportOutcome
from portfolio.accounts.services import transfer as services
from portfolio.db.session import unit_of_work
from portfolio.errors import StorageBusy
from portfolio.web import gate, respond
from tests.integration.conftest import no_room

P = "/api/v1/portfolios"
URL = "/portfolio/1/accounts/Bank"
NO_KIND = "It names no kind"
FILE = (
    "Ticker;Type;Qty;Cost price;Price;CCY;ISIN;Notes\r\n"
    'VWCE;ETF;12,5;98,10;101;EUR;IE00BK5BQT80;"for Ada;\nand Bob"\r\n'
    "BUND;bond;10000;101,2;98,7;EUR;;\r\n"
    ";cash;1500,25;;;EUR;;\r\n"
    "BAD;etf;many;;;EUR;;\r\n"
)


@pytest.fixture
def hand(desk):
    desk.program.post(P, json={"name": "P", "base_currency": "EUR"})
    desk.program.post(f"{P}/1/accounts", json={"name": "Bank", "currency": "EUR"})
    return desk


def rows(desk, name="Bank"):
    answer = desk.program.get(f"{P}/1/accounts/{name}/holdings?sort=symbol&limit=500").json
    holdings = [
        (h["instrument"]["symbol"], h["instrument"]["kind"], h["quantity"], h["price"], h["notes"])
        for h in answer["holdings"]
    ]
    return holdings, [(c["currency"], c["amount"]) for c in answer["cash"]], answer["totals"]


def send(desk, text, **values):
    headers = {"Accept": "text/html"}
    data = {"file": (BytesIO(text.encode()), "a.csv"), **values}
    return desk.program.post(f"{URL}/import", data=data, headers=headers)


def test_a_file_that_finds_no_room_is_refused_and_taken_once_there_is(hand, monkeypatch):
    monkeypatch.setattr(respond, "IN_MEMORY", 1_000)
    long = FILE + "X;etf;1;1;1;EUR;;\r\n" * 10_000
    with no_room(100_000):
        page = send(hand, long)
    assert (page.status_code, "folder for temporary files" in page.text) == (503, True)
    assert "TMPDIR" in page.text
    assert send(hand, FILE).status_code == 200


def test_a_preview_writes_nothing_and_the_import_writes_the_good_lines(hand):
    page = send(hand, FILE)
    text = page.get_data(as_text=True)
    assert "3 added, 0 changed, 0 unchanged, 1 cannot be read." in text
    assert "quantity: “many” is not a number." in text
    assert rows(hand)[0] == []
    columns = {"symbol": "Ticker", "kind": "Type", "quantity": "Qty", "price": "Price"}
    columns |= {"average_price": "Cost price", "currency": "CCY", "isin": "ISIN", "notes": "Notes"}
    chosen = {f"column-{name}": heading for name, heading in columns.items()}
    done = hand.program.post(
        f"{URL}/import",
        data={"csv": FILE, "apply": "1", "decimal": ",", **chosen},
        headers={"Accept": "text/html"},
    )
    assert (done.status_code, done.location) == (303, URL)
    holdings, cash, totals = rows(hand)
    assert holdings == [
        ("BUND", "bond", "10000", "98.7", None),
        ("VWCE", "etf", "12.5", "101", "for Ada;\nand Bob"),
    ]
    assert cash == [("EUR", "1500.25")]
    assert totals["net_liquidation"] == "12632.75"


def test_a_preview_shows_money_as_cash_and_opens_what_cures_a_file_that_is_not_understood(hand):
    form = hand.program.get(f"{URL}/import", headers={"Accept": "text/html"})
    assert "Lines of the kind or of the type “cash” are money." in form.get_data(as_text=True)
    for line in ("cash,,,CHF,5", ",,cash,CHF,5"):
        text = send(hand, f"type,symbol,kind,currency,quantity\n{line}\n").get_data(as_text=True)
        assert "<td>Cash</td>" in text
    assert "<td>Stock</td>" in send(hand, "symbol,currency,quantity\nX,CHF,5\n").get_data(
        as_text=True
    )
    assert '<details class="card"><summary>Columns and numbers' in text
    text = send(hand, "Was,Wieviel\nVWCE,5\n").get_data(as_text=True)
    assert '<details class="card" open><summary>Columns and numbers' in text
    assert "What it would do" not in text


def api(desk, text, name="Bank", **values):
    body = {"csv": text, **values}
    answer = desk.program.post(f"{P}/1/accounts/{name}/import", json=body)
    assert answer.status_code == 200, answer.json
    found = answer.json
    return tuple(found[word] for word in ("added", "changed", "unchanged", "bad"))


def test_the_same_file_twice_changes_nothing(hand):
    text = "symbol,kind,currency,quantity,price\nVWCE,etf,EUR,5,100\nX,stock,EUR,1,\n"
    assert api(hand, text) == (2, 0, 0, 0)
    assert rows(hand)[0] == []
    assert api(hand, text, apply=True) == (2, 0, 0, 0)
    assert api(hand, text, apply=True) == (0, 0, 2, 0)
    assert api(hand, text.replace(",5,", ",6,"), apply=True) == (0, 1, 1, 0)
    assert rows(hand)[0][0][2] == "6"


def test_the_api_shows_of_each_line_what_the_page_shows(hand):
    def shown(text):
        body = {"csv": text}
        return hand.program.post(f"{P}/1/accounts/Bank/import", json=body).json["rows"]

    headings = "type,symbol,name,kind,currency,quantity,average_price,price,notes\n"
    first = f"{headings},VWCE,All-World,etf,EUR,5,98.10,,\ncash,,,,EUR,1500.250,,,\n"
    held, money = shown(first)
    answer = hand.program.post(f"{P}/1/accounts/Bank/import", json={"csv": first})
    assert ImportOutcome().validate(answer.json) == {}
    assert held == {
        "line": 2,
        "label": "VWCE",
        "action": "added",
        "name": "All-World",
        "kind": "etf",
        "currency": "EUR",
        "quantity": "5",
        "average_price": "98.1",
        "price": None,
        "changes": [],
        "note": None,
        "problems": {},
    }
    assert (money["kind"], money["quantity"], money["name"]) == ("cash", "1500.25", None)
    api(hand, first, apply=True)
    second = f"{headings},VWCE,,etf,EUR,0.6e1,,,\n,VWCE,,etf,EUR,6,,101,mine\ncash,,,,EUR,7,,,\n"
    bad, held, money = shown(second)
    assert (bad["action"], bad["kind"], bad["quantity"]) == ("bad", "etf", None)
    assert held["changes"] == [
        {"field": "quantity", "old": "5", "new": "6"},
        {"field": "average_price", "old": "98.1", "new": None},
        {"field": "price", "old": None, "new": "101"},
        {"field": "name", "old": "All-World", "new": None},
        {"field": "notes", "old": None, "new": "mine"},
    ]
    assert money["changes"] == [{"field": "quantity", "old": "1500.25", "new": "7"}]
    page = send(hand, second).get_data(as_text=True)
    for change in held["changes"] + money["changes"]:
        field = change["field"].replace("_", " ")
        assert f"{field}: {change['old'] or '—'} → {change['new'] or '—'}" in page
    # Columns that the file does not have, and what is no kind, are null, and never the default.
    (bare,) = shown("symbol,quantity\nX,1\n")
    assert [bare[name] for name in ("kind", "currency", "name", "price")] == [
        *("stock", "EUR", None, None)
    ]
    assert shown("symbol,kind,quantity\nX,castle,1\n")[0]["kind"] is None


def test_a_line_without_a_kind_is_what_is_held_by_hand_of_its_symbol(hand):
    def hold(**terms):
        body = {"symbol": "VWCE", "currency": "EUR", "quantity": "1", **terms}
        made = hand.program.post(f"{P}/1/accounts/Bank/holdings", json=body)
        assert made.status_code == 201, made.json
        return made.json["id"]

    text = "symbol,quantity,price\nVWCE,5,99\n"
    hold(kind="bond", currency="USD")
    etf = hold(kind="etf", multiplier="10")
    page = send(hand, text).get_data(as_text=True)
    assert "0 added, 1 changed" in page
    assert "<td>ETF</td>" in page
    assert "It names no kind: read as the etf held here." in page
    assert api(hand, text, apply=True) == (0, 1, 0, 0)
    assert api(hand, text, apply=True) == (0, 0, 1, 0)
    assert [row[:3] for row in rows(hand)[0]] == [("VWCE", "bond", "1"), ("VWCE", "etf", "5")]
    # What a line says decides: another size, or another kind, is another holding.
    assert api(hand, "symbol,quantity,multiplier\nVWCE,5,1\n") == (1, 0, 0, 0)
    assert api(hand, "symbol,kind,quantity\nVWCE,stock,5\n") == (1, 0, 0, 0)
    assert api(hand, f"{text}{text.splitlines()[1]}\n") == (0, 0, 1, 1)
    # Of several, one that cannot be told apart is what it would be without them, and says so.
    other = hold(kind="fund")
    (row,) = hand.program.post(f"{P}/1/accounts/Bank/import", json={"csv": text}).json["rows"]
    page = send(hand, text).get_data(as_text=True)
    assert "1 added, 0 changed" in page
    said = f"{NO_KIND}, and 2 holdings here have its symbol: read as stock."
    assert said in page
    assert (row["kind"], row["note"]) == ("stock", said)
    assert api(hand, "symbol,quantity,price,multiplier\nVWCE,5,99,10\n") == (0, 0, 1, 0)
    # On the page, one chooses what that is; its words say so, as those of the API do.
    chosen = {"csv": text, "column-symbol": "symbol", "column-quantity": "quantity"}
    form = chosen | {"default-kind": "warrant"}
    page = hand.program.post(f"{URL}/import", data=form, headers={"Accept": "text/html"}).text
    assert said.replace("stock", "warrant") in page
    words = hand.program.get("/portfolio/1/accounts/Bank/import").get_data(as_text=True)
    assert "a stock, or the kind that you choose in the preview" in words
    # What was removed is held no more.
    for number in (etf, other):
        hand.program.delete(f"{P}/1/accounts/Bank/holdings/{number}")
    assert api(hand, text) == (1, 0, 0, 0)


def test_a_line_without_a_kind_is_beside_the_broker_s_row_what_that_is(desk):
    desk.connected()
    text = "symbol,currency,quantity\nVWCE,EUR,5\nSPY,USD,1\n"
    found = desk.program.post(f"{P}/1/accounts/A/import", json={"csv": text, "apply": True}).json
    assert [(row["kind"], row["action"], row["note"]) for row in found["rows"]] == [
        ("etf", "added", "It names no kind: read as the etf held here."),
        ("stock", "added", f"{NO_KIND}, and 2 holdings here have its symbol: read as stock."),
    ]
    # So it is known that it may count twice, and the broker's row is what it was.
    answer = desk.program.get(f"{P}/1/accounts/A/holdings?text=VWCE").json["holdings"]
    held = {of["source"]: of for of in answer}
    assert held["manual"]["duplicate_of"] == held["ibkr"]["id"]
    assert (held["manual"]["quantity"], held["ibkr"]["quantity"]) == ("5", "1250.5")
    # From then on it is what is kept by hand.
    assert api(desk, text.replace("EUR,5", "EUR,6"), "A", apply=True) == (0, 1, 1, 0)


def test_an_export_imports_to_the_same_state(hand):
    api(hand, FILE.replace("Type", "kind"), apply=True)
    account = f"{P}/1/accounts/Bank/holdings"
    option = {"symbol": "=C", "kind": "option", "currency": "USD", "quantity": "-4"}
    terms = {"multiplier": "100", "expiry": "2027-01-15", "strike": "200", "right": "call"}
    made = hand.program.post(account, json=option | terms | {"underlying": "@U", "notes": "-n"})
    assert made.status_code == 201
    # Not known, and not the same as none at all: both come back as they were given.
    gift = {"symbol": "GIFT", "kind": "stock", "currency": "EUR", "quantity": "1", "price": "3"}
    assert hand.program.post(account, json=gift | {"average_price": "0"}).status_code == 201
    exported = hand.program.get(f"{URL}/export.csv")
    assert exported.headers["Content-Disposition"] == "attachment; filename=Bank.csv"
    text = exported.get_data(as_text=True)
    assert ",'=C," in text
    assert ",1,0,3," in text
    assert api(hand, text, apply=True) == (0, 0, 5, 0)
    hand.program.post(f"{P}/1/accounts", json={"name": "Copy", "currency": "EUR"})
    assert api(hand, text, "Copy", apply=True) == (5, 0, 0, 0)
    assert rows(hand, "Copy") == rows(hand)
    again = hand.program.get("/portfolio/1/accounts/Copy/export.csv").get_data(as_text=True)
    assert again == text


@pytest.mark.parametrize(
    "name", ['a"; filename="b.exe', "Réserve; x=y", "a\\b, c", "日本", "€ 🎈"]
)
def test_a_file_s_name_stays_in_its_header(hand, name):
    number = hand.program.post(f"{P}/1/accounts", json={"name": name, "currency": "EUR"}).json
    made = hand.program.get(f"{P}/1/accounts/~{number['id']}/export.csv")
    # Servers write headers in Latin-1.
    made.headers["Content-Disposition"].encode("latin-1")
    kind, options = parse_options_header(made.headers["Content-Disposition"])
    assert (kind, options) == ("attachment", {"filename": f"{name}.csv"})


# The second is an E and an accent, which a file that is read makes one letter.
@pytest.mark.parametrize("symbol", ["AAPL", "E\u0301X", " EX "])
def test_what_a_broker_brought_is_not_doubled_by_its_own_export(desk, symbol):
    desk.simulator.state.accounts["U1234567"].held[0].ticker = symbol
    url = desk.connected()
    text = desk.program.get(f"{url}/export.csv").get_data(as_text=True)
    assert api(desk, text, "A", apply=True) == (0, 0, 235, 0)
    assert len(rows(desk, "A")[0]) == 230


def test_an_edited_export_changes_what_is_by_hand_and_says_what_it_leaves(desk):
    url = desk.connected()
    by_hand = {"symbol": "TSM", "kind": "stock", "currency": "USD", "quantity": "5"}
    assert desk.program.post(f"{P}/1/accounts/A/holdings", json=by_hand).status_code == 201
    text = desk.program.get(f"{url}/export.csv").get_data(as_text=True)
    assert api(desk, text, "A") == (0, 0, 236, 0)
    edited = text.replace("TSM,,stock,USD,5,", "TSM,,stock,USD,6,")
    edited = edited.replace("ADR,stock,USD,75,", "ADR,stock,USD,80,")
    edited = edited.replace(",CHF,1530.25,", ",CHF,9,")
    for lines in (edited, turned(edited)):
        found = desk.program.post(f"{P}/1/accounts/A/import", json={"csv": lines}).json
        told = [(of["label"], of["action"], of["note"]) for of in found["rows"] if of["note"]]
        left = "It came from a broker, so a file does not change its quantity."
        both = {("TSM", "unchanged", left), ("CHF cash of the broker", "unchanged", left)}
        assert (found["changed"], found["bad"], set(told)) == (1, 0, both)
    # Of 236 lines a preview shows a hundred: these first.
    data = {"file": (BytesIO(edited.encode()), "a.csv")}
    page = desk.program.post(f"{url}/import", data=data, headers={"Accept": "text/html"})
    assert "quantity: 5 → 6" in page.get_data(as_text=True)
    assert page.get_data(as_text=True).count(left) == 2
    assert api(desk, edited, "A", apply=True) == (0, 1, 235, 0)
    held = [row[2] for row in rows(desk, "A")[0] if row[0] == "TSM"]
    assert (sorted(held), dict(rows(desk, "A")[1])["CHF"]) == (["6", "75"], "1530.25")


def test_a_line_without_a_kind_that_is_the_broker_s_changes_nothing_by_hand(desk):
    """It became what is kept by hand in that symbol, and the line of that one was bad."""
    desk.connected()
    by_hand = {"symbol": "VWCE", "kind": "stock", "currency": "EUR", "quantity": "5"}
    assert desk.program.post(f"{P}/1/accounts/A/holdings", json=by_hand).status_code == 201
    text = "symbol,currency,quantity,source\nVWCE,EUR,1250.5,ibkr\nVWCE,EUR,6,manual\n"
    found = desk.program.post(f"{P}/1/accounts/A/import", json={"csv": text, "apply": True}).json
    assert [(row["kind"], row["action"], row["quantity"]) for row in found["rows"]] == [
        ("etf", "unchanged", "1250.5"),
        ("stock", "changed", "6"),
    ]
    held = [row[2] for row in rows(desk, "A")[0] if row[0] == "VWCE"]
    assert sorted(held) == ["1250.5", "6"]


def turned(text):
    """A file with its lines in the other order."""
    heading, *lines = text.splitlines()
    return "\r\n".join([heading, *reversed(lines)])


def test_a_preview_writes_isin_as_it_is_written(hand):
    text = "symbol,quantity,isin\nX,1,IE00BK5BQT80\nY,1,IE00BK5BQT81\n"
    page = send(hand, text).text
    assert '<label for="c-isin">ISIN</label>' in page
    assert '<label for="c-average_price">Average price</label>' in page
    assert '<span class="problem">ISIN: ' in page
    lines = hand.program.post(f"{P}/1/accounts/Bank/import", json={"csv": text}).json["rows"]
    assert list(lines[1]["problems"]) == ["isin"]
    assert api(hand, text, apply=True) == (1, 0, 0, 1)
    assert "ISIN: IE00BK5BQT80 → —" in send(hand, "symbol,isin,quantity\nX,,1\n").text


def test_a_line_that_stands_twice_is_named(hand):
    text = "symbol,quantity\nX,1\nX,2\n"
    body = {"csv": text, "apply": True}
    found = hand.program.post(f"{P}/1/accounts/Bank/import", json=body).json
    assert (found["added"], found["bad"]) == (1, 1)
    assert found["rows"][1]["problems"] == {"symbol": "It stands in line 2 already."}


def test_half_of_a_number_is_not_taken_for_it(hand):
    text = "symbol,quantity,price\nX,1,234.5,\nY,1,5,101\nZ,2,3, \n"
    said = "line: It has more cells than there are headings"
    for lines in (text, text.replace("\n", ",\n")):
        assert said in send(hand, lines).text
        assert api(hand, lines) == (2, 0, 0, 1)
    # A column without a heading among the others is nobody's half.
    between = "symbol,,quantity,price\nX,5,1,234.5\n"
    assert api(hand, between) == (1, 0, 0, 0)
    assert api(hand, text, apply=True) == (2, 0, 0, 1)
    assert [row[0] for row in rows(hand)[0]] == ["X", "Z"]
    assert api(hand, text.replace("1,5,", '"1,5",'), apply=True) == (0, 0, 2, 1)
    assert api(hand, text.replace("1,5,", "1.5,"), apply=True) == (1, 0, 2, 0)
    assert [row[:4] for row in rows(hand)[0]][1] == ("Y", "stock", "1.5", "101")


def test_of_several_that_were_removed_a_file_brings_the_last_one_back(hand):
    url, terms = f"{P}/1/accounts/Bank/holdings", {"kind": "stock", "currency": "USD"}
    program, ids = hand.program, {}
    for symbol in "BA":
        body = {**terms, "symbol": symbol, "quantity": "1", "notes": f"once {symbol}"}
        ids[symbol] = program.post(url, json=body).json["id"]
    for symbol in "AB":
        # What was called B was A all the time.
        program.patch(f"{url}/{ids[symbol]}", json={"symbol": "A"})
        hand.turn()
        assert program.delete(f"{url}/{ids[symbol]}").status_code == 204
    assert api(hand, "symbol,kind,currency,quantity\nA,stock,USD,5\n", apply=True) == (1, 0, 0, 0)
    (row,) = program.get(url).json["holdings"]
    assert (row["id"], row["notes"]) == (ids["B"], "once B")


def test_a_price_in_pence_is_not_taken_for_pounds(hand):
    text = "symbol,currency,quantity,price\nVOD,GBp,10,7450\nX,gbp,1,2\n"
    assert api(hand, text, apply=True) == (1, 0, 0, 1)
    assert "currency: GBp stands for hundredths" in send(hand, text).text
    corrected = text.replace("GBp,10,7450", "GBP,10,74.5")
    assert api(hand, corrected, apply=True) == (1, 0, 1, 0)


def test_what_a_line_does_not_have_stays_and_one_that_was_cut_is_not_read(hand):
    whole = "symbol,quantity,price,notes\r\nX,12,34.5,mine\r\nY,10,125.5,yours\r\n"
    assert api(hand, whole, apply=True) == (2, 0, 0, 0)
    short = whole.replace(",34.5,mine", "")
    assert api(hand, short, apply=True) == (0, 0, 2, 0)
    assert [row[2:] for row in rows(hand)[0]] == [("12", "34.5", "mine"), ("10", "125.5", "yours")]
    # Cut within the price, and within notes that have a line break themselves.
    cuts = whole.partition(".5,yours")[0], 'symbol,quantity,notes,price\nX,12,mine\nY,10,"a\n'
    for cut in cuts:
        assert api(hand, cut, apply=True)[3] == 1
        assert "line: The file ends within this line" in send(hand, cut).text
        assert rows(hand)[0][1][2:] == ("10", "125.5", "yours")
    assert api(hand, cuts[0] + "\r\n", apply=True) == (0, 1, 1, 0)
    assert rows(hand)[0][1][2:] == ("10", "125", "yours")
    # An empty cell empties its field, and a last line with all its cells needs no line break.
    assert api(hand, "symbol,quantity,price,notes\nY,10,125,", apply=True) == (0, 1, 0, 0)
    assert rows(hand)[0][1][2:] == ("10", "125", None)


def test_a_quotation_mark_that_nothing_closes_takes_no_lines_in(hand):
    whole = 'symbol,quantity,notes\nX,12,"mi\nne"\nY,10,"5"" pipe"\nZ,1,"yours"\n'
    assert api(hand, whole, apply=True) == (3, 0, 0, 0)
    before = rows(hand)
    # The file was cut within notes; one is open down to the next one, and one down to the end.
    to_next, to_end = whole.replace('ne"', "ne"), whole.replace('"', "").replace("mi", '"mi')
    for wrong, unchanged in ((whole[:-4], 2), (to_next, 1), (to_end, 0)):
        assert api(hand, wrong, apply=True) == (0, 0, unchanged, 1)
        assert "on its quotation marks do not match" in send(hand, wrong).text
        assert rows(hand) == before
    assert "From line 2 on" in send(hand, to_end).text
    assert "From line 1 on" in send(hand, whole.replace("symbol", '"sym"bol')).text
    assert api(hand, whole.replace("mi", "my"), apply=True) == (0, 1, 2, 0)


@pytest.mark.parametrize("first", ["sep=;\r\n", "\ufeffSEP=;\n", '"sep=;"\r\n', "sep=;;;\r\n"])
def test_a_first_line_may_say_what_separates_the_cells(hand, first):
    text = f"{first}symbol;price, in EUR, of one;quantity\r\nX;1,5;2\r\n;;\r\nY;1,5;many\r\n"
    body = {"csv": text, "columns": {of: of for of in ("symbol", "quantity")}}
    body["columns"]["price"] = "price, in EUR, of one"
    path = f"{P}/1/accounts/Bank/import"
    body |= {"decimal": ",", "apply": True}
    good, bad = hand.program.post(path, json=body).json["rows"]
    assert (good["action"], good["price"]) == ("added", "1.5")
    assert (bad["action"], bad["line"]) == ("bad", 5)
    page = send(hand, text.replace("X", "Z")).text
    assert "1 added, 0 changed, 0 unchanged, 1 cannot be read" in page
    assert api(hand, "sep=,\nsymbol,quantity\nX,3\n", apply=True) == (0, 1, 0, 0)
    alone = hand.program.post(path, json={"csv": first + "symbol;quantity\n"}).json["error"]
    assert "needs a line of headings" in alone["fields"]["csv"]


def test_a_file_with_few_columns_is_previewed(hand):
    assert "1 added" in send(hand, "symbol,quantity\nX,1\n").get_data(as_text=True)
    assert "1 added" in send(hand, "kind,quantity\ncash,1\n").get_data(as_text=True)


def test_a_file_that_was_previewed_is_not_too_large_to_be_imported(hand, monkeypatch):
    """A form that escapes what it sends has three bytes for each byte of these."""
    monkeypatch.setattr(gate, "LARGEST_FILE", 40_000)
    text = "symbol,quantity,notes\r\n" + "".join(f"S{n},1,日本の株式\r\n" for n in range(1_000))
    assert 20_000 < len(text.encode()) < 40_000
    page = send(hand, text).get_data(as_text=True)
    assert "1000 added" in page
    (kind,) = re.findall(r'<form method="post"(?: enctype="(.+?)")?>', page)
    columns = {f"column-{name}": name for name in ("symbol", "quantity", "notes")}
    done = hand.program.post(
        f"{URL}/import",
        data={"csv": text, "apply": "1", "decimal": ".", **columns},
        content_type=kind or "application/x-www-form-urlencoded",
        headers={"Accept": "text/html"},
    )
    assert done.status_code == 303
    assert len(rows(hand)[0]) == 500
    assert rows(hand)[0][0][4] == "日本の株式"
    assert send(hand, text + text).status_code == 413


def test_what_is_no_csv_is_refused(hand):
    page = send(hand, "just a line")
    assert page.status_code == 422
    assert "needs a line of headings" in page.get_data(as_text=True)
    # Our own other export, then the right one.
    api(hand, FILE.replace("Type", "kind"), apply=True)
    exported = hand.program.get(f"{P}/1/accounts/Bank/export.json").get_data(as_text=True)
    page = send(hand, exported)
    assert page.status_code == 422
    said = "This is JSON; a CSV file is needed, such as export.csv."
    assert said in page.get_data(as_text=True)
    answer = hand.program.post(f"{P}/1/accounts/Bank/import", json={"csv": f"\ufeff\n{exported}"})
    assert answer.json["error"]["fields"] == {"csv": said}
    right = hand.program.get(f"{P}/1/accounts/Bank/export.csv").get_data(as_text=True)
    assert "0 added, 0 changed, 3 unchanged" in send(hand, right).get_data(as_text=True)
    assert api(hand, "[symbol],quantity\nX,1\n", columns={"symbol": "[symbol]"}) == (0, 0, 0, 1)
    answer = hand.program.post(f"{P}/1/accounts/Bank/import", json={"csv": ""})
    assert (answer.status_code, list(answer.json["error"]["fields"])) == (422, ["csv"])


def test_ten_thousand_lines_come_in_and_are_browsed(hand):
    lines = (f"S{n},stock,EUR,{n + 1},2.5,{n % 90}.25" for n in range(10_000))
    text = "symbol,kind,currency,quantity,average_price,price\n" + "\n".join(lines) + "\n"
    assert api(hand, text, apply=True) == (10_000, 0, 0, 0)
    page = hand.program.get(f"{URL}?page=200", headers={"Accept": "text/html"})
    assert "page 200 of 200" in page.get_data(as_text=True)
    expected = sum((n + 1) * (n % 90 * 100 + 25) for n in range(10_000))
    assert rows(hand)[2]["net_liquidation"] == f"{expected / 100:.2f}".rstrip("0").rstrip(".")


@pytest.mark.parametrize("apply", [False, True])
def test_nobody_waits_while_a_file_is_understood(anywhere, monkeypatch, apply):
    """Somebody else may write meanwhile; only what is applied is planned under the lock."""
    desk, free = anywhere, {}
    desk.program.post(P, json={"name": "P", "base_currency": "EUR"})
    desk.program.post(f"{P}/1/accounts", json={"name": "Bank", "currency": "EUR"})

    def watch(module, name):
        do = getattr(module, name)

        def watched(*given):
            try:
                with unit_of_work(patience_ms=1) as session:
                    free[name] = session.scalar(text("SELECT 1")) == 1
            except StorageBusy:
                free[name] = False
            return do(*given)

        monkeypatch.setattr(module, name, watched)

    for module, name in ((csvfile, "read"), (csvfile, "understand"), (services, "plan_import")):
        watch(module, name)
    body = {"csv": FILE, "columns": {}, "apply": apply}
    answer = desk.program.post(f"{P}/1/accounts/Bank/import", json=body)
    assert (answer.status_code, answer.json["applied"]) == (200, apply)
    assert free == {"read": True, "understand": True, "plan_import": not apply}
    assert bool(rows(desk)[0]) == apply
