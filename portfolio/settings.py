"""Every option of the program, as data: one list that start-up and documentation walk."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from brokers.addresses import host_name, https_address
from portfolio.errors import SetupProblem

PREFIX = "FOLIOSYNC_"
SCHEME = r"[A-Za-z][A-Za-z0-9+.-]*://"
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def _text(value: str) -> str:
    return value


def _between(least: int, most: int) -> Callable[[str], int]:
    def read(value: str) -> int:
        number = int(value)
        if not least <= number <= most:
            raise ValueError
        return number

    return read


def _folder(value: str) -> Path:
    return Path(value).expanduser().resolve()


def _names(value: str) -> tuple[str, ...]:
    return tuple(name.strip().lower() for name in value.split(",") if name.strip())


def _targets(value: str) -> tuple[str, ...]:
    # An address may have commas of its own: a new one begins where a scheme follows.
    parts = [part.strip(" ,") for part in re.split(rf",\s*(?={SCHEME})", value)]
    found = tuple(dict.fromkeys(part for part in parts if part))
    if not all(re.fullmatch(rf"{SCHEME}\S*", each) and each.isprintable() for each in found):
        raise ValueError
    return found


def _zone(value: str) -> ZoneInfo | None:
    return ZoneInfo(value) if value else None


def _one_of(*words: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value not in words:
            raise ValueError
        return value

    return read


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One setting: its name, how it is read, what it is without being set, and what it does."""

    name: str
    read: Callable[[str], Any]
    default: str
    help: str
    expects: str
    secret: bool = False


OPTIONS: tuple[Option, ...] = (
    Option(
        name="HOST",
        read=_text,
        default="127.0.0.1",
        expects="an address of this computer's loopback",
        help="Address to listen on. Without logins only loopback is accepted.",
    ),
    Option(
        name="PORT",
        read=_between(1, 65535),
        default="8000",
        expects="a number from 1 to 65535",
        help="Port to listen on. Not 5000: that is the gateway's.",
    ),
    Option(
        name="DATA_DIR",
        read=_folder,
        default="~/.foliosync",
        expects="a folder",
        help="Folder of the database, its copies and the secret key.",
    ),
    Option(
        name="DATABASE_URL",
        read=_text,
        default="",
        expects="a database URL such as postgresql+psycopg://user@host/name",
        help="Database; empty means an SQLite file in the data folder.",
        secret=True,
    ),
    Option(
        name="SECRET_KEY_FILE",
        read=_text,
        default="",
        expects="a file",
        help="File with the key that signs form tokens; made at the first start if absent. "
        "Empty means `secret.key` in the data folder.",
    ),
    Option(
        name="IBKR_GATEWAY_URL",
        read=https_address,
        default="https://localhost:5000",
        expects="an https address such as https://localhost:5001",
        help="Address of IBKR's Client Portal Gateway; it makes the first gateway. Change it when "
        "`listenPort` in the gateway's `root/conf.yaml` is not 5000.",
    ),
    Option(
        name="IBKR_GATEWAY_LOGIN_URL",
        read=lambda value: https_address(value) if value else "",
        default="",
        expects="an https address",
        help="Address at which a browser opens the gateway's login; empty means the same address.",
    ),
    Option(
        name="TRUSTED_GATEWAY_HOSTS",
        read=lambda value: tuple(map(host_name, _names(value))),
        default="",
        expects="host names separated by commas",
        help="Gateways off this computer that you vouch for.",
    ),
    Option(
        name="ALLOWED_HOSTS",
        read=_names,
        default="",
        expects="host names separated by commas",
        help="Names, besides 127.0.0.1, localhost and [::1], under which a browser may reach us.",
    ),
    Option(
        name="JOBS",
        read=_one_of("embedded", "worker", "off"),
        default="embedded",
        expects="embedded, worker or off",
        help="Where background work runs: in the web process, in `foliosync worker`, or nowhere. "
        "Of several processes on one database, one does it.",
    ),
    Option(
        name="SYNC_INTERVAL",
        read=_between(0, 10_080),
        default="30",
        expects="a number of minutes from 0 to 10080",
        help="Minutes between two syncs of a connected account while you are signed in; 0 means "
        "that accounts are synced by hand only.",
    ),
    Option(
        name="KEEPALIVE_INTERVAL",
        read=_between(10, 3600),
        default="60",
        expects="a number of seconds from 10 to 3600",
        help="Seconds between two calls that keep the session at a gateway alive. IBKR ends a "
        "session after about six minutes without one.",
    ),
    Option(
        name="REFERENCE_RATES",
        read=_one_of("off", "daily"),
        default="off",
        expects="off or daily",
        help="Whether the European Central Bank's reference rates are fetched each day.",
    ),
    Option(
        name="TIMEZONE",
        read=_zone,
        default="",
        expects="a time zone such as Europe/Zurich",
        help="Time zone of the pages and of daily values; empty means the computer's own.",
    ),
    Option(
        name="NOTIFY_URLS",
        read=_targets,
        default="",
        expects="addresses of Apprise such as ntfys://ntfy.sh/topic, separated by commas",
        help="Where a message goes when you are needed, and when all is well again.",
        secret=True,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The options of one running program, read and checked once at start.

    `given` are the names that the environment or the file set; the others have their defaults.
    """

    host: str
    port: int
    data_dir: Path
    # What is secret shows in no text that a traceback could print.
    database_url: str = field(repr=False)
    secret_key_file: str
    ibkr_gateway_url: str
    ibkr_gateway_login_url: str
    trusted_gateway_hosts: tuple[str, ...]
    allowed_hosts: tuple[str, ...]
    jobs: str
    sync_interval: int
    keepalive_interval: int
    reference_rates: str
    timezone: ZoneInfo | None
    notify_urls: tuple[str, ...] = field(repr=False)
    demo: bool = False
    given: frozenset[str] = frozenset()

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
        given = {**_from_file(chosen), **_from_environment(environ)}
        values = {option.name.lower(): _read(option, given) for option in OPTIONS}
        settings = cls(**{"given": frozenset(given), **values, **overrides})
        if settings.host not in LOOPBACK:
            raise SetupProblem(
                f"{PREFIX}HOST is {settings.host}: without logins Foliosync listens on loopback "
                "only; use 127.0.0.1."
            )
        return settings

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
        named = self.secret_key_file
        return Path(named).expanduser() if named else self.data_dir / "secret.key"

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
    named = environ.get(f"{PREFIX}CONFIG")
    return Path(named).expanduser() if named else None


def _from_file(file: Path | None) -> dict[str, str]:
    if file is None:
        return {}
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
