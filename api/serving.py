"""Serving: the port taken first, so that a port in use is said before any long work."""

import gc
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from api.app import create_app
from api.gate import Gate
from api.reload import Reload
from api.world import World
from engine.errors import Refused


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket bound to the address. Raises Refused when it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind((host, port))
        except (OSError, UnicodeError) as error:
            why = getattr(error, "strerror", None) or "not an address"
            hint = "stop what uses it, or set IFTAH_PORT to another"
            raise Refused(f"cannot serve here: {why.lower()}", where=f"{host}:{port}", hint=hint, code="port") from None
        yield taken


def serve(world: World, taken: socket.socket, reload: Reload, gate: Gate | None = None) -> None:
    """Serve until stopped, by what the folder of rules says at any time; then free the engine."""
    _log_here()
    app = create_app(world, reload, works=True, gate=gate)
    gc.freeze()  # what is imported and compiled stays: the collector need not look through it at each batch
    config = uvicorn.Config(app, log_level="warning", access_log=False)
    try:
        uvicorn.Server(config).run(sockets=[taken])
    finally:
        app.state.world.engines.close()
        world.database.dispose()


def _log_here() -> None:
    """What is logged goes to stderr, with its time; also what went well, such as new rules."""
    log = logging.getLogger("iftah")
    if not log.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        log.addHandler(handler)
        log.setLevel(logging.INFO)
