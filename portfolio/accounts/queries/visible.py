"""Who may see what: one place decides it, for pages, fragments, JSON and files alike."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BindParameter, ColumnElement, Select, or_, select
from sqlalchemy.orm import Session, contains_eager

from portfolio.accounts.models import Invitation, Portfolio, Viewer
from portfolio.errors import Forbidden, NotFound
from portfolio.users.models import User

OF_OWNER = User.name, User.held_stamp, User.rates_revision
ENDS = "A link works once and ends in seven days: ask for a new one."


def visible(user_id: int | BindParameter[int]) -> ColumnElement[bool]:
    """The condition on portfolios: a user's own, and those that are shared with the user."""
    shared = select(Viewer.portfolio_id).where(Viewer.user_id == user_id)
    return or_(Portfolio.owner_id == user_id, Portfolio.id.in_(shared))


def portfolios_of(user_id: int) -> Select[Portfolio]:
    """The portfolios that a user sees, with as much of their owners as pages need."""
    owner = contains_eager(Portfolio.owner).load_only(*OF_OWNER)
    return select(Portfolio).join(Portfolio.owner).options(owner).where(visible(user_id))


def visible_portfolios(session: Session, user_id: int) -> list[Portfolio]:
    """All portfolios that a user sees in the order of their names, the user's own ones first."""
    found = session.scalars(portfolios_of(user_id))
    return sorted(found, key=lambda of: (of.owner_id != user_id, of.owner_id, of.name, of.id))


def shared_by(portfolio: Portfolio, user_id: int | None) -> str | None:
    """The name of the owner who shares a portfolio with this user; None to the owner."""
    return None if user_id in {None, portfolio.owner_id} else portfolio.owner.name


def refuse_viewer(portfolio: Portfolio, user_id: int) -> None:
    """Refuse a change by somebody who may see a portfolio and nothing more."""
    if portfolio.owner_id != user_id:
        raise Forbidden(
            f"“{portfolio.name}” is shared with you to look at; nothing was changed.",
            "Ask its owner to change it.",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewerLine:
    """Somebody who may see a portfolio."""

    user_id: int
    name: str
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SharePage:
    """Who may see a portfolio, and who is invited to."""

    portfolio: Portfolio
    viewers: tuple[ViewerLine, ...]
    invitations: tuple[Invitation, ...]


def share_page(session: Session, portfolio: Portfolio, now: datetime) -> SharePage:
    """What the owner's page about sharing shows."""
    seen = select(Viewer, User.name).join(User, User.id == Viewer.user_id)
    seen = seen.where(Viewer.portfolio_id == portfolio.id).order_by(User.name)
    open_ = Invitation.portfolio_id == portfolio.id, Invitation.expires_at > now
    invited = select(Invitation).where(*open_).order_by(Invitation.id)
    return SharePage(
        portfolio=portfolio,
        viewers=tuple(
            ViewerLine(user_id=row.user_id, name=name, since=row.created_at)
            for row, name in session.execute(seen)
        ),
        invitations=tuple(session.scalars(invited)),
    )


def find_invitation(session: Session, code_hash: str, now: datetime) -> Invitation:
    """The open invitation of a code, or `NotFound`; a used or revoked one is not there."""
    wanted = Invitation.code_hash == code_hash, Invitation.expires_at > now
    found = session.scalar(select(Invitation).where(*wanted))
    if found is None:
        raise NotFound("invitation", ENDS)
    return found
