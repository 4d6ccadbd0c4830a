"""Why a call brought no answer: what libraries raise, told apart; an adapter finds the words."""

from __future__ import annotations

import errno
import socket
import ssl
from enum import Enum, auto
from http.client import RemoteDisconnected

import requests

NOT_TLS = (ssl.SSLError, requests.exceptions.SSLError)
CUT = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ConnectionResetError)
NO_WAY = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN)


class Failure(Enum):
    """What stood in the way of an answer."""

    NOBODY_LISTENS = auto()
    SILENCE = auto()
    # Before or in the greeting: a gateway that restarts, or a program that speaks no TLS.
    CLOSED = auto()
    ANOTHER_PROTOCOL = auto()


def failure_of(error: Exception) -> Failure:
    """What a `requests` exception, an `OSError` or a `ValueError` of a call means."""
    causes = _causes(error)
    if isinstance(error, (requests.Timeout, TimeoutError)):
        return Failure.SILENCE
    if _any(causes, (ConnectionRefusedError, ConnectionAbortedError)) or _leads_nowhere(causes):
        return Failure.NOBODY_LISTENS
    if _any(causes, TimeoutError):
        return Failure.SILENCE
    if _any(causes, CUT):
        return Failure.CLOSED
    # A plain `ValueError` comes from a certificate that cannot be read.
    if _any(causes, NOT_TLS) or type(error) is ValueError:
        return Failure.ANOTHER_PROTOCOL
    never_connected = any("NewConnectionError" in type(cause).__name__ for cause in causes)
    return Failure.NOBODY_LISTENS if never_connected else Failure.SILENCE


def _leads_nowhere(causes: list[BaseException]) -> bool:
    """Whether the name is nobody's (or none at all), or no way leads to the address."""
    if _any(causes, (socket.gaierror, UnicodeError)):
        return True
    return any(isinstance(cause, OSError) and cause.errno in NO_WAY for cause in causes)


def was_closed(error: Exception) -> bool:
    """Whether a kept connection was closed by the other side before it answered."""
    return _any(_causes(error), (ConnectionResetError, BrokenPipeError, RemoteDisconnected))


def _any(
    causes: list[BaseException], kinds: type[BaseException] | tuple[type[BaseException], ...]
) -> bool:
    return any(isinstance(cause, kinds) for cause in causes)


def _causes(error: BaseException) -> list[BaseException]:
    """An exception with all that is wrapped in it; libraries nest in three different ways."""
    found: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        current = waiting.pop()
        if isinstance(current, BaseException) and current not in found:
            found.append(current)
            nested = (current.__cause__, current.__context__, getattr(current, "reason", None))
            waiting += [*nested, *current.args]
    return found
