"""Redact an order when its person leaves.

We keep a field by its name, never by the shape of its text: a phone number is digits, and so is a time. We keep a field only
if its type leaves no room for free text: an amount, a count, a time, an enumeration or a boolean. Every other text becomes
empty.
"""

from collections.abc import Mapping
from typing import Any, Final

from api.orders import order_store

Fields = Mapping[str, "Fields | None"]  # field -> the parts of it that we keep; None: keep all of it
RETAINED_FIELDS: Final[Fields] = {
    "risk_fund": {"name": None, "amount": None},
    "time_range": {"start_time": None, "end_time": None},
    "post_payments": {"amount": None, "count": None},
    "post_discounts": {"amount": None},
    "damage_amount": None,
    "need_user_confirm": None,
    "paid_at": None,
    "dispute": {"by": None},
}
_NO_FIELDS: Final[Fields] = {}


def redact_content(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The content of an order without the free texts of its merchant and person."""
    return {name: _redact(value, RETAINED_FIELDS.get(name, _NO_FIELDS)) for name, value in fields.items()}


def redact_message(body: Mapping[str, Any]) -> dict[str, Any]:
    """A message about an order, without the same texts."""
    order_content = {name: value for name, value in body["data"].items() if name in order_store.MERCHANT_FIELDS}
    return {**body, "data": {**body["data"], **redact_content(order_content)}}


def _redact(value: Any, retained: Fields | None) -> Any:
    match value:
        case dict():
            return {
                name: _redact(v, {} if retained is None else retained.get(name, _NO_FIELDS))
                for name, v in value.items()
            }
        case list():
            return [_redact(v, retained) for v in value]
    if retained is None:
        return value
    return "" if isinstance(value, str) else None
