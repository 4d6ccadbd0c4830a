"""The front-end files, which are built and not in the repository."""

from __future__ import annotations

import pytest

from portfolio import paths
from portfolio.errors import SetupProblem


def test_without_the_front_end_nothing_starts_and_the_remedy_is_said(tmp_path, monkeypatch):
    (tmp_path / "static").mkdir()
    monkeypatch.setattr(paths, "PACKAGE", tmp_path)
    with pytest.raises(SetupProblem, match=r"python -m portfolio\.frontend"):
        paths.check_front_end()
