"""Lineage: the events that made the value of a person's feature, and the value without each of them.

We compute the feature again without one event at a time, from the same excerpt of the ledger as a refresh. So the answer holds for
every feature of the person's own evidence, declared or not. A feature of the whole graph has no such answer.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import polars as pl

from api.evidence import excerpt
from api.features import refresh_rows, serving_features
from api.features.refresh_rows import GLOBAL_FEATURES
from api.releases.catalogue import definitions_of
from api.store.database import Database, reading
from engine.decide.evaluators import Evaluators
from engine.errors import Rejected
from engine.lang.model.program import Program
from engine.lang.model.types import Attribute, Value, format_value
from graph.features.declared.definition import distant_names

MAX_EVENTS: Final = 100  # newest first: each costs a computation of the feature


@dataclass(frozen=True)
class LineageEvent:
    """An event behind a value. `value_without`: the value if the event had not been recorded; None: missing then."""

    contributor: str
    event_id: str
    kind: str
    happened_at: datetime
    value_without: str | None


@dataclass(frozen=True)
class Lineage:
    """The value of a feature, as people write it (None: missing), and the events without which it would be another.

    We examined `examined` of the `visible` events, newest first.
    """

    feature: str
    value: str | None
    as_of: datetime
    events: tuple[LineageEvent, ...]
    examined: int
    visible: int


def lineage(database: Database, evaluators: Evaluators, person: str, feature: str, now: datetime) -> Lineage:
    """Find the events behind a feature of a person.

    Raises Rejected: `unknown_feature`, `no_lineage` for a feature of the whole graph, and as
    `serving_features.serving_features_of`.
    """
    served = serving_features.serving_features_of(database, evaluators.release, person, now)
    build = served.row_build
    program = refresh_rows.declaring_program(evaluators, build)
    attribute = _attribute(program, feature)
    with reading(database) as connection:
        events = excerpt.of_people(connection, [person]).drop("seq")
    person = refresh_rows.linked_of(evaluators, build, events).get(person, person)

    def value_of(rows: pl.DataFrame) -> Value | None:
        view, consents = refresh_rows.view_of(evaluators, build, rows)
        values = refresh_rows.local_values(evaluators, build, view, consents, [person], {feature})
        return values[feature].to_list()[0] if values.height else None

    counting = _counting_events(refresh_rows.view_of(evaluators, build, events)[0], person)
    if not attribute.classes <= served.classes:  # the value is missing, whatever the events say
        return Lineage(feature, None, build.as_of, (), 0, counting.height)
    value, examined = value_of(events), counting.head(MAX_EVENTS)
    behind = tuple(_events_behind(events, examined, value, value_of, attribute))
    return Lineage(feature, _text(value, attribute), build.as_of, behind, examined.height, counting.height)


def _attribute(program: Program, feature: str) -> Attribute:
    attribute = program.schema.get(feature)
    if attribute is None or feature in {pattern.flag for pattern in program.watch}:
        hint = "see docs/features.md, or features.yaml of the rules"
        name = (
            f" `{feature[:60]}`" if all(part.isidentifier() for part in feature.split(".")) else ""
        )  # no forged text in our answer
        raise Rejected(f"unknown feature{name}", where="feature", hint=hint, code="unknown_feature")
    if feature in GLOBAL_FEATURES or feature in distant_names(definitions_of(program)):
        hint = "ask for a feature of the person's own evidence"
        message = f"`{feature}` comes from the evidence of many people"
        raise Rejected(message, where="feature", hint=hint, code="no_lineage")
    return attribute


def _counting_events(view: pl.DataFrame, person: str) -> pl.DataFrame:
    """The events that count for the person, newest first."""
    is_subject = (pl.col("subject") == person) & pl.col("for_subject")
    is_other = (pl.col("other") == person).fill_null(False) & pl.col("for_other")
    return view.filter(is_subject | is_other).sort("happened_at", descending=True, maintain_order=True)


def _events_behind(
    events: pl.DataFrame,
    examined: pl.DataFrame,
    value: Value | None,
    value_of: Callable[[pl.DataFrame], Value | None],
    attribute: Attribute,
) -> Iterator[LineageEvent]:
    columns = ("contributor", "event_id", "kind", "happened_at")
    for contributor, event_id, kind, happened_at in examined.select(columns).iter_rows():
        is_event = (pl.col("contributor") == contributor) & (pl.col("event_id") == event_id)
        without = value_of(events.filter(~is_event))
        if without != value:
            yield LineageEvent(contributor, event_id, kind, happened_at, _text(without, attribute))


def _text(value: Value | None, attribute: Attribute) -> str | None:
    return None if value is None else format_value(value, attribute.type)
