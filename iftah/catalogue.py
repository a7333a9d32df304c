"""The catalogue of `graph`, as `engine` takes it: the two do not know each other."""

from functools import cache
from typing import Final

import graph
from engine.lang.model.types import DATE, STRING, Attribute, EventKind, Kinds, Schema, Type
from graph.evidence.vocabulary import CATEGORIES, CHANNELS, KINDS, TIES


@cache
def schema() -> Schema:
    """What rules can name: every feature, by name."""
    return {
        f.name: Attribute(
            f.name, Type(f.type, f.digits, f.values, f.low, f.high), f.data_class, f.unit, formerly=f.formerly
        )
        for f in graph.schema()
    }


# What the fields of events are to patterns; money is in minor units of the event's own currency.
FIELD_TYPES: Final[dict[str, Type]] = {
    "other": STRING,
    "identity_level": Type("int", low=0, high=3),
    "tie": Type("enum", values=TIES),
    "strength": Type("int", low=-10, high=10),
    "amount": Type("int", low=-(10**15), high=10**15),
    "currency": STRING,
    "category": Type("enum", values=CATEGORIES),
    "channel": Type("enum", values=CHANNELS),
    "obligation": STRING,
    "due": DATE,
    "order": STRING,
    "service": STRING,
    "days_late": Type("int", low=0, high=10**6),
}


@cache
def kinds() -> Kinds:
    """What patterns can name: every kind of event that is evidence, with its fields."""
    kinds_by_name = {}
    for kind in KINDS:
        if kind.data_class:
            fields = {n: Attribute(n, FIELD_TYPES[n]) for n in (*kind.required, *kind.optional)}
            kinds_by_name[kind.name] = EventKind(kind.name, kind.data_class, fields, kind.adverse)
    return kinds_by_name
