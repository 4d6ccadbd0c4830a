"""The documents say what the program does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from portfolio.settings import as_document

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
