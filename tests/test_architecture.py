"""Test the architecture: the direction of imports, the length of units, the layout of files, and the contents that we never store."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import graph
from tests.paths import ROOT
from tests.words import FOLDERS, MAX_SHARE, SERIALIZED_FIELDS, Binding, bindings

CORES = ("iftah", "engine", "graph", "api")
MAX_FUNCTION_LINES, MAX_FILE_LINES = 60, 400
TOP_LEVEL = {
    "pyproject.toml",
    "README.md",
    "iftah",
    "engine",
    "rules",
    "graph",
    "api",
    "tests",
    "docs",
    "Makefile",
    "CONTRIBUTING.md",
}
TOP_LEVEL |= {
    "CHANGELOG.md",
    "LICENSE",
    ".ci",
    ".gitignore",
    "constraints.txt",
    "constraints-dev.txt",
    "constraints-sdist.txt",
}
TOP_LEVEL |= {"Dockerfile", "compose.yaml", ".dockerignore"}  # docs/decisions/0025-operation.md
TOP_LEVEL |= {"SECURITY.md", ".github", ".pre-commit-config.yaml", ".editorconfig"}  # CONTRIBUTING.md
TOP_LEVEL |= {"mkdocs.yml", "constraints-docs.txt"}  # docs/decisions/0044-a-site-of-the-documents.md
TOP_LEVEL |= {"constraints-spark.txt"}  # docs/decisions/0058-spark.md
TOP_LEVEL |= {"setup.py"}  # docs/decisions/0043-distribution.md
NOT_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "base", "misc", "shared"}
DATA = (".asc", ".gz", ".parquet", ".db", ".sqlite", ".csv", ".zip", ".pkl", ".npz", ".whl", ".so", ".png")
HOSTS = ("pypi" + ".org", "files.python" + "hosted", "debian" + ".org")


@cache
def tracked_files() -> tuple[Path, ...]:
    """The files that git tracks or would add: new files too, so that a test fails before the commit."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout: nothing says which files belong to the project")
    completed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return tuple(ROOT / name for name in completed.stdout.split("\0") if name and (ROOT / name).is_file())


@cache
def all_bindings() -> tuple[Binding, ...]:
    return tuple(bindings())


def modules() -> list[Path]:
    return sorted(p for core in CORES for p in (ROOT / core).rglob("*.py"))


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Each function's place, and its length in lines, without its decorators."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", (node.end_lineno or 0) - node.lineno + 1


def test_imports_go_one_way() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    completed = subprocess.run(
        [linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=240, check=False
    )
    assert completed.returncode == 0, completed.stdout + completed.stderr
    assert "0 broken" in completed.stdout


def test_no_function_is_too_long() -> None:
    too_long = [
        f"{name}: {length} lines"
        for path in modules()
        for name, length in functions(path)
        if length > MAX_FUNCTION_LINES
    ]
    assert too_long == []


def test_no_file_is_too_long() -> None:
    files = [*modules(), *(ROOT / "tests").rglob("*.py")]
    lengths = {p.relative_to(ROOT): p.read_text(encoding="utf-8").count("\n") for p in files}
    assert {str(p): n for p, n in lengths.items() if n > MAX_FILE_LINES} == {}


def test_the_top_level_has_only_known_entries() -> None:
    assert {p.relative_to(ROOT).parts[0] for p in tracked_files()} - TOP_LEVEL == set()


def test_no_file_has_a_generic_name() -> None:
    assert [str(p) for p in tracked_files() if p.stem in NOT_NAMES or p.parent.name in NOT_NAMES] == []


def test_the_rules_folder_holds_rules_only() -> None:
    assert {p.suffix for p in tracked_files() if p.relative_to(ROOT).parts[0] == "rules"} == {".yaml"}


def test_the_exports_of_graph_are_fixed() -> None:
    assert set(graph.__all__) == {"Feature", "schema"}
    assert all(hasattr(graph, name) for name in graph.__all__)


def test_every_module_has_a_docstring() -> None:
    documented = [p for p in modules() if p.name != "__init__.py" and "versions" not in p.parts]
    assert [str(p) for p in documented if not ast.get_docstring(ast.parse(p.read_text(encoding="utf-8")))] == []


def test_every_module_of_a_core_is_in_the_order_of_the_language() -> None:
    """A new stage of `engine.lang` that no layer names would escape the contract."""
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    stages = {p.stem for p in (ROOT / "engine" / "lang").glob("*.py")} - {"__init__"}
    layers = pyproject.partition('containers = ["engine.lang"]')[2].partition("]\n\n")[0]
    layer_names = {word for line in layers.split('"') for word in line.replace("|", " ").split()}
    assert stages - layer_names == set()


def test_no_binding_is_a_private_word() -> None:
    """Take the field's word or the thing's noun instead; `python -m tests.words --list` lists them."""
    private = [f"{b.path}:{b.line} {b.name}" for b in all_bindings() if b.is_private_word]
    assert len(private) / len(all_bindings()) < MAX_SHARE
    assert private == []


def test_each_exception_from_the_list_of_private_words_is_a_field() -> None:
    fields = {f"{b.scope.rpartition('.')[2]}.{b.name}" for b in all_bindings()}
    assert set(SERIALIZED_FIELDS) - fields == set()


def test_no_class_name_is_defined_twice() -> None:
    places: dict[str, list[str]] = {}
    for path in (p for folder in FOLDERS for p in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name.lstrip("_"), []).append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert {name: lines for name, lines in places.items() if len(lines) > 1} == {}


def test_no_data_is_in_the_project() -> None:
    examples = ROOT / "docs" / "examples"  # small tables that we wrote, of nobody
    assert [str(p) for p in tracked_files() if p.suffix in DATA and not p.is_relative_to(examples)] == []
    assert [str(p) for p in tracked_files() if b"\0" in p.read_bytes()] == []


def test_no_package_index_is_named() -> None:
    texts = {p: p.read_text(encoding="utf-8") for p in tracked_files() if p.name != "LICENSE"}
    assert [f"{p.relative_to(ROOT)}: {host}" for p, text in texts.items() for host in HOSTS if host in text] == []
