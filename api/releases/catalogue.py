"""The catalogue in force, and the hash that tells one catalogue from another."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import cache

import graph
from engine.lang.model.program import Program, Release
from engine.lang.model.types import Schema
from graph.evidence.vocabulary import EventVocabulary
from iftah.catalogue import FIELD_TYPES, kinds, schema
from iftah.catalogue import vocabulary_of as declared_vocabulary

__all__ = ["FIELD_TYPES", "fingerprint", "kinds", "schema", "stored_schema", "vocabulary_of"]


def vocabulary_of(rules: Release | Program) -> EventVocabulary:
    """The vocabulary of evidence under these rules."""
    return declared_vocabulary(rules.evidence)


def stored_schema(files: Mapping[str, str]) -> Schema:
    """The schema for the files of a stored release, which may name features as they were called before."""
    words = {word for text in files.values() for word in re.findall(r"[\w.]+", text)}
    former = (a for a in schema().values() if a.formerly in words)
    return {**schema(), **{a.formerly: replace(a, name=a.formerly, formerly="") for a in former}}


@cache
def fingerprint() -> str:
    """The hash of all definitions: a build made by another catalogue is not comparable."""
    excluded = ("effort", "formerly")  # no part of a definition
    definitions = json.dumps(
        [{k: v for k, v in asdict(f).items() if k not in excluded} for f in graph.schema()], sort_keys=True
    )
    return hashlib.sha256(definitions.encode()).hexdigest()
