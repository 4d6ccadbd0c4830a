from __future__ import annotations

import errno
import socket
import ssl

import pytest
import requests
from urllib3.exceptions import NewConnectionError

from brokers.failures import Failure, failure_of

NOBODY, SILENCE = Failure.NOBODY_LISTENS, Failure.SILENCE
CLOSED, OTHER = Failure.CLOSED, Failure.ANOTHER_PROTOCOL


@pytest.mark.parametrize(
    ("error", "means"),
    [
        (ConnectionRefusedError(), NOBODY),
        (socket.gaierror(-2, "Name or service not known"), NOBODY),
        (UnicodeError("label too long"), NOBODY),
        (OSError(errno.EHOSTUNREACH, "No route to host"), NOBODY),
        (requests.ConnectionError(socket.gaierror(-2, "unknown")), NOBODY),
        (TimeoutError(), SILENCE),
        (requests.ReadTimeout(), SILENCE),
        (requests.ConnectionError(TimeoutError()), SILENCE),
        (requests.ConnectionError(NewConnectionError(None, "nobody")), NOBODY),
        (requests.ConnectionError("closed in between"), SILENCE),
        (ssl.SSLEOFError(), CLOSED),
        (requests.exceptions.SSLError(ssl.SSLEOFError()), CLOSED),
        (ConnectionResetError(), CLOSED),
        (ssl.SSLError(1, "wrong version number"), OTHER),
        (ValueError("error parsing asn1 value"), OTHER),
    ],
)
def test_what_brought_no_answer_is_told_apart(error, means):
    assert failure_of(error) is means
