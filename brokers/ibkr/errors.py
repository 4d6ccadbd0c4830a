"""From what a gateway answers, or fails to answer, to an error with its cure."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from brokers.addresses import place
from brokers.errors import (
    AddressNotAllowed,
    BrokerError,
    BrokerMaintenance,
    GatewaySilent,
    GatewayUnreachable,
    Malformed,
    NotAGateway,
    NotAuthenticated,
    PositionsNotReleased,
    RateLimited,
    SessionStarting,
)
from brokers.failures import Failure, failure_of
from brokers.http import Answer
from brokers.ibkr.calendar import quiet_until

NOT_AUTHENTICATED = "Not authenticated with IBKR"
NOT_CONNECTED = "Failed to connect to Interactive Brokers API"
SHORTEST_PENALTY = timedelta(minutes=15)
SAMPLE = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Where and when a call was made, and the time zone of the person who reads about it.

    `region` is where IBKR keeps the session, as far as it has said so.
    """

    address: str
    login_address: str
    now: datetime
    zone: tzinfo = UTC
    region: str | None = None

    def clock(self, when: datetime) -> str:
        """A time as a person's clock shows it; with its day where that is not today."""
        local = when.astimezone(self.zone)
        same_day = local.date() == self.now.astimezone(self.zone).date()
        return f"{local:%H:%M}" if same_day else f"{local:%d %b, %H:%M}"

    def quiet_until(self) -> tuple[datetime, str] | None:
        """When an expected outage will be over, and that as a person's clock shows it."""
        until = quiet_until(self.now, self.region)
        return None if until is None else (until, f"{until.astimezone(self.zone):%H:%M}")


def not_authenticated(at: Situation) -> NotAuthenticated:
    """Nobody is signed in; while IBKR resets, signing in has to wait."""
    quiet = at.quiet_until()
    if quiet is not None:
        until, shown = quiet
        return NotAuthenticated(
            f"{NOT_AUTHENTICATED}: IBKR resets now; sign in after about {shown}.",
            f"Open {at.login_address} in your browser and log in then.",
            retry_at=until,
        )
    return NotAuthenticated(
        f"{NOT_AUTHENTICATED}.",
        f"Open {at.login_address} in your browser and log in, then try again. "
        "IBKR ends each session once a day.",
    )


def positions_not_released() -> PositionsNotReleased:
    """Signed in, but the portfolio routes refuse."""
    return PositionsNotReleased(
        f"{NOT_AUTHENTICATED}: signed in, but positions are not released yet.",
        "Wait a minute and try again; if it stays, log in at the gateway once more.",
    )


def session_starting() -> SessionStarting:
    """Signed in a moment ago."""
    return SessionStarting(
        "The IBKR session is starting.", "Try again in a few seconds; nothing else to do."
    )


def unreachable(address: str) -> GatewayUnreachable:
    """Nothing listens."""
    return GatewayUnreachable(
        f"{NOT_CONNECTED}: nothing listens at {address}.",
        "Start the Client Portal Gateway (bin/run.sh root/conf.yaml), and check the port "
        "(default: 5000) and that your firewall allows connections to it.",
    )


def silent(address: str, retry_at: datetime | None = None) -> GatewaySilent:
    """It listens and does not answer; with `retry_at` it is not even asked until then."""
    return GatewaySilent(
        f"{NOT_CONNECTED}: {address} does not answer in time.",
        "The gateway may have lost its way to IBKR. Check your internet connection; if it stays, "
        "restart the gateway and log in again.",
        retry_at=retry_at,
    )


def closed(address: str) -> GatewaySilent:
    """It listens where a known gateway was, and ends each connection before it answers."""
    return GatewaySilent(
        f"{NOT_CONNECTED}: {address} closes the connection before it answers.",
        "The gateway may be starting anew: it is tried again by itself. If it stays, find out "
        "what listens at this port, restart the gateway, and log in again.",
    )


def not_a_gateway(address: str) -> NotAGateway:
    """Something else listens; on macOS usually the AirPlay Receiver, where it is port 5000."""
    message = f"What answers at {address} is not a Client Portal Gateway."
    if place(address).endswith(" 5000"):
        return NotAGateway(
            message,
            "On macOS the AirPlay Receiver uses port 5000: change `listenPort` in the gateway's "
            "root/conf.yaml to 5001, restart it, and set the same port on Settings or with "
            "FOLIOSYNC_IBKR_GATEWAY_URL=https://localhost:5001.",
        )
    return NotAGateway(
        message,
        "Look up `listenPort` in the gateway's root/conf.yaml and set the same port on Settings "
        "or with FOLIOSYNC_IBKR_GATEWAY_URL. If it is this one, another program has it: change "
        "both to a port that is free.",
    )


def address_not_allowed() -> AddressNotAllowed:
    """The gateway refuses this computer."""
    return AddressNotAllowed(
        "The gateway does not allow this computer's address.",
        "Add the address to `ips: allow` in the gateway's root/conf.yaml (127.0.0.1 for this "
        "computer) and restart it; a restart loses the login.",
    )


def rate_limited(until: datetime, at: Situation) -> RateLimited:
    """Too many requests; silence until then."""
    return RateLimited(
        f"IBKR asked for silence after too many requests, until about {at.clock(until)}.",
        "Nothing to do: it is tried again afterwards. You may have to log in again then.",
        retry_at=until,
    )


def from_exception(error: Exception, address: str, *, known: bool = False) -> BrokerError:
    """The error behind a call that brought no answer; `known` where a gateway answered before."""
    if isinstance(error, BrokerError):
        return error
    said: dict[Failure, Callable[[str], BrokerError]] = {
        Failure.NOBODY_LISTENS: unreachable,
        Failure.SILENCE: silent,
        Failure.CLOSED: closed if known else not_a_gateway,
        Failure.ANOTHER_PROTOCOL: not_a_gateway,
    }
    return said[failure_of(error)](address)


def from_status(answer: Answer, at: Situation) -> BrokerError | None:
    """The error that the status of an answer means, or None where it may be data."""
    status = answer.status
    if status == 200:
        return None
    if status in {401, 302, 301, 303, 307, 308}:
        return not_authenticated(at)
    if status in {403, 404} and b"Access Denied" in answer.body[:200]:
        return address_not_allowed()
    if status == 429:
        return rate_limited(at.now + penalty(answer.retry_after), at)
    if status >= 500:
        return maintenance(status, at)
    return bad(f"The gateway answered with status {status}.", answer.body)


def maintenance(status: int, at: Situation) -> BrokerMaintenance:
    """IBKR's own systems are down, perhaps as announced."""
    quiet = at.quiet_until()
    if quiet is not None:
        until, shown = quiet
        return BrokerMaintenance(
            f"IBKR resets now; it is back after about {shown}.",
            "Nothing to do: it is tried again then, and the last data is kept.",
            retry_at=until,
        )
    return BrokerMaintenance(
        f"IBKR is not available now (status {status}).",
        "It heals by itself, often within minutes; the last data is kept.",
    )


def penalty(retry_after: str | None) -> timedelta:
    """How long to be silent after a 429: what was asked for, but at least fifteen minutes."""
    asked = int(retry_after) if retry_after and retry_after.isdigit() else 0
    return max(timedelta(seconds=min(asked, 86_400)), SHORTEST_PENALTY)


def from_body(value: Any, body: bytes, at: Situation) -> BrokerError | None:
    """The error that a decoded 200 carries, or None: some failures come with status 200."""
    if not isinstance(value, dict) or "error" not in value:
        return None
    text = str(value["error"]).lower()
    if "no session" in text or "not authenticated" in text or "not logged in" in text:
        return not_authenticated(at)
    return bad("The gateway answered with an error instead of data.", body)


def bad(message: str, body: bytes = b"") -> Malformed:
    """An answer that cannot be believed, with a redacted sample of it."""
    return Malformed(message, sample=redacted(body))


def redacted(body: bytes) -> str | None:
    """The beginning of an answer without account ids, names of people, or figures."""
    text = body[:SAMPLE].decode("utf-8", "replace")
    masked = re.sub(r"\d", "9", re.sub(r"\b[A-Z]{1,3}\d{4,12}\b", "U0000000", text))
    return re.sub(r'("(?:\w*[nN]ame|\w*Title|\w*Alias)"\s*:\s*)"[^"]*"', r'\1"…"', masked) or None
