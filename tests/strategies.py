"""Hypothesis strategies that tests share: small ledgers in which every possible collision occurs."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
from hypothesis import strategies as st

from graph.evidence.declared_fields import encode
from graph.evidence.events import SCHEMA, conform
from graph.evidence.vocabulary import CLASSES, STANDARD, EventField, EventVocabulary, Kind

PEOPLE = ("ann", "bob", "cy")
NOW = datetime(2024, 2, 29, 12, tzinfo=UTC)
MOMENTS = (
    *(NOW + timedelta(days=d) for d in (-3000, -1827, -1826, -400, -200, -31, -30, -2, -1)),
    *(NOW + timedelta(microseconds=u) for u in (-1, 0, 1)),
    NOW + timedelta(days=5),
)
CLASS_LISTS = ("identity,relationship,behaviour,restricted,credit", "behaviour", "relationship,credit", "identity")
COMMON_KINDS = tuple(k.name for k in STANDARD.kinds if k.data_class is None) * 2
CORRECTIONS: tuple[dict[str, object], ...] = (
    {"amount": 7},
    {"amount": -7},
    {"amount": 9, "currency": "CNY"},
    {"other": "cy"},
    {"happened_at": "2024-02-29T12:00:00.000001Z"},
    {"happened_at": "2019-02-28T12:00:00Z"},
    {"days_late": 4},
    {"obligation": "loan"},
    {"strength": -3},
    {"tie": "vouch", "strength": 2},
    {"identity_level": 3},
)
FIELD_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "identity_level": st.integers(0, 3),
    "tie": st.sampled_from(("household", "friend", "vouch")),
    "strength": st.integers(1, 10),
    "amount": st.integers(0, 10**6),
    "currency": st.sampled_from(("CNY", "CNY", "CNY", "EUR")),
    "category": st.sampled_from(("wage", "groceries", "transfer")),
    "channel": st.just("card"),
    "obligation": st.sampled_from(("loan", "bill")),
    "due": st.just(date(2024, 1, 1)),
    "order": st.sampled_from(("o1", "o2")),
    "days_late": st.sampled_from((0, 0, 3, 40)),
    "purpose": st.sampled_from(("perks", "perks", "perks", "rent")),
    "classes": st.sampled_from(CLASS_LISTS),
    "service": st.just("inn/bikes"),
    "until": st.sampled_from(MOMENTS),
    "ref_contributor": st.sampled_from(("bank", "shop")),
    "ref_event": st.integers(0, 15).map("e{}".format),
    "outcome": st.sampled_from(("rejected", "upheld")),
    "statement": st.just("not mine"),
    "fields": st.sampled_from(CORRECTIONS).map(json.dumps),
}


DECLARED_FIELDS = (
    EventField("colour", "enum", values=("red", "blue")),
    EventField("item", "text"),
    EventField("rating", "decimal", digits=1, low=0, high=50),
    EventField("returned", "bool"),
    EventField("size", "int", low=-5, high=5),
)
DECLARED_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "colour": st.sampled_from(("red", "blue")),
    "item": st.sampled_from(("bike", 'a "tent"', "伞")),
    "rating": st.integers(0, 50),
    "returned": st.booleans(),
    "size": st.integers(-5, 5),
}
DECLARED_CORRECTIONS: tuple[dict[str, object], ...] = (
    {"rating": 0.5},
    {"rating": "5", "amount": 3},
    {"item": "boat", "returned": False},
    {"size": -1, "happened_at": "2024-02-29T12:00:00.000001Z"},
)


@st.composite
def declared_kinds(draw: st.DrawFn, number: int) -> Kind:
    """A kind as a rules folder may declare it."""
    data_class = draw(st.sampled_from(CLASSES))
    scope = "both" if data_class == "relationship" else draw(st.sampled_from(("subject", "each", "both")))
    names = draw(st.lists(st.sampled_from([f.name for f in DECLARED_FIELDS]), unique=True))
    required = [name for name in names if draw(st.booleans())]
    optional = (*(name for name in names if name not in required), *(("days_late",) if draw(st.booleans()) else ()))
    other = ("other",) if scope != "subject" or draw(st.booleans()) else ()
    adverse = draw(st.booleans())
    years = None if adverse else draw(st.sampled_from((None, None, 1, 5)))
    name = f"declared.kind_{number}"
    return Kind(name, data_class, (*other, *required), optional, adverse, scope, keep_years=years)


@st.composite
def vocabularies(draw: st.DrawFn) -> EventVocabulary:
    """The shipped vocabulary with up to three further kinds."""
    kinds = tuple(draw(declared_kinds(number)) for number in range(draw(st.integers(1, 3))))
    return EventVocabulary(
        (*STANDARD.declared_kinds, *kinds),
        STANDARD.ties,
        STANDARD.categories,
        STANDARD.income,
        STANDARD.channels,
        {f.name: f for f in DECLARED_FIELDS},
    )


@st.composite
def event_rows(draw: st.DrawFn, number: int, vocabulary: EventVocabulary = STANDARD) -> dict[str, object]:
    """One event that the ledger would accept, numbered `number`."""
    name = draw(st.sampled_from((*(k.name for k in vocabulary.kinds), *COMMON_KINDS)))
    kind = next(k for k in vocabulary.kinds if k.name == name)
    subject = draw(st.sampled_from(PEOPLE))
    # Our own orders nearly always have all fields; banks leave out more.
    rare = 3 if name.startswith("order.") else 1
    money = ("amount", "currency") if "amount" in kind.optional and draw(st.booleans()) else ()  # both or neither
    optional_fields = [f for f in kind.optional if f not in ("amount", "currency") and draw(st.integers(0, 3)) < rare]
    names = (*kind.required, *money, *optional_fields)
    row: dict[str, object] = {f: draw(FIELD_VALUES[f]) for f in names if f in FIELD_VALUES}
    data = {f: draw(DECLARED_VALUES[f]) for f in names if f in DECLARED_VALUES}
    row["data"] = encode(data) if data else None
    if name == "event.corrected" and vocabulary.extra_fields:
        row["fields"] = draw(st.sampled_from((*CORRECTIONS, *DECLARED_CORRECTIONS)).map(json.dumps))
    if "other" in kind.required:
        row["other"] = draw(st.sampled_from([p for p in (*PEOPLE, "shop") if p != subject]))
    if row.get("tie") == "vouch" and name == "tie.formed":
        row["strength"] = draw(st.integers(-10, 10))
    happened = draw(st.sampled_from(MOMENTS))
    if row.get("until"):
        row["until"] = max(draw(st.sampled_from(MOMENTS)), happened + timedelta(microseconds=1))
    return row | {
        "contributor": draw(st.sampled_from(("bank", "bank", "shop"))),
        "event_id": f"e{number}",
        "kind": name,
        "subject": subject,
        "happened_at": happened,
        "recorded_at": max(happened, draw(st.sampled_from((MOMENTS[0], *MOMENTS)))),
    }


def frame(events: list[dict[str, object]]) -> pl.DataFrame:
    """Events as the ledger returns them."""
    return conform(pl.DataFrame(events, schema_overrides=SCHEMA, infer_schema_length=None))


@st.composite
def ledgers(draw: st.DrawFn, max_events: int = 14, vocabulary: EventVocabulary = STANDARD) -> pl.DataFrame:
    """A ledger in append order. All people consented long ago, so that the later events matter."""
    consents = [
        {
            "contributor": "desk",
            "event_id": f"c-{person}",
            "kind": "consent.granted",
            "subject": person,
            "happened_at": MOMENTS[0],
            "recorded_at": MOMENTS[0],
            "purpose": "perks",
            "classes": CLASS_LISTS[0],
        }
        for person in draw(st.sets(st.sampled_from(PEOPLE), min_size=1))
    ]
    consents.sort(key=lambda e: str(e["event_id"]))
    return frame([*consents, *(draw(event_rows(i, vocabulary)) for i in range(draw(st.integers(1, max_events))))])
