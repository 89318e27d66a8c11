"""The house rules that a machine can check: floors, who knows what, sizes, docstrings."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "codesign"
MODULES = sorted(PACKAGE.rglob("*.py"))

MODULE_LINES = 400
FUNCTION_LINES = 50
TABLE_LINES = 75
"""A process's `structure()` is one table without control flow, and may be longer."""

KNOWS = {
    "click": ("cli",),
    "jinja2": ("emit.", "report."),
    "onnx": ("network.onnx",),
    "onnxruntime": ("validate.",),
    "optuna": ("search.genetic", "search.strategies."),
    "plotly": ("report.",),
    "pydantic": ("load.",),
    "sklearn": ("accuracy.",),
    "skopt": ("search.strategies.",),
    "sqlite3": ("search.",),
    "subprocess": ("validate.",),
    "tensorboardX": ("search.logs.",),
    "torch": ("accuracy.",),
    "yaml": ("load.",),
}
"""Which modules may import a library, by the beginning of their name."""


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def imports(path: Path) -> Iterator[str]:
    """Yield the top package of every import in a module, lazy ones included."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def definitions(path: Path) -> Iterator[tuple[str, ast.ClassDef | ast.FunctionDef]]:
    """Yield the classes and functions of a module with their dotted names."""

    def below(parent: ast.AST, name: str) -> Iterator[tuple[str, ast.ClassDef | ast.FunctionDef]]:
        for node in ast.iter_child_nodes(parent):
            if isinstance(node, ast.ClassDef | ast.FunctionDef):
                yield f"{name}.{node.name}", node
                if isinstance(node, ast.ClassDef):
                    yield from below(node, f"{name}.{node.name}")

    yield from below(ast.parse(path.read_text()), module_name(path))


def is_public(name: str) -> bool:
    return not any(part.startswith("_") for part in name.split("."))


def test_the_import_contracts_are_kept() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    run = subprocess.run(
        [lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_members_of_every_plural_folder_are_independent() -> None:
    packages = [path.parent for path in PACKAGE.glob("*/*/__init__.py")]
    plural = [package for package in packages if package.name.endswith("s")]
    folders = {f"codesign.{module_name(package)}.*" for package in plural}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = project["tool"]["importlinter"]["contracts"]
    independent = [c["modules"] for c in contracts if c["type"] == "independence"]
    assert folders == {folder for (folder,) in independent}


@pytest.mark.parametrize("library", KNOWS)
def test_a_library_is_known_in_one_room(library: str) -> None:
    knowing = [module_name(path) for path in MODULES if library in imports(path)]
    assert [name for name in knowing if not name.startswith(KNOWS[library])] == []


def test_modules_are_short() -> None:
    lengths = {module_name(path): len(path.read_text().splitlines()) for path in MODULES}
    assert {name: length for name, length in lengths.items() if length > MODULE_LINES} == {}


def test_functions_are_short() -> None:
    lengths = {
        name: (node.end_lineno or node.lineno) - node.lineno + 1
        for path in MODULES
        for name, node in definitions(path)
        if isinstance(node, ast.FunctionDef)
    }
    limits = {n: TABLE_LINES if n.endswith(".structure") else FUNCTION_LINES for n in lengths}
    assert {name: length for name, length in lengths.items() if length > limits[name]} == {}


def test_what_is_public_says_what_it_is() -> None:
    described = {
        name: ast.get_docstring(node)
        for path in MODULES
        for name, node in definitions(path)
        if is_public(name)
    }
    described |= {module_name(p): ast.get_docstring(ast.parse(p.read_text())) for p in MODULES}
    assert [name for name, text in described.items() if not (text or "").strip()] == []


def test_no_module_is_a_drawer_for_leftovers() -> None:
    drawers = {"utils", "util", "helpers", "helper", "misc", "common"}
    assert [path for path in MODULES if path.stem in drawers] == []


def test_every_direct_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    wanted = [*project["dependencies"], *(entry for extra in extras for entry in extra)]
    names = {entry.split(">")[0].split("[")[0].lower().replace("_", "-") for entry in wanted}
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line.partition("==") for line in lines if not line.startswith("#")]
    assert all(equals and "+" not in version for _, equals, version in pins)
    pinned = {name.lower().replace("_", "-") for name, _, _ in pins}
    assert names - {"codesign"} <= pinned
