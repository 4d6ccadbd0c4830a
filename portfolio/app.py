"""The composition root: the one place that knows everybody, and that nobody imports."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from flask import Flask
from flask_wtf.csrf import CSRFProtect

from brokers.contract import Clock, Network
from brokers.http import RealNetwork
from brokers.registry import Registry
from portfolio import __version__
from portfolio.accounts import ecb
from portfolio.accounts.api import cash as cash_api
from portfolio.accounts.api import holdings as holdings_api
from portfolio.accounts.api import portfolios as portfolios_api
from portfolio.accounts.api import rates as rates_api
from portfolio.accounts.api import transfer as transfer_api
from portfolio.accounts.views import cash as cash_views
from portfolio.accounts.views import holdings as holdings_views
from portfolio.accounts.views import portfolios as portfolios_views
from portfolio.accounts.views import rates as rates_views
from portfolio.accounts.views import sharing as sharing_views
from portfolio.accounts.views import transfer as transfer_views
from portfolio.clock import Moment, SystemClock
from portfolio.connections.api import connections as connections_api
from portfolio.connections.api import gateways as gateways_api
from portfolio.connections.api import notifications as notifications_api
from portfolio.connections.api import runs as runs_api
from portfolio.connections.api import secrets as secrets_api
from portfolio.connections.gateways import Outside, ensure_first_gateway
from portfolio.connections.queries import links
from portfolio.connections.runner import Runner
from portfolio.connections.secrets import open_secrets
from portfolio.connections.telling import ensure_messenger, tell
from portfolio.connections.turns import Turns
from portfolio.connections.views import gateways as gateways_views
from portfolio.connections.views import notifications as notifications_views
from portfolio.connections.views import runs as runs_views
from portfolio.connections.views import secrets as secrets_views
from portfolio.db import upgrade
from portfolio.db.base import db
from portfolio.db.keycheck import check_keys
from portfolio.db.keyfile import KeyFile
from portfolio.db.keysource import GivenKeys
from portfolio.db.sealing import Sealer
from portfolio.db.session import engine_options, one_at_a_time, prepare, unit_of_work
from portfolio.errors import SetupProblem
from portfolio.jobs.embedded import EmbeddedEngine
from portfolio.jobs.lead import told_of_lead
from portfolio.jobs.leader import leader_of
from portfolio.jobs.schedule import Daily, Means, schedule
from portfolio.notify import Send, deliver, sender, understands
from portfolio.pages import demo as demo_views
from portfolio.pages import metrics
from portfolio.pages import support as support_views
from portfolio.pages import views as pages_views
from portfolio.paths import check_front_end, resource
from portfolio.redaction import hide_addresses, hide_password_of, redacted
from portfolio.settings import Settings
from portfolio.sync import api as sync_api
from portfolio.users.identify import LocalOwner, signed_in
from portfolio.users.passwords import Passwords
from portfolio.users.queries import first_user
from portfolio.users.services import ensure_owner
from portfolio.users.views import account as account_views
from portfolio.users.views import login as login_views
from portfolio.users.views import tokens as tokens_views
from portfolio.web import (
    charts,
    compression,
    errors,
    filters,
    gate,
    headers,
    identity,
    openapi,
    proxies,
    static,
    templating,
    timing,
)
from portfolio.web.parsing import KeyConverter, StrictRequest
from portfolio.web.routing import LateRule
from portfolio.web.runtime import EXTENSION, Runtime
from portfolio.web.signing import signing_key

LARGEST_BODY = 1_000_000
# These take whole files, and more of them.
TAKES_FILES = frozenset({"transfer.preview", "transfer_api.import_csv"})


def create_app(
    settings: Settings,
    *,
    clock: Clock | None = None,
    network: Network | None = None,
    brokers: Registry | None = None,
    fetch_rates: Callable[[], bytes] | None = None,
    send: Send | None = None,
    passwords: Passwords | None = None,
    demo: Any = None,
) -> Flask:
    """Build the application; the database is brought up to date by `prepare_database`.

    `demo` is the simulated gateway of the demo, whose troubles its own page plays.
    """
    check_front_end()
    hide_password_of(settings.database)
    hide_addresses(settings.notify_urls)
    clock = clock or SystemClock()
    app = Flask(
        __name__,
        template_folder=str(resource("templates")),
        # Served by `web.static`.
        static_folder=None,
    )
    app.request_class = StrictRequest
    app.url_rule_class = LateRule
    _configure(app, settings)
    _open_database(app)
    sealer = sealer_of(settings)
    outside = Outside(
        brokers=brokers or Registry.discover(),
        network=network or RealNetwork(clock),
        clock=clock,
        trusted_hosts=frozenset(settings.trusted_gateway_hosts),
        zone=settings.timezone or computer_zone(),
        fixed_by=_fixed_by(settings),
        open_secrets=partial(open_secrets, sealer),
        shared_gateways=settings.shared_gateways == "yes",
    )
    send = send or sender(settings.notify_urls)
    fetch_rates = fetch_rates or partial(ecb.fetch, clock)
    _attach_runtime(app, settings, outside, sealer, fetch_rates=fetch_rates, send=send)
    runtime: Runtime = app.extensions[EXTENSION]
    runtime = replace(runtime, passwords=passwords or Passwords(), demo=demo)
    app.extensions[EXTENSION] = runtime
    if demo is not None:
        app.register_blueprint(demo_views.blueprint)
    proxies.register(app, settings)
    timing.register(app, clock)
    app.config[metrics.VERSION] = __version__
    gate.register(app, settings, files=TAKES_FILES)
    headers.register(app)
    compression.register(app)
    static.register(app, resource("static"), templating.register(app))
    _register_slices(app, logins=settings.has_logins)
    errors.register(app)
    _register_templates(app, settings, clock)
    return app


def _fixed_by(settings: Settings) -> str | None:
    """What holds the first gateway at its address, as the beginning of a sentence."""
    if settings.demo:
        return "This gateway belongs to the demo"
    return (
        "This gateway’s address is set by FOLIOSYNC_IBKR_GATEWAY_URL"
        if "IBKR_GATEWAY_URL" in settings.sources
        else None
    )


def _configure(app: Flask, settings: Settings) -> None:
    app.config.update(
        SECRET_KEY=signing_key(settings.secret_file),
        SQLALCHEMY_DATABASE_URI=settings.database,
        SQLALCHEMY_ENGINE_OPTIONS=engine_options(settings.database),
        MAX_CONTENT_LENGTH=LARGEST_BODY,
        # A name of our own: cookies of one host are shared by all its ports.
        SESSION_COOKIE_NAME="foliosync",
        SESSION_COOKIE_SAMESITE="Strict",
        SESSION_COOKIE_HTTPONLY=True,
        # The gate checks tokens itself, once, for every route.
        WTF_CSRF_CHECK_DEFAULT=False,
        WTF_CSRF_TIME_LIMIT=None,
    )
    # Before anything asks for the environment, which is made with them.
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    app.jinja_environment = templating.Environment
    CSRFProtect(app)
    app.url_map.converters["int"] = KeyConverter


def _open_database(app: Flask) -> None:
    try:
        db.init_app(app)
        with app.app_context():
            prepare(db.engine)
    except Exception as error:  # noqa: BLE001
        # SQLAlchemy raises many types for a wrong URL or a missing driver; all mean the same.
        said = redacted(str(error))
        raise SetupProblem(f"FOLIOSYNC_DATABASE_URL cannot be used: {said}.") from None


def prepare_database(app: Flask) -> Path | None:
    """Bring the schema up to date and store what every start needs; returns the copy made."""
    runtime: Runtime = app.extensions[EXTENSION]
    settings, now = runtime.settings, runtime.clock.now()
    copy = upgrade.upgrade(app, settings.sqlite_file, now)
    with app.app_context(), unit_of_work() as session:
        one_at_a_time(session.connection())
        owner = ensure_owner(session, now)
        addresses = settings.ibkr_gateway_url, settings.gateway_login_url
        ensure_first_gateway(session, owner.id, addresses, runtime.outside)
        runtime.furnish(session, owner.id, now)
        check_keys(session, runtime.sealer, now)
    return copy


def sealer_of(settings: Settings) -> Sealer:
    """What seals secrets, with the keys of the environment or of the file.

    `SetupProblem` for a file that others may read, or that is none.
    """
    if settings.encryption_keys:
        return Sealer(GivenKeys(settings.encryption_keys))
    keys = KeyFile(settings.sealing_file)
    if keys.stamp() is not None:
        keys.read()
    return Sealer(keys)


def _attach_runtime(
    app: Flask,
    settings: Settings,
    outside: Outside,
    sealer: Sealer,
    *,
    fetch_rates: Callable[[], bytes],
    send: Send,
) -> None:
    engine = EmbeddedEngine(app, leader_of(settings), outside.clock)
    zone = settings.timezone or computer_zone()
    runner = Runner(outside, engine.defer, zone)
    means = Means(
        outside=outside,
        start_run=runner.start_planned,
        defer=engine.defer,
        draw=secrets.randbelow,
        keepalive=timedelta(seconds=settings.keepalive_interval),
        interval=timedelta(minutes=settings.sync_interval),
    )
    daily = Daily(
        today=lambda: Moment.at(outside.clock.now(), zone),
        zone=zone,
        fetch_rates=fetch_rates,
        reference_rates=settings.reference_rates == "daily",
    )
    schedule(engine, means, daily, tell)
    app.extensions[EXTENSION] = Runtime(
        settings=settings,
        clock=outside.clock,
        zone=zone,
        outside=outside,
        runner=runner,
        links_of=links,
        owner_of=first_user,
        identify=signed_in if settings.has_logins else LocalOwner(),
        passwords=Passwords(),
        furnish=ensure_messenger,
        fetch_rates=fetch_rates,
        send=send,
        deliver=deliver,
        understands=understands,
        turns=Turns(),
        sealer=sealer,
        start=engine.start,
        stop=engine.stop,
        jobs=lambda: {**asdict(engine.state), **told_of_lead(settings)},
    )


def computer_zone() -> ZoneInfo:
    """The time zone of this computer, as far as it has a name; else UTC."""
    named = os.environ.get("TZ") or _zone_file()
    try:
        return ZoneInfo(named or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo(str(UTC))


def _zone_file() -> str:
    target = Path("/etc/localtime")
    _, found, name = str(target.resolve()).partition("zoneinfo/")
    return name if found else ""


def _register_slices(app: Flask, *, logins: bool) -> None:
    api = openapi.register(app, logins=logins)
    pages = (
        login_views,
        account_views,
        tokens_views,
        portfolios_views,
        holdings_views,
        cash_views,
        rates_views,
        transfer_views,
        sharing_views,
        pages_views,
        support_views,
    )
    behind = gateways_views, secrets_views, runs_views, notifications_views
    for module in (*pages, *behind):
        app.register_blueprint(module.blueprint)
    kept = (portfolios_api, holdings_api, cash_api, rates_api, transfer_api)
    linked = (connections_api, gateways_api, secrets_api, runs_api, notifications_api)
    for documented in (*kept, sync_api, *linked):
        api.register_blueprint(documented.blueprint)


def _zone_name(zone: ZoneInfo) -> str:
    return "UTC" if zone.key in {"Etc/UTC", "UTC", "Etc/GMT"} else zone.key


def _register_templates(app: Flask, settings: Settings, clock: Clock) -> None:
    filters.register(app)
    app.jinja_env.globals.update(bars=charts.bars)
    runtime: Runtime = app.extensions[EXTENSION]

    @app.context_processor
    def everywhere() -> dict[str, Any]:
        return {
            "now": clock.now(),
            "time_zone": runtime.zone,
            "zone_name": _zone_name(runtime.zone),
            "me": identity.known(),
            "demo": settings.demo,
            "playable": runtime.demo is not None,
        }
