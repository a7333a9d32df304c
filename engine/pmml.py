"""PMML: the scorecard for other people's engines, as a PMML 4.4 Scorecard (http://dmg.org/pmml/v4-4/Scorecard.html).

Numbers are doubles in the feature's own unit (0.85, not 85; moments are days or seconds since 1970-01-01), and nothing is lost:
doubles keep whole numbers up to 2^53, and decimals of up to 15 significant digits, apart and in order (DBL_DIG
of ISO C), so a comparison comes out as it does on our integers. In sums each decimal is first made the whole number that
we hold, and no part of a sum may pass 2^53. What cannot be said exactly is refused.

PMML's predicates are Kleene's, but all those of a characteristic must read one field. So a rule's status is a derived
field, true, false or missing. PMML's functions are not Kleene's, so a status asks two conditions which are never missing
themselves: whether the rule is surely met, and whether it surely is not. Negation is pushed to the leaves, and a leaf
over a missing value is false, as for durable-rules (`engine.lang.lower`).

Reasons are ranked by the evaluator: baseline minus points, summed by code. They differ over a code that cost nothing:
PMML4S 1.5 leaves it out, as we do, and JPMML 1.7 gives it. So the first baseline of each code is half a point lower than
ours: no order changes, and what cost nothing does better than its baseline, where neither gives it. Ties go by order in
the file, as ours do; PMML4S alone gives them in reverse alphabetical order. It also repeats the last reason up to the
fourth: the outputs `reason_2` to `reason_4` take that out again.
"""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Final
from xml.etree.ElementTree import Element, indent, tostring

from engine.errors import Refused
from engine.lang.program import Characteristic, PointRule, Program, Scorecard
from engine.lang.timezones import start_second
from engine.lang.truths import (
    AS_OF,
    Alike,
    And,
    Attr,
    Cmp,
    Const,
    DayStart,
    Flag,
    InList,
    Int,
    Known,
    Not,
    Num,
    Op,
    Or,
    Same,
    Truth,
    names,
)
from engine.lang.types import DATE, DAY, Attribute, Schema
from engine.scorecard import MOST_REASONS

NAMESPACE: Final = "http://www.dmg.org/PMML-4_4"
DECLARATION: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'
EXACT_WHOLE: Final = 2**53  # the largest magnitude up to which doubles hold every whole number
EXACT_DIGITS: Final = 10**15  # decimals of up to 15 significant digits stay apart as doubles
STATUS: Final = "status:"  # a colon: no feature and no id has one
SCORABLE: Final = "scorable"
HALF: Final = 0.5  # a point: less than any difference of points
FUNCTIONS: Final = {
    "==": "equal",
    "!=": "notEqual",
    "<": "lessThan",
    "<=": "lessOrEqual",
    ">": "greaterThan",
    ">=": "greaterOrEqual",
}
OPPOSITE: Final = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}
NOTES: Final = (
    "Numbers are in each field's own unit. A value outside of its field's interval is invalid: there is no result then.",
    "Where scorable is false there is no score and no band, and the one reason says why.",
    "The first baseline of each reason code is half a point low, so that a code which cost nothing is no reason.",
)


def document(program: Program, day: int) -> str:
    """The scorecard as it stands on a day, counted from 1970-01-01, as a PMML 4.4 document: the same text every time.

    PMML knows no day: `as_of` is that day, and lists are as they are on it. Raises Refused for what PMML cannot hold.
    """
    card = program.scorecard
    schema = {**program.schema, AS_OF: Attribute(AS_OF, replace(DATE, low=day, high=day))}
    fields = [schema[name] for name in sorted(_read(card) - {AS_OF})]
    root = _element(
        "PMML",
        _header(program),
        _element("DataDictionary", *map(_field, fields), numberOfFields=str(len(fields))),
        _scorecard(card, schema, fields),
        xmlns=NAMESPACE,
        version="4.4",
    )
    indent(root)
    return DECLARATION + tostring(root, encoding="unicode") + "\n"


def _read(card: Scorecard) -> set[str]:
    """The features that the scorecard reads."""
    rules = {name for item in card.items if isinstance(item, PointRule) for name in names(item.when)}
    return rules | {i.feature for i in card.items if isinstance(i, Characteristic)} | set(names(card.scorable))


def _element(tag: str, /, *inside: Element, text: str | None = None, **attributes: str) -> Element:
    made = Element(tag, attributes)
    made.text = text
    made.extend(inside)
    return made


def _header(program: Program) -> Element:
    return _element(
        "Header",
        _element("Application", name="Iftah"),
        *(_element("Annotation", text=note) for note in NOTES),
        description="The scorecard of an Iftah release; its id is the model's version",
        modelVersion=program.release,
    )


def _field(attribute: Attribute) -> Element:
    """A feature and the values that it can have; others are invalid."""
    type_, shown = attribute.type, f"{attribute.name}, {_unit(attribute)}" if _unit(attribute) else attribute.name
    if not type_.numeric:  # a string has no list of values: any is valid
        values = [_element("Value", value=v) for v in type_.values]
        kind = "boolean" if type_.kind == "bool" else "string"
        return _element(
            "DataField", *values, name=attribute.name, displayName=shown, optype="categorical", dataType=kind
        )
    bounds = {"leftMargin": _natural(type_.low, attribute), "rightMargin": _natural(type_.high, attribute)}
    interval = _element("Interval", closure="closedClosed", **bounds)
    return _element(
        "DataField", interval, name=attribute.name, displayName=shown, optype="continuous", dataType="double"
    )


def _unit(attribute: Attribute) -> str:
    kind = attribute.type.kind
    if kind == "duration":
        return "days" if attribute.type.unit == DAY else "seconds"
    return {"date": "days since 1970-01-01", "timestamp": "seconds since 1970-01-01"}.get(kind, attribute.unit)


def _natural(value: int, attribute: Attribute) -> str:
    """A value in the feature's own unit, if a double tells it from its neighbours."""
    digits = attribute.type.digits
    if abs(value) > EXACT_WHOLE or (digits and abs(value) >= EXACT_DIGITS):
        written = f"{Decimal(value).scaleb(-digits):f}"
        hint = "give the feature narrower bounds, or fewer digits"
        raise _refused(f"PMML's doubles do not tell `{written}` from its neighbours", attribute.name, hint)
    return f"{Decimal(value).scaleb(-digits):f}" if digits else f"{value}.0"  # a point, or JPMML takes 32 bits


def _refused(message: str, where: str, hint: str) -> Refused:
    return Refused(message, where=where, hint=hint, code="not_in_pmml")


def _scorecard(card: Scorecard, schema: Schema, fields: list[Attribute]) -> Element:
    mining = [
        _element("MiningField", name=f.name, missingValueTreatment="asIs", invalidValueTreatment="returnInvalid")
        for f in fields
    ]
    scorable = _derived(SCORABLE, _surely(card.scorable, True, schema))
    statuses = [_derived(i.id, _status(i.when, schema)) for i in card.items if isinstance(i, PointRule)]
    return _element(
        "Scorecard",
        _element("MiningSchema", *mining),
        _element("Output", *_outputs(card)),
        _element("LocalTransformations", scorable, *statuses),
        _element("Characteristics", *_characteristics(card, schema)),
        modelName="trust",
        functionName="regression",
        initialScore=str(card.base),
        useReasonCodes="true",
        reasonCodeAlgorithm="pointsBelow",
        baselineMethod="other",
    )


def _characteristics(card: Scorecard, schema: Schema) -> Iterator[Element]:
    seen: set[str] = set()
    for item in card.items:
        lowered = item.baseline if item.reason in seen else item.baseline - HALF
        seen.add(item.reason)
        yield _characteristic(item, lowered, schema)


def _characteristic(item: Characteristic | PointRule, baseline: float, schema: Schema) -> Element:
    if isinstance(item, Characteristic):
        found = [(item.missing, _missing(item.feature))]
        found += [(points, _bin(bin_, schema)) for points, bin_ in zip(item.points, item.bins(), strict=True)]
    else:
        status = STATUS + item.id
        found = [
            (item.points, _simple(status, "equal", "true")),
            (0, _simple(status, "equal", "false")),
            (item.unknown, _missing(status)),
        ]
    return _element(
        "Characteristic",
        _element("Extension", name="dimension", value=item.dimension),
        *(_element("Attribute", predicate, partialScore=str(points)) for points, predicate in found),
        name=item.id,
        reasonCode=item.reason,
        baselineScore=str(baseline),
    )


def _bin(truth: Truth, schema: Schema) -> Element:
    match truth:
        case Cmp(op, Attr(name), Int(value)):
            return _simple(name, FUNCTIONS[op], _natural(value, schema[name]))
        case And(parts):
            return _element("CompoundPredicate", *(_bin(p, schema) for p in parts), booleanOperator="and")
        case _:
            raise AssertionError(truth)  # a bin is comparisons with cuts


def _simple(field: str, operator: str, value: str) -> Element:
    return _element("SimplePredicate", field=field, operator=operator, value=value)


def _missing(field: str) -> Element:
    return _element("SimplePredicate", field=field, operator="isMissing")


def _outputs(card: Scorecard) -> list[Element]:
    """What comes out: `score`, `band`, `scorable` and four reasons; `points` and the codes as ranked only on the way."""
    ranks = range(1, MOST_REASONS + 1)
    codes = [_output(f"code_{n}", "string", feature="reasonCode", rank=str(n), isFinalResult="false") for n in ranks]
    score = _apply("max", _constant(card.lowest), _apply("min", _constant(card.highest), _ref("points")))
    band = _constant(card.bands[0].name)
    for found in card.bands[1:]:
        reached = _apply("greaterOrEqual", _ref("score"), _constant(found.lowest), mapMissingTo="false")
        band = _apply("if", reached, _constant(found.name), band)
    return [
        _output("points", "double", feature="predictedValue", isFinalResult="false"),
        *codes,
        _transformed(SCORABLE, "boolean", _ref(STATUS + SCORABLE)),
        _transformed("score", "double", _when_scorable(score)),
        _transformed("band", "string", _when_scorable(band)),
        _transformed("reason_1", "string", _when_scorable(_ref("code_1"), _constant(card.unscorable))),
        *(_transformed(f"reason_{n}", "string", _next_reason(n)) for n in ranks[1:]),
    ]


def _next_reason(rank: int) -> Element:
    """The code of that rank, unless it is the one before it again."""
    another = _apply("notEqual", _ref(f"code_{rank}"), _ref(f"code_{rank - 1}"), mapMissingTo="false")
    return _when_scorable(_apply("if", another, _ref(f"code_{rank}")))


def _when_scorable(*expressions: Element) -> Element:
    return _apply("if", _ref(SCORABLE), *expressions)


def _output(name: str, kind: str, *inside: Element, **more: str) -> Element:
    optype = "continuous" if kind == "double" else "categorical"
    return _element("OutputField", *inside, name=name, optype=optype, dataType=kind, **more)


def _transformed(name: str, kind: str, expression: Element) -> Element:
    return _output(name, kind, expression, feature="transformedValue")


def _derived(name: str, expression: Element) -> Element:
    return _element("DerivedField", expression, name=STATUS + name, optype="categorical", dataType="boolean")


def _apply(function: str, *inside: Element, **more: str) -> Element:
    return _element("Apply", *inside, function=function, **more)


def _ref(field: str) -> Element:
    return _element("FieldRef", field=field)


def _constant(value: bool | int | str, kind: str | None = None) -> Element:
    kind = kind or ("boolean" if isinstance(value, bool) else "string" if isinstance(value, str) else "double")
    return _element("Constant", text=str(value).lower() if isinstance(value, bool) else str(value), dataType=kind)


def _status(truth: Truth, schema: Schema) -> Element:
    """True when surely met, false when surely not; else missing, which an `if` without an else gives."""
    otherwise = _apply("if", _surely(truth, False, schema), _constant(False))
    return _apply("if", _surely(truth, True, schema), _constant(True), otherwise)


def _surely(truth: Truth, want: bool, schema: Schema) -> Element:
    """What is true exactly when `truth` surely is `want`, and else false: never missing."""
    match truth:
        case Const(value):
            return _constant(value is want)
        case Known(name) if name == AS_OF:
            return _constant(want)
        case Known(name):
            return _apply("isNotMissing" if want else "isMissing", _ref(name))
        case Flag(name):
            return _apply("equal", _ref(name), _constant(want), mapMissingTo="false")
        case Same(name, value):
            return _apply("equal" if want else "notEqual", _ref(name), _constant(value), mapMissingTo="false")
        case Alike(left, right):
            known = [_apply("isNotMissing", _ref(name)) for name in (left, right)]
            asked = _apply("equal" if want else "notEqual", _ref(left), _ref(right))
            return _apply("if", _apply("and", *known), asked, _constant(False))
        case InList(name):
            return _listed(truth, want, schema)
        case Cmp():
            return _comparison(truth, want, schema)
        case Not(part):
            return _surely(part, not want, schema)
        case And(parts) | Or(parts):
            inner = [_surely(p, want, schema) for p in parts]
            every = isinstance(truth, And) == want
            if len(inner) < 2:  # PMML's `and` and `or` take two at least
                return inner[0] if inner else _constant(every)
            return _apply("and" if every else "or", *inner)


def _listed(truth: InList, want: bool, schema: Schema) -> Element:
    """Whether a value is in the list as it is on the day: an `or` of equalities, guarded against what is missing."""
    type_ = schema[truth.name].type
    found = sorted(truth.on(schema[AS_OF].type.low))
    equal = (
        _apply(
            "equal",
            _ref(truth.name),
            _constant(_natural(int(v), schema[truth.name]), "double") if type_.numeric else _constant(v),
        )
        for v in found
    )
    asked = [_apply("not", e) for e in equal] if not want else list(equal)
    either = _apply("or" if want else "and", *asked) if len(asked) > 1 else [*asked, _constant(not want)][0]
    return _apply("if", _apply("isNotMissing", _ref(truth.name)), either, _constant(False))


def _comparison(cmp: Cmp, want: bool, schema: Schema) -> Element:
    function = FUNCTIONS[cmp.op if want else OPPOSITE[cmp.op]]
    match cmp.left, cmp.right:
        case Attr(name), Int(value) if name != AS_OF:
            constant = _constant(_natural(value, schema[name]), "double")
            return _apply(function, _ref(name), constant, mapMissingTo="false")
        case left, right:
            read = sorted({*names(left), *names(right)} - {AS_OF})
            known = [_apply("isNotMissing", _ref(name)) for name in read]
            asked = _apply(function, _whole(left, schema), _whole(right, schema))
            if not known:
                return asked
            guard = known[0] if len(known) == 1 else _apply("and", *known)
            return _apply("if", guard, asked, _constant(False))


def _whole(num: Num, schema: Schema) -> Element:
    """The number as the whole number that we hold. Asked only where every part is known: not all functions take less."""
    low, high = _bounds(num, schema)
    if max(-low, high) > EXACT_WHOLE:
        where = ", ".join(sorted(set(names(num)))) or "scorecard"
        raise _refused("a sum can grow beyond 2^53, and doubles round there", where, "use narrower features")
    match num:
        case Int(value):
            return _constant(value)
        case Attr(name) if name == AS_OF:
            return _constant(schema[AS_OF].type.low)
        case Attr(name):
            power = _constant(10 ** schema[name].type.digits)
            return _apply("rint", _apply("*", _ref(name), power)) if schema[name].type.digits else _ref(name)
        case DayStart():
            if low != high:
                where = ", ".join(sorted(set(names(num))))
                raise _refused("PMML has no time zones", where, "compare dates with dates, or with `as_of`")
            return _constant(low)
        case Op(op, left, right):
            return _apply(op, _whole(left, schema), _whole(right, schema))


def _bounds(num: Num, schema: Schema) -> tuple[int, int]:
    match num:
        case Int(value):
            return value, value
        case Attr(name):
            type_ = schema[name].type
            return type_.low, type_.high
        case DayStart(day, timezone):
            first, last = _bounds(day, schema)
            return start_second(timezone, first), start_second(timezone, last)
        case Op(op, left, right):
            (a, b), (c, d) = _bounds(left, schema), _bounds(right, schema)
            corners = {"+": (a + c, b + d), "-": (a - d, b - c), "*": (a * c, a * d, b * c, b * d)}[op]
            return min(corners), max(corners)
