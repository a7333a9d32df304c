"""No test waits without an end: each has a time, and what it reads from a process or waits for in a thread has one too."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.test_architecture import ROOT

# Of a call by this name: where no argument says how long, it waits for ever.
ENDLESS = {"communicate", "wait", "join"}


def waits(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        named = {keyword.arg for keyword in node.keywords}
        endless = node.func.attr in ENDLESS and not node.args and "timeout" not in named
        runs = ast.unparse(node.func) == "subprocess.run" and "timeout" not in named
        if endless or runs:
            found.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    return found


def test_nothing_in_a_test_waits_without_an_end() -> None:
    # the rest of tests/ are programs, which say themselves how long they take
    files = {
        *(ROOT / "tests").rglob("test_*.py"),
        *(ROOT / "tests").rglob("conftest.py"),
        *(ROOT / "tests" / "api").rglob("*.py"),
    }
    assert len(files) > 100
    assert [place for path in sorted(files) for place in waits(path)] == []


def test_a_test_that_hangs_fails(tmp_path: Path) -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    assert 0 < settings["timeout"] <= 600
    (tmp_path / "test_hangs.py").write_text("import os\ndef test_it():\n    os.read(os.pipe()[0], 1)\n")
    command = [sys.executable, "-m", "pytest", "-q", "--timeout", "0.5", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "Timeout" in done.stdout) == (1, True), done.stdout
