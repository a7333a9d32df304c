"""No test waits for ever: each has a time limit, and so has each wait for a process or a thread."""

import ast
import os
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.paths import ROOT

# A call by this name waits for ever unless an argument limits it.
ENDLESS = {"communicate", "wait", "join"}


def endless_waits(path: Path) -> list[str]:
    places = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        keywords = {keyword.arg for keyword in node.keywords}
        endless = node.func.attr in ENDLESS and not node.args and "timeout" not in keywords
        runs = ast.unparse(node.func) == "subprocess.run" and "timeout" not in keywords
        if endless or runs:
            places.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    return places


def test_every_wait_in_a_test_has_a_limit() -> None:
    # the rest of tests/ are programs, which state their own duration
    files = {
        *(ROOT / "tests").rglob("test_*.py"),
        *(ROOT / "tests").rglob("conftest.py"),
        *(ROOT / "tests" / "api").rglob("*.py"),
    }
    assert len(files) > 100
    assert [place for path in sorted(files) for place in endless_waits(path)] == []


def test_a_test_that_hangs_fails(tmp_path: Path) -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    assert 0 < settings["timeout"] <= 600
    (tmp_path / "test_hangs.py").write_text("import os\ndef test_it():\n    os.read(os.pipe()[0], 1)\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "pytest_timeout", "--timeout", "0.5", str(tmp_path)]
    environment = os.environ | {
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"
    }  # the others take longer to import than all of it
    completed = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (completed.returncode, "Timeout" in completed.stdout) == (1, True), completed.stdout
