"""Run every benchmark, each in a fresh process: `python -m tests.bench`, or `make bench`. Some eight minutes on two cores.

`--quick` runs them on tiny inputs, to check that they still run; its figures mean nothing. You can name some:
`python -m tests.bench load ask`. The exit status is 1 if one of them failed.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from typing import Final

# module -> its arguments, and those of a quick run
BENCHES: Final = {
    "start": ((), ("1",)),
    "town": ((), ("300", "3000")),
    "load": ((), ("--rows", "2000", "--repeats", "1")),
    "imports": ((), ("--rows", "2000", "--repeats", "1")),
    "decide": ((), ("20", "500", "1")),
    "size": ((), ("1000",)),
    "spark": ((), ("200", "/", "2")),
    "declared": (
        (),
        ("--people", "500", "--growth", "500", "--town", "60", "--refreshes", "2", "--repeats", "1"),
    ),
    "swap": ((), ("2000",)),
    "algorithms": ((), ("300", "3000")),
    "fresh": ((), ("100", "50", "0.5", "SQLite")),  # a database each, of the two that we measure
    "trial": ((), ("64", "SQLite")),
    "history": ((), ("48", "12", "SQLite")),
    "idle": ((), ("0.5", "SQLite")),
    "ask": ((), ("100", "0.4", "2", "PostgreSQL")),
}


def parse_arguments(arguments: list[str]) -> tuple[bool, list[str]]:
    """Whether to run quickly, and the names to run."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench", description="every benchmark, each in a fresh process"
    )
    parser.add_argument("--quick", action="store_true", help="on next to nothing, to see that they run")
    parser.add_argument("names", nargs="*", choices=[[], *BENCHES], metavar="name", help=f"of {', '.join(BENCHES)}")
    options = parser.parse_args(arguments)
    return options.quick, options.names or list(BENCHES)


def main() -> int:
    """Run them one after the other, as each would run by itself."""
    quick, names = parse_arguments(sys.argv[1:])
    failed = []
    for name in names:
        code, output, seconds = _run(quick, name)
        print(f"{output}{name}: {seconds:.0f} s\n", flush=True)
        failed += [name] * (code != 0)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _run(quick: bool, name: str) -> tuple[int, str, float]:
    """Its exit status, its output, and its seconds. Its errors go to our own stderr."""
    begin = time.perf_counter()
    command = [sys.executable, "-m", f"tests.bench.{name}", *BENCHES[name][quick]]
    width = str(max(100, shutil.get_terminal_size().columns))  # without a terminal, rich would fold a table
    completed = subprocess.run(
        command, env=os.environ | {"COLUMNS": width}, stdout=subprocess.PIPE, text=True, check=False
    )
    return completed.returncode, completed.stdout, time.perf_counter() - begin


if __name__ == "__main__":
    sys.exit(main())
