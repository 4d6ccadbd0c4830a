"""The commands `doctor` and `gateway`: the walk of the page on a terminal, and a key store."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from flask import Flask

from brokers.addresses import host_name, is_literal
from brokers.contract import CapabilityMissing, Connection
from brokers.errors import BrokerError
from brokers.recording import Recording
from brokers.types import Diagnosis
from portfolio.connections.gateways import (
    Outside,
    Route,
    diagnose,
    find_gateway,
    reaching,
    route_of,
)
from portfolio.connections.queries import gateways, linked_through
from portfolio.connections.schemas import DiagnosisSchema
from portfolio.db.paging import LARGEST_KEY
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
        route, expected = _route(runtime, *gateway)
        outside: Outside = runtime.outside
        if record is None:
            return diagnose(route, outside, expected), route
        try:
            kept = Recording(outside.broker(route.broker).scrubber(draw))
        except CapabilityMissing:
            raise SetupProblem(f"The adapter “{route.broker}” makes no recordings.") from None
        try:
            recorded = replace(outside, recorder=kept)
            found = diagnose(route, recorded, expected)
            with reaching(route, outside=recorded) as broker:
                _read_everything(broker)
        finally:
            _write(record, kept.document())
        return found, route


def _route(runtime: Runtime, broker: str, gateway_id: int | None) -> tuple[Route, Sequence[str]]:
    """The gateway to examine, and the accounts that it must list."""
    with unit_of_work() as session:
        owner = runtime.owner_of(session)
        try:
            if gateway_id is not None and not 0 < gateway_id <= LARGEST_KEY:
                raise NotFound("gateway")
            route = route_of(find_gateway(session, owner, gateway_id, broker))
            return route, linked_through(session, route.id)
        except NotFound:
            here = [of for of in gateways(session, owner) if of.broker == broker]
    known = runtime.outside.brokers.brokers
    if broker not in known:
        raise SetupProblem(
            f"There is no broker “{broker}” here; there is: {', '.join(sorted(known))}."
        )
    # Pages name gateways by their addresses; the ids stand here.
    listed = ", ".join(f"{of.id} ({of.url})" for of in here)
    there = f"; there is: {listed}." if listed else "."
    raise SetupProblem(f"There is no such gateway of the broker “{broker}”{there}")


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
    lines = [found.message if found.connected else f"{found.message} [{found.code}]"]
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
    name, target = _checked_host(host), folder / KEY_STORE
    if not folder.is_dir():
        raise SetupProblem(f"There is no folder {folder}: name the gateway's folder `root`.")
    if target.exists():
        raise SetupProblem(f"{target} is there already; remove it to make another.")
    tool = shutil.which("keytool")
    if tool is None:
        raise SetupProblem(
            "keytool is missing: it comes with the Java that runs the gateway; add Java's bin "
            "folder to PATH."
        )
    password = secrets.token_urlsafe(PASSWORD_LENGTH)
    # The password goes by the environment: other users can read a command's arguments.
    environment = {"PATH": os.environ.get("PATH", ""), "KEYPASS": password}
    try:
        _run_keytool(_command(tool, target, name), environment)
        target.chmod(0o600)
    except OSError as error:
        raise SetupProblem(f"The key store could not be made: {error.strerror}.") from None
    return f'sslCert: "{target.name}"\nsslPwd: "{password}"'


def _checked_host(host: str) -> str:
    try:
        return host_name(host)
    except ValueError:
        raise SetupProblem(
            "--host needs the name or the address of the gateway's computer, such as nas.lan."
        ) from None


def _command(tool: str, target: Path, name: str) -> list[str]:
    own = "IP" if is_literal(name) else "DNS"
    # Who reads on the gateway's own computer calls it 127.0.0.1.
    names = dict.fromkeys((f"{own}:{name}", "IP:127.0.0.1"))
    command = [tool, "-genkeypair", "-keystore", str(target), "-storetype", "JKS"]
    command += ["-alias", "gateway", "-keyalg", "RSA", "-keysize", "2048", "-validity", "3650"]
    command += ["-dname", f"CN={name}, OU=Client Portal, O=Own", "-ext", f"SAN={','.join(names)}"]
    return [*command, "-storepass:env", "KEYPASS", "-keypass:env", "KEYPASS"]


def _run_keytool(command: list[str], environment: dict[str, str]) -> None:
    """Run keytool; what it says of a failure (on its standard output) is the reason."""
    done = subprocess.run(
        command, check=False, capture_output=True, env=environment, text=True, errors="replace"
    )
    if done.returncode == 0:
        return
    said = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    reason = said[0].rstrip(".") if said else f"it ended with status {done.returncode}"
    raise SetupProblem(f"keytool could not make the key store: {reason}.")
