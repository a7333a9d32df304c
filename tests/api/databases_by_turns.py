"""Which database a test runs on in a usual run, where the same rows are asked for and told by the same statements on both.

Such tests take turns, test by test and case by case within a file, so that half of each file runs on either; `make agreement` runs
all of them on both. Where a database's own ways are tested (locks, kills, migrations, loads, refreshes, integrity), they always
run on both.
"""

import re
from collections import defaultdict

import pytest

from tests.effort import only_in_full

TURN_FOLDERS = (
    "access",
    "consent",
    "decisions",
    "evidence/contributor",
    "features",
    "jobs",
    "links",
    "merchants",
    "orders",
    "people",
    "proposals",
    "render",
    "supervision",
)
ALWAYS_ON_BOTH = (
    "access/test_presence.py",  # processes, threads and the chains' integrity go by the database's own ways
    "decisions/test_exposure.py::test_merchants_who_ask_at_the_same_time_",
    "jobs/test_refresher.py",
    "jobs/test_sender.py::test_many_senders_at_once_",
    "orders/test_caps_of_orders.py",
    "orders/test_order_chain.py",
    "people/test_erasure.py",
    "people/test_looks.py",
    "proposals/test_laws.py",
    "proposals/test_gate.py::test_a_scheduled_release_takes_effect_once_",
    "proposals/test_gate.py::test_every_altered_",
    "supervision/test_chain.py",
)
_DATABASE = re.compile(r"\b(sqlite|postgresql)\b")
_NAMES = ("sqlite", "postgresql")


def mark_turns(items: list[pytest.Item]) -> None:
    """Mark each test of the two that differ by the database alone whose turn it is not."""
    files: defaultdict[str, defaultdict[str, dict[str, pytest.Item]]] = defaultdict(lambda: defaultdict(dict))
    for item in items:
        place = item.nodeid.rpartition("tests/api/")[2]
        names = [value for value in _texts(item) if value in _NAMES]
        takes_turns = place.startswith(tuple(f"{folder}/" for folder in TURN_FOLDERS))
        if takes_turns and not place.startswith(ALWAYS_ON_BOTH) and len(names) == 1:
            files[place.partition("::")[0]][_DATABASE.sub("", place)][names[0]] = item
    for pairs in files.values():
        complete = [pair for pair in pairs.values() if len(pair) == len(_NAMES)]
        for number, pair in enumerate(complete):
            pair[_NAMES[number % 2]].add_marker(only_in_full)


def _texts(item: pytest.Item) -> list[str]:
    """The parameters that are texts: a database is one."""
    callspec = getattr(item, "callspec", None)
    return [] if callspec is None else [value for value in callspec.params.values() if isinstance(value, str)]
