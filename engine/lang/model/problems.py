"""Describe problems in rule files: the error, its place, and a hint.

Every stage of the compiler adds to one report, and we show you all problems at once. Write messages in lower case,
without a full stop and without names of Python types. Quote the user's own text in backticks. Put advice into `hint`.
"""

from dataclasses import dataclass, field
from typing import Final, Literal

from engine.errors import IftahError
from engine.lang.model.editions import LANGUAGE, MONEY_LANGUAGE
from engine.lang.model.rates import ExchangeRates
from engine.lang.model.timezones import UTC_NAME

CODES: Final[dict[str, str]] = {
    # a file that we cannot read
    "R001": "not YAML",
    "R002": "a tab",
    "R003": "a repeated key",
    "R004": "an anchor or alias",
    "R005": "a tag",
    "R006": "a directive or a second document",
    "R007": "too large or too deep",
    "R008": "not text",
    "R009": "an empty file",
    # a file with the wrong structure
    "R010": "an unknown key",
    "R011": "a missing key",
    "R012": "a wrong structure",
    "R013": "an invalid value",
    "R014": "a file is missing or of an unknown kind",
    "R015": "a repeated id",
    "R016": "a time that ends before it begins",
    "R017": "too many days on which something changes",
    # an expression that we cannot parse
    "R020": "a character outside of the language",
    "R021": "an expression that is incomplete, or continues after its end",
    "R022": "a chained comparison",
    "R023": "an expression that is too deep or too long",
    # an expression with wrong names or types
    "R101": "an unknown name",
    "R102": "a cyclic definition",
    "R103": "incompatible types",
    "R104": "a literal that does not fit",
    "R105": "not a condition",
    "R106": "a number that can grow too large",
    "R107": "an unknown list",
    # a scorecard that does not add up
    "R201": "cuts that do not ascend",
    "R202": "points that do not match the cuts",
    "R203": "a dimension over its budget",
    "R204": "weights that do not make 100",
    "R205": "an unknown dimension",
    "R206": "bands that do not cover the range",
    "R207": "an unknown reason",
    "R208": "a characteristic over something that is not a number",
    "R209": "an invalid range or base",
    "R210": "a missing wording of a reason, or one in an unlisted language",
    # perks
    "R301": "a tier that can never be reached",
    "R302": "a waiver that does not fit",
    "R303": "a hold that is not used, or takes back what it grants",
    "R304": "a cap that does not fit",
    "R305": "a field of the request that does not fit",
    # guardrails
    "R401": "a forbidden attribute",
    "R402": "a restricted class without consent for it",
    "R403": "relationships over their share",
    "R404": "relationships that lower someone",
    "R405": "relationships as a ground to decline",
    "R406": "a data class without evidence, or a dimension without features",
    "R407": "an alarm that gives points",
    "R408": "an alarm that decides alone",
    # watch
    "R501": "an event or field that patterns cannot name",
    "R502": "a pattern that can never match",
    # orders
    "R601": "an unknown state or event",
    "R602": "a state that cannot be reached, or not be left",
    "R603": "a move that never happens",
    # kinds of events
    "R701": "a name that the engine keeps for itself",
    "R702": "a field of events that does not fit",
    "R703": "a kind of events that does not fit",
    # features
    "R801": "an event or field that a feature cannot name",
    "R802": "a measure that does not fit",
    "R803": "a feature of other people that may not count",
    # exchange rates
    "R901": "a rate that does not fit",
}
# Of a release without problems: lines without effect, or with one that nobody wants. The solver proves each.
WARNINGS: Final[dict[str, str]] = {
    "W101": "a condition that is never met",
    "W102": "a condition that is always met",
    "W103": "a condition implied by what precedes it",
    "W104": "a condition that contradicts a knock-out",
    "W105": "a tier that nobody reaches",
    "W106": "a cut beyond the bounds of its feature",
    "W107": "a hold whose `kept` is stricter than `granted`",
    "W108": "a `scorable` that nobody meets",
    "W109": "an amount above the perk's `most`",
    "W110": "points against the direction of a feature",
    "W111": "a gap of days between a tier or rule and the next one",
    "W112": "a tier that waives more than a higher score gets",
}
Severity = Literal["error", "warning"]


@dataclass(frozen=True, order=True)
class SourceSpan:
    """A place in a file: line and column, counted from 1, and a length in characters."""

    file: str
    line: int = 1
    column: int = 1
    length: int = 1


@dataclass(frozen=True)
class Problem:
    """One problem: a code of `CODES`, a message, the place, and a hint.

    A warning has a code of `WARNINGS`. Its `example` has the values of a person or question that shows it, by name.
    """

    code: str
    message: str
    at: SourceSpan
    hint: str = ""
    severity: Severity = "error"
    example: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        advice = f" ({self.hint})" if self.hint else ""
        return f"{self.at.file}:{self.at.line}:{self.at.column} {self.severity} {self.code} {self.message}{advice}"


@dataclass
class Report:
    """Collects the problems of a compilation. This is its only mutable object. `language` is the version of the files."""

    problems: list[Problem] = field(default_factory=list)
    language: int = LANGUAGE
    timezone: str = UTC_NAME  # a date compared with a moment is a day in this zone
    rates: ExchangeRates | None = None  # by which we compare amounts in different currencies
    converted: set[str] = field(default_factory=set)  # the currencies between which the rules convert

    @property
    def has_money(self) -> bool:
        """Whether amounts have currencies in this version of the language."""
        return self.language >= MONEY_LANGUAGE

    def add(self, code: str, message: str, at: SourceSpan, hint: str = "") -> None:
        """Add one problem."""
        assert code in CODES, code  # noqa: S101 - a code outside the table is our own mistake
        self.problems.append(Problem(code, message, at, hint))

    def sorted_problems(self) -> tuple[Problem, ...]:
        """All problems without repetition, by place."""
        return tuple(sorted(set(self.problems), key=lambda p: (p.at, p.code, p.message)))


class RulesError(IftahError):
    """Rule files with problems. `problems` has all of them, sorted by place."""

    code = "rules_invalid"

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        count = f"{len(problems)} problem{'s' * (len(problems) != 1)}"
        super().__init__(f"the rules have {count}, the first: {problems[0]}", hint="see them all with `iftah check`")
        self.problems = problems
