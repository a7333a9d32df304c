"""Measure what somebody who writes rules waits for: `python -m tests.limits.authoring [keys]`.

Each measurement types a key into the shipped `trust.yaml`, as a text that nobody checked before, and asks over HTTP: the check of
all files with the cases of this one, as you type; the check with all cases, as you pause; completion inside a condition; and the
meaning of a word. The page has to show problems within 300 ms.
"""

import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from api.runtime.context import AppContext
from api.store.database import open_database
from engine.decide.evaluators import Evaluators
from tests.api.app_pool import app_pool
from tests.api.http.proposal_client import ProposalClient
from tests.api.shipped_probe import shipped_files
from tests.api.town import build_town, shipped_release

KEYS: Final = 40
FILE: Final = "trust.yaml"
WHEN: Final = "when: identity.level >= 1 and "
Request = Callable[[int], tuple[str, dict[str, Any]]]


def text_after(key: int) -> str:
    """The file after so many keys: still without a problem."""
    return shipped_files()[FILE].replace(WHEN, f"{WHEN}{' ' * (key % 40)}", 1) + f"# {key}\n"


def broken_text_after(key: int) -> str:
    """The file while you write a name."""
    return shipped_files()[FILE].replace(WHEN, f"{WHEN}cre{'d' * (key % 20)} >= 1 and ", 1) + f"# {key}\n"


def place(text: str) -> dict[str, Any]:
    """The end of the name that you write."""
    before = text[: text.index(WHEN) + len(WHEN) + 3]
    return {"file": FILE, "line": before.count("\n") + 1, "column": len(before) - before.rfind("\n"), "release": True}


REQUESTS: Final[dict[str, Request]] = {
    "check, with the cases of the file": lambda key: (
        "check",
        {"release": True, "files": {FILE: text_after(key)}, "cases": ["trust.cases.yaml"]},
    ),
    "check, of a text with a problem": lambda key: (
        "check",
        {"release": True, "files": {FILE: broken_text_after(key)}, "cases": ["trust.cases.yaml"]},
    ),
    "check, with all cases": lambda key: ("check", {"release": True, "files": {FILE: text_after(key + 1000)}}),
    "completion in a condition": lambda key: (
        "completion",
        {"files": {FILE: broken_text_after(key + 1000)}, **place(broken_text_after(key + 1000))},
    ),
    "meaning of a word": lambda key: (
        "explanation",
        {"files": {FILE: text_after(key + 2000)}, **place(text_after(key + 2000))},
    ),
}


def main(keys: int = KEYS) -> None:
    """Print the figures as a table."""
    table = Table("request", "median, ms", "slowest, ms", "processor, median, ms")
    with tempfile.TemporaryDirectory() as folder, app_pool():
        database = open_database(f"sqlite:///{Path(folder) / 'iftah.db'}")
        build_town(database)
        context = AppContext(database, Evaluators(shipped_release()))
        client = ProposalClient(replace(context, files=shipped_files()), with_keys=False)
        for name, request in REQUESTS.items():
            table.add_row(name, *_figures([_milliseconds(client, *request(key)) for key in range(keys + 1)][1:]))
        database.dispose()
    Console().print(table)


def _milliseconds(client: ProposalClient, path: str, body: dict[str, Any]) -> tuple[float, float]:
    """Of wall clock and of the processor: the second is the same while other programs run."""
    started_at, work_before = perf_counter(), process_time()
    client.wang.take(f"rules/{path}", body)
    return 1000 * (perf_counter() - started_at), 1000 * (process_time() - work_before)


def _figures(milliseconds: list[tuple[float, float]]) -> tuple[str, ...]:
    waits, works = zip(*milliseconds, strict=True)
    return f"{statistics.median(waits):.0f}", f"{max(waits):.0f}", f"{statistics.median(works):.0f}"


if __name__ == "__main__":
    main(*(int(each) for each in sys.argv[1:]))
