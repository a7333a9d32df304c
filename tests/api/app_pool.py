"""Applications that tests borrow: an application builds its routes at its first request, which takes longer than most
tests.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import FastAPI

from api.http.app import attach_context, create_app
from api.http.gate import Gate
from api.runtime.context import AppContext

_IDLE_APPS: list[FastAPI] = []
_BORROWED_APPS: list[FastAPI] = []


def borrow_app(context: AppContext, gate: Gate | None = None) -> FastAPI:
    """An application as `create_app` makes it. You have it until the test ends, or for good in a shared fixture."""
    app = attach_context(_IDLE_APPS.pop(), context, gate) if _IDLE_APPS else create_app(context, gate=gate)
    _BORROWED_APPS.append(app)
    return app


@contextmanager
def app_pool() -> Iterator[None]:
    """We reset the applications after each test. Shared fixtures borrow theirs before."""
    borrowed_before = len(_BORROWED_APPS)
    yield
    for app in _BORROWED_APPS[borrowed_before:]:
        app.dependency_overrides.clear()
        app.state._state.clear()
        _IDLE_APPS.append(app)
    del _BORROWED_APPS[borrowed_before:]
