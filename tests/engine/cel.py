"""Translate conditions to CEL, the Common Expression Language. Its C++ implementation is an independent judge of ours.

CEL has no UNKNOWN. A missing value is an absent key, and reading it is an error. `&&` and `||` absorb an error as
Kleene's `and` and `or` absorb UNKNOWN. So exactly this error means UNKNOWN. `known(f)` is `has(v.f)`.

We reach CEL in two ways. `to_cel` prints the result of our compiler, so it tests the evaluators. `translate` converts
our text to CEL's token by token, without our parser, so it also tests the parser and the resolver.
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from cel_expr_python import cel

from engine.lang.model.conditions import (
    And,
    Attr,
    AttrKnown,
    AttrsEqual,
    Cmp,
    Const,
    Flag,
    InList,
    Int,
    Not,
    Num,
    Op,
    Or,
    Same,
    Truth,
)
from engine.lang.model.types import Schema, Value
from tests.engine.small_rules import DAY

ENVIRONMENT = cel.NewEnv(variables={"v": cel.Type.Map(cel.Type.STRING, cel.Type.DYN)})
MISSING = "NOT_FOUND: Key not found in map"
Values = Mapping[str, Value | None]

# Our text has decimals, and exact numbers in CEL are integers. So `translate` and `in_thousandths` use thousandths.
DECIMAL_PLACES = 3
CEL_WORDS = {"and": "&&", "or": "||", "known": "has", "missing": "!has", "true": "true", "false": "false", "in": "in"}
NOT_IN = re.compile(r"([a-z][\w.]*) not in (\[[^\]]*\])")
TOKEN = re.compile(r"'[^']*'|\d{4}-\d\d-\d\d|\d+(?:\.\d+)?|[a-z][\w.]*|==|!=|<=|>=|\S")


def compile_cel(expression: str) -> Callable[[Any], bool | None]:
    """Compile a CEL expression to a function of a person (see `person`). It returns None if it reads a missing value."""
    program = ENVIRONMENT.compile(expression)

    def evaluate(of: Any) -> bool | None:
        result = program.eval(of)
        if result.type() == cel.Type.ERROR:
            assert result.value().startswith(MISSING), f"{expression}: {result.value()}"
            return None
        assert result.type() == cel.Type.BOOL
        return bool(result.value())

    return evaluate


def person(values: Values) -> Any:
    """The values in CEL's form: `a.count` is the key `count` of the map `a`; a missing value is an absent key."""
    root: dict[str, Any] = {}
    for name, value in values.items():
        *path, last = name.split(".")
        inner = root
        for step in path:
            inner = inner.setdefault(step, {})
        if value is not None:
            inner[last] = value
    return ENVIRONMENT.Activation({"v": root})


def to_cel(node: Truth | Num) -> str:
    """Print the condition in CEL, with every part in brackets and with our integers."""
    match node:
        case Const(value):
            return str(value).lower()
        case AttrKnown(name):
            return f"has(v.{name})"
        case Flag(name) | Attr(name):
            return f"v.{name}"
        case Same(name, word):
            return f"(v.{name} == {json.dumps(word)})"
        case AttrsEqual(left, right):
            return f"(v.{left} == v.{right})"
        case InList(name):
            return f"(v.{name} in {json.dumps(sorted(node.on(DAY)))})"
        case Int(number):
            return str(number)
        case Cmp(op, left, right) | Op(op, left, right):
            return f"({to_cel(left)} {op} {to_cel(right)})"
        case Not(part):
            return f"!{to_cel(part)}"
        case And(parts) | Or(parts):
            return "(" + (" && " if isinstance(node, And) else " || ").join(to_cel(p) for p in parts) + ")"
    raise AssertionError(node)


def in_thousandths(values: Values, schema: Schema) -> dict[str, Value | None]:
    """The values for `translate`: every number except dates in thousandths."""
    types = {name: schema[name].type for name in values}
    return {
        n: v * 10 ** (DECIMAL_PLACES - types[n].digits) if is_scaled(types[n].kind, v) else v for n, v in values.items()
    }


def is_scaled(kind: str, value: Value | None) -> bool:
    return kind in ("int", "decimal", "money") and value is not None


def translate(text: str) -> str:
    """Translate our text to CEL, token by token. It must not multiply two features: the product would be in millionths."""
    plain = text.replace(" CNY", "")  # the only currency here, so that an amount is a number of two digits
    tokens = TOKEN.findall(NOT_IN.sub(r"(not \1 in \2)", plain))
    out: list[str] = []
    open_: list[int] = [0]  # for each bracket, the number of `not` to close before it
    for n, token in enumerate(tokens):
        if token in ("and", "or", ")"):  # our `not` covers a comparison, CEL's does not
            out.append(")" * open_[-1])
            open_[-1] = 0
        if token == "not":
            out.append("!(")
            open_[-1] += 1
            continue
        out.append(_translate_token(token, "*" in tokens[max(n - 1, 0) : n + 2]))
        if token == "(":
            open_.append(0)
        elif token == ")":
            open_.pop()
    return " ".join((*out, ")" * open_[-1]))


def _translate_token(token: str, factor: bool) -> str:
    if re.fullmatch(r"\d{4}-\d\d-\d\d", token):
        return str((date.fromisoformat(token) - date(1970, 1, 1)).days)
    if token[0].isdigit():
        exact = Decimal(token) * (1 if factor else 10**DECIMAL_PLACES)
        assert exact == int(exact), token
        return str(int(exact))
    return CEL_WORDS.get(token, f"v.{token}") if token[0].isalpha() else token
