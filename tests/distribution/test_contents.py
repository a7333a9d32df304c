"""The contents of the wheel and of the source distribution. `make dist-test` checks that they work once you install
them.
"""

import ast
import re
import tarfile
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest

from tests.distribution import build

ROOT, PACKAGES = build.ROOT, build.PACKAGES


def files(folder: str, pattern: str = "*") -> set[str]:
    """The files of a folder of the checkout, by their paths in it."""
    paths = (p for p in (ROOT / folder).rglob(pattern) if p.is_file() and "__pycache__" not in p.parts)
    return {p.relative_to(ROOT / folder).as_posix() for p in paths}


def resource_folders() -> list[str]:
    """The folders that setup.py puts into the wheel as resources."""
    tree = ast.parse((ROOT / "setup.py").read_text(encoding="utf-8"))
    targets = {
        t.id: n.value for n in tree.body if isinstance(n, ast.Assign) for t in n.targets if isinstance(t, ast.Name)
    }
    return list(ast.literal_eval(targets["RESOURCES"]))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build.wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_one_wheel_serves_every_python_of_a_platform(wheel: Path) -> None:
    assert re.fullmatch(r"iftah-[\d.]+-cp311-abi3-\w+\.whl", wheel.name)


def test_the_wheel_carries_every_module_and_that_it_is_typed(names: set[str]) -> None:
    modules = {f"{package}/{name}" for package in PACKAGES for name in files(package, "*.py")}
    assert modules - names == set()
    assert {
        "iftah/py.typed",
        "engine/py.typed",
        "graph/py.typed",
    } <= names  # the types of `iftah` come from all three packages


def test_the_wheel_carries_the_rules_with_their_cases_the_schemas_and_the_migrations(names: set[str]) -> None:
    assert {f"iftah/resources/rules/{name}" for name in files("rules")} - names == set()
    assert {f"iftah/resources/schemas/{name}" for name in files("docs/schemas")} - names == set()
    assert len([n for n in names if re.fullmatch(r"api/store/migrations/versions/\d{4}_\w+\.py", n)]) >= 10


def test_the_wheel_carries_durable_rules_library_and_its_licence_and_names_no_durable_rules(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        assert "durable_rules_engine.abi3.so" in archive.namelist()
        assert "MIT" in archive.read("iftah/resources/LICENSE.durable-rules").decode()
        metadata = next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        requirements = HeaderParser().parsestr(archive.read(metadata).decode()).get_all("Requires-Dist") or []
    assert requirements
    assert not [n for n in requirements if n.startswith("durable")]


def test_the_wheel_carries_no_test_and_no_leftover_file(names: set[str]) -> None:
    tops = {name.partition("/")[0] for name in names}
    assert {t for t in tops if not t.endswith(".dist-info")} == {*PACKAGES, "durable_rules_engine.abi3.so"}
    modules = {n for n in names if n.startswith(PACKAGES) and n.endswith(".py")}
    assert modules == {f"{package}/{name}" for package in PACKAGES for name in files(package, "*.py")}


def test_the_source_distribution_carries_every_file_that_a_build_reads(tmp_path: Path) -> None:
    archive = build.source_distribution(tmp_path)
    with tarfile.open(archive) as tar:
        inside = {name.partition("/")[2] for name in tar.getnames()}
    for folder in resource_folders():
        assert {f"{folder}/{name}" for name in files(folder)} - inside == set()
    assert {"setup.py", "pyproject.toml", "constraints-sdist.txt", "LICENSE"} - inside == set()
    assert [name for name in inside if re.fullmatch(r"durable_rules-[\d.]+\.tar\.gz", name)]


@pytest.mark.parametrize("path", [*resource_folders(), *PACKAGES, "setup.py", "pyproject.toml", "README.md", "LICENSE"])
def test_the_image_copies_every_file_that_a_build_reads(path: str) -> None:
    """`make image` takes minutes. We test here that the builder gets its files."""
    copied = re.findall(r"^COPY (?!--)(.*) \S+$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    assert path in " ".join(copied).split()
    assert f"!{path}" in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
