"""Import with a preview, and export, of holdings and cash as CSV."""

from __future__ import annotations

from flask import Blueprint, Response, request

from brokers.types import Kind
from portfolio.accounts import csvfile, exports
from portfolio.accounts.csvfile import COLUMNS, Layout, Table
from portfolio.accounts.queries.scope import Scope
from portfolio.accounts.services import transfer as services
from portfolio.accounts.views.holdings import scope
from portfolio.accounts.views.portfolios import ACCOUNT, account_url
from portfolio.db.session import unit_of_work
from portfolio.errors import Invalid
from portfolio.web import respond
from portfolio.web.runtime import reading

blueprint = Blueprint("transfer", __name__)
# A preview of more lines than anybody reads would only be slow.
SHOWN = 100


@blueprint.get(f"{ACCOUNT}/import")
def choose_file(portfolio_id: int, account_name: str) -> Response:
    """The form for a file."""
    return file_form(scope(reading(), portfolio_id, account_name), {})


def file_form(at: Scope, errors: dict[str, str]) -> Response:
    """The form for a file, perhaps with what is wrong with the one that was sent."""
    status, back = 422 if errors else 200, account_url(at.account)
    context = {"portfolio": at.account.portfolio, "account": at.view, "back": back}
    return respond.page("accounts/import.html", status, **context, errors=errors)


@blueprint.post(f"{ACCOUNT}/import")
def preview(portfolio_id: int, account_name: str) -> Response:
    """What a file would do; with `apply`, do it."""
    at = scope(reading(), portfolio_id, account_name)
    try:
        text = sent_text()
        table = csvfile.read(text)
        layout = chosen_layout(table, at)
    except Invalid as error:
        return file_form(at, dict(error.fields))
    if "apply" in request.form:
        return apply(portfolio_id, account_name, csvfile.understand(table, layout))
    return previewed(at, text, table, layout)


def previewed(at: Scope, text: str, table: Table, layout: Layout) -> Response:
    """What a file would do, line by line, with its text to send back."""
    plan = services.plan_import(at, csvfile.understand(table, layout))
    good = [step for step in plan.steps if step.action != services.BAD]
    # Of a whole export, what is edited may be one line of thousands.
    good.sort(key=lambda step: step.action == services.UNCHANGED and step.note is None)
    return respond.page(
        "accounts/preview.html",
        portfolio=at.account.portfolio,
        account=at.view,
        back=account_url(at.account),
        text=text,
        headings=table.headings,
        layout=layout,
        columns=COLUMNS,
        kinds=list(Kind),
        plan=plan,
        bad=[step for step in plan.steps if step.action == services.BAD],
        shown=good[:SHOWN],
        ambiguous=csvfile.ambiguous(table, layout),
    )


def sent_text() -> str:
    """The file, or its text that the preview sends back."""
    file = request.files.get("file")
    if file is not None and file.filename:
        return csvfile.decode(file.read())
    text = request.form.get("csv", "")
    if not text:
        raise Invalid({"file": "Choose a file."})
    return text


def chosen_layout(table: Table, at: Scope) -> Layout:
    """The layout that was chosen in the preview; the first time, the likely one."""
    guessed = csvfile.guess(table, at.account.currency)
    if "csv" not in request.form:
        return guessed
    wanted = {name: request.form.get(f"column-{name}", "") for name in COLUMNS}
    kind = request.form.get("default-kind", "")
    return Layout(
        columns=csvfile.headings_of(table.headings, wanted),
        decimal="," if request.form.get("decimal") == "," else ".",
        kind=kind if kind in set(Kind) else guessed.kind,
        currency=request.form.get("default-currency", "").strip() or guessed.currency,
    )


def apply(portfolio_id: int, account_name: str, rows: tuple[csvfile.Row, ...]) -> Response:
    """Write the good lines."""
    with unit_of_work() as session:
        at = scope(session, portfolio_id, account_name)
        plan = services.plan_import(at, rows)
        services.apply_import(at, plan)
        counts = {word: plan.count(word) for word in ("added", "changed", "unchanged")}
        said = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
        left = plan.count(services.BAD)
        message = f"Imported: {said or 'nothing'}{f'; {left} left out' if left else ''}."
        return respond.go(account_url(at.account), message)


@blueprint.get(f"{ACCOUNT}/export.csv")
def export(portfolio_id: int, account_name: str) -> Response:
    """Everything that an account holds, as CSV."""
    return exports.as_csv((portfolio_id, account_name))
