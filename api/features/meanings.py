"""The meaning of each feature in words, in the language of the reader: those of the catalogue, and those that rule files declare."""

from api.releases.feature_lines import feature_line
from engine.lang.model.program import Program
from graph.catalog import FEATURES


def feature_meanings(program: Program, language: str) -> dict[str, tuple[str, ...]]:
    """What each feature says, in a line, by name."""
    catalogue = {feature.name for feature in FEATURES}
    names = (n for n in program.schema if n in program.declarations or n in catalogue)
    return {name: (_sentence(feature_line(program, name, language).about, language),) for name in names}


def _sentence(about: str, language: str) -> str:
    """The text with the full stop of its language."""
    return f"{about.rstrip('.。')}。" if language == "zh" and not about.isascii() else about
