"""Every benchmark, each in a fresh process: `python -m tests.bench`, or `make bench`. Some eight minutes on two cores.

`--quick` runs them on next to nothing, to see that they still run; its figures mean nothing. Named ones run alone:
`python -m tests.bench load ask`. Ends with 0, or with 1 when one of them failed.
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
    "decide": ((), ("20", "500", "1")),
    "size": ((), ("1000",)),
    "algorithms": ((), ("300", "3000")),
    "fresh": ((), ("100", "50", "0.5", "SQLite")),  # a database each, of the two on which both are measured
    "ask": ((), ("100", "0.4", "2", "PostgreSQL")),
}


def chosen(arguments: list[str]) -> tuple[bool, list[str]]:
    """Whether quickly, and which."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench", description="every benchmark, each in a fresh process"
    )
    parser.add_argument("--quick", action="store_true", help="on next to nothing, to see that they run")
    parser.add_argument("names", nargs="*", choices=[[], *BENCHES], metavar="name", help=f"of {', '.join(BENCHES)}")
    given = parser.parse_args(arguments)
    return given.quick, given.names or list(BENCHES)


def main() -> int:
    """Run them one after the other, as each would run by itself."""
    quick, names = chosen(sys.argv[1:])
    failed = []
    for name in names:
        code, said, seconds = _run(quick, name)
        print(f"{said}{name}: {seconds:.0f} s\n", flush=True)
        failed += [name] * (code != 0)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _run(quick: bool, name: str) -> tuple[int, str, float]:
    """How it ended, what it printed, and its seconds. Its errors go straight to ours."""
    begin = time.perf_counter()
    command = [sys.executable, "-m", f"tests.bench.{name}", *BENCHES[name][quick]]
    width = str(max(100, shutil.get_terminal_size().columns))  # a table is not folded where there is no terminal
    done = subprocess.run(command, env=os.environ | {"COLUMNS": width}, stdout=subprocess.PIPE, text=True, check=False)
    return done.returncode, done.stdout, time.perf_counter() - begin


if __name__ == "__main__":
    sys.exit(main())
