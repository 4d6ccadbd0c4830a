"""The house: who may import whom, how large its parts may be, and what is forbidden everywhere."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median, quantiles

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted(
    path
    for folder in ("portfolio", "brokers")
    for path in (ROOT / folder).rglob("*.py")
    if "versions" not in path.parts
)
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
SLICES = ("users", "accounts", "sync", "connections", "jobs", "pages")
FOUNDATION = ("settings", "options", "values", "errors", "names", "redaction", "clock", "paths")
SHARED = ("db", "web")
ROOT_ONLY = (
    *("app", "cli", "commands", "demo", "doctor", "frontend", "notify"),
    *("arguments", "gunicorn", "health", "serving", "keys", "token_commands", "user_commands"),
)
FORBIDDEN_IN_BROKERS = {"portfolio", "flask", "sqlalchemy", "apscheduler", "marshmallow"}
# What a file of a slice may know of its own slice.
WITHIN = {
    "models": set(),
    "services": {
        *("models", "queries", "names", "gateways", "watch"),
        *("plan", "gates", "reconcile", "reading", "apply", "target", "lease", "kept"),
        *("sessions", "tokens", "figures", "quotes", "csvfile", "ecb"),
    },
    "queries": {"models", "resources", "figures", "names", "totals"},
    "schemas": {"resources", "queries", "models", "csvfile"},
}
# name of a file or function -> why it may be larger than the budget.
EXCEPTIONS: dict[str, str] = {}


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def trees() -> Iterator[tuple[Path, str, ast.Module]]:
    for path in SOURCES:
        yield path, module_of(path), ast.parse(path.read_text(encoding="utf-8"))


def imports(tree: ast.Module) -> Iterator[str]:
    """Every module a file imports, lazy imports included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_brokers_know_nothing_of_the_application():
    wrong = [
        f"{module} imports {name}"
        for _, module, tree in trees()
        if module.startswith("brokers")
        for name in imports(tree)
        if name.split(".")[0] in FORBIDDEN_IN_BROKERS
    ]
    assert wrong == []


def test_the_application_knows_brokers_by_their_contract_only():
    allowed = {"types", "errors", "contract", "registry", "http", "pacing", "tls", "testing"}
    allowed |= {"addresses", "recording"}
    wrong = [
        f"{module} imports {name}"
        for _, module, tree in trees()
        if module.startswith("portfolio") and module.split(".")[1:2] != ["demo"]
        for name in imports(tree)
        if name.startswith("brokers.") and name.split(".")[1] not in allowed
    ]
    assert wrong == []


def rank(module: str) -> int:
    part = module.split(".")[1] if "." in module else ""
    if part in FOUNDATION:
        return 0
    if part in SHARED:
        return 1
    if part in SLICES:
        return 2 + SLICES.index(part)
    return 2 + len(SLICES)


def test_imports_go_one_way():
    wrong = []
    for _, module, tree in trees():
        if not module.startswith("portfolio."):
            continue
        for name in imports(tree):
            if name.startswith("portfolio.") and rank(name) > rank(module):
                wrong.append(f"{module} imports {name}")
    assert wrong == []


def test_nobody_imports_the_composition_root():
    wrong = [
        f"{module} imports {name}"
        for _, module, tree in trees()
        for name in imports(tree)
        if name.startswith("portfolio.")
        and name.split(".")[1] in ROOT_ONLY
        and (module.split(".")[1:2] or [""])[0] not in ROOT_ONLY
        and module != "portfolio"
    ]
    assert wrong == []


def test_files_of_a_slice_know_only_what_they_may():
    wrong = []
    for _, module, tree in trees():
        parts = module.split(".")
        if len(parts) < 3 or parts[1] not in SLICES or parts[2] not in WITHIN:
            continue
        for name in imports(tree):
            inner = name.split(".")
            known = {parts[2], *WITHIN[parts[2]]}
            if inner[:2] == parts[:2] and len(inner) > 2 and inner[2] not in known:
                wrong.append(f"{module} imports {name}")
    assert wrong == []


VENDOR = re.compile(
    r"\b(conid|acctId|accountId|avgPrice|avgCost|mktPrice|mktValue|assetClass|cashbalance"
    r"|netliquidationvalue|futuresonlypnl|secdef|contractDesc|unrealizedPnl)\b"
)


def test_vendor_words_stay_in_the_adapter():
    wrong = [
        f"{path.relative_to(ROOT)}: {found.group()}"
        for path in [*SOURCES, *TEMPLATES]
        if "ibkr" not in path.parts
        for found in VENDOR.finditer(path.read_text(encoding="utf-8"))
    ]
    assert wrong == []


def test_vendor_field_names_of_holdings_are_known_to_the_mapping_only():
    names = re.compile(r"[\"'](avgPrice|mktValue|mktPrice|unrealizedPnl|cashbalance)[\"']")
    outside = [
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "brokers" / "ibkr").glob("*.py")
        if names.search(path.read_text(encoding="utf-8"))
    ]
    assert outside == []


ORDER_PATHS = re.compile(r"/(orders?|reply|whatif|transfers?|alerts?|ssodh/init|withdraw)\b")


def test_no_path_that_trades_stands_anywhere_in_the_brokers():
    found = [
        f"{path.relative_to(ROOT)}: {hit.group()}"
        for path in SOURCES
        if path.parts[len(ROOT.parts)] == "brokers"
        for hit in ORDER_PATHS.finditer(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def functions() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for _, module, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{module}.{node.name}", node


def length(node: ast.AST) -> int:
    return node.end_lineno - node.lineno + 1


def test_functions_are_short():
    sizes = {name: length(node) for name, node in functions()}
    assert [name for name, size in sizes.items() if size > 60 and name not in EXCEPTIONS] == []
    assert median(sizes.values()) <= 8
    assert quantiles(sizes.values(), n=20)[-1] <= 35


def test_functions_take_few_positional_parameters():
    wrong = []
    for name, node in functions():
        given = [a.arg for a in (*node.args.posonlyargs, *node.args.args)]
        given = given[1:] if given[:1] in (["self"], ["cls"]) else given
        if len(given) > 5:
            wrong.append(f"{name}: {len(given)}")
    assert wrong == []


def test_handlers_are_short():
    wrong = []
    for name, node in functions():
        is_handler = any(
            isinstance(of, ast.Call)
            and isinstance(of.func, ast.Attribute)
            and of.func.attr in {"get", "post", "patch", "put", "delete"}
            for of in node.decorator_list
        )
        body = node.body[1:] if ast.get_docstring(node) else node.body
        if is_handler and sum(length(each) for each in body) > 15:
            wrong.append(f"{name}: {sum(length(each) for each in body)} lines")
    assert wrong == []


def test_files_are_short():
    sizes = {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8").count("\n")
        for path in SOURCES
        if path.name != "__init__.py"
    }
    assert [name for name, size in sizes.items() if size > 400 and name not in EXCEPTIONS] == []
    assert median(sizes.values()) <= 130


def test_templates_are_short():
    sizes = {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8").count("\n")
        for path in TEMPLATES
    }
    assert [name for name, size in sizes.items() if size > 150 and name not in EXCEPTIONS] == []
    assert median(sizes.values()) <= 40


def public_things(tree: ast.Module) -> Iterator[ast.AST]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from (
                    inner
                    for inner in node.body
                    if isinstance(inner, ast.FunctionDef) and not inner.name.startswith("_")
                )


def test_every_public_name_says_what_it_is():
    wrong = []
    for _, module, tree in trees():
        if not ast.get_docstring(tree):
            wrong.append(module)
        for node in public_things(tree):
            text = ast.get_docstring(node) or ""
            first = text.split("\n\n")[0].replace("\n", " ")
            if not first or first.strip()[-1] not in ".:":
                wrong.append(f"{module}.{node.name}")
    assert wrong == []


# Seconds of a clock; money never.
FLOAT_OK = {
    "brokers.http",
    "brokers.pacing",
    "brokers.tls",
    "brokers.contract",
    "brokers.ibkr.state",
    "brokers.testing.clock",
    "brokers.testing.contract",
    "brokers.testing.network",
    "portfolio.clock",
}


def test_no_float_touches_money():
    wrong = []
    for _, module, tree in trees():
        if module in FLOAT_OK or "simulator" in module:
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and node.id == "float":
                wrong.append(f"{module}:{node.lineno} float")
            if isinstance(node, ast.Constant) and isinstance(node.value, float):
                wrong.append(f"{module}:{node.lineno} {node.value}")
    assert wrong == []


def test_nothing_sleeps_but_by_the_clock_it_was_given():
    wrong = [
        f"{module}:{node.lineno}"
        for _, module, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and (node.value.id, node.attr) in {("time", "sleep"), ("datetime", "now")}
        and not module.endswith(".clock")
        and "simulator" not in module
    ]
    assert wrong == []


def test_importing_does_no_work():
    code = (
        "import sys, socket, threading\n"
        "opened = []\n"
        "sys.addaudithook(lambda e, a: opened.append((e, a)) if e in "
        "('socket.connect', 'subprocess.Popen', 'os.mkdir') else None)\n"
        "import portfolio.app, portfolio.cli, brokers.ibkr.adapter\n"
    )
    code += "assert not opened, opened\nassert threading.active_count() == 1\n"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("word", ["|safe", "style=", "onclick", "hx-on", "http://", "<script>"])
def test_templates_hold_to_the_content_policy(word):
    wrong = [path.name for path in TEMPLATES if word in path.read_text(encoding="utf-8")]
    assert wrong == []


def test_htmx_neither_runs_text_nor_asks_another_host():
    base = (ROOT / "templates" / "base.html").read_text(encoding="utf-8")
    config = json.loads(re.search(r"name=\"htmx-config\" content='([^']+)'", base)[1])
    off = ("allowEval", "allowScriptTags", "includeIndicatorStyles")
    assert not any(config[name] for name in off)
    assert config["selfRequestsOnly"] is True


def test_each_element_of_htmx_names_its_own_target_and_swap():
    wrong = []
    for path in TEMPLATES:
        for tag in re.findall(r"<[a-z][^<>]*\bhx-(?:get|post)=[^<>]*>", path.read_text("utf-8")):
            if "hx-target=" not in tag or "hx-swap=" not in tag:
                wrong.append(f"{path.name}: {tag}")
    assert wrong == []
