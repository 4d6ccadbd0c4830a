"""What a card reads of a connection is what its rows say, on each database."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from portfolio.accounts.queries.portfolios import accounts
from portfolio.connections import cards
from portfolio.connections.linked import linked_accounts
from portfolio.connections.models import Connection, Gateway
from portfolio.connections.queries import link
from portfolio.db.session import read_only
from portfolio.sync.models import SyncRun
from portfolio.sync.queries import run_view

MAIN = "U1234567"
P = "/api/v1/portfolios/1/accounts"


def card_is_of_its_rows(desk):
    """Compare with the rows, gone through in Python; the statuses of the runs."""
    with desk.app.app_context(), read_only() as session:
        rows = accounts(session, 1, [1])
        found = linked_accounts(session, rows)
        connections = {row.account_id: row for row in session.query(Connection)}
        assert found.keys() == connections.keys()
        statuses = []
        for account_id, of in found.items():
            row = connections[account_id]
            gateway = session.get_one(Gateway, row.gateway_id)
            runs = session.query(SyncRun).where(SyncRun.account_id == account_id).all()
            runs.sort(key=lambda run: (run.started_at, run.id))
            wrote = [run for run in runs if run.digest is not None]
            assert (of.link, of.since) == (link(row), row.created_at)
            assert of.paused_state_at == row.paused_state_at
            assert of.next_run_at == row.next_run_at
            assert of.gateway._asdict() == {
                name: getattr(gateway, name) for name in of.gateway._fields
            }
            assert of.run == (run_view(runs[-1]) if runs else None)
            assert of.applied == (run_view(wrote[-1]) if wrote else None)
            statuses.append((of.run and of.run.status, of.applied and of.applied.status))
        return statuses


def test_a_card_is_of_the_rows_of_its_connection(anywhere):
    url = anywhere.account()
    anywhere.account("B")
    assert card_is_of_its_rows(anywhere) == []
    anywhere.turn()
    anywhere.program.post(f"{url}/connect/ibkr", json={"account_id": MAIN})
    assert card_is_of_its_rows(anywhere) == [(None, None)]
    anywhere.sync(url)
    assert card_is_of_its_rows(anywhere) == [("succeeded", "succeeded")]
    anywhere.simulator.sign_out()
    anywhere.sync(url)
    assert card_is_of_its_rows(anywhere) == [("failed", "succeeded")]
    anywhere.simulator.sign_in()
    anywhere.simulator.sell(MAIN, "SPY")
    run = anywhere.sync(url).json["run"]
    anywhere.program.post(f"/api/v1/runs/{run['id']}/undo")
    ((newest, applied),) = card_is_of_its_rows(anywhere)
    assert newest is not None
    assert applied is not None


def test_a_list_that_is_read_while_an_account_is_disconnected_is_a_list(anywhere, monkeypatch):
    url, read = anywhere.connected(), linked_accounts

    def interrupted(*args):
        # By somebody else: in this thread, it would be the same reader.
        with ThreadPoolExecutor() as others:
            gone = others.submit(anywhere.program.post, f"{url}/disconnect")
            assert gone.result().status_code == 200
        monkeypatch.undo()
        return read(*args)

    monkeypatch.setattr(cards, "linked_accounts", interrupted)
    found = anywhere.program.get("/api/v1/connections")
    # SQLite shows one state to all statements of a reader.
    left = 1 if "sqlite" in anywhere.app.config["SQLALCHEMY_DATABASE_URI"] else 0
    assert (found.status_code, len(found.json["items"])) == (200, left)
    assert anywhere.program.get("/api/v1/connections").json["items"] == []
