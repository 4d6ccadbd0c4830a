"""Two users in one installation: neither sees, changes or stops what is the other's."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from portfolio.accounts.models import Account, CashBalance, DailyValue, Rate
from portfolio.clock import Moment
from portfolio.commands import _connected, sync
from portfolio.connections.models import Connection, Gateway
from portfolio.connections.telling import tell
from portfolio.db.base import db
from portfolio.db.session import unit_of_work
from portfolio.errors import SetupProblem
from portfolio.jobs.daily import DailyValues, ReferenceRates
from portfolio.sync.models import SyncRun
from portfolio.users.services import disable, locked_user, set_password
from tests.integration.conftest import MAIN, make_desk
from tests.integration.people import acting, another, second_gateway
from tests.integration.test_jobs import night_of

DAILY = (Path(__file__).parent.parent / "data" / "ecb" / "daily.xml").read_bytes()
OTHER_ACCOUNT = "U7654321"
ELSEWHERE = "https://localhost:5001"
P = "/api/v1/portfolios"
HTML = {"Accept": "text/html"}


def office(tmp_path, **more):
    given = {name: str(value) for name, value in more.items()}
    yield from make_desk({"FOLIOSYNC_DATA_DIR": str(tmp_path), **given})


@pytest.fixture
def shared(tmp_path):
    yield from office(tmp_path, FOLIOSYNC_SHARED_GATEWAYS="yes")


@pytest.fixture
def fixed(tmp_path):
    yield from office(tmp_path, FOLIOSYNC_IBKR_GATEWAY_URL="https://localhost:5000")


def place_of(desk, user, account=OTHER_ACCOUNT, url=ELSEWHERE):
    """A portfolio of another user with an account that is linked through a gateway of theirs."""
    with acting(desk, user):
        gateway = desk.program.post("/api/v1/gateways", json={"url": url})
        assert gateway.status_code == 201, gateway.json
        made = desk.program.post(P, json={"name": "P", "base_currency": "EUR"}).json["id"]
        desk.program.post(f"{P}/{made}/accounts", json={"name": "B", "currency": "EUR"})
        where = f"/portfolio/{made}/accounts/B"
        desk.turn()
        linked = desk.program.post(f"{where}/connect/ibkr", json={"account_id": account})
        desk.turn()
        return where, linked


@pytest.fixture
def pair(desk):
    """Two users with an account each, through gateways of their own."""
    mine, ben = desk.connected(), another(desk)
    second_gateway(desk)
    theirs, linked = place_of(desk, ben)
    assert linked.status_code == 201, linked.json
    return desk, ben, mine, theirs


@pytest.mark.parametrize("url", ["https://localhost:5000", "https://127.0.0.1:5000"])
def test_a_gateway_belongs_to_one_user(desk, url):
    with acting(desk, another(desk)):
        refused = desk.program.post("/api/v1/gateways", json={"url": url})
        assert refused.status_code == 409
        assert refused.json["error"]["message"] == "This gateway is already in use here."
        assert desk.program.get("/api/v1/gateways").json["items"] == []
        made = desk.program.post("/api/v1/gateways", json={"url": ELSEWHERE}).json["id"]
        moved = desk.program.patch(f"/api/v1/gateways/{made}", json={"url": url})
        assert moved.json["error"]["message"] == "This gateway is already in use here."


def test_a_broker_account_belongs_to_one_user_who_is_not_named(anywhere):
    desk = anywhere
    desk.connected()
    second_gateway(desk)
    _, refused = place_of(desk, another(desk), account=MAIN)
    assert refused.status_code == 409
    assert refused.json["error"]["message"] == f"{MAIN} is already in use here."
    # Without being signed in as its user nobody learns that it is.
    with acting(desk, 2):
        unknown = desk.program.post(
            "/portfolio/2/accounts/B/connect/ibkr", json={"account_id": "U9999999"}
        )
    assert unknown.json["error"]["code"] == "broker_account_missing"


def test_the_operator_may_let_users_share_a_gateway_which_then_take_turns(shared):
    desk = shared
    desk.connected()
    ben = another(desk)
    where, linked = place_of(desk, ben, account=MAIN, url="https://127.0.0.1:5000")
    assert linked.status_code == 201
    desk.simulator.sign_in()
    with acting(desk, ben):
        assert desk.sync(where).status_code == 200
    with desk.app.app_context():
        first, second = db.session.scalars(select(Gateway).order_by(Gateway.id))
        # The pace of both is the pace of one program.
        assert set(second.last_calls) >= set(first.last_calls)
        names = db.session.execute(db.text("SELECT name FROM lease")).scalars().all()
        assert f"gateway:{second.id}" not in names


def test_what_the_environment_fixes_is_the_first_users_gateway_only(fixed):
    desk = fixed
    with acting(desk, another(desk)):
        made = desk.program.post("/api/v1/gateways", json={"url": ELSEWHERE}).json["id"]
        moved = desk.program.patch(f"/api/v1/gateways/{made}", json={"url": ELSEWHERE[:-1] + "2"})
        assert moved.status_code == 200
        assert desk.program.delete(f"/api/v1/gateways/{made}").status_code == 204
    assert desk.program.patch("/api/v1/gateways/1", json={"url": ELSEWHERE}).status_code == 409


def test_cash_of_another_user_is_no_twin(pair):
    desk, _, mine, theirs = pair
    # The same account at the broker, linked by one and then by the other.
    desk.program.post(f"{mine}/disconnect", json={})
    with desk.app.app_context(), unit_of_work() as session:
        session.query(CashBalance).filter(CashBalance.account_id == 2).delete()
        for row in session.scalars(select(CashBalance).where(CashBalance.account_id == 1)):
            session.add(
                CashBalance(
                    account_id=2,
                    currency=row.currency,
                    source=row.source,
                    source_account=row.source_account,
                    amount=row.amount,
                )
            )
    body = {"currency": "NOK", "amount": "1"}
    desk.program.post(mine.replace("/portfolio/", f"{P}/") + "/cash", json=body)
    account = desk.program.get(mine.replace("/portfolio/", f"{P}/")).json
    assert account["warnings"] == []
    assert theirs


def test_jobs_keep_alive_and_sync_for_both(pair):
    desk, *_ = pair
    night = night_of(desk)
    night.pass_time(35)
    with desk.app.app_context():
        contacted = list(db.session.scalars(select(Gateway.contacted_at)))
        per = select(SyncRun.account_id, func.count()).where(SyncRun.status == "succeeded")
        runs = dict(db.session.execute(per.group_by(SyncRun.account_id)).all())
        owners = list(db.session.scalars(select(Connection.owner_id).order_by(Connection.id)))
    assert None not in contacted
    assert owners == [1, 2]
    assert runs[1] >= 2
    assert runs[2] >= 1


def test_for_a_disabled_user_nobody_is_asked_and_nothing_is_told(pair):
    desk, ben, *_ = pair
    night, sent = night_of(desk), []
    runtime = desk.app.extensions["foliosync"]
    of = replace(runtime.settings, notify_urls=("json://127.0.0.1:9",))
    send = lambda *said: sent.append(said) or 1  # noqa: E731
    desk.app.extensions["foliosync"] = replace(runtime, settings=of, send=send)

    def state():
        with desk.app.app_context():
            runs = list(db.session.scalars(select(SyncRun.account_id)))
            return runs, list(db.session.scalars(select(Gateway.contacted_at).order_by("id")))

    with desk.app.app_context(), unit_of_work() as session:
        for account in session.scalars(select(Account)):
            account.attention_code = "sync_rejected"
        for user in (1, ben):
            disable(session, locked_user(session, user), desk.clock.now())
    before = state()
    night.pass_time(2)
    with desk.app.app_context():
        tell()
    assert state() == before
    assert sent == []
    assert "foliosync_account_needs_somebody{" not in desk.program.get("/metrics").text
    with desk.app.app_context(), unit_of_work() as session:
        set_password(session, locked_user(session, ben), "x")
    night.pass_time(2)
    runs, contacted = state()
    assert set(runs[len(before[0]) :]) <= {2}
    assert contacted[0] == before[1][0]
    assert contacted[1] > (before[1][1] or desk.clock.now() - timedelta(minutes=2))


def test_daily_values_and_reference_rates_are_everybodys(desk):
    desk.account()
    ben = another(desk)
    with acting(desk, ben):
        made = desk.program.post(P, json={"name": "P", "base_currency": "EUR"}).json["id"]
        desk.program.post(f"{P}/{made}/accounts", json={"name": "B", "currency": "EUR"})
    zone, fetched = desk.app.extensions["foliosync"].zone, []

    def today():
        return Moment.at(desk.clock.now(), zone)

    def fetch():
        fetched.append(1)
        return DAILY

    rates = ReferenceRates(fetch, today)
    with desk.app.app_context():
        desk.turn(24 * 3600)
        DailyValues(today)()
        days = select(DailyValue.account_id).where(DailyValue.day == today().day)
        assert set(db.session.scalars(days)) == {1, 2}
        rates()
        rates()
        assert len(fetched) == 1
        db.session.remove()
    late = another(desk, "Cleo")
    with desk.app.app_context():
        rates()
        rates()
        owners = set(db.session.scalars(select(Rate.owner_id).where(Rate.source == "ecb")))
    assert (owners, len(fetched)) == ({1, ben, late}, 2)


def test_an_account_whose_value_is_too_large_keeps_reference_rates_from_nobody_else(desk, caplog):
    desk.program.post(P, json={"name": "P", "base_currency": "JPY"})
    desk.program.post(f"{P}/1/accounts", json={"name": "A", "currency": "JPY"})
    most = "9" * 20
    # In yen it would have more digits than are kept.
    coin = {"symbol": "X", "kind": "stock", "currency": "EUR", "quantity": most, "price": most}
    made = desk.program.post(f"{P}/1/accounts/A/holdings", json={**coin, "multiplier": most})
    assert made.status_code == 201
    fine = desk.program.post(
        f"{P}/1/accounts/A/cash", json={"currency": "JPY", "amount": f"0.{most}"}
    )
    assert fine.status_code == 201
    ben = another(desk)
    zone, fetched = desk.app.extensions["foliosync"].zone, []
    rates = ReferenceRates(
        lambda: fetched.append(1) or DAILY, lambda: Moment.at(desk.clock.now(), zone)
    )

    def owners():
        with desk.app.app_context():
            rates()
            found = select(Rate.owner_id).where(Rate.source == "ecb").distinct()
            return set(db.session.scalars(found))

    assert owners() == owners() == {ben}
    # Nobody's own account has the bank asked each minute.
    assert len(fetched) == 1
    gone = desk.program.delete(f"{P}/1/accounts/A/holdings/{made.json['id']}")
    assert gone.status_code == 204
    desk.turn(3601)
    assert owners() == {1, ben}
    assert [of.getMessage() for of in caplog.records if of.name == "portfolio.jobs.told"] == [
        "reference rates: broken (conflict); it is tried again",
        "reference rates: healed",
    ]


def test_the_operators_targets_tell_of_the_operators_accounts_only(pair):
    desk, ben, *_ = pair
    sent = []
    runtime = desk.app.extensions["foliosync"]
    of = replace(runtime.settings, notify_urls=("json://127.0.0.1:9",))

    def send(title, body):
        sent.append(body)
        return 1

    desk.app.extensions["foliosync"] = replace(runtime, settings=of, send=send)
    with desk.app.app_context():
        with unit_of_work() as session:
            for account in session.scalars(select(Account)):
                account.attention_code = "sync_rejected"
        tell()
        desk.turn(61)
        tell()
    assert len(sent) == 1
    assert "“A”" in sent[0]
    assert "“B”" not in sent[0]
    with acting(desk, ben):
        # Where messages go, and what the server was started with, is not theirs.
        assert desk.program.post("/api/v1/notifications/test").status_code == 409
        assert "FOLIOSYNC_" not in desk.program.get("/settings", headers=HTML).text
    assert "FOLIOSYNC_HOST" in desk.program.get("/settings", headers=HTML).text


def test_the_command_syncs_the_accounts_of_everybody(pair):
    desk, *_ = pair
    desk.turn()
    lines = list(sync(desk.app, None))
    assert [well for _, well in lines] == [True, True]


def test_the_command_asks_no_broker_for_a_disabled_user(pair):
    desk, ben, *_ = pair
    desk.turn()
    with desk.app.app_context(), unit_of_work() as session:
        disable(session, locked_user(session, ben), desk.clock.now())
    with desk.app.app_context():
        assert [of.name for of in _connected()] == ["P/A"]
    with pytest.raises(SetupProblem, match="no connected account"):
        list(sync(desk.app, "B"))
    with desk.app.app_context(), unit_of_work() as session:
        set_password(session, locked_user(session, ben), "x")
    assert [well for _, well in sync(desk.app, "B")] == [True]
