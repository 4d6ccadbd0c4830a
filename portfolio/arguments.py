"""The commands of `foliosync` and their arguments."""

from __future__ import annotations

import argparse
import unicodedata
from pathlib import Path
from typing import Any

from portfolio import __version__


def name(given: str) -> str:
    """A name as it is stored, however a terminal or a file system spells it."""
    try:
        given.encode()
    except UnicodeEncodeError:
        # Bytes that are no text came as half characters.
        raise argparse.ArgumentTypeError("this is not text in UTF-8") from None
    return unicodedata.normalize("NFC", given)


def parser() -> argparse.ArgumentParser:
    """What `foliosync` understands; `command` is the name of what is to be done."""
    made = argparse.ArgumentParser(prog="foliosync", description="Portfolios that agree.")
    made.add_argument("--version", action="version", version=__version__)
    made.add_argument("--config", type=Path, help="settings file (TOML)")
    commands = made.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="serve the application")
    run.set_defaults(command="run")
    demo = commands.add_parser("demo", help="the application with a simulated gateway")
    demo.set_defaults(command="demo")
    for command in (run, demo):
        command.add_argument("--port", type=int, help="port to listen on")
    _add_job_commands(commands)
    backup = commands.add_parser("backup", help="write a verified copy of the database")
    backup.set_defaults(command="backup")
    restore = commands.add_parser("restore", help="bring a copy of the database back")
    restore.set_defaults(command="restore")
    for command in (backup, restore):
        command.add_argument("file", type=Path, help="the copy")
    _add_broker_commands(commands)
    _add_user_commands(commands)
    found = commands.add_parser("diagnostics", help="print what helps others to help you")
    found.set_defaults(command="diagnostics")
    found.add_argument("--out", type=Path, metavar="FILE", help="write it to a new file")
    key = commands.add_parser("key", help="the keys that seal what is secret")
    key.set_defaults(command="key")
    key.add_argument(
        "action",
        nargs="?",
        choices=("status", "rotate", "new"),
        default="status",
        help="say which there are (default), seal everything with a new one, or print a new one",
    )
    _add_token_commands(commands)
    api = commands.add_parser("api", help="print the documentation of the API")
    api.set_defaults(command="describe_api")
    listed = commands.add_parser("settings", help="list all settings")
    listed.set_defaults(command="list_settings")
    database = commands.add_parser("db", help="look after the database")
    actions = database.add_subparsers(required=True, metavar="ACTION")
    upgrade = actions.add_parser("upgrade", help="bring the schema up to date")
    upgrade.set_defaults(command="upgrade")
    restored = actions.add_parser(
        "restored", help="after pg_restore: end every login, token and invitation of the copy"
    )
    restored.set_defaults(command="end_restored")
    return made


def _add_job_commands(commands: Any) -> None:
    worker = commands.add_parser("worker", help="run the background work, without a web server")
    worker.set_defaults(command="worker")
    health = commands.add_parser("health", help="ask the running program if it is well")
    health.set_defaults(command="health")
    health.add_argument("--port", type=int, help="port on which it listens")
    health.add_argument("--worker", action="store_true", help="ask for background work instead")
    sync = commands.add_parser("sync", help="sync connected accounts now, one after the other")
    sync.set_defaults(command="sync")
    which = "“Portfolio/Account”, or its name alone (default: all)"
    sync.add_argument("account", nargs="?", type=name, help=which)


def _add_broker_commands(commands: Any) -> None:
    doctor = commands.add_parser("doctor", help="find the broken link on the way to a broker")
    doctor.set_defaults(command="doctor")
    doctor.add_argument(
        "broker", type=name, help="the key of its adapter: ibkr; status 1 where it is broken"
    )
    doctor.add_argument("--json", action="store_true", help="print the documented JSON")
    which = "which gateway (default: first); one that there is not lists them"
    doctor.add_argument("--gateway", type=int, metavar="ID", help=which)
    doctor.add_argument(
        "--record",
        type=Path,
        metavar="FILE",
        help="also read all accounts, and write the answers without ids, names and amounts",
    )
    gateway = commands.add_parser("gateway", help="help with a Client Portal Gateway of your own")
    actions = gateway.add_subparsers(required=True, metavar="ACTION")
    certificate = actions.add_parser("certificate", help="make a key store that is only yours")
    certificate.set_defaults(command="certificate")
    certificate.add_argument("folder", type=Path, help="the gateway's folder `root`")
    certificate.add_argument("--host", default="localhost", help="the name others call it by")


def _add_user_commands(commands: Any) -> None:
    user = commands.add_parser("user", help="who may sign in")
    actions = user.add_subparsers(required=True, metavar="ACTION")
    add = actions.add_parser("add", help="add a user; the password is asked for")
    add.set_defaults(command="add_user")
    password = actions.add_parser("password", help="set a new password; ends every login")
    password.set_defaults(command="set_password")
    password.add_argument(
        "--one-step", action="store_true", help="also turn the second step off (a lost phone)"
    )
    password.add_argument("--end-tokens", action="store_true", help="also end the user's tokens")
    disable = actions.add_parser(
        "disable", help="let a user sign in no more; ends every login and token"
    )
    disable.set_defaults(command="disable_user")
    for command in (add, password, disable):
        command.add_argument("name", type=name, help="the user name")
    code = actions.add_parser("code", help="print a new code with which to make the first user")
    code.set_defaults(command="print_code")
    listed = actions.add_parser("list", help="list the users")
    listed.set_defaults(command="list_users")


def _add_token_commands(commands: Any) -> None:
    token = commands.add_parser("token", help="tokens with which programs act for a user")
    actions = token.add_subparsers(required=True, metavar="ACTION")
    create = actions.add_parser("create", help="make a token, and print it once")
    create.set_defaults(command="create_token")
    create.add_argument("name", type=name, help="what it is for")
    create.add_argument(
        "--scope", action="append", required=True, help="read, sync or write; may be repeated"
    )
    create.add_argument("--days", type=int, help="after how many days it ends (default: never)")
    revoke = actions.add_parser("revoke", help="end a token")
    revoke.set_defaults(command="revoke_token")
    revoke.add_argument("name", type=name, help="its name")
    listed = actions.add_parser("list", help="list the tokens of a user")
    listed.set_defaults(command="list_tokens")
    for action in (create, revoke, listed):
        whose = "whose (default: the first user)"
        action.add_argument("--user", type=name, metavar="NAME", help=whose)
