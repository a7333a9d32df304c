"""Expressions: from text to a tree.

condition  = conjunct ("or" conjunct)*
conjunct   = negation ("and" negation)*
negation   = "not" negation | comparison
comparison = sum (("==" | "!=" | "<" | "<=" | ">" | ">=") sum | ["not"] "in" ("[" constant ("," constant)* "]" | name))?
sum        = product (("+" | "-") product)*
product    = atom ("*" atom)*
atom       = constant | name | ("known" | "missing") "(" name ")" | "(" condition ")"
constant   = ["-"] number | ["-"] duration | date | timestamp | "'" word "'" | true | false
"""

import re
from dataclasses import dataclass
from typing import Final, Literal, NoReturn

from engine.lang.problems import Report, Span
from engine.lang.source import Scalar
from engine.lang.syntax import Arithmetic, Compare, Comparison, Constant, Expr, IsKnown, Join, Member, Name, Negate

TOKEN: Final = re.compile(
    r"""(?P<space>\s+)
      | (?P<timestamp>\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z(?![\w.]))
      | (?P<date>\d{4}-\d{2}-\d{2}(?![\w.]))
      | (?P<duration>\d+[dhms](?![\w.]))
      | (?P<number>\d+(\.\d+)?(?![\w.]))
      | (?P<word>'[^'\n]*'|"[^"\n]*")
      | (?P<name>[a-z][a-z0-9_]*(\.[a-z0-9_]+)*)
      | (?P<sign>==|!=|<=|>=|<|>|\+|-|\*|\(|\)|\[|\]|,)""",
    re.VERBOSE | re.ASCII,  # digits of other scripts would read as numbers
)
KEYWORDS: Final = {"and", "or", "not", "in", "known", "missing", "true", "false"}
COMPARISONS: Final[dict[str, Comparison]] = {"==": "==", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
DEEPEST: Final = 24
MOST_TOKENS: Final = 400
HINTS: Final = {
    "=": "compare with `==`",
    "&": "write `and`",
    "|": "write `or`",
    "!": "write `not`, or `!=`",
    "/": "there is no division: multiply the other side",
    "%": "write a share as a decimal, such as 0.25",
    "~": "there are no patterns: list the words with `in [..]`",
    "^": "there are no powers: multiply",
    "\u2265": "write `>=`",
    "\u2264": "write `<=`",
    "\u2260": "write `!=`",
    "\u201c": "write straight quotes: '..'",
    "\u2018": "write straight quotes: '..'",
    "'": "the quote is not closed",
    '"': "the quote is not closed",
    "\u00a0": "this is a no-break space: write a plain one",
}
TURNED: Final = {"=>": "write `>=`", "=<": "write `<=`"}
# What stands behind an expression that is complete, or where a value belongs, in other languages.
FOREIGN: Final = {
    "is": "compare with `==`, or ask `missing(f)`",
    "like": HINTS["~"],
    "matches": HINTS["~"],
    "contains": HINTS["~"],
    "between": "write `f >= low and f <= high`",
    "(": "there are no functions but `known(f)` and `missing(f)`",
    ",": "numbers are written without separators: 500000",
} | dict.fromkeys(("d", "h", "m", "s", "days", "hours"), "write a duration without a space: 90d")
JOINED: Final = "join conditions with `and` or `or`"
ASKED: Final = "a feature is asked about in brackets, as in `missing(credit.missed)`"
CAPITALS: Final = "names, and words such as `and`, are written in lower case"


@dataclass(frozen=True)
class Token:
    """A piece of the text: its kind (a group of `TOKEN`, `keyword` or `end`), its text and its place."""

    kind: str
    text: str
    at: Span


class _Broken(Exception):
    """Reported already; the rest of this expression would only confuse."""


def parse(text: Scalar, report: Report) -> Expr | None:
    """The tree of an expression, or None with the reason in `report`."""
    try:
        return _Parser(_tokens(text, report), report).whole()
    except _Broken:
        return None


def _tokens(text: Scalar, report: Report) -> list[Token]:
    found, position = [], 0
    while position < len(text.text):
        match = TOKEN.match(text.text, position)
        if not match:
            char = text.text[position]
            usual = "numbers are written 12 or 0.25, words in quotes, features as dimension.name"
            turned = TURNED.get(text.text[position : position + 2])
            hint = turned or HINTS.get(char, CAPITALS if char.isupper() else usual)
            report.add("R020", f"`{char}` is not part of the language here", text.span(position), hint)
            raise _Broken
        kind, piece = str(match.lastgroup), match.group()
        if kind != "space":
            kind = "keyword" if piece in KEYWORDS else kind
            found.append(Token(kind, piece, text.span(position, len(piece))))
        position = match.end()
    if len(found) > MOST_TOKENS:
        report.add(
            "R023",
            f"the expression has more than {MOST_TOKENS} parts",
            text.at,
            "give pieces of it names under `define`",
        )
        raise _Broken
    return [*found, Token("end", "", text.span(len(text.text.rstrip())))]


class _Parser:
    """Recursive descent, one method a line of the grammar."""

    def __init__(self, tokens: list[Token], report: Report) -> None:
        self.tokens, self.report, self.next, self.depth = tokens, report, 0, 0

    @property
    def token(self) -> Token:
        return self.tokens[self.next]

    def take(self) -> Token:
        token = self.token
        self.next += token.kind != "end"
        return token

    def accept(self, *texts: str) -> Token | None:
        good = self.token.text in texts and self.token.kind in ("sign", "keyword")
        return self.take() if good else None

    def expect(self, text: str, hint: str = "") -> Token:
        return self.accept(text) or self.fail(f"`{text}` is missing here", hint)

    def fail(self, message: str, hint: str = "") -> NoReturn:
        seen = f", before `{self.token.text[:60]}`" if self.token.kind != "end" else ", at the end"
        self.report.add("R021", message + seen, self.token.at, hint)
        raise _Broken

    def whole(self) -> Expr:
        found = self.condition()
        if self.token.kind != "end":
            self.fail("the expression is complete", FOREIGN.get(self.token.text, JOINED))
        return found

    def condition(self) -> Expr:
        self.deeper(1)
        parts = [self.conjunct()]
        while self.accept("or"):
            parts.append(self.conjunct())
        self.deeper(-1)
        return parts[0] if len(parts) == 1 else Join("or", tuple(parts), parts[0].at)

    def deeper(self, by: int) -> None:
        self.depth += by
        if self.depth > DEEPEST:
            hint = "give pieces of it names under `define`"
            self.report.add("R023", f"nested more than {DEEPEST} deep", self.token.at, hint)
            raise _Broken

    def conjunct(self) -> Expr:
        parts = [self.negation()]
        while self.accept("and"):
            parts.append(self.negation())
        return parts[0] if len(parts) == 1 else Join("and", tuple(parts), parts[0].at)

    def negation(self) -> Expr:
        signs = []
        while sign := self.accept("not"):
            signs.append(sign)
            self.deeper(1)
        found = self.comparison()
        self.deeper(-len(signs))
        for sign in reversed(signs):
            found = Negate(found, sign.at)
        return found

    def comparison(self) -> Expr:
        left = self.sum()
        if self.token.text in ("in", "not") and self.token.kind == "keyword":
            return self.member(left)
        sign = self.accept(*COMPARISONS)
        if not sign:
            return left
        right = self.sum()
        if self.token.text in COMPARISONS:
            self.report.add("R022", "comparisons cannot be chained", self.token.at, "write `a < b and b < c`")
            raise _Broken
        return Compare(COMPARISONS[sign.text], left, right, left.at)

    def member(self, item: Expr) -> Member:
        negated = self.accept("not") is not None
        self.expect("in", "write `not in [..]`, or put `not` before the whole comparison")
        if self.token.kind == "name":
            return Member(item, self.name(), negated, item.at)
        self.expect("[", "write a list in brackets, as in `[1, 2]`")
        among = [self.constant()]
        while self.accept(","):
            among.append(self.constant())
        self.expect("]")
        return Member(item, tuple(among), negated, item.at)

    def sum(self) -> Expr:
        found = self.product()
        while sign := self.accept("+", "-"):
            found = Arithmetic("+" if sign.text == "+" else "-", found, self.product(), found.at)
        return found

    def product(self) -> Expr:
        found = self.atom()
        while self.accept("*"):
            found = Arithmetic("*", found, self.atom(), found.at)
        return found

    def atom(self) -> Expr:
        if self.accept("("):
            found = self.condition()
            self.expect(")")
            return found
        if word := self.accept("known", "missing"):
            self.expect("(", ASKED)
            name = self.name()
            self.expect(")", ASKED)
            return IsKnown(name, word.text == "missing", word.at)
        return self.name() if self.token.kind == "name" else self.constant()

    def belongs(self, sign: Token | None) -> str:
        """What to do where a value is missing."""
        if self.token.text == ">" and self.tokens[self.next - 1].text == "<":
            return "write `!=`"
        if sign:
            return "a minus stands before a number; of a feature, write `0 - f`"
        return "a number, a date, a word in quotes, true, false or a feature"

    def name(self) -> Name:
        if self.token.kind != "name":
            self.fail("the name of a feature is missing here")
        token = self.take()
        return Name(token.text, token.at)

    def constant(self) -> Constant:
        sign = self.accept("-")
        token = self.token
        if token.kind in ("number", "duration"):
            self.take()
            kind: Literal["number", "duration"] = "number" if token.kind == "number" else "duration"
            return Constant(("-" if sign else "") + token.text, kind, sign.at if sign else token.at)
        if sign or not (token.kind in ("date", "timestamp", "word") or token.text in ("true", "false")):
            self.fail("a value is missing here", self.belongs(sign))
        self.take()
        if token.kind == "date":
            return Constant(token.text, "date", token.at)
        if token.kind == "timestamp":
            return Constant(token.text, "timestamp", token.at)
        if token.kind == "word":
            return Constant(token.text[1:-1], "word", token.at)
        return Constant(token.text, "bool", token.at)
