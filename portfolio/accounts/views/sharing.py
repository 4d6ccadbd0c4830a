"""The page on which an owner shares a portfolio, and the one on which somebody accepts."""

from __future__ import annotations

import secrets
from functools import partial

from flask import Blueprint, Response, request, url_for

from portfolio.accounts.models import Portfolio
from portfolio.accounts.queries.portfolios import find_portfolio
from portfolio.accounts.queries.visible import find_invitation, share_page
from portfolio.accounts.services import sharing as services
from portfolio.accounts.views.portfolios import PORTFOLIO, portfolio_url
from portfolio.db.session import unit_of_work
from portfolio.errors import Conflict, Invalid, NotFound
from portfolio.web import respond
from portfolio.web.runtime import owner_id, reading, runtime

blueprint = Blueprint("sharing", __name__)
SHARE = f"{PORTFOLIO}/share"
INVITATION = "/invitations/<code>"
# 192 bits.
CODE_BYTES = 24


@blueprint.before_request
def refuse_alone() -> None:
    """Without logins there is nobody to share with."""
    if not runtime().settings.has_logins:
        raise NotFound("page")


def shared(portfolio: Portfolio, status: int = 200, **more: str | None) -> Response:
    """The owner's page; with `link`, the one that was just made."""
    found = share_page(reading(), portfolio, runtime().clock.now())
    context = {"link": None, "error": None, "name": "", **more}
    return respond.page("accounts/share.html", status, page=found, **context)


@blueprint.get(SHARE)
def share(portfolio_id: int) -> Response:
    """Who may see a portfolio, and who is invited to."""
    return shared(find_portfolio(reading(), owner_id(), portfolio_id))


@blueprint.post(SHARE)
def invite(portfolio_id: int) -> Response:
    """Invite somebody, and show the link once."""
    name, draw = request.form.get("name", ""), partial(secrets.token_urlsafe, CODE_BYTES)
    owner, now = owner_id(), runtime().clock.now()
    try:
        with unit_of_work() as session:
            found = find_portfolio(session, owner, portfolio_id)
            code = services.invite(session, found, name, now, draw)
    except (Invalid, Conflict) as error:
        said = error.fields.get("name") or error.message
        found = find_portfolio(reading(), owner, portfolio_id)
        return shared(found, error.status, name=name, error=said)
    return shared(found, link=url_for(".invitation", code=code, _external=True))


@blueprint.post(f"{SHARE}/invitations/<int:invitation_id>/revoke")
def revoke(portfolio_id: int, invitation_id: int) -> Response:
    """Take an invitation back."""
    owner = owner_id()
    with unit_of_work() as session:
        services.revoke(session, find_portfolio(session, owner, portfolio_id), invitation_id)
    return respond.go(url_for(".share", portfolio_id=portfolio_id), "The invitation is void.")


@blueprint.post(f"{SHARE}/viewers/<int:user_id>/remove")
def remove_viewer(portfolio_id: int, user_id: int) -> Response:
    """Let somebody see a portfolio no longer."""
    owner = owner_id()
    with unit_of_work() as session:
        found = find_portfolio(session, owner, portfolio_id)
        services.remove_viewer(session, found, user_id)
    message = "They see the portfolio no longer."
    return respond.go(url_for(".share", portfolio_id=portfolio_id), message)


@blueprint.get(INVITATION)
def invitation(code: str) -> Response:
    """What somebody is invited to see."""
    found = find_invitation(reading(), services.hashed(code), runtime().clock.now())
    own = found.portfolio.owner_id == owner_id()
    return respond.page("accounts/invitation.html", portfolio=found.portfolio, code=code, own=own)


@blueprint.post(INVITATION)
def accept(code: str) -> Response:
    """Accept an invitation, and show the portfolio."""
    user, now = owner_id(), runtime().clock.now()
    with unit_of_work() as session:
        found = services.accept(session, user, code, now)
        target, message = portfolio_url(found), f"“{found.name}” is shared with you from now on."
    return respond.go(target, message)
