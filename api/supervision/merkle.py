"""Merkle trees as RFC 9162 (Certificate Transparency 2.0) has them, section 2.1: SHA-256, leaves and nodes told apart by a first byte.

A root over n leaves costs n hashes and log n memory; a proof that a leaf is in it, log n hashes.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final

EMPTY: Final = sha256(b"").digest()


def leaf(data: bytes) -> bytes:
    """The hash of a leaf."""
    return sha256(b"\x00" + data).digest()


def node(left: bytes, right: bytes) -> bytes:
    """The hash of a node over two others."""
    return sha256(b"\x01" + left + right).digest()


def dated(day: str, size: int, root: bytes) -> bytes:
    """The digest of a day (such as 2026-01-31): its Merkle root together with the day and how many leaves there are."""
    return sha256(b"\x02" + f"{day}\n{size}\n".encode() + root).digest()


class Growing:
    """A root over leaves that come one by one: what is held are the roots of the full trees so far, largest first."""

    def __init__(self) -> None:
        self.size = 0
        self._full: list[bytes] = []

    def add(self, data: bytes) -> None:
        """One more leaf."""
        made, bits = leaf(data), self.size
        while bits & 1:
            made, bits = node(self._full.pop(), made), bits >> 1
        self._full.append(made)
        self.size += 1

    def root(self) -> bytes:
        """Over the leaves so far."""
        if not self._full:
            return EMPTY
        made, *rest = reversed(self._full)
        for left in rest:
            made = node(left, made)
        return made


def root(leaves: Iterable[bytes]) -> bytes:
    """The root over these leaves, in this order."""
    tree = Growing()
    for data in leaves:
        tree.add(data)
    return tree.root()


def path(index: int, leaves: Iterable[bytes]) -> list[bytes]:
    """The proof that the leaf at `index`, from 0, is in the root over `leaves`: what it is hashed with on the way up."""
    level, found = [leaf(data) for data in leaves], []
    if not 0 <= index < len(level):
        raise IndexError("no such leaf")
    while len(level) > 1:
        if (index ^ 1) < len(level):
            found.append(level[index ^ 1])
        pairs = [node(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        level = pairs + level[len(pairs) * 2 :]  # an odd one goes up as it is
        index >>= 1
    return found


def leads(data: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root to which a proof leads from the leaf `data`; None when it is not a proof for that place in a tree of that size.

    RFC 9162, 2.1.3.2.
    """
    if not 0 <= index < size:
        return None
    here, last, made = index, size - 1, leaf(data)
    for other in path:
        if last == 0:
            return None
        if here & 1 or here == last:
            made = node(other, made)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            made = node(made, other)
        here, last = here >> 1, last >> 1
    return made if last == 0 else None
