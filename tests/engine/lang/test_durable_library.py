"""A durable-rules that is not there, or cannot be imported, is told in one line that says which command to run."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("module", "line"),
    [
        (
            "raise ImportError('undefined symbol: PyEval_CallObject')",
            "run `python -m pip uninstall --yes durable-rules`",
        ),
        (
            "raise ModuleNotFoundError('durable_rules_engine')",
            "in a checkout run `make env`, else install iftah's wheel",
        ),
    ],
)
def test_a_failed_import_gives_one_line_with_the_command_to_run(module: str, line: str, tmp_path: Path) -> None:
    (tmp_path / "durable_rules_engine.py").write_text(module)
    code = (
        f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(ROOT)!r}]; sys.argv = ['iftah', 'explain', 'ann']; "
        "from api.cli.main import main; main()"
    )
    completed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False
    )
    assert completed.returncode == 2
    assert completed.stderr.startswith("iftah: durable_rules_engine: ")
    assert line in completed.stderr
    assert completed.stderr.count("\n") == 1
