"""The benchmarks still run. What they measure is for people to read: no test looks at a time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.__main__ import BENCHES, chosen

HERE = Path(__file__).parent
# What each measures itself by.
RATIOS = {
    "town": ("of the floor",),
    "load": ("of bare",),
    "decide": ("of reference", "empty calls"),
    "size": ("of the floor",),
    "algorithms": ("times as fast",),
    "fresh": ("of the rate",),
    "ask": ("of bare",),
}


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.bench", *arguments]
    return subprocess.run(command, cwd=HERE.parents[1], env=os.environ, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", BENCHES)
def test_a_benchmark_runs_and_prints_its_ratios_and_peak_memory(name: str) -> None:
    done = bench("--quick", name)
    assert (done.returncode, done.stderr) == (0, "")
    for words in RATIOS[name]:
        assert words in done.stdout
    assert done.stdout.count("peak MB") == 1
    assert f"\n{name}: " in done.stdout


def test_all_of_them_run_unless_some_are_named() -> None:
    assert chosen([]) == (False, list(BENCHES))
    assert chosen(["--quick"]) == (True, list(BENCHES))
    assert chosen(["load", "ask"]) == (False, ["load", "ask"])


def test_every_module_of_benchmarks_is_among_them() -> None:
    modules = {path.stem for path in HERE.glob("*.py")} - {"__init__", "__main__"}
    assert modules - {m for m in modules if m.startswith("test_")} == set(BENCHES)
