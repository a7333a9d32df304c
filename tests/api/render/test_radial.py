"""Positions of nodes: on rings, apart, and near their parents."""

import math
from itertools import combinations

from api.render.radial import Room, place_nodes


def test_positions_are_on_rings_by_distance_from_the_person() -> None:
    hops = [0, 1, 1, 1, *[2] * 20]
    edges = [(0, 1), (0, 2), (0, 3), *((1, n) for n in range(4, 14)), *((2, n) for n in range(14, 24))]
    positions = place_nodes(hops, edges, [Room(0, 90), Room(15, 60), Room(15, 60)])
    radii = [round(math.hypot(p.x, p.y), 6) for p in positions]
    assert radii[0] == 0
    assert {*radii[1:4]} == {90}
    assert len({*radii[4:]}) == 1
    assert radii[4] >= 150
    outer = [(p.x, p.y) for p in positions[4:]]
    assert min(math.dist(a, b) for a, b in combinations(outer, 2)) >= 15 * 0.97  # a chord is a little less than its arc
    for parent, below in ((1, range(4, 14)), (2, range(14, 24))):  # on the side of their parents
        middle = (sum(positions[n].x for n in below), sum(positions[n].y for n in below))
        assert middle[0] * positions[parent].x + middle[1] * positions[parent].y > 0
