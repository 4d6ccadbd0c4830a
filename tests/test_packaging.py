"""What is packed, and what is not."""

from __future__ import annotations

import configparser
import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TOP = {
    *("portfolio", "brokers", "templates", "static", "tests", "benchmarks", "docs", ".ci"),
    *("wsgi.py", "setup.cfg", "pyproject.toml", "MANIFEST.in", "package.json", ".npmrc"),
    *("package-lock.json", ".gitignore", "Makefile", "LICENSE", "README.md", "CHANGELOG.md"),
    *("CONTRIBUTING.md", "SECURITY.md", "Dockerfile", "compose.yaml", ".dockerignore"),
    *("compose.postgres.yaml", "deploy", "gunicorn.conf.py", "requirements.lock"),
}


def setup() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def test_every_folder_with_code_is_packed():
    listed = set(setup()["options"]["packages"].split())
    found = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for folder in ("portfolio", "brokers")
        for path in (ROOT / folder).rglob("*.py")
    }
    assert found | {"portfolio.static", "portfolio.templates"} == listed


@pytest.fixture
def tracked_files():
    done = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def test_nothing_else_stands_at_the_top(tracked_files):
    assert {name.split("/")[0] for name in tracked_files} <= TOP


def test_the_lock_file_names_no_host():
    lock = (ROOT / "package-lock.json").read_text(encoding="utf-8")
    assert "resolved" not in lock
    packages = json.loads(lock)["packages"]
    assert all("integrity" in of for name, of in packages.items() if name)


def test_no_built_file_is_in_git(tracked_files):
    built = [name for name in tracked_files if "vendor/" in name or name.endswith((".db", ".pyc"))]
    assert built == []


def test_no_page_asks_another_host():
    outside = re.compile(r"(?:src|href|url)\s*[=(]\s*[\"']?(?:https?:)?//")
    for path in [*(ROOT / "templates").rglob("*.html"), *(ROOT / "static" / "css").glob("*.css")]:
        assert not outside.search(path.read_text(encoding="utf-8")), path
