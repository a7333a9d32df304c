"""How much of a long test runs: `make test` takes a few of its examples and cases, `make agreement` all."""

import os
from collections.abc import Iterable
from typing import Any, TypeVar

import pytest

Case = TypeVar("Case")

IN_FULL = os.environ.get("IFTAH_AGREEMENT") == "full"
only_in_full = pytest.mark.in_full  # a test, or a case of one, that a usual run leaves out: tests/conftest.py


def by_effort(usual: int, full: int) -> int:
    """`full` if IFTAH_AGREEMENT is `full`, else `usual`."""
    return full if IN_FULL else usual


def usual_cases(cases: Iterable[Case], *usual: Case) -> list[Any]:
    """The cases as parameters. Those that are not usual run only in full."""
    listed = list(cases)
    assert all(case in listed for case in usual), usual
    return [case if case in usual else pytest.param(case, marks=only_in_full) for case in listed]


def every(step: int, cases: Iterable[Case], first: int = 0) -> list[Case]:
    """All cases in full; else one in `step`, from the one numbered `first` on."""
    return list(cases)[0 if IN_FULL else first % step :: by_effort(step, 1)]
