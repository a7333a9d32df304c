"""The benchmarks still run. You read their figures: no test checks a time."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.__main__ import BENCHES, parse_arguments
from tests.effort import usual_cases

BENCH_DIR = Path(__file__).parent
# The names of each benchmark's baselines.
RATIOS = {
    "start": ("times python",),
    "town": ("of the floor",),
    "load": ("of bare",),
    "imports": ("of the rate",),
    "decide": ("of reference", "empty calls"),
    "size": ("of the floor",),
    "spark": ("of Polars",),
    "declared": ("of Python", "of the group-by", "in proportion"),
    "swap": ("of the floor",),
    "algorithms": ("times as fast",),
    "fresh": ("of the rate",),
    "trial": ("of none",),
    "history": ("of empty",),
    "idle": ("of a core",),
    "ask": ("of bare",),
}


@pytest.mark.parametrize("name", usual_cases(BENCHES, "town", "algorithms"))
def test_a_benchmark_runs_and_prints_its_ratios_and_peak_memory(
    name: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """In this process, which has imported their modules already."""
    _, quick = BENCHES[name]
    monkeypatch.setattr(sys, "argv", [name, *quick])
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delitem(sys.modules, f"tests.bench.{name}", raising=False)  # other tests may have imported it
    status = None
    try:
        runpy.run_module(f"tests.bench.{name}", run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        status = ended.code
    output = capfd.readouterr()
    assert (status or 0, output.err) == (0, "")
    for words in RATIOS[name]:
        assert words in output.out
    assert output.out.count("peak MB") == 1


def test_benchmarks_run_one_at_a_time_in_separate_processes() -> None:
    command = [sys.executable, "-m", "tests.bench", "--quick", "town"]
    completed = subprocess.run(
        command, cwd=BENCH_DIR.parents[1], env=os.environ, capture_output=True, text=True, timeout=280, check=False
    )
    assert (completed.returncode, completed.stderr) == (0, "")
    assert "\ntown: " in completed.stdout


def test_all_benchmarks_run_unless_you_name_some() -> None:
    assert parse_arguments([]) == (False, list(BENCHES))
    assert parse_arguments(["--quick"]) == (True, list(BENCHES))
    assert parse_arguments(["load", "ask"]) == (False, ["load", "ask"])


def test_every_module_of_benchmarks_is_listed() -> None:
    modules = {path.stem for path in BENCH_DIR.glob("*.py")} - {"__init__", "__main__"}
    assert modules - {m for m in modules if m.startswith("test_")} == set(BENCHES)
