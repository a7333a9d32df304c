"""Judge a seeded sample of mutations of the core modules by the tests of their modules: `make mutants`.

    python -m tests.mutants [--count 500] [--seed 12] [--minutes 45] [--module PART]... [--survivors] [--list]

We print the numbers of killed, surviving and equivalent mutations by module, then each survivor. We keep results in
`var/mutants.json`, so an interrupted run continues. A result is valid while its module and its tests are the same. `--survivors`
judges the survivors again, after you wrote a test. `equivalent.yaml` lists mutations that no test can notice, each with its reason.
"""

import argparse
import hashlib
import json
import os
import signal
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from queue import Queue
from typing import Any, Final

from ruamel.yaml import YAML

from tests.mutants.modules import MODULES
from tests.mutants.mutations import Mutation, compiles, mutations
from tests.mutants.running import ROOT, LineCoverage, copy_of_the_tree, digest, end_all, measure_coverage, outcome

RESULTS: Final = ROOT / "var" / "mutants.json"
EQUIVALENT: Final = Path(__file__).with_name("equivalent.yaml")
PROCESSES: Final = 2
MIN_PER_MODULE: Final = 10  # per module, if it has that many


@dataclass(frozen=True)
class Mutant:
    """A mutation of the sample, and the state of module and tests that its result depends on."""

    path: str
    mutation: Mutation
    state: str


def sample(count: int, seed: int, only: list[str]) -> list[Mutant]:
    """`count` of all mutations of all modules, by share, and at least a few of each; `only` selects modules."""
    sources = {path: (ROOT / path).read_bytes() for path in MODULES}
    pools = {path: _pool(path, source) for path, source in sources.items()}
    total = sum(map(len, pools.values()))
    mutants = []
    for path, pool in pools.items():
        if only and not any(part in path for part in only):
            continue
        size = max(MIN_PER_MODULE, round(count * len(pool) / total))
        # We sort by a hash of each mutation, so that a change of one line does not change the whole sample.
        shuffled = sorted(pool, key=lambda one: hashlib.sha256(f"{seed} {one.key}".encode()).digest())
        python = (mutation for mutation in shuffled if compiles(mutation.apply(sources[path])))
        state = digest(path, *files_of(path))
        mutants += [Mutant(path, mutation, state) for mutation in islice(python, size)]
    return mutants


@cache
def _pool(path: str, source: bytes) -> list[Mutation]:
    return mutations(path, source)


class Results:
    """The known results, which we save after each mutation."""

    def __init__(self) -> None:
        self._outcomes: dict[str, dict[str, Any]] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        self._lock = threading.Lock()

    def get(self, mutant: Mutant) -> str | None:
        entry = self._outcomes.get(mutant.mutation.key)
        return entry["outcome"] if entry and entry["state"] == mutant.state else None

    def survived_before(self, mutant: Mutant) -> bool:
        return self._outcomes.get(mutant.mutation.key, {}).get("outcome") in ("survived", "not run")

    def record(self, mutant: Mutant, result: str) -> None:
        with self._lock:
            self._outcomes[mutant.mutation.key] = {"outcome": result, "state": mutant.state}
            RESULTS.parent.mkdir(exist_ok=True)
            RESULTS.with_suffix(".new").write_text(json.dumps(self._outcomes, indent=0))
            RESULTS.with_suffix(".new").replace(RESULTS)


def judge(pending: list[Mutant], results: Results, minutes: float) -> None:
    """Judge each in turn, in one copy per process, until all are done or the time is over."""
    until = time.monotonic() + 60 * minutes
    with ExitStack() as stack:
        copies = [stack.enter_context(copy_of_the_tree()) for _ in range(PROCESSES)]
        coverage = _coverage(copies, pending, 60 * minutes)
        queue, lock, counts, stop = list(pending), threading.Lock(), Counter[str](), threading.Event()

        def work(copy: Path) -> None:
            while time.monotonic() < until and not stop.is_set():
                with lock:
                    if not queue:
                        return
                    mutant = queue.pop(0)
                tests = coverage.tests_of(mutant.path, mutant.mutation, files_of(mutant.path))
                usual = sum(coverage.seconds[test] for test in tests)
                result = outcome(copy, mutant.path, mutant.mutation, tests, 60 + 5 * usual) if tests else "not run"
                if stop.is_set():
                    return
                results.record(mutant, result)
                with lock:
                    counts[result] += 1
                    print(f"{sum(counts.values())}/{len(pending)} {result}: {mutant.mutation.key}", flush=True)

        with ThreadPoolExecutor(PROCESSES) as pool:
            futures = [pool.submit(work, copy) for copy in copies]
            try:
                for future in futures:
                    future.result()
            except KeyboardInterrupt:
                stop.set()
                end_all()


def _coverage(copies: list[Path], pending: list[Mutant], seconds: float) -> LineCoverage:
    """Find the tests that run each line, one test file after the other, in one copy per process."""
    files = sorted({file for mutant in pending for file in files_of(mutant.path)})
    print(f"running {len(files)} files of tests as they are", flush=True)
    free: Queue[Path] = Queue()
    for copy in copies:
        free.put(copy)

    def run(file: str) -> LineCoverage:
        copy = free.get()
        try:
            return measure_coverage(copy, file, [path for path in MODULES if file in files_of(path)], seconds)
        finally:
            free.put(copy)

    with ThreadPoolExecutor(len(copies)) as pool:
        try:
            parts = list(pool.map(run, files))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            end_all()
            raise
    coverage = LineCoverage({}, {})
    for part in parts:
        coverage.seconds.update(part.seconds)
        for path, tests_by_line in part.lines.items():
            for line, tests in tests_by_line.items():
                coverage.lines.setdefault(path, {}).setdefault(line, []).extend(tests)
    if not any(coverage.lines.values()):
        raise RuntimeError("no test runs a line of the copy: is the checkout imported instead?")
    return coverage


def files_of(module: str) -> list[str]:
    """The test files of a module."""
    return [str(file.relative_to(ROOT)) for name in MODULES[module] for file in sorted(ROOT.glob(name))]


def report(mutants: list[Mutant], results: Results, equivalent: dict[str, str]) -> bool:
    """Print the table and the survivors. Returns whether 95 % of the mutations that are not equivalent were killed."""
    rows: dict[str, Counter[str]] = {}
    survivors = []
    for mutant in mutants:
        row = rows.setdefault(mutant.path, Counter[str]())
        result = "equivalent" if mutant.mutation.key in equivalent else results.get(mutant) or "waiting"
        row[result] += 1
        if result in ("survived", "not run"):
            survivors.append(f"{result}: {mutant.mutation.key}")
    columns = ("killed", "timeout", "survived", "not run", "equivalent", "waiting")
    print(f"\n{'module':34}" + "".join(f"{name:>11}" for name in columns) + "  killed of the rest")
    total = Counter[str]()
    for path, row in [*rows.items(), ("all", total)]:
        killed, survived = row["killed"] + row["timeout"], row["survived"] + row["not run"]
        share = f"{100 * killed / (killed + survived):.1f} %" if killed + survived else "-"
        print(f"{path:34}" + "".join(f"{row[name]:>11}" for name in columns) + f"{share:>20}")
        if row is not total:
            total.update(row)
    print("", *survivors, sep="\n")
    killed, survived = total["killed"] + total["timeout"], total["survived"] + total["not run"]
    return killed >= 0.95 * (killed + survived) and not total["waiting"]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=str(__doc__).partition("\n")[0])
    parser.add_argument("--count", type=int, default=500, help="how many mutations")
    parser.add_argument("--seed", type=int, default=12, help="which of them")
    parser.add_argument("--minutes", type=float, default=45, help="how long at most; the next run goes on")
    parser.add_argument("--module", action="append", default=[], help="only modules whose path has this in it")
    parser.add_argument("--survivors", action="store_true", help="judge again those that survived")
    parser.add_argument("--list", action="store_true", help="run nothing: what is known")
    options = parser.parse_args()
    os.nice(10)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    equivalent = YAML(typ="safe").load(EQUIVALENT.read_text()) or {}
    mutants, results = sample(options.count, options.seed, options.module), Results()
    pending = [mutant for mutant in mutants if mutant.mutation.key not in equivalent]
    if options.survivors:
        pending = [mutant for mutant in pending if results.survived_before(mutant)]
    else:
        pending = [mutant for mutant in pending if results.get(mutant) is None]
    if pending and not options.list:
        judge(pending, results, options.minutes)
    return 0 if report(mutants, results, equivalent) else 1


if __name__ == "__main__":
    sys.exit(main())
