"""Problems: what is wrong with a rule file, where, and what to do about it.

Every stage of the compiler reports into one list; all problems are shown at once. Messages are lower-case, have no
full stop, quote what the user wrote in backticks and name no Python type; advice goes into `hint`.
"""

from dataclasses import dataclass, field
from typing import Final

from engine.errors import IftahError
from engine.lang.editions import LANGUAGE
from engine.lang.timezones import UTC_NAME

CODES: Final[dict[str, str]] = {
    # a file that cannot be read
    "R001": "not YAML",
    "R002": "a tab",
    "R003": "a key twice",
    "R004": "an anchor or alias",
    "R005": "a tag",
    "R006": "a directive or a second document",
    "R007": "too large or too deep",
    "R008": "not text",
    "R009": "an empty file",
    # a file whose shape is not right
    "R010": "an unknown key",
    "R011": "a missing key",
    "R012": "another shape was expected",
    "R013": "not the value that belongs here",
    "R014": "a file is missing or of an unknown kind",
    "R015": "an id twice",
    "R016": "a time that ends before it begins",
    "R017": "too many days on which something changes",
    # an expression that cannot be read
    "R020": "a character the language does not have",
    "R021": "an expression that breaks off or runs on",
    "R022": "a chained comparison",
    "R023": "an expression that is too deep or too long",
    # an expression that does not fit its names and types
    "R101": "an unknown name",
    "R102": "a definition in a circle",
    "R103": "types that do not go together",
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
    "R209": "a range or base that makes no sense",
    "R210": "a reason without its words, or in a language that the file does not name",
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
    "R406": "a data class that no evidence is of",
    "R407": "an alarm that gives points",
    "R408": "an alarm that decides alone",
    # watch
    "R501": "an event or field that patterns cannot name",
    "R502": "a pattern that can never match",
    # orders
    "R601": "an unknown state or event",
    "R602": "a state that cannot be reached, or not be left",
    "R603": "a move that can never be made",
}


@dataclass(frozen=True, order=True)
class Span:
    """A place in a file: 1-based line and column, and how many characters from there."""

    file: str
    line: int = 1
    column: int = 1
    length: int = 1


@dataclass(frozen=True)
class Problem:
    """One thing wrong: a code of `CODES`, what it is, where it is, what to do."""

    code: str
    message: str
    at: Span
    hint: str = ""

    def __str__(self) -> str:
        advice = f" ({self.hint})" if self.hint else ""
        return f"{self.at.file}:{self.at.line}:{self.at.column} error {self.code} {self.message}{advice}"


@dataclass
class Report:
    """Where the stages write. Not a result: the one mutable thing of a compilation. `language` is the version being read."""

    problems: list[Problem] = field(default_factory=list)
    language: int = LANGUAGE
    timezone: str = UTC_NAME  # whose days a date stands for where it meets a moment

    def add(self, code: str, message: str, at: Span, hint: str = "") -> None:
        """Write down one problem."""
        assert code in CODES, code  # noqa: S101 - a code that the table does not know is our own mistake
        self.problems.append(Problem(code, message, at, hint))

    def ordered(self) -> tuple[Problem, ...]:
        """All of them, by place."""
        return tuple(sorted(set(self.problems), key=lambda p: (p.at, p.code, p.message)))


class RulesError(IftahError):
    """Rule files that do not check. `problems` has all of them, by place."""

    code = "rules_invalid"

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        count = f"{len(problems)} problem{'s' * (len(problems) != 1)}"
        super().__init__(
            f"the rules do not check: {count}, the first: {problems[0]}", hint="see them all with `iftah check`"
        )
        self.problems = problems
