"""Export the scorecard for other engines, as a PMML 4.4 Scorecard (http://dmg.org/pmml/v4-4/Scorecard.html).

Numbers are doubles in the feature's own unit (0.85, not 85; moments are days or seconds since 1970-01-01). We lose
nothing: doubles keep whole numbers up to 2^53, and decimals of up to 15 significant digits, distinct and in order
(DBL_DIG of ISO C). So a comparison gives the same result as on our integers. In sums, we first convert each decimal to
the whole number that we use ourselves, and no part of a sum may exceed 2^53. We reject everything that PMML cannot
express exactly.

PMML's predicates are Kleene's, but all predicates of a characteristic must read one field. So the status of a rule is a
derived field: true, false or missing. PMML's functions are not Kleene's. So a status uses two conditions that are never
missing themselves: the rule is certainly met, and it is certainly not met. We push negations to the leaves, and a leaf
with a missing value is false, as for durable-rules (`engine.lang.engines.lowering`).

The consuming evaluator ranks the reasons: baseline minus points, summed by code. Evaluators differ for a code that
costs nothing: PMML4S 1.5 omits it, as we do, but JPMML 1.7 returns it. So the first baseline of each code is half a
point lower than ours. This changes no order, but a code that costs nothing is now better than its baseline, and neither
evaluator returns it. Ties follow the order of the file, as ours do; only PMML4S returns them in reverse alphabetical
order. PMML4S also repeats the last reason up to the fourth: the outputs `reason_2` to `reason_4` remove the repetition.
"""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Final
from xml.etree.ElementTree import Element, indent, tostring

from engine.decide.scorecard import MAX_REASONS
from engine.errors import Rejected
from engine.lang.model.conditions import (
    AS_OF,
    And,
    Attr,
    AttrKnown,
    AttrsEqual,
    Cmp,
    Const,
    DayStart,
    Flag,
    InList,
    Int,
    Not,
    Num,
    Op,
    Or,
    Same,
    Truth,
    names,
)
from engine.lang.model.program import Characteristic, PointRule, Program, Scorecard
from engine.lang.model.timezones import start_second
from engine.lang.model.types import DATE, DAY, Attribute, Schema

NAMESPACE: Final = "http://www.dmg.org/PMML-4_4"
DECLARATION: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'
MAX_EXACT_INTEGER: Final = 2**53  # the largest magnitude up to which doubles represent every whole number
MAX_EXACT_DECIMAL: Final = 10**15  # as doubles, decimals of up to 15 significant digits are distinct
STATUS_PREFIX: Final = "status:"  # no feature and no id contains a colon
SCORABLE: Final = "scorable"
HALF_POINT: Final = 0.5  # of a point: less than any difference of points
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
    """The scorecard in force on a day, counted from 1970-01-01, as a PMML 4.4 document. Deterministic.

    PMML has no day of evaluation. So `as_of` is a constant, and lists have their entries of that day. Raises Rejected
    for rules that PMML cannot express.
    """
    card = program.scorecard
    schema = {**program.schema, AS_OF: Attribute(AS_OF, replace(DATE, low=day, high=day))}
    fields = [schema[name] for name in sorted(_features_read(card) - {AS_OF})]
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


def _features_read(card: Scorecard) -> set[str]:
    """The features that the scorecard reads."""
    rules = {name for item in card.items if isinstance(item, PointRule) for name in names(item.when)}
    return rules | {i.feature for i in card.items if isinstance(i, Characteristic)} | set(names(card.scorable))


def _element(tag: str, /, *children: Element, text: str | None = None, **attributes: str) -> Element:
    element = Element(tag, attributes)
    element.text = text
    element.extend(children)
    return element


def _header(program: Program) -> Element:
    return _element(
        "Header",
        _element("Application", name="Iftah"),
        *(_element("Annotation", text=note) for note in NOTES),
        description="The scorecard of an Iftah release; its id is the model's version",
        modelVersion=program.release,
    )


def _field(attribute: Attribute) -> Element:
    """A feature and its possible values; all others are invalid."""
    type_ = attribute.type
    display_name = f"{attribute.name}, {_unit(attribute)}" if _unit(attribute) else attribute.name
    if not type_.numeric:  # a string has no list of values, so any is valid
        values = [_element("Value", value=v) for v in type_.values]
        kind = "boolean" if type_.kind == "bool" else "string"
        return _element(
            "DataField", *values, name=attribute.name, displayName=display_name, optype="categorical", dataType=kind
        )
    bounds = {"leftMargin": _natural(type_.low, attribute), "rightMargin": _natural(type_.high, attribute)}
    interval = _element("Interval", closure="closedClosed", **bounds)
    return _element(
        "DataField", interval, name=attribute.name, displayName=display_name, optype="continuous", dataType="double"
    )


def _unit(attribute: Attribute) -> str:
    kind = attribute.type.kind
    if kind == "duration":
        return "days" if attribute.type.unit == DAY else "seconds"
    if attribute.type.currency:
        return attribute.type.currency
    return {"date": "days since 1970-01-01", "timestamp": "seconds since 1970-01-01"}.get(kind, attribute.unit)


def _natural(value: int, attribute: Attribute) -> str:
    """The value in the feature's own unit. Raises Rejected if its double equals that of a neighbour."""
    digits = attribute.type.digits
    if abs(value) > MAX_EXACT_INTEGER or (digits and abs(value) >= MAX_EXACT_DECIMAL):
        written = f"{Decimal(value).scaleb(-digits):f}"
        hint = "give the feature narrower bounds, or fewer digits"
        raise _rejection(f"PMML's doubles do not tell `{written}` from its neighbours", attribute.name, hint)
    return f"{Decimal(value).scaleb(-digits):f}" if digits else f"{value}.0"  # without a point, JPMML reads 32 bits


def _rejection(message: str, where: str, hint: str) -> Rejected:
    return Rejected(message, where=where, hint=hint, code="not_in_pmml")


def _scorecard(card: Scorecard, schema: Schema, fields: list[Attribute]) -> Element:
    mining = [
        _element("MiningField", name=f.name, missingValueTreatment="asIs", invalidValueTreatment="returnInvalid")
        for f in fields
    ]
    scorable = _derived_field(SCORABLE, _surely(card.scorable, True, schema))
    statuses = [_derived_field(i.id, _status(i.when, schema)) for i in card.items if isinstance(i, PointRule)]
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
    seen_codes: set[str] = set()
    for item in card.items:
        baseline = item.baseline if item.reason in seen_codes else item.baseline - HALF_POINT
        seen_codes.add(item.reason)
        yield _characteristic(item, baseline, schema)


def _characteristic(item: Characteristic | PointRule, baseline: float, schema: Schema) -> Element:
    if isinstance(item, Characteristic):
        predicates = [(item.missing, _missing(item.feature))]
        predicates += [(points, _bin(bin_, schema)) for points, bin_ in zip(item.points, item.bins(), strict=True)]
    else:
        status = STATUS_PREFIX + item.id
        predicates = [
            (item.points, _simple(status, "equal", "true")),
            (0, _simple(status, "equal", "false")),
            (item.unknown, _missing(status)),
        ]
    return _element(
        "Characteristic",
        _element("Extension", name="dimension", value=item.dimension),
        *(_element("Attribute", predicate, partialScore=str(points)) for points, predicate in predicates),
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
            raise AssertionError(truth)  # a bin consists of comparisons with cuts


def _simple(field: str, operator: str, value: str) -> Element:
    return _element("SimplePredicate", field=field, operator=operator, value=value)


def _missing(field: str) -> Element:
    return _element("SimplePredicate", field=field, operator="isMissing")


def _outputs(card: Scorecard) -> list[Element]:
    """The outputs: `score`, `band`, `scorable` and four reasons. `points` and the ranked codes are intermediate."""
    ranks = range(1, MAX_REASONS + 1)
    codes = [_output(f"code_{n}", "string", feature="reasonCode", rank=str(n), isFinalResult="false") for n in ranks]
    score = _apply("max", _constant(card.lowest), _apply("min", _constant(card.highest), _ref("points")))
    band = _constant(card.bands[0].name)
    for upper_band in card.bands[1:]:
        is_reached = _apply("greaterOrEqual", _ref("score"), _constant(upper_band.lowest), mapMissingTo="false")
        band = _apply("if", is_reached, _constant(upper_band.name), band)
    return [
        _output("points", "double", feature="predictedValue", isFinalResult="false"),
        *codes,
        _transformed_output(SCORABLE, "boolean", _ref(STATUS_PREFIX + SCORABLE)),
        _transformed_output("score", "double", _when_scorable(score)),
        _transformed_output("band", "string", _when_scorable(band)),
        _transformed_output("reason_1", "string", _when_scorable(_ref("code_1"), _constant(card.unscorable))),
        *(_transformed_output(f"reason_{n}", "string", _next_reason(n)) for n in ranks[1:]),
    ]


def _next_reason(rank: int) -> Element:
    """The code of that rank, unless it repeats the one before it."""
    another = _apply("notEqual", _ref(f"code_{rank}"), _ref(f"code_{rank - 1}"), mapMissingTo="false")
    return _when_scorable(_apply("if", another, _ref(f"code_{rank}")))


def _when_scorable(*expressions: Element) -> Element:
    return _apply("if", _ref(SCORABLE), *expressions)


def _output(name: str, kind: str, *children: Element, **more: str) -> Element:
    optype = "continuous" if kind == "double" else "categorical"
    return _element("OutputField", *children, name=name, optype=optype, dataType=kind, **more)


def _transformed_output(name: str, kind: str, expression: Element) -> Element:
    return _output(name, kind, expression, feature="transformedValue")


def _derived_field(name: str, expression: Element) -> Element:
    return _element("DerivedField", expression, name=STATUS_PREFIX + name, optype="categorical", dataType="boolean")


def _apply(function: str, *children: Element, **more: str) -> Element:
    return _element("Apply", *children, function=function, **more)


def _ref(field: str) -> Element:
    return _element("FieldRef", field=field)


def _constant(value: bool | int | str, kind: str | None = None) -> Element:
    kind = kind or ("boolean" if isinstance(value, bool) else "string" if isinstance(value, str) else "double")
    return _element("Constant", text=str(value).lower() if isinstance(value, bool) else str(value), dataType=kind)


def _status(truth: Truth, schema: Schema) -> Element:
    """True if certainly met, false if certainly not, otherwise missing: an `if` without an else gives missing."""
    otherwise = _apply("if", _surely(truth, False, schema), _constant(False))
    return _apply("if", _surely(truth, True, schema), _constant(True), otherwise)


def _surely(truth: Truth, want: bool, schema: Schema) -> Element:
    """An expression that is true exactly if `truth` certainly is `want`, and otherwise false: never missing."""
    match truth:
        case Const(value):
            return _constant(value is want)
        case AttrKnown(name) if name == AS_OF:
            return _constant(want)
        case AttrKnown(name):
            return _apply("isNotMissing" if want else "isMissing", _ref(name))
        case Flag(name):
            return _apply("equal", _ref(name), _constant(want), mapMissingTo="false")
        case Same(name, value):
            return _apply("equal" if want else "notEqual", _ref(name), _constant(value), mapMissingTo="false")
        case AttrsEqual(left, right):
            present = [_apply("isNotMissing", _ref(name)) for name in (left, right)]
            comparison = _apply("equal" if want else "notEqual", _ref(left), _ref(right))
            return _apply("if", _apply("and", *present), comparison, _constant(False))
        case InList(name):
            return _in_list(truth, want, schema)
        case Cmp():
            return _comparison(truth, want, schema)
        case Not(part):
            return _surely(part, not want, schema)
        case And(parts) | Or(parts):
            inner = [_surely(p, want, schema) for p in parts]
            all_of = isinstance(truth, And) == want
            if len(inner) < 2:  # PMML's `and` and `or` need at least two operands
                return inner[0] if inner else _constant(all_of)
            return _apply("and" if all_of else "or", *inner)


def _in_list(truth: InList, want: bool, schema: Schema) -> Element:
    """Whether a value is in the list on the day: an `or` of equalities, guarded against missing values."""
    type_ = schema[truth.name].type
    entries = sorted(truth.on(schema[AS_OF].type.low))
    equalities = (
        _apply(
            "equal",
            _ref(truth.name),
            _constant(_natural(int(v), schema[truth.name]), "double") if type_.numeric else _constant(v),
        )
        for v in entries
    )
    tests = [_apply("not", e) for e in equalities] if not want else list(equalities)
    either = _apply("or" if want else "and", *tests) if len(tests) > 1 else [*tests, _constant(not want)][0]
    return _apply("if", _apply("isNotMissing", _ref(truth.name)), either, _constant(False))


def _comparison(cmp: Cmp, want: bool, schema: Schema) -> Element:
    function = FUNCTIONS[cmp.op if want else OPPOSITE[cmp.op]]
    match cmp.left, cmp.right:
        case Attr(name), Int(value) if name != AS_OF:
            constant = _constant(_natural(value, schema[name]), "double")
            return _apply(function, _ref(name), constant, mapMissingTo="false")
        case left, right:
            read = sorted({*names(left), *names(right)} - {AS_OF})
            present = [_apply("isNotMissing", _ref(name)) for name in read]
            comparison = _apply(function, _whole(left, schema), _whole(right, schema))
            if not present:
                return comparison
            guard = present[0] if len(present) == 1 else _apply("and", *present)
            return _apply("if", guard, comparison, _constant(False))


def _whole(num: Num, schema: Schema) -> Element:
    """The number as the whole number that we use.

    Only valid if every part is known, because not all functions accept missing values.
    """
    low, high = _bounds(num, schema)
    if max(-low, high) > MAX_EXACT_INTEGER:
        where = ", ".join(sorted(set(names(num)))) or "scorecard"
        raise _rejection("a sum can grow beyond 2^53, and doubles round there", where, "use narrower features")
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
                raise _rejection("PMML has no time zones", where, "compare dates with dates, or with `as_of`")
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
