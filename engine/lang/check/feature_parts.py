"""Build the part of a declared feature that every source has, and find the names that its line reads."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from engine.lang.check.feature_measures import UNITS
from engine.lang.check.guardrails import Guardrails
from engine.lang.model.features import DeclaredFeature, FeatureWindow
from engine.lang.model.problems import Report
from engine.lang.model.types import Kinds, Schema, Type
from engine.lang.syntax.ast import ListFile
from engine.lang.syntax.expression_tree import Name
from engine.lang.syntax.feature_lines import FeatureLine

TIES, NEIGHBOURS = "ties", "neighbours"
TIE_KIND: Final = "tie.formed"  # the kind with the fields of ties


@dataclass(frozen=True)
class FeatureContext:
    """What features are checked against. `catalogue` has the features that no rule file declares."""

    kinds: Kinds
    lists: Mapping[str, ListFile]
    guard: Guardrails
    catalogue: Schema
    report: Report


def source_of(line: FeatureLine) -> str:
    """`events`, `ties`, `neighbours` or `features`."""
    if line.formula:
        return "features"
    words = [w.text for w in line.of]
    return words[0] if words in ([TIES], [NEIGHBOURS]) else "events"


def used_names(line: FeatureLine) -> list[str]:
    """The features that a line is computed from, in order; one can occur several times."""
    expressions = [e for e in (line.formula, line.divided_by) if e]
    is_near = [w.text for w in line.of] == [NEIGHBOURS]
    expressions += [line.where] if is_near and line.where else []
    return [
        *(name for e in expressions for name in expression_names(e)),
        *([line.value.text] if is_near and line.value else []),
    ]


def expression_names(expr: object) -> Iterable[str]:
    """The names in an expression, in order."""
    if isinstance(expr, Name):
        yield expr.name
    for part in vars(expr).values() if hasattr(expr, "__dict__") else ():
        for item in part if isinstance(part, tuple) else (part,):
            yield from expression_names(item)


def plain_feature(line: FeatureLine, source: str, type_: Type, is_money: bool) -> DeclaredFeature:
    """The feature with the keys that every source has."""
    measure = line.measure.text if line.measure else "formula"
    return DeclaredFeature(
        name=line.id.text,
        about={language.text: text.text for language, text in line.about},
        source=source,
        kinds=(),
        role="subject",
        window=FeatureWindow(),
        where=None,
        among=None,
        measure=measure,
        value=None,
        less=(),
        fields=(),
        within=0,
        steps=line.steps.whole if line.steps else 1,
        formula=None,
        divisor=None,
        type=type_,
        rounds_down=bool(line.rounding and line.rounding.text == "down"),
        is_zero_default=bool(line.missing and line.missing.text == "zero"),
        is_money=is_money,
        is_internal=line.internal,
        unit=_unit(line, measure, is_money),
        direction=line.direction.text if line.direction else "none",
        effort=line.effort.whole if line.effort else None,
        classes=(),
        formerly=line.formerly.text if line.formerly else "",
    )


def _unit(line: FeatureLine, measure: str, is_money: bool) -> str:
    return line.unit.text if line.unit else "minor units" if is_money else UNITS.get(measure, "")


def strictest_first(classes: set[str], guard: Guardrails) -> tuple[str, ...]:
    """Restricted classes first, then those of relationships, then the others by name."""
    restricted, ties = guard.restricted_classes, guard.relationship_classes
    return tuple(sorted(classes, key=lambda c: (c not in restricted, c not in ties, c)))
