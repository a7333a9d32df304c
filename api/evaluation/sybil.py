"""Evaluate resistance to sybil attacks: Facebook with a copied sybil region, and a growing number of attack edges.

We answer two questions. How well do the trust features distinguish sybils from real people? How many score points do all
sybils together gain through relationships, per attack edge to a real person? We use everything as we serve it: the features
of the catalogue with their rounding, and the cuts and points of the scorecard in force.

As in the papers, we draw attack edges at random between a real person and a sybil. We fit nothing to the labels.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from rich.table import Table

from api.evaluation.figures import PURPOSE, SEED, Part, table_of
from api.evaluation.workers import Progress
from api.releases.catalogue import definitions_of
from engine.lang.model.program import Characteristic, Program
from engine.verify import metrics
from graph.algorithms.ranges import Ints
from graph.datasets import facebook_sybil as source
from graph.evidence.events import conform
from graph.features.pipeline import features

REFERENCE_EDGES: Final = 100  # attack edges
EDGE_COUNTS: Final = (0, REFERENCE_EDGES, 1_000, 10_000, 100_000)
# The number of attack edges, and whether the sybils vouch for each other.
SCENARIOS: Final = (*((edges, False) for edges in EDGE_COUNTS), (0, True), (REFERENCE_EDGES, True))
TRUST_FEATURES: Final = ("relationships.trust", "relationships.walk_trust")
DIMENSION: Final = "relationships"  # we count the points of this dimension
VOUCHERS_PER_SYBIL: Final = 5  # in scenarios with vouching
MAX_STRENGTH: Final = 10
PUBLISHED_AUCS: Final = (("SybilRank", 0.99), ("SybilBelief", 1.00), ("SybilSCAR", 1.00))  # AUC at 100 attack edges

Scenario = tuple[int, bool]


@dataclass(frozen=True)
class Points:
    """The points that sybils get through relationships. `total`: the sum over all sybils, by the id of the scorecard's item."""

    sybils: int
    total: Mapping[str, int]
    max_points: int  # the maximum of one sybil
    real_mean: float  # mean of the real people

    @property
    def all(self) -> int:
        """The sum over all items."""
        return sum(self.total.values())


@dataclass(frozen=True)
class SybilAttack:
    """The result of one scenario: the number of attack edges, and whether the sybils vouch for each other."""

    edges: int
    vouching: bool
    auc: Mapping[str, float | None]  # by feature, on the test ids; None if a value is missing
    points: Points


@dataclass(frozen=True)
class SybilEvaluation:
    """The results under one release."""

    release: str
    real: int
    sybils: int
    attacks: tuple[SybilAttack, ...]

    def without_edges(self, attack: SybilAttack) -> SybilAttack:
        """The same scenario without attack edges."""
        return next(a for a in self.attacks if a.vouching == attack.vouching and not a.edges)

    def points_per_edge(self, attack: SybilAttack) -> Mapping[str, float]:
        """The points that all sybils together gain per attack edge, by item."""
        before = self.without_edges(attack).points.total
        return {item: (points - before[item]) / attack.edges for item, points in attack.points.total.items()}


def evaluate_folder(folder: Path, program: Program, *, on_progress: Progress | None = None) -> SybilEvaluation:
    """Evaluate the data set in `folder` under the scorecard of `program`. Deterministic.

    Raises SourceError if the data set differs from the published one. Cost: everyone's features for each scenario.
    """
    return evaluate(source.ties(folder), source.labels(folder), program, on_progress=on_progress)


def evaluate(
    ties: pl.DataFrame,
    labels: pl.DataFrame,
    program: Program,
    scenarios: Sequence[Scenario] = SCENARIOS,
    *,
    on_progress: Progress | None = None,
) -> SybilEvaluation:
    """Evaluate `ties` (`a`, `b`) among the people of `labels` (`person`, `sybil`, `part`) in each scenario."""
    report_progress = on_progress or (lambda _completed, _total: None)
    attacks: list[SybilAttack] = []
    for edges, vouching in scenarios:
        report_progress(len(attacks), len(scenarios))
        tie_events = source.events_of(attack_ties(ties, labels, edges), labels)
        events = pl.concat([tie_events, vouch_events(labels)]) if vouching else tie_events
        attacks.append(_attack(events, labels, program, edges, vouching))
    sybils = int(labels["sybil"].sum())
    return SybilEvaluation(program.release, labels.height - sybils, sybils, tuple(attacks))


def attack_ties(ties: pl.DataFrame, labels: pl.DataFrame, edges: int) -> pl.DataFrame:
    """The ties with exactly `edges` between real people and sybils: we keep the first ones, and draw more at random if needed.

    A larger number of edges includes all edges of a smaller number. We draw no pair twice. Raises ValueError if there are
    fewer pairs than `edges`.
    """
    sybil = labels.filter("sybil")["person"]
    crossing = pl.col("a").is_in(sybil.implode()) != pl.col("b").is_in(sybil.implode())
    within, across = ties.filter(~crossing), ties.filter(crossing)
    real = labels.filter(~pl.col("sybil"))["person"]
    if edges > len(real) * len(sybil):
        raise ValueError(f"{edges} attack edges, but only {len(real) * len(sybil)} pairs")
    draws = np.random.default_rng(SEED).permutation(len(real) * len(sybil))[: edges + across.height]
    drawn_ties = pl.DataFrame({"a": real.gather(draws // len(sybil)), "b": sybil.gather(draws % len(sybil))})
    new_ties = drawn_ties.join(across, on=["a", "b"], how="anti", maintain_order="left")
    return pl.concat([within, pl.concat([across, new_ties]).head(edges)])


def vouch_events(labels: pl.DataFrame) -> pl.DataFrame:
    """The ties that a sybil region can claim: five sybils vouch for each sybil with maximum strength, and each shares a household.

    We arrange the sybils in a circle: the next five vouch for each one, and each two neighbours form a household.
    """
    sybils = labels.filter("sybil")["person"]
    positions = np.arange(len(sybils))
    vouches = [
        _tie_events(sybils, (positions + step) % len(sybils), positions, "vouch", MAX_STRENGTH)
        for step in range(1, min(VOUCHERS_PER_SYBIL, len(sybils) - 1) + 1)
    ]
    home = _tie_events(sybils, positions[: len(positions) // 2 * 2 : 2], positions[1::2], "household", None)
    return pl.concat([*vouches, home])


def report_parts(evaluation: SybilEvaluation) -> Iterator[Part]:
    """Format the results for a terminal of 80 columns: AUC, points, points gained per edge, and their meaning."""
    yield f"{evaluation.real:,} real people, {evaluation.sybils:,} sybils; release {evaluation.release[:12]}"
    yield _auc_table(evaluation)
    published = ", ".join(f"{name} {auc:.2f}" for name, auc in PUBLISHED_AUCS)
    yield f"Published AUC at {REFERENCE_EDGES}: {published}"
    yield "(SybilSCAR, INFOCOM 2017). SybilRank is the walk; the others know sybils too."
    yield _points_table(evaluation)
    yield _won_table(evaluation)
    yield from _meaning(evaluation)


def _attack(events: pl.DataFrame, labels: pl.DataFrame, program: Program, edges: int, vouching: bool) -> SybilAttack:
    now = source.EVENT_TIME
    feature_names = {*TRUST_FEATURES, *(i.feature for i in _characteristics(program))}
    feature_rows = features(
        events.with_columns(recorded_at="happened_at"),
        now,
        now,
        PURPOSE,
        feature_names=feature_names,
        definitions=definitions_of(program),
    )
    people = labels.join(feature_rows, on="person", how="left", maintain_order="left")
    test = people.filter(pl.col("part") == "test")
    return SybilAttack(edges, vouching, {name: _auc(test, name) for name in TRUST_FEATURES}, _points(people, program))


def _auc(test: pl.DataFrame, feature: str) -> float | None:
    sample = metrics.sample(test[feature], test["sybil"])
    return metrics.auc(sample.scores, sample.bad) if sample.scores.size == test.height else None


def _characteristics(program: Program) -> list[Characteristic]:
    """The characteristics of the dimension. We do not count its rules, since they can combine several features."""
    items = program.scorecard.items
    return [i for i in items if i.dimension == DIMENSION and isinstance(i, Characteristic)]


def _points(people: pl.DataFrame, program: Program) -> Points:
    """The points of each person's features by the scorecard, with or without a final score."""
    items = _characteristics(program)
    points = people.select("sybil", *(_item_points(people[i.feature], i) for i in items))
    sybil_points, real_points = (points.filter(pl.col("sybil") == is_sybil).drop("sybil") for is_sybil in (True, False))
    total = {item: int(sybil_points[item].sum()) for item in sybil_points.columns}
    max_points, mean = sybil_points.sum_horizontal().max(), real_points.sum_horizontal().mean()
    return Points(sybil_points.height, total, int(str(max_points or 0)), float(str(mean or 0)))


def _item_points(values: pl.Series, item: Characteristic) -> pl.Series:
    """The points of a feature: those of the value's bin, or those for a missing value."""
    bins = np.searchsorted(item.cuts, values.fill_null(0).to_numpy(), side="right")
    points = pl.Series(item.id, np.array(item.points)[bins])
    return points.set(values.is_null(), item.missing)


def _tie_events(sybils: pl.Series, by: Ints, of: Ints, tie: str, strength: int | None) -> pl.DataFrame:
    tie_rows = pl.DataFrame({"subject": sybils.gather(by), "other": sybils.gather(of)})
    return conform(
        tie_rows.with_columns(
            contributor=pl.lit(source.CONTRIBUTOR),
            event_id=pl.format("{}-{}-{}", pl.lit(tie), "subject", "other"),
            kind=pl.lit("tie.formed"),
            happened_at=pl.lit(source.EVENT_TIME),
            tie=pl.lit(tie),
            strength=pl.lit(strength, pl.Int64),
        )
    )


def _scenario_name(attack: SybilAttack) -> str:
    return (f"{attack.edges:,}" if attack.edges else "none") + (" *" if attack.vouching else "")


def _auc_table(evaluation: SybilEvaluation) -> Table:
    table = table_of("How well the sybils are told from the real (AUC, test ids)", ("attack edges", *TRUST_FEATURES))
    for attack in evaluation.attacks:
        if attack.edges:
            figures = (attack.auc[name] for name in TRUST_FEATURES)
            table.add_row(_scenario_name(attack), *("-" if auc is None else f"{auc:.3f}" for auc in figures))
    return table


def _points_table(evaluation: SybilEvaluation) -> Table:
    items = list(evaluation.attacks[0].points.total)
    table = table_of(
        "Points of a sybil through relationships: mean, and the most", ("attack edges", *items, "all", "most")
    )
    for attack in evaluation.attacks:
        points = attack.points
        means = (total / points.sybils for total in (*points.total.values(), points.all))
        table.add_row(_scenario_name(attack), *(f"{mean:.2f}" for mean in means), str(points.max_points))
    return table


def _won_table(evaluation: SybilEvaluation) -> Table:
    items = list(evaluation.attacks[0].points.total)
    table = table_of("Points that all sybils together win by each attack edge", ("attack edges", *items, "all"))
    for attack in evaluation.attacks:
        if attack.edges:
            points_won = evaluation.points_per_edge(attack)
            table.add_row(
                _scenario_name(attack),
                *(f"{points:.2f}" for points in (*points_won.values(), sum(points_won.values()))),
            )
    return table


def _meaning(evaluation: SybilEvaluation) -> Iterator[str]:
    free_points, vouched_points = (a.points for a in evaluation.attacks if not a.edges)
    max_points = max(sum(evaluation.points_per_edge(a).values()) for a in evaluation.attacks if a.edges)
    real = ", ".join(f"{a.points.real_mean:.1f}" for a in evaluation.attacks if not a.vouching)
    yield f"* each sybil is vouched for by {VOUCHERS_PER_SYBIL} others, and shares a household with another."
    yield f"The real people have on average {real} points."
    yield f"Free, by ties among themselves, are {free_points.all / free_points.sybils:.1f} points a sybil, and {vouched_points.all / vouched_points.sybils:.1f} with vouches"
    yield f"and households. The rest costs attack edges: each wins the region at most {max_points:.2f}"
    yield f"points on average, to be shared by {evaluation.sybils:,} sybils."
