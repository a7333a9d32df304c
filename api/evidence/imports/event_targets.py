"""The kinds of events that a map may make, with their fields: those of a vocabulary, declared ones too."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from graph.evidence.currencies import CURRENCY_DIGITS
from graph.evidence.vocabulary import DISPUTE_OUTCOMES, EventField, EventVocabulary, Kind

FieldType = Literal["text", "integer", "time", "date", "bool"]
KEY_FIELDS: Final = ("contributor", "event_id", "subject", "happened_at")  # of an event of any kind
_TYPES: Final[dict[str, FieldType]] = {
    **dict.fromkeys(("happened_at", "until"), "time"),
    **dict.fromkeys(("identity_level", "strength", "amount", "days_late"), "integer"),
    "due": "date",
}
_DECLARED_TYPES: Final[dict[str, FieldType]] = {
    **dict.fromkeys(("int", "decimal", "money"), "integer"),
    **dict.fromkeys(("enum", "text", "party", "currency"), "text"),
    "bool": "bool",
    "date": "date",
    "moment": "time",
}


@dataclass(frozen=True)
class FieldTarget:
    """A field of an event: its type, the texts that it may have (none: any), and whether every event of the kind needs it.

    A decimal is an integer of `digits` more digits. `currency` is the field that has the currency of this money.
    """

    name: str
    type: FieldType
    required: bool
    values: Collection[str] = field(default=(), repr=False)
    digits: int = 0
    currency: str = ""


EventTargets = Mapping[str, Mapping[str, FieldTarget]]  # by kind, then by field


def event_targets(vocabulary: EventVocabulary) -> EventTargets:
    """The kinds of events, each with its fields, required ones first."""
    return {kind.name: _fields_of(kind, vocabulary) for kind in vocabulary.kinds}


def _fields_of(kind: Kind, vocabulary: EventVocabulary) -> dict[str, FieldTarget]:
    required = (*KEY_FIELDS, *kind.required)
    return {name: _target(name, vocabulary, required=name in required) for name in (*required, *kind.optional)}


def _target(name: str, vocabulary: EventVocabulary, *, required: bool) -> FieldTarget:
    declared = vocabulary.extra_fields.get(name)
    if declared is not None:
        return _declared_target(declared, required=required)
    values: dict[str, Collection[str]] = {
        "tie": vocabulary.ties,
        "category": vocabulary.categories,
        "channel": vocabulary.channels,
        "outcome": DISPUTE_OUTCOMES,
        "currency": CURRENCY_DIGITS,
    }
    currency = "currency" if name == "amount" else ""
    return FieldTarget(name, _TYPES.get(name, "text"), required, values.get(name, ()), currency=currency)


def _declared_target(field_: EventField, *, required: bool) -> FieldTarget:
    values = CURRENCY_DIGITS if field_.type == "currency" else field_.values
    currency = field_.currency_field if field_.type == "money" else ""
    return FieldTarget(field_.name, _DECLARED_TYPES[field_.type], required, values, field_.digits, currency)


def currency_fields(targets: Mapping[str, FieldTarget]) -> dict[str, str]:
    """Each field of money of a kind, with the field that has its currency."""
    return {target.name: target.currency for target in targets.values() if target.currency}
