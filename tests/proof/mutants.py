"""Change the code that guards holdings and gateways, one place at a time: do the tests notice?

`python -m tests.proof.mutants [--below 85] [module ...]` prints a table and every change that no
test noticed. Functions are changed by mutmut; what a module defines outside its functions (the
closed list of endpoints is nothing else) is changed here with mutmut's own operators.

A change that survives must be in `survivors.md` with the reason why it may.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import chdir
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

import libcst as cst
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.mutation.mutators import mutation_operators
from mutmut.stats import status_by_exit_code

ROOT = Path(__file__).parent.parent.parent
REASONS = Path(__file__).with_name("survivors.md")
SYNC, WEB = "tests/unit/portfolio/sync", "tests/integration/web"
LOGINS = "tests/integration/users/test_logins.py"
FORMS = f"{LOGINS}::test_a_form_of_before_the_login_or_of_another_login_is_refused"
TOKENS = tuple(
    f"tests/integration/users/test_tokens.py::test_{name}"
    for name in (
        "a_refused_token_says_what_to_do",
        "what_everybody_may_see_looks_at_no_token_and_a_login_is_not_for_programs",
        "each_scope_opens_its_own_and_nothing_else",
        "a_token_opens_no_page_and_makes_no_token",
        "no_token_changes_a_setting",
        "a_token_needs_no_form_token_and_another_site_is_refused_all_the_same",
    )
)
STORING = ("tests/integration/sync/test_apply.py", "tests/integration/sync/test_counts.py")
# Which tests have to notice: all run in the process itself, and each module's take seconds.
MODULES = {
    "portfolio/sync/gates.py": (SYNC,),
    "brokers/ibkr/endpoints.py": ("tests/unit/brokers/ibkr/test_endpoints.py",),
    "brokers/ibkr/agreement.py": ("tests/unit/brokers/ibkr/test_agreement.py",),
    "portfolio/web/gate.py": (f"{WEB}/test_gate.py", f"{WEB}/test_rules.py", FORMS, *TOKENS),
    "brokers/tls.py": ("tests/unit/brokers/test_tls.py", "tests/e2e/test_tls.py"),
    "portfolio/sync/apply.py": STORING,
    "portfolio/sync/writing.py": STORING,
    "portfolio/sync/rows.py": STORING,
}
# Plugins, and the search for forgotten files at the end, take longer than most tests here.
ENVIRON = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
PYTEST = ("-p", "no:unraisableexception", "-m", "not browser and not postgres")
# Seconds of processor time, so that a busy machine notices nothing by itself.
SETUP = """
[mutmut]
source_paths =
    brokers
    portfolio
only_mutate = {module}
also_copy =
    static
    templates
pytest_add_cli_args =
    {arguments}
pytest_add_cli_args_test_selection =
    {tests}
timeout_constant = 10.0
timeout_multiplier = 10.0
use_git_change_detection = false
"""
NOTICED = {"killed", "timeout", "segfault"}
LIMIT = 600


@dataclass
class Score:
    """What became of the changes to one module."""

    module: str
    killed: int = 0
    survivors: list[str] = field(default_factory=list)
    seconds: float = 0

    @property
    def share(self) -> float:
        """How many of a hundred changes were noticed."""
        return 100 * self.killed / (self.killed + len(self.survivors))

    @property
    def row(self) -> str:
        """A line of the table."""
        left = len(self.survivors)
        counts = f"{self.killed + left} | {self.killed} | {left}"
        return f"| {self.module} | {counts} | {self.share:.1f} % | {self.seconds:.0f} s |"


def copied(folder: Path) -> Path:
    """A copy of the tree: nobody's files are changed."""
    for name in ("brokers", "portfolio", "static", "templates", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.cfg"):
        shutil.copy(ROOT / name, folder)
    return folder


def scored(module: str, folder: Path) -> Score:
    """Try every change to a module."""
    score, began = Score(module), monotonic()
    _definitions(score, folder)
    _functions(score, folder)
    score.seconds = monotonic() - began
    return score


def _functions(score: Score, folder: Path) -> None:
    tests = "\n    ".join(MODULES[score.module])
    setup = SETUP.format(module=score.module, tests=tests, arguments="\n    ".join(PYTEST))
    with (folder / "setup.cfg").open("a", encoding="utf-8") as file:
        file.write(setup)
    program = Path(sys.executable).with_name("mutmut")
    with (folder / "log").open("wb") as log:
        command = [program, "run", "--max-children", "1"]
        ran = subprocess.run(command, cwd=folder, env=ENVIRON, stdout=log, stderr=log)
    said = json.loads((folder / "mutants" / f"{score.module}.meta").read_text())
    codes = said["exit_code_by_key"]
    if ran.returncode and codes:
        raise SystemExit((folder / "log").read_text(errors="replace")[-3000:])
    for name, code in codes.items():
        if status_by_exit_code[code] in NOTICED:
            score.killed += 1
        else:
            score.survivors.append(_shown(score.module, name, status_by_exit_code[code], folder))


def _shown(module: str, name: str, status: str, folder: Path) -> str:
    with chdir(folder):
        lines = get_diff_for_mutant(name, path=Path(module)).splitlines()[2:]
    function = name.rpartition(".")[2].partition("__mutmut_")[0].removeprefix("x_")
    function = function.removeprefix("xǁ").replace("ǁ", ".")
    said = _change(line for line in lines if not line.startswith(("---", "+++")))
    return f"`{module}` {function}: {said}" + ("" if status == "survived" else f" ({status})")


def _change(lines: Iterator[str]) -> str:
    found: dict[str, list[str]] = {"-": [], "+": []}
    for line in lines:
        if line[:1] in found:
            found[line[0]].append(line[1:].strip())
    return f"`{' '.join(found['-'])}` → `{' '.join(found['+'])}`"


def _definitions(score: Score, folder: Path) -> None:
    file = folder / score.module
    original = file.read_text(encoding="utf-8")
    assert not _noticed(MODULES[score.module], folder), "the tests fail before any change"
    for before, after, code in changed_definitions(original):
        file.write_text(code, encoding="utf-8")
        if _noticed(MODULES[score.module], folder):
            score.killed += 1
        else:
            score.survivors.append(f"`{score.module}` definition: `{before}` → `{after}`")
    file.write_text(original, encoding="utf-8")


def changed_definitions(code: str) -> Iterator[tuple[str, str, str]]:
    """Every change to what stands outside the functions: before, after, and the whole file."""
    tree = cst.parse_module(code)
    for statement in _outside(tree):
        for node in _walk(statement):
            for mutated in _mutated(node):
                changed = statement.deep_replace(node, mutated)
                before, after = (_line(tree, each) for each in (statement, changed))
                yield before, after, tree.deep_replace(statement, changed).code


def _outside(tree: cst.Module) -> Iterator[cst.CSTNode]:
    for node in tree.body:
        body = node.body.body if isinstance(node, cst.ClassDef) else [node]
        yield from (each for each in body if isinstance(each, cst.SimpleStatementLine))


def _walk(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    yield node
    for child in node.children:
        if not isinstance(child, cst.Annotation):
            yield from _walk(child)


def _mutated(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    for kind, operator in mutation_operators:
        if isinstance(node, kind):
            yield from operator(node)


def _line(tree: cst.Module, statement: cst.CSTNode) -> str:
    lines = tree.code_for_node(statement).splitlines()
    return " ".join(line.strip() for line in lines if not line.lstrip().startswith("#")).strip()


def _noticed(tests: tuple[str, ...], folder: Path) -> bool:
    command = [sys.executable, "-m", "pytest", "-x", "-q", *PYTEST, *tests]
    ran = subprocess.run(command, cwd=folder, env=ENVIRON, capture_output=True, timeout=LIMIT)
    return ran.returncode != 0


def main() -> int:
    """Try the modules that are named, or all; 1 if one is below the mark."""
    parser = argparse.ArgumentParser(prog="python -m tests.proof.mutants", description=__doc__)
    parser.add_argument("modules", nargs="*", default=list(MODULES))
    parser.add_argument("--below", type=float, default=85, help="the least score, in percent")
    chosen = parser.parse_args()
    scores = []
    for module in chosen.modules:
        with TemporaryDirectory(prefix="mutants-") as folder:
            scores.append(scored(module, copied(Path(folder))))
        print(scores[-1].row, *scores[-1].survivors, sep="\n- ", flush=True)
    print("\n| module | mutants | killed | survived | score | took |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    print(*(score.row for score in scores), sep="\n")
    reasons = REASONS.read_text(encoding="utf-8")
    silent = [each for score in scores for each in score.survivors if each not in reasons]
    for each in silent:
        print(f"Without a reason in {REASONS.name}: {each}")
    return int(bool(silent) or any(score.share < chosen.below for score in scores))


if __name__ == "__main__":
    raise SystemExit(main())
