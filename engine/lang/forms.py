"""Forms: what each kind of rule file may hold, as tables of shapes. The parser and the JSON Schemas are made of them."""

import re
from typing import Final

from engine.lang.lines import (
    BandLine,
    CapLine,
    CaseLine,
    CasesFile,
    ChangeLine,
    CharacteristicLine,
    EntryLine,
    ExpectLine,
    FieldLine,
    FlagLine,
    HappenedLine,
    HoldLine,
    KnockOutLine,
    ListFile,
    MoveLine,
    OrdersFile,
    PerkLine,
    PerksFile,
    PolicyFile,
    RangeLine,
    ReasonsFile,
    RefusalLine,
    RuleLine,
    ScorableLine,
    ScorecardFile,
    StepLine,
    TierLine,
    UsedLine,
    WaiveLine,
    WatchFile,
)
from engine.lang.problems import Span
from engine.lang.shapes import (
    FEATURE,
    IDENT,
    Condition,
    Day,
    Field,
    Many,
    Numeral,
    Quantity,
    Raw,
    Record,
    Table,
    Text,
    YesNo,
)
from engine.lang.syntax import Name, Word
from engine.lang.timezones import UTC_NAME, names

CONDITION: Final = Condition()
WORDS: Final = Many(IDENT)
DEFINE: Final = Table(IDENT, CONDITION, keep=True)
POINTS: Final = Numeral(-600, 600)
DATED: Final = (Field("from", Day(), absent=None, to="since"), Field("until", Day(), absent=None))
CURRENCY: Final = Text("a currency", among=("CNY", "CZK", "EUR", "GBP", "HKD", "JPY", "USD"))
LANGUAGE: Final = Text("a language", re.compile(r"[a-z]{2,3}(-[A-Za-z]{2,4})?"), hint="write en, zh or pt-BR")
LENGTH: Final = Text("a duration", re.compile(r"[1-9][0-9]{0,5}[dhms]"), hint="write 30d, 12h, 45m or 90s")
ROLE: Final = Text("a side", among=("subject", "other", "either"))
ZONE_HINT: Final = "write an IANA name such as Asia/Shanghai"
AMOUNT: Final = Numeral(0, 1_000_000_000, whole=False)
OUTCOMES: Final = ("ADMIT", "PARTIAL", "DECLINE", "UNSCORABLE")


def _feature(feature: Word, **rest: object) -> CharacteristicLine:
    return CharacteristicLine(Name(feature.text, feature.at), **rest)  # type: ignore[arg-type]


CHARACTERISTIC: Final = Record(
    "a characteristic",
    _feature,
    (
        Field("id", IDENT),
        Field("feature", FEATURE),
        Field("dimension", IDENT),
        Field("cuts", Many(Quantity(), least=1, most=40, whole=True)),
        Field("points", Many(POINTS, least=2, most=41, whole=True)),
        Field("missing", POINTS),
        Field("reason", IDENT),
        Field("baseline", POINTS, absent=None),
        *DATED,
    ),
)
RULE: Final = Record(
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
        *DATED,
    ),
)
SCORECARD: Final = Record(
    "a scorecard",
    ScorecardFile,
    (
        *DATED,
        Field(
            "score",
            Record(
                "the score's range",
                RangeLine,
                (Field("lowest", Numeral()), Field("highest", Numeral()), Field("base", Numeral())),
            ),
        ),
        Field("consent", WORDS, absent=()),
        Field(
            "scorable", Record("what makes scorable", ScorableLine, (Field("when", CONDITION), Field("reason", IDENT)))
        ),
        Field(
            "bands",
            Many(Record("a band", BandLine, (Field("name", IDENT), Field("from", Numeral(), to="lowest"))), least=1),
        ),
        Field("dimensions", Table(IDENT, Numeral(0, 100))),
        Field("define", DEFINE, absent=()),
        Field("characteristics", Many(CHARACTERISTIC)),
        Field("rules", Many(RULE), absent=()),
    ),
)
KNOCKOUT: Final = Record(
    "a knock-out",
    KnockOutLine,
    (
        Field("id", IDENT),
        Field("when", CONDITION),
        Field("unknown", Text("`decline` or `pass`", among=("decline", "pass"))),
        Field("reason", IDENT),
        *DATED,
    ),
)
WAIVE: Final = Record(
    "what is waived",
    WaiveLine,
    (
        Field("fixed", AMOUNT, absent=None),
        Field("share", Numeral(1, 100), absent=None),
        Field("up_to", AMOUNT, absent=None),
    ),
)
TIER: Final = Record("a tier", TierLine, (Field("id", IDENT), Field("when", CONDITION), Field("waive", WAIVE), *DATED))
REQUEST: Final = Record(
    "a field of the request",
    FieldLine,
    (
        Field(
            "type", Text("a type", among=("bool", "int", "decimal", "enum", "string", "date", "timestamp", "duration"))
        ),
        Field("digits", Numeral(1, 6), absent=None),
        Field("values", Many(Text(constant=True), least=1), absent=()),
        Field("low", Quantity(), absent=None),
        Field("high", Quantity(), absent=None),
    ),
)
HOLD: Final = Record(
    "how a perk is held",
    HoldLine,
    (Field("granted", CONDITION), Field("kept", CONDITION), Field("days", Numeral(0, 3660))),
)
CAP: Final = Record(
    "a cap",
    CapLine,
    (
        Field("waived", AMOUNT, absent=None),
        Field("times", Numeral(1, 100_000), absent=None),
        Field("days", Numeral(1, 3660), absent=None),
        Field("reason", IDENT),
    ),
)
CAPS: Final = Many(CAP, most=20)
PERK: Final = Record(
    "a perk",
    PerkLine,
    (
        Field("id", IDENT),
        Field("about", Text()),
        Field("currency", CURRENCY),
        Field("most", AMOUNT),
        Field("valid_hours", Numeral(1, 24 * 366)),
        Field("partial", YesNo(), absent=True),
        Field("step", AMOUNT, absent=None),
        *DATED,
        Field(
            "request", Table(Text("the name of a field", re.compile(r"[a-z][a-z0-9_]*")), REQUEST, keep=True), absent=()
        ),
        Field("hold", HOLD, absent=None),
        Field("caps", CAPS, absent=()),
        Field("knockouts", Many(KNOCKOUT), absent=()),
        Field("tiers", Many(TIER, least=1)),
    ),
)
PERKS: Final = Record(
    "a perks file",
    PerksFile,
    (
        *DATED,
        Field("consent", WORDS, absent=()),
        Field("caps", Table(CURRENCY, CAPS), absent=()),
        Field("define", DEFINE, absent=()),
        Field("perks", Many(PERK, least=1)),
    ),
)
REASONS: Final = Record(
    "a reasons file",
    ReasonsFile,
    (*DATED, Field("languages", Many(LANGUAGE, least=1)), Field("reasons", Table(IDENT, Table(LANGUAGE, Text())))),
)
ENTRY: Final = Record("an entry", EntryLine, (Field("value", Text()), Field("until", Day(), absent=None)))
LIST: Final = Record(
    "a list",
    ListFile,
    (Field("id", IDENT), Field("about", Text()), *DATED, Field("entries", Many(ENTRY, most=20_000))),
)
STEP: Final = Record(
    "a step of a pattern",
    StepLine,
    (
        Field("event", IDENT),
        Field("role", ROLE, absent=None),
        Field("where", CONDITION, absent=None),
        Field("times", Numeral(1, 8), absent=None),
    ),
)
FLAG: Final = Record(
    "a flag",
    FlagLine,
    (
        Field("id", IDENT),
        Field("about", Text()),
        Field("steps", Many(STEP, least=1, most=8)),
        Field("within", LENGTH),
        Field("same", WORDS, absent=()),
        Field("lasts", LENGTH, absent=None),
        *DATED,
    ),
)
WATCH: Final = Record(
    "a watch file", WatchFile, (*DATED, Field("consent", WORDS, absent=()), Field("flags", Many(FLAG, most=100)))
)
REFUSAL: Final = Record(
    "a refusal",
    RefusalLine,
    (
        Field("id", IDENT),
        Field("on", Many(IDENT, least=1)),
        Field("when", CONDITION),
        Field("unknown", Text("`refuse` or `pass`", among=("refuse", "pass"))),
        Field("code", IDENT),
        *DATED,
    ),
)
MOVE: Final = Record(
    "a move",
    MoveLine,
    (
        Field("id", IDENT),
        Field("on", IDENT),
        Field("from", Many(IDENT, least=1), to="states"),
        Field("when", CONDITION, absent=None),
        Field("to", IDENT),
    ),
)
ORDERS: Final = Record(
    "an orders file",
    OrdersFile,
    (
        *DATED,
        Field("states", Many(IDENT, least=2)),
        Field("initial", IDENT),
        Field("final", Many(IDENT, least=1)),
        Field("events", Many(IDENT, least=1)),
        Field("define", DEFINE, absent=()),
        Field("refusals", Many(REFUSAL), absent=()),
        Field("moves", Many(MOVE, least=1)),
    ),
)
ZONE: Final = Text("a time zone", among=tuple(sorted(names())), listed=ZONE_HINT)
POLICY: Final = Record(
    "a policy",
    PolicyFile,
    (
        *DATED,
        Field("forbidden_classes", WORDS),
        Field("forbidden_names", WORDS),
        Field("restricted", WORDS),
        Field("relationships", WORDS),
        Field("relationships_share", Numeral(0, 100)),
        Field("alarms", WORDS, since=3, before=()),
        Field("timezone", ZONE, since=3, before=Word(UTC_NAME, Span("policy.yaml"))),
    ),
)
EXPECT: Final = Record(
    "what is expected",
    ExpectLine,
    (
        Field("score", Numeral(), absent=None),
        Field("band", IDENT, absent=None),
        Field("outcome", Text("an outcome", among=OUTCOMES), absent=None),
        Field("waived", AMOUNT, absent=None),
        Field("because", WORDS, absent=None),
        Field("held", YesNo(), absent=None),
        Field("met", WORDS, absent=()),
        Field("not_met", WORDS, absent=()),
        Field("unknown", WORDS, absent=()),
        Field("reasons", WORDS, absent=None),
        Field("raised", WORDS, absent=()),
        Field("not_raised", WORDS, absent=()),
        Field("to", IDENT, absent=None),
        Field("code", IDENT, absent=None),
    ),
)
USED: Final = Record(
    "what was waived before",
    UsedLine,
    (Field("perk", IDENT), Field("waived", AMOUNT), Field("on", Day()), Field("open", YesNo(), absent=True)),
)
HAPPENED: Final = Record(
    "an event",
    HappenedLine,
    (
        Field("event", IDENT),
        Field("on", Text("a day or a timestamp")),
        Field("role", Text("a side", among=("subject", "other")), absent=None),
        Field("with", Table(IDENT, Raw()), absent=(), to="fields"),
    ),
)
CASE: Final = Record(
    "a case",
    CaseLine,
    (
        Field("name", Text()),
        Field("as_of", Day(), absent=None),
        Field("score", Numeral(), absent=None),
        Field("perk", IDENT, absent=None),
        Field("amount", AMOUNT, absent=None),
        Field("given", Table(FEATURE, Raw()), absent=()),
        Field("events", Many(HAPPENED), absent=()),
        Field("used", Many(USED), absent=()),
        Field("held_since", Day(), absent=None),
        Field("order", Table(IDENT, Raw()), absent=()),
        Field("expect", EXPECT),
    ),
)
CHANGE: Final = Record(
    "a change that must be refused",
    ChangeLine,
    (
        Field("name", Text()),
        Field("file", Text()),
        Field("replace", Text()),
        Field("by", Text()),
        Field("problems", Many(Text("a problem's code", re.compile(r"R\d{3}")), least=1)),
    ),
)
CASES: Final = Record(
    "a file of cases",
    CasesFile,
    (
        Field("as_of", Day(), absent=None),
        Field("base", Table(FEATURE, Raw()), absent=()),
        Field("cases", Many(CASE), absent=()),
        Field("changes", Many(CHANGE), absent=()),
    ),
)
KINDS: Final[dict[str, Record]] = {
    "scorecard": SCORECARD,
    "perks": PERKS,
    "reasons": REASONS,
    "policy": POLICY,
    "orders": ORDERS,
    "watch": WATCH,
    "list": LIST,
    "cases": CASES,
}
