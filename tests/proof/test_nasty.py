"""Every field of every form and every part of every address against texts that break programs.

Whatever is typed: a clear answer, no error of the program, only text on the page, and what was
typed still stands in a form that is shown again.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from brokers.ibkr.simulator.scenarios import on
from brokers.testing.network import CERTIFICATE
from tests.proof.library import DOCUMENTED_503, Library, P
from tests.proof.markup import Form, Markup, strange
from tests.proof.nasty import NASTY

BROWSER = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}
PROGRAM = {"Accept": "application/json"}
TOKEN = "form_token"
# What a person would type where a form shows nothing at first.
USUAL = {
    "name": "Another",
    "symbol": "ABC",
    "quantity": "3",
    "amount": "5",
    "currency": "CHF",
    "base_currency": "CHF",
    "from": "USD",
    "to": "EUR",
    "rate": "0.9",
    "url": "https://localhost:5002",
    "account_id": "U7654321",
    "fingerprint": CERTIFICATE.fingerprint,
}
TABLE = "symbol,kind,currency,quantity,notes\nVWCE,etf,EUR,5,x\n"
QUERIES = (
    *("text", "symbol", "sort", "kind", "group", "page", "cursor", "limit", "back", "form"),
    *("gateway_id", "instrument"),
)


@dataclass
class Visitor:
    """A browser that looks at every answer; everything stands as before at its next request."""

    library: Library
    answers: Counter[int] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.client = self.library.desk.program

    def open(self, path: str, what: object, **more: Any) -> Any:
        """An answer that is in order; `what` names the try."""
        self.library.desk.turn()
        answer = self.client.open(path, **{"headers": BROWSER, **more})
        self.library.settle()
        self.answers[answer.status_code] += 1
        body = answer.get_data(as_text=True)
        assert "Traceback" not in body, what
        assert answer.status_code < 500 or self._is_documented(answer, body), (what, body[:500])
        if answer.mimetype == "text/html":
            assert strange(body) == [], what
        return answer

    def _is_documented(self, answer: Any, body: str) -> bool:
        if answer.status_code != 503:
            return False
        if answer.is_json:
            return json.loads(body)["error"]["code"] in DOCUMENTED_503
        return any(f"<code>{code}</code>" in body or code in body for code in DOCUMENTED_503)

    def page(self, path: str) -> Markup:
        """A page without anything nasty."""
        answer = self.open(path, path)
        return Markup(answer.get_data(as_text=True)) if answer.mimetype == "text/html" else NONE

    def submit(self, here: str, form: Form, values: dict[str, Any], what: object) -> Any:
        """Send a form and look at where it leads."""
        target = form.action or here
        if form.method == "get":
            return self.open(f"{target.partition('?')[0]}?{encoded(values)}", what)
        sent = {"data": encoded(values), "content_type": "application/x-www-form-urlencoded"}
        if form.files and "file" in values:
            sent = {"data": {name: of for name, of in values.items() if isinstance(of, str)}}
            sent["data"]["file"] = (io.BytesIO(as_bytes(values["file"])), "table.csv")
        answer = self.open(target.partition("#")[0], what, method="POST", **sent)
        if answer.status_code == 303 and answer.location.startswith("/"):
            self.open(answer.location, what)
        self.library.restore()
        return answer


NONE = Markup("")
# What is typed there may hold a password, and is never repeated.
SECRET = {"notifications.add", "secrets.save"}


def as_bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


def encoded(values: dict[str, str | bytes]) -> str:
    return "&".join(f"{quote(name)}={quote(as_bytes(of), safe='')}" for name, of in values.items())


def endpoint(library: Library, path: str, method: str = "GET") -> str:
    adapter = library.desk.app.url_map.bind("localhost")
    return str(adapter.match(urlsplit(path).path, method=method)[0])


def shape(library: Library, here: str, form: Form) -> tuple[Any, ...]:
    """What makes two forms the same: the rule they go to, and their fields."""
    target = endpoint(library, form.action or here, form.method.upper())
    return target, tuple(sorted({name for name, _, _ in form.fields}))


def every_form(visitor: Visitor) -> dict[tuple[Any, ...], tuple[str, Form]]:
    """Every form of every page that links lead to, and of those that only a form leads to."""
    found: dict[tuple[Any, ...], tuple[str, Form]] = {}
    for here, page in (*every_page(visitor), *behind_forms(visitor)):
        for form in page.forms:
            found.setdefault(shape(visitor.library, here, form), (here, form))
    return found


def every_page(visitor: Visitor) -> Iterator[tuple[str, Markup]]:
    """Every page that links lead to; of many of one kind the first few."""
    waiting, known, of_kind = ["/"], {"/"}, Counter[str]()
    while waiting:
        here = waiting.pop(0)
        page = visitor.page(here)
        yield here, page
        for link in page.links:
            kind = endpoint(visitor.library, link)
            if link not in known and of_kind[kind] < 6:
                of_kind[kind] += 1
                known.add(link)
                waiting.append(link)


def behind_forms(visitor: Visitor) -> Iterator[tuple[str, Markup]]:
    """The choices of a broker's accounts, the preview of a file, and that of a first sync."""
    mine = f"/portfolio/1/accounts/{quote(visitor.library.places['account_name'][-1])}"
    token = {TOKEN: visitor.page(f"{mine}/edit").forms[0].sends()[TOKEN]}
    asked = visitor.open(f"{mine}/edit", "", method="POST", data={**token, "choices": "ibkr"})
    yield f"{mine}/edit", Markup(asked.get_data(as_text=True))
    file = {**token, "csv": TABLE}
    shown = visitor.open(f"{mine}/import", "", method="POST", data=file)
    yield f"{mine}/import", Markup(shown.get_data(as_text=True))
    wanted = {**token, "account_id": "U7654321"}
    preview = visitor.open(f"{mine}/connect/ibkr", "", method="POST", data=wanted)
    yield f"{mine}/connect/ibkr", Markup(preview.get_data(as_text=True))
    visitor.library.restore()


def usual(form: Form) -> dict[str, str | bytes]:
    """The form filled in well."""
    sent: dict[str, str | bytes] = {
        name: value or USUAL.get(name, "") for name, value in form.sends().items()
    }
    if form.files:
        sent["file"] = TABLE
    return sent


def test_every_field_of_every_form_takes_any_text(library, effort, draw, figure):
    visitor = Visitor(library)
    forms = every_form(visitor)
    tries = [
        (place, name, text)
        for place, (_, form) in forms.items()
        for name in sorted({*form.sends(), *(["file"] if form.files else [])} - {TOKEN})
        for text in NASTY
    ]
    assert len(forms) >= 20
    kept = 0
    chosen = draw("nasty forms").sample(tries, effort(ci=400, full=len(tries)))
    for place, name, text in chosen:
        here, form = forms[place]
        what = f"{place[0]} {name}={text!r}"[:400]
        answer = visitor.submit(here, form, {**usual(form), name: text}, what)
        if place[0] not in SECRET:
            kept += was_kept(answer, form, name, text, what)
    assert kept >= len(chosen) / 25
    figure("nasty texts in fields of forms", f"{len(chosen)} of {len(tries)}")
    figure("forms, and fields of forms", f"{len(forms)}, {len({of[:2] for of in tries})}")
    figure("what was typed stood in a form shown again", kept)
    figure("statuses of nasty forms", dict(sorted(visitor.answers.items())))


def was_kept(answer: Any, form: Form, name: str, text: str | bytes, what: str) -> bool:
    """Whether the form came back; then what was typed is in it."""
    if answer.status_code not in {409, 422} or name not in form.typed() or isinstance(text, bytes):
        return False
    shown = [of for of in Markup(answer.get_data(as_text=True)).forms if name in of.typed()]
    values = {same_lines(of.typed()[name]) for of in shown}
    assert not shown or same_lines(text) in values, f"{what}: what was typed is gone: {values}"
    return bool(shown)


def same_lines(text: str) -> str:
    # Browsers write one line end as the other, and nobody sees a NUL.
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def patterns(library: Library) -> Iterator[tuple[str, str, list[str]]]:
    """Each rule with each of its methods, and the names of its parts."""
    for rule in library.desk.app.url_map.iter_rules():
        path = rule.rule.replace("<path:", "<").replace("<int:", "<")
        for method in sorted(rule.methods - {"HEAD", "OPTIONS"}):
            yield method, path.replace("<", "{").replace(">", "}"), sorted(rule.arguments)


def every_part(library: Library) -> Iterator[tuple[str, str]]:
    """Each address with one of its parts left open."""
    for method, path, names in patterns(library):
        for name in names:
            yield method, path.format(**{**usual_parts(library, names), name: "{}"})


def every_query(library: Library) -> Iterator[tuple[str, str]]:
    """Each address that is read with one value of its query left open."""
    for method, path, names in patterns(library):
        if method == "GET":
            full = path.format(**usual_parts(library, names))
            yield from ((method, f"{full}?{query}={{}}") for query in QUERIES)


def usual_parts(library: Library, names: list[str]) -> dict[str, str]:
    return {name: quote(str(library.places.get(name, [1])[0]), safe="") for name in names}


@pytest.mark.parametrize("places", [every_part, every_query])
def test_every_part_of_every_address_takes_any_text(places, library, effort, draw, figure):
    tries = [(*place, text) for place in places(library) for text in NASTY]
    count = min(effort(ci=250, full=20_000), len(tries))
    visitor = Visitor(library)
    for number, (method, pattern, text) in enumerate(draw(places.__name__).sample(tries, count)):
        # A program sends no cookies, and may change things without a form.
        visitor.client = library.desk.program
        headers = PROGRAM if number % 3 == 0 else {"Accept": "text/html"}
        headers |= {"HX-Request": "true"} if number % 5 == 1 else {}
        path = pattern.format(quote(as_bytes(text)[:3000], safe=""))
        visitor.open(path, f"{method} {pattern} {text!r}"[:400], method=method, headers=headers)
        if method != "GET":
            library.restore()
    figure(f"nasty texts: {places.__name__}", f"{count} of {len(tries)}")
    figure(f"statuses: {places.__name__}", dict(sorted(visitor.answers.items())))


FIELDS = ("ticker", "name", "fullName", "contractDesc", "undSym", "listingExchange", "type")
SAID = [of if isinstance(of, str) else of.decode("latin-1") for of in NASTY]
PAGES = ("", "/edit", "/syncs", "/values", "/import", "/delete")


def named(row: dict[str, Any], text: str) -> dict[str, Any]:
    return {**row, **{name: text for name in FIELDS if name in row}}


def look_at_everything(visitor: Visitor, url: str, run_id: str, what: str) -> None:
    """Every page, document and file that shows what the broker's data are called."""
    paths = [f"{url}{page}" for page in PAGES] + [f"{url}?page={page}" for page in range(2, 6)]
    paths += [f"{url}/syncs/{run_id}", f"{url}?group=underlying", f"{url}/export.csv"]
    paths += ["/", "/portfolio/1", "/connections", "/settings", "/rates", "/ibkr/accounts"]
    paths += [f"/api/v1/runs/{run_id}/changes", f"{P}/1/accounts/~1/holdings?limit=500"]
    for path in paths:
        visitor.open(path, f"{what} {path}"[:300])


def test_any_name_of_the_brokers_is_text(library, figure):
    simulator, visitor = library.desk.simulator, Visitor(library)
    url = "/portfolio/1/accounts/~1"
    library.desk.simulator.play("calm")

    def of_row(row: dict[str, Any]) -> dict[str, Any]:
        return named(row, SAID[int(row["conid"]) % len(SAID)])

    on(simulator.state, "/positions/", lambda rows: [of_row(row) for row in rows])
    on(simulator.state, "/secdef", lambda body: {"secdef": [of_row(r) for r in body["secdef"]]})
    run = library.desk.sync(url).json["run"]
    assert run["status"] == "succeeded", run
    look_at_everything(visitor, url, run["id"], "names")
    cells = visitor.open(f"{url}/export.csv", "export").get_data(as_text=True)
    rows = list(csv.reader(io.StringIO(cells, newline="")))
    formulas = [of for row in rows for of in row if is_formula(of)]
    assert formulas == []
    assert len(rows) > 200
    figure("nasty names from the broker in one sync", len(SAID))


def is_formula(cell: str) -> bool:
    """Whether a spreadsheet could take a cell for one; a plain number is none."""
    begins = cell.strip(' "').startswith(tuple("=+-@\t\r\n＝＋－＠"))
    return begins and not cell.lstrip("-").replace(".", "", 1).isdecimal()


@pytest.mark.parametrize("where", ["currency", "conid", "acctId", "title", "user", "half"])
def test_nasty_data_of_the_broker_end_clearly(where, library, effort, draw, figure):
    simulator, visitor = library.desk.simulator, Visitor(library)
    url, ends = "/portfolio/1/accounts/~1", Counter[str]()
    for text in draw("broker", where).sample(SAID, effort(ci=4, full=len(SAID))):
        simulator.play("calm")
        say(simulator.state, where, text)
        answer = library.desk.sync(url)
        what = f"{where} {text!r}"[:300]
        assert answer.status_code in {200, 409, 503}, what
        if answer.status_code == 503:
            assert answer.json["error"]["code"] in DOCUMENTED_503, what
        ends[answer.json["run"]["reason"] or answer.json["run"]["status"]] += 1
        visitor.open("/ibkr/test-connection", what)
        visitor.open("/ibkr/accounts", what, headers=PROGRAM)
        for path in (url, f"{url}/syncs/{answer.json['run']['id']}", "/connections", "/"):
            visitor.open(path, what)
        library.restore()
    figure(f"syncs with a nasty {where}", dict(ends))


def say(state: Any, where: str, text: str) -> None:
    """Have the gateway say a text where something else belongs."""
    if where == "title":
        more = {"accountTitle": text, "displayName": text, "accountAlias": text, "type": text}
        on(state, "/portfolio/accounts", lambda rows: [{**row, **more} for row in rows])
    elif where == "user":
        on(state, "/sso/validate", lambda body: {**body, "USER_NAME": text, "region": text})
    elif where == "half":
        on(state, "/positions/", lambda rows: [named(row, f"{text[:9]}\ud800") for row in rows])
    else:
        on(
            state,
            "/positions/",
            lambda rows: [{**rows[0], where: text}, *rows[1:]] if rows else [],
        )
