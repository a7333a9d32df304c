"""Processes whose parent is killed: they end, and free the port. Part of `python -m tests.soak.outages`."""

import os
import signal
import socket
import time
from pathlib import Path
from typing import Final

from tests.bench.fresh import served, settle

PEOPLE: Final = 60
KILLS: Final = 3
ENDS: Final = 30.0  # seconds within which all are gone
SERVES: Final = "from api.cli import app; app(['serve', '--workers', '2'])"


def orphans(url: str, kills: int = KILLS) -> list[float]:
    """Seconds from the death of each first process until none of its own is left and the port is free."""
    settle(url, PEOPLE)
    took = []
    for _ in range(kills):
        with served(url, "-c", SERVES) as (parent, port):
            children = [int(p) for p in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
            os.kill(parent, signal.SIGKILL)
            began = time.monotonic()
            while time.monotonic() < began + 2 * ENDS and not _gone(children, port):
                time.sleep(0.1)
            took.append(time.monotonic() - began)
            for child in children:
                if _there(child):
                    os.kill(child, signal.SIGKILL)
    return took


def _there(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def _gone(children: list[int], port: int) -> bool:
    if any(map(_there, children)):
        return False
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def problems(took: list[float]) -> list[str]:
    """What is not as it must be."""
    late = [seconds for seconds in took if seconds > ENDS]
    return [f"{len(late)} of {len(took)} left processes behind for {ENDS:g} s"] if late else []
