"""Every option of the program, as data: one list that start-up and documentation walk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from brokers.addresses import host_name, https_address
from portfolio import values

PREFIX = "FOLIOSYNC_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One setting: its name, how it is read, what it is without being set, and what it does.

    What is `secret` is shown nowhere; the value of what is `public`, a small number or a word of a
    list, may be posted anywhere.
    """

    name: str
    read: Callable[[str], Any]
    default: str
    help: str
    expects: str
    secret: bool = False
    public: bool = False


OPTIONS: tuple[Option, ...] = (
    Option(
        name="HOST",
        read=values.host,
        default="127.0.0.1",
        expects="an address of this computer",
        help="Address to listen on. Beyond loopback only with `AUTH=password`.",
    ),
    Option(
        name="PORT",
        read=values.between(1, 65535),
        default="8000",
        expects="a number from 1 to 65535",
        help="Port to listen on. Not 5000: that is the gateway's.",
    ),
    Option(
        name="AUTH",
        read=values.one_of("local", "password"),
        default="local",
        expects="local or password",
        help="Who may use the pages and the API: with `local` whoever reaches them from this "
        "computer, as one and the same user; with `password` only who signs in.",
    ),
    Option(
        name="CONTAINER_BIND",
        read=values.one_of("no", "yes"),
        default="no",
        expects="no or yes",
        help="Whether `HOST` is an address inside a container whose port you publish to the "
        "loopback of its computer only. With `yes`, `HOST` may be 0.0.0.0 without logins.",
    ),
    Option(
        name="LOGIN_IDLE",
        read=values.between(5, 10_080),
        default="480",
        expects="a number of minutes from 5 to 10080",
        help="Minutes without a request after which a login ends.",
    ),
    Option(
        name="LOGIN_LONGEST",
        read=values.between(1, 2160),
        default="168",
        expects="a number of hours from 1 to 2160",
        help="Hours after which a login ends in any case.",
    ),
    Option(
        name="DATA_DIR",
        read=values.folder,
        default="~/.foliosync",
        expects="a folder",
        help="Folder of the database, its copies and the key that signs form tokens.",
    ),
    Option(
        name="DATABASE_URL",
        read=values.text,
        default="",
        expects="a database URL such as postgresql+psycopg://user@host/name",
        help="Database; empty means an SQLite file in the data folder.",
        secret=True,
    ),
    Option(
        name="SECRET_KEY_FILE",
        read=values.text,
        default="",
        expects="a file",
        help="File with the key that signs form tokens; made at the first start if absent. "
        "Empty means `secret.key` in the data folder.",
    ),
    Option(
        name="KEY_FILE",
        read=values.text,
        default="",
        expects="a file",
        help="File with the keys that seal what is secret in the database, made at the first "
        "start if absent; keep a copy of it apart from the database's. Empty means the data "
        "folder's name with `.key` behind it, beside that folder.",
    ),
    Option(
        name="ENCRYPTION_KEYS",
        read=values.sealing_keys,
        default="",
        expects="keys as `foliosync key new` prints them, newest first, separated by commas",
        help="The same keys from the environment, in place of the file.",
        secret=True,
    ),
    Option(
        name="IBKR_GATEWAY_URL",
        read=https_address,
        default="https://localhost:5000",
        expects="an https address such as https://localhost:5001",
        help="Address of the first gateway only, IBKR's Client Portal Gateway. The default makes "
        "it at the first start; where it is by now stands on Settings. Set, it moves the first "
        "gateway there at each start and holds it; that address stays when the setting is gone. "
        "Needed when `listenPort` in the gateway's `root/conf.yaml` is not 5000.",
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
        read=lambda value: tuple(map(host_name, values.names(value))),
        default="",
        expects="host names separated by commas",
        help="Gateways off this computer that you vouch for.",
    ),
    Option(
        name="SHARED_GATEWAYS",
        read=values.one_of("no", "yes"),
        default="no",
        expects="no or yes",
        help="Whether two users may use the same gateway, or the same account at a broker. "
        "Whoever reaches a gateway reads what its signed-in user may read.",
    ),
    Option(
        name="ALLOWED_HOSTS",
        read=lambda value: tuple(map(host_name, values.names(value))),
        default="",
        expects="host names separated by commas",
        help="Names, besides 127.0.0.1, localhost and [::1], under which a browser may reach us.",
    ),
    Option(
        name="TRUSTED_PROXIES",
        read=values.between(0, 9),
        default="0",
        expects="a number from 0 to 9",
        help="How many reverse proxies of yours a request passes. So many entries of "
        "X-Forwarded-For, X-Forwarded-Proto and X-Forwarded-Host are believed; with 0 none.",
    ),
    Option(
        name="METRICS_TOKEN",
        read=values.empty_or_long(20),
        default="",
        expects="a text of 20 characters or more",
        help="Token with which a monitor reads `/metrics` (`Authorization: Bearer`). Without one "
        "only programs of this computer may read it.",
        secret=True,
    ),
    Option(
        name="JOBS",
        public=True,
        read=values.one_of("embedded", "worker", "off"),
        default="embedded",
        expects="embedded, worker or off",
        help="Where background work runs: in the web process, in `foliosync worker`, or nowhere. "
        "Of several processes on one database, one does it.",
    ),
    Option(
        name="SYNC_INTERVAL",
        public=True,
        read=values.between(0, 10_080),
        default="30",
        expects="a number of minutes from 0 to 10080",
        help="Minutes between two syncs of a connected account while you are signed in; 0 means "
        "that accounts are synced by hand only.",
    ),
    Option(
        name="KEEPALIVE_INTERVAL",
        public=True,
        read=values.between(10, 3600),
        default="60",
        expects="a number of seconds from 10 to 3600",
        help="Seconds between two calls that keep the session at a gateway alive. IBKR ends a "
        "session after about six minutes without one.",
    ),
    Option(
        name="REFERENCE_RATES",
        public=True,
        read=values.one_of("off", "daily"),
        default="off",
        expects="off or daily",
        help="Whether the European Central Bank's reference rates are fetched each day.",
    ),
    Option(
        name="TIMEZONE",
        read=values.zone,
        default="",
        expects="a time zone such as Europe/Zurich",
        help="Time zone of the pages and of daily values; empty means the computer's own.",
    ),
    Option(
        name="NOTIFY_URLS",
        read=values.targets,
        default="",
        expects="addresses of Apprise such as ntfys://ntfy.sh/topic, separated by commas",
        help="Where a message goes when you are needed, and when all is well again.",
        secret=True,
    ),
)
