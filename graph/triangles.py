"""Triangles of an undirected graph, listed once each, and what a person's circle says by them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from graph.ranges import Bools, Ints, pieces, spread


@dataclass(frozen=True)
class Circle:
    """What a node's neighbours are to each other; an array over nodes each.

    `degree`: neighbours. `triangles`: pairs of neighbours that are tied. `components`: parts into which the node's
    standing neighbours fall when the node itself is taken away.
    """

    degree: Ints
    triangles: Ints
    components: Ints


@dataclass(frozen=True)
class _Slots:
    """The ordered pairs of neighbours, sorted. Nodes are renamed by degree, so that no node has many upward neighbours."""

    node: Ints
    party: Ints
    up: Ints  # the places of those whose party is above the node
    first_up: Ints  # over nodes: where its own begin in `up`
    twin: Ints  # the place of the same pair the other way round


def circle(nodes: int, node: Ints, party: Ints, stands: Bools) -> Circle:
    """The circles of all nodes 0 .. `nodes` - 1 of a simple undirected graph.

    `node`, `party`: every pair of neighbours, in both orders, once each, none with itself. `stands`, as long: whether the
    party is one of those `components` speaks of.

    Two neighbours are in the same component when a path of neighbours leads from one to the other: each of its steps is
    a triangle with the node in the middle. So the components of all nodes at once are those of one graph whose nodes are
    the ordered pairs and whose edges are the triangles' corners.

    Cost: O(m^1.5) time in the worst case and, in practice, a few steps for each triangle; O(m) memory. Sources: Schank and
    Wagner, Finding, counting and listing all triangles in large graphs, WEA 2005 (*forward*); Ugander et al., Structural
    diversity in social contagion, PNAS 109, 2012.
    """
    degree = np.bincount(node, minlength=nodes)
    by_degree = np.argsort(degree, kind="stable")
    name = np.empty(nodes, np.int64)
    name[by_degree] = np.arange(nodes)
    order = np.argsort(name[node] * nodes + name[party], kind="stable")
    slots = _slots(nodes, name[node[order]], name[party[order]])
    standing = stands[order]
    found = np.zeros(nodes, np.int64)
    label = np.arange(len(order))
    for low, middle, far in _closed(nodes, slots):
        for corner in (slots.node[low], slots.node[middle], slots.party[middle]):
            found += np.bincount(corner, minlength=nodes)
        label = _merged(label, standing, _corners(slots, low, middle, far))
    components = _counted(nodes, slots.node[standing], label[standing])
    return Circle(degree, found[name], components[name])


def _slots(nodes: int, node: Ints, party: Ints) -> _Slots:
    up = np.flatnonzero(party > node)
    first_up = np.searchsorted(node[up], np.arange(nodes + 1))
    twin = np.empty(len(node), np.int64)
    # The pairs sorted by party, then node, are the twins of the pairs as they are sorted.
    twin[np.argsort(party, kind="stable")] = np.arange(len(node))
    return _Slots(node, party, up, first_up, twin)


def _closed(nodes: int, slots: _Slots) -> Iterator[tuple[Ints, Ints, Ints]]:
    """The triangles u < v < w, in pieces: the places of the pairs (u, v), (v, w) and (u, w)."""
    low, high = slots.node[slots.up], slots.party[slots.up]
    key = low * nodes + high
    count = np.diff(slots.first_up)[high]
    for piece in pieces(count):
        which, place = spread(slots.first_up[high[piece]], count[piece])
        wanted = low[piece][which] * nodes + high[place]
        third = np.minimum(np.searchsorted(key, wanted), len(key) - 1)
        closed = np.flatnonzero(key[third] == wanted)
        sides = np.arange(piece.start, piece.stop)[which[closed]], place[closed], third[closed]
        yield slots.up[sides[0]], slots.up[sides[1]], slots.up[sides[2]]


def _corners(slots: _Slots, low: Ints, middle: Ints, far: Ints) -> tuple[Ints, Ints]:
    """The pairs of places that triangles join, one for each corner."""
    return (
        np.concatenate([low, slots.twin[low], slots.twin[far]]),
        np.concatenate([far, middle, slots.twin[middle]]),
    )


def _merged(label: Ints, standing: Bools, corners: tuple[Ints, Ints]) -> Ints:
    left, right = corners
    both = standing[left] & standing[right]
    left, right = label[left[both]], label[right[both]]
    joined = coo_matrix((np.ones(len(left), bool), (left, right)), shape=(len(label), len(label)))
    merged: Ints = connected_components(joined, directed=False)[1]
    return merged[label]


def _counted(nodes: int, node: Ints, label: Ints) -> Ints:
    """How many different labels each node has; a label belongs to one node."""
    _, first = np.unique(label, return_index=True)
    return np.bincount(node[first], minlength=nodes)
