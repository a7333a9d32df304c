"""Run the server. We bind the port first, so that you learn of a port in use before any long work."""

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

from api.http.app import create_app
from api.http.gate import Gate, gate_of
from api.http.metrics import MULTIPROC_DIR_VARIABLE
from api.jobs.reload import ReloadOptions
from api.runtime import bootstrap
from api.runtime.context import AppContext
from api.settings.settings import Settings, settings
from api.telemetry import logs
from engine.errors import Rejected

log = logging.getLogger("iftah")

HEALTHCHECK_SECONDS: Final = 30  # in which a worker must report that it is alive: compiling rules takes some of it
SHUTDOWN_SECONDS: Final = 5  # in which a stopping server finishes its answers
ORPHAN_SECONDS: Final = 20  # in which a worker must stop by itself once its parent is gone
_UVICORN_OPTIONS: Final[dict[str, Any]] = {
    "log_config": None,
    "access_log": False,
    "loop": "uvloop",
    "http": "api.http.request_head:BoundedProtocol",
    "ws": "none",
    "timeout_graceful_shutdown": SHUTDOWN_SECONDS,
    "server_header": False,
}


@contextmanager
def bound_socket(host: str, port: int) -> Iterator[socket.socket]:
    """A socket bound to the address. Raises Rejected `port_in_use` if we cannot bind it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host, port))
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or "not an address"
            hint = "stop what uses it, or set IFTAH_PORT to another"
            raise Rejected(
                f"cannot serve here: {reason.lower()}", where=f"{host}:{port}", hint=hint, code="port_in_use"
            ) from None
        yield sock


def serve(
    context: AppContext, sock: socket.socket, reload: ReloadOptions, gate: Gate | None = None, log_format: str = "auto"
) -> None:
    """Serve until stopped, and follow the rules folder meanwhile. Then close the evaluators."""
    logs.install(log_format)
    app = create_app(context, reload, background=True, gate=gate)
    gc.freeze()  # modules and rules stay: the garbage collector need not traverse them
    try:
        uvicorn.Server(uvicorn.Config(app, **_UVICORN_OPTIONS)).run(sockets=[sock])
    finally:
        app.state.context.evaluators.close()
        context.database.dispose()


def check_workers(config: Settings) -> None:
    """Raise Rejected if this number of processes cannot serve from this database."""
    if config.workers > 1 and config.database_url.startswith("sqlite"):
        message = (
            "several processes need PostgreSQL: SQLite has one writer, and the other processes would only wait for it"
        )
        hint = "set database_url to a PostgreSQL database, or workers to 1"
        raise Rejected(message, where="workers", hint=hint, code="bad_setting")


def serve_by_several(context: AppContext, sock: socket.socket, config: Settings) -> None:
    """Serve by several processes on one socket. We replace a process that ends.

    The caller opened `context` to check that it opens. We close it, and each process opens its own.
    """
    context.evaluators.close()
    context.database.dispose()
    logs.install(config.log_format)
    uvicorn_config = uvicorn.Config(
        "api.http.server:worker",
        factory=True,
        workers=config.workers,
        timeout_worker_healthcheck=HEALTHCHECK_SECONDS,
        **_UVICORN_OPTIONS,
    )
    with TemporaryDirectory(prefix="iftah-metrics-") as folder:
        os.environ[MULTIPROC_DIR_VARIABLE] = folder  # before they start: prometheus_client reads it on import
        Multiprocess(uvicorn_config, sockets=[sock]).run()


def worker() -> FastAPI:
    """The application of one of several processes. Their parent has probed the rules."""
    config = settings()
    logs.install(config.log_format)
    end_with_parent()
    app = create_app(
        bootstrap.load_context(config),
        ReloadOptions(config.rules, drafts_only=config.releases == "approved"),
        background=True,
        gate=gate_of(config),
    )
    gc.freeze()
    return app


def end_with_parent() -> None:
    """Stop this process when its parent has ended for any reason: nothing else would stop it."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        Thread(target=_end_after, args=(parent.join,), name="parent", daemon=True).start()


def _end_after(wait_for_parent: Callable[[], None]) -> None:
    wait_for_parent()
    log.error("the parent process has ended: this worker stops, too")
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(ORPHAN_SECONDS)
    os._exit(1)
