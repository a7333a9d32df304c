"""Who stands by them. Local: their own ties. Global: where they are in the whole social layer, by NetworkX.

Positive only: no tie lowers anyone, and what a tied person does never counts.
"""

from collections.abc import Collection
from typing import Any, Final

import narwhals as nw
import networkx as nx
import polars as pl

from graph.build import social_of, tie_rows, ties_in_force, trust_of
from graph.features.exact import Frame, counted

GLOBAL: Final = ("relationships.core", "relationships.clustering", "relationships.trust")
TOLERANCE: Final = 1e-14  # of the mean, in each person: far below what is rounded away, so platforms agree
ITERATIONS: Final = 1_000


def ties(events: Frame) -> Frame:
    """Their own ties: one row per `person` with any. A vouch counts for whom it is for: nobody gains by giving it."""
    live = ties_in_force(events)
    forth = live.filter(nw.col("tie") != "vouch").select("tie", person="a", party="b")
    back = live.select("tie", person="b", party="a")
    both = nw.concat([forth, back])
    return both.group_by("person").agg(
        nw.col("party").n_unique().alias("relationships.degree"),
        counted(nw.col("tie") == "household").sum().alias("relationships.household"),
        counted(nw.col("tie") == "vouch").sum().alias("relationships.vouches"),
    )


def position(view: pl.DataFrame, levels: dict[str, int], asked: Collection[str]) -> pl.DataFrame:
    """`person` and the `GLOBAL` features of those `asked` for; `levels` has everybody's identity level.

    Needs the ties of the whole view. Cost: O(ties x (iterations + degree)).
    """
    live = tie_rows(view)
    layer = social_of(live)
    tied = [person for person in asked if person in layer]
    cores = nx.core_number(layer)
    around = nx.clustering(layer, tied)
    reach = trusted(trust_of(live), levels)
    rows = [
        (p, cores.get(p, 0), _scaled(around.get(p, 0.0), 1000), None if reach is None else reach.get(p, 0))
        for p in asked
    ]
    return pl.DataFrame(rows, schema={"person": pl.String, **dict.fromkeys(GLOBAL, pl.Int64)}, orient="row")


def trusted(layer: Any, levels: dict[str, int]) -> dict[str, int] | None:
    """Hundredths of an equal share that everyone of the layer is reached by; None when nobody there is verified.

    Personalised PageRank from the people of identity level 3, or from those of level 2 if there are none.
    """
    for wanted in (3, 2):
        seeds = {person: 1 for person in layer if levels.get(person, 0) >= wanted}
        if seeds:
            ranks = nx.pagerank(layer, personalization=seeds, weight="weight", tol=TOLERANCE, max_iter=ITERATIONS)
            return {person: _scaled(rank * len(layer), 100) for person, rank in ranks.items()}
    return None


def _scaled(value: float, scale: int) -> int:
    """Rounded to nine digits first: what is a half but for floating-point noise is then rounded up everywhere."""
    return int(round(value, 9) * scale + 0.5)
