"""What a person's people are to each other. Local: from the ties of the person, and those among the people tied with them."""

from typing import Final

import numpy as np
import polars as pl

from graph.build import Layer, layer
from graph.ranges import Bools, Ints
from graph.triangles import circle

NAMES: Final = ("relationships.clustering", "relationships.circles")
THOUSAND: Final = 1_000


def circles(whole: Layer) -> pl.DataFrame:
    """`person` and the features of `NAMES`, of everyone in the layer: one row each.

    Clustering is that of `nx.clustering`, in thousandths, halves up; 0 with fewer than two neighbours. Circles are the
    connected components of who stands by the person (by a mutual tie, or by vouching for them: `relationships.degree`) when
    the person is taken away. Cost: see `graph.triangles.circle`.
    """
    rows = whole.social.csr
    node, party = rows.sources().astype(np.int64), rows.indices.astype(np.int64)
    found = circle(rows.n, node, party, _stands(whole, node, party))
    pairs = found.degree * (found.degree - 1)
    halves_up = (found.triangles * (4 * THOUSAND) + pairs) // np.maximum(2 * pairs, 1)
    return whole.people.to_frame().with_columns(pl.Series(NAMES[0], halves_up), pl.Series(NAMES[1], found.components))


def around(ties: pl.DataFrame, people: pl.Series) -> Layer:
    """The layer of the ties that `circles` of `people` depend on, of ties in force. Cost: a few passes over the ties."""
    wanted = people.implode()
    touch = ties.filter(pl.col("a").is_in(wanted) | pl.col("b").is_in(wanted))
    ring = pl.concat([touch["a"], touch["b"]]).unique().implode()
    return layer(ties.filter(pl.col("a").is_in(ring), pl.col("b").is_in(ring)))


def _stands(whole: Layer, node: Ints, party: Ints) -> Bools:
    """For each pair of neighbours, whether `party` lends trust to `node`."""
    lends = whole.lending.csr
    size = lends.n
    key = lends.sources().astype(np.int64) * size + lends.indices
    wanted = party * size + node
    place = np.minimum(np.searchsorted(key, wanted), max(len(key) - 1, 0))
    found: Bools = key[place] == wanted
    return found
