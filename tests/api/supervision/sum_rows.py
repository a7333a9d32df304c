"""Rows of decisions and orders, as small as the sums by day need them."""

import json
from datetime import datetime
from typing import Any

from sqlalchemy import insert

from api.store.clock import micros
from api.store.tables import DECISION_SUBJECTS, DECISIONS, ORDER_MOVES, ORDERS


def insert_decision(connection: Any, seq: int, at: datetime, perk: str, outcome: str, band: str | None = None) -> None:
    row = {
        **{"seq": seq, "id": f"d-{seq}", "merchant": "inn", "perk": perk, "amount": 1, "currency": "CNY"},
        **{"outcome": outcome, "waived": 0, "deposit": 0, "decided_at": micros(at), "valid_until": micros(at)},
        **{"release": "r", "commitment": "", "previous_hash": "", "hash": str(seq)},
    }
    connection.execute(insert(DECISIONS).values(row))
    record = json.dumps({"decision": {"scored": {"band": band, "score": 600}}})
    subject = {"seq": seq, "merchant": "inn", "subject": f"p-{seq}", "salt": "", "record": record}
    connection.execute(insert(DECISION_SUBJECTS).values(subject))


def insert_move(connection: Any, seq: int, order: str, before: str, after: str, at: datetime) -> None:
    row = {"seq": seq, "order": order, "action": "x", "digest": "", "before": before, "after": after, "at": micros(at)}
    connection.execute(insert(ORDER_MOVES).values(row))


def insert_order(connection: Any, decision: int, at: datetime) -> str:
    name = f"o-{decision}"
    row = {
        **{
            "id": name,
            "merchant": "inn",
            "out_order_no": name,
            "service": "hotel",
            "service_version": 1,
            "perk": "hotel",
        },
        **{"decision": f"d-{decision}", "currency": "CNY", "mode": "waive_first", "waived": 1, "state": "due"},
        **{"created_at": micros(at), "changed_at": micros(at), "content": "{}", "digest": "", "disputed": False},
    }
    connection.execute(insert(ORDERS).values(row))
    return name
