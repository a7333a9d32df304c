"""Ties among the people tied to a person. Local: uses the person's ties and those among these people."""

from typing import Final

import numpy as np
import polars as pl

from graph.algorithms.ranges import Bools, Ints
from graph.algorithms.triangles import neighbourhood_structure
from graph.network.build import SocialLayer, social_layer

NAMES: Final = ("relationships.clustering", "relationships.circles")
THOUSAND: Final = 1_000


def neighbourhood_features(layer: SocialLayer) -> pl.DataFrame:
    """Return `person` and the features of `NAMES` for everyone in the layer, one row each.

    Clustering is that of `nx.clustering`, in thousandths, halves up; 0 with fewer than two neighbours. Circles are the
    connected components that the person's supporters (by a mutual tie, or by vouching for the person:
    `relationships.degree`) form without the person. Cost: see `graph.algorithms.triangles.neighbourhood_structure`.
    """
    rows = layer.social.csr
    node, party = rows.sources().astype(np.int64), rows.indices.astype(np.int64)
    structure = neighbourhood_structure(rows.n, node, party, _lends_trust(layer, node, party))
    pairs = structure.degree * (structure.degree - 1)
    halves_up = (structure.triangles * (4 * THOUSAND) + pairs) // np.maximum(2 * pairs, 1)
    return layer.people.to_frame().with_columns(
        pl.Series(NAMES[0], halves_up), pl.Series(NAMES[1], structure.components)
    )


def layer_around(ties: pl.DataFrame, people: pl.Series) -> SocialLayer:
    """Select the ties on which `neighbourhood_features` of `people` depend, from ties in force. Cost: a few passes over
    the ties.
    """
    ids = people.implode()
    touch = ties.filter(pl.col("a").is_in(ids) | pl.col("b").is_in(ids))
    ring = pl.concat([touch["a"], touch["b"]]).unique().implode()
    return social_layer(ties.filter(pl.col("a").is_in(ring), pl.col("b").is_in(ring)))


def _lends_trust(layer: SocialLayer, node: Ints, party: Ints) -> Bools:
    """Mark, for each pair of neighbours, whether `party` lends trust to `node`."""
    lends = layer.lending.csr
    size = lends.n
    key = lends.sources().astype(np.int64) * size + lends.indices
    query = party * size + node
    place = np.minimum(np.searchsorted(key, query), max(len(key) - 1, 0))
    mask: Bools = key[place] == query
    return mask
