"""Processes whose parent is killed: they end and free the port. Part of `python -m tests.soak.outages`."""

import os
import signal
import socket
import time
from pathlib import Path
from typing import Final

from tests.bench.fresh import running_server, settle

PEOPLE: Final = 60
KILLS: Final = 3
END_TIMEOUT: Final = 30.0  # seconds within which all must end
SERVER_CODE: Final = "from api.cli.main import app; app(['serve', '--workers', '2'])"


def orphans(url: str, kills: int = KILLS) -> list[float]:
    """For each parent, seconds from its death until its children have ended and the port is free."""
    settle(url, PEOPLE)
    durations = []
    for _ in range(kills):
        with running_server(url, "-c", SERVER_CODE) as (parent, port):
            children = [int(p) for p in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
            os.kill(parent, signal.SIGKILL)
            started_at = time.monotonic()
            while time.monotonic() < started_at + 2 * END_TIMEOUT and not _all_ended(children, port):
                time.sleep(0.1)
            durations.append(time.monotonic() - started_at)
            for child in children:
                if _exists(child):
                    os.kill(child, signal.SIGKILL)
    return durations


def _exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def _all_ended(children: list[int], port: int) -> bool:
    if any(map(_exists, children)):
        return False
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def problems(durations: list[float]) -> list[str]:
    """The faults."""
    late = [seconds for seconds in durations if seconds > END_TIMEOUT]
    return [f"{len(late)} of {len(durations)} left processes behind for {END_TIMEOUT:g} s"] if late else []
