"""Check a question against the rules: its perk, its amount, and the request's own fields."""

from collections.abc import Mapping

from engine.errors import Rejected
from engine.lang.check.quantities import describe_type
from engine.lang.model.conditions import Values
from engine.lang.model.program import Perk, Program
from engine.lang.model.types import MAX_INTEGER, Type, Value, day_of, fits, format_value, value_of


def require_perk(program: Program, name: str, amount: int, currency: str) -> Perk:
    """The perk, if you can ask about it with this amount. Raises Rejected."""
    perk = program.perk(name)
    if perk is None:
        perk_ids = ", ".join(p.id for p in program.perks)
        raise Rejected(f"unknown perk `{name[:60]}`", code="unknown_perk", where="perk", hint=f"use one of {perk_ids}")
    if currency != perk.currency:
        hint = f"ask in {perk.currency}"
        raise Rejected(f"`{perk.id}` is in {perk.currency}", code="wrong_currency", where="currency", hint=hint)
    if not 0 < amount <= perk.most:
        hint = f"from 1 to {perk.most} in minor units of {perk.currency}"
        raise Rejected(f"the amount {amount} is out of range", code="bad_amount", where="amount", hint=hint)
    return perk


def check_context(perk: Perk, values: Values) -> dict[str, Value | None]:
    """Check the request's own fields. The result has every field of the perk; absent ones are missing. Raises Rejected."""
    attributes = {a.name.removeprefix("request."): a for a in perk.request}
    for name, value in values.items():
        if name not in attributes:
            hint = f"`{perk.id}` takes {', '.join(attributes) or 'none'}"
            raise Rejected(f"unknown field `{name[:60]}`", code="bad_context", where="context", hint=hint)
        if not fits(value, attributes[name].type):
            text = f"the value of `{name}` is not {describe_type(attributes[name].type)}, or out of bounds"
            raise Rejected(text, code="bad_context", where=f"context.{name}", hint="see rules/perks.yaml")
    return {name: values.get(name) for name in attributes}


def read_context(perk: Perk, payload: Mapping[str, object]) -> dict[str, Value | None]:
    """Convert the request's own fields from JSON.

    Whole numbers and bools keep their JSON type, money is a whole number of minor units, and all other values are texts. A
    whole decimal can be either. null is missing. Raises Rejected.
    """
    types = {a.name.removeprefix("request."): a.type for a in perk.request}

    def read(name: str, value: object) -> Value | None:
        if value is None or name not in types:
            return None
        text, type_ = _text(value, types[name]), types[name]
        # In rule files a date means its first moment. In a request we do not guess the hour.
        no_hour = type_.kind == "timestamp" and text is not None and day_of(text) is not None
        result = None if text is None or no_hour else value_of(text, type_)
        if result is not None:
            return result
        message = f"the value of `{name}` is not {describe_type(type_)}, or out of bounds"
        hint = "whole numbers as such, all else as text"
        if type_.kind == "timestamp":
            hint = "write the time and its zone, as 2026-03-01T18:30:00Z"
        raise Rejected(message, code="bad_context", where=f"context.{name}", hint=hint)

    return check_context(perk, {name: read(name, value) for name, value in payload.items()})


def _text(value: object, type_: Type) -> str | None:
    """The value as text, if JSON has it in the form that its type requires."""
    if isinstance(value, bool):
        return str(value).lower() if type_.kind == "bool" else None
    if isinstance(value, int):
        if type_.kind == "money":  # in minor units, as the amount of the question
            return format_value(value, type_)
        return str(value) if type_.kind in ("int", "decimal") and abs(value) <= MAX_INTEGER else None
    return value if isinstance(value, str) and type_.kind not in ("bool", "int") else None
