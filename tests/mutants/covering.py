"""A pytest plugin: record the tests that run each line of the mutated modules, and the time of each test.

It writes JSON to $MUTANTS_COVERED. We count the lines of a fixture for every test of its file, since the tests may share it. We use
Python's own tracer: it is several times slower than coverage.py's, but runs once, and saves a dependency.
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
_failed_tests: set[str] = set()
_context = ""  # during the import of modules
_calls: dict[CodeType, int] = {}  # of the current test
MAX_CALLS = 300  # calls of a function per test: later calls nearly always run the same lines


def _trace(frame: FrameType, event: str, argument: Any) -> Any:
    path = _TARGETS.get(frame.f_code.co_filename)
    if path is None:
        return None
    _calls[frame.f_code] = number = _calls.get(frame.f_code, 0) + 1
    if number > MAX_CALLS:
        return None
    lines = _lines[path]

    def line(frame: FrameType, event: str, argument: Any) -> Any:
        lines[frame.f_lineno].add(_context)
        return line

    return line


threading.settrace(_trace)  # now: conftest files import the modules, and some of their functions run only then
sys.settrace(_trace)


def _record_test(item: pytest.Item, context: str) -> Generator[None, Any, Any]:
    global _context
    _context, started_at = context, time.monotonic()
    _calls.clear()
    sys.settrace(_trace)  # a test may have set another tracer
    try:
        return (yield)
    finally:
        _context = item.nodeid.partition("::")[0]
        _seconds[item.nodeid] += time.monotonic() - started_at


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, Any, Any]:
    return (yield from _record_test(item, item.nodeid.partition("::")[0]))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    return (yield from _record_test(item, item.nodeid))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.failed or report.skipped:
        _failed_tests.add(report.nodeid)


def pytest_sessionfinish() -> None:
    sys.settrace(None)
    threading.settrace(None)
    lines = {
        path: {str(line): sorted(tests) for line, tests in tests_by_line.items()}
        for path, tests_by_line in _lines.items()
    }
    seconds = {test: duration for test, duration in _seconds.items() if test not in _failed_tests}
    Path(os.environ["MUTANTS_COVERED"]).write_text(json.dumps({"lines": lines, "seconds": seconds}))
