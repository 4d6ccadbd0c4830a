"""The demo's own page, which no other run ever shows; and what a connection leaves to a person."""

from __future__ import annotations

import re

from sqlalchemy import text
from werkzeug.test import Client

from brokers.ibkr.simulator import Simulator
from brokers.testing.clock import START, FakeClock
from brokers.testing.network import WsgiNetwork
from portfolio.app import create_app, prepare_database
from portfolio.db.base import db
from portfolio.demo import alone, demo_settings, fill
from portfolio.settings import Settings

HTML = {"Accept": "text/html"}
MAIN = "U1234567"
PORTFOLIOS = "/api/v1/portfolios"


def test_every_trouble_is_played_with_a_click_in_the_demo_only(desk, tmp_path):
    assert desk.program.get("/demo", headers=HTML).status_code == 404
    assert "Play a trouble" not in desk.program.get("/", headers=HTML).get_data(as_text=True)
    clock = FakeClock()
    simulator = Simulator(clock)
    settings = Settings.load({"FOLIOSYNC_DATA_DIR": str(tmp_path / "demo")}, demo=True)
    app = create_app(settings, clock=clock, network=WsgiNetwork(simulator), demo=simulator)
    prepare_database(app)
    client = app.test_client(use_cookies=False)
    page = client.get("/demo", headers=HTML).get_data(as_text=True)
    # Where the market moves is a page of the simulator, which nobody finds without a link.
    (link,) = re.findall(r'href="https://localhost:5000(/[^"]+)"', page)
    assert "Move all prices" in Client(simulator).get(link).text
    for name in simulator.scenarios:
        assert "Play<span" in page
        assert name in page
        line = page.split(f"<strong>{name}</strong>", 2)[-1].split("</li>")[0]
        assert ("What it does to the account lasts." in line) == (name in simulator.lasting)
    done = client.post("/demo", data={"scenario": "signed-out"})
    assert (done.status_code, simulator.playing) == (303, "signed-out")
    wrong = client.post("/demo", data={"scenario": "nonsense"})
    assert list(wrong.json["error"]["fields"]) == ["scenario"]
    app.extensions["foliosync"].stop()
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def test_the_demo_leaves_aside_what_names_your_own_things_and_keeps_who_may_reach_it(tmp_path):
    """What the README says of it."""
    key = "FOLIOSYNC_ENCRYPTION_KEYS", "canary-4711-key-that-has-43-characters-abcd="
    environ = {"FOLIOSYNC_DATA_DIR": str(tmp_path), "FOLIOSYNC_AUTH": "password"} | dict([key])
    environ |= {"FOLIOSYNC_HOST": "0.0.0.0", "FOLIOSYNC_ALLOWED_HOSTS": "folio.example"}
    own = demo_settings(Settings.load(environ))
    assert {name for name, source in own.sources.items() if source == "demo"} == {
        *("DATA_DIR", "DATABASE_URL", "SECRET_KEY_FILE", "KEY_FILE", "ENCRYPTION_KEYS"),
        *("NOTIFY_URLS", "JOBS"),
    }
    assert own.sealing_file == tmp_path / "demo.key"
    assert own.sqlite_file == tmp_path / "demo" / "foliosync.db"
    # Logins are what lets it listen there.
    assert (own.auth, own.host, own.allowed_hosts) == ("password", "0.0.0.0", ("folio.example",))


def test_a_data_folder_that_the_demo_makes_is_its_owner_s_alone(tmp_path):
    folder = tmp_path / "data" / "demo"
    with alone(folder):
        modes = {each.name: each.stat().st_mode & 0o777 for each in (folder.parent, folder)}
    assert modes == {"data": 0o700, "demo": 0o700}
    folder.parent.chmod(0o755)
    with alone(folder):
        assert folder.parent.stat().st_mode & 0o777 == 0o755


def played(desk, *calls):
    """What somebody did in the demo before it starts again, and what it says then."""
    for method, path, body in calls:
        done = desk.program.open(path, method=method, json=body)
        assert done.status_code < 300, done.json
    desk.turn()
    return fill(desk.app)


def test_the_demo_starts_again_whatever_was_renamed_disconnected_or_deleted(desk):
    """It looked for its account by the names that it gave, and ended where it found another."""
    portfolio = f"{PORTFOLIOS}/1"
    account = f"{portfolio}/accounts/IBKR%20Main"
    assert played(desk).startswith("“IBKR Main” is synced: 235 added,")
    assert played(desk, ("PATCH", portfolio, {"name": "Old age"})).startswith("“IBKR Main” is")
    assert played(desk, ("PATCH", account, {"name": "50/50"})).startswith("“50/50” is synced: 0 a")
    back = ("PATCH", f"{portfolio}/accounts/~1", {"name": "IBKR Main"})
    assert played(
        desk, back, ("POST", "/portfolio/1/accounts/IBKR%20Main/disconnect", {})
    ).startswith("“IBKR Main” is synced: 235 added,")
    # “Old age” has the former copy; “Retirement” is made anew.
    found = {each["name"]: each["id"] for each in desk.program.get(PORTFOLIOS).json["items"]}
    assert found == {"Old age": 1, "Retirement": 2}
    anew = "/portfolio/2/accounts/IBKR%20Main"
    other = ("POST", f"{anew}/connect/ibkr", {"account_id": "U7654321"})
    said = played(desk, ("POST", f"{anew}/disconnect", {"holdings": "close"}), other)
    assert said.startswith("“IBKR Main 2” is synced: 235 added,")
    gone = f"/api{anew.replace('/portfolio/', '/v1/portfolios/')}%202"
    calls = ("POST", f"{anew}%202/disconnect", {}), ("DELETE", gone, None)
    assert played(desk, *calls).startswith("“IBKR Main 2” is synced: 235 added,")


def test_two_syncs_that_differ_carry_a_badge_until_one_agrees(desk):
    url = desk.connected()
    desk.simulator.play("books-differ")
    first = desk.sync(url).json["run"]
    assert (first["reconciliation"]["status"], first["warnings"]) == ("differs", [])
    assert first["reconciliation"]["difference"] == "5000"
    account = "/api/v1/portfolios/1/accounts/A"
    assert desk.program.get(account).json["warnings"] == []
    second = desk.sync(url).json["run"]
    assert (second["status"], second["warnings"]) == ("succeeded", ["not_reconciled"])
    found = desk.program.get(account).json
    assert (found["warnings"], found["stale"]) == (["not_reconciled"], False)
    page = desk.program.get(url, headers=HTML).get_data(as_text=True)
    assert "differs from IBKR by 5,000.00 USD" in page
    desk.simulator.play("calm")
    desk.turn(60)
    assert desk.sync(url).json["run"]["reconciliation"]["status"] == "agrees"
    assert desk.program.get(account).json["warnings"] == []


def test_without_market_data_the_last_prices_stay(desk):
    url = desk.connected()
    before = desk.holdings(url)["totals"]["net_liquidation"]
    desk.simulator.play("no-market-data")
    run = desk.sync(url).json["run"]
    assert (run["status"], run["repriced"], run["warnings"]) == (
        "succeeded",
        0,
        ["no_market_data"],
    )
    assert run["reconciliation"]["status"] == "unavailable"
    assert desk.holdings(url)["totals"]["net_liquidation"] == before


def test_a_total_says_how_old_its_parts_are(desk):
    desk.connected()
    fresh = desk.program.get("/", headers=HTML).get_data(as_text=True)
    assert "includes A as of" not in fresh
    desk.turn(2 * 86_400)
    for url in ("/", "/portfolio/1"):
        old = desk.program.get(url, headers=HTML).get_data(as_text=True)
        assert "includes A as of Friday 14:00" in old


def test_an_account_says_in_words_since_when_it_is_old(desk):
    """Freshness is in words: “read 14:05, 2 min ago”, “stale since Friday 22:00”."""
    url = desk.connected()
    desk.turn(120)
    assert "read 14:00, 2 min ago" in desk.program.get(url, headers=HTML).text
    for days, said in ((2, "Friday 14:00"), (7, "Fri 20 Nov 26, 14:00")):
        desk.turn(days * 86_400 - (desk.clock.now() - START).total_seconds())
        assert f"stale since {said}" in desk.program.get(url, headers=HTML).text
    assert desk.sync(url).status_code == 200
    assert "stale since" not in desk.program.get(url, headers=HTML).text


def found(desk, symbol):
    page = desk.program.get("/api/v1/portfolios/1/accounts/A/holdings?limit=500").json
    (row,) = [each for each in page["holdings"] if each["instrument"]["symbol"] == symbol]
    return row


def test_notes_are_offered_to_what_took_a_contract_s_place(desk):
    url = desk.connected()
    with desk.app.app_context():
        db.session.execute(
            text(
                "UPDATE holding SET notes = 'for Ada' WHERE instrument_id ="
                " (SELECT id FROM instrument WHERE symbol = 'AAPL' AND kind = 'stock')"
            )
        )
        db.session.commit()
    assert "took its place" not in desk.program.get(url, headers=HTML).get_data(as_text=True)
    row = desk.simulator.state.accounts[MAIN].find("AAPL")
    row.conid, row.ticker = 912_345, "APPL"
    desk.turn(20 * 86_400)
    desk.simulator.sign_in()
    run = desk.sync(url).json["run"]
    assert (run["added"], run["closed"]) == (1, 1)
    page = desk.program.get(url, headers=HTML).get_data(as_text=True)
    assert "Move the notes to APPL" in page
    held = desk.program.get(
        f"/api/v1{url.replace('/portfolio', '/portfolios')}/holdings?limit=500"
    )
    (heir,) = [h for h in held.json["holdings"] if h["instrument"]["symbol"] == "APPL"]
    assert desk.program.post(f"{url}/holdings/{heir['id']}/inherit").status_code == 303
    held = desk.program.get(
        f"/api/v1{url.replace('/portfolio', '/portfolios')}/holdings?limit=500"
    )
    (heir,) = [h for h in held.json["holdings"] if h["instrument"]["symbol"] == "APPL"]
    assert heir["notes"] == "for Ada"
    assert desk.program.post(f"{url}/holdings/{heir['id']}/inherit").status_code == 404
    # Who takes the change back is offered the notes for what is held again; and so on.
    for gone, back in (("APPL", "AAPL"), ("AAPL", "APPL")):
        desk.turn(86_400)
        run = desk.program.post(f"/api/v1/runs/{run['id']}/undo").json["run"]
        page = desk.program.get(url, headers=HTML).get_data(as_text=True)
        assert f"<strong>{gone}</strong> is no longer held" in page
        assert f"Move the notes to {back}" in page
        row = found(desk, back)
        assert row["notes"] is None
        assert desk.program.post(f"{url}/holdings/{row['id']}/inherit").status_code == 303
        assert found(desk, back)["notes"] == "for Ada"
