"""What is known, what is excused, and what could not be looked up are three things."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

FILE = Path(__file__).parents[2] / "deploy" / "audit.py"
SOUND = {"name": "flask", "version": "3.1", "vulns": []}
BAD = {
    "name": "flask",
    "version": "0.1",
    "vulns": [{"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["0.2"]}],
}
SKIPPED = {"name": "werkzeug", "skip_reason": "not found"}


@pytest.fixture(scope="module")
def audit():
    spec = importlib.util.spec_from_file_location("audit", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("found", "excused", "status", "said"),
    [
        ([SOUND], {}, 0, "lock: no known vulnerability in 1 packages."),
        ([BAD], {}, 1, "lock: VULNERABLE: flask 0.1: PYSEC-1 (mended in ['0.2'])"),
        ([BAD], {"CVE-1": "reason"}, 0, "lock: no known vulnerability in 1 packages."),
        ([SOUND, SKIPPED], {}, 0, "lock: NOT LOOKED UP: 1 of 2 packages: werkzeug."),
        ([SKIPPED], {}, 0, "lock: NOT LOOKED UP: 1 of 1 packages: all."),
        (None, {}, 0, "lock: NOT LOOKED UP: the list of known vulnerabilities"),
    ],
)
def test_each_case_is_said(audit, capsys, found, excused, status, said):
    assert audit.told("lock", found, excused) == status
    assert capsys.readouterr().out.startswith(said)


def test_a_vulnerable_package_beside_one_that_was_not_looked_up_is_vulnerable(audit):
    assert audit.told("lock", [BAD, SKIPPED], {}) == 1


@pytest.mark.parametrize("answer", ["", "not json", "{}"])
def test_an_answer_that_is_none_was_not_looked_up(audit, monkeypatch, answer):
    class Done:
        stdout = answer

    monkeypatch.setattr(audit.subprocess, "run", lambda *a, **more: Done)
    assert audit.looked_up(FILE) is None


def test_every_exception_has_a_reason(audit):
    assert all(reason.strip() for reason in audit.exceptions().values())
