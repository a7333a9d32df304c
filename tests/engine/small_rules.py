"""Provide a small set of valid rule files, and broken variants of it, from `cases/broken.yaml`.

`python -m tests.engine.small_rules` writes the checker's messages into that file.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from engine.decide.decide import DecisionInputs
from engine.lang.check.release import check, release_of, stored_release
from engine.lang.model.problems import Problem
from engine.lang.model.program import Program, Release
from engine.lang.model.types import DATE, STRING, Attribute, EventKind, Kinds, Schema, Type, Value
from tests.paths import ENGINE_CASES

DAY = 19_783  # 2024-03-01
MOMENT = "2024-03-01T00:00:00Z"
FORMER_NAME = "3b96bb6a149fa10ea63cbfb476e3f50802554abbdf8eb0caa1afb75f2ed32f04"
GOLDEN = ENGINE_CASES / "broken.yaml"
TYPES = {
    "identity.level": (Type("int", 0, (), 0, 3), "identity", "level"),
    "identity.kind": (Type("enum", 0, ("guest", "member")), "identity", ""),
    "credit.missed": (Type("int", 0, (), 0, 100), "credit", "misses"),
    "credit.last_missed": (Type("date", 0, (), -20_000, 60_000), "credit", ""),
    "money.months": (Type("int", 0, (), 0, 25), "behaviour", "months"),
    "money.cover": (Type("decimal", 2, (), 0, 999_999), "behaviour", "ratio"),
    "money.paused": (Type("bool"), "behaviour", ""),
    "money.huge": (Type("int"), "behaviour", "minor units"),
    "money.balance": (Type("int", 0, (), -(10**9), 10**9), "restricted", "minor units"),
    "ties.degree": (Type("int", 0, (), 0, 1_000), "relationship", "people"),
}
SCHEMA: Schema = {n: Attribute(n, *of) for n, of in TYPES.items()}


def kind(name: str, data_class: str, **fields: Type) -> EventKind:
    return EventKind(name, data_class, {n: Attribute(n, t) for n, t in fields.items()})


_MONEY = Type("int", 0, (), -(10**9), 10**9)
KINDS: Kinds = {
    "bill.missed": replace(kind("bill.missed", "credit", bill=STRING, amount=_MONEY, due=DATE), adverse=True),
    "payment": kind("payment", "behaviour", other=STRING, amount=_MONEY, channel=Type("enum", 0, ("card", "cash"))),
    "tie.formed": kind(
        "tie.formed",
        "relationship",
        other=STRING,
        tie=Type("enum", 0, ("friend", "vouch")),
        strength=Type("int", 0, (), 1, 10),
    ),
    "tie": kind("tie", "relationship", other=STRING, strength=Type("int", 0, (), -10, 10)),
    "balance": kind("balance", "restricted", amount=_MONEY),
    "sale": EventKind(
        "sale",
        "behaviour",
        {
            "price": Attribute("price", Type("money", low=-(10**12), high=10**12), currency="price_currency"),
            "price_currency": Attribute("price_currency", STRING),
            "fee": Attribute("fee", Type("money", low=0, high=10**12), currency="fee_currency"),
            "fee_currency": Attribute("fee_currency", STRING),
            "strength": Attribute("strength", Type("int", 0, (), 0, 10)),
        },
    ),
}
# Score 500 + 120 + 10 + 0 + 40 + 0 = 670: a good person without restricted or relationship features.
PERSON: dict[str, Value | None] = {
    "identity.level": 2,
    "identity.kind": "member",
    "credit.missed": 0,
    "credit.last_missed": 0,
    "money.months": 12,
    "money.cover": 100,
    "money.paused": False,
    "money.balance": None,
    "ties.degree": None,
}


@dataclass(frozen=True)
class BrokenRules:
    """A change of the base, and the checker's messages about it."""

    name: str
    files: dict[str, str]
    problems: tuple[str, ...]


@cache
def golden() -> Any:
    """The golden file, as plain values."""
    return YAML(typ="safe", pure=True).load(GOLDEN.read_text(encoding="utf-8"))


def base() -> dict[str, str]:
    """The texts of the small files, by name."""
    return dict(golden()["base"])


def former_texts() -> dict[str, str]:
    """The small rules as version 3 of the language has them, when money was plain numbers."""
    return dict(YAML(typ="safe", pure=True).load((ENGINE_CASES / "language_3.yaml").read_text(encoding="utf-8")))


@cache
def former_release() -> Program:
    """Their release."""
    return stored_release(FORMER_NAME, former_texts(), SCHEMA, KINDS).at(DAY)


def base_with(file: str, replace: str, by: str) -> dict[str, str]:
    """The base with one text replaced. It must occur exactly once."""
    text = base()[file]
    assert text.count(replace) == 1, f"`{replace}` stands {text.count(replace)} times in {file}"
    return {**base(), file: text.replace(replace, by)}


@cache
def release(file: str = "trust.yaml", replace: str = "kind: scorecard", by: str = "kind: scorecard") -> Program:
    """The rules of the base, with one text replaced."""
    return release_of(base_with(file, replace, by), SCHEMA, KINDS).at(DAY)


def make_question(
    perk: str, amount: int, currency: str, values: Mapping[str, Value | None], **more: Any
) -> DecisionInputs:
    """A question about ann, on the tests' day."""
    moments = dict.fromkeys(("as_of", "known_at", "asked_at"), MOMENT)
    return DecisionInputs("ann", perk, amount, currency, purpose="perks", values=values, **{**moments, **more})


@cache
def check_broken(name: str) -> tuple[Release | None, tuple[Problem, ...]]:
    """The checker's result for a broken set of files, cached for the process."""
    return check(next(c for c in broken_rules() if c.name == name).files, SCHEMA, KINDS)


@cache
def broken_rules() -> tuple[BrokenRules, ...]:
    """Every broken set of files."""
    return tuple(BrokenRules(c["name"], files_of(c), tuple(c["problems"])) for c in golden()["cases"])


def files_of(case: dict[str, Any]) -> dict[str, str]:
    """The files of one case."""
    if "replace" in case:
        return base_with(case["file"], case["replace"], case["by"])
    whole = {} if case["whole"] is None else {case["file"]: case["whole"]}
    return {n: t for n, t in base().items() if n != case["file"]} | whole


def rewrite() -> None:
    """Store the checker's current messages."""
    head = GOLDEN.read_text(encoding="utf-8").partition("\ncases:")[0]
    cases = [c | {"problems": [str(p) for p in check(files_of(c), SCHEMA, KINDS)[1]]} for c in golden()["cases"] or ()]
    cases = [
        {k: DoubleQuotedScalarString(v) if k in ("replace", "by", "whole") and v else v for k, v in c.items()}
        for c in cases
    ]
    out, writer = StringIO(), YAML()
    writer.width, writer.allow_unicode = 10_000, True
    writer.indent(mapping=2, sequence=4, offset=2)
    writer.dump({"cases": cases}, out)
    GOLDEN.write_text(head + "\n" + out.getvalue(), encoding="utf-8")


if __name__ == "__main__":
    rewrite()
