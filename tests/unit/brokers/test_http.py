from __future__ import annotations

import json
from decimal import Decimal
from functools import partial
from itertools import pairwise

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from requests_mock import ANY

from brokers import http
from brokers.errors import Malformed, Refused
from brokers.http import LARGEST_ANSWER, Caller, decode, decode_rows, encode, plain_session
from brokers.ibkr import endpoints
from brokers.pacing import Pacer
from brokers.testing.clock import FakeClock

BASE = "https://127.0.0.1:5000/v1/api"


def caller() -> Caller:
    clock = FakeClock()
    return Caller(BASE, plain_session(), Pacer([], clock), clock)


def test_a_redirect_is_returned_and_never_followed(requests_mock):
    requests_mock.get(f"{BASE}/portfolio/accounts", status_code=307, headers={"Location": "/x"})
    answer = caller().send(endpoints.ACCOUNTS)
    assert (answer.status, answer.location) == (307, "/x")
    assert requests_mock.call_count == 1


def test_a_request_carries_our_name_and_nothing_else(requests_mock, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    requests_mock.post(f"{BASE}/tickle", json={}, headers={"Set-Cookie": "a=b; Path=/"})
    sender = caller()
    sender.send(endpoints.TICKLE)
    sender.send(endpoints.TICKLE)
    sent = requests_mock.last_request
    assert sent.headers["User-Agent"] == "Foliosync"
    assert not {"Cookie", "Authorization"} & set(sent.headers)
    assert sent.proxies in ({}, None) or "https" not in sent.proxies


def test_what_is_asked_is_sent_as_it_is_documented(requests_mock):
    requests_mock.register_uri(ANY, ANY, json={})
    sender = caller()
    sender.send(endpoints.CONTRACTS, {}, {"conids": "265598,76792991", "odd": "a b&c=/é"})
    assert requests_mock.last_request.url == (
        f"{BASE}/trsrv/secdef?conids=265598,76792991&odd=a+b%26c%3D%2F%C3%A9"
    )
    sender.send(endpoints.TICKLE)
    # IBKR refuses a POST that does not say how long its body is.
    assert requests_mock.last_request.headers["Content-Length"] == "0"
    assert requests_mock.last_request.url == f"{BASE}/tickle"
    sender.send(endpoints.ACCOUNTS)
    assert "Content-Length" not in requests_mock.last_request.headers


def test_a_path_below_an_address_without_one_begins_with_one_slash(requests_mock):
    requests_mock.get("https://127.0.0.1:5000/", text="")
    clock = FakeClock()
    Caller("https://127.0.0.1:5000", plain_session(), Pacer([], clock), clock).send(endpoints.ROOT)
    assert requests_mock.last_request.url == "https://127.0.0.1:5000/"


def test_nobody_waits_as_long_for_a_connection_as_for_an_answer(requests_mock):
    requests_mock.post(f"{BASE}/tickle", json={})
    caller().send(endpoints.TICKLE)
    assert requests_mock.last_request.timeout == (5, 12)


def test_an_answer_larger_than_the_limit_is_refused(requests_mock):
    requests_mock.post(f"{BASE}/tickle", content=b"x" * (LARGEST_ANSWER + 1))
    with pytest.raises(Malformed):
        caller().send(endpoints.TICKLE)


LISTED = {"account": "U1234567"}
AT_ONCE = f"{BASE}/portfolio2/U1234567/positions"


def test_rows_are_taken_as_they_arrive_and_what_is_no_list_of_theirs_stays_a_body(requests_mock):
    rows = [{"conid": number, "name": "x" * 100} for number in range(2_000)]
    first = []

    def take(arriving):
        found = list(arriving)
        first.append(len(found))
        return found

    requests_mock.get(
        AT_ONCE,
        [
            {"content": encode(rows)},
            {"content": encode({"error": "no"})},
            {"content": encode(rows), "status_code": 500},
            {"content": b""},
        ],
    )
    sender = caller()
    whole = sender.send(endpoints.POSITIONS_2, LISTED, None, take)
    assert (whole.taken, whole.body) == (rows, b"")
    others = [sender.send(endpoints.POSITIONS_2, LISTED, None, take) for _ in range(3)]
    assert [of.taken for of in others] == [None] * 3
    assert [of.body for of in others] == [encode({"error": "no"}), encode(rows), b""]
    assert first == [2_000]


def test_who_takes_rows_may_refuse_them_and_the_next_call_is_whole(requests_mock):
    def refuse(arriving):
        next(arriving)
        raise Refused("no")

    requests_mock.get(AT_ONCE, content=b'[{"a": 1}, {"a": 2}]')
    sender = caller()
    with pytest.raises(Refused):
        sender.send(endpoints.POSITIONS_2, LISTED, None, refuse)
    assert sender.send(endpoints.POSITIONS_2, LISTED, None, list).taken == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(
    "content", [b"[1" + b",1" * (LARGEST_ANSWER // 2), b'[{"a": 1}, {"a": 2}', b'[{"a": 1}, x]']
)
def test_rows_of_an_answer_that_is_none_are_refused(requests_mock, content):
    requests_mock.get(AT_ONCE, content=content)
    with pytest.raises(Malformed):
        caller().send(endpoints.POSITIONS_2, LISTED, None, list)


def test_a_recording_has_the_body_whoever_would_take_its_rows(requests_mock):
    noted, clock = [], FakeClock()
    requests_mock.get(AT_ONCE, content=b'[{"a": 1}]')

    class Recorder:
        def note(self, _method, _path, answer):
            noted.append(answer.body)

    sender = Caller(BASE, plain_session(), Pacer([], clock), clock, recorder=Recorder())
    assert sender.send(endpoints.POSITIONS_2, LISTED, None, list).taken is None
    assert noted == [b'[{"a": 1}]']


@pytest.mark.parametrize("account", ["../x", "U1", "u1234567", "U1234567/orders", "", "All"])
def test_an_account_id_of_another_shape_never_leaves(requests_mock, account):
    with pytest.raises(Refused):
        caller().send(endpoints.LEDGER, {"account": account})
    assert requests_mock.call_count == 0


@pytest.mark.parametrize("page", ["-1", "200", "1e2", "0/../../orders", "٣"])
def test_a_page_is_a_small_integer(requests_mock, page):
    with pytest.raises(Refused):
        caller().send(endpoints.POSITIONS, {"account": "U1234567", "page": page})
    assert requests_mock.call_count == 0


def test_the_closed_list_cannot_trade():
    text = " ".join(f"{of.method} {of.template}" for of in endpoints.ALL)
    assert {of.method for of in endpoints.ALL} == {"GET", "POST"}
    for word in ("order", "reply", "transfer", "ssodh", "iserver", "logout"):
        assert word not in text


def test_numbers_keep_every_digit():
    assert decode(b'{"a": 0.10000000000000000001}')["a"] == Decimal("0.10000000000000000001")


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b'{"a": NaN}', b"\xff", b"[" * 100_000, b'{"a":1}x', b"9" * 5000]
)
def test_what_is_not_json_is_malformed(body):
    with pytest.raises(Malformed):
        decode(body)


def test_a_plain_session_reaches_nothing_without_an_adapter():
    with pytest.raises(requests.exceptions.InvalidSchema):
        plain_session().get("https://127.0.0.1:1/")


def test_only_what_json_knows_and_decimals_are_written():
    assert encode({"a": Decimal("1.50"), "b": Decimal(2)}) == b'{"a": 1.50, "b": 2.0}'
    with pytest.raises(TypeError):
        encode({"a": object()})


@pytest.mark.parametrize(
    "body", [b'{"position": 5, "position": 7}', b'[{"a": [{"b" : 1, "c": 2, "b" : 1}]}]']
)
def test_a_name_that_stands_twice_is_no_answer(body):
    with pytest.raises(Malformed):
        decode(body)


@pytest.mark.parametrize(
    "body", [b'{"a" : 1, "b": "\\": \\": x"}', b'["\\\\\\":", {"c": {"c": {"c": []}}}]', b'"a"']
)
def test_what_only_looks_like_a_name_twice_is_one(body):
    assert decode(body) is not None


NAMES = st.sampled_from(["a", "b", '":', " :", "\\", "ä"])
# Objects as lists of pairs, so that a name may stand in one twice.
VALUES = st.recursive(
    st.none() | st.integers(0, 9) | NAMES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.lists(st.tuples(NAMES, inner), max_size=3).map(tuple)
    ),
    max_leaves=12,
)


def written(value):
    if isinstance(value, tuple):
        names = [json.dumps(of) + " " * (of == "b") for of, _ in value]
        pairs = zip(names, value, strict=True)
        return "{" + ", ".join(f"{name}: {written(inner)}" for name, (_, inner) in pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + "]"
    return json.dumps(value)


def once(pairs):
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a name stands twice")
    return dict(pairs)


def outcome(read, body):
    try:
        return read(body)
    except (Malformed, ValueError):
        return Malformed


@given(VALUES)
def test_whatever_stands_where_a_name_that_stands_twice_is_seen(value):
    body = written(value).encode()
    plain = outcome(partial(json.loads, object_pairs_hook=once), body)
    assert outcome(decode, body) == plain


def pieces(body, cuts):
    """A text in pieces, cut at these places."""
    ends = sorted({0, len(body), *(cut % (len(body) + 1) for cut in cuts)})
    return [body[start:end] for start, end in pairwise(ends)]


PARTS = ("[", "]", "{}", '{"a":1}', '{"a":', "},{", "}", ",", '"', " ", "1", "\\")
CUTS = st.lists(st.integers(0, 10_000), max_size=20)


@given(st.lists(VALUES), CUTS)
def test_rows_that_arrive_in_pieces_are_those_of_the_whole_list(values, cuts):
    body = written(values).encode()
    rows = outcome(lambda body: list(decode_rows(pieces(body, cuts))), body)
    assert rows == outcome(decode, body)


@given(st.lists(st.sampled_from(PARTS), max_size=12).map("".join), CUTS)
def test_what_looks_like_rows_and_is_no_list_is_refused_wherever_it_is_cut(text, cuts):
    body = text.encode()
    whole = outcome(decode, body)
    rows = outcome(lambda body: list(decode_rows(pieces(body, cuts))), body)
    assert rows == (whole if type(whole) is list else Malformed)


def test_rows_are_given_before_the_list_is_whole():
    arriving = iter([b'[{"a": "},{"}, {"b": [{}, {}]},', b'{"c"', b": 1}, {}", b"]"])
    rows = decode_rows(arriving)
    assert next(rows) == {"a": "},{"}
    assert list(arriving) == [b'{"c"', b": 1}, {}", b"]"]


def test_a_text_that_never_ends_is_not_tried_at_each_piece(monkeypatch):
    tried = []
    monkeypatch.setattr(http, "decode", lambda body: tried.append(len(body)) or decode(body))
    with pytest.raises(Malformed):
        list(decode_rows([b'[{"a": "', *[b"},{" * 100] * 1_000]))
    assert len(tried) < 15


@pytest.mark.parametrize(
    "body", [b"", b"[", b"[1,]", b"[1] 2", b'[{"a":1,"a":2}]', b'{"a":1}', b"[1,nul]", b"[NaN]"]
)
def test_rows_of_what_is_no_list_are_refused_as_a_whole_list_is(body):
    with pytest.raises(Malformed):
        list(decode_rows([body]))
