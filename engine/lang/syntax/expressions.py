"""Parse expressions from text to a tree.

condition  = conjunct ("or" conjunct)*
conjunct   = negation ("and" negation)*
negation   = "not" negation | comparison
comparison = sum (("==" | "!=" | "<" | "<=" | ">" | ">=") sum | ["not"] "in" ("[" constant ("," constant)* "]" | name))?
sum        = product (("+" | "-") product)*
product    = atom ("*" atom)*
atom       = constant | name | ("known" | "missing") "(" name ")" | "(" condition ")"
constant   = ["-"] number [currency] | ["-"] duration | date | timestamp | "'" word "'" | true | false
"""

import re
from dataclasses import dataclass
from typing import Final, Literal, NoReturn

from engine.lang.model.conditions import Comparison
from engine.lang.model.problems import Report, SourceSpan
from engine.lang.syntax.expression_tree import (
    Arithmetic,
    Compare,
    Constant,
    Expr,
    IsKnown,
    Join,
    Member,
    Name,
    Negate,
)
from engine.lang.syntax.source import Scalar

TOKEN: Final = re.compile(
    r"""(?P<space>\s+)
      | (?P<timestamp>\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z(?![\w.]))
      | (?P<date>\d{4}-\d{2}-\d{2}(?![\w.]))
      | (?P<duration>\d+[dhms](?![\w.]))
      | (?P<money>\d+(\.\d+)?\ (?!AND|NOT)[A-Z]{3}(?![\w.]))
      | (?P<number>\d+(\.\d+)?(?![\w.]))
      | (?P<word>'[^'\n]*'|"[^"\n]*")
      | (?P<name>[a-z][a-z0-9_]*(\.[a-z0-9_]+)*)
      | (?P<sign>==|!=|<=|>=|<|>|\+|-|\*|\(|\)|\[|\]|,)""",
    re.VERBOSE | re.ASCII,  # digits of other scripts would match as numbers
)
SIGNED_KINDS: Final[dict[str, Literal["number", "money", "duration"]]] = {
    "number": "number",
    "money": "money",
    "duration": "duration",
}
KEYWORDS: Final = {"and", "or", "not", "in", "known", "missing", "true", "false"}
COMPARISONS: Final[dict[str, Comparison]] = {"==": "==", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
MAX_DEPTH: Final = 24
MAX_TOKENS: Final = 400
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
REVERSED_OPERATOR_HINTS: Final = {"=>": "write `>=`", "=<": "write `<=`"}
# Words of other languages, after a complete expression or in place of a value.
FOREIGN_SYNTAX_HINTS: Final = {
    "is": "compare with `==`, or ask `missing(f)`",
    "like": HINTS["~"],
    "matches": HINTS["~"],
    "contains": HINTS["~"],
    "between": "write `f >= low and f <= high`",
    "(": "there are no functions but `known(f)` and `missing(f)`",
    ",": "numbers are written without separators: 500000",
} | dict.fromkeys(("d", "h", "m", "s", "days", "hours"), "write a duration without a space: 90d")
JOIN_HINT: Final = "join conditions with `and` or `or`"
BRACKETS_HINT: Final = "put the feature in brackets, as in `missing(credit.missed)`"
CAPITALS_HINT: Final = "names, and words such as `and`, are written in lower case"


@dataclass(frozen=True)
class ExpressionToken:
    """A token: its kind (a group of `TOKEN`, `keyword` or `end`), its text and its place."""

    kind: str
    text: str
    at: SourceSpan


class _SyntaxFailure(Exception):
    """The report has the reason already. We do not parse the rest of this expression."""


def parse(text: Scalar, report: Report) -> Expr | None:
    """Parse an expression; None with the reason in `report`."""
    try:
        return _ExpressionParser(_tokens(text, report), report).whole()
    except _SyntaxFailure:
        return None


def _tokens(text: Scalar, report: Report) -> list[ExpressionToken]:
    tokens, position = [], 0
    while position < len(text.text):
        match = TOKEN.match(text.text, position)
        if not match:
            char = text.text[position]
            usual_hint = "numbers are written 12 or 0.25, words in quotes, features as dimension.name"
            reversed_hint = REVERSED_OPERATOR_HINTS.get(text.text[position : position + 2])
            hint = reversed_hint or HINTS.get(char, CAPITALS_HINT if char.isupper() else usual_hint)
            report.add("R020", f"`{char}` is not part of the language here", text.span(position), hint)
            raise _SyntaxFailure
        kind, piece = str(match.lastgroup), match.group()
        if kind != "space":
            kind = "keyword" if piece in KEYWORDS else kind
            tokens.append(ExpressionToken(kind, piece, text.span(position, len(piece))))
        position = match.end()
    if len(tokens) > MAX_TOKENS:
        report.add(
            "R023",
            f"the expression has more than {MAX_TOKENS} parts",
            text.at,
            "give pieces of it names under `define`",
        )
        raise _SyntaxFailure
    return [*tokens, ExpressionToken("end", "", text.span(len(text.text.rstrip())))]


class _ExpressionParser:
    """A recursive descent parser with one method for each line of the grammar."""

    def __init__(self, tokens: list[ExpressionToken], report: Report) -> None:
        self.tokens, self.report, self.next, self.depth = tokens, report, 0, 0

    @property
    def token(self) -> ExpressionToken:
        return self.tokens[self.next]

    def take(self) -> ExpressionToken:
        token = self.token
        self.next += token.kind != "end"
        return token

    def accept(self, *texts: str) -> ExpressionToken | None:
        good = self.token.text in texts and self.token.kind in ("sign", "keyword")
        return self.take() if good else None

    def expect(self, text: str, hint: str = "") -> ExpressionToken:
        return self.accept(text) or self.fail(f"`{text}` is missing here", hint)

    def fail(self, message: str, hint: str = "") -> NoReturn:
        location = f", before `{self.token.text[:60]}`" if self.token.kind != "end" else ", at the end"
        self.report.add("R021", message + location, self.token.at, hint)
        raise _SyntaxFailure

    def whole(self) -> Expr:
        expr = self.condition()
        if self.token.kind != "end":
            self.fail("the expression is complete", FOREIGN_SYNTAX_HINTS.get(self.token.text, JOIN_HINT))
        return expr

    def condition(self) -> Expr:
        self.deeper(1)
        parts = [self.conjunct()]
        while self.accept("or"):
            parts.append(self.conjunct())
        self.deeper(-1)
        return parts[0] if len(parts) == 1 else Join("or", tuple(parts), parts[0].at)

    def deeper(self, by: int) -> None:
        self.depth += by
        if self.depth > MAX_DEPTH:
            hint = "give pieces of it names under `define`"
            self.report.add("R023", f"nested more than {MAX_DEPTH} deep", self.token.at, hint)
            raise _SyntaxFailure

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
        expr = self.comparison()
        self.deeper(-len(signs))
        for sign in reversed(signs):
            expr = Negate(expr, sign.at)
        return expr

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
            raise _SyntaxFailure
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
        expr = self.product()
        while sign := self.accept("+", "-"):
            expr = Arithmetic("+" if sign.text == "+" else "-", expr, self.product(), expr.at)
        return expr

    def product(self) -> Expr:
        expr = self.atom()
        while self.accept("*"):
            expr = Arithmetic("*", expr, self.atom(), expr.at)
        return expr

    def atom(self) -> Expr:
        if self.accept("("):
            expr = self.condition()
            self.expect(")")
            return expr
        if word := self.accept("known", "missing"):
            self.expect("(", BRACKETS_HINT)
            name = self.name()
            self.expect(")", BRACKETS_HINT)
            return IsKnown(name, word.text == "missing", word.at)
        return self.name() if self.token.kind == "name" else self.constant()

    def missing_value_hint(self, sign: ExpressionToken | None) -> str:
        """The hint for a missing value."""
        if self.token.text == ">" and self.tokens[self.next - 1].text == "<":
            return "write `!=`"
        if sign:
            return "a minus needs a number; for a feature, write `0 - f`"
        return "a number, a date, a word in quotes, true, false or a feature"

    def name(self) -> Name:
        if self.token.kind != "name":
            self.fail("the name of a feature is missing here")
        token = self.take()
        return Name(token.text, token.at)

    def constant(self) -> Constant:
        sign = self.accept("-")
        token = self.token
        kind = SIGNED_KINDS.get(token.kind)
        if kind:
            self.take()
            return Constant(("-" if sign else "") + token.text, kind, sign.at if sign else token.at)
        if sign or not (token.kind in ("date", "timestamp", "word") or token.text in ("true", "false")):
            self.fail("a value is missing here", self.missing_value_hint(sign))
        self.take()
        if token.kind == "date":
            return Constant(token.text, "date", token.at)
        if token.kind == "timestamp":
            return Constant(token.text, "timestamp", token.at)
        if token.kind == "word":
            return Constant(token.text[1:-1], "word", token.at)
        return Constant(token.text, "bool", token.at)
