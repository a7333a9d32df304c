"""`iftah explain` and `iftah eligible`: explain one person's score, decide about one person."""

import re
from collections.abc import Iterable, Mapping
from typing import Annotated

import typer

from api.access.identifiers import require_unambiguous
from api.cli.output import commands, console
from api.decisions.decisions import recorded_inputs
from api.decisions.eligibility import answer_question
from api.decisions.question import EligibilityQuestion
from api.decisions.score_explanation import explain_score
from api.render import present
from api.runtime import bootstrap
from api.runtime.bootstrap import open_context
from api.runtime.scoring import current_build
from api.settings.settings import settings
from api.store import clock
from engine.errors import Rejected
from engine.lang.model.program import Program
from engine.lang.model.types import Type, parse_scaled

app = commands()
Person = Annotated[str, typer.Argument(help="the person's id")]


@app.command()
def explain(
    person: Person,
    rule: Annotated[str | None, typer.Option(help="show only this rule, characteristic, knock-out or tier")] = None,
    language: Annotated[str, typer.Option(help="the language of the reasons: en or zh")] = "en",
) -> None:
    """Explain a person's score: each rule, its condition, the person's values, and the distance to the threshold."""
    context = open_context(settings())
    explanation = explain_score(context, require_unambiguous(person, "PERSON"), clock.now())
    _known_language(explanation.program, language)
    for part in present.one_rule(explanation, rule) if rule else present.explanation(explanation, language):
        console().print(part, markup=False)


@app.command()
def eligible(
    person: Person,
    perk: Annotated[str, typer.Option(help="the perk's id, such as hotel")],
    amount: Annotated[str, typer.Option(help="the deposit, in the perk's currency: 500 or 500.00")],
    fields: Annotated[
        list[str] | None, typer.Option("--with", help="a field of the request, such as nights=3; repeatable")
    ] = None,
    language: Annotated[str, typer.Option(help="the language of the reasons: en or zh")] = "en",
) -> None:
    """Decide whether a person may have a perk without a deposit. The decision is recorded."""
    context = bootstrap.load_context(settings())
    program = context.program(current_build(context))
    _known_language(program, language)
    question = _question(program, person, perk, amount, fields or [])
    result = answer_question(context, question)
    perk_ = program.perk(perk)
    amounts = [present.money(minor, perk_) for minor in (result.waived, result.deposit)]
    console().print(f"{result.outcome}: waived {amounts[0]}, deposit {amounts[1]} {question.currency}")
    console().print(f"decision {result.id}, valid until {clock.iso(result.valid_until)}")
    for line in present.decision(program, recorded_inputs(context.database, result.id), language):
        console().print(line, markup=False)


def _known_language(program: Program, language: str) -> None:
    if language not in program.languages:
        hint = f"use one of {', '.join(program.languages)}"
        raise Rejected(f"unknown language `{language}`", where="--language", hint=hint, code="unknown_language")


def _question(program: Program, person: str, perk: str, amount: str, fields: list[str]) -> EligibilityQuestion:
    definition = program.perk(perk)
    digits = definition.digits if definition else 2
    minor = parse_scaled(amount, Type("decimal", digits))
    if minor is None:
        hint = f"write 500 or 500.{'0' * digits}"
        raise Rejected(f"`{amount}` is not an amount", where="--amount", hint=hint, code="bad_amount")
    types = {a.name.removeprefix("request."): a.type for a in definition.request} if definition else {}
    context = _question_context(_field(text, types) for text in fields)
    return EligibilityQuestion(
        merchant="operator",
        transaction_id=None,
        subject=require_unambiguous(person, "PERSON"),
        perk=perk,
        amount=minor,
        currency=definition.currency if definition else "",
        asked_at=clock.now(),
        context=context,
    )


def _question_context(fields: Iterable[tuple[str, str | int | bool]]) -> dict[str, str | int | bool]:
    values: dict[str, str | int | bool] = {}
    for name, value in fields:
        if name in values:
            raise Rejected(f"`{name[:60]}` is there twice", where="--with", hint="keep one", code="bad_context")
        values[name] = value
    return values


def _field(text: str, types: Mapping[str, Type]) -> tuple[str, str | int | bool]:
    """A field of the request as in JSON: a number or a boolean if the perk declares one, else text."""
    name, sign, value = text.partition("=")
    if not sign:
        raise Rejected(
            f"`{text[:60]}` is no field with a value", where="--with", hint="write nights=3", code="bad_context"
        )
    kind = types[name].kind if name in types else "string"
    if kind == "int" and re.fullmatch("-?[0-9]{1,18}", value):
        return name, int(value)
    if kind == "bool" and value in ("true", "false"):
        return name, value == "true"
    return name, value
