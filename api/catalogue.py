"""The catalogue of `graph`, as `engine` takes it: the two do not know each other."""

import hashlib
import json
from dataclasses import asdict
from functools import cache

import graph
from engine.lang.types import Attribute, Schema, Type


@cache
def schema() -> Schema:
    """What rules can name: every feature, by name."""
    return {
        f.name: Attribute(f.name, Type(f.type, f.digits, f.values, f.low, f.high), f.data_class, f.unit)
        for f in graph.schema()
    }


@cache
def fingerprint() -> str:
    """The hash of all definitions: a build made by another catalogue is not comparable."""
    said = json.dumps([asdict(f) for f in graph.schema()], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()
