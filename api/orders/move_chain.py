"""Move chain: each move of an order is chained to the move before it, of whichever order, by its hash.

A move binds the order's columns after it (`TERMS`) and says which decision was the newest then. So what a decision read of
orders can be computed again. It holds neither the person nor a text: erasure changes nothing that is bound.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, func, select, update

from api.decisions.decisions import FIRST, chained
from api.tables import CHAIN_HEAD, DECISIONS
from engine.decide import as_json

HEAD: Final = 2  # the row of `chain_head` that is of moves
TERMS: Final = (  # columns of `orders`
    *("decision", "merchant", "service", "service_version", "perk", "currency", "mode", "waived", "ceiling", "state"),
    *("total", "starts_at", "ends_at", "due_at", "created_at", "changed_at", "closed_at", "disputed"),
)
ENTRY: Final = ("order", "action", "before", "after", "total", "at", "decisions", "terms")  # columns of `order_moves`


def terms(order: Mapping[str, Any]) -> str:
    """What a move binds of a row of `orders`: canonical JSON."""
    return as_json({column: order[column] for column in TERMS})


def columns(terms: str) -> dict[str, Any]:
    """The columns of `orders` that a move binds."""
    values: dict[str, Any] = json.loads(terms)
    return values


def link(previous: str, move: Mapping[str, Any]) -> str:
    """The hash of a row of `order_moves` that follows another. SHA-256, hex."""
    return chained(previous, as_json({column: move[column] for column in ENTRY}))


def append(connection: Connection, order: Mapping[str, Any], move: Mapping[str, Any]) -> dict[str, Any]:
    """The row of a move as it is to be inserted, with its place in the chain; within a write transaction."""
    own = CHAIN_HEAD.c.id == HEAD
    previous = connection.execute(select(CHAIN_HEAD.c.hash).where(own)).scalar() or FIRST
    newest = connection.execute(select(func.max(DECISIONS.c.seq))).scalar() or 0
    row = {**move, "decisions": newest, "terms": terms(order)}
    hash_ = link(previous, row)
    connection.execute(update(CHAIN_HEAD).where(own).values(length=CHAIN_HEAD.c.length + 1, hash=hash_))
    return {**row, "previous_hash": previous, "hash": hash_}
