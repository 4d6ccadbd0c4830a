"""Codes of the second step: those of an app (RFC 6238), and those on paper."""

from __future__ import annotations

import hmac
import re
import secrets
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyotp import TOTP

ISSUER = "Foliosync"
SECONDS = 30
# A clock may be off by one step, to either side.
STEPS = (-1, 0, 1)
# Neither of two that look alike, and no vowels: no words.
ALPHABET = "BCDFGHJKLMNPQRSTVWXZ23456789"
GROUP = 5
RECOVERY_CODES, RECOVERY_GROUPS = 10, 3
_CODE = re.compile(r"[0-9]{6}", re.ASCII)


def new_key() -> str:
    """A new key for an app: 160 random bits in base 32."""
    from pyotp import random_base32

    return random_base32()


def address_of(key: str, name: str) -> str:
    """The address that tells an app the key."""
    return _app(key).provisioning_uri(name=name, issuer_name=ISSUER)


def picture(address: str) -> str:
    """The address as a QR code: an SVG in an address of its own, dark on white."""
    # Imported on first use, like the codes: most users have no second step.
    import segno

    return str(segno.make(address, error="m").svg_data_uri(scale=4, light="#fff"))


def step_of(key: str, code: str, now: datetime, last: int | None) -> int | None:
    """The step of which this is the code, or None; one that was used, and all before it, are over.

    `last` is the step whose code was used last.
    """
    if not is_code(code):
        return None
    app, current, found = _app(key), int(now.timestamp()) // SECONDS, None
    for step in (current + shift for shift in STEPS):
        right = hmac.compare_digest(app.generate_otp(step), code)
        found = step if right and (last is None or step > last) else found
    return found


def _app(key: str) -> TOTP:
    from pyotp import TOTP

    return TOTP(key)


def is_code(text: str) -> bool:
    """Whether this looks like the code of an app, and not like one on paper."""
    return _CODE.fullmatch(text) is not None


def bare(text: str) -> str:
    """A code without what people put between its parts."""
    return "".join(text.upper().replace("-", " ").split())


def random_code(groups: int) -> str:
    """A random code to be typed, in groups of five: 24 bits each."""
    letters = "".join(secrets.choice(ALPHABET) for _ in range(groups * GROUP))
    return "-".join(letters[at : at + GROUP] for at in range(0, len(letters), GROUP))
