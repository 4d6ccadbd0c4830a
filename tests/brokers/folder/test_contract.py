"""The example plug-in passes the suite; this file is what its author would write."""

from __future__ import annotations

import json
import shutil
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from brokers import errors
from brokers.contract import Context
from brokers.testing.clock import FakeClock
from brokers.testing.contract import BrokerContract, World, failures
from brokers.testing.network import WsgiNetwork

PLUGIN = Path(__file__).parents[2] / "plugin" / "src"
ROWS = [
    {"id": 1, "symbol": "ACME", "kind": "stock", "currency": "EUR", "quantity": 10, "price": 2.5},
    {"id": 2, "symbol": "ZZZ", "currency": "EUR", "quantity": -3, "price": 40, "multiplier": 10},
]
HAPPENS = (
    errors.GatewayUnreachable,
    errors.Malformed,
    errors.BrokerAccountMissing,
    errors.SessionStarting,
)


class TestFolder(BrokerContract):
    @pytest.fixture
    def world(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
        monkeypatch.syspath_prepend(str(PLUGIN))
        from foliosync_folder import Folder

        folder = tmp_path / "accounts"

        def calm() -> None:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            for name, rows in (("main", ROWS), ("empty", [])):
                account = {"name": name, "currency": "EUR", "cash": 1.5, "positions": rows}
                (folder / f"{name}.json").write_text(json.dumps(account))

        calm()
        broker = Folder()
        context = Context(
            clock=FakeClock(),
            network=WsgiNetwork(lambda *_: []),
            address=str(folder),
            login_address=str(folder),
        )
        return World(
            broker=broker,
            connect=lambda: broker.connect(context),
            account_id="main",
            holdings={"1": Decimal(10), "2": Decimal(-3)},
            cash={"EUR": Decimal("1.5")},
            multipliers={"2": Decimal(10)},
            empty_id="empty",
            stranger_id="somebody",
            troubles={
                errors.GatewayUnreachable: lambda: shutil.rmtree(folder),
                errors.Malformed: lambda: (folder / "main.json").write_text("{half"),
                errors.BrokerAccountMissing: (folder / "main.json").unlink,
                errors.SessionStarting: lambda: [file.unlink() for file in folder.iterdir()],
            },
            calm=calm,
            never={
                of: "a folder has nothing of the kind" for of in failures() if of not in HAPPENS
            },
        )


@pytest.fixture(autouse=True)
def forget_the_plug_in():
    yield
    for name in [name for name in sys.modules if name.startswith("foliosync_folder")]:
        del sys.modules[name]
