"""Where things lie: on rings, apart, near whom they hang on."""

import math
from itertools import combinations

from api.pictures.radial import Room, places


def test_places_are_on_rings_in_order_of_steps_with_the_person_in_the_middle() -> None:
    hops = [0, 1, 1, 1, *[2] * 20]
    edges = [(0, 1), (0, 2), (0, 3), *((1, n) for n in range(4, 14)), *((2, n) for n in range(14, 24))]
    found = places(hops, edges, [Room(0, 90), Room(15, 60), Room(15, 60)])
    radii = [round(math.hypot(p.x, p.y), 6) for p in found]
    assert radii[0] == 0
    assert {*radii[1:4]} == {90}
    assert len({*radii[4:]}) == 1
    assert radii[4] >= 150
    outer = [(p.x, p.y) for p in found[4:]]
    assert min(math.dist(a, b) for a, b in combinations(outer, 2)) >= 15 * 0.97  # a chord is a little less than its arc
    for parent, below in ((1, range(4, 14)), (2, range(14, 24))):  # on the side of whom they hang on
        middle = (sum(found[n].x for n in below), sum(found[n].y for n in below))
        assert middle[0] * found[parent].x + middle[1] * found[parent].y > 0
