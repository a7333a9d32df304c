"""The meaning of each feature in words, in the language of the reader: those of the catalogue, and those that rule files declare."""

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


def feature_meanings(program: Program, language: str) -> dict[str, tuple[str, ...]]:
    """What each feature says, in a line, by name."""
    names = (n for n in program.schema if n in program.declarations or n in _CATALOGUE)
    return {name: (_sentence(feature_line(program, name, language).about, language),) for name in names}


def _sentence(about: str, language: str) -> str:
    """The text with the full stop of its language."""
    return f"{about.rstrip('.。')}。" if language == "zh" and not about.isascii() else about
