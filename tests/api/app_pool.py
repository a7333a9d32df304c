"""Applications lent to tests: the routes of one, which it makes ready at its first request, take longer than most tests."""

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import FastAPI

from api.http.app import attach_context, create_app
from api.http.gate import Gate
from api.runtime.context import AppContext

_IDLE_APPS: list[FastAPI] = []
_BORROWED_APPS: list[FastAPI] = []


def borrow_app(context: AppContext, gate: Gate | None = None) -> FastAPI:
    """An application as `create_app` makes it, until the test ends, or for good if a fixture of more than one test asks."""
    app = attach_context(_IDLE_APPS.pop(), context, gate) if _IDLE_APPS else create_app(context, gate=gate)
    _BORROWED_APPS.append(app)
    return app


@contextmanager
def app_pool() -> Iterator[None]:
    """Nothing of a test stays in the applications that it was lent. Those that many tests have were lent before."""
    borrowed_before = len(_BORROWED_APPS)
    yield
    for app in _BORROWED_APPS[borrowed_before:]:
        app.dependency_overrides.clear()
        app.state._state.clear()
        _IDLE_APPS.append(app)
    del _BORROWED_APPS[borrowed_before:]
