"""The commands `doctor` and `gateway`: the walk of the page on a terminal, and a key store."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from flask import Flask

from brokers.contract import CapabilityMissing, Connection
from brokers.errors import BrokerError
from brokers.recording import Recording
from brokers.types import Diagnosis
from portfolio.connections.gateways import Outside, Route, find_gateway, reaching, route_of
from portfolio.connections.schemas import DiagnosisSchema
from portfolio.db.session import unit_of_work
from portfolio.errors import NotFound, SetupProblem
from portfolio.web.runtime import EXTENSION, Runtime

MARKS = {True: "✓", False: "✗", None: "·"}
PASSWORD_LENGTH = 24
KEY_STORE = "foliosync-gateway.jks"


def examine(
    app: Flask,
    gateway: tuple[str, int | None],
    record: Path | None,
    draw: Callable[[int], int] = secrets.randbelow,
) -> tuple[Diagnosis, Route]:
    """Walk the chain to the broker; with `record`, also read all accounts and keep the answers.

    `gateway` is the broker's key and an id, or None for its first gateway. `draw(n)` gives the
    numbers from 0 to n - 1 that the recording is scrubbed with.
    """
    runtime: Runtime = app.extensions[EXTENSION]
    with app.app_context():
        route = _route(runtime, *gateway)
        outside: Outside = runtime.outside
        if record is None:
            with reaching(route, outside=outside) as broker:
                return broker.diagnose(), route
        try:
            kept = Recording(outside.broker(route.broker).scrubber(draw))
        except CapabilityMissing:
            raise SetupProblem(f"The adapter “{route.broker}” makes no recordings.") from None
        try:
            with reaching(route, outside=replace(outside, recorder=kept)) as broker:
                found = broker.diagnose()
                _read_everything(broker)
        finally:
            _write(record, kept.document())
        return found, route


def _route(runtime: Runtime, broker: str, gateway_id: int | None) -> Route:
    try:
        with unit_of_work() as session:
            owner = runtime.owner_of(session)
            return route_of(find_gateway(session, owner, gateway_id, broker))
    except NotFound:
        raise SetupProblem(f"There is no such gateway of the broker “{broker}”.") from None


def _read_everything(broker: Connection) -> None:
    """Read each account once; what fails is in the recording as well."""
    with suppress(BrokerError):
        for account in broker.accounts():
            with suppress(BrokerError):
                broker.snapshot(account.id)


def _write(file: Path, content: bytes) -> None:
    try:
        file.write_bytes(content)
    except OSError as error:
        raise SetupProblem(f"{file} cannot be written: {error.strerror}.") from None


def as_text(found: Diagnosis) -> str:
    """The findings as lines for a terminal."""
    lines = [found.message]
    for check in found.checks:
        lines.append(f"  {MARKS[check.ok]} {check.title}: {check.message}")
        if check.remedy and not check.ok:
            lines.append(f"    {check.remedy}")
    return "\n".join(lines)


def as_json(found: Diagnosis, route: Route) -> str:
    """The findings as the documented JSON."""
    document: Any = DiagnosisSchema().dump({"diagnosis": found, "route": route})
    return json.dumps(document, indent=1, ensure_ascii=False)


def make_key_store(folder: Path, host: str) -> str:
    """Make a key store of the user's own for a gateway; the lines for its `conf.yaml`."""
    target = folder / KEY_STORE
    if target.exists():
        raise SetupProblem(f"{target} is there already; remove it to make another.")
    password = secrets.token_urlsafe(PASSWORD_LENGTH)
    command = ["keytool", "-genkeypair", "-keystore", str(target), "-storetype", "JKS"]
    command += ["-alias", "gateway", "-keyalg", "RSA", "-keysize", "2048", "-validity", "3650"]
    command += ["-dname", f"CN={host}, OU=Client Portal, O=Own"]
    command += ["-ext", f"SAN=DNS:{host},IP:127.0.0.1"]
    # The password goes by the environment: other users can read a command's arguments.
    command += ["-storepass:env", "KEYPASS", "-keypass:env", "KEYPASS"]
    environment = {"PATH": os.environ.get("PATH", ""), "KEYPASS": password}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(command, check=True, capture_output=True, env=environment)
        target.chmod(0o600)
    except FileNotFoundError:
        raise SetupProblem(
            "keytool is missing: it comes with the Java that runs the gateway; add Java's bin "
            "folder to PATH."
        ) from None
    except (OSError, subprocess.CalledProcessError) as error:
        raise SetupProblem(f"The key store could not be made: {error}.") from None
    return f'sslCert: "{target.name}"\nsslPwd: "{password}"'
