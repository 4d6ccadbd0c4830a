"""The one way out: listed endpoints, a total deadline, a byte limit, nothing remembered."""

from __future__ import annotations

import json
import logging
import re
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from decimal import Decimal
from http import HTTPStatus
from http.cookiejar import DefaultCookiePolicy
from io import BytesIO
from itertools import chain
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec
import requests
from requests.cookies import RequestsCookieJar

from brokers.contract import Clock, Recorder
from brokers.errors import Malformed, Refused
from brokers.pacing import Pacer
from brokers.tls import PinnedAdapter, VerifiedAdapter, fetch_certificate
from brokers.types import Certificate

log = logging.getLogger(__name__)

USER_AGENT = "Foliosync"
DEADLINE = 12.0
# A connection with its greeting takes far less, unless nobody is there.
CONNECTING = 5.0
LARGEST_ANSWER = 20_000_000
# What is decoded at a time: while it is, no other thread gets a turn.
CHUNK = 32_768
DECODER = msgspec.json.Decoder(float_hook=Decimal)
# Between two rows of a list, and perhaps within a text.
BETWEEN_ROWS = b"},"
# A character of nobody's language marks a decimal on its way through the standard encoder.
MARK = "\ue000"
MARKED = re.compile(r'"\\ue000(-?[0-9.]+)\\ue000"')

# What is made of the rows of a list while they arrive.
Take = Callable[[Any], Any]

# When the call under way must be over, by the clock handed in; read by each receive of its socket.
_over_at: ContextVar[tuple[Clock, float] | None] = ContextVar("over_at", default=None)


class DeadlineSocket(ssl.SSLSocket):
    """A TLS socket on which no sequence of slow bytes outlasts the call's total deadline."""

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        """Receive within what is left of the deadline."""
        bounded = _over_at.get()
        if bounded is not None:
            clock, over_at = bounded
            left = over_at - clock.monotonic()
            if left <= 0:
                raise TimeoutError("the total deadline has passed")
            self.settimeout(left)
        return super().recv_into(*args, **kwargs)

    def recv(self, *args: Any, **kwargs: Any) -> bytes:
        """Receive, and close where that fails.

        Python looks for early bytes of a peer that has left before the greeting by this, and would
        leave the socket open when that peer has reset the connection.
        """
        try:
            return super().recv(*args, **kwargs)
        except OSError:
            self.close()
            raise


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A method and a path template; `pattern` of each parameter is checked by `path`."""

    method: str
    template: str
    parameters: Mapping[str, Any]

    def path(self, values: Mapping[str, str]) -> str:
        """The path for these values; `Refused` where one does not match its pattern."""
        if values.keys() != self.parameters.keys():
            raise Refused(f"{self.template} takes {sorted(self.parameters)}.")
        for name, value in values.items():
            if not self.parameters[name].fullmatch(value):
                raise Refused(f"{self.template} does not take this {name}.")
        return self.template.format(**values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back: status, content type in lower case, raw body, and two headers.

    `taken` is what was made of a list while it arrived; there is no body then.
    """

    status: int
    content_type: str
    body: bytes
    taken: Any = None
    location: str | None = None
    retry_after: str | None = None


class RealNetwork:
    """Real sockets; every session speaks to the holder of one certificate only."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def session(self, certificate: Certificate) -> requests.Session:
        """A session without cookies, proxies, redirects or anybody's environment."""
        session = plain_session()
        session.mount("https://", PinnedAdapter(certificate, DeadlineSocket))
        return session

    def certificate(self, host: str, port: int, timeout: float) -> Certificate:
        """The certificate shown at an address."""
        return fetch_certificate(host, port, timeout)


def public_session() -> requests.Session:
    """A session for public hosts: ordinary verification, and the same deadline as everywhere."""
    session = plain_session()
    session.mount("https://", VerifiedAdapter(DeadlineSocket))
    return session


def plain_session() -> requests.Session:
    """A session that carries nothing from the environment and keeps nothing from an answer."""
    session = requests.Session()
    session.adapters.clear()
    session.trust_env = False
    session.cookies = RequestsCookieJar(policy=DefaultCookiePolicy(allowed_domains=[]))
    session.headers.clear()
    session.headers.update({"User-Agent": USER_AGENT, "Accept": "application/json"})
    return session


class Caller:
    """Sends listed endpoints to one address, paced, bounded, and logged without their values.

    `before` is called before each call and may stop it by an exception of its own.
    """

    def __init__(
        self,
        base: str,
        session: requests.Session,
        pacer: Pacer,
        clock: Clock,
        *,
        recorder: Recorder | None = None,
        before: Callable[[], None] | None = None,
    ) -> None:
        self._session = session
        self._prepared = {
            method: requests.Request(method, base, headers=session.headers).prepare()
            for method in ("GET", "POST")
        }
        self._pacer = pacer
        self._clock = clock
        self._recorder = recorder
        self._before = before

    def send(
        self,
        endpoint: Endpoint,
        values: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        take: Take | None = None,
    ) -> Answer:
        """One call; raises what `requests` raises, `Refused`, `RateLimited`, or `Malformed`.

        `take` is given the rows of a list as they arrive, so that thousands are never there at
        once, and may raise, too. It is not asked where a recording wants the body, or no list
        comes.
        """
        request = self._request(endpoint, values or {}, query or {})
        if self._before is not None:
            self._before()
        self._pacer.wait(endpoint.template)
        began = self._clock.monotonic()
        token = _over_at.set((self._clock, began + DEADLINE))
        status: int | None = None
        try:
            with self._session.send(
                request,
                timeout=(min(CONNECTING, DEADLINE), DEADLINE),
                allow_redirects=False,
                stream=True,
                proxies={},
            ) as response:
                status = response.status_code
                answer = self._read(response, began, take if self._recorder is None else None)
        finally:
            _over_at.reset(token)
            self._pacer.answered(endpoint.template)
            spent = (self._clock.monotonic() - began) * 1000
            log.debug("%s %s %s %.0f ms", endpoint.method, endpoint.template, status, spent)
        if self._recorder is not None:
            self._recorder.note(endpoint.method, str(urlsplit(request.url).path), answer)
        return answer

    def _request(
        self, endpoint: Endpoint, values: Mapping[str, str], query: Mapping[str, str]
    ) -> requests.PreparedRequest:
        """A call: the address and the headers are prepared once, the rest needs no preparing.

        Commas stay what they are: at each turn, an escaped query is gone through byte by byte.
        """
        request = self._prepared[endpoint.method].copy()
        asked = f"?{urlencode(query, safe=',')}" if query else ""
        request.url = f"{str(request.url).rstrip('/')}{endpoint.path(values)}{asked}"
        return request

    def _read(self, response: requests.Response, began: float, take: Take | None) -> Answer:
        pieces, status = self._pieces(response, began), response.status_code
        # Its value is what it has, where a copy would be another five megabytes.
        body, first = BytesIO(), next(pieces, b"")
        if take is not None and status == HTTPStatus.OK and first.startswith(b"["):
            taken = take(decode_rows(chain((first,), pieces)))
        else:
            taken = None
            body.writelines(chain((first,), pieces))
        return Answer(
            status=status,
            content_type=response.headers.get("Content-Type", "").split(";")[0].strip().lower(),
            body=body.getvalue(),
            taken=taken,
            location=response.headers.get("Location"),
            retry_after=response.headers.get("Retry-After"),
        )

    def _pieces(self, response: requests.Response, began: float) -> Iterator[bytes]:
        """The body as it arrives, bounded in bytes and in time."""
        size = 0
        for piece in response.iter_content(CHUNK):
            size += len(piece)
            if size > LARGEST_ANSWER:
                raise Malformed("The answer is larger than any account.")
            if self._clock.monotonic() - began > DEADLINE:
                raise requests.ReadTimeout("the total deadline has passed")
            yield piece


def decode(body: bytes) -> Any:
    """The value of a JSON text, decimals exact; `Malformed` for anything that is not one."""
    try:
        value = DECODER.decode(body)
        # Of two equal keys the decoder takes the last one; which is true, nobody knows. There is a
        # colon for each key that stands there, so no key stands twice where there are no more.
        colons = body.count(b":")
        if _keys(value, colons) != colons:
            json.loads(body, object_pairs_hook=_distinct, parse_float=str)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise Malformed("The answer is not JSON.") from None
    return value


def decode_rows(pieces: Iterable[bytes]) -> Iterator[Any]:
    """The values of a JSON list that arrives in pieces, as soon as they are whole.

    Strict like `decode`, but only at the end: what was given before may be the beginning of an
    answer that is none.
    """
    # What stands here is a list, open at its end.
    rest, some, tried = b"", False, 0
    for piece in pieces:
        rest += piece
        cut = rest.rfind(BETWEEN_ROWS)
        # What is within a text stays open for long: to try at each piece would take for ever.
        if cut < 0 or len(rest) < 2 * tried:
            continue
        rows = _list(rest[: cut + 1] + b"]")
        if rows is None:
            tried = len(rest)
            continue
        yield from rows
        rest, some, tried = b"[" + rest[cut + len(BETWEEN_ROWS) :], True, 0
    rows = _list(rest)
    if rows is None or (some and not rows):
        raise Malformed("The answer is no list.")
    yield from rows


def _list(text: bytes) -> list[Any] | None:
    """The list that a text is, or None: within a text or an inner list, nothing ends."""
    try:
        value = decode(text)
    except Malformed:
        return None
    return value if type(value) is list else None


def _keys(value: Any, most: int) -> int:
    """How many keys all objects of a value have; not looked for any further once it is `most`."""
    objects, lists = _containers([value])
    count = sum(map(len, objects))
    while count < most and (objects or lists):
        inner = chain.from_iterable(chain((of.values() for of in objects), lists))
        objects, lists = _containers(inner)
        count += sum(map(len, objects))
    return count


def _containers(values: Iterable[Any]) -> tuple[list[dict[str, Any]], list[list[Any]]]:
    found = [of for of in values if type(of) is dict or type(of) is list]
    return [of for of in found if type(of) is dict], [of for of in found if type(of) is list]


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def encode(value: Any, indent: int | None = None) -> bytes:
    """The JSON text of a value; decimals keep their digits, and a point to be read as such."""
    return MARKED.sub(r"\1", json.dumps(value, default=_marked, indent=indent)).encode()


def _marked(value: Any) -> str:
    if not isinstance(value, Decimal):
        raise TypeError(type(value).__name__)
    text = format(value, "f")
    return f"{MARK}{text if '.' in text else text + '.0'}{MARK}"
