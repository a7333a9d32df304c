"""Every feature of everyone on Spark: sums and counts by the same Narwhals expressions, graphs on the driver from numbers."""

from collections.abc import Sequence
from typing import Literal

import narwhals as nw
import polars as pl

from graph.features.declared.columns import declared_columns
from graph.features.declared.definition import FeatureDefinition, MeasuredField
from graph.features.declared.net_values import net_column
from graph.features.definitions import rings as ring_features
from graph.features.integer_math import Frame
from graph.features.pipeline import local_expressions
from graph.network.build import tie_ratings
from graph.spark import fixed_points
from graph.spark.dialect import exact_frame
from graph.spark.graph_part import (
    GRAPH_NAMES,
    GraphFeatures,
    enrolled_rows,
    is_empty,
    lending,
    ring_counts,
    ring_payments,
    social_features,
    tied_levels,
    verified_seeds,
    with_graph_features,
)
from graph.spark.numbering import NUMBER, Store, numbered_people, with_numbers
from graph.spark.partitions import small_frame
from graph.spark.view import LINKED_SCHEMA, SparkView, ViewQuestion

GraphPlace = Literal["driver", "cluster"]
TRUST = "relationships.trust"


def features_on_spark(
    view: SparkView,
    question: ViewQuestion,
    definitions: Sequence[FeatureDefinition],
    names: Sequence[str],
    store: Store,
    graph: GraphPlace = "driver",
) -> Frame:
    """Return `person` and the features in `names`, one row for each person enrolled in the view and for each linked id.

    `graph`: where the features of whole graphs are computed. On the `cluster`, by repeated joins, there is trust alone, and the others are
    missing. `store` computes a frame of Spark and returns it stored: we call it between parts, because one plan of all of them would
    take Spark longer to plan than to run.
    """
    rows = exact_frame(store("view", view.rows.to_native()))
    consents = exact_frame(store("consents", view.consents.to_native()))
    ties = exact_frame(store("ties", tie_ratings(rows).to_native()))
    live = ties.filter(nw.col("strength") > 0)
    local = _local(rows, consents, live, question)
    local = exact_frame(store("local", local.to_native()))
    declared = exact_frame(store("declared", _declared(rows, consents, live, question, definitions).to_native()))
    table = local.join(declared, on="person", how="left", suffix=" declared")
    replaced = [d.name for d in definitions if d.name in local.collect_schema().names()]
    table = table.with_columns(nw.col(f"{name} declared").alias(name) for name in replaced) if replaced else table
    graph_table, absent = (
        _graph(rows, ties, question, store) if graph == "driver" else _graph_by_joins(rows, ties, store)
    )
    table = with_graph_features(table, graph_table, consents, absent)
    return _with_linked_ids(table.select("person", *names), view.linked)


def _local(rows: Frame, consents: Frame, live: Frame, question: ViewQuestion) -> Frame:
    reversals = tuple(k.name for k in question.vocabulary.kinds if k.reverses == ring_features.PAYMENT_KIND)
    net = rows
    if reversals:
        amount = MeasuredField("amount", currency="currency", less=reversals)
        net = net_column(rows, (ring_features.PAYMENT_KIND,), amount).with_columns(amount=nw.col(amount.column))
    return local_expressions(net, consents, question.as_of, None, live, question.zone, question.vocabulary)


def _declared(
    rows: Frame, consents: Frame, live: Frame, question: ViewQuestion, definitions: Sequence[FeatureDefinition]
) -> Frame:
    table = declared_columns(rows, consents, definitions, question.as_of, None, live, question.zone)
    features = [nw.col(f"f{n}").alias(d.name) for n, d in enumerate(definitions) if not d.is_internal]
    return table.select("person", *features)


def _graph(rows: Frame, ties: Frame, question: ViewQuestion, store: Store) -> tuple[Frame, dict[str, int | None]]:
    """The features of `GRAPH_NAMES` by `person`, of those who have any, and of the others."""
    payments, hubs = ring_payments(rows, question.as_of, question.zone)
    payments, hubs = (exact_frame(store(n, f.to_native())) for n, f in (("flows", payments), ("hubs", hubs)))
    ends = [ties.select(person="a"), ties.select(person="b"), hubs.select("person")]
    ends += [payments.select(person="subject"), payments.select(person="other")]
    numbers = numbered_people(nw.concat(ends), store)
    social = social_features(ties, enrolled_rows(rows), numbers)
    counts = ring_counts(payments, hubs, numbers)
    complete = _combined(social, counts)
    by_person = (
        small_frame(rows, complete.rename({"person": NUMBER})).join(numbers, on=NUMBER, how="inner").drop(NUMBER)
    )
    stored = exact_frame(store("graph", by_person.to_native()))
    return stored.with_columns(_has_graph=nw.lit(1)), {**social.absent, ring_features.NAMES[0]: 0}


def _graph_by_joins(rows: Frame, ties: Frame, store: Store) -> tuple[Frame, dict[str, int | None]]:
    """The trust of each `person` with ties, by joins on the cluster; the other features of `GRAPH_NAMES` are missing."""

    def keep(name: str, frame: Frame) -> Frame:
        return exact_frame(store(name, frame.to_native()))

    live = ties.filter(nw.col("strength") > 0)
    numbers = numbered_people(nw.concat([live.select(person="a"), live.select(person="b")]), store)
    edges = keep("edges", lending(with_numbers(live.select("a", "b", "strength", "tie"), numbers, "a", "b")))
    levels = keep("levels", with_numbers(tied_levels(enrolled_rows(rows), live), numbers, "person"))
    seeds = next((s for s in verified_seeds(levels) if not is_empty(s)), levels.filter(nw.col("person") < 0))
    has_seeds = not is_empty(seeds)
    values = fixed_points.trust(edges, seeds.select(node="person"), keep, fixed_points.ROUNDS)
    by_person = values.join(numbers.select("person", node=NUMBER), on="node", how="inner")
    missing = {name: None for name in GRAPH_NAMES if name != TRUST}
    columns = [nw.lit(None, nw.Int64()).alias(name) for name in missing]
    table = keep("graph", by_person.select("person", nw.col("trust").alias(TRUST), *columns))
    return table.with_columns(_has_graph=nw.lit(1)), {**missing, TRUST: 0 if has_seeds else None}


def _combined(social: GraphFeatures, counts: pl.DataFrame) -> pl.DataFrame:
    """Both tables as one: a person whom one of them lacks has what it says of people absent."""
    people = pl.concat([social.table["person"], counts["person"]]).unique().to_frame()
    rows = people.join(social.table.with_columns(is_social=True), on="person", how="left")
    rows = rows.join(counts.with_columns(is_ring=True), on="person", how="left")
    absent = [
        pl.when("is_social").then(pl.col(name)).otherwise(pl.lit(value, pl.Int64)).alias(name)
        for name, value in social.absent.items()
    ]
    name = ring_features.NAMES[0]
    ring = pl.when("is_ring").then(pl.col(name)).otherwise(pl.lit(0, pl.Int64)).alias(name)
    return rows.with_columns(*absent, ring).select("person", *(pl.col(n).cast(pl.Int64) for n in GRAPH_NAMES))


def _with_linked_ids(table: Frame, linked: dict[str, str]) -> Frame:
    """A row for each linked id instead of one for each person, as on one machine."""
    if not linked:
        return table
    pairs = small_frame(table, pl.DataFrame(list(linked.items()), schema=LINKED_SCHEMA, orient="row"))
    joined = table.join(pairs, on="person", how="left")
    return joined.with_columns(person=nw.coalesce(nw.col("id"), nw.col("person"))).drop("id")
