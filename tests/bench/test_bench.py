"""The benchmarks still run. What they measure is for people to read: no test looks at a time."""

import os
import subprocess
import sys
from pathlib import Path

from tests.bench.__main__ import BENCHES

HERE = Path(__file__).parent


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.bench", *arguments]
    return subprocess.run(command, cwd=HERE.parents[1], env=os.environ, capture_output=True, text=True, check=False)


def test_every_benchmark_runs_and_prints_its_ratios_and_peak_memory() -> None:
    done = bench("--quick")
    assert (done.returncode, done.stderr) == (0, "")
    for words in ("of the floor", "of bare", "of reference", "empty calls", "of the rate"):
        assert words in done.stdout
    assert done.stdout.count("peak MB") == len(BENCHES)
    assert [name for name in BENCHES if f"\n{name}: " not in done.stdout] == []


def test_every_module_of_benchmarks_is_among_them() -> None:
    modules = {path.stem for path in HERE.glob("*.py")} - {"__init__", "__main__"}
    assert modules - {m for m in modules if m.startswith("test_")} == set(BENCHES)
