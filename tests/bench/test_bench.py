"""The benchmarks still run. What they measure is for people to read: no test looks at a time."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.__main__ import BENCHES, chosen

HERE = Path(__file__).parent
# What each measures itself by.
RATIOS = {
    "start": ("times python",),
    "town": ("of the floor",),
    "load": ("of bare",),
    "decide": ("of reference", "empty calls"),
    "size": ("of the floor",),
    "algorithms": ("times as fast",),
    "fresh": ("of the rate",),
    "ask": ("of bare",),
}


@pytest.mark.parametrize("name", BENCHES)
def test_a_benchmark_runs_and_prints_its_ratios_and_peak_memory(
    name: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Here, where all that they import is there already."""
    _, quick = BENCHES[name]
    monkeypatch.setattr(sys, "argv", [name, *quick])
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delitem(sys.modules, f"tests.bench.{name}", raising=False)  # other tests may have imported it
    status = None
    try:
        runpy.run_module(f"tests.bench.{name}", run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        status = ended.code
    said = capfd.readouterr()
    assert (status or 0, said.err) == (0, "")
    for words in RATIOS[name]:
        assert words in said.out
    assert said.out.count("peak MB") == 1


def test_they_are_run_one_after_the_other_each_in_a_process_of_its_own() -> None:
    command = [sys.executable, "-m", "tests.bench", "--quick", "town"]
    done = subprocess.run(
        command, cwd=HERE.parents[1], env=os.environ, capture_output=True, text=True, timeout=280, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "\ntown: " in done.stdout


def test_all_of_them_run_unless_some_are_named() -> None:
    assert chosen([]) == (False, list(BENCHES))
    assert chosen(["--quick"]) == (True, list(BENCHES))
    assert chosen(["load", "ask"]) == (False, ["load", "ask"])


def test_every_module_of_benchmarks_is_among_them() -> None:
    modules = {path.stem for path in HERE.glob("*.py")} - {"__init__", "__main__"}
    assert modules - {m for m in modules if m.startswith("test_")} == set(BENCHES)
