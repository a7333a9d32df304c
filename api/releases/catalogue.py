"""The catalogue in force, and the hash that tells one catalogue from another."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import cache
from typing import Final

import graph
from api.releases.undeclared_features import UNDECLARED
from engine.lang.model.program import Program, Release
from engine.lang.model.types import Schema
from graph.evidence.vocabulary import EventVocabulary
from graph.features.declared.definition import FeatureDefinition
from iftah.catalogue import FIELD_TYPES, kinds, schema
from iftah.catalogue import vocabulary_of as declared_vocabulary
from iftah.declarations import feature_definitions

__all__ = ["FIELD_TYPES", "definitions_of", "fingerprint", "kinds", "schema", "stored_schema", "vocabulary_of"]


_MAX_DEFINITIONS: Final = 64  # programs
_DEFINITIONS: Final[dict[tuple[str, int | None], tuple[FeatureDefinition, ...]]] = {}


def vocabulary_of(rules: Release | Program) -> EventVocabulary:
    """The vocabulary of evidence under these rules."""
    return declared_vocabulary(rules.evidence)


def stored_schema(files: Mapping[str, str]) -> Schema:
    """The schema for the files of a stored release, which may name features without declaring them, or as they were called
    before.
    """
    words = {word for text in files.values() for word in re.findall(r"[\w.]+", text)}
    former = {a.formerly: replace(a, name=a.formerly, formerly="") for a in schema().values() if a.formerly in words}
    return {**schema(), **former, **{name: a for name, a in UNDECLARED.items() if name in words}}


def definitions_of(program: Program) -> tuple[FeatureDefinition, ...]:
    """The features that the rules of a day declare, as `graph` computes them. We convert those of a release once."""
    key = program.release, program.since
    if key not in _DEFINITIONS:
        if len(_DEFINITIONS) >= _MAX_DEFINITIONS:
            _DEFINITIONS.clear()
        _DEFINITIONS[key] = feature_definitions(program)
    return _DEFINITIONS[key]


def fingerprint(program: Program | None) -> str:
    """The hash of all definitions: those of the catalogue, and those that the rules of a day declare. A build made by others is
    not comparable.
    """
    if program is None or not program.declarations:
        return _fixed_fingerprint()
    versions = sorted((name, feature.version) for name, feature in program.declarations.items())
    return hashlib.sha256(json.dumps([_fixed_fingerprint(), versions]).encode()).hexdigest()


def program_with(release: Release, catalogue: str) -> Program | None:
    """The first program of a release whose features have this hash, or None."""
    return next((program for program in release.programs if fingerprint(program) == catalogue), None)


@cache
def _fixed_fingerprint() -> str:
    excluded = ("effort", "formerly")  # no part of a definition
    definitions = json.dumps(
        [{k: v for k, v in asdict(f).items() if k not in excluded} for f in graph.schema()], sort_keys=True
    )
    return hashlib.sha256(definitions.encode()).hexdigest()
