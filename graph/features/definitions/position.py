"""Position in the whole social layer: core number, and the share of trust that reaches a person from verified people.

Global. Positive only: ties add, and the behaviour of a tied person never counts.
"""

from typing import Final

import networkx as nx
import numpy as np
import polars as pl

from graph.algorithms.random_walk import short_walk_trust
from graph.algorithms.ranges import Bools, Floats, Ints
from graph.compiled.graphs import DiGraph
from graph.features.rounding import round_half_up
from graph.network.build import SocialLayer

NAMES: Final = ("relationships.core_number", "relationships.trust", "relationships.walk_trust")
TOLERANCE: Final = 1e-14  # share of all trust: far below the rounding, so that platforms agree
ITERATIONS: Final = 1_000
VERIFIED_LEVELS: Final = (3, 2)  # identity levels that count as verified: we use the second if nobody has the first


def position_features(layer: SocialLayer, levels: pl.DataFrame, people: pl.Series) -> pl.DataFrame:
    """Return `person` and the features of `NAMES` for `people`.

    `levels` has everybody's `identity_level` by `person`. Cost: O(ties x iterations). We need about 200 iterations for
    trust (0.85^200 is below `TOLERANCE`) and log2 of the people for the walk. O(people) if none of `people` is tied:
    then we build no graph.
    """
    level = _level(layer.people, levels)
    seeds, walk_seeds = verified_mask(level), verified_mask(np.where(layer.reciprocated, level, 0))
    empty = layer.people.clear().to_frame().with_columns(pl.lit(None, pl.Int64).alias(name) for name in NAMES)
    table = _compute_features(layer, seeds, walk_seeds) if people.is_in(layer.people.implode()).any() else empty
    joined = people.alias("person").to_frame().join(table, on="person", how="left", maintain_order="left")
    defaults = (0, 0 if seeds.any() else None, 0 if walk_seeds.any() else None)
    return joined.select(
        "person", *(pl.col(n).fill_null(pl.lit(a, pl.Int64)) for n, a in zip(NAMES, defaults, strict=True))
    )


def _compute_features(layer: SocialLayer, seeds: Bools, walk_seeds: Bools) -> pl.DataFrame:
    cores = nx.core_number(layer.social)
    columns = (
        pl.Series(cores.values(), dtype=pl.Int64),
        round_half_up(seeded_pagerank(layer.lending, seeds), 2),
        round_half_up(walk_trust(layer, walk_seeds), 2),
    )
    return layer.people.to_frame().with_columns(c.alias(n) for n, c in zip(NAMES, columns, strict=True))


def verified_mask(level: Ints) -> Bools:
    """Mask of the people at whom trust starts: those of identity level 3, or those of level 2 if there are none."""
    return next(
        (mask for mask in (level == target for target in VERIFIED_LEVELS) if mask.any()), np.zeros(len(level), bool)
    )


def seeded_pagerank(lending: DiGraph, seeds: Bools) -> Floats:
    """Compute personalised PageRank from the seeds, as a multiple of the mean (1.0: the mean); NaN without seeds.

    `lending` is a graph over numbers; `seeds` has one entry a node.
    """
    if not seeds.any():
        return np.full(len(seeds), np.nan)
    start = dict.fromkeys(np.flatnonzero(seeds).tolist(), 1)
    tolerance = TOLERANCE / len(seeds)  # NetworkX multiplies this by the number of nodes
    ranks = nx.pagerank(lending, personalization=start, weight="weight", tol=tolerance, max_iter=ITERATIONS)
    shares: Floats = np.fromiter(ranks.values(), float, len(seeds)) * len(seeds)
    return shares


def walk_trust(layer: SocialLayer, seeds: Bools) -> Floats:
    """Compute the trust after a short walk from the seeds, per weight of ties (1.0: the mean); NaN without seeds.

    We use the layer as an undirected graph in which a pair has the smaller of the two trusts it lends each other. So
    you gain nothing by vouching for people who do not vouch for you.
    """
    if not seeds.any():
        return np.full(len(seeds), np.nan)
    lends = layer.lending.csr.matrix("weight")
    return short_walk_trust(lends.minimum(lends.T.tocsr()), seeds)


def _level(people: pl.Series, levels: pl.DataFrame) -> Ints:
    """Return the identity level of each person in the layer; 0 if not enrolled."""
    joined = people.to_frame().join(levels, on="person", how="left", maintain_order="left")
    return joined["identity_level"].fill_null(0).cast(pl.Int64).to_numpy()
