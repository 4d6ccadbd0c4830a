"""Somebody who is invited sees a portfolio as its owner does, and changes nothing of it."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import delete, select, update

from portfolio.accounts.models import Account, Invitation, Viewer
from portfolio.accounts.services import sharing
from portfolio.accounts.services.sharing import MOST_OPEN
from portfolio.db.base import db
from portfolio.db.session import unit_of_work
from portfolio.settings import Settings
from portfolio.sync.models import FAILED, SyncRun
from tests.integration.conftest import MAIN
from tests.integration.people import acting, another

HTML = {"Accept": "text/html"}
FRAGMENT = {"HX-Request": "true"}
P = "/api/v1/portfolios"
LOGIN = "https://localhost:5000"
# What is the owner's way to the broker and nobody else's business.
HIDDEN = (MAIN, "localhost:5000", "secondary", "Sign in", "gateway_id", "certificate")


@pytest.fixture
def house(desk, monkeypatch):
    monkeypatch.setattr(Settings, "has_logins", True)
    url = desk.account()
    desk.turn()
    assert desk.connect(url, username="secondary").status_code == 201
    assert desk.sync(url).status_code == 200
    return desk, another(desk), url


def invited(desk, name="for Ben"):
    page = desk.program.post("/portfolio/1/share", data={"name": name}, headers=HTML)
    assert f"<strong>{name}</strong>" in page.text
    return re.search(r"/invitations/[\w-]+", page.text)[0]


@pytest.fixture
def seen(house):
    desk, ben, url = house
    link = invited(desk)
    with acting(desk, ben):
        assert desk.program.post(link, headers=HTML).status_code == 303
    return desk, ben, url


def reads(url):
    api = url.replace("/portfolio/", f"{P}/")
    return [
        *("/portfolio/1", url, f"{url}/export.csv", f"{url}/syncs", f"{url}/values", api),
        *(f"{P}/1", f"{P}/1/accounts", f"{api}/holdings", f"{api}/holdings/1", f"{api}/cash"),
        *(f"{api}/values", f"{api}/runs", f"{api}/export.csv"),
    ]


def test_an_invitation_is_shown_once_works_once_and_is_confirmed(house):
    desk, ben, _ = house
    link = invited(desk)
    assert "for Ben" in desk.program.get("/portfolio/1/share").text
    assert link not in desk.program.get("/portfolio/1/share").text
    own = desk.program.post(link, headers=HTML)
    assert own.status_code == 409
    with acting(desk, ben):
        before = desk.program.get("/portfolio/1", headers=HTML).status_code
        offered = desk.program.get(link, headers=HTML)
        assert "invites you to see the portfolio <strong>P</strong>" in offered.text
        # To look is not to accept.
        assert desk.program.get("/portfolio/1", headers=HTML).status_code == before == 404
        assert desk.program.post(link, headers=HTML).location == "/portfolio/1"
        assert "shared by owner" in desk.program.get("/portfolio/1").text
        again = desk.program.post(link, headers=HTML)
        assert again.status_code == 404
        assert "works once and ends in seven days" in again.text
    with acting(desk, another(desk, "Cleo")):
        assert desk.program.get(link, headers=HTML).status_code == 404
    assert "Ben" in desk.program.get("/portfolio/1/share").text


def test_an_invitation_ends_in_seven_days_and_can_be_taken_back(house):
    desk, ben, _ = house
    late, void = invited(desk, "late"), invited(desk, "void")
    revoked = desk.program.post("/portfolio/1/share/invitations/2/revoke", headers=HTML)
    assert revoked.status_code == 303
    with acting(desk, ben):
        assert desk.program.post(void, headers=HTML).status_code == 404
        desk.turn(timedelta(days=7).total_seconds() + 1)
        assert desk.program.post(late, headers=HTML).status_code == 404
    assert "late" not in desk.program.get("/portfolio/1/share").text
    with desk.app.app_context():
        codes = list(db.session.scalars(select(Invitation.code_hash)))
    assert not any(link.rpartition("/")[2] in codes for link in (late, void))


@pytest.mark.parametrize("name", ["", " x", "a\x00"])
def test_a_note_that_is_no_name_is_refused_beside_its_field(house, name):
    desk, *_ = house
    assert desk.program.post("/portfolio/1/share", data={"name": name}).status_code == 422


def test_a_viewer_sees_the_owners_figures_and_no_gateway(seen):
    desk, ben, url = seen
    theirs = {path: desk.program.get(path) for path in reads(url)}
    with acting(desk, ben):
        # Rates and a base currency of the viewer's own change nothing of it.
        desk.program.post("/api/v1/rates", json={"from": "EUR", "to": "USD", "rate": "9"})
        home = desk.program.get("/", headers=HTML).text
        assert "shared by owner" in home
        (line,) = desk.program.get(P).json["items"]
        for path, own in theirs.items():
            shown = desk.program.get(path)
            assert shown.status_code == 200, path
            leaks = [word for word in HIDDEN if word in shown.text and "connection" not in word]
            assert leaks == [], path
            assert '<form method="post"' not in shown.text, path
            if path.endswith("/holdings"):
                assert shown.json["totals"] == own.json["totals"]
                assert not any(row["editable"] for row in shown.json["holdings"])
            if path.endswith("export.csv"):
                assert shown.text == own.text
        assert desk.program.get(url, headers={**FRAGMENT}).status_code == 200
        table = {**FRAGMENT, "HX-Target": "holdings-table"}
        assert "/edit" not in desk.program.get(url, headers=table).text
    assert line["shared_by"] == "owner"
    assert line["net_liquidation"] == theirs[f"{P}/1"].json["net_liquidation"]


def test_a_viewer_learns_no_id_of_what_is_not_shared(seen):
    desk, ben, url = seen
    assert desk.program.post(f"{url}/disconnect", json={}).status_code == 200
    desk.program.post(P, json={"name": "mine alone", "base_currency": "USD"})
    desk.program.post(f"{P}/2/accounts", json={"name": "B", "currency": "USD"})
    desk.turn(60)
    assert desk.connect("/portfolio/2/accounts/B").status_code == 201
    desk.sync("/portfolio/2/accounts/B")
    rows = f"{url.replace('/portfolio/', f'{P}/')}/holdings"
    for path in (rows, f"{rows}/1"):
        own = desk.program.get(path).json
        with acting(desk, ben):
            shown = desk.program.get(path).json
        own, shown = own.get("holdings", [own]), shown.get("holdings", [shown])
        assert own[0]["duplicate_of"] is not None
        assert {row["duplicate_of"] for row in shown} == {None}
    assert "Possibly counted twice" in desk.program.get(url, headers=HTML).text
    with acting(desk, ben):
        assert "Possibly counted twice" not in desk.program.get(url, headers=HTML).text


def test_a_viewer_reads_the_notes_and_cannot_change_them(seen):
    desk, ben, url = seen
    api = url.replace("/portfolio/", f"{P}/")
    for path, said in ((f"{api}/holdings/1", "kept for <b>Ann</b>"), (api, "the long run")):
        assert desk.program.patch(path, json={"notes": said}).status_code == 200
    with acting(desk, ben):
        page = desk.program.get(url, headers=HTML).text
    assert page.count("kept for &lt;b&gt;Ann&lt;/b&gt;") == 1
    assert "the long run" in page
    assert "/holdings/1" not in page


def test_a_failed_run_tells_a_viewer_nothing_about_the_gateway(seen):
    desk, ben, url = seen
    secret = {"code": "not_a_gateway", "message": f"{LOGIN} of {MAIN}", "remedy": LOGIN}
    with desk.app.app_context(), unit_of_work() as session:
        failed = {"status": FAILED, "reason": "x", "error": {**secret, "sample": LOGIN}}
        session.execute(update(SyncRun).values(**failed, warnings=["certificate_stock"]))
        session.execute(update(Account).values(attention_code="not_a_gateway"))
        run = session.scalars(select(SyncRun.id)).one()
    pages = [url, "/portfolio/1", f"{url}/syncs", f"{url}/syncs/{run}"]
    assert all(LOGIN in desk.program.get(path).text for path in (url, f"{url}/syncs/{run}"))
    with acting(desk, ben):
        for path in [*pages, f"/api/v1/runs/{run}", f"/api/v1/runs/{run}/changes"]:
            text = desk.program.get(path).text
            assert not any(word in text for word in (LOGIN, MAIN, "certificate_stock")), path
            assert "needs you" not in text, path
        # Its code names nobody and no address: pages and JSON tell it alike.
        api = url.replace("/portfolio/", f"{P}/")
        assert all(f">{secret['code']}<" in desk.program.get(of).text for of in (url, pages[-1]))
        assert desk.program.get(api).json["attention_code"] == secret["code"]


def test_a_viewer_is_not_led_to_rates_that_are_the_owners(seen):
    desk, ben, url = seen
    account = url.replace("/portfolio/", f"{P}/")
    desk.program.post(f"{account}/cash", json={"currency": "SEK", "amount": "1"})
    lacking, way = "without the SEK cash: no rate for SEK", "/rates?from=SEK"
    assert way in desk.program.get(url, headers=HTML).text
    with acting(desk, ben):
        for path in ("/", "/portfolio/1", url):
            page = desk.program.get(path, headers=HTML).text
            assert (lacking in page, way in page) == (True, False), path


def changes(url, run):
    api = url.replace("/portfolio/", f"{P}/")
    body = {"json": {"symbol": "X", "kind": "stock", "currency": "USD", "quantity": "1"}}
    yield from (
        ("post", f"{url}/sync", {}),
        ("post", f"{url}/disconnect", {"json": {}}),
        ("post", f"{url}/connect/ibkr", {"json": {"account_id": MAIN}}),
        ("post", f"{url}/resume", {}),
        ("post", f"{url}/schedule", {}),
        ("post", f"{url}/edit", {"data": {"name": "Z", "currency": "USD"}}),
        ("post", f"{url}/delete", {}),
        ("post", f"{url}/holdings/1/remove", {}),
        ("post", f"{url}/import", {"data": {"csv": "symbol\nX"}}),
        ("post", "/portfolio/1/edit", {"data": {"name": "Z", "base_currency": "USD"}}),
        ("post", "/portfolio/1/share", {"data": {"name": "x"}}),
        ("patch", f"{P}/1", {"json": {"name": "Z"}}),
        ("delete", f"{P}/1", {}),
        ("post", f"{P}/1/accounts", {"json": {"name": "Z", "currency": "USD"}}),
        ("patch", api, {"json": {"name": "Z"}}),
        ("delete", api, {}),
        ("post", f"{api}/holdings", body),
        ("delete", f"{api}/holdings/1", {}),
        ("post", f"{api}/cash", {"json": {"currency": "CHF", "amount": "1"}}),
        ("post", f"/api/v1/runs/{run}/undo", {}),
        ("post", f"/api/v1/runs/{run}/apply", {}),
        ("get", f"{url}/edit", {}),
        ("get", f"{url}/holdings/new", {}),
        ("get", "/portfolio/1/share", {}),
    )


def test_a_viewer_changes_nothing_and_is_told_so(seen):
    desk, ben, url = seen
    with desk.app.app_context():
        run = db.session.scalars(select(SyncRun.id)).one()
    before = desk.holdings(url)
    with acting(desk, ben):
        for method, path, body in changes(url, run):
            answer = getattr(desk.program, method)(path, **body)
            assert answer.status_code == 403, (path, answer.text)
            assert "shared with you to look at" in answer.text, path
        # What is not part of a portfolio is not there.
        for path in ("/api/v1/connections/1", "/api/v1/gateways/1"):
            assert desk.program.patch(path, json={}).status_code == 404
        assert desk.program.get("/api/v1/connections").json["items"] == []
    assert desk.holdings(url) == before


def test_who_is_removed_sees_nothing_from_then_on(seen):
    desk, ben, url = seen
    with acting(desk, ben):
        unknown = desk.program.get("/portfolio/99")
    removed = desk.program.post(f"/portfolio/1/share/viewers/{ben}/remove", headers=HTML)
    assert removed.status_code == 303
    with acting(desk, ben):
        for path in reads(url):
            assert desk.program.get(path).status_code == 404, path
        assert desk.program.get("/portfolio/1").data == unknown.data
        assert desk.program.get(P).json["items"] == []


def test_without_logins_there_is_nothing_of_it(desk):
    url = desk.account()
    assert "Share" not in desk.program.get("/portfolio/1", headers=HTML).text
    for path in ("/portfolio/1/share", "/invitations/x"):
        assert desk.program.get(path).status_code == 404
    assert url


def test_invitations_that_nobody_uses_are_counted_and_end(house):
    desk, *_ = house
    for number in range(MOST_OPEN):
        invited(desk, f"for {number}")
    refused = desk.program.post("/portfolio/1/share", data={"name": "one more"}, headers=HTML)
    assert refused.status_code == 409
    assert "There are many open invitations already" in refused.text
    desk.turn(timedelta(days=7).total_seconds() + 1)
    invited(desk, "one more")


def test_what_is_not_there_cannot_be_taken_back_and_nobody_sees_twice(seen):
    desk, ben, _ = seen
    share = "/portfolio/1/share"
    for gone in (f"{share}/invitations/99/revoke", f"{share}/viewers/99/remove"):
        assert desk.program.post(gone, headers=HTML).status_code == 404
    link = invited(desk, "once more")
    with acting(desk, ben):
        assert desk.program.post(link, headers=HTML).status_code == 303
        assert desk.program.get("/portfolio/1", headers=HTML).status_code == 200
    with desk.app.app_context():
        assert len(db.session.scalars(select(Viewer)).all()) == 1


def test_of_two_who_use_one_invitation_at_once_one_finds_it_gone(house, monkeypatch):
    desk, ben, _ = house
    link = invited(desk)
    find = sharing.find_invitation

    def overtaken(session, *given):
        found = find(session, *given)
        session.execute(delete(Invitation).where(Invitation.id == found.id))
        return found

    with acting(desk, ben):
        with monkeypatch.context() as at_once:
            at_once.setattr(sharing, "find_invitation", overtaken)
            assert desk.program.post(link, headers=HTML).status_code == 404
        assert desk.program.get("/portfolio/1", headers=HTML).status_code == 404
        # The other's use was never finished: the invitation is still good.
        assert desk.program.post(link, headers=HTML).status_code == 303
