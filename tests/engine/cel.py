"""Conditions said in CEL, the Common Expression Language, whose C++ implementation judges ours from outside.

CEL has no UNKNOWN. A missing value is an absent key, reading it is an error, and `&&` and `||` absorb an error as Kleene's
`and` and `or` absorb UNKNOWN: so that error, and no other, is UNKNOWN. `known(f)` is `has(v.f)`.

There are two ways into CEL. `said` prints what our compiler made of a condition: it judges the evaluators. `translated`
goes from our text to CEL's token by token, without our parser: it judges the parser and the resolver too.
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from cel_expr_python import cel

from engine.lang.truths import Alike, And, Attr, Cmp, Const, Flag, InList, Int, Known, Not, Num, Op, Or, Same, Truth
from engine.lang.types import Schema, Value
from tests.engine.small import DAY

ENVIRONMENT = cel.NewEnv(variables={"v": cel.Type.Map(cel.Type.STRING, cel.Type.DYN)})
MISSING = "NOT_FOUND: Key not found in map"
Values = Mapping[str, Value | None]

# Our text has decimals and CEL exact numbers are integers: in `translated`, and in `in_thousandths`, all are thousandths.
PLACES = 3
WORDS = {"and": "&&", "or": "||", "known": "has", "missing": "!has", "true": "true", "false": "false", "in": "in"}
NOT_IN = re.compile(r"([a-z][\w.]*) not in (\[[^\]]*\])")
TOKEN = re.compile(r"'[^']*'|\d{4}-\d\d-\d\d|\d+(?:\.\d+)?|[a-z][\w.]*|==|!=|<=|>=|\S")


def asked(expression: str) -> Callable[[Any], bool | None]:
    """What the CEL expression says of a person (see `person`): None where it reads what is missing."""
    compiled = ENVIRONMENT.compile(expression)

    def answer(of: Any) -> bool | None:
        found = compiled.eval(of)
        if found.type() == cel.Type.ERROR:
            assert found.value().startswith(MISSING), f"{expression}: {found.value()}"
            return None
        assert found.type() == cel.Type.BOOL
        return bool(found.value())

    return answer


def person(values: Values) -> Any:
    """The values as CEL takes them: `a.count` is the key `count` of the map `a`; what is missing is an absent key."""
    root: dict[str, Any] = {}
    for name, value in values.items():
        *path, last = name.split(".")
        inner = root
        for step in path:
            inner = inner.setdefault(step, {})
        if value is not None:
            inner[last] = value
    return ENVIRONMENT.Activation({"v": root})


def said(node: Truth | Num) -> str:
    """The condition in CEL, every part in brackets; numbers as our integers."""
    match node:
        case Const(value):
            return str(value).lower()
        case Known(name):
            return f"has(v.{name})"
        case Flag(name) | Attr(name):
            return f"v.{name}"
        case Same(name, word):
            return f"(v.{name} == {json.dumps(word)})"
        case Alike(left, right):
            return f"(v.{left} == v.{right})"
        case InList(name):
            return f"(v.{name} in {json.dumps(sorted(node.on(DAY)))})"
        case Int(number):
            return str(number)
        case Cmp(op, left, right) | Op(op, left, right):
            return f"({said(left)} {op} {said(right)})"
        case Not(part):
            return f"!{said(part)}"
        case And(parts) | Or(parts):
            return "(" + (" && " if isinstance(node, And) else " || ").join(said(p) for p in parts) + ")"
    raise AssertionError(node)


def in_thousandths(values: Values, schema: Schema) -> dict[str, Value | None]:
    """The values for `translated`: every number but a date in thousandths."""
    types = {name: schema[name].type for name in values}
    return {n: v * 10 ** (PLACES - types[n].digits) if scaled(types[n].kind, v) else v for n, v in values.items()}


def scaled(kind: str, value: Value | None) -> bool:
    return kind in ("int", "decimal") and value is not None


def translated(text: str) -> str:
    """Our text in CEL, token by token. It has no product of two features: that would be in millionths."""
    tokens = TOKEN.findall(NOT_IN.sub(r"(not \1 in \2)", text))
    out: list[str] = []
    open_: list[int] = [0]  # for each bracket, how many `not` are to be closed before it is
    for n, token in enumerate(tokens):
        if token in ("and", "or", ")"):  # `not` reaches over a comparison, in CEL it would not
            out.append(")" * open_[-1])
            open_[-1] = 0
        if token == "not":
            out.append("!(")
            open_[-1] += 1
            continue
        out.append(_translated(token, "*" in tokens[max(n - 1, 0) : n + 2]))
        if token == "(":
            open_.append(0)
        elif token == ")":
            open_.pop()
    return " ".join((*out, ")" * open_[-1]))


def _translated(token: str, factor: bool) -> str:
    if re.fullmatch(r"\d{4}-\d\d-\d\d", token):
        return str((date.fromisoformat(token) - date(1970, 1, 1)).days)
    if token[0].isdigit():
        exact = Decimal(token) * (1 if factor else 10**PLACES)
        assert exact == int(exact), token
        return str(int(exact))
    return WORDS.get(token, f"v.{token}") if token[0].isalpha() else token
