"""Serving: the port taken first, so that a port in use is said before any long work."""

import gc
import logging
import multiprocessing
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any, Final

import uvicorn
from fastapi import FastAPI
from uvicorn.supervisors import Multiprocess

from api import logs, prepare
from api.access.gate import Gate, gate_of
from api.app import create_app
from api.background.reload import Reload
from api.metrics import SHARED
from api.settings import Settings, settings
from api.world import World
from engine.errors import Refused

log = logging.getLogger("iftah")

HEALTHY: Final = 30  # seconds in which a process must say that it lives: compiling rules takes some
FINISH: Final = 5  # seconds that a server which stops gives to the answers that are being made
ORPHAN_SECONDS: Final = 20  # that a process has to stop by itself when the one that started it is gone
_HOW: Final[dict[str, Any]] = {
    **{
        "log_config": None,
        "access_log": False,
        "loop": "uvloop",
        "http": "api.request_head:BoundedProtocol",
        "ws": "none",
    },
    **{"timeout_graceful_shutdown": FINISH, "server_header": False},
}


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


def serve(
    world: World, taken: socket.socket, reload: Reload, gate: Gate | None = None, log_format: str = "auto"
) -> None:
    """Serve until stopped, by what the folder of rules says at any time; then free the engine."""
    logs.install(log_format)
    app = create_app(world, reload, works=True, gate=gate)
    gc.freeze()  # what is imported and compiled stays: the collector need not look through it at each batch
    try:
        uvicorn.Server(uvicorn.Config(app, **_HOW)).run(sockets=[taken])
    finally:
        app.state.world.engines.close()
        world.database.dispose()


def allowed(chosen: Settings) -> None:
    """Raises Refused when so many processes cannot serve from that database."""
    if chosen.workers > 1 and chosen.database_url.startswith("sqlite"):
        message = "several processes need PostgreSQL: a file has one writer, for which the others would only wait"
        hint = "set database_url to a PostgreSQL, or workers to 1"
        raise Refused(message, where="workers", hint=hint, code="bad_setting")


def serve_by_several(world: World, taken: socket.socket, chosen: Settings) -> None:
    """The same by so many processes over the one socket; one that ends is replaced.

    The world was opened to see that it can be; each process opens its own.
    """
    world.engines.close()
    world.database.dispose()
    logs.install(chosen.log_format)
    config = uvicorn.Config(
        "api.serving:worker", factory=True, workers=chosen.workers, timeout_worker_healthcheck=HEALTHY, **_HOW
    )
    with TemporaryDirectory(prefix="iftah-metrics-") as folder:
        os.environ[SHARED] = folder  # before they start: it is read when they import what counts
        Multiprocess(config, sockets=[taken]).run()


def worker() -> FastAPI:
    """The application of one process of several. The rules were probed by the one that started it."""
    chosen = settings()
    logs.install(chosen.log_format)
    end_with_parent()
    app = create_app(prepare.enforced(chosen), Reload(chosen.rules), works=True, gate=gate_of(chosen))
    gc.freeze()
    return app


def end_with_parent() -> None:
    """Stop this process when the one that started it is gone, however that ended: nobody else would stop it."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        Thread(target=_end_after, args=(parent.join,), name="parent", daemon=True).start()


def _end_after(gone: Callable[[], None]) -> None:
    gone()
    log.error("the process that started this one is gone: this one stops, too")
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(ORPHAN_SECONDS)
    os._exit(1)
