"""What the answer to a dispute does to the person's numbers: with the item out of the score, and with the item counted.

We compute the person's row twice from the same excerpt of the ledger as a refresh, without and with the item. Cost: twice a refresh of
one person. Features of the whole network follow at the next build: a disputed tie withholds them meanwhile, with either answer.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from api.evidence.ledger import SYSTEM_CONTRIBUTOR
from api.features import refresh_rows, serving_features
from api.people import disputes
from api.runtime.context import AppContext
from api.store.database import reading
from engine.lang.model.types import Attribute, Value, format_value


@dataclass(frozen=True)
class FeatureChange:
    """A feature that the answer changes: its value with the item out, and with the item counted, as people write them."""

    feature: str
    item_out: str | None
    item_counted: str | None


@dataclass(frozen=True)
class DisputeEffect:
    """The score, the band and the features with the item out, as while the dispute waits, and with the item counted."""

    as_of: datetime
    score_out: int | None
    band_out: str | None
    score_counted: int | None
    band_counted: str | None
    features: tuple[FeatureChange, ...]


def dispute_effect(context: AppContext, name: str, now: datetime) -> DisputeEffect:
    """Compute what the answer to a dispute changes.

    Raises Rejected: `unknown_dispute`, and as `serving_features.serving_features_of`.
    """
    database, evaluators = context.database, context.evaluators
    person = disputes.find_dispute(database, name)["subject"]
    served = serving_features.serving_features_of(database, context.release, person, now)
    program, build = refresh_rows.declaring_program(evaluators, served.row_build), served.row_build
    with reading(database) as connection:
        start = refresh_rows.window_start(evaluators, build)
        inputs = refresh_rows.refresh_inputs(connection, program, build, [person], start)

    def row_without(*kinds: str) -> tuple[dict[str, Value | None], int | None, str | None]:
        """The features, the score and the band without these statements of the dispute."""
        names = [f"{kind}-{name}" for kind in kinds]
        is_statement = (pl.col("contributor") == SYSTEM_CONTRIBUTOR) & pl.col("event_id").is_in(names)
        events = inputs.events.filter(~is_statement)
        rest = refresh_rows.RefreshInputs(inputs.people, events, inputs.global_values)
        return _row_of(refresh_rows.compute_rows(evaluators, build, rest, ()), person)

    values_out, score_out, band_out = row_without("dispute.resolved")
    values_counted, score_counted, band_counted = row_without("dispute.opened", "dispute.resolved")
    usable = {name: one for name, one in program.schema.items() if one.classes <= served.classes}
    changes = tuple(_changes(usable, values_out, values_counted))
    return DisputeEffect(build.as_of, score_out, band_out, score_counted, band_counted, changes)


def _row_of(rows: refresh_rows.PersonRows, person: str) -> tuple[dict[str, Value | None], int | None, str | None]:
    features = rows.features.filter(pl.col("person") == person)
    scores = rows.scores.filter(pl.col("person") == person)
    values: dict[str, Any] = json.loads(features["values"][0]) if features.height else {}
    score, band = scores.select("score", "band").row(0) if scores.height else (None, None)
    return values, score, band


def _changes(
    attributes: dict[str, Attribute], values_out: dict[str, Value | None], values_counted: dict[str, Value | None]
) -> Iterator[FeatureChange]:
    for name, attribute in attributes.items():
        if values_out.get(name) != values_counted.get(name):
            yield FeatureChange(
                name, _text(values_out.get(name), attribute), _text(values_counted.get(name), attribute)
            )


def _text(value: Value | None, attribute: Attribute) -> str | None:
    return None if value is None else format_value(value, attribute.type)
