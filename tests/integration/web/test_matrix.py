"""Every route against everybody who may come, generated from the routes that there are."""

from __future__ import annotations

import pytest

from portfolio.web.rules import RULES, Rule
from portfolio.web.scopes import FREE, NO_TOKEN, SCOPE_OF
from tests.conftest import fresh_database
from tests.integration.conftest import MAIN
from tests.integration.web.matrix import (
    CANARIES,
    JSON,
    NOBODYS,
    PAGE,
    UNKNOWN,
    body_of,
    build,
    is_json,
    readers,
    said,
)

# These are to be looked at by whoever has the link.
BY_CODE = {"sharing.invitation", "sharing.accept"}
# The documentation, whose examples are those of everybody.
SAME_FOR_ALL = {"pages.api", "api-docs.openapi_json"}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("matrix")
    yield from build(f"sqlite:///{folder / 'foliosync.db'}", folder)


@pytest.fixture(scope="module")
def world_on_postgres(tmp_path_factory, request):
    with fresh_database(request.getfixturevalue("postgres_url")) as url:
        yield from build(url, tmp_path_factory.mktemp("matrix"))


def owned(world):
    """The routes that name something of the owner's."""
    return [(route, of) for route, of in world.routes if route.arguments - set(NOBODYS)]


def answers(world, visitor, route, method, values):
    sent = {} if method == "GET" else body_of(route)
    path = world.path(route, values)
    for reader in readers(route, method):
        yield reader, world.visitors[visitor].call(method, path, reader, **sent)


def test_each_parameter_has_a_sample(world):
    named = set().union(*(route.arguments for route, _ in world.routes))
    assert named == set(world.real) == set(UNKNOWN)


def test_each_json_route_names_its_scope_or_is_for_people_only(world):
    documented = {route.endpoint for route, _ in world.routes if is_json(route)}
    assert documented | {"api-docs.openapi_json"} == set(SCOPE_OF) | NO_TOKEN
    assert not set(SCOPE_OF) & NO_TOKEN
    for route, method in world.routes:
        if route.endpoint in SCOPE_OF:
            assert (SCOPE_OF[route.endpoint] == "read") is (method == "GET"), route


def strange(world, visitor):
    for route, method in owned(world):
        real = list(answers(world, visitor, route, method, world.real))
        unknown = list(answers(world, visitor, route, method, UNKNOWN))
        for (reader, got), (_, nothing) in zip(real, unknown, strict=True):
            where = f"{visitor}: {method} {route.rule} for {reader}"
            assert got.status_code == 404, (where, got.text[:300])
            assert said(got) == said(nothing), where


@pytest.mark.parametrize("visitor", ["stranger", "revoked"])
def test_a_foreign_id_is_an_unknown_one_byte_for_byte(world, visitor):
    strange(world, visitor)


@pytest.mark.postgres
def test_so_it_is_on_postgresql(world_on_postgres):
    strange(world_on_postgres, "stranger")
    seen_by_viewer(world_on_postgres)


@pytest.mark.parametrize("visitor", ["nobody", "expired", "disabled"])
def test_who_is_not_signed_in_is_asked_to(world, visitor):
    for route, method in world.routes:
        if RULES[route.endpoint] is Rule.OPEN:
            continue
        for reader, got in answers(world, visitor, route, method, world.real):
            if reader is PAGE:
                assert (got.status_code, got.location[:6]) == (303, "/login"), route
            else:
                assert got.status_code == 401, (route, got.status_code)
                assert "Bearer" in got.headers["WWW-Authenticate"]
            assert not any(canary in got.text for canary in CANARIES), route


def seen_by_viewer(world):
    for route, method in owned(world):
        shared = RULES[route.endpoint] is Rule.SHARED
        known = route.arguments & {"portfolio_id", "run_id"}
        expected = 200 if shared else 403 if known else 404
        for reader, got in answers(world, "viewer", route, method, world.real):
            where = f"{method} {route.rule} for {reader}"
            assert got.status_code == expected, (where, got.status_code, got.text[:300])
            # The way to the broker is the owner's alone.
            assert MAIN not in got.text, where
            assert "localhost:5000" not in got.text, where


def test_a_viewer_reads_what_is_shared_and_changes_nothing(world):
    before = world.visitors["owner"].call("GET", world_api(world), JSON).json
    seen_by_viewer(world)
    assert world.visitors["owner"].call("GET", world_api(world), JSON).json == before


def world_api(world):
    return f"/api/v1/portfolios/{world.real['portfolio_id']}/accounts/Konto%20Anna/holdings"


@pytest.mark.parametrize("visitor", ["stranger", "revoked"])
def test_no_list_and_no_page_of_ones_own_shows_what_is_anothers(world, visitor):
    for route, method in world.routes:
        if method != "GET" or route.arguments or route.endpoint in SAME_FOR_ALL:
            continue
        for reader in (PAGE, JSON):
            path = f"{route.rule}?symbol=ZZANNA&text=ZZ"
            text = world.visitors[visitor].call("GET", path, reader).text
            assert not [word for word in CANARIES if word in text], route


@pytest.mark.parametrize("path", ["/ibkr/accounts", "/ibkr/test-connection"])
def test_a_gateway_named_by_a_query_is_found_by_its_owner_only(world, path):
    for visitor in ("stranger", "viewer"):
        call = world.visitors[visitor].call
        got = call("GET", f"{path}?gateway_id=1", JSON)
        assert (got.status_code, said(got)) == (
            404,
            said(call("GET", f"{path}?gateway_id=99", JSON)),
        )


def test_an_id_in_a_body_is_no_way_around(world):
    """Through a gateway, an instrument or a row of another user nothing of one's own is made."""
    call = world.visitors["stranger"].call
    made = call("POST", "/api/v1/portfolios", JSON, json={"name": "B", "base_currency": "USD"})
    api = f"/api/v1/portfolios/{made.json['id']}/accounts"
    call("POST", api, JSON, json={"name": "B", "currency": "USD"})
    where = f"/portfolio/{made.json['id']}/accounts/B"
    for gateway in (1, 99):
        body = {"account_id": MAIN, "gateway_id": gateway}
        got = call("POST", f"{where}/connect/ibkr", JSON, json=body)
        assert (got.status_code, got.json["error"]["message"]) == (
            404,
            "There is no such gateway.",
        )
    pages = [
        said(call("GET", f"{where}/holdings/new?instrument={number}", PAGE))[1]
        for number in (1, 999_999)
    ]
    assert pages[0] == pages[1]


@pytest.mark.parametrize("scope", ["read", "sync", "write"])
def test_a_token_opens_what_its_scope_names(world, scope):
    sent = {"Authorization": f"Bearer {world.tokens[scope]}"}
    for route, method in world.routes:
        # A change with the right scope would be made: so it meets ids that nobody has.
        values = world.real if method == "GET" else UNKNOWN
        body = {} if method == "GET" else {"json": {}}
        client = world.desk.app.test_client()
        path = world.path(route, values)
        for accept in ("application/json", "text/html"):
            headers = {**sent, "Accept": accept}
            got = client.open(path, method=method, headers=headers, buffered=True, **body)
            where = f"{method} {route.rule}: {got.status_code}"
            if SCOPE_OF.get(route.endpoint) == scope or route.endpoint in FREE:
                assert got.status_code not in (401, 403), where
                assert "<main" not in got.text, where
            else:
                assert (got.status_code, got.json["error"]["code"]) == (403, "forbidden"), where


def test_who_has_a_link_must_sign_in_and_sees_only_whose_it_is(world):
    got = world.visitors["stranger"].call("GET", "/invitations/open", PAGE)
    assert got.status_code == 200
    assert [word for word in CANARIES if word in got.text] == ["Annas Schatz"]
    assert {RULES[endpoint] for endpoint in BY_CODE} == {Rule.SIGNED_IN}
