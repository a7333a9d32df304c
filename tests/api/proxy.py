"""A line to a database that can be cut: a TCP proxy of the test's own, so that no server is stopped under anybody."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit


class Line:
    """Passes bytes on while it is up. Cut, it drops what there is and answers nobody."""

    def __init__(self, host: str, port: int) -> None:
        self.to = (host, port)
        self.here = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.here.getsockname()[1]
        self.up = True
        self.pairs: list[tuple[socket.socket, socket.socket]] = []
        threading.Thread(target=self._listen, daemon=True).start()

    def cut(self) -> None:
        self.up = False
        pairs, self.pairs = self.pairs, []
        for pair in pairs:
            _end(*pair)

    def mend(self) -> None:
        self.up = True

    def close(self) -> None:
        self.cut()
        _end(self.here)

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                one, _ = self.here.accept()
                if not self.up:
                    _end(one)
                    continue
                other = socket.create_connection(self.to)
                self.pairs.append((one, other))
                for pair in ((one, other), (other, one)):
                    threading.Thread(target=_pass_on, args=pair, daemon=True).start()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    _end(source, target)


def _end(*ends: socket.socket) -> None:
    for end in ends:
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()


@contextmanager
def line_to(url: str) -> Iterator[tuple[Line, str]]:
    """A line to the server of a database URL, and the URL that leads over it."""
    known = urlsplit(url)
    line = Line(known.hostname or "127.0.0.1", known.port or 5432)
    user = f"{known.netloc.rpartition('@')[0]}@" if "@" in known.netloc else ""
    yield line, known._replace(netloc=f"{user}127.0.0.1:{line.port}").geturl()
    line.close()
