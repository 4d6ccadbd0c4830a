"""Everything of one owner, everybody who may come, and each route with real and unknown ids."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import select, update
from werkzeug.routing import Rule as Route

from portfolio.accounts.models import CashBalance, Holding, Invitation, Rate
from portfolio.accounts.services import sharing
from portfolio.db.base import db
from portfolio.db.session import unit_of_work
from portfolio.sync.models import SyncRun
from portfolio.users.models import ApiToken, LoginSession
from portfolio.users.services import disable, locked_user
from portfolio.users.tokens import SCOPES, Wanted, create
from tests.integration.conftest import CHEAP, MAIN, Desk, guarded_by, make_desk
from tests.integration.users.people import Browser, person, untimed

P = "/api/v1/portfolios"
# What no stranger may ever read: names, notes, an instrument, ids, and the way to the broker.
CANARIES = ("Annas Schatz", "Konto Anna", "ZZANNA", "nur fuer Anna", MAIN, "localhost:5000")
FRAGMENT, PAGE, JSON = {"HX-Request": "true"}, {"Accept": "text/html"}, {"Accept": "*/*"}
# Parts of a path that name nothing of anybody's; what a code opens has tests of its own.
NOBODYS = {"broker": "ibkr", "filename": "icon.svg", "code": "x"}
UNKNOWN = {
    **NOBODYS,
    "account_name": "Nowhere",
    **dict.fromkeys(("run_id", "target", "target_id"), "f" * 16),
    **dict.fromkeys(
        ("portfolio_id", "holding_id", "cash_id", "rate_id", "gateway_id", "connection_id"),
        999_999,
    ),
    **dict.fromkeys(("invitation_id", "user_id", "login_id", "token_id"), 999_999),
}
HOLDING = {"symbol": "ZZANNA", "kind": "stock", "currency": "USD", "quantity": "1"}
# The bodies of routes that would not look further without one.
BODIES: dict[str, dict[str, Any]] = {
    "accounts_api.create_account": {"name": "Z", "currency": "USD"},
    "holdings_api.add_holding": HOLDING,
    "cash_api.add_cash": {"currency": "CHF", "amount": "1"},
    "transfer_api.import_csv": {"csv": "symbol,quantity\nX,1\n"},
    "connections.connect": {"account_id": MAIN},
    "connections.connect_to": {"account_id": MAIN},
    "connections.accept_certificate": {"fingerprint": "0" * 64},
    "secrets_api.put": {"secrets": {"password": "x"}},
    "notifications_api.add_target": {"address": "ntfy://127.0.0.1:9/topic"},
}


@dataclass
class Visitor:
    """Somebody who comes with a browser that is, or was, signed in."""

    client: FlaskClient
    form_token: str

    def call(self, method: str, path: str, reader: dict[str, str], **more: Any) -> Any:
        headers = {"Sec-Fetch-Site": "same-origin", "X-Form-Token": self.form_token, **reader}
        return self.client.open(path, method=method, headers=headers, **more)


@dataclass
class World:
    """One owner's things by the names that routes have for them, and who may come."""

    desk: Desk
    real: dict[str, Any] = field(default_factory=dict)
    visitors: dict[str, Visitor] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def routes(self) -> list[tuple[Route, str]]:
        """Each route with each of its methods."""
        return [
            (route, method)
            for route in self.desk.app.url_map.iter_rules()
            for method in sorted((route.methods or set()) - {"HEAD", "OPTIONS"})
        ]

    def path(self, route: Route, values: dict[str, Any]) -> str:
        """The path of a route with these ids."""
        with self.desk.app.test_request_context():
            adapter = self.desk.app.url_map.bind("localhost")
            return adapter.build(
                route.endpoint, {name: values[name] for name in route.arguments}, method=None
            )


def is_json(route: Route) -> bool:
    """Whether a route is one of the documented ones, which are for programs too."""
    named = route.endpoint.partition(".")[0]
    return named.endswith("_api") or named in {"connections", "decisions"}


def readers(route: Route, method: str) -> list[dict[str, str]]:
    """Who may read the answers of a route."""
    if route.rule.startswith("/api/v1"):
        return [JSON]
    if is_json(route):
        return [JSON, PAGE, FRAGMENT]
    return [PAGE, FRAGMENT] if method == "GET" else [PAGE]


def body_of(route: Route) -> dict[str, Any]:
    """What is sent to a route that changes something."""
    if is_json(route):
        return {"json": BODIES.get(route.endpoint, {})}
    return {"data": {"name": "Z", "currency": "USD", "url": "https://localhost:5009", "csv": "a"}}


def said(answer: Any) -> tuple[int, bytes, list[tuple[str, str]]]:
    """An answer to compare: all of it but the date and the token of forms, which has a time."""
    headers = sorted(pair for pair in answer.headers if pair[0] not in {"Date", "Set-Cookie"})
    return answer.status_code, untimed(answer.data), headers


def build(database: str, folder: Path) -> Iterator[World]:
    """An owner with one of everything, a stranger, viewers, and people whose time is over."""
    for desk in make_desk(guarded_by(database, folder), passwords=CHEAP):
        world = World(desk)
        owner = _owner(world)
        viewers = ("viewer", "revoked")
        people = {name: person(desk.app, name) for name in ("stranger", *viewers, "disabled")}
        with desk.app.app_context(), unit_of_work() as session:
            found = session.get_one(sharing.Portfolio, world.real["portfolio_id"])
            for name in viewers:
                code = sharing.invite(session, found, name, desk.clock.now(), lambda n=name: n)
                sharing.accept(session, people[name], code, desk.clock.now())
            sharing.invite(session, found, "open", desk.clock.now(), lambda: "open")
        for name in ("stranger", *viewers, "disabled", "expired"):
            world.visitors[name] = _visitor(desk, "stranger" if name == "expired" else name)
        with desk.app.app_context(), unit_of_work() as session:
            newest = select(LoginSession.id).order_by(LoginSession.id.desc()).limit(1)
            over = {"ends_at": desk.clock.now()}
            expired = LoginSession.id == newest.scalar_subquery()
            session.execute(update(LoginSession).where(expired).values(over))
            sharing.remove_viewer(
                session, session.get_one(sharing.Portfolio, 1), people["revoked"]
            )
            disable(session, locked_user(session, people["disabled"]), desk.clock.now())
        world.visitors["nobody"] = Visitor(desk.app.test_client(), "")
        _ids(world, owner, people["viewer"])
        yield world


def _visitor(desk: Desk, name: str) -> Visitor:
    browser = Browser(desk.app)
    assert browser.sign_in(name).status_code == 303
    return Visitor(browser.client, browser.token("/"))


def _owner(world: World) -> int:
    desk, owner = world.desk, person(world.desk.app, "Anna")
    world.visitors["owner"] = _visitor(desk, "Anna")
    with desk.app.app_context(), unit_of_work() as session:
        for scope in SCOPES:
            wanted = Wanted(name=scope, scopes=[scope])
            draw = (lambda of: lambda n: of * n)(scope)
            world.tokens[scope] = create(session, owner, wanted, desk.clock.now(), draw)
    write = {"headers": {"Authorization": f"Bearer {world.tokens['write']}"}}
    sync = {"headers": {"Authorization": f"Bearer {world.tokens['sync']}"}}
    post = desk.program.post
    made = post(P, json={"name": "Annas Schatz", "base_currency": "USD"}, **write).json["id"]
    konto = {"name": "Konto Anna", "currency": "USD", "notes": "nur fuer Anna"}
    post(f"{P}/{made}/accounts", json=konto, **write)
    where = f"/portfolio/{made}/accounts/Konto%20Anna"
    desk.turn()
    linked = post(f"{where}/connect/ibkr", json={"account_id": MAIN}, **write)
    assert linked.status_code == 201, linked.json
    desk.turn()
    assert post(f"{where}/sync", **sync).status_code == 200
    api = f"{P}/{made}/accounts/Konto%20Anna"
    post(f"{api}/holdings", json={**HOLDING, "notes": "nur fuer Anna"}, **write)
    post(f"{api}/cash", json={"currency": "NOK", "amount": "7"}, **write)
    post("/api/v1/rates", json={"from": "NOK", "to": "USD", "rate": "0.1"}, **write)
    target = {"json": {"address": f"ntfy://{CANARIES[2]}@192.0.2.1:9/topic"}}
    told = world.visitors["owner"].call("POST", "/api/v1/notifications/targets", JSON, **target)
    assert told.status_code == 201, told.text
    world.real |= {"portfolio_id": made, "target": told.json["id"], "target_id": told.json["id"]}
    return owner


def _ids(world: World, owner: int, viewer: int) -> None:
    def one(column: Any, *which: Any) -> Any:
        return db.session.scalars(select(column).where(*which).order_by(column).limit(1)).one()

    with world.desk.app.app_context():
        world.real |= {
            **NOBODYS,
            "account_name": "Konto Anna",
            "holding_id": one(Holding.id, Holding.source == "manual"),
            "cash_id": one(CashBalance.id, CashBalance.source == "manual"),
            "rate_id": one(Rate.id, Rate.source == "manual"),
            "gateway_id": 1,
            "connection_id": 1,
            "run_id": one(SyncRun.id),
            "invitation_id": one(Invitation.id, Invitation.name == "open"),
            "user_id": viewer,
            "login_id": one(LoginSession.id, LoginSession.user_id == owner),
            "token_id": one(ApiToken.id, ApiToken.user_id == owner),
        }
