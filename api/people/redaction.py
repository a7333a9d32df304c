"""Redaction: what of an order stays when its person leaves.

The list names fields, never shapes of text: a phone number is digits, as a moment is. A field stays only if its type leaves
no room for a text: an amount, a count, a moment, an enumeration, a yes or no. Every other text becomes empty.
"""

from collections.abc import Mapping
from typing import Any, Final

from api.orders import order_book

Fields = Mapping[str, "Fields | None"]  # field -> the fields of it that stay; None: all of it
KEPT: Final[Fields] = {
    "risk_fund": {"name": None, "amount": None},
    "time_range": {"start_time": None, "end_time": None},
    "post_payments": {"amount": None, "count": None},
    "post_discounts": {"amount": None},
    "damage_amount": None,
    "need_user_confirm": None,
    "paid_at": None,
    "dispute": {"by": None},
}
_NOTHING: Final[Fields] = {}


def content(said: Mapping[str, Any]) -> dict[str, Any]:
    """What a merchant and a person said of an order, without their texts."""
    return {name: _stays(value, KEPT.get(name, _NOTHING)) for name, value in said.items()}


def message(body: Mapping[str, Any]) -> dict[str, Any]:
    """A message about an order, without the same texts."""
    said = {name: value for name, value in body["data"].items() if name in order_book.SAID}
    return {**body, "data": {**body["data"], **content(said)}}


def _stays(value: Any, kept: Fields | None) -> Any:
    match value:
        case dict():
            return {name: _stays(v, {} if kept is None else kept.get(name, _NOTHING)) for name, v in value.items()}
        case list():
            return [_stays(v, kept) for v in value]
    if kept is None:
        return value
    return "" if isinstance(value, str) else None
