"""Where things lie in a picture of a circle: one in the middle, the others on a ring for each step from it.

A radial tree (Eades, Drawing free trees, 1992): who leads to others has them outside, near their own direction, so that edges
from ring to ring seldom cross. How far they are moved apart is a least-squares problem, which SciPy solves. NetworkX's
`shell_layout` spaces each ring evenly whatever it hangs on, and twists the tree.
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
FULL: Final = 0.8  # of a ring; the rest is for moving towards what one hangs on
FAR: Final = 36.0  # pixels: neighbours on a ring need not be farther apart


@dataclass(frozen=True)
class Place:
    """Where a node lies, in pixels from the middle; `angle` in radians; `crowd`: how many share its ring."""

    x: float
    y: float
    angle: float
    crowd: int


@dataclass(frozen=True)
class Room:
    """What a ring needs, in pixels: `pitch` between neighbours on it, `depth` outwards before the next ring."""

    pitch: float
    depth: float


def places(hops: Sequence[int], edges: Iterable[tuple[int, int]], rooms: Sequence[Room]) -> list[Place]:
    """A place for each node; node 0 is in the middle, `hops` has every node's ring, and every ring its `rooms`.

    Each node has an edge to the ring within. Deterministic. Cost: nodes x log nodes + edges.
    """
    layer = nx.Graph(sorted(edges))
    layer.add_nodes_from(range(len(hops)))
    led = _tree(layer, hops)
    placed, ring, radius = [Place(0.0, 0.0, TOP, 1)] * len(hops), [0], 0.0
    for within, room in pairwise(rooms):
        wanted = [placed[n].angle for n in ring for _ in led[n]]
        innermost, ring = ring == [0], [m for n in ring for m in led[n]]
        radius = max(radius + within.depth, len(ring) * room.pitch / (FULL * TURN))
        gap = min(FULL * TURN / len(ring), max(FAR, room.pitch) / radius)
        angles = _evenly(len(ring)) if innermost else _apart(wanted, gap)
        for n, angle in zip(ring, angles, strict=True):
            placed[n] = Place(radius * math.cos(angle), radius * math.sin(angle), angle, len(ring))
    return placed


def _tree(layer: nx.Graph, hops: Sequence[int]) -> dict[int, list[int]]:
    """Whom each leads to. Who could hang on several hangs on the one with the fewest, so that sectors fill evenly."""
    led: dict[int, list[int]] = {n: [] for n in range(len(hops))}
    for n in sorted(range(1, len(hops)), key=lambda n: (hops[n], n)):
        inner = [m for m in layer[n] if hops[m] == hops[n] - 1]
        led[min(inner, key=lambda m: (len(led[m]), m))].append(n)
    return {n: _neighbours_together(layer, below) for n, below in led.items()}


def _neighbours_together(layer: nx.Graph, nodes: list[int]) -> list[int]:
    """Those who are joined lie side by side."""
    among, order = layer.subgraph(nodes), dict[int, None]()
    for n in nodes:
        if n not in order:
            order |= dict.fromkeys(nx.dfs_preorder_nodes(among, n, sort_neighbors=sorted))
    return [*order]


def _evenly(count: int) -> list[float]:
    return [TOP + TURN * n / count for n in range(count)]


def _apart(wanted: Sequence[float], gap: float) -> list[float]:
    """Angles at least `gap` apart, in the order of those wanted and as near to them as can be (least squares).

    The circle is cut where nobody wants to be; where those at the cut still meet, all are spaced evenly.
    """
    free = [(b - a) % TURN for a, b in pairwise([wanted[-1], *wanted])]
    cut = free.index(max(free))
    ahead = [wanted[cut] + (angle - wanted[cut]) % TURN for angle in (*wanted[cut:], *wanted[:cut])]
    steps = gap * np.arange(len(wanted))
    found = isotonic_regression(np.array(ahead) - steps).x + steps
    if found[-1] - found[0] > TURN - gap:
        found = found.mean() + TURN * (np.arange(len(wanted)) / len(wanted) - 0.5)
    return [float(angle) for angle in np.roll(found, cut)]
