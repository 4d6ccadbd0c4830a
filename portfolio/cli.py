"""The command `foliosync`."""

from __future__ import annotations

import argparse
import socket
import sys
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from flask import Flask

from portfolio import __version__, cli_tokens
from portfolio.errors import DomainError, SetupProblem
from portfolio.serving import begin, end, start_logging
from portfolio.settings import Settings, as_document

THREADS = 32
GATEWAYS_PORT = 5000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; what cannot start ends in one sentence and status 1."""
    options = _parser().parse_args(arguments)
    start_logging()
    try:
        status: int = options.command(options)
    except SetupProblem as problem:
        print(f"foliosync: {problem}", file=sys.stderr)
        return 1
    except DomainError as error:
        print(f"foliosync: {error.message} {error.remedy or ''}".rstrip(), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped.")
        return 0
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="foliosync", description="Portfolios that agree.")
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument("--config", type=Path, help="settings file (TOML)")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="serve the application")
    run.set_defaults(command=_run)
    demo = commands.add_parser("demo", help="the application with a simulated gateway")
    demo.set_defaults(command=_demo)
    for command in (run, demo):
        command.add_argument("--port", type=int, help="port to listen on")
    _add_job_commands(commands)
    backup = commands.add_parser("backup", help="write a verified copy of the database")
    backup.set_defaults(command=_backup)
    restore = commands.add_parser("restore", help="bring a copy of the database back")
    restore.set_defaults(command=_restore)
    for command in (backup, restore):
        command.add_argument("file", type=Path, help="the copy")
    _add_broker_commands(commands)
    _add_user_commands(commands)
    cli_tokens.add_commands(commands, _built)
    api = commands.add_parser("api", help="print the documentation of the API")
    api.set_defaults(command=_describe_api)
    listed = commands.add_parser("settings", help="list all settings")
    listed.set_defaults(command=_list_settings)
    database = commands.add_parser("db", help="look after the database")
    actions = database.add_subparsers(required=True, metavar="ACTION")
    upgrade = actions.add_parser("upgrade", help="bring the schema up to date")
    upgrade.set_defaults(command=_upgrade)
    return parser


def _add_job_commands(commands: Any) -> None:
    worker = commands.add_parser("worker", help="run the background work, without a web server")
    worker.set_defaults(command=_worker)
    health = commands.add_parser("health", help="ask the running program if it is well")
    health.set_defaults(command=_health)
    health.add_argument("--port", type=int, help="port on which it listens")
    health.add_argument("--worker", action="store_true", help="ask for background work instead")
    sync = commands.add_parser("sync", help="sync connected accounts now, one after the other")
    sync.set_defaults(command=_sync)
    sync.add_argument(
        "account", nargs="?", help="“Portfolio/Account”, or its name alone (default: all)"
    )


def _add_broker_commands(commands: Any) -> None:
    doctor = commands.add_parser("doctor", help="find the broken link on the way to a broker")
    doctor.set_defaults(command=_doctor)
    doctor.add_argument("broker", help="the key of its adapter: ibkr; status 1 where it is broken")
    doctor.add_argument("--json", action="store_true", help="print the documented JSON")
    doctor.add_argument("--gateway", type=int, metavar="ID", help="which gateway (default: first)")
    doctor.add_argument(
        "--record",
        type=Path,
        metavar="FILE",
        help="also read all accounts, and write the answers without ids, names and amounts",
    )
    gateway = commands.add_parser("gateway", help="help with a Client Portal Gateway of your own")
    actions = gateway.add_subparsers(required=True, metavar="ACTION")
    certificate = actions.add_parser("certificate", help="make a key store that is only yours")
    certificate.set_defaults(command=_certificate)
    certificate.add_argument("folder", type=Path, help="the gateway's folder `root`")
    certificate.add_argument("--host", default="localhost", help="the name others call it by")


def _add_user_commands(commands: Any) -> None:
    user = commands.add_parser("user", help="who may sign in")
    actions = user.add_subparsers(required=True, metavar="ACTION")
    add = actions.add_parser("add", help="add a user; the password is asked for")
    add.set_defaults(command=_add_user)
    password = actions.add_parser("password", help="set a new password; ends every login")
    password.set_defaults(command=_set_password)
    password.add_argument(
        "--one-step", action="store_true", help="also turn the second step off (a lost phone)"
    )
    disable = actions.add_parser("disable", help="let a user sign in no more; ends every login")
    disable.set_defaults(command=_disable_user)
    for command in (add, password, disable):
        command.add_argument("name", help="the user name")
    code = actions.add_parser("code", help="print a new code with which to make the first user")
    code.set_defaults(command=_print_code)
    listed = actions.add_parser("list", help="list the users")
    listed.set_defaults(command=_list_users)


def _settings(options: argparse.Namespace) -> Settings:
    settings = Settings.load(file=options.config)
    port = getattr(options, "port", None)
    if port is None:
        return settings
    if not 1 <= port <= 65535:
        raise SetupProblem(f"--port: {port} is not a number from 1 to 65535.")
    return replace(settings, port=port)


def _build(settings: Settings, **more: Any) -> Flask:
    # Imported here, so that `--help` and a wrong setting need no second of imports.
    from portfolio.app import create_app, prepare_database

    app = create_app(settings, **more)
    copy = prepare_database(app)
    if copy:
        print(f"The database was upgraded; a copy of the former one is {copy}.")
    return app


def _built(options: argparse.Namespace) -> Flask:
    return _build(_settings(options))


def _run(options: argparse.Namespace) -> int:
    settings = _settings(options)
    _check_port(settings)
    serve(_build(settings), settings, f"Foliosync is at http://{_shown(settings)}")
    return 0


def _worker(options: argparse.Namespace) -> int:
    from portfolio.commands import check_worker, work

    settings = _settings(options)
    check_worker(settings)
    print("Background work runs here. Ctrl-C stops it.", flush=True)
    work(_build(settings))
    return 0


def _sync(options: argparse.Namespace) -> int:
    from portfolio.commands import sync

    done = True
    for line, succeeded in sync(_build(_settings(options)), options.account):
        print(line, flush=True)
        done = done and succeeded
    return 0 if done else 1


def _health(options: argparse.Namespace) -> int:
    from portfolio.health import of_web, of_worker

    settings = _settings(options)
    said, well = of_worker(settings) if options.worker else of_web(settings)
    print(said)
    return 0 if well else 1


def _upgrade(options: argparse.Namespace) -> int:
    _build(_settings(options))
    print("The database is up to date.")
    return 0


def _backup(options: argparse.Namespace) -> int:
    from portfolio.db.backup import copy

    copy(_database_file(options), options.file)
    print(f"{options.file} is a verified copy of the database.")
    return 0


def _restore(options: argparse.Namespace) -> int:
    from portfolio.clock import SystemClock
    from portfolio.db.backup import restore, revision_of
    from portfolio.db.upgrade import is_known, newer
    from portfolio.user_commands import end_every_login

    database = _database_file(options)
    if not is_known(revision_of(options.file)):
        raise newer()
    kept = restore(database, options.file, SystemClock().now())
    end_every_login(_build(_settings(options)))
    former = f"; the former one is {kept}" if kept else ""
    print(f"The database is restored from {options.file}{former}.")
    return 0


def _database_file(options: argparse.Namespace) -> Path:
    file = _settings(options).sqlite_file
    if file is None:
        raise SetupProblem("This database is not an SQLite file: use pg_dump and pg_restore.")
    return file


def _doctor(options: argparse.Namespace) -> int:
    from portfolio.doctor import as_json, as_text, examine

    app = _build(replace(_settings(options), jobs="off"))
    found, route = examine(app, (options.broker, options.gateway), options.record)
    print(as_json(found, route) if options.json else as_text(found))
    if options.record:
        said = f"{options.record} has the answers, without ids, names and amounts: look at it"
        print(f"{said} before you send it.", file=sys.stderr)
    return 0 if found.connected else 1


def _certificate(options: argparse.Namespace) -> int:
    from portfolio.doctor import KEY_STORE, make_key_store

    lines = make_key_store(options.folder, options.host)
    print(f"{options.folder / KEY_STORE} is made. Put these two lines into conf.yaml, instead of")
    print("those that are there, and restart the gateway (a restart loses the login):")
    print()
    print(lines)
    return 0


def _add_user(options: argparse.Namespace) -> int:
    from portfolio.user_commands import add, typed_password

    print(add(_build(_settings(options)), options.name, typed_password))
    return 0


def _set_password(options: argparse.Namespace) -> int:
    from portfolio.user_commands import change_password, typed_password

    app, one_step = _build(_settings(options)), options.one_step
    print(change_password(app, options.name, typed_password, one_step=one_step))
    return 0


def _disable_user(options: argparse.Namespace) -> int:
    from portfolio.user_commands import stop

    print(stop(_build(_settings(options)), options.name))
    return 0


def _print_code(options: argparse.Namespace) -> int:
    if not _tell_code(_build(_settings(options))):
        print("No code is needed: there is a first user already, or logins are off.")
    return 0


def _list_users(options: argparse.Namespace) -> int:
    from portfolio.user_commands import lines

    for line in lines(_build(_settings(options))):
        print(line)
    return 0


def _describe_api(options: argparse.Namespace) -> int:
    from portfolio.app import create_app
    from portfolio.web.apidocs import as_markdown
    from portfolio.web.openapi import document

    print(as_markdown(document(create_app(_settings(options)))), end="")
    return 0


def _list_settings(_options: argparse.Namespace) -> int:
    print(as_document(), end="")
    return 0


def _demo(options: argparse.Namespace) -> int:
    from portfolio.demo import demo_gateway, demo_settings, fill

    settings = demo_settings(_settings(options))
    _check_port(settings)
    with ExitStack() as stack:
        gateway, simulator = stack.enter_context(demo_gateway(settings.data_dir))
        settings = replace(
            settings, ibkr_gateway_url=gateway.url, ibkr_gateway_login_url=gateway.url
        )
        app = _build(settings, demo=simulator)
        print("Demo: invented figures, a simulated gateway, no real login.")
        print(fill(app))
        serve(app, settings, f"Foliosync is at http://{_shown(settings)} (gateway {gateway.url})")
    return 0


def serve(app: Flask, settings: Settings, announcement: str) -> None:
    """Serve until Ctrl-C."""
    from waitress.server import create_server

    _tell_code(app)
    server = create_server(
        app, host=settings.host, port=settings.port, threads=THREADS, ident=None
    )
    print(f"{announcement}. Ctrl-C stops it.", flush=True)
    try:
        begin(app)
        server.run()
    finally:
        end(app)


def _tell_code(app: Flask) -> bool:
    """Print the code with which the first user is made, where there are logins and nobody yet."""
    from portfolio.users.setup import fresh_code

    code = fresh_code(app)
    if code:
        print(
            f"Open /login/first and enter this code, once and within an hour: {code}", flush=True
        )
    return code is not None


def _shown(settings: Settings) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{host}:{settings.port}"


def _check_port(settings: Settings) -> None:
    if settings.port == GATEWAYS_PORT:
        raise SetupProblem(
            f"Port {GATEWAYS_PORT} is the gateway's, and Foliosync never takes it: choose another "
            "one with --port."
        )
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise SetupProblem(
                f"Port {settings.port} cannot be used ({error.strerror}): "
                "choose another one with --port."
            ) from None


if __name__ == "__main__":
    sys.exit(main())
