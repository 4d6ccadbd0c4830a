"""The documents say what the program does."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from brokers.errors import CredentialsMissing
from brokers.ibkr.simulator.scenarios import SCENARIOS
from brokers.testing.contract import failures
from portfolio.accounts.csvfile import WRITTEN
from portfolio.accounts.schemas.holdings import (
    CashSchema,
    HoldingSchema,
    HoldingsSchema,
    InstrumentSchema,
    TotalsSchema,
)
from portfolio.accounts.schemas.portfolios import PortfolioSchema
from portfolio.errors import DomainError
from portfolio.settings import as_document
from portfolio.web.errors import CODES

ROOT = Path(__file__).parent.parent
PAPERS = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("brokers/**/*.md")]
)


def test_the_settings_page_lists_every_setting():
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert page.endswith(as_document())


@pytest.mark.parametrize("paper", PAPERS, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_links_between_documents_lead_somewhere(paper):
    text = paper.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert (paper.parent / target).exists(), target


def test_the_readme_has_the_two_commands_and_the_five_labels():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for line in ("make demo", "make test"):
        assert re.search(rf"^{line}$", text, re.MULTILINE)
    for label in (
        "**Edit**",
        "External Connections",
        "**Connect to IBKR**",
        "**Connect Account**",
    ):
        assert label in text


def test_contributing_fits_a_screen():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert text.count("\n") <= 50


def headings(paper):
    text = (ROOT / paper).read_text(encoding="utf-8")
    found = re.findall(r"^#{2,4} (.+)$", text, re.MULTILINE)
    return [re.sub(r"^\d\. ", "", heading).casefold() for heading in found]


def test_every_heading_of_the_guide_has_its_place():
    guide = (ROOT / "tests" / "data" / "guide-headings.txt").read_text(encoding="utf-8")
    ours = iter(headings("docs/connect-ibkr.md"))
    # In the guide's order, with sections of our own between them.
    missing = [wanted for wanted in guide.casefold().splitlines() if wanted not in ours]
    assert missing == []


def entries():
    text = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    parts = re.split(r"^### `(\w+)`$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def leaves(of):
    below = of.__subclasses__()
    return {of.code} if not below else {code for each in below for code in leaves(each)}


def described(text, first):
    """The names in the first cell of each row of a table, or in the second of the row `first`."""
    rows = re.findall(r"^\| (.+?) \| (.*)\|$", text, re.MULTILINE)
    cells = [one for one, _ in rows] if first is None else [b for a, b in rows if first == a]
    return re.findall(r"`(\w+)`(?! of)", " ".join(cells))


def test_each_column_and_each_key_of_an_export_is_described():
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    file = text.split("### An account as a file")[1].split("\n## ")[0]
    csv, json = file.split("**The keys of `export.json`**")
    assert described(csv, None) == list(WRITTEN)
    for row, schema in {
        "`holdings`": HoldingSchema,
        "`instrument` of a holding": InstrumentSchema,
        "`cash`": CashSchema,
        "`totals`": TotalsSchema,
    }.items():
        assert set(schema().fields) <= set(described(json, row)), row
    assert set(described(json, None)) == set(HoldingsSchema().fields)


def test_each_reason_why_a_figure_is_missing_is_described():
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    table = text.split("| after the last colon |")[1].split("\n\n")[0]
    told = TotalsSchema().fields["incomplete"].metadata["description"]
    found = re.findall(r"^\| `(.+?)` \|", table, re.MULTILINE)
    assert found == told.rpartition(": ")[2].split("; ")
    assert PortfolioSchema().fields["incomplete"].metadata["description"] == told


WARNINGS = {"signed_in_elsewhere", "no_market_data", "certificate_stock", "currency_guessed"}
WARNINGS |= {"lists_disagree", "removal_unconfirmed", "not_reconciled", "possible_duplicates"}


def test_troubleshooting_has_an_entry_for_every_code_and_no_other():
    codes = {of.code for of in failures()} | leaves(DomainError) | WARNINGS
    codes.add(CredentialsMissing.code)
    codes |= set(CODES.values())
    assert set(entries()) == codes


def test_every_trouble_names_its_scenarios_and_its_remedy():
    written = entries()
    for code in {of.code for of in failures()} | {"sync_rejected"} | WARNINGS:
        named = set(re.findall(r"`([a-z-]+)`", written[code].split("**Scenario")[1]))
        named -= {"books-differ"} if code == "not_reconciled" else set()
        assert named == {name for name, of in SCENARIOS.items() if of.leads_to == code}, code
        for word in ("**Looks like**", "**Why.**", "**Do"):
            assert word in written[code], code


SECURITY = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
NAMED_TEST = re.compile(r"`(tests/[\w/.]+\.py)::(\w+)`")
NAMED_FILE = re.compile(r"`((?:brokers|portfolio|deploy|templates)/[\w/.]*)`")


def threats():
    """The cells of each row of the table, by the threat's number."""
    rows = re.findall(r"^\| \*\*T(\d+)\*\* (.+) \|$", SECURITY, re.MULTILINE)
    return [(int(number), rest.split(" | ")) for number, rest in rows]


def test_each_threat_has_its_row_with_a_guard_and_a_test_that_proves_it():
    assert [number for number, _ in threats()] == list(range(1, 32))
    for number, cells in threats():
        _, guard, test = cells
        assert NAMED_FILE.search(guard), f"T{number} names no place in the code"
        assert NAMED_TEST.search(test), f"T{number} names no test"


@pytest.mark.parametrize(
    ("file", "name"), sorted(set(NAMED_TEST.findall(SECURITY))), ids=lambda part: part
)
def test_each_test_that_proves_a_guard_is_there(file, name):
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    there = {of.name for of in tree.body if isinstance(of, ast.FunctionDef)}
    assert name in there


@pytest.mark.parametrize("file", sorted(set(NAMED_FILE.findall(SECURITY))))
def test_each_guard_s_file_is_there(file):
    assert (ROOT / file).exists()


def test_no_mention_of_a_test_is_written_otherwise():
    assert len(re.findall(r"tests/\S+::", SECURITY)) == len(NAMED_TEST.findall(SECURITY))
