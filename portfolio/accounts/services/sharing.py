"""Lets others see a portfolio: by an invitation that is used once, and until it is taken back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from portfolio.accounts.models import Invitation, Portfolio, Viewer
from portfolio.accounts.queries.visible import ENDS, find_invitation
from portfolio.db.session import changed_rows
from portfolio.errors import Conflict, NotFound
from portfolio.names import clean_name

LASTS = timedelta(days=7)
MOST_OPEN = 20


def hashed(code: str) -> str:
    """What is stored of a code; codes are random, so that a fast hash is enough."""
    return sha256(code.encode()).hexdigest()


def invite(
    session: Session, portfolio: Portfolio, name: str, now: datetime, draw: Callable[[], str]
) -> str:
    """Invite somebody to see a portfolio; returns the code, which nobody can read again.

    `name` is a note for the owner; `draw` makes a code that nobody can guess.
    """
    cleaned, code = clean_name(name), draw()
    over = Invitation.portfolio_id == portfolio.id, Invitation.expires_at <= now
    session.execute(delete(Invitation).where(*over))
    mine = select(func.count()).where(Invitation.portfolio_id == portfolio.id)
    if (session.scalar(mine) or 0) >= MOST_OPEN:
        raise Conflict("There are many open invitations already.", "Take some of them back first.")
    made = Invitation(portfolio_id=portfolio.id, name=cleaned, code_hash=hashed(code))
    made.created_at, made.expires_at = now, now + LASTS
    session.add(made)
    session.flush()
    return code


def accept(session: Session, user_id: int, code: str, now: datetime) -> Portfolio:
    """Use an invitation: from now on this user sees the portfolio."""
    found = find_invitation(session, hashed(code), now)
    portfolio = found.portfolio
    if portfolio.owner_id == user_id:
        raise Conflict("This portfolio is your own.", "Send the link to somebody else.")
    # Of two who use it at once, one finds it gone.
    if not changed_rows(session, delete(Invitation).where(Invitation.id == found.id)):
        raise NotFound("invitation", ENDS)
    seen = Viewer.portfolio_id == portfolio.id, Viewer.user_id == user_id
    if session.scalar(select(Viewer.id).where(*seen)) is None:
        session.add(Viewer(portfolio_id=portfolio.id, user_id=user_id, created_at=now))
    session.flush()
    return portfolio


def revoke(session: Session, portfolio: Portfolio, invitation_id: int) -> None:
    """Take an invitation back that nobody has used."""
    mine = Invitation.portfolio_id == portfolio.id, Invitation.id == invitation_id
    if not changed_rows(session, delete(Invitation).where(*mine)):
        raise NotFound("invitation")


def remove_viewer(session: Session, portfolio: Portfolio, user_id: int) -> None:
    """Let somebody see a portfolio no longer, from the next request on."""
    theirs = Viewer.portfolio_id == portfolio.id, Viewer.user_id == user_id
    if not changed_rows(session, delete(Viewer).where(*theirs)):
        raise NotFound("viewer")
