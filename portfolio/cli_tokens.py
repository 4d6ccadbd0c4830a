"""The arguments of the command `token`; what it does is loaded once it is called."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from typing import Any

from flask import Flask

Build = Callable[[Namespace], Flask]


def add_commands(commands: Any, build: Build) -> None:
    """Add `token create|revoke|list`; `build` makes the application from the arguments."""
    token = commands.add_parser("token", help="tokens with which programs act for a user")
    actions = token.add_subparsers(required=True, metavar="ACTION")
    create = actions.add_parser("create", help="make a token, and print it once")
    create.set_defaults(command=lambda options: _create(build, options))
    create.add_argument("name", help="what it is for")
    create.add_argument(
        "--scope", action="append", required=True, help="read, sync or write; may be repeated"
    )
    create.add_argument("--days", type=int, help="after how many days it ends (default: never)")
    revoke = actions.add_parser("revoke", help="end a token")
    revoke.set_defaults(command=lambda options: _revoke(build, options))
    revoke.add_argument("name", help="its name")
    listed = actions.add_parser("list", help="list the tokens of a user")
    listed.set_defaults(command=lambda options: _list(build, options))
    for action in (create, revoke, listed):
        action.add_argument("--user", metavar="NAME", help="whose (default: the first user)")


def _create(build: Build, options: Namespace) -> int:
    from portfolio.token_commands import Whose, create_token
    from portfolio.users.tokens import Wanted

    wanted = Wanted(name=options.name, scopes=options.scope, days=options.days)
    print(create_token(build(options), Whose(name=options.user), wanted))
    return 0


def _revoke(build: Build, options: Namespace) -> int:
    from portfolio.token_commands import Whose, revoke_token

    revoke_token(build(options), Whose(name=options.user), options.name)
    print("The token opens nothing any more.")
    return 0


def _list(build: Build, options: Namespace) -> int:
    from portfolio.token_commands import Whose, list_tokens

    for line in list_tokens(build(options), Whose(name=options.user)):
        print(line)
    return 0
