"""Local ports: take a free one, wait for the server on it."""

import socket
import time
import urllib.request

import pytest


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def wait_until_healthy(port: int) -> None:
    """Wait up to a minute, since other tests may have the processors. Fails the test after that."""
    for _ in range(1200):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/health", timeout=5) as response:
                assert response.status == 200
                return
        except OSError:
            time.sleep(0.05)
    pytest.fail("the server never answered")
