"""Reconciliation: list all moves of a merchant's orders in one day, so that the merchant can compare them with its books.

We write one line of JSON per move, in the order of the moves. Days are those of the rules' time zone. A day is available after
its end, and its content never changes, unless the policy names another time zone.
"""

import base64
import hashlib
import json
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy import RowMapping, select

from api.runtime.context import AppContext
from api.store.clock import iso, micros, moment
from api.store.database import reading
from api.store.tables import ORDER_MOVES, ORDERS
from engine.errors import Rejected
from engine.lang.model.timezones import EPOCH, start_of, zone

DAY_CLOSE_DELAY: Final = timedelta(minutes=10)  # after midnight, so that requests from before midnight are stored


def moves_of_day(context: AppContext, merchant: str, day: date, now: datetime) -> bytes:
    """The day's moves as NDJSON. Raises Rejected `day_not_over`."""
    timezone = context.release.timezone
    if day < EPOCH.date():
        return b""
    if day >= (now - DAY_CLOSE_DELAY).astimezone(zone(timezone)).date():
        hint = f"ask from ten minutes after its end in {timezone} on"
        raise Rejected("the day is not over yet", where="day", hint=hint, code="day_not_over")
    number = (day - EPOCH.date()).days
    begin, end = start_of(timezone, number), start_of(timezone, number + 1)
    order_columns = ("out_order_no", "service", "perk", "currency", "waived")
    query = (
        select(
            *(ORDERS.c[c] for c in ("id", *order_columns)),
            *(ORDER_MOVES.c[c] for c in ("action", "after", "total", "at")),
        )
        .join_from(ORDER_MOVES, ORDERS, ORDERS.c.id == ORDER_MOVES.c.order)
        .where(ORDERS.c.merchant == merchant, ORDER_MOVES.c.at >= micros(begin))
        .where(ORDER_MOVES.c.at < micros(end))
        .order_by(ORDER_MOVES.c.seq)
    )
    with reading(context.database) as connection:
        rows = connection.execute(query).mappings().all()
    return "".join(json.dumps(_line(row)) + "\n" for row in rows).encode()


def _line(row: RowMapping) -> dict[str, object]:
    return {
        "at": iso(moment(row["at"])),
        "order_id": row["id"],
        "out_order_no": row["out_order_no"],
        "service": row["service"],
        "perk": row["perk"],
        "action": row["action"],
        "state": row["after"],
        "currency": row["currency"],
        "waived_amount": row["waived"],
        "total_amount": row["total"],
    }


def content_digest(content: bytes) -> str:
    """The value of the header `Content-Digest` (RFC 9530), with SHA-256."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(content).digest()).decode()}:"
