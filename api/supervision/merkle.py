"""Merkle trees of RFC 9162 (Certificate Transparency 2.0), section 2.1: SHA-256, with a prefix byte that separates leaves
from nodes.

Cost: a root over n leaves takes n hashes and O(log n) memory. To check a proof you need O(log n) hashes.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final

EMPTY_ROOT: Final = sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node over two subtrees."""
    return sha256(b"\x01" + left + right).digest()


def dated_root(day: str, size: int, root: bytes) -> bytes:
    """The digest of a day (such as 2026-01-31): a hash over the day, the number of leaves, and the Merkle root."""
    return sha256(b"\x02" + f"{day}\n{size}\n".encode() + root).digest()


class MerkleBuilder:
    """Compute a root over leaves that you add one by one. Keeps the roots of the full subtrees so far, largest first."""

    def __init__(self) -> None:
        self.size = 0
        self._subtrees: list[bytes] = []

    def add(self, data: bytes) -> None:
        """Add a leaf."""
        subtree, bits = leaf_hash(data), self.size
        while bits & 1:
            subtree, bits = node_hash(self._subtrees.pop(), subtree), bits >> 1
        self._subtrees.append(subtree)
        self.size += 1

    def root(self) -> bytes:
        """The root over the leaves so far."""
        if not self._subtrees:
            return EMPTY_ROOT
        subtree, *rest = reversed(self._subtrees)
        for left in rest:
            subtree = node_hash(left, subtree)
        return subtree


def root(leaves: Iterable[bytes]) -> bytes:
    """The root over these leaves, in this order."""
    tree = MerkleBuilder()
    for data in leaves:
        tree.add(data)
    return tree.root()


def inclusion_path(index: int, leaves: Iterable[bytes]) -> list[bytes]:
    """The inclusion proof of the leaf at `index` (from 0): the hashes of the siblings, from the leaf to the root."""
    level, siblings = [leaf_hash(data) for data in leaves], []
    if not 0 <= index < len(level):
        raise IndexError("no such leaf")
    while len(level) > 1:
        if (index ^ 1) < len(level):
            siblings.append(level[index ^ 1])
        pairs = [node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        level = pairs + level[len(pairs) * 2 :]  # an unpaired node moves up unchanged
        index >>= 1
    return siblings


def root_of_path(data: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root that a proof leads to from the leaf `data`; None if `path` is no proof for that index in a tree of that size.

    RFC 9162, 2.1.3.2.
    """
    if not 0 <= index < size:
        return None
    position, last_position, subtree = index, size - 1, leaf_hash(data)
    for sibling in path:
        if last_position == 0:
            return None
        if position & 1 or position == last_position:
            subtree = node_hash(sibling, subtree)
            while not position & 1 and position:
                position, last_position = position >> 1, last_position >> 1
        else:
            subtree = node_hash(subtree, sibling)
        position, last_position = position >> 1, last_position >> 1
    return subtree if last_position == 0 else None
