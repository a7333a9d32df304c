"""From events to the visible ones, and to the features of people.

Events are a Polars frame, or mappings with the fields of docs/events.md: `contributor`, `event_id`, `kind`, `subject`,
`happened_at`, and those of the kind. Where `recorded_at` is absent, we take an event as known when it happened.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from typing import Final

import polars as pl

from engine.errors import Rejected
from graph.catalog import Feature
from graph.evidence import visibility
from graph.evidence.event_checks import problems
from graph.evidence.events import SCHEMA, conform
from graph.features import pipeline
from iftah.shipped import shipped_definitions, shipped_features

Events = pl.DataFrame | Iterable[Mapping[str, object]]
END_OF_TIME: Final = datetime(9999, 1, 1, tzinfo=UTC)  # whether an event lies in the future is for `as_of` to say


def visible(
    events: Events, *, as_of: datetime, known_at: datetime | None = None, purpose: str = "perks", timezone: tzinfo = UTC
) -> pl.DataFrame:
    """The evidence that counts at `as_of`, as known at `known_at` (`as_of` unless given), for a purpose.

    We apply consent, corrections, retractions, disputes and the retention of adverse items. Raises Rejected for an event
    that is not valid.

    >>> import iftah
    >>> from datetime import datetime, UTC
    >>> day = datetime(2026, 1, 1, tzinfo=UTC)
    >>> ann = {"contributor": "bank", "subject": "ann", "happened_at": day}
    >>> enrolled = ann | {"event_id": "1", "kind": "person.enrolled", "identity_level": 2}
    >>> consent = ann | {"event_id": "2", "kind": "consent.granted", "purpose": "perks", "classes": "identity"}
    >>> iftah.visible([enrolled, consent], as_of=day)["kind"].to_list()
    ['person.enrolled']
    >>> iftah.visible([enrolled], as_of=day).height
    0
    """
    return visibility.visible(_frame(events), as_of, known_at or as_of, purpose, timezone)


def features(
    events: Events,
    *,
    as_of: datetime,
    known_at: datetime | None = None,
    purpose: str = "perks",
    people: Collection[str] | None = None,
    timezone: tzinfo = UTC,
) -> pl.DataFrame:
    """The features of people, a row each, sorted by `person`: of everyone who is enrolled, or of those in `people`.

    They are those of `FEATURES`, as the shipped rules declare them. A missing value is null; a decimal is a Decimal, a duration a number of days. You can pass a row, as a mapping, to `assess`.
    Raises Rejected for an event that is not valid.

    >>> import iftah
    >>> from datetime import datetime, UTC
    >>> day = datetime(2026, 1, 1, tzinfo=UTC)
    >>> ann = {"contributor": "bank", "subject": "ann", "happened_at": day}
    >>> enrolled = ann | {"event_id": "1", "kind": "person.enrolled", "identity_level": 2}
    >>> consent = ann | {"event_id": "2", "kind": "consent.granted", "purpose": "perks", "classes": "identity"}
    >>> row = iftah.features([enrolled, consent], as_of=day).row(0, named=True)
    >>> row["person"], row["identity.level"], row["credit.kept"]
    ('ann', 2, None)
    >>> iftah.assess(iftah.load_rules("rules"), row, as_of=day).reasons
    ('too_little_known',)
    """
    table = pipeline.features(
        _frame(events),
        as_of,
        known_at or as_of,
        purpose,
        people,
        zone=timezone,
        definitions=shipped_definitions(),
    )
    return table.select("person", *(_column(f, table[f.name]) for f in shipped_features()))


def _frame(events: Events) -> pl.DataFrame:
    rows = events if isinstance(events, pl.DataFrame) else list(events)
    try:
        frame = conform(rows if isinstance(rows, pl.DataFrame) else _of_rows(rows))
    except pl.exceptions.PolarsError as error:
        text = str(error).partition("\n")[0]
        raise Rejected(f"the events do not fit: {text}", where="events", code="bad_event") from None
    wrong = problems(frame, END_OF_TIME)
    if wrong.height:
        row, reason = wrong.row(0)
        raise Rejected(reason, where=f"events[{row}]", hint="see docs/events.md", code="bad_event")
    return frame.with_columns(pl.coalesce("recorded_at", "happened_at").alias("recorded_at"))


def _of_rows(rows: list[Mapping[str, object]]) -> pl.DataFrame:
    unknown = sorted({name for row in rows for name in row} - set(SCHEMA))
    if unknown:
        raise Rejected(
            f"unknown field `{unknown[0][:60]}`", where="events", hint="see docs/events.md", code="bad_event"
        )
    return pl.DataFrame(rows, schema={c: t for c, t in SCHEMA.items() if any(c in row for row in rows)}, orient="row")


def _column(feature: Feature, values: pl.Series) -> pl.Series:
    """The values as people write them: decimals unscaled, dates as dates."""
    if feature.type == "decimal":
        return values.cast(pl.Decimal(20, 0)) * pl.Series([Decimal(1).scaleb(-feature.digits)])
    return values.cast(pl.Date) if feature.type == "date" else values
