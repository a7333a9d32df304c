"""Place the nodes of an ego network: one in the centre, the others on a ring for each step from it.

A radial tree (Eades, Drawing free trees, 1992): we place the children of a node further out, near the node's own angle, so
edges between rings seldom cross. To move neighbours apart we solve a least-squares problem with SciPy. We do not use
NetworkX's `shell_layout`: it spaces each ring evenly without regard to the inner ring, and twists the tree.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import networkx as nx
import numpy as np
from scipy.optimize import isotonic_regression

TURN: Final = 2 * math.pi
TOP: Final = -math.pi / 2  # angles run clockwise from here, as y grows downwards
MAX_RING_FILL: Final = 0.8  # share of a ring that nodes may fill; the rest lets them move towards their parents
MAX_GAP: Final = 36.0  # pixels; neighbours on a ring need no larger gap


@dataclass(frozen=True)
class NodePosition:
    """The position of a node in pixels from the centre; `angle` in radians; `ring_size`: the number of nodes on its ring."""

    x: float
    y: float
    angle: float
    ring_size: int


@dataclass(frozen=True)
class Room:
    """The space of a ring, in pixels: `pitch` between neighbours, `depth` to the next ring."""

    pitch: float
    depth: float


def place_nodes(hops: Sequence[int], edges: Iterable[tuple[int, int]], rooms: Sequence[Room]) -> list[NodePosition]:
    """Place each node. Node 0 is in the centre, `hops` gives each node's ring, and `rooms` the space of each ring.

    Each other node must have an edge to the next inner ring. Deterministic. Cost: O(n log n + e) for n nodes and e edges.
    """
    layer = nx.Graph(sorted(edges))
    layer.add_nodes_from(range(len(hops)))
    children = _tree(layer, hops)
    positions, ring, radius = [NodePosition(0.0, 0.0, TOP, 1)] * len(hops), [0], 0.0
    for within, room in pairwise(rooms):
        target_angles = [positions[n].angle for n in ring for _ in children[n]]
        innermost, ring = ring == [0], [m for n in ring for m in children[n]]
        radius = max(radius + within.depth, len(ring) * room.pitch / (MAX_RING_FILL * TURN))
        gap = min(MAX_RING_FILL * TURN / len(ring), max(MAX_GAP, room.pitch) / radius)
        angles = _even_angles(len(ring)) if innermost else _spread(target_angles, gap)
        for n, angle in zip(ring, angles, strict=True):
            positions[n] = NodePosition(radius * math.cos(angle), radius * math.sin(angle), angle, len(ring))
    return positions


def _tree(layer: nx.Graph, hops: Sequence[int]) -> dict[int, list[int]]:
    """The children of each node. A node with several possible parents gets the one with the fewest children."""
    children: dict[int, list[int]] = {n: [] for n in range(len(hops))}
    for n in sorted(range(1, len(hops)), key=lambda n: (hops[n], n)):
        inner = [m for m in layer[n] if hops[m] == hops[n] - 1]
        children[min(inner, key=lambda m: (len(children[m]), m))].append(n)
    return {n: _neighbours_together(layer, below) for n, below in children.items()}


def _neighbours_together(layer: nx.Graph, nodes: list[int]) -> list[int]:
    """Order the nodes so that connected ones are next to each other."""
    among, order = layer.subgraph(nodes), dict[int, None]()
    for n in nodes:
        if n not in order:
            order |= dict.fromkeys(nx.dfs_preorder_nodes(among, n, sort_neighbors=sorted))
    return [*order]


def _even_angles(count: int) -> list[float]:
    return [TOP + TURN * n / count for n in range(count)]


def _spread(target_angles: Sequence[float], gap: float) -> list[float]:
    """Angles at least `gap` apart, in the order of the target angles and as near to them as possible (least squares).

    We cut the circle at the widest gap between targets. If the angles at the cut then overlap, we space all angles evenly.
    """
    free = [(b - a) % TURN for a, b in pairwise([target_angles[-1], *target_angles])]
    cut = free.index(max(free))
    unrolled = [
        target_angles[cut] + (angle - target_angles[cut]) % TURN
        for angle in (*target_angles[cut:], *target_angles[:cut])
    ]
    steps = gap * np.arange(len(target_angles))
    angles = isotonic_regression(np.array(unrolled) - steps).x + steps
    if angles[-1] - angles[0] > TURN - gap:
        angles = angles.mean() + TURN * (np.arange(len(target_angles)) / len(target_angles) - 0.5)
    return [float(angle) for angle in np.roll(angles, cut)]
