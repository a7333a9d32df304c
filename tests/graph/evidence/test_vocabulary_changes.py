"""A new vocabulary is compared with the one before it: which recorded events would it give another meaning?"""

from dataclasses import replace

import pytest

from graph.evidence.vocabulary import EventField, EventVocabulary, Kind
from graph.evidence.vocabulary_changes import vocabulary_changes

RETURNED = Kind("rental.returned", "behaviour", ("other", "item"), ("rating", "size"), counts_for="each")
LOST = Kind("rental.lost", "credit", ("item",), adverse=True)
FIELDS = {
    "item": EventField("item", "text"),
    "rating": EventField("rating", "decimal", digits=1, low=0, high=50),
    "size": EventField("size", "enum", values=("small", "large")),
}
BEFORE = EventVocabulary((RETURNED, LOST), ("friend", "vouch"), ("wage", "other"), ("wage",), ("card",), FIELDS)


def with_kind(kind: Kind) -> EventVocabulary:
    return replace(BEFORE, declared_kinds=(kind, LOST))


def with_field(field: EventField) -> EventVocabulary:
    return replace(BEFORE, extra_fields={**FIELDS, field.name: field})


@pytest.mark.parametrize(
    "after",
    [
        BEFORE,
        replace(BEFORE, declared_kinds=(RETURNED, LOST, Kind("rental.begun", "behaviour"))),
        with_kind(replace(RETURNED, optional=("rating", "size", "days_late"))),
        with_kind(replace(RETURNED, required=("other",), optional=("rating", "size", "item"))),
        with_field(EventField("size", "enum", values=("small", "middle", "large"))),
        with_field(EventField("rating", "decimal", digits=1, low=0, high=100)),
        replace(BEFORE, categories=("wage", "other", "rent"), ties=("friend", "vouch", "cousin"), income=()),
    ],
    ids=[
        "nothing",
        "a new kind",
        "a new optional field",
        "a field becomes optional",
        "a word",
        "wider bounds",
        "lists",
    ],
)
def test_compatible_changes_concern_no_recorded_event(after: EventVocabulary) -> None:
    assert vocabulary_changes(BEFORE, after) == ()


@pytest.mark.parametrize(
    ("after", "text", "concerns"),
    [
        (
            replace(BEFORE, declared_kinds=(LOST,)),
            "`rental.returned` is not declared any more",
            ("rental.returned", None, None),
        ),
        (
            with_kind(replace(RETURNED, data_class="credit")),
            "`class` of `rental.returned` was `behaviour` and is `credit`",
            ("rental.returned", None, None),
        ),
        (
            with_kind(replace(RETURNED, adverse=True)),
            "`adverse` of `rental.returned` was false and is true",
            ("rental.returned", None, None),
        ),
        (
            with_kind(replace(RETURNED, counts_for="subject")),
            "`counts_for` of `rental.returned` was `each` and is `subject`",
            ("rental.returned", None, None),
        ),
        (
            with_kind(replace(RETURNED, optional=("rating",))),
            "`rental.returned` has no field `size` any more",
            ("rental.returned", "size", None),
        ),
        (
            with_kind(replace(RETURNED, required=("other", "item", "size"))),
            "`size` is required in `rental.returned` now",
            ("rental.returned", None, None),
        ),
        (
            with_field(EventField("rating", "decimal", digits=2)),
            "`rating` was decimal(1) and is decimal(2)",
            (None, "rating", None),
        ),
        (with_field(EventField("item", "int")), "`item` was text and is int", (None, "item", None)),
        (
            with_field(EventField("size", "enum", values=("small",))),
            "`large` is no word of `size` any more",
            (None, "size", "large"),
        ),
        (
            with_field(EventField("rating", "decimal", digits=1, low=10, high=50)),
            "the bounds of `rating` are narrower",
            (None, "rating", None),
        ),
        (replace(BEFORE, categories=("wage",)), "`other` is no category any more", (None, "category", "other")),
        (replace(BEFORE, ties=("vouch",)), "`friend` is no tie any more", (None, "tie", "friend")),
    ],
)
def test_a_change_of_meaning_names_the_events_that_it_concerns(
    after: EventVocabulary, text: str, concerns: tuple[str | None, str | None, str | None]
) -> None:
    (change,) = vocabulary_changes(BEFORE, after)
    assert (change.text, (change.kind, change.field, change.word)) == (text, concerns)
