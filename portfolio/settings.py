"""The options of a running program, read once at start and checked against each other."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from portfolio.errors import SetupProblem
from portfolio.options import OPTIONS, PREFIX, Option
from portfolio.paths import named

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The options of one running program, read and checked once at start.

    `sources` says by its name what gave an option; the others have their defaults.
    """

    host: str
    port: int
    auth: str
    container_bind: str
    login_idle: int
    login_longest: int
    data_dir: Path
    # What is secret shows in no text that a traceback could print.
    database_url: str = field(repr=False)
    secret_key_file: str
    key_file: str
    encryption_keys: tuple[str, ...] = field(repr=False)
    ibkr_gateway_url: str
    ibkr_gateway_login_url: str
    trusted_gateway_hosts: tuple[str, ...]
    shared_gateways: str
    allowed_hosts: tuple[str, ...]
    trusted_proxies: int
    metrics_token: str = field(repr=False)
    jobs: str
    sync_interval: int
    keepalive_interval: int
    reference_rates: str
    timezone: ZoneInfo | None
    notify_urls: tuple[str, ...] = field(repr=False)
    demo: bool = False
    sources: Mapping[str, str] = field(default_factory=dict, hash=False)

    @classmethod
    def load(
        cls,
        environ: Mapping[str, str] | None = None,
        *,
        file: Path | None = None,
        **overrides: Any,
    ) -> Settings:
        """Read the options: arguments, then the environment, then the TOML file, then defaults.

        Raises `SetupProblem` with one sentence for a value or a name that is wrong.
        """
        environ = os.environ if environ is None else environ
        chosen = file or _file_named_in(environ)
        filed, here = _from_file(chosen), _from_environment(environ)
        given = {**filed, **here}
        values = {option.name.lower(): _read(option, given) for option in OPTIONS}
        sources = dict.fromkeys(filed, "settings file") | dict.fromkeys(here, "environment")
        settings = cls(**{"sources": sources, **values, **overrides})
        if settings.host not in LOOPBACK and not settings.may_be_reached:
            raise SetupProblem(
                f"{PREFIX}HOST is {settings.host}: without logins Foliosync listens on loopback "
                "only; use 127.0.0.1, or set AUTH to password."
            )
        return settings

    def given_by(self, source: str, **values: Any) -> Settings:
        """The same with these values, which this source gave."""
        names = dict.fromkeys((name.upper() for name in values), source)
        return replace(self, **values, sources={**self.sources, **names})

    @property
    def has_logins(self) -> bool:
        """Whether people sign in."""
        return self.auth == "password"

    @property
    def may_be_reached(self) -> bool:
        """Whether it may listen beyond loopback: with logins, or inside a closed container."""
        return self.has_logins or self.container_bind == "yes"

    def shown(self, option: Option) -> str:
        """An option's value as a page may show it."""
        value = getattr(self, option.name.lower())
        if option.secret:
            return "set" if value else ""
        return ", ".join(value) if isinstance(value, tuple) else _said(value)

    @property
    def database(self) -> str:
        """The database URL in force."""
        return self.database_url or f"sqlite:///{self.data_dir / 'foliosync.db'}"

    @property
    def sqlite_file(self) -> Path | None:
        """The SQLite file, or None where another database is used."""
        prefix = "sqlite:///"
        return Path(self.database[len(prefix) :]) if self.database.startswith(prefix) else None

    @property
    def secret_file(self) -> Path:
        """The file of the signing key in force."""
        chosen = self.secret_key_file
        return named(chosen) if chosen else self.data_dir / "secret.key"

    @property
    def sealing_file(self) -> Path:
        """The file of the keys that seal what is secret, outside of what a backup copies."""
        if self.key_file:
            return named(self.key_file)
        name = self.data_dir.name
        return self.data_dir.with_name(f"{name}.key") if name else Path("/foliosync.key")

    @property
    def gateway_login_url(self) -> str:
        """The address at which a browser signs in."""
        return self.ibkr_gateway_login_url or self.ibkr_gateway_url


def _said(value: object) -> str:
    return "" if value is None else str(value)


def as_document() -> str:
    """The list of settings as the page of the documentation shows it (Markdown)."""
    rows = [
        f"| `{PREFIX}{option.name}` | {f'`{option.default}`' if option.default else 'empty'} | "
        f"{option.help} Expects {option.expects}. |"
        for option in OPTIONS
    ]
    return "\n".join(("| Setting | Default | What it does |", "|---|---|---|", *rows)) + "\n"


def _file_named_in(environ: Mapping[str, str]) -> Path | None:
    chosen = environ.get(f"{PREFIX}CONFIG")
    return named(chosen) if chosen else None


def _from_file(file: Path | None) -> dict[str, str]:
    if file is None:
        return {}
    # Imported here: most have no such file.
    import tomllib

    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SetupProblem(f"The settings file {file} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SetupProblem(f"The settings file {file} is not valid TOML: {error}.") from None
    return {_known(name, f"in {file}"): _plain(value) for name, value in content.items()}


def _plain(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _from_environment(environ: Mapping[str, str]) -> dict[str, str]:
    ours = {name: value for name, value in environ.items() if name.startswith(PREFIX)}
    ours.pop(f"{PREFIX}CONFIG", None)
    return {
        _known(name.removeprefix(PREFIX), "in the environment"): value
        for name, value in ours.items()
        if not name.startswith(f"{PREFIX}TEST_")
    }


def _known(name: str, where: str) -> str:
    bare = name.upper().removeprefix(PREFIX)
    if bare not in {option.name for option in OPTIONS}:
        raise SetupProblem(f"{PREFIX}{bare} {where} is not a setting of Foliosync.")
    return bare


def _read(option: Option, given: Mapping[str, str]) -> Any:
    raw = given.get(option.name, option.default)
    try:
        return option.read(raw)
    except (ValueError, KeyError, OSError):
        shown = "its value" if option.secret else repr(raw)
        raise SetupProblem(f"{PREFIX}{option.name}: {shown} is not {option.expects}.") from None
