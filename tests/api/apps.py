"""Applications lent to tests: the routes of one, which it makes ready at its first request, take longer than most tests."""

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import FastAPI

from api.access.gate import Gate
from api.app import create_app, over
from api.world import World

_FREE: list[FastAPI] = []
_LENT: list[FastAPI] = []


def app_over(world: World, gate: Gate | None = None) -> FastAPI:
    """An application as `create_app` makes it, until the test ends, or for good if a fixture of more than one test asks."""
    app = over(_FREE.pop(), world, gate) if _FREE else create_app(world, gate=gate)
    _LENT.append(app)
    return app


@contextmanager
def lending() -> Iterator[None]:
    """Nothing of a test stays in the applications that it was lent. Those that many tests have were lent before."""
    before = len(_LENT)
    yield
    for app in _LENT[before:]:
        app.dependency_overrides.clear()
        app.state._state.clear()
        _FREE.append(app)
    del _LENT[before:]
