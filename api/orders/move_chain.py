"""Move chain: we chain each move of an order to the previous move, of any order, by its hash.

A move binds the order's columns after the move (`TERM_COLUMNS`) and the number of the newest decision at that time. So you
can recompute the state of orders that a decision read. It also binds the numbers of the person's other orders that the rules
read (`counts`). A move contains neither the person nor free text: an erasure changes nothing that the chain binds.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, func, select, update

from api.decisions.decisions import GENESIS_HASH, chain_hash
from api.store.tables import CHAIN_HEAD, DECISIONS
from engine.decide.decide import as_json

HEAD_ID: Final = 2  # the row of `chain_head` for moves
TERM_COLUMNS: Final = (  # columns of `orders`
    "decision",
    "merchant",
    "service",
    "service_version",
    "perk",
    "currency",
    "mode",
    "waived",
    "ceiling",
    "state",
    "total",
    "starts_at",
    "ends_at",
    "due_at",
    "created_at",
    "changed_at",
    "closed_at",
    "disputed",
)
ENTRY_COLUMNS: Final = (
    "order",
    "action",
    "before",
    "after",
    "total",
    "at",
    "decisions",
    "terms",
)  # columns of `order_moves`; and `counts`, if the move has them


def terms(order: Mapping[str, object]) -> str:
    """The part of a row of `orders` that a move binds: canonical JSON."""
    return as_json({column: order[column] for column in TERM_COLUMNS})


def columns(terms: str) -> dict[str, Any]:
    """The columns of `orders` from the text of `terms`."""
    values: dict[str, Any] = json.loads(terms)
    return values


def counts_text(counts: object) -> str | None:
    """The counts of a person's orders as a move binds them: canonical JSON. None: the rules read none."""
    return None if counts is None else as_json({name: value for name, value in vars(counts).items() if value != ()})


def link_hash(previous: str, move: Mapping[str, object]) -> str:
    """The hash of a row of `order_moves` after the hash `previous`. SHA-256, hex.

    Moves of earlier versions have no counts, and their hashes cover none.
    """
    columns = ENTRY_COLUMNS if move["counts"] is None else (*ENTRY_COLUMNS, "counts")
    return chain_hash(previous, as_json({column: move[column] for column in columns}))


def chain_move(connection: Connection, order: Mapping[str, object], move: Mapping[str, object]) -> dict[str, object]:
    """Extend the chain by a move, within a write transaction. Returns the row to insert."""
    is_head = CHAIN_HEAD.c.id == HEAD_ID
    previous = connection.execute(select(CHAIN_HEAD.c.hash).where(is_head)).scalar() or GENESIS_HASH
    newest = connection.execute(select(func.max(DECISIONS.c.seq))).scalar() or 0
    row = {**move, "decisions": newest, "terms": terms(order)}
    hash_ = link_hash(previous, row)
    connection.execute(update(CHAIN_HEAD).where(is_head).values(length=CHAIN_HEAD.c.length + 1, hash=hash_))
    return {**row, "previous_hash": previous, "hash": hash_}
