"""Check of the scorecard: every point accounted for, no dimension beyond its budget."""

from itertools import pairwise
from typing import Final

from engine.lang.guard import Guard
from engine.lang.lines import CharacteristicLine, RuleLine, ScorecardFile
from engine.lang.problems import Report
from engine.lang.program import Band, Characteristic, PointRule, Scorecard
from engine.lang.quantities import an, how_written
from engine.lang.resolve import Scope
from engine.lang.shapes import suggestion
from engine.lang.syntax import Number, Word
from engine.lang.truths import Const, names
from engine.lang.types import LARGEST, Type, scaled

RESERVED: Final = ("scorable",)  # what the scorecard itself asks under that id

Item = Characteristic | PointRule
Line = CharacteristicLine | RuleLine


def check_scorecard(file: ScorecardFile, scope: Scope, guard: Guard, reasons: frozenset[str]) -> Scorecard:
    """The scorecard that `file` means. Problems go into the scope's report; the result then is of no use."""
    report = scope.report
    scope.defined(w for w, _ in file.define)
    _define(file, scope, guard)
    if not (file.characteristics or file.rules):
        report.add("R011", "a scorecard needs a characteristic or a rule", file.at, "add one under `characteristics`")
    scorable, at = scope.condition(file.scorable.when), file.scorable.at
    if scorable:
        guard.reads(names(scorable), file.consent, at)
        guard.no_ground(scorable, at, "`scorable`")
        guard.not_alone(scorable, at, "`scorable`")
        guard.withheld(scorable, True, False, at)
    dimensions = {w.text: n.whole for w, n in file.dimensions}
    lines: list[Line] = [*file.characteristics, *file.rules]
    _unique([line.id for line in lines], report)
    _known(file.scorable.reason, reasons, "R207", "reason", report)
    for line in lines:
        _known(line.dimension, dimensions, "R205", "dimension", report)
        _known(line.reason, reasons, "R207", "reason", report)
    items: list[tuple[Line, Item]] = []
    for line in lines:
        item = _characteristic(line, scope) if isinstance(line, CharacteristicLine) else _rule(line, scope)
        if item:
            items.append((line, item))
    _budgets(file, [i for _, i in items], report)
    _guarded(file, items, guard)
    _range(file, report)
    return Scorecard(
        file.score.lowest.whole,
        file.score.highest.whole,
        file.score.base.whole,
        scorable or Const(False),
        file.scorable.reason.text,
        tuple(Band(b.name.text, b.lowest.whole) for b in file.bands),
        tuple((w.text, n.whole) for w, n in file.dimensions),
        tuple(i for _, i in items),
    )


def _define(file: ScorecardFile, scope: Scope, guard: Guard) -> None:
    """Definitions are checked even where nothing uses them yet."""
    for _, expr in file.define:
        found = scope.condition(expr) if expr else None
        if expr and found:
            guard.reads(names(found), file.consent, expr.at)


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
    found = scaled(cut.text, type_)
    if found is None:
        report.add("R104", f"`{cut.text}` does not fit {an(type_)}", cut.at, how_written(type_))
    elif abs(found) > LARGEST:
        report.add("R104", f"`{cut.text}` is larger than any value", cut.at)
    return found


def _rule(line: RuleLine, scope: Scope) -> PointRule | None:
    when = scope.condition(line.when)
    if when is None:
        return None
    points, unknown = line.points.whole, line.unknown.whole if line.unknown else 0
    baseline = line.baseline.whole if line.baseline else max(points, 0)
    return PointRule(line.id.text, line.dimension.text, when, points, unknown, baseline, line.reason.text)


def possible(item: Item) -> tuple[int, ...]:
    """Every number of points that the item can give."""
    return (*item.points, item.missing) if isinstance(item, Characteristic) else (item.points, item.unknown, 0)


def reads(item: Item) -> set[str]:
    """The attributes that the item reads."""
    return {item.feature} if isinstance(item, Characteristic) else set(names(item.when))


def _budgets(file: ScorecardFile, items: list[Item], report: Report) -> None:
    weights = [n.whole for _, n in file.dimensions]
    if sum(weights) != 100 and file.dimensions:
        message = f"the weights make {sum(weights)}, not 100"
        report.add("R204", message, file.dimensions[0][1].at, "a weight is a share of the range in percent")
    span = file.score.highest.whole - file.score.lowest.whole
    for word, weight in file.dimensions:
        spread = sum(max(possible(i)) - min(possible(i)) for i in items if i.dimension == word.text)
        budget = weight.whole * span // 100
        if spread > budget:
            message = f"`{word.text}` can move the score by {spread} points: its weight allows {budget}"
            report.add("R203", message, word.at, "lower some points, or its weight must grow")


def _guarded(file: ScorecardFile, items: list[tuple[Line, Item]], guard: Guard) -> None:
    related = guard.relationships()
    for line, item in items:
        guard.reads(reads(item), file.consent, line.at)
        guard.no_points(reads(item), line.at)
        if isinstance(item, Characteristic):
            guard.missing(item.feature, item.missing, line.at)
        else:
            guard.withheld(item.when, item.unknown < 0, item.points < 0, line.at)
        if reads(item) & related:
            guard.never_lowers(possible(item), line.at)
    most = [(max(possible(i)), line.at) for line, i in items if reads(i) & related]
    guard.share(most, file.score.highest.whole - file.score.lowest.whole)


def _range(file: ScorecardFile, report: Report) -> None:
    score = file.score
    if not score.lowest.whole < score.base.whole < score.highest.whole:
        message = "the base lies between the lowest and the highest score"
        report.add("R209", message, score.base.at, "such as 350, 500 and 950")
    lowests, names_ = [b.lowest.whole for b in file.bands], [b.name for b in file.bands]
    if lowests and lowests[0] != score.lowest.whole:
        message = f"the first band starts at {lowests[0]}, the range at {score.lowest.whole}"
        report.add("R206", message, file.bands[0].lowest.at, "every score needs a band")
    for word in (w for n, w in enumerate(names_) if w.text in {v.text for v in names_[:n]}):
        report.add("R015", f"the band `{word.text}` stands twice", word.at, "a band is known by its name")
    for a, b in pairwise(file.bands):
        if a.lowest.whole >= b.lowest.whole or b.lowest.whole > score.highest.whole:
            report.add(
                "R206", f"the band `{b.name.text}` starts out of order", b.lowest.at, "bands ascend within the range"
            )


def _unique(ids: list[Word], report: Report) -> None:
    seen: dict[str, Word] = {}
    for word in ids:
        if word.text in seen:
            hint = f"it stands on line {seen[word.text].at.line} already"
            report.add("R015", f"the id `{word.text}` stands twice", word.at, hint)
        if word.text in RESERVED:
            report.add("R015", f"the id `{word.text}` is the scorecard's own", word.at, "choose another")
        seen.setdefault(word.text, word)


def _known(word: Word, known: frozenset[str] | dict[str, int], code: str, what: str, report: Report) -> None:
    if word.text not in known:
        report.add(code, f"unknown {what} `{word.text}`", word.at, suggestion(word.text, known))
