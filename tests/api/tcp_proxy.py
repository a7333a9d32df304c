"""A connection to a database that a test can cut: we use a TCP proxy, so we need not stop the server of other tests."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit


class TcpProxy:
    """Forward bytes while it is up. Once cut, it drops all connections and accepts none."""

    def __init__(self, host: str, port: int) -> None:
        self.upstream = (host, port)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.is_up = True
        self.pairs: list[tuple[socket.socket, socket.socket]] = []
        threading.Thread(target=self._listen, daemon=True).start()

    def cut(self) -> None:
        self.is_up = False
        pairs, self.pairs = self.pairs, []
        for pair in pairs:
            _close(*pair)

    def restore(self) -> None:
        self.is_up = True

    def close(self) -> None:
        self.cut()
        _close(self.listener)

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                inbound, _ = self.listener.accept()
                if not self.is_up:
                    _close(inbound)
                    continue
                outbound = socket.create_connection(self.upstream)
                self.pairs.append((inbound, outbound))
                for pair in ((inbound, outbound), (outbound, inbound)):
                    threading.Thread(target=_forward, args=pair, daemon=True).start()


def _forward(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    _close(source, target)


def _close(*sockets: socket.socket) -> None:
    for sock in sockets:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
        sock.close()


@contextmanager
def proxy_to(url: str) -> Iterator[tuple[TcpProxy, str]]:
    """A proxy to the server of a database URL, and the URL that uses the proxy."""
    parts = urlsplit(url)
    proxy = TcpProxy(parts.hostname or "127.0.0.1", parts.port or 5432)
    user = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
    yield proxy, parts._replace(netloc=f"{user}127.0.0.1:{proxy.port}").geturl()
    proxy.close()
