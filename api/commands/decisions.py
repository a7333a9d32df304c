"""`iftah explain`, `eligible`: one person's score, and a decision about one person."""

import re
from collections.abc import Iterable, Mapping
from typing import Annotated

import typer

from api import actions, clock, prepare, show
from api.commands import commands, console
from api.decisions.decisions import Asked
from api.identifiers import unambiguous
from api.prepare import open_world
from api.settings import settings
from engine.errors import Refused
from engine.lang.program import Program
from engine.lang.types import Type, scaled

app = commands()
Person = Annotated[str, typer.Argument(help="the person's id")]


@app.command()
def explain(
    person: Person,
    rule: Annotated[str | None, typer.Option(help="one rule, characteristic, knock-out or tier, by its id")] = None,
    language: Annotated[str, typer.Option(help="of the reasons: en or zh")] = "en",
) -> None:
    """Show how a person's score comes about: every rule, what it asks, what there is, how far it is off."""
    world = open_world(settings())
    found = actions.explained(world, unambiguous(person, "PERSON"), clock.now())
    _known_language(found.program, language)
    for part in show.one_rule(found, rule) if rule else show.explanation(found, language):
        console().print(part, markup=False)


@app.command()
def eligible(
    person: Person,
    perk: Annotated[str, typer.Option(help="the perk's id, such as hotel")],
    amount: Annotated[str, typer.Option(help="the deposit, in the perk's currency: 500 or 500.00")],
    fields: Annotated[
        list[str] | None, typer.Option("--with", help="a field of the request: nights=3; may be given again")
    ] = None,
    language: Annotated[str, typer.Option(help="of the reasons: en or zh")] = "en",
) -> None:
    """Decide whether a person may have a perk without a deposit; the decision is recorded."""
    world = prepare.enforced(settings())
    program = world.program(actions.ready(world))
    _known_language(program, language)
    asked = _question(program, person, perk, amount, fields or [])
    told = actions.eligibility(world, asked, clock.now())
    perk_ = program.perk(perk)
    shown = [show.money(minor, perk_) for minor in (told.waived, told.deposit)]
    console().print(f"{told.outcome}: waived {shown[0]}, deposit {shown[1]} {asked.currency}")
    console().print(f"decision {told.id}, valid until {clock.iso(told.valid_until)}")
    for line in show.decision(program, actions.recorded(world, told.id), language):
        console().print(line, markup=False)


def _known_language(program: Program, language: str) -> None:
    if language not in program.languages:
        hint = f"use one of {', '.join(program.languages)}"
        raise Refused(f"unknown language `{language}`", where="--language", hint=hint, code="unknown_language")


def _question(program: Program, person: str, perk: str, amount: str, fields: list[str]) -> Asked:
    known = program.perk(perk)
    digits = known.digits if known else 2
    minor = scaled(amount, Type("decimal", digits))
    if minor is None:
        hint = f"write 500 or 500.{'0' * digits}"
        raise Refused(f"`{amount}` is not an amount", where="--amount", hint=hint, code="bad_amount")
    types = {a.name.removeprefix("request."): a.type for a in known.request} if known else {}
    context = _context(_field(text, types) for text in fields)
    return Asked("operator", None, unambiguous(person, "PERSON"), perk, minor, known.currency if known else "", context)


def _context(fields: Iterable[tuple[str, str | int | bool]]) -> dict[str, str | int | bool]:
    found: dict[str, str | int | bool] = {}
    for name, value in fields:
        if name in found:
            raise Refused(f"`{name[:60]}` is there twice", where="--with", hint="keep one", code="bad_context")
        found[name] = value
    return found


def _field(text: str, types: Mapping[str, Type]) -> tuple[str, str | int | bool]:
    """A field of the request, as JSON would hold it: numbers and truths as such where the perk has them, all else as text."""
    name, sign, value = text.partition("=")
    if not sign:
        raise Refused(
            f"`{text[:60]}` is no field with a value", where="--with", hint="write nights=3", code="bad_context"
        )
    kind = types[name].kind if name in types else "string"
    if kind == "int" and re.fullmatch("-?[0-9]{1,18}", value):
        return name, int(value)
    if kind == "bool" and value in ("true", "false"):
        return name, value == "true"
    return name, value
