"""How far a region of made-up people gets: Facebook with a copied sybil region, tied to real people by more and more attack edges.

Two questions. How well do the trust features tell the sybils from the real? And how many points of score do all sybils
together win through relationships, for each attack edge that somebody real was talked into? Everything is as it is
served: the features of the catalogue, rounded and cut as they are, and the points of the scorecard in force.

Attack edges are drawn at random, between a real and a made-up person, as the papers do. Nothing is fitted to the labels.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from rich.table import Table

from api.evaluate.figures import PURPOSE, SEED, Part, table_of
from api.evaluate.workers import Progress
from engine import metrics
from engine.lang.program import Characteristic, Program
from graph.events import conform
from graph.features import features
from graph.ranges import Ints
from graph.sources import facebook_sybil as source

AS_IT_STANDS: Final = 100  # attack edges
NUMBERS: Final = (0, AS_IT_STANDS, 1_000, 10_000, 100_000)
# Attack edges, and whether the sybils vouch for each other.
WORLDS: Final = (*((edges, False) for edges in NUMBERS), (0, True), (AS_IT_STANDS, True))
TRUST: Final = ("relationships.trust", "relationships.walk")
THROUGH: Final = "relationships"  # the dimension whose points are counted
VOUCHERS: Final = 5  # sybils who vouch for each sybil, where they do
STRONGEST: Final = 10
PUBLISHED: Final = (("SybilRank", 0.99), ("SybilBelief", 1.00), ("SybilSCAR", 1.00))  # AUC at 100 attack edges

World = tuple[int, bool]


@dataclass(frozen=True)
class Points:
    """What the sybils get through relationships: `total` of each item of the scorecard, by its id, over all sybils."""

    sybils: int
    total: Mapping[str, int]
    most: int  # of one sybil
    real_mean: float  # of the real people

    @property
    def all(self) -> int:
        """Of all items."""
        return sum(self.total.values())


@dataclass(frozen=True)
class Attack:
    """One world: so many attack edges, whether the sybils vouch for each other, and what came of it."""

    edges: int
    vouching: bool
    auc: Mapping[str, float | None]  # by feature, on the test ids; None where it is missing
    points: Points


@dataclass(frozen=True)
class Evaluation:
    """What came out, under one release."""

    release: str
    real: int
    sybils: int
    attacks: tuple[Attack, ...]

    def without(self, attack: Attack) -> Attack:
        """The same world without attack edges."""
        return next(a for a in self.attacks if a.vouching == attack.vouching and not a.edges)

    def won(self, attack: Attack) -> Mapping[str, float]:
        """The points that all sybils win by each attack edge, by item."""
        before = self.without(attack).points.total
        return {item: (points - before[item]) / attack.edges for item, points in attack.points.total.items()}


def measured(folder: Path, program: Program, *, on_progress: Progress | None = None) -> Evaluation:
    """The sybils of the data set in `folder` under the scorecard of `program`. The same every time.

    Raises SourceError for a data set that is not as published. Cost: everyone's features for each world.
    """
    return against(source.ties(folder), source.labels(folder), program, on_progress=on_progress)


def against(
    ties: pl.DataFrame,
    labels: pl.DataFrame,
    program: Program,
    worlds: Sequence[World] = WORLDS,
    *,
    on_progress: Progress | None = None,
) -> Evaluation:
    """`measured`, of any `ties` (`a`, `b`) among any people of `labels` (`person`, `sybil`, `part`), in such `worlds`."""
    tell = on_progress or (lambda _done, _total: None)
    done: list[Attack] = []
    for edges, vouching in worlds:
        tell(len(done), len(worlds))
        told = source.events_of(attacked(ties, labels, edges), labels)
        events = pl.concat([told, vouched(labels)]) if vouching else told
        done.append(_attack(events, labels, program, edges, vouching))
    sybils = int(labels["sybil"].sum())
    return Evaluation(program.release, labels.height - sybils, sybils, tuple(done))


def attacked(ties: pl.DataFrame, labels: pl.DataFrame, edges: int) -> pl.DataFrame:
    """The ties with exactly so many between real people and sybils: those there are, the first of them, or more drawn at random.

    More edges hold all of fewer. Nobody is drawn twice with the same person. Raises ValueError where there are not so many pairs.
    """
    sybil = labels.filter("sybil")["person"]
    crossing = pl.col("a").is_in(sybil.implode()) != pl.col("b").is_in(sybil.implode())
    within, across = ties.filter(~crossing), ties.filter(crossing)
    real = labels.filter(~pl.col("sybil"))["person"]
    if edges > len(real) * len(sybil):
        raise ValueError(f"{edges} attack edges, but only {len(real) * len(sybil)} pairs")
    drawn = np.random.default_rng(SEED).permutation(len(real) * len(sybil))[: edges + across.height]
    more = pl.DataFrame({"a": real.gather(drawn // len(sybil)), "b": sybil.gather(drawn % len(sybil))})
    new = more.join(across, on=["a", "b"], how="anti", maintain_order="left")
    return pl.concat([within, pl.concat([across, new]).head(edges)])


def vouched(labels: pl.DataFrame) -> pl.DataFrame:
    """What a sybil region can say of itself: for each sybil the next five vouch, as strongly as can be; each shares a household.

    They stand in a circle; the second of each two is of the first's household.
    """
    sybils = labels.filter("sybil")["person"]
    at = np.arange(len(sybils))
    vouches = [
        _said(sybils, (at + step) % len(sybils), at, "vouch", STRONGEST)
        for step in range(1, min(VOUCHERS, len(sybils) - 1) + 1)
    ]
    home = _said(sybils, at[: len(at) // 2 * 2 : 2], at[1::2], "household", None)
    return pl.concat([*vouches, home])


def shown(found: Evaluation) -> Iterator[Part]:
    """What a terminal of 80 columns shows of it: how well they are told, what they get and win, and what it means."""
    yield f"{found.real:,} real people, {found.sybils:,} sybils; release {found.release[:12]}"
    yield _auc_table(found)
    published = ", ".join(f"{name} {auc:.2f}" for name, auc in PUBLISHED)
    yield f"Published AUC at {AS_IT_STANDS}: {published}"
    yield "(SybilSCAR, INFOCOM 2017). SybilRank is the walk; the others know sybils too."
    yield _points_table(found)
    yield _won_table(found)
    yield from _meaning(found)


def _attack(events: pl.DataFrame, labels: pl.DataFrame, program: Program, edges: int, vouching: bool) -> Attack:
    now = source.TOLD_AT
    read = {*TRUST, *(i.feature for i in _characteristics(program))}
    known = features(events.with_columns(recorded_at="happened_at"), now, now, PURPOSE, wanted=read)
    people = labels.join(known, on="person", how="left", maintain_order="left")
    test = people.filter(pl.col("part") == "test")
    return Attack(edges, vouching, {name: _auc(test, name) for name in TRUST}, _points(people, program))


def _auc(test: pl.DataFrame, feature: str) -> float | None:
    known = metrics.sample(test[feature], test["sybil"])
    return metrics.auc(known.scores, known.bad) if known.scores.size == test.height else None


def _characteristics(program: Program) -> list[Characteristic]:
    """Those of the dimension; its rules, if any, say yes or no to more than one feature and are not counted."""
    items = program.scorecard.items
    return [i for i in items if i.dimension == THROUGH and isinstance(i, Characteristic)]


def _points(people: pl.DataFrame, program: Program) -> Points:
    """The points that each person's features give, as the scorecard has them, whether or not there is a score in the end."""
    items = _characteristics(program)
    given = people.select("sybil", *(_given(people[i.feature], i) for i in items))
    made_up, real = (given.filter(pl.col("sybil") == which).drop("sybil") for which in (True, False))
    total = {item: int(made_up[item].sum()) for item in made_up.columns}
    most, mean = made_up.sum_horizontal().max(), real.sum_horizontal().mean()
    return Points(made_up.height, total, int(str(most or 0)), float(str(mean or 0)))


def _given(values: pl.Series, item: Characteristic) -> pl.Series:
    """A feature's points: those of its bin, or for missing."""
    which = np.searchsorted(item.cuts, values.fill_null(0).to_numpy(), side="right")
    found = pl.Series(item.id, np.array(item.points)[which])
    return found.set(values.is_null(), item.missing)


def _said(sybils: pl.Series, by: Ints, of: Ints, tie: str, strength: int | None) -> pl.DataFrame:
    told = pl.DataFrame({"subject": sybils.gather(by), "other": sybils.gather(of)})
    return conform(
        told.with_columns(
            contributor=pl.lit(source.CONTRIBUTOR),
            event_id=pl.format("{}-{}-{}", pl.lit(tie), "subject", "other"),
            kind=pl.lit("tie.formed"),
            happened_at=pl.lit(source.TOLD_AT),
            tie=pl.lit(tie),
            strength=pl.lit(strength, pl.Int64),
        )
    )


def _world(attack: Attack) -> str:
    return (f"{attack.edges:,}" if attack.edges else "none") + (" *" if attack.vouching else "")


def _auc_table(found: Evaluation) -> Table:
    table = table_of("How well the sybils are told from the real (AUC, test ids)", ("attack edges", *TRUST))
    for attack in found.attacks:
        if attack.edges:
            figures = (attack.auc[name] for name in TRUST)
            table.add_row(_world(attack), *("-" if auc is None else f"{auc:.3f}" for auc in figures))
    return table


def _points_table(found: Evaluation) -> Table:
    items = list(found.attacks[0].points.total)
    table = table_of(
        "Points of a sybil through relationships: mean, and the most", ("attack edges", *items, "all", "most")
    )
    for attack in found.attacks:
        points = attack.points
        means = (total / points.sybils for total in (*points.total.values(), points.all))
        table.add_row(_world(attack), *(f"{mean:.2f}" for mean in means), str(points.most))
    return table


def _won_table(found: Evaluation) -> Table:
    items = list(found.attacks[0].points.total)
    table = table_of("Points that all sybils together win by each attack edge", ("attack edges", *items, "all"))
    for attack in found.attacks:
        if attack.edges:
            won = found.won(attack)
            table.add_row(_world(attack), *(f"{points:.2f}" for points in (*won.values(), sum(won.values()))))
    return table


def _meaning(found: Evaluation) -> Iterator[str]:
    free, made_up = (a.points for a in found.attacks if not a.edges)
    dearest = max(sum(found.won(a).values()) for a in found.attacks if a.edges)
    real = ", ".join(f"{a.points.real_mean:.1f}" for a in found.attacks if not a.vouching)
    yield f"* each sybil is vouched for by {VOUCHERS} others, and shares a household with another."
    yield f"The real people have on average {real} points."
    yield f"Free, by ties among themselves, are {free.all / free.sybils:.1f} points a sybil, and {made_up.all / made_up.sybils:.1f} with vouches"
    yield f"and households. The rest costs attack edges: each wins the region at most {dearest:.2f}"
    yield f"points on average, to be shared by {found.sybils:,} sybils."
