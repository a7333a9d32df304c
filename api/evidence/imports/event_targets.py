"""The kinds of events that a map may make, with their fields: the one place where an import learns of them.

A kind that a file declares takes part in imports once `event_targets` returns it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from graph.evidence.currencies import CURRENCY_DIGITS
from graph.evidence.vocabulary import CATEGORIES, CHANNELS, DISPUTE_OUTCOMES, KINDS, TIES, Kind

FieldType = Literal["text", "integer", "time", "date"]
KEY_FIELDS: Final = ("contributor", "event_id", "subject", "happened_at")  # of an event of any kind
_TYPES: Final[dict[str, FieldType]] = {
    **dict.fromkeys(("happened_at", "until"), "time"),
    **dict.fromkeys(("identity_level", "strength", "amount", "days_late"), "integer"),
    "due": "date",
}
_VALUES: Final[dict[str, Collection[str]]] = {
    "tie": TIES,
    "category": CATEGORIES,
    "channel": CHANNELS,
    "outcome": DISPUTE_OUTCOMES,
    "currency": CURRENCY_DIGITS,
}
# A field of money and the field that has its currency.
CURRENCY_FIELDS: Final = {"amount": "currency"}


@dataclass(frozen=True)
class FieldTarget:
    """A field of an event: its type, the texts that it may have (none: any), and whether every event of the kind needs it."""

    name: str
    type: FieldType
    required: bool
    values: Collection[str] = field(default=(), repr=False)


EventTargets = Mapping[str, Mapping[str, FieldTarget]]  # by kind, then by field


def event_targets() -> EventTargets:
    """The kinds of events, each with its fields, required ones first."""
    return {kind.name: _fields_of(kind) for kind in KINDS}


def _fields_of(kind: Kind) -> dict[str, FieldTarget]:
    required = (*KEY_FIELDS, *kind.required)
    return {name: _target(name, required=name in required) for name in (*required, *kind.optional)}


def _target(name: str, *, required: bool) -> FieldTarget:
    return FieldTarget(name, _TYPES.get(name, "text"), required, _VALUES.get(name, ()))
