"""Measure how long commands take to start: `python -m tests.bench.start [runs]`.

We take the process time, user and system together, of a whole process: the minimum over runs, which take turns. For comparison we
measure `python -c pass` by the same interpreter.
"""

import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from tests.paths import ROOT

RUNS: Final = 15
COMMANDS: Final = (
    ("iftah --help", 0.15),  # the target of each, in seconds
    ("iftah --version", 0.15),
    ("iftah check", 0.5),
    ("iftah fmt --check", 0.5),
)
_UNIT: Final = 1 if sys.platform == "darwin" else 1024


def _seconds(words: list[str]) -> float:
    """The process time of one run."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("IFTAH_")}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(words, cwd=ROOT, env=own, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """The table."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else RUNS
    floor = [sys.executable, "-c", "pass"]
    iftah = str(Path(sys.executable).with_name("iftah"))
    lines = {"python -c pass": floor} | {c: [iftah, *c.split()[1:]] for c, _ in COMMANDS}
    least = dict.fromkeys(lines, float("inf"))
    for _ in range(runs):
        for name, words in lines.items():
            least[name] = min(least[name], _seconds(words))
    title = f"Starting, process time, the least of {runs} runs"
    table = Table("command", "seconds", "wanted", "times python", title=title, title_justify="left")
    for column in table.columns[1:]:
        column.justify = "right"
    limits = {command: f"{limit:.2f}" for command, limit in COMMANDS}
    for name, seconds in least.items():
        times = seconds / max(least["python -c pass"], 0.001)
        table.add_row(name, f"{seconds:.3f}", limits.get(name, ""), f"{times:.1f}")
    console = Console(highlight=False)
    console.print(table)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * _UNIT / 1e6
    console.print(f"peak MB of the largest: {peak:.0f}")


if __name__ == "__main__":
    main()
