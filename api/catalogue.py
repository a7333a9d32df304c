"""The catalogue of `graph`, as `engine` takes it: the two do not know each other."""

import hashlib
import json
from dataclasses import asdict
from functools import cache
from typing import Final

import graph
from engine.lang.types import DATE, STRING, Attribute, EventKind, Kinds, Schema, Type
from graph.vocabulary import CATEGORIES, CHANNELS, KINDS, TIES


@cache
def schema() -> Schema:
    """What rules can name: every feature, by name."""
    return {
        f.name: Attribute(f.name, Type(f.type, f.digits, f.values, f.low, f.high), f.data_class, f.unit)
        for f in graph.schema()
    }


# What the fields of events are to patterns; money is in minor units of the event's own currency.
FIELDS: Final[dict[str, Type]] = {
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
    found = {}
    for kind in KINDS:
        if kind.data_class:
            fields = {n: Attribute(n, FIELDS[n]) for n in (*kind.needs, *kind.may)}
            found[kind.name] = EventKind(kind.name, kind.data_class, fields)
    return found


@cache
def fingerprint() -> str:
    """The hash of all definitions: a build made by another catalogue is not comparable. Effort is no part of a definition."""
    said = json.dumps([{k: v for k, v in asdict(f).items() if k != "effort"} for f in graph.schema()], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()
