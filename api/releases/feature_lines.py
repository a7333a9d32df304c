"""The features of a program as the catalogue lists them, declared by the rules or computed in Python."""

from dataclasses import replace
from typing import Final

from engine.lang.model.program import Program
from graph.catalog import FEATURES, Feature
from graph.catalog.chinese import CHINESE
from iftah.declarations import catalogue_line

_CATALOGUE: Final = {f.name: f for f in FEATURES}


def feature_line(program: Program, name: str, language: str) -> Feature:
    """The feature as the catalogue lists it, `about` in this language, or in another that there is."""
    if name in program.declarations:
        return catalogue_line(program.declarations[name], language)
    feature = _CATALOGUE[name]
    return replace(feature, about=f"{CHINESE[name]}。") if language == "zh" and name in CHINESE else feature


def feature_names(program: Program) -> tuple[str, ...]:
    """The features that rules can name: those that the rules declare in the order of the file, then those of the catalogue."""
    declared = (name for name, feature in program.declarations.items() if not feature.is_internal)
    return tuple(dict.fromkeys((*declared, *_CATALOGUE)))
