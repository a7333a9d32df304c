"""Reconciliation: everything that happened to a merchant's orders in one day, to hold its own books against.

One line of JSON a move, in the order in which they were made. A day is that of the rules' time zone. It is given when it is over,
and is the same for ever, unless the policy names another zone.
"""

import base64
import hashlib
import json
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy import select

from api.clock import iso, micros, moment
from api.database import reading
from api.tables import ORDER_MOVES, ORDERS
from api.world import World
from engine.errors import Refused
from engine.lang.timezones import EPOCH, start_of, zone

SETTLED: Final = timedelta(minutes=10)  # after midnight, when what was asked before it is written down


def of_day(world: World, merchant: str, day: date, now: datetime) -> bytes:
    """The day's moves, as NDJSON. Raises Refused `day_not_over`."""
    timezone = world.release.timezone
    if day < EPOCH.date():
        return b""
    if day >= (now - SETTLED).astimezone(zone(timezone)).date():
        hint = f"ask from ten minutes after its end in {timezone} on"
        raise Refused("the day is not over yet", where="day", hint=hint, code="day_not_over")
    number = (day - EPOCH.date()).days
    begin, end = start_of(timezone, number), start_of(timezone, number + 1)
    of_order = ("out_order_no", "service", "perk", "currency", "waived")
    query = (
        select(
            *(ORDERS.c[c] for c in ("id", *of_order)), *(ORDER_MOVES.c[c] for c in ("action", "after", "total", "at"))
        )
        .join_from(ORDER_MOVES, ORDERS, ORDERS.c.id == ORDER_MOVES.c.order)
        .where(ORDERS.c.merchant == merchant, ORDER_MOVES.c.at >= micros(begin))
        .where(ORDER_MOVES.c.at < micros(end))
        .order_by(ORDER_MOVES.c.seq)
    )
    with reading(world.database) as connection:
        rows = connection.execute(query).mappings().all()
    lines = (
        {
            **{"at": iso(moment(row["at"])), "order_id": row["id"], "out_order_no": row["out_order_no"]},
            **{"service": row["service"], "perk": row["perk"], "action": row["action"], "state": row["after"]},
            **{"currency": row["currency"], "waived_amount": row["waived"], "total_amount": row["total"]},
        }
        for row in rows
    )
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


def content_digest(content: bytes) -> str:
    """The header `Content-Digest` (RFC 9530), by SHA-256."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(content).digest()).decode()}:"
