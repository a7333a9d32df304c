"""Check features.yaml: its features read events that exist, measure what can be measured, and use no forbidden evidence."""

from collections.abc import Mapping
from typing import Final

from engine.lang.check.feature_events import EVENT_NAMES, EventBuilder
from engine.lang.check.feature_formulas import FormulaBuilder, NeighbourBuilder
from engine.lang.check.feature_measures import MeasureCheck
from engine.lang.check.feature_parts import NEIGHBOURS, FeatureContext, expression_names, source_of, used_names
from engine.lang.check.ids import check_unique
from engine.lang.model.features import DeclaredFeature, attributes, with_versions
from engine.lang.model.problems import Report
from engine.lang.model.types import BOOL, Attribute, Schema
from engine.lang.syntax.feature_lines import FeatureLine, FeaturesFile

MAX_FEATURE_DEPTH: Final = 8  # of features that use each other


def check_features(file: FeaturesFile, context: FeatureContext) -> dict[str, DeclaredFeature]:
    """Build the features of the file, by name. Problems are added to the report; discard the result if there are any."""
    check_unique((line.id for line in file.features), context.report)
    lines = {line.id.text: line for line in reversed(file.features)}
    features = dict[str, DeclaredFeature]()
    order = _order(lines, context.report)
    for name in order:
        feature = _feature(lines[name], features, lines, context)
        if feature:
            features[name] = feature
    for line in file.features:
        _check_names(line, features.get(line.id.text), context)
    in_file_order = {
        name: features[name] for name in dict.fromkeys(w.id.text for w in file.features) if name in features
    }
    versions = with_versions(features, tuple(name for name in order if name in features))
    return {name: versions[name] for name in in_file_order}


def extended_schema(schema: Schema, features: Mapping[str, DeclaredFeature]) -> Schema:
    """The catalogue with the features of the file. A declaration replaces a feature of the catalogue."""
    return {**schema, **attributes(features)}


def _order(lines: Mapping[str, FeatureLine], report: Report) -> list[str]:
    """The names in an order in which each comes after those it uses. We report each cycle, and leave its features out."""
    order, state = list[str](), dict[str, bool]()

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            cycle = " -> ".join((*path[path.index(name) :], name))
            report.add("R102", f"features form a cycle: {cycle}", lines[name].id.at, "take one of them out")
        elif name not in state and len(path) == MAX_FEATURE_DEPTH:
            text = f"features use each other more than {MAX_FEATURE_DEPTH} deep"
            report.add("R023", text, lines[path[0]].id.at, "write some of them out")
        elif name not in state:
            state[name] = True
            problems = len(report.problems)
            for used in used_names(lines[name]):
                if used in lines:
                    visit(used, (*path, name))
            if len(report.problems) == problems:
                order.append(name)

    for name in lines:
        visit(name, ())
    return order


def _feature(
    line: FeatureLine,
    features: Mapping[str, DeclaredFeature],
    lines: Mapping[str, FeatureLine],
    context: FeatureContext,
) -> DeclaredFeature | None:
    if (line.formula is None) == (line.measure is None) or bool(line.formula) == bool(line.of):
        message = f"`{line.id.text}` needs either `of` with `measure`, or `formula`"
        is_double = bool(line.formula) and bool(line.of or line.measure)
        hint = "take one of them out" if is_double else "add what is missing"
        context.report.add("R802", message, line.id.at, hint)
        return None
    check = MeasureCheck(line, context.report)
    source = source_of(line)
    if not check.keys(source):
        return None
    if source == "features":
        return FormulaBuilder(line, features, lines, context).feature(check)
    if source == NEIGHBOURS:
        return NeighbourBuilder(line, features, lines, context).feature(check)
    return EventBuilder(line, context).feature(check, source)


def _check_names(line: FeatureLine, feature: DeclaredFeature | None, context: FeatureContext) -> None:
    """Neither a feature nor a field that it reads may be a forbidden attribute."""
    attribute = feature.attribute if feature else Attribute(line.id.text, BOOL)
    context.guard.check_attribute(attribute, line.id.at)
    if line.value and source_of(line) == "events":
        context.guard.check_attribute(Attribute(line.value.text, BOOL), line.value.at)
    for expr in (line.where, line.among):
        if expr:
            for name in dict.fromkeys(expression_names(expr)):
                if name not in EVENT_NAMES:
                    context.guard.check_attribute(Attribute(name, BOOL), expr.at)
