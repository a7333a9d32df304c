"""A business that this project does not know: its kind of event has fields of its own, in the column `data`."""

import json
from datetime import datetime, timedelta
from random import Random
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from engine.lang.model.types import BOOL, DATE, STRING, Attribute, EventKind, Type
from graph.evidence.events import SCHEMA
from graph.features.declared.data_fields import with_data_fields
from tests.effort import by_effort
from tests.graph.features.declared.evaluators import by_duckdb, by_polars, by_reference
from tests.graph.features.declared.random_declarations import declared_definitions
from tests.graph.story import moment

AS_OF = moment("2026-01-01")
FIELDS = {
    "days_late": Type("int", low=0, high=10**6),
    "rating": Type("decimal", 1, low=0, high=50),
    "damage": Type("int", low=0, high=10**15),
    "damage_currency": STRING,
    "model": Type("enum", values=("city", "cargo")),
    "clean": BOOL,
    "until_day": DATE,
}
RETURNED = EventKind("rental.returned", "behaviour", {n: Attribute(n, t) for n, t in FIELDS.items()})
KINDS = {RETURNED.name: RETURNED}
DECLARATIONS = """
  - {id: rental.late_share, about: a, of: rental.returned, where: days_late > 0, window: 365d, measure: share}
  - {id: rental.rating, about: a, of: rental.returned, measure: mean, value: rating, digits: 2}
  - {id: rental.damage, about: a, of: rental.returned, measure: sum, value: damage, missing: zero}
  - {id: rental.worst, about: a, of: rental.returned, where: "model == 'cargo' and not clean", measure: min, value: rating}
  - {id: rental.last_day, about: a, of: rental.returned, measure: latest, value: until_day}
  - {id: rental.over, about: a, of: rental.returned, where: happened_on > until_day or missing(until_day), measure: count}
  - {id: rental.models, about: a, of: rental.returned, measure: distinct, value: model}
"""


def rental(at: datetime, days_late: int | None, person: str = "ann", **data: Any) -> dict[str, Any]:
    row = dict.fromkeys((*SCHEMA, "ended_at")) | {"kind": "rental.returned", "subject": person, "days_late": days_late}
    times = {"happened_at": at, "recorded_at": at}
    text = json.dumps(data, separators=(",", ":"), sort_keys=True) if data else None
    return {**row, **times, "contributor": "shop", "for_subject": True, "for_other": False, "data": text}


def computation(rows: list[dict[str, Any]]) -> tuple[Any, ...]:
    enrolled = [rental(AS_OF - timedelta(days=900), None, p) | {"kind": "person.enrolled"} for p in ("ann", "bob")]
    columns = {**SCHEMA, "ended_at": pl.Datetime("us", "UTC"), "for_subject": pl.Boolean, "for_other": pl.Boolean}
    view = pl.DataFrame([*enrolled, *rows], schema={**columns, "data": pl.String}, orient="row")
    consents = pl.DataFrame({"person": ["ann", "bob"], "data_class": ["behaviour", "behaviour"]})
    features = declared_definitions(DECLARATIONS, "UTC", KINDS)
    return with_data_fields(view, features), consents, features, AS_OF


def test_a_rental_business_counts_what_matters_to_it() -> None:
    rows = [
        rental(moment("2025-03-01"), 0, rating=45, model="city", clean=True, until_day="2025-03-01"),
        rental(moment("2025-04-01"), 2, rating=20, model="cargo", clean=False, until_day="2025-03-30"),
        rental(moment("2025-05-01"), 1, damage=1200, damage_currency="CNY"),
        rental(moment("2024-05-01"), 9, rating=30, model="cargo", clean=True, damage=300, damage_currency="CNY"),
    ]
    values = by_polars(*computation(rows)).row(0, named=True)
    assert values == {
        "person": "ann",
        "rental.late_share": 67,  # two of the three in 365 days
        "rental.rating": 317,  # (4.5 + 2.0 + 3.0) / 3 = 3.1666
        "rental.damage": 1500,
        "rental.worst": 20,
        "rental.last_day": 20_177,  # 2025-03-30, the day of the last event with a day
        "rental.over": 3,  # a day late, and two without a day
        "rental.models": 2,
    }
    assert by_polars(*computation(rows)).row(1, named=True)["rental.damage"] == 0


@settings(max_examples=by_effort(8, 500), deadline=None)
@given(st.integers(0, 2**32))
def test_the_evaluators_agree_on_fields_of_data(seed: int) -> None:
    chooser = Random(seed)
    rows = []
    for _ in range(chooser.randint(0, 12)):
        data = {
            "rating": chooser.choice([0, 5, 45, None]),
            "damage": chooser.choice([0, 1, 999, 10**15]),
            "damage_currency": chooser.choice(["CNY", "CNY", "CNY", "EUR"]),
            "model": chooser.choice(["city", "cargo"]),
            "clean": chooser.choice([True, False, None]),
            "until_day": chooser.choice(["2025-12-31", "2024-02-29", None]),
        }
        some = {k: v for k, v in data.items() if v is not None}
        at = (
            AS_OF
            - chooser.choice([0, 1, 365, 366]) * timedelta(days=1)
            + timedelta(microseconds=chooser.choice([0, -1]))
        )
        rows.append(rental(at, chooser.choice([0, 3, None]), chooser.choice(["ann", "bob"]), **some))
    assert_frame_equal(by_polars(*computation(rows)), by_reference(*computation(rows)))
    assert_frame_equal(by_duckdb(*computation(rows)), by_reference(*computation(rows)))
