"""The command `foliosync`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any

from portfolio.arguments import parser
from portfolio.errors import DomainError, SetupProblem
from portfolio.redaction import redacted
from portfolio.serving import address, check_port, loading, serve, start_logging, tell_code
from portfolio.settings import Settings, as_document

if TYPE_CHECKING:
    from flask import Flask


# What a shell gives for a program that SIGPIPE (13) ended, and what `cat` and others end with.
UNREAD = 128 + 13
# The same of what Ctrl-C (2) has cut short. These it ends as it should: they run until then.
CUT_SHORT, ENDLESS = 128 + 2, frozenset({"run", "demo", "worker"})


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; what nobody reads to its end, as before `head`, ends it quietly."""
    if isinstance(sys.stdout, TextIOWrapper):
        # As for errors: a sign that a terminal or a file has not is spelled, and ends nothing.
        sys.stdout.reconfigure(errors="backslashreplace")
    options = parser().parse_args(arguments)
    start_logging()
    try:
        status = _obey(options)
        sys.stdout.flush()
    except BrokenPipeError:
        # What is left would be written at the exit, and fail once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNREAD
    return status


def _obey(options: argparse.Namespace) -> int:
    """Run a command; what cannot start ends in one sentence and status 1."""
    try:
        status = COMMANDS[options.command](options)
    except SetupProblem as problem:
        print(f"foliosync: {redacted(str(problem))}", file=sys.stderr)
        return 1
    except DomainError as error:
        print(f"foliosync: {error.message} {error.remedy or ''}".rstrip(), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        if options.command not in ENDLESS:
            # To standard output goes only what was asked for.
            print("foliosync: Stopped before the end.", file=sys.stderr)
            return CUT_SHORT
        print("Stopped.")
        return 0
    return status


def _settings(options: argparse.Namespace) -> Settings:
    settings = Settings.load(file=options.config)
    port = getattr(options, "port", None)
    if port is None:
        return settings
    if not 1 <= port <= 65535:
        raise SetupProblem(f"--port: {port} is not a number from 1 to 65535.")
    return settings.given_by("command line", port=port)


def _build(settings: Settings, **more: Any) -> Flask:
    with loading():
        # Imported here, so that `--help` and a wrong setting need no second of imports.
        from portfolio.app import create_app, prepare_database

        app = create_app(settings, **more)
    copy = prepare_database(app)
    if copy:
        print(f"The database was upgraded; a copy of the former one is {copy}.")
    return app


def _run(options: argparse.Namespace) -> int:
    settings = _settings(options)
    check_port(settings)
    serve(_build(settings), settings, f"Foliosync is at http://{address(settings)}")
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


def _key(options: argparse.Namespace) -> int:
    from portfolio.db.keysource import new_key
    from portfolio.keys import change, status

    if options.action == "new":
        print(new_key())
        return 0
    app = _build(replace(_settings(options), jobs="off"))
    for line in change(app) if options.action == "rotate" else status(app):
        print(line)
    return 0


def _diagnostics(options: argparse.Namespace) -> int:
    from portfolio.app import create_app
    from portfolio.pages.diagnostics import bundle

    # The database is left as it is: its schema may be what is asked about.
    app = create_app(_settings(options))
    content = json.dumps(bundle(app), indent=1)
    if options.out is None:
        print(content)
        return 0
    try:
        with options.out.open("x", encoding="utf-8") as stream:
            stream.write(f"{content}\n")
    except OSError as error:
        if not isinstance(error, FileExistsError):
            # Half of it would be in the way of the whole.
            with suppress(OSError):
                options.out.unlink(missing_ok=True)
        raise SetupProblem(f"{options.out} cannot be written: {error.strerror}.") from None
    print(f"{options.out} has no name, id, address or amount in it: it may be posted anywhere.")
    return 0


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
    from portfolio.user_commands import DOORS, end_every_login

    database = _database_file(options)
    if not is_known(revision_of(options.file)):
        raise newer()
    without = {each.__tablename__ for each in DOORS}
    kept = restore(database, options.file, SystemClock().now(), without)
    end_every_login(_build(_settings(options)))
    former = f"; the former one is {kept}" if kept else ""
    print(f"The database is restored from {options.file}{former}.")
    print(ENDED)
    return 0


# What both ways to bring a copy back end with.
ENDED = "Every login, token and open invitation of the copy is ended."


def _end_restored(options: argparse.Namespace) -> int:
    from portfolio.user_commands import end_every_login

    end_every_login(_build(replace(_settings(options), jobs="off")))
    print(ENDED)
    return 0


def _database_file(options: argparse.Namespace) -> Path:
    file = _settings(options).sqlite_file
    if file is None:
        raise SetupProblem(
            "This database is not an SQLite file: use pg_dump and "
            "pg_restore, and then `foliosync db restored`."
        )
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


def _create_token(options: argparse.Namespace) -> int:
    from portfolio.token_commands import Whose, create_token
    from portfolio.users.tokens import Wanted

    wanted = Wanted(name=options.name, scopes=options.scope, days=options.days)
    print(create_token(_build(_settings(options)), Whose(name=options.user), wanted))
    return 0


def _revoke_token(options: argparse.Namespace) -> int:
    from portfolio.token_commands import Whose, revoke_token

    revoke_token(_build(_settings(options)), Whose(name=options.user), options.name)
    print("The token opens nothing any more.")
    return 0


def _list_tokens(options: argparse.Namespace) -> int:
    from portfolio.token_commands import Whose, list_tokens

    for line in list_tokens(_build(_settings(options)), Whose(name=options.user)):
        print(line)
    return 0


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

    app = _build(_settings(options))
    chosen = {"one_step": options.one_step, "end_tokens": options.end_tokens}
    print(change_password(app, options.name, typed_password, **chosen))
    return 0


def _disable_user(options: argparse.Namespace) -> int:
    from portfolio.user_commands import stop

    print(stop(_build(_settings(options)), options.name))
    return 0


def _print_code(options: argparse.Namespace) -> int:
    if not tell_code(_build(_settings(options))):
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
    from portfolio.demo import alone, demo_gateway, demo_settings, fill

    settings = demo_settings(_settings(options))
    with ExitStack() as stack:
        stack.enter_context(alone(settings.data_dir))
        # After that: who is told of the port only would try another one, and then be refused.
        check_port(settings)
        gateway, simulator = stack.enter_context(demo_gateway(settings.data_dir))
        addresses = dict.fromkeys(("ibkr_gateway_url", "ibkr_gateway_login_url"), gateway.url)
        settings = settings.given_by("demo", **addresses)
        app = _build(settings, demo=simulator)
        print("Demo: invented figures, a simulated gateway, no real login.")
        print(fill(app))
        serve(app, settings, f"Foliosync is at http://{address(settings)} (gateway {gateway.url})")
    return 0


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "run": _run,
    "demo": _demo,
    "backup": _backup,
    "restore": _restore,
    "end_restored": _end_restored,
    "diagnostics": _diagnostics,
    "key": _key,
    "describe_api": _describe_api,
    "list_settings": _list_settings,
    "upgrade": _upgrade,
    "worker": _worker,
    "health": _health,
    "sync": _sync,
    "doctor": _doctor,
    "certificate": _certificate,
    "add_user": _add_user,
    "set_password": _set_password,
    "disable_user": _disable_user,
    "print_code": _print_code,
    "list_users": _list_users,
    "create_token": _create_token,
    "revoke_token": _revoke_token,
    "list_tokens": _list_tokens,
}


if __name__ == "__main__":
    sys.exit(main())
