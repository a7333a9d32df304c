"""Define the grammar of each kind of rule file, as tables of types. Both the parser and the JSON Schemas use them."""

import re
from typing import Final

from engine.lang.syntax.ast import (
    BandLine,
    CapLine,
    CaseLine,
    CasesFile,
    ChangeLine,
    CharacteristicLine,
    EntryLine,
    EventLine,
    ExpectLine,
    FieldLine,
    FlagLine,
    HoldLine,
    KnockOutLine,
    ListFile,
    MoveLine,
    OrdersFile,
    PerkLine,
    PerksFile,
    PriorWaiverLine,
    RangeLine,
    RatesFile,
    ReasonsFile,
    RefusalLine,
    RuleLine,
    ScorableLine,
    ScorecardFile,
    StepLine,
    TierLine,
    WaiveLine,
    WatchFile,
)
from engine.lang.syntax.evidence_grammar import EVIDENCE
from engine.lang.syntax.expression_tree import Name, Word
from engine.lang.syntax.feature_grammar import FEATURES
from engine.lang.syntax.money_types import CURRENCY, AmountType, RateType
from engine.lang.syntax.policy_grammar import POLICY
from engine.lang.syntax.schema_types import (
    FEATURE,
    IDENT,
    AnyType,
    BoolType,
    DateType,
    Field,
    ListType,
    NumberType,
    QuantityType,
    RecordType,
    TableType,
    TextType,
)
from engine.lang.syntax.terms import CONDITION, DATE_FIELDS, LANGUAGE, LENGTH, ROLE, WORDS

DEFINE: Final = TableType(IDENT, CONDITION, keep=True)
POINTS: Final = NumberType(-600, 600)
AMOUNT: Final = AmountType()
OUTCOMES: Final = ("ADMIT", "PARTIAL", "DECLINE", "UNSCORABLE")


def _feature(feature: Word, **rest: object) -> CharacteristicLine:
    return CharacteristicLine(Name(feature.text, feature.at), **rest)  # type: ignore[arg-type]


CHARACTERISTIC: Final = RecordType(
    "a characteristic",
    _feature,
    (
        Field("id", IDENT),
        Field("feature", FEATURE),
        Field("dimension", IDENT),
        Field("cuts", ListType(QuantityType(), min_items=1, max_items=40, whole=True)),
        Field("points", ListType(POINTS, min_items=2, max_items=41, whole=True)),
        Field("missing", POINTS),
        Field("reason", IDENT),
        Field("baseline", POINTS, absent=None),
        *DATE_FIELDS,
    ),
)
RULE: Final = RecordType(
    "a rule",
    RuleLine,
    (
        Field("id", IDENT),
        Field("dimension", IDENT),
        Field("when", CONDITION),
        Field("points", POINTS),
        Field("unknown", POINTS, absent=None),
        Field("reason", IDENT),
        Field("baseline", POINTS, absent=None),
        *DATE_FIELDS,
    ),
)
SCORECARD: Final = RecordType(
    "a scorecard",
    ScorecardFile,
    (
        *DATE_FIELDS,
        Field(
            "score",
            RecordType(
                "the score's range",
                RangeLine,
                (Field("lowest", NumberType()), Field("highest", NumberType()), Field("base", NumberType())),
            ),
        ),
        Field("consent", WORDS, absent=()),
        Field(
            "scorable",
            RecordType("a scorable condition", ScorableLine, (Field("when", CONDITION), Field("reason", IDENT))),
        ),
        Field(
            "bands",
            ListType(
                RecordType("a band", BandLine, (Field("name", IDENT), Field("from", NumberType(), to="lowest"))),
                min_items=1,
            ),
        ),
        Field("dimensions", TableType(IDENT, NumberType(0, 100))),
        Field("define", DEFINE, absent=()),
        Field("characteristics", ListType(CHARACTERISTIC)),
        Field("rules", ListType(RULE), absent=()),
    ),
)
KNOCKOUT: Final = RecordType(
    "a knock-out",
    KnockOutLine,
    (
        Field("id", IDENT),
        Field("when", CONDITION),
        Field("unknown", TextType("`decline` or `pass`", among=("decline", "pass"))),
        Field("reason", IDENT),
        *DATE_FIELDS,
    ),
)
WAIVE: Final = RecordType(
    "a waiver",
    WaiveLine,
    (
        Field("fixed", AMOUNT, absent=None),
        Field("share", NumberType(1, 100), absent=None),
        Field("up_to", AMOUNT, absent=None),
    ),
)
TIER: Final = RecordType(
    "a tier", TierLine, (Field("id", IDENT), Field("when", CONDITION), Field("waive", WAIVE), *DATE_FIELDS)
)
REQUEST: Final = RecordType(
    "a field of the request",
    FieldLine,
    (
        Field(
            "type",
            TextType(
                "a type", among=("bool", "int", "decimal", "enum", "string", "date", "timestamp", "duration", "money")
            ),
        ),
        Field("digits", NumberType(1, 6), absent=None),
        Field("values", ListType(TextType(constant=True), min_items=1), absent=()),
        Field("low", QuantityType(), absent=None),
        Field("high", QuantityType(), absent=None),
    ),
)
HOLD: Final = RecordType(
    "a hold",
    HoldLine,
    (Field("granted", CONDITION), Field("kept", CONDITION), Field("days", NumberType(0, 3660))),
)
CAP: Final = RecordType(
    "a cap",
    CapLine,
    (
        Field("waived", AMOUNT, absent=None),
        Field("times", NumberType(1, 100_000), absent=None),
        Field("days", NumberType(1, 3660), absent=None),
        Field("reason", IDENT),
    ),
)
CAPS: Final = ListType(CAP, max_items=20)
PERK: Final = RecordType(
    "a perk",
    PerkLine,
    (
        Field("id", IDENT),
        Field("about", TextType()),
        Field("currency", CURRENCY),
        Field("most", AMOUNT),
        Field("valid_hours", NumberType(1, 24 * 366)),
        Field("partial", BoolType(), absent=True),
        Field("step", AMOUNT, absent=None),
        *DATE_FIELDS,
        Field(
            "request",
            TableType(TextType("the name of a field", re.compile(r"[a-z][a-z0-9_]*")), REQUEST, keep=True),
            absent=(),
        ),
        Field("hold", HOLD, absent=None),
        Field("caps", CAPS, absent=()),
        Field("knockouts", ListType(KNOCKOUT), absent=()),
        Field("tiers", ListType(TIER, min_items=1)),
    ),
)
PERKS: Final = RecordType(
    "a perks file",
    PerksFile,
    (
        *DATE_FIELDS,
        Field("consent", WORDS, absent=()),
        Field("caps", TableType(CURRENCY, CAPS), absent=()),
        Field("define", DEFINE, absent=()),
        Field("perks", ListType(PERK, min_items=1)),
    ),
)
REASONS: Final = RecordType(
    "a reasons file",
    ReasonsFile,
    (
        *DATE_FIELDS,
        Field("languages", ListType(LANGUAGE, min_items=1)),
        Field("reasons", TableType(IDENT, TableType(LANGUAGE, TextType()))),
    ),
)
RATES: Final = RecordType(
    "a rates file",
    RatesFile,
    (
        *DATE_FIELDS,
        Field("base", CURRENCY),
        Field("date", DateType()),
        Field("rates", TableType(CURRENCY, RateType())),
    ),
)
ENTRY: Final = RecordType("an entry", EntryLine, (Field("value", TextType()), Field("until", DateType(), absent=None)))
LIST: Final = RecordType(
    "a list",
    ListFile,
    (Field("id", IDENT), Field("about", TextType()), *DATE_FIELDS, Field("entries", ListType(ENTRY, max_items=20_000))),
)
STEP: Final = RecordType(
    "a step of a pattern",
    StepLine,
    (
        Field("event", IDENT),
        Field("role", ROLE, absent=None),
        Field("where", CONDITION, absent=None),
        Field("times", NumberType(1, 8), absent=None),
    ),
)
FLAG: Final = RecordType(
    "a flag",
    FlagLine,
    (
        Field("id", IDENT),
        Field("about", TextType()),
        Field("steps", ListType(STEP, min_items=1, max_items=8)),
        Field("within", LENGTH),
        Field("same", WORDS, absent=()),
        Field("lasts", LENGTH, absent=None),
        *DATE_FIELDS,
    ),
)
WATCH: Final = RecordType(
    "a watch file",
    WatchFile,
    (*DATE_FIELDS, Field("consent", WORDS, absent=()), Field("flags", ListType(FLAG, max_items=100))),
)
REFUSAL: Final = RecordType(
    "a refusal",
    RefusalLine,
    (
        Field("id", IDENT),
        Field("on", ListType(IDENT, min_items=1)),
        Field("when", CONDITION),
        Field("unknown", TextType("`refuse` or `pass`", among=("refuse", "pass"))),
        Field("code", IDENT),
        *DATE_FIELDS,
    ),
)
MOVE: Final = RecordType(
    "a move",
    MoveLine,
    (
        Field("id", IDENT),
        Field("on", IDENT),
        Field("from", ListType(IDENT, min_items=1), to="states"),
        Field("when", CONDITION, absent=None),
        Field("to", IDENT),
    ),
)
ORDERS: Final = RecordType(
    "an orders file",
    OrdersFile,
    (
        *DATE_FIELDS,
        Field("states", ListType(IDENT, min_items=2)),
        Field("initial", IDENT),
        Field("final", ListType(IDENT, min_items=1)),
        Field("events", ListType(IDENT, min_items=1)),
        Field("define", DEFINE, absent=()),
        Field("refusals", ListType(REFUSAL), absent=()),
        Field("moves", ListType(MOVE, min_items=1)),
    ),
)
EXPECT: Final = RecordType(
    "an expectation",
    ExpectLine,
    (
        Field("score", NumberType(), absent=None),
        Field("band", IDENT, absent=None),
        Field("outcome", TextType("an outcome", among=OUTCOMES), absent=None),
        Field("waived", AMOUNT, absent=None),
        Field("because", WORDS, absent=None),
        Field("held", BoolType(), absent=None),
        Field("met", WORDS, absent=()),
        Field("not_met", WORDS, absent=()),
        Field("unknown", WORDS, absent=()),
        Field("reasons", WORDS, absent=None),
        Field("raised", WORDS, absent=()),
        Field("not_raised", WORDS, absent=()),
        Field("features", TableType(IDENT, AnyType()), absent=()),
        Field("to", IDENT, absent=None),
        Field("code", IDENT, absent=None),
    ),
)
PRIOR_WAIVER: Final = RecordType(
    "an earlier waiver",
    PriorWaiverLine,
    (Field("perk", IDENT), Field("waived", AMOUNT), Field("on", DateType()), Field("open", BoolType(), absent=True)),
)
EVENT: Final = RecordType(
    "an event",
    EventLine,
    (
        Field("event", IDENT),
        Field("on", TextType("a day or a timestamp")),
        Field("role", TextType("a side", among=("subject", "other")), absent=None),
        Field("with", TableType(IDENT, AnyType()), absent=(), to="fields"),
    ),
)
CASE: Final = RecordType(
    "a case",
    CaseLine,
    (
        Field("name", TextType()),
        Field("as_of", DateType(), absent=None),
        Field("score", NumberType(), absent=None),
        Field("perk", IDENT, absent=None),
        Field("amount", AMOUNT, absent=None),
        Field("given", TableType(FEATURE, AnyType()), absent=()),
        Field("events", ListType(EVENT), absent=()),
        Field("used", ListType(PRIOR_WAIVER), absent=()),
        Field("held_since", DateType(), absent=None),
        Field("order", TableType(IDENT, AnyType()), absent=()),
        Field("expect", EXPECT),
    ),
)
CHANGE: Final = RecordType(
    "a rejected change",
    ChangeLine,
    (
        Field("name", TextType()),
        Field("file", TextType()),
        Field("replace", TextType()),
        Field("by", TextType()),
        Field("problems", ListType(TextType("a problem's code", re.compile(r"R\d{3}")), min_items=1)),
    ),
)
CASES: Final = RecordType(
    "a file of cases",
    CasesFile,
    (
        Field("as_of", DateType(), absent=None),
        Field("base", TableType(FEATURE, AnyType()), absent=()),
        Field("cases", ListType(CASE), absent=()),
        Field("changes", ListType(CHANGE), absent=()),
    ),
)
KINDS: Final[dict[str, RecordType]] = {
    "evidence": EVIDENCE,
    "scorecard": SCORECARD,
    "perks": PERKS,
    "reasons": REASONS,
    "policy": POLICY,
    "orders": ORDERS,
    "watch": WATCH,
    "features": FEATURES,
    "rates": RATES,
    "list": LIST,
    "cases": CASES,
}
