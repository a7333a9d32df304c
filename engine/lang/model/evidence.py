"""Define the compiled form of `evidence.yaml`: the kinds of events that a rules folder declares, and their fields."""

from dataclasses import dataclass
from typing import Literal

Scope = Literal["subject", "each", "both"]
FieldForm = Literal["bool", "int", "decimal", "money", "enum", "text", "date", "moment", "party", "category", "tie"]


@dataclass(frozen=True)
class FieldDefinition:
    """A field of events. `low` and `high` bound its numbers, which are scaled by `digits`."""

    name: str
    form: FieldForm
    digits: int = 0
    values: tuple[str, ...] = ()
    low: int | None = None
    high: int | None = None

    @property
    def currency(self) -> str:
        """The field that names the currency of this money."""
        return "currency" if self.name == "amount" else f"{self.name}_currency"


@dataclass(frozen=True)
class KindDefinition:
    """A kind of events. `about`: what happened, by language; the language of a single text is empty. `required` and `optional` name its fields, with `other` and the currencies of its money.

    `counts_for`: `subject`; `each` party by their own consent; or `both` parties, or neither.
    """

    name: str
    about: tuple[tuple[str, str], ...]
    data_class: str
    counts_for: Scope
    required: tuple[str, ...]
    optional: tuple[str, ...]
    adverse: bool = False
    years: int | None = None
    step: str = ""
    reverses: str = ""
    signed: bool = False  # its `amount` may be negative


@dataclass(frozen=True)
class Evidence:
    """What can happen, as a rules folder declares it. A field has one type in all kinds."""

    ties: tuple[str, ...]
    categories: tuple[str, ...]
    income: tuple[str, ...]
    kinds: tuple[KindDefinition, ...]
    fields: tuple[FieldDefinition, ...]
