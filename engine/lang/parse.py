"""Parse: from a file's text to what it says, by the table of what each kind of file may hold."""

import re
from typing import Final

from engine.lang import source
from engine.lang.problems import Report, Span
from engine.lang.shapes import (
    FEATURE,
    IDENT,
    Condition,
    Field,
    Many,
    Numeral,
    Raw,
    Record,
    Table,
    Text,
    YesNo,
    suggestion,
)
from engine.lang.source import Mapping, Scalar
from engine.lang.syntax import (
    BandLine,
    CaseLine,
    CasesFile,
    ChangeLine,
    CharacteristicLine,
    ExpectLine,
    KnockOutLine,
    Name,
    PerkLine,
    PerksFile,
    PolicyFile,
    RangeLine,
    ReasonLine,
    ReasonsFile,
    RuleFile,
    RuleLine,
    ScorableLine,
    ScorecardFile,
    TierLine,
    WaiveLine,
    Word,
)

CONDITION: Final = Condition()
WORDS: Final = Many(IDENT)
DEFINE: Final = Table(IDENT, CONDITION, keep=True)
POINTS: Final = Numeral(-600, 600)
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
        Field("cuts", Many(Numeral(-(2**53), 2**53, whole=False), least=1, most=40, whole=True)),
        Field("points", Many(POINTS, least=2, most=41, whole=True)),
        Field("missing", POINTS),
        Field("reason", IDENT),
        Field("baseline", POINTS, absent=None),
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
    ),
)
SCORECARD: Final = Record(
    "a scorecard",
    ScorecardFile,
    (
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
    ),
)
WAIVE: Final = Record(
    "what is waived",
    WaiveLine,
    (Field("up_to", AMOUNT, absent=None), Field("share", Numeral(1, 100), absent=None)),
)
TIER: Final = Record("a tier", TierLine, (Field("id", IDENT), Field("when", CONDITION), Field("waive", WAIVE)))
PERK: Final = Record(
    "a perk",
    PerkLine,
    (
        Field("id", IDENT),
        Field("about", Text()),
        Field("currency", Text("a currency", among=("CNY", "CZK", "EUR", "GBP", "HKD", "JPY", "USD"))),
        Field("most", AMOUNT),
        Field("valid_hours", Numeral(1, 24 * 366)),
        Field("partial", YesNo(), absent=True),
        Field("knockouts", Many(KNOCKOUT), absent=()),
        Field("tiers", Many(TIER, least=1)),
    ),
)
PERKS: Final = Record(
    "a perks file",
    PerksFile,
    (
        Field("consent", WORDS, absent=()),
        Field("define", DEFINE, absent=()),
        Field("perks", Many(PERK, least=1)),
    ),
)
REASON: Final = Record("a reason", ReasonLine, (Field("en", Text()), Field("zh", Text(), absent=None)))
REASONS: Final = Record("a reasons file", ReasonsFile, (Field("reasons", Table(IDENT, REASON)),))
POLICY: Final = Record(
    "a policy",
    PolicyFile,
    (
        Field("forbidden_classes", WORDS),
        Field("forbidden_names", WORDS),
        Field("restricted", WORDS),
        Field("relationships", WORDS),
        Field("relationships_share", Numeral(0, 100)),
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
        Field("met", WORDS, absent=()),
        Field("not_met", WORDS, absent=()),
        Field("unknown", WORDS, absent=()),
        Field("reasons", WORDS, absent=None),
    ),
)
CASE: Final = Record(
    "a case",
    CaseLine,
    (
        Field("name", Text()),
        Field("score", Numeral(), absent=None),
        Field("perk", IDENT, absent=None),
        Field("amount", AMOUNT, absent=None),
        Field("given", Table(FEATURE, Raw()), absent=()),
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
    "cases": CASES,
}


def parse(file: str, text: str, report: Report) -> RuleFile | None:
    """What the file says, without the lines that cannot be read; None when too little can. `report` has every reason."""
    root = source.read(file, text, report)
    if root is None:
        return None
    kind = _kind(root, file, report)
    if kind is None:
        return None
    assert isinstance(root, Mapping)  # noqa: S101 - `_kind` found the key
    rest = Mapping(tuple(e for e in root.entries if e[0].text != "kind"), root.at)
    read: RuleFile | None = KINDS[kind].read(rest, report)
    return read


def _kind(root: source.Node, file: str, report: Report) -> str | None:
    if not isinstance(root, Mapping):
        report.add("R012", "a rule file is keys with values", root.at, "begin with `kind:`")
        return None
    for key, value in root.entries:
        if key.text == "kind" and isinstance(value, Scalar) and value.text in KINDS:
            return value.text
        if key.text == "kind":
            seen = value.text if isinstance(value, Scalar) else "this"
            report.add("R014", f"`{seen[:60]}` is not a kind of rule file", value.at, suggestion(seen, KINDS))
            return None
    report.add(
        "R014", "`kind` is missing: what kind of rule file is this?", Span(file), f"use one of {', '.join(KINDS)}"
    )
    return None
