"""The house rules that a machine can check: who imports whom, and how long things may be."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "lazulite"
MODULES = sorted(SOURCE.rglob("*.py"))

MODULE_LINES = 400
CLASS_LINES = 200
FUNCTION_LINES = 50
ARGUMENTS = 6  # beside self and cls
OWN_IMPORTS = 15  # modules of lazulite that one module imports; `wiring` may import all

# "what:where" of what is over a limit. The list may only shrink.
EXCEPTIONS = {
    "imports:wiring.py",
}

# Where everything may be caught, beside the engine's loop: the edge, which logs it, and the
# writer's thread, which hands it to the future of the caller.
CATCH_ALL = {"wire/http.py", "store/sqlite.py"}

# One import that each contract must refuse: contract id -> (module, line).
BREACHES = {
    "layers": ("config.py", "import lazulite.engine"),
    "domain": ("domain/ids.py", "import os"),
    "sql": ("services/context.py", "import sqlalchemy"),
    "web": ("engine/__init__.py", "import starlette"),
    "terminal": ("client/__init__.py", "import click"),
    "foreign": ("store/__init__.py", "import lazulite.formats"),
    "vendor": ("formats/__init__.py", "import azure"),
    "client": ("client/__init__.py", "import lazulite.services"),
    "cli": ("cli/__init__.py", "import lazulite.wire"),
}


def _contracts() -> list[dict[str, object]]:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return config["tool"]["importlinter"]["contracts"]


def _lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the tree at `root`, whatever lazulite is installed."""
    script = (
        "import sys; from importlinter.cli import lint_imports;"
        "sys.exit(lint_imports(config_filename=sys.argv[1], no_cache=True))"
    )
    return subprocess.run(
        [sys.executable, "-c", script, str(root / "pyproject.toml")],
        env=os.environ | {"PYTHONPATH": str(root / "src"), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_breach_planted_in_each_contract_fails_the_linter(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for module, line in BREACHES.values():
        path = tmp_path / "src" / "lazulite" / module
        path.write_text(f"{path.read_text()}\n\ndef _breach():\n    {line}\n")
    outcome = _lint_imports(tmp_path)
    assert outcome.returncode == 1, outcome.stdout + outcome.stderr
    for contract in _contracts():
        assert f"{contract['name']} BROKEN" in outcome.stdout
        assert contract["id"] in BREACHES


def test_no_contract_ignores_an_import_without_an_adr() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    for contract in _contracts():
        for line in contract.get("ignore_imports", []):
            row = next(row for row in text.splitlines() if f'"{line}"' in row)
            assert re.search(r"# .*adr/\d{4}", row), f"{line}: name the ADR that allows it"


def test_domain_imports_only_what_cannot_act() -> None:
    pure = {
        "__future__", "collections", "dataclasses", "datetime", "enum", "functools", "graphlib",
        "hashlib", "itertools", "json", "lazulite", "math", "msgspec", "re", "types", "typing",
    }  # fmt: skip
    for path in (SOURCE / "domain").rglob("*.py"):
        roots = {name.split(".")[0] for name in _imports(path)}
        assert roots <= pure, f"{path.name} imports {sorted(roots - pure)}"


def test_only_the_engine_and_the_edge_catch_everything() -> None:
    for path in MODULES:
        where = path.relative_to(SOURCE).as_posix()
        if where in CATCH_ALL or where.startswith("engine/"):
            continue
        caught = [node.lineno for node in ast.walk(ast.parse(path.read_text())) if _swallows(node)]
        assert caught == [], f"{where}: name the errors you can act on"


def test_nothing_is_longer_or_wider_than_the_house_allows() -> None:
    over = {excess for path in MODULES for excess in _excesses(path)}
    assert sorted(over - EXCEPTIONS) == []


def test_the_list_of_exceptions_holds_nothing_that_has_been_mended() -> None:
    over = {excess for path in MODULES for excess in _excesses(path)}
    assert sorted(EXCEPTIONS - over - {"imports:wiring.py"}) == []


@pytest.mark.parametrize(
    "word", ["pypi" + ".org", "python" + "hosted", "/wo" + "rk/", "/ro" + "ot/"]
)
def test_no_file_names_a_registry_or_a_folder_of_one_machine(word: str) -> None:
    found = subprocess.run(
        ["git", "grep", "-nIF", word, "--", "."],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert found.stdout == ""


def _swallows(node: ast.AST) -> bool:
    """It catches everything and does not raise it again."""
    if not isinstance(node, ast.ExceptHandler):
        return False
    kind = ast.unparse(node.type) if node.type else "BaseException"
    again = isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None
    return kind in {"Exception", "BaseException"} and not again


def _imports(path: Path) -> Iterator[str]:
    """Yield every module that is imported in `path`, lazily or not."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def _excesses(path: Path) -> Iterator[str]:
    """Yield "what:where" for each limit that the module passes."""
    text = path.read_text()
    where = path.relative_to(SOURCE).as_posix()
    if len(text.splitlines()) > MODULE_LINES:
        yield f"module:{where}"
    if len({name for name in _imports(path) if name.startswith("lazulite")}) > OWN_IMPORTS:
        yield f"imports:{where}"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ClassDef) and _lines(node) > CLASS_LINES:
            yield f"class:{where}:{node.name}"
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if _lines(node) > FUNCTION_LINES:
                yield f"function:{where}:{node.name}"
            if _arguments(node) > ARGUMENTS:
                yield f"arguments:{where}:{node.name}"


def _lines(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _arguments(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    return sum(arg.arg not in ("self", "cls") for arg in every)
