"""Join the writes of one turn of the event loop: the head and the body of an answer leave by one call of the system.

A write wakes the client, which takes the processor from the server in the middle of a batch of answers. One is enough, at the end.
"""

import asyncio
from typing import Any, Final

MAX_JOINED_BYTES: Final = 16 * 1024  # more go at once, so that a long answer waits for its reader


class JoinedWrites:
    """A transport that joins writes; everything else is the transport's own."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._parts: list[bytes] = []
        self._bytes = 0

    def write(self, data: bytes) -> None:
        """Write at the end of this turn, or at once if there is much."""
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(data)
        self._bytes += len(data)
        if self._bytes > MAX_JOINED_BYTES:
            self._flush()

    def write_eof(self) -> None:
        """Close the writing side, after what waits."""
        self._flush()
        self._transport.write_eof()

    def close(self) -> None:
        """Close the transport, after what waits."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        parts, self._parts, self._bytes = self._parts, [], 0
        if parts:
            self._transport.write(b"".join(parts))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
