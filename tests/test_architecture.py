"""The architecture, held: who imports whom, how long things are, what lies where, and what is never in the project."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import graph

ROOT = Path(__file__).parents[1]
CORES = ("engine", "graph", "api")
MOST_FUNCTION, MOST_FILE = 60, 400
TOP = {"pyproject.toml", "README.md", "engine", "rules", "graph", "api", "tests", "docs", "Makefile", "CONTRIBUTING.md"}
TOP |= {"CHANGELOG.md", "LICENSE", ".ci", ".gitignore", "constraints.txt", "constraints-sdist.txt"}
TOP |= {"Dockerfile", "compose.yaml", ".dockerignore"}  # docs/decisions/0025-running-it.md
NOT_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "base", "misc", "shared"}
DATA = (".asc", ".gz", ".parquet", ".db", ".sqlite", ".csv", ".zip", ".pkl", ".npz", ".whl", ".so", ".png")
HOSTS = ("pypi" + ".org", "files.python" + "hosted", "debian" + ".org")


@cache
def tracked() -> tuple[Path, ...]:
    """What git tracks and what it would: new files too, so that a test fails before the commit."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout: nothing says which files belong to the project")
    said = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return tuple(ROOT / name for name in said.stdout.split("\0") if name and (ROOT / name).is_file())


def modules() -> list[Path]:
    return sorted(p for core in CORES for p in (ROOT / core).rglob("*.py"))


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Each function's place, and its length in lines, without its decorators."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", (node.end_lineno or 0) - node.lineno + 1


def test_imports_go_one_way() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    said = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert said.returncode == 0, said.stdout + said.stderr
    assert "0 broken" in said.stdout


def test_no_function_is_too_long() -> None:
    found = [
        f"{name}: {length} lines" for path in modules() for name, length in functions(path) if length > MOST_FUNCTION
    ]
    assert found == []


def test_no_file_is_too_long() -> None:
    files = [*modules(), *(ROOT / "tests").rglob("*.py")]
    lengths = {p.relative_to(ROOT): p.read_text(encoding="utf-8").count("\n") for p in files}
    assert {str(p): n for p, n in lengths.items() if n > MOST_FILE} == {}


def test_the_top_level_holds_what_it_should() -> None:
    assert {p.relative_to(ROOT).parts[0] for p in tracked()} - TOP == set()


def test_no_file_has_a_name_that_says_nothing() -> None:
    assert [str(p) for p in tracked() if p.stem in NOT_NAMES or p.parent.name in NOT_NAMES] == []


def test_the_rules_folder_holds_rules_only() -> None:
    assert {p.suffix for p in tracked() if p.relative_to(ROOT).parts[0] == "rules"} == {".yaml"}


def test_what_graph_exports_is_decided() -> None:
    assert set(graph.__all__) == {"Feature", "schema"}
    assert all(hasattr(graph, name) for name in graph.__all__)


def test_every_module_says_what_it_is() -> None:
    documented = [p for p in modules() if p.name != "__init__.py" and "versions" not in p.parts]
    assert [str(p) for p in documented if not ast.get_docstring(ast.parse(p.read_text(encoding="utf-8")))] == []


def test_every_module_of_a_core_is_in_the_order_of_the_language() -> None:
    """A new stage of `engine.lang` that no layer names would escape the contract."""
    said = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    stages = {p.stem for p in (ROOT / "engine" / "lang").glob("*.py")} - {"__init__"}
    layers = said.partition('containers = ["engine.lang"]')[2].partition("]\n\n")[0]
    named = {word for line in layers.split('"') for word in line.replace("|", " ").split()}
    assert stages - named == set()


def test_no_data_is_in_the_project() -> None:
    assert [str(p) for p in tracked() if p.suffix in DATA] == []
    assert [str(p) for p in tracked() if b"\0" in p.read_bytes()] == []


def test_no_package_index_is_named() -> None:
    texts = {p: p.read_text(encoding="utf-8") for p in tracked() if p.name != "LICENSE"}
    assert [f"{p.relative_to(ROOT)}: {host}" for p, text in texts.items() for host in HOSTS if host in text] == []
