"""Check the scorecard: all points are valid, and no dimension exceeds its budget."""

from itertools import pairwise
from typing import Final

from engine.lang.check.guardrails import Guardrails
from engine.lang.check.ids import check_exists, check_unique
from engine.lang.check.quantities import describe_type, literal_hint
from engine.lang.check.resolve import Scope
from engine.lang.model.conditions import Const, Truth, names
from engine.lang.model.currencies import example
from engine.lang.model.problems import Report
from engine.lang.model.program import Band, Characteristic, PointRule, Scorecard
from engine.lang.model.types import MAX_INTEGER, Type, parse_scaled
from engine.lang.syntax.ast import CharacteristicLine, RuleLine, ScorecardFile
from engine.lang.syntax.expression_tree import Number

RESERVED_IDS: Final = ("scorable",)  # the id of the scorecard's own condition

Item = Characteristic | PointRule
Line = CharacteristicLine | RuleLine


def check_scorecard(file: ScorecardFile, scope: Scope, guard: Guardrails, reasons: frozenset[str]) -> Scorecard:
    """Build the scorecard of `file`. Problems are added to the scope's report; discard the result if there are any."""
    report = scope.report
    scope.check_names(w for w, _ in file.define)
    _check_definitions(file, scope, guard)
    if not (file.characteristics or file.rules):
        report.add("R011", "a scorecard needs a characteristic or a rule", file.at, "add one under `characteristics`")
    scorable = _scorable(file, scope, guard)
    lines: list[Line] = [*file.characteristics, *file.rules]
    _check_lines(file, lines, reasons, report)
    items = [(line, item) for line in lines if (item := _item(line, scope))]
    _check_budgets(file, [item for _, item in items], report)
    _check_guardrails(file, items, guard)
    _check_range(file, report)
    return Scorecard(
        lowest=file.score.lowest.whole,
        highest=file.score.highest.whole,
        base=file.score.base.whole,
        scorable=scorable,
        unscorable=file.scorable.reason.text,
        bands=tuple(Band(b.name.text, b.lowest.whole) for b in file.bands),
        weights=tuple((w.text, n.whole) for w, n in file.dimensions),
        items=tuple(item for _, item in items),
    )


def _scorable(file: ScorecardFile, scope: Scope, guard: Guardrails) -> Truth:
    condition, at = scope.condition(file.scorable.when), file.scorable.at
    if condition is None:
        return Const(False)
    guard.check_reads(names(condition), file.consent, at)
    guard.check_no_relationships(condition, at, "`scorable`")
    guard.check_alarm_not_alone(condition, at, "`scorable`")
    guard.check_unknown(condition, True, False, at)
    return condition


def _check_lines(file: ScorecardFile, lines: list[Line], reasons: frozenset[str], report: Report) -> None:
    """The ids of the lines are unique and not reserved, and their dimensions and reasons exist."""
    dimensions = {word.text for word, _ in file.dimensions}
    check_unique((line.id for line in lines), report)
    check_exists(file.scorable.reason, reasons, "R207", "reason", report)
    for line in lines:
        if line.id.text in RESERVED_IDS:
            report.add("R015", f"the id `{line.id.text}` is the scorecard's own", line.id.at, "choose another")
        check_exists(line.dimension, dimensions, "R205", "dimension", report)
        check_exists(line.reason, reasons, "R207", "reason", report)


def _item(line: Line, scope: Scope) -> Item | None:
    return _characteristic(line, scope) if isinstance(line, CharacteristicLine) else _rule(line, scope)


def _check_definitions(file: ScorecardFile, scope: Scope, guard: Guardrails) -> None:
    """Check definitions even if nothing uses them yet."""
    for _, expr in file.define:
        condition = scope.condition(expr) if expr else None
        if expr and condition:
            guard.check_reads(names(condition), file.consent, expr.at)


def _characteristic(line: CharacteristicLine, scope: Scope) -> Characteristic | None:
    report = scope.report
    feature = scope.attribute(line.feature)
    if feature is None:
        return None
    if not feature.type.numeric or feature.type.moment:
        report.add("R208", f"`{feature.name}` is not a number", line.feature.at, "write a rule for it, with `when`")
        return None
    cuts = [_cut(c, feature.type, report) for c in line.cuts]
    if None in cuts or not cuts:
        return None
    whole = tuple(c for c in cuts if c is not None)
    for (a, b), at in zip(pairwise(whole), line.cuts[1:], strict=True):
        if a >= b:
            report.add("R201", f"the cut `{at.text}` does not lie above the one before it", at.at, "cuts ascend")
    points = tuple(p.whole for p in line.points)
    if len(points) != len(whole) + 1:
        message = f"{len(whole)} cuts make {len(whole) + 1} bins, but there are {len(points)} points"
        report.add("R202", message, line.points[0].at if line.points else line.at, "one more point than cuts")
        return None
    baseline = line.baseline.whole if line.baseline else max(points)
    name, dimension, reason = line.id.text, line.dimension.text, line.reason.text
    return Characteristic(name, dimension, feature.name, whole, points, line.missing.whole, baseline, reason)


def _cut(cut: Number, type_: Type, report: Report) -> int | None:
    value = parse_scaled(cut.text, type_)
    if value is None and type_.kind == "money" and " " not in cut.text:
        text = f"`{cut.text}` has no currency, and is compared with an amount of money"
        report.add("R104", text, cut.at, f"write `{example(cut.text, type_.currency)}`")
        return None
    if value is None:
        report.add("R104", f"`{cut.text}` does not fit {describe_type(type_)}", cut.at, literal_hint(type_))
    elif abs(value) > MAX_INTEGER:
        report.add("R104", f"`{cut.text}` is larger than any value", cut.at)
    return value


def _rule(line: RuleLine, scope: Scope) -> PointRule | None:
    when = scope.condition(line.when)
    if when is None:
        return None
    points, unknown = line.points.whole, line.unknown.whole if line.unknown else 0
    baseline = line.baseline.whole if line.baseline else max(points, 0)
    return PointRule(line.id.text, line.dimension.text, when, points, unknown, baseline, line.reason.text)


def possible_points(item: Item) -> tuple[int, ...]:
    """All numbers of points that the item can give."""
    return (*item.points, item.missing) if isinstance(item, Characteristic) else (item.points, item.unknown, 0)


def reads(item: Item) -> set[str]:
    """The attributes that the item reads."""
    return {item.feature} if isinstance(item, Characteristic) else set(names(item.when))


def _check_budgets(file: ScorecardFile, items: list[Item], report: Report) -> None:
    weights = [n.whole for _, n in file.dimensions]
    if sum(weights) != 100 and file.dimensions:
        message = f"the weights make {sum(weights)}, not 100"
        report.add("R204", message, file.dimensions[0][1].at, "a weight is a share of the range in percent")
    span = file.score.highest.whole - file.score.lowest.whole
    for word, weight in file.dimensions:
        spread = sum(max(possible_points(i)) - min(possible_points(i)) for i in items if i.dimension == word.text)
        budget = weight.whole * span // 100
        if spread > budget:
            message = f"`{word.text}` can move the score by {spread} points: its weight allows {budget}"
            report.add("R203", message, word.at, "lower some points, or its weight must grow")


def _check_guardrails(file: ScorecardFile, items: list[tuple[Line, Item]], guard: Guardrails) -> None:
    relationship_features = guard.relationship_features()
    for line, item in items:
        guard.check_reads(reads(item), file.consent, line.at)
        guard.check_no_alarm_points(reads(item), line.at)
        if isinstance(item, Characteristic):
            guard.check_missing_points(item.feature, item.missing, line.at)
        else:
            guard.check_unknown(item.when, item.unknown < 0, item.points < 0, line.at)
        if reads(item) & relationship_features:
            guard.check_relationship_points(possible_points(item), line.at)
    max_points = [(max(possible_points(i)), line.at) for line, i in items if reads(i) & relationship_features]
    guard.check_relationship_share(max_points, file.score.highest.whole - file.score.lowest.whole)


def _check_range(file: ScorecardFile, report: Report) -> None:
    score = file.score
    if not score.lowest.whole < score.base.whole < score.highest.whole:
        message = "the base lies between the lowest and the highest score"
        report.add("R209", message, score.base.at, "such as 350, 500 and 950")
    lowests, names_ = [b.lowest.whole for b in file.bands], [b.name for b in file.bands]
    if lowests and lowests[0] != score.lowest.whole:
        message = f"the first band starts at {lowests[0]}, the range at {score.lowest.whole}"
        report.add("R206", message, file.bands[0].lowest.at, "every score needs a band")
    for word in (w for n, w in enumerate(names_) if w.text in {v.text for v in names_[:n]}):
        report.add("R015", f"the band `{word.text}` occurs twice", word.at, "a band is known by its name")
    for a, b in pairwise(file.bands):
        if a.lowest.whole >= b.lowest.whole or b.lowest.whole > score.highest.whole:
            report.add(
                "R206", f"the band `{b.name.text}` starts out of order", b.lowest.at, "bands ascend within the range"
            )
