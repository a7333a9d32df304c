"""The features of `rules/features.yaml`, as `graph` takes them: `engine` and `graph` do not know each other."""

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, cast

from engine.lang.engines import reference
from engine.lang.model.conditions import Num, Truth, names, with_names
from engine.lang.model.currencies import CURRENCY_DIGITS
from engine.lang.model.features import DeclaredFeature, canonical_text
from engine.lang.model.program import Program
from engine.lang.model.types import Type, format_value
from graph.catalog import Feature
from graph.features.declared.definition import (
    Condition,
    FeatureDefinition,
    Formula,
    Measure,
    MeasuredField,
    Rate,
    Row,
    Side,
    Source,
    Storage,
    Window,
)

if TYPE_CHECKING:
    import narwhals as nw

MICROSECONDS: Final = 10**6  # of a second
_STORAGES: Final[dict[str, Storage]] = {"bool": "bool", "date": "date", "enum": "text", "string": "text"}


def feature_definitions(program: Program) -> tuple[FeatureDefinition, ...]:
    """The features that a program declares, in the order of the file, internal ones too."""
    return tuple(definition_of(feature) for feature in program.declarations.values())


def definition_of(feature: DeclaredFeature) -> FeatureDefinition:
    """One of them."""
    is_near = feature.source == "neighbours"
    return FeatureDefinition(
        name=feature.name,
        measure=cast(Measure, feature.measure),
        source=cast(Source, feature.source),
        kinds=() if feature.source in ("features", "neighbours") else feature.kinds,
        side=cast(Side, feature.role),
        window=_window(feature),
        where=condition(feature.where) if feature.where else None,
        among=condition(feature.among) if feature.among else None,
        value=None if is_near else _field(feature),
        fields=tuple((name, _STORAGES.get(kind, "integer")) for name, kind in feature.fields),
        within=feature.within * MICROSECONDS,
        digits=feature.type.digits - CURRENCY_DIGITS.get(feature.type.currency, 0),
        rounds_down=feature.rounds_down,
        zero=feature.is_zero_default,
        low=feature.type.low,
        high=feature.type.high,
        classes=tuple(sorted(feature.classes)),
        formula=_formula(feature.formula) if feature.formula else None,
        divisor=_formula(feature.divisor) if feature.divisor else None,
        neighbour=feature.value.name if is_near and feature.value else None,
        steps=feature.steps,
        is_money=feature.is_money,
        is_internal=feature.is_internal,
        version=feature.version,
    )


def catalogue_line(feature: DeclaredFeature, language: str = "en") -> Feature:
    """The feature as the catalogue lists it, with its text in a language, or in the first one of the file."""
    type_ = feature.type
    about = feature.about.get(language) or next(iter(feature.about.values()))
    return Feature(
        name=feature.name,
        type=cast(Any, type_.kind),
        unit=feature.unit,
        window=_window_text(feature),
        data_class=feature.classes[0],
        missing=_missing_text(feature),
        about=f"{about}{'。' if language == 'zh' and language in feature.about else '.'}",
        direction=cast(Any, feature.direction),
        digits=type_.digits,
        low=type_.low,
        high=type_.high,
        zero=feature.is_zero_default,
        scope="global" if feature.source == "neighbours" else "local",
        effort=feature.effort,
        formerly=feature.formerly,
    )


def _missing_text(feature: DeclaredFeature) -> str:
    grounds = [f"without consent to {' and '.join(sorted(feature.classes))} evidence"]
    if feature.source == "features":
        grounds += ["or if a feature that it is computed from is missing"]
        grounds += ["or if the divisor is 0"] if feature.divisor else []
    elif feature.value and feature.value.currency and feature.measure != "distinct":
        grounds += ["or if the amounts have more than one currency"]
    rest = "; otherwise 0 if there is no evidence" if feature.is_zero_default else ", or if there is no evidence"
    return f"Missing {', '.join(grounds)}{'' if feature.source == 'features' else rest}."


def _window_text(feature: DeclaredFeature) -> str:
    if feature.source == "features":
        return "that of the features that it is computed from"
    window = feature.window
    if window.full_months is not None:
        return f"the last {window.full_months} full calendar months"
    if window.months is not None:
        return f"{window.months} months"
    return "all" if window.seconds is None else format_value(window.seconds, Type("duration", unit=1))


def _window(feature: DeclaredFeature) -> Window:
    window = feature.window
    length = None if window.seconds is None else window.seconds * MICROSECONDS
    return Window(length, window.months, window.full_months)


def _field(feature: DeclaredFeature) -> MeasuredField | None:
    field = feature.value
    if field is None:
        return None
    rates = tuple(Rate(r.currency, r.dividend, r.divisor) for r in field.rates)
    is_date = field.type.kind == "date"
    return MeasuredField(field.name, 10**field.type.digits, field.currency, is_date, feature.less, rates)


@lru_cache(maxsize=4096)
def condition(truth: Truth) -> Condition:
    """The condition as a pair of an expression and a function, both of which give null for an unknown one."""

    def of_columns(day: int, physical_names: Mapping[str, str]) -> "nw.Expr":
        from engine.lang.engines import columns  # with the column engine, which cases do not need

        return columns.truth(with_names(truth, physical_names) if physical_names else truth, day)

    def of_row(row: Row) -> bool | None:
        return reference.truth(truth, cast(Any, row))

    return Condition(canonical_text(truth), frozenset(names(truth)) - {"as_of"}, of_columns, of_row)


@lru_cache(maxsize=4096)
def _formula(num: Num) -> Formula:
    def of_columns(day: int, physical_names: Mapping[str, str]) -> "nw.Expr":
        from engine.lang.engines import columns

        return columns.number(with_names(num, physical_names), day)

    def of_row(row: Row) -> int | None:
        return reference.number(num, cast(Any, row))

    return Formula(canonical_text(num), frozenset(names(num)) - {"as_of"}, of_columns, of_row)
