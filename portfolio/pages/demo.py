"""The demo's own page: play the troubles of a gateway with a click, and watch the application."""

from __future__ import annotations

from flask import Blueprint, Response, request, url_for

from portfolio.errors import Invalid
from portfolio.web import respond
from portfolio.web.runtime import runtime

blueprint = Blueprint("demo", __name__)
# A gateway that is down cannot be switched on by asking it; here it can, for it is ours.
FIRST = (
    *("calm", "signed-out", "rate-limited", "empty-positions", "sold", "split", "liquidated"),
    *("certificate-changed", "gateway-down", "slow", "silence", "maintenance", "lost-row"),
)


@blueprint.get("/demo")
def demo() -> Response:
    """All troubles that can be played, the instructive ones first."""
    gateway, settings = runtime().demo, runtime().settings
    known, lasting = gateway.scenarios, gateway.lasting
    names = [*FIRST, *(name for name in known if name not in FIRST)]
    troubles = [(name, known[name], name in lasting) for name in names]
    return respond.page(
        "pages/demo.html",
        troubles=troubles,
        playing=gateway.playing,
        market=f"{settings.ibkr_gateway_url}{gateway.control}",
    )


@blueprint.post("/demo")
def play() -> Response:
    """Begin a trouble; the one before it ends, except for what it did to an account."""
    name = request.form.get("scenario", "")
    if name not in runtime().demo.scenarios:
        raise Invalid({"scenario": "There is no such trouble."})
    runtime().demo.play(name)
    return respond.go(url_for(".demo"), f"The gateway plays “{name}” now.")
