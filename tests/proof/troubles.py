"""The classes of faults: each draws one random schedule of its kind and installs it."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

import requests

from brokers.http import encode
from brokers.ibkr.simulator import answers, routes
from brokers.ibkr.simulator.reply import Reply
from brokers.ibkr.simulator.state import PENALTY
from tests.integration.conftest import MAIN
from tests.proof.world import HOLDING, TRADES, Rows, World, expected, jumped, stored

HTML = "text/html"
# What a sync asks in its usual course, and beside it where it looks twice.
CALLS = ("/tickle", "/portfolio/accounts", "/ledger", "/positions/", "/sso/validate")
DATA = ("/ledger", "/positions/")
OFTEN = (1, 1, 2, 3, 1000)
UNREACHED = frozenset({"gateway_unreachable", "gateway_silent"})
UNBELIEVED = frozenset({"bad_answer", "sync_rejected"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """One class: its number, what happens, and the codes that it may lead to."""

    number: str
    what: str
    codes: frozenset[str]
    install: Callable[[World], None]


TROUBLES: dict[str, Trouble] = {}


def trouble(number: str, *codes: str) -> Callable[[Callable[[World], None]], Any]:
    """Give a class its number and its codes; its docstring says what happens."""

    def register(install: Callable[[World], None]) -> Callable[[World], None]:
        name = f"{number} {install.__name__}"
        TROUBLES[name] = Trouble(
            number=number,
            what=(install.__doc__ or "").strip(),
            codes=frozenset(codes),
            install=install,
        )
        return install

    return register


def anywhere(
    world: World, change: Callable[[str, Reply], Reply], among: tuple[str, ...] = CALLS
) -> None:
    """Change answers from a random call on, a random number of times."""
    rng = world.rng
    world.on(rng.choice(among), change, after=rng.randint(0, 4), times=rng.choice(OFTEN))


def meanwhile(world: World) -> None:
    """Perhaps the broker moves on while it is being read; a second trade may end the run."""
    trades_made = world.rng.choice((0, 0, 1, 2))
    world.notes["moving"] = trades_made > 0
    for _ in range(trades_made):

        def trades(_: str, reply: Reply) -> Reply:
            world.move(only=TRADES)
            return reply

        fragment, after = world.rng.choice(DATA), world.rng.randint(0, 3)
        world.on(fragment, trades, after=after)


def instead(status: int, body: Any, kind: str = "application/json", **headers: str) -> Any:
    """A change that answers something else."""
    return lambda _, __: Reply(status, body, kind, tuple(headers.items()))


def rows(change: Callable[[list[Any]], list[Any]]) -> Callable[[str, Reply], Reply]:
    """A change of a good list."""

    def changed(_: str, reply: Reply) -> Reply:
        good = reply.status == 200 and isinstance(reply.body, list)
        return reply._replace(body=change(list(reply.body))) if good else reply

    return changed


@trouble("R1", *UNREACHED)
def refused_or_unknown(world: World) -> None:
    """No connection, or no such name, from some call on."""
    passing, errors = world.rng.randint(0, 8), (ConnectionRefusedError(), socket.gaierror())
    cause, network = world.rng.choice(errors), world.desk.network
    asked, seen = network.connected, [0]

    def connected(request: requests.PreparedRequest) -> None:
        seen[0] += 1
        if seen[0] > passing:
            error = requests.ConnectionError("no", request=request)
            error.__cause__ = cause
            raise error
        asked(request)

    network.__dict__["connected"] = connected
    world.notes["syncs"] = world.rng.randint(1, 3)


def garbled(rng: Random) -> Callable[[str, Reply], Reply]:
    """Damage to the text of an answer that no reader may take for data."""

    def doubled(raw: bytes) -> bytes:
        # Most readers take one of two equal keys, and say nothing.
        name = rng.choice((b"position", b"cashbalance", b"session"))
        return re.sub(rb'("' + name + rb'": )([^,}]+)', rb"\1\2, \g<1>1", raw, count=1)

    damage = (
        lambda raw: raw[: rng.randint(1, len(raw) - 1)],
        lambda raw: b"\xef\xbb\xbf" + raw,
        lambda raw: raw + rng.choice((b"]", b"x", b"\x00", b"{}", raw)),
        lambda raw: raw.replace(b": ", b": NaN ", 1),
        lambda raw: raw.replace(b"0", b"Infinity", 1),
        lambda raw: raw[:9] + b"\xff\xfe" + raw[9:],
        lambda raw: b"[" * 100_000 + raw,
        lambda raw: raw.replace(b'"', b"'"),
        lambda raw: raw.replace(b"}", b",}", 1),
        lambda raw: raw.decode().encode("utf-16"),
        doubled,
    )
    way = rng.choice(damage)

    def change(_: str, reply: Reply) -> Reply:
        return reply._replace(body=way(encode(reply.body)))

    return change


@trouble("R5", "bad_answer", "not_a_gateway", "not_authenticated")
def malformed(world: World) -> None:
    """Damaged JSON: cut off, with a mark, with more behind it, equal keys, no numbers."""
    anywhere(world, garbled(world.rng))
    meanwhile(world)


@trouble("R5", "bad_answer", "session_starting", "not_authenticated", "broker_account_missing")
def wrong_shape(world: World) -> None:
    """Good JSON that is not what was asked for."""
    rng = world.rng
    shape = rng.choice((None, {}, 7, "text", [None], [[]], {"error": "oops"}, [{"acctId": MAIN}]))
    anywhere(world, instead(200, deepcopy(shape)))
    meanwhile(world)


@trouble("R5", "bad_answer")
def damaged_figures(world: World) -> None:
    """A row without its id or quantity, or with one that is none."""
    rng = world.rng
    field = rng.choice(("conid", "position"))
    value = rng.choice((None, "", "abc", "1e99", True, {}, "1,5", "NaN", Decimal("1e30")))

    def damage(page: list[Any]) -> list[Any]:
        return [{**row, field: value} for row in page[:1]] + page[1:]

    anywhere(world, rows(damage), ("/positions/",))


@trouble("R6", "not_authenticated", "positions_not_released", "bad_answer", "not_a_gateway")
def login_page(world: World) -> None:
    """The login page with 200, or the way to it."""
    page = instead(200, b"<!DOCTYPE html><html><title>Login</title></html>", HTML)
    away = instead(302, b"", HTML, Location="/sso/Login?forwardTo=22")
    anywhere(world, world.rng.choice((page, away)))
    meanwhile(world)


@trouble("R7", "not_authenticated", "positions_not_released")
def signed_out_between(world: World) -> None:
    """The session ends in the middle, or only the portfolio routes say so."""
    state = world.desk.simulator.state

    def out(path: str, reply: Reply) -> Reply:
        if world.rng.random() < 0.7:
            state.sign_out()
        return Reply(401, b"", "text/plain") if world.rng.random() < 0.5 else reply

    anywhere(world, out, DATA)
    meanwhile(world)


@trouble("R8", "bad_answer")
def flags(world: World) -> None:
    """The trading session is another's, or not there: positions are read all the same."""
    rng = world.rng
    said = {name: rng.random() < 0.5 for name in ("authenticated", "competing", "connected")}

    def change(_: str, reply: Reply) -> Reply:
        return reply._replace(body={**reply.body, "iserver": {"authStatus": said}})

    world.on("/tickle", change, after=rng.randint(0, 1), times=rng.choice(OFTEN))
    meanwhile(world)


@trouble("R9", "rate_limited")
def too_many(world: World) -> None:
    """429 somewhere: from then on silence, for every button as well."""
    rng, simulator = world.rng, world.desk.simulator
    asked_for = rng.choice((None, "60", "2700", "soon"))
    headers = {} if asked_for is None else {"Retry-After": asked_for}
    world.on(rng.choice(CALLS), instead(429, b"", **headers), after=rng.randint(0, 2))
    seen: list[int] = []

    def silent(answer: Any) -> bool:
        """Nothing was asked within a penalty that an earlier sync met."""
        asked = len(simulator.requests)
        was, limited = bool(seen), answer.status_code == 503
        kept = not was or not limited or asked == seen[-1]
        if limited:
            seen.append(asked)
        world.desk.turn(rng.randint(1, int(PENALTY) // 4))
        return kept

    world.notes["also"], world.notes["syncs"] = silent, rng.randint(1, 4)


@trouble("R10", "broker_maintenance", "not_authenticated")
def server_errors(world: World) -> None:
    """500, 502 or 503, once or in a burst."""
    status = world.rng.choice((500, 502, 503, 504))
    body = world.rng.choice((b"", b"<html>Bad Gateway</html>", b'{"error":"x","statusCode":500}'))
    anywhere(world, instead(status, body, HTML))
    meanwhile(world)
    world.notes["syncs"] = world.rng.randint(1, 3)


@trouble("R11", *UNBELIEVED)
def page_repeats(world: World) -> None:
    """A page comes again in the place of a later one."""
    kept: list[list[Any]] = []
    world.on("/positions/", rows(lambda page: kept.append(page) or page), times=1)
    again = rows(lambda page: list(kept[0]) if kept else page)
    world.on("/positions/", again, after=world.rng.randint(1, 3), times=world.rng.choice(OFTEN))
    meanwhile(world)


@trouble("R12", *UNBELIEVED)
def list_moves(world: World) -> None:
    """The order of the list changes between two pages."""
    rng = world.rng

    def shuffled(_: str, reply: Reply) -> Reply:
        rng.shuffle(world.account.held)
        return reply

    world.on("/positions/", shuffled, after=rng.randint(0, 2), times=rng.choice(OFTEN))
    meanwhile(world)


@trouble("R12", *UNBELIEVED)
def list_shrinks(world: World) -> None:
    """What is sold between two pages makes the later ones move up."""
    rng = world.rng

    def sells_first(_: str, reply: Reply) -> Reply:
        row = next(row for row in world.account.held if row.asset == "STK")
        world.account.cash[row.currency].balance += row.value
        world.account.held.remove(row)
        world.moved()
        return reply

    world.on("/positions/", sells_first, after=rng.randint(0, 2), times=rng.choice((1, 1, 2)))


@trouble("R13", *UNBELIEVED)
def page_missing(world: World) -> None:
    """A page is empty by error, so that the list ends too soon."""
    anywhere(world, rows(lambda _: []), ("/positions/1", "/positions/2", "/positions/"))
    meanwhile(world)


@trouble("R13", *UNBELIEVED)
def rows_missing(world: World) -> None:
    """Some rows of a page are missing."""
    rng = world.rng
    count = rng.randint(1, 9)
    anywhere(world, rows(lambda page: page[count:]), ("/positions/",))


@trouble("R14", *UNBELIEVED)
def empty_list(world: World) -> None:
    """A full account answers as if it were empty, in one list or in both."""
    rng = world.rng
    fragment = rng.choice(("/positions/0", "/positions"))
    world.on(fragment, rows(lambda _: []), times=rng.choice((1, 2, 1000)))
    meanwhile(world)
    world.notes["syncs"] = rng.randint(1, 3)


@trouble("R15", "bad_answer")
def foreign(world: World) -> None:
    """Rows, or the books, of another account."""
    rng = world.rng
    owner, books = rng.choice(("U7654321", "U9999999", "All", "")), {"acctcode": "U7654321"}

    def other(page: list[Any]) -> list[Any]:
        if not page:
            return page
        index = rng.randrange(len(page))
        return [*page[:index], {**page[index], "acctId": owner}, *page[index + 1 :]]

    def other_books(_: str, reply: Reply) -> Reply:
        body = {name: {**row, **books} for name, row in reply.body.items()}
        return reply._replace(body=body)

    if rng.random() < 0.7:
        anywhere(world, rows(other), ("/positions/",))
    else:
        anywhere(world, other_books, ("/ledger",))
    meanwhile(world)


def frozen(world: World, *, forgets: bool) -> None:
    """Positions come from a cache of before; `forgets` where asking to forget it helps."""
    old, stale = deepcopy(world.account.held), [True]

    def from_cache(path: str, reply: Reply) -> Reply:
        if "invalidate" in path:
            stale[0] = stale[0] and not forgets
            return reply
        return cached_page(path, old) if stale[0] else reply

    world.on("/positions/", from_cache, times=10_000)


def cached_page(path: str, old: list[Any]) -> Reply:
    """A page of the list as it was."""
    start = int(path.rsplit("/", 1)[1]) * routes.PER_PAGE
    page = old[start : start + routes.PER_PAGE]
    return Reply(200, [answers.position(row, MAIN, lean=False) for row in page])


def trades_much(world: World) -> None:
    """A trade that no tolerance covers: 0.05 % of what is held in a class of instruments."""
    row = world.rng.choice([row for row in world.account.held if row.currency == "USD"][:8])
    more = Decimal(world.rng.randint(10, 99))
    world.account.cash["USD"].balance -= more * row.price * row.multiplier
    row.quantity += more


@trouble("R16", *UNBELIEVED)
def stale_cache(world: World) -> None:
    """Positions of before a trade beside the books of after it, until the cache is forgotten."""
    frozen(world, forgets=True)
    world.move(world.rng.randint(1, 3), (trades_much,))


@trouble("R16", *UNBELIEVED)
def stale_for_good(world: World) -> None:
    """Positions of before a trade, whatever is asked: it is said that they do not add up."""
    was = [row for row in expected(world.account) if len(row) == HOLDING]
    frozen(world, forgets=False)
    world.move(world.rng.randint(1, 3), (trades_much,))

    def says_so(seen: Rows, body: Any) -> bool:
        cash = [row for row in expected(world.account) if len(row) != HOLDING]
        mixed = tuple(sorted((*was, *cash)))
        return seen == mixed and body["run"]["reconciliation"]["status"] == "differs"

    world.notes["excused"] = says_so


def alike(seen: Rows, truth: Rows, known: frozenset[str]) -> bool:
    """Whether rows differ only by what was not told: averages, and the terms of new contracts."""
    true, found = ({row[3]: row for row in rows_} for rows_ in (truth, seen))
    return found.keys() == true.keys() and all(
        one == true[key]
        or (len(one) == HOLDING and _told(one, known, one[-1]) == _told(true[key], known, one[-1]))
        for key, one in found.items()
    )


def _told(row: tuple[str, ...], known: frozenset[str], average: str) -> tuple[str, ...]:
    terms = row[4:7] if row[3] in known else ()
    return (row[3], *terms, row[7], "—" if average == "—" else row[8])


@trouble("R17", *UNBELIEVED)
def slim_rows(world: World) -> None:
    """Rows without the terms of their contracts, whose definitions are late or never come."""
    rng, state, before = world.rng, world.desk.simulator.state, stored(world.look())
    state.warm.clear()
    state.always_lean = rng.random() < 0.5
    silent = rng.sample(("currency", "assetClass", "contractDesc", "avgPrice", "name"), 2)
    blank = dict.fromkeys([*silent, "ticker", "fullName", "name", "multiplier"])
    slim = rows(lambda page: [{**row, **blank} for row in page])
    if rng.random() < 0.6:
        anywhere(world, slim, ("/positions/",))
    # What is new and comes without a name has none yet; an average that is not told is not known.
    known = frozenset(row[3] for row in before)
    world.notes["excused"] = lambda seen, _: any(
        alike(seen, truth, known) for truth in world.truths
    )
    late = rng.choice(({"secdef": []}, {"secdef": None}, {}))
    if rng.random() < 0.6:
        world.on("/trsrv/secdef", instead(200, late), times=rng.choice(OFTEN))


@trouble("R18")
def genuine(world: World) -> None:
    """No fault: closed, short, fractions, splits, new contracts, money of other currencies."""
    world.move(world.rng.randint(1, 5))
    world.notes["syncs"] = world.rng.randint(1, 3)


@trouble("R26", "gateway_silent", "storage_busy")
def clock_jumps(world: World) -> None:
    """The time of day jumps by an hour or a day, before a sync or in the middle of it."""
    rng = world.rng
    hours = rng.choice((-24, -1, 1, 8, 24))
    by = timedelta(hours=hours, seconds=rng.randint(-5, 5))

    def jump(_: str, reply: Reply) -> Reply:
        jumped(world, by)
        return reply

    if rng.random() < 0.5:
        jumped(world, by)
    else:
        world.on(rng.choice(CALLS), jump, after=rng.randint(0, 3))
    meanwhile(world)
    world.notes["syncs"] = rng.randint(1, 2)


@trouble("R28", "certificate_changed")
def other_certificate(world: World) -> None:
    """The gateway comes back with another certificate: nothing is sent until somebody says so."""
    state = world.desk.simulator.state

    def restart(_: str, reply: Reply) -> Reply:
        state.certificate = 1
        return reply

    if world.rng.random() < 0.4:
        state.certificate = 1
    else:
        world.on(world.rng.choice(CALLS), restart, after=world.rng.randint(0, 3))
    meanwhile(world)


@trouble("R29", "not_authenticated", "positions_not_released")
def daily_end(world: World) -> None:
    """The session ends as it does once a day, or after a long idle time."""
    rng, state = world.rng, world.desk.simulator.state
    way = rng.choice(("now", "soon", "asleep"))
    if way == "now":
        state.sign_out()
    elif way == "soon":
        ends = rng.randint(1, 2)
        state.ends_at = state.clock.now() + timedelta(seconds=ends)
    else:
        state.idle_limit = 360
        world.desk.turn(rng.randint(361, 90_000))
    meanwhile(world)
    world.notes["syncs"] = rng.randint(1, 3)
