"""A pytest plugin: which test runs which line of the modules that are mutated, and how long each test takes.

It writes JSON to $MUTANTS_COVERED. What a fixture runs counts for every test of that file: it may be shared. The tracer is
Python's own: several times slower than coverage.py's, once, and one dependency less.
"""

import json
import os
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Generator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

_TARGETS = {str(Path(path).resolve()): path for path in os.environ["MUTANTS_TARGETS"].split(os.pathsep)}
_lines: dict[str, dict[int, set[str]]] = {path: defaultdict(set) for path in _TARGETS.values()}
_seconds: dict[str, float] = defaultdict(float)
_failed: set[str] = set()
_running = ""  # while modules are imported
_calls: dict[CodeType, int] = {}  # of this test
ENOUGH = 300  # calls of a function in one test: the lines of later ones are the same, nearly always


def _trace(frame: FrameType, event: str, argument: Any) -> Any:
    path = _TARGETS.get(frame.f_code.co_filename)
    if path is None:
        return None
    _calls[frame.f_code] = number = _calls.get(frame.f_code, 0) + 1
    if number > ENOUGH:
        return None
    lines = _lines[path]

    def line(frame: FrameType, event: str, argument: Any) -> Any:
        lines[frame.f_lineno].add(_running)
        return line

    return line


threading.settrace(_trace)  # now: conftest files import the modules, some of whose functions run only then
sys.settrace(_trace)


def _timed(item: pytest.Item, context: str) -> Generator[None, Any, Any]:
    global _running
    _running, began = context, time.monotonic()
    _calls.clear()
    sys.settrace(_trace)  # a test may have put another there
    try:
        return (yield)
    finally:
        _running = item.nodeid.partition("::")[0]
        _seconds[item.nodeid] += time.monotonic() - began


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, Any, Any]:
    return (yield from _timed(item, item.nodeid.partition("::")[0]))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    return (yield from _timed(item, item.nodeid))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.failed or report.skipped:
        _failed.add(report.nodeid)


def pytest_sessionfinish() -> None:
    sys.settrace(None)
    threading.settrace(None)
    lines = {path: {str(line): sorted(tests) for line, tests in found.items()} for path, found in _lines.items()}
    seconds = {test: taken for test, taken in _seconds.items() if test not in _failed}
    Path(os.environ["MUTANTS_COVERED"]).write_text(json.dumps({"lines": lines, "seconds": seconds}))
