"""A seeded sample of mutations of the core modules, each judged by the tests of its module: `make mutants`.

    python -m tests.mutants [--count 500] [--seed 12] [--minutes 45] [--module PART]... [--survivors] [--list]

Prints what was killed, what survived and what is equivalent, by module, then each survivor. Results are kept in
`var/mutants.json`: a run that was ended goes on where it was. A result holds while its module and its tests are the same.
`--survivors` judges again those that survived, after a test was written. Mutations that no test can notice are listed in
`equivalent.yaml`, each with its reason.
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
from tests.mutants.running import ROOT, Coverage, copy_of_the_tree, covered, digest, end_all, outcome

RESULTS: Final = ROOT / "var" / "mutants.json"
EQUIVALENT: Final = Path(__file__).with_name("equivalent.yaml")
PROCESSES: Final = 2
FEWEST: Final = 10  # of a module, where it has as many


@dataclass(frozen=True)
class Judged:
    """A mutation of the sample and the state of module and tests that its result is of."""

    path: str
    mutation: Mutation
    state: str


def sample(count: int, seed: int, only: list[str]) -> list[Judged]:
    """`count` of all mutations of all modules, by share, at least a few of each; `only` picks modules out of them."""
    sources = {path: (ROOT / path).read_bytes() for path in MODULES}
    pools = {path: _pool(path, source) for path, source in sources.items()}
    total = sum(map(len, pools.values()))
    chosen = []
    for path, pool in pools.items():
        if only and not any(part in path for part in only):
            continue
        size = max(FEWEST, round(count * len(pool) / total))
        # By a hash of each: a change of one line does not draw all others anew.
        shuffled = sorted(pool, key=lambda one: hashlib.sha256(f"{seed} {one.key}".encode()).digest())
        python = (mutation for mutation in shuffled if compiles(mutation.applied(sources[path])))
        state = digest(path, *files_of(path))
        chosen += [Judged(path, mutation, state) for mutation in islice(python, size)]
    return chosen


@cache
def _pool(path: str, source: bytes) -> list[Mutation]:
    return mutations(path, source)


class Results:
    """What is known already, kept after each mutation."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, Any]] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        self._lock = threading.Lock()

    def of(self, judged: Judged) -> str | None:
        known = self._known.get(judged.mutation.key)
        return known["outcome"] if known and known["state"] == judged.state else None

    def survived_before(self, judged: Judged) -> bool:
        return self._known.get(judged.mutation.key, {}).get("outcome") in ("survived", "not run")

    def put(self, judged: Judged, result: str) -> None:
        with self._lock:
            self._known[judged.mutation.key] = {"outcome": result, "state": judged.state}
            RESULTS.parent.mkdir(exist_ok=True)
            RESULTS.with_suffix(".new").write_text(json.dumps(self._known, indent=0))
            RESULTS.with_suffix(".new").replace(RESULTS)


def judge(waiting: list[Judged], results: Results, minutes: float) -> None:
    """Each in turn, in as many copies as there are processes, until all are done or the time is over."""
    until = time.monotonic() + 60 * minutes
    with ExitStack() as stack:
        copies = [stack.enter_context(copy_of_the_tree()) for _ in range(PROCESSES)]
        coverage = _coverage(copies, waiting, 60 * minutes)
        queue, lock, done, stopped = list(waiting), threading.Lock(), Counter[str](), threading.Event()

        def work(copy: Path) -> None:
            while time.monotonic() < until and not stopped.is_set():
                with lock:
                    if not queue:
                        return
                    judged = queue.pop(0)
                tests = coverage.tests_of(judged.path, judged.mutation, files_of(judged.path))
                usual = sum(coverage.seconds[test] for test in tests)
                result = outcome(copy, judged.path, judged.mutation, tests, 60 + 5 * usual) if tests else "not run"
                if stopped.is_set():
                    return
                results.put(judged, result)
                with lock:
                    done[result] += 1
                    print(f"{sum(done.values())}/{len(waiting)} {result}: {judged.mutation.key}", flush=True)

        with ThreadPoolExecutor(PROCESSES) as pool:
            working = [pool.submit(work, copy) for copy in copies]
            try:
                for finished in working:
                    finished.result()
            except KeyboardInterrupt:
                stopped.set()
                end_all()


def _coverage(copies: list[Path], waiting: list[Judged], seconds: float) -> Coverage:
    """Which test runs what, one file of tests after the other in as many copies as there are."""
    files = sorted({file for judged in waiting for file in files_of(judged.path)})
    print(f"running {len(files)} files of tests as they are", flush=True)
    free: Queue[Path] = Queue()
    for copy in copies:
        free.put(copy)

    def run(file: str) -> Coverage:
        copy = free.get()
        try:
            return covered(copy, file, [path for path in MODULES if file in files_of(path)], seconds)
        finally:
            free.put(copy)

    with ThreadPoolExecutor(len(copies)) as pool:
        try:
            parts = list(pool.map(run, files))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            end_all()
            raise
    coverage = Coverage({}, {})
    for part in parts:
        coverage.seconds.update(part.seconds)
        for path, found in part.lines.items():
            for line, tests in found.items():
                coverage.lines.setdefault(path, {}).setdefault(line, []).extend(tests)
    if not any(coverage.lines.values()):
        raise RuntimeError("no test runs a line of the copy: is the checkout imported instead?")
    return coverage


def files_of(module: str) -> list[str]:
    """The files of tests of a module."""
    return [str(file.relative_to(ROOT)) for name in MODULES[module] for file in sorted(ROOT.glob(name))]


def report(chosen: list[Judged], results: Results, equivalent: dict[str, str]) -> bool:
    """The table, the survivors, and whether 95 % of what is not equivalent was killed."""
    rows: dict[str, Counter[str]] = {}
    survivors = []
    for judged in chosen:
        row = rows.setdefault(judged.path, Counter[str]())
        result = "equivalent" if judged.mutation.key in equivalent else results.of(judged) or "waiting"
        row[result] += 1
        if result in ("survived", "not run"):
            survivors.append(f"{result}: {judged.mutation.key}")
    columns = ("killed", "timeout", "survived", "not run", "equivalent", "waiting")
    print(f"\n{'module':34}" + "".join(f"{name:>11}" for name in columns) + "  killed of the rest")
    total = Counter[str]()
    for path, row in [*rows.items(), ("all", total)]:
        killed, lived = row["killed"] + row["timeout"], row["survived"] + row["not run"]
        share = f"{100 * killed / (killed + lived):.1f} %" if killed + lived else "-"
        print(f"{path:34}" + "".join(f"{row[name]:>11}" for name in columns) + f"{share:>20}")
        if row is not total:
            total.update(row)
    print("", *survivors, sep="\n")
    killed, lived = total["killed"] + total["timeout"], total["survived"] + total["not run"]
    return killed >= 0.95 * (killed + lived) and not total["waiting"]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=str(__doc__).partition("\n")[0])
    parser.add_argument("--count", type=int, default=500, help="how many mutations")
    parser.add_argument("--seed", type=int, default=12, help="which of them")
    parser.add_argument("--minutes", type=float, default=45, help="how long at most; the next run goes on")
    parser.add_argument("--module", action="append", default=[], help="only modules whose path has this in it")
    parser.add_argument("--survivors", action="store_true", help="judge again those that survived")
    parser.add_argument("--list", action="store_true", help="run nothing: what is known")
    asked = parser.parse_args()
    os.nice(10)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    equivalent = YAML(typ="safe").load(EQUIVALENT.read_text()) or {}
    chosen, results = sample(asked.count, asked.seed, asked.module), Results()
    waiting = [judged for judged in chosen if judged.mutation.key not in equivalent]
    if asked.survivors:
        waiting = [judged for judged in waiting if results.survived_before(judged)]
    else:
        waiting = [judged for judged in waiting if results.of(judged) is None]
    if waiting and not asked.list:
        judge(waiting, results, asked.minutes)
    return 0 if report(chosen, results, equivalent) else 1


if __name__ == "__main__":
    sys.exit(main())
