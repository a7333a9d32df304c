"""The shipped rules, which hold where you name none, and all features of a release, as the catalogue lists them."""

from functools import cache

import graph
from engine.lang.model.program import Program
from engine.lang.model.types import Schema
from graph.catalog import Feature
from graph.features.declared.definition import FeatureDefinition
from iftah.catalogue import schema
from iftah.declarations import catalogue_line, feature_definitions
from iftah.rules_folder import load_folder
from iftah.shipped_files import RULES


@cache
def shipped_program() -> Program:
    """The rules that we ship, as they hold today. Raises RulesError if somebody has edited them and they do not check."""
    return load_folder(RULES).programs[-1]


@cache
def shipped_definitions() -> tuple[FeatureDefinition, ...]:
    """The features that they declare."""
    return feature_definitions(shipped_program())


def shipped_schema() -> Schema:
    """What the shipped rules can name: the features of the catalogue, and those that they declare."""
    declared = shipped_program().declarations.values()
    return {**schema(), **{f.name: f.attribute for f in declared if not f.is_internal}}


def features_of(program: Program) -> tuple[Feature, ...]:
    """The features that rules can name, by dimension: those that they declare, then those of the catalogue."""
    declared = [catalogue_line(f) for f in program.declarations.values() if not f.is_internal]
    names = {f.name for f in declared}
    lines = [*declared, *(f for f in graph.schema() if f.name not in names)]
    dimensions = list(dict.fromkeys(f.dimension for f in lines))
    return tuple(sorted(lines, key=lambda f: dimensions.index(f.dimension)))


@cache
def shipped_features() -> tuple[Feature, ...]:
    """The features that the shipped rules can name."""
    return features_of(shipped_program())
