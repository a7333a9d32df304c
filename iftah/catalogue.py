"""The catalogue and the vocabulary of `graph`, as `engine` takes them, and what `engine` declares, as `graph` takes it: the two do
not know each other.
"""

from functools import cache, lru_cache
from typing import Final

import graph
from engine.lang.model.evidence import Evidence, FieldDefinition, KindDefinition
from engine.lang.model.types import DATE, STRING, Attribute, EventKind, Kinds, Schema, Type
from graph.catalog import Feature
from graph.evidence.vocabulary import STANDARD, EventField, EventVocabulary, Kind


@cache
def schema() -> Schema:
    """What rules can name: every feature, by name."""
    return {
        f.name: Attribute(f.name, _type(f), f.data_class, f.unit, formerly=f.formerly, direction=f.direction)
        for f in graph.schema()
    }


def _type(feature: Feature) -> Type:
    """The type of a feature. An amount of money is in the one currency of the person's evidence, which no rule knows."""
    kind = "money" if feature.unit == MINOR_UNITS else feature.type
    return Type(kind, feature.digits, feature.values, feature.low, feature.high)


MINOR_UNITS: Final = "minor units"
# What the fields of events are to patterns; money is in minor units of the event's own currency.
FIELD_TYPES: Final[dict[str, Type]] = {
    "other": STRING,
    "identity_level": Type("int", low=0, high=3),
    "tie": Type("enum", values=STANDARD.ties),
    "strength": Type("int", low=-10, high=10),
    "amount": Type("money", low=-(10**15), high=10**15),
    "currency": STRING,
    "category": Type("enum", values=STANDARD.categories),
    "channel": Type("enum", values=STANDARD.channels),
    "obligation": STRING,
    "due": DATE,
    "order": STRING,
    "ref_event": STRING,
    "service": STRING,
    "days_late": Type("int", low=0, high=36_500),
}


CURRENCY_FIELDS: Final = {"amount": "currency"}  # the field with the currency of an amount


@cache
def kinds() -> Kinds:
    """What patterns can name in a folder without `evidence.yaml`: every kind of event that is evidence, with its fields."""
    kinds_by_name = {}
    for kind in STANDARD.kinds:
        if kind.data_class:
            fields = {n: Attribute(n, FIELD_TYPES[n], currency=CURRENCY_FIELDS.get(n, "")) for n in kind.fields}
            kinds_by_name[kind.name] = EventKind(kind.name, kind.data_class, fields, kind.adverse, kind.reverses)
    return kinds_by_name


@lru_cache(maxsize=64)
def vocabulary_of(evidence: Evidence | None) -> EventVocabulary:
    """The vocabulary that a rules folder declares; None: it declares none, and the shipped one holds."""
    if evidence is None:
        return STANDARD
    words = {f.name: f.values for f in evidence.fields}
    extra = [part for f in evidence.fields if f.name not in FIELD_TYPES for part in _event_fields(f)]
    return EventVocabulary(
        declared_kinds=tuple(map(_kind, evidence.kinds)),
        ties=evidence.ties,
        categories=evidence.categories,
        income=evidence.income,
        channels=words.get("channel", ()),
        extra_fields={f.name: f for f in sorted(extra, key=lambda f: f.name)},
    )


def _kind(kind: KindDefinition) -> Kind:
    return Kind(
        kind.name,
        kind.data_class,
        kind.required,
        kind.optional,
        kind.adverse,
        kind.counts_for,
        kind.step,
        kind.reverses,
        kind.years,
        kind.signed,
        about=kind.about,
    )


def _event_fields(field: FieldDefinition) -> tuple[EventField, ...]:
    """The field, and the currency of money."""
    is_word = field.form in ("category", "tie")
    own = EventField(field.name, "enum" if is_word else field.form, field.digits, field.values, field.low, field.high)  # type: ignore[arg-type]
    return (own, EventField(field.currency, "currency")) if field.form == "money" else (own,)
