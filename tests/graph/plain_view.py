"""The view once more, row by row, with nothing but dicts and loops: the oracle of `graph.view`."""

import json
from datetime import datetime
from typing import Any

import polars as pl

from graph.events import CORRECTABLE, SCHEMA, corrected
from graph.vocabulary import CLASSES, KIND
from tests.graph.plain_credit import is_credit, plain_standing

Row = dict[str, Any]


def plain_visible(
    events: pl.DataFrame, as_of: datetime, known_at: datetime, purpose: str, *, forgetting: bool = True
) -> list[Row]:
    """`forgetting` False: as if nothing left with time."""
    known = []
    for order, row in enumerate(events.iter_rows(named=True)):
        if row["happened_at"] <= as_of and row["recorded_at"] <= known_at:
            known.append({**row, "order_": order})
    retracted = {(r["contributor"], r["ref_event"]) for r in known if r["kind"] == "event.retracted"}
    known = [r for r in known if r["kind"] == "event.retracted" or (r["contributor"], r["event_id"]) not in retracted]
    consents = plain_consented(known, as_of, purpose)
    evidence = [plain_corrected(r, known) for r in known if KIND[r["kind"]].data_class]
    evidence = [{**r, "dispute": dispute(r, known)} for r in evidence if possible(r, as_of)]
    credit = plain_standing([r for r in evidence if is_credit(r)], as_of, forgetting=forgetting)
    other = [{**r, "ended_at": None, "disputed": False} for r in evidence if not is_credit(r) and not r["dispute"]]
    counting = sorted([*credit, *other], key=lambda r: int(r["order_"]))
    return [r for r in (covered(r, consents) for r in counting) if r["for_subject"] or r["for_other"]]


def plain_corrected(row: Row, known: list[Row]) -> Row:
    kind, new = KIND[row["kind"]], dict(row)
    said = [r for r in known if r["kind"] == "event.corrected"]
    for correction in sorted(said, key=lambda r: (r["recorded_at"], r["order_"])):
        if (correction["contributor"], correction["ref_event"]) != (row["contributor"], row["event_id"]):
            continue
        fields = json.loads(correction["fields"])
        values = corrected(fields).row(0, named=True)
        for field in fields:
            assert field in CORRECTABLE
            if field == "happened_at" or field in kind.needs or field in kind.may:
                new[field] = values[field]
    return new


def possible(row: Row, as_of: datetime) -> bool:
    if row["happened_at"] > as_of or row["subject"] == row["other"]:
        return False
    if (row["amount"] or 0) < 0 and row["kind"] != "account.balance":
        return False
    return not ((row["strength"] or 0) < 0 and row["tie"] != "vouch")


def dispute(row: Row, known: list[Row]) -> str | None:
    """Of the parties' disputes of a row, each party's as its last word has it: open if one is, else upheld if one is."""
    states = {party_dispute(row, party, known) for party in (row["subject"], row["other"]) if party is not None}
    return next((state for state in ("open", "upheld") if state in states), None)


def party_dispute(row: Row, party: str, known: list[Row]) -> str | None:
    said = []
    for r in known:
        if r["kind"].startswith("dispute."):
            whose = r["contributor"] if r["ref_contributor"] is None else r["ref_contributor"]
            if r["subject"] == party and (whose, r["ref_event"]) == (row["contributor"], row["event_id"]):
                said.append(r)
    if not any(r["kind"] == "dispute.opened" for r in said):
        return None
    last = max(said, key=lambda r: (r["happened_at"], r["recorded_at"], r["order_"]))
    if last["kind"] == "dispute.opened":
        return "open"
    return "upheld" if last["outcome"] == "upheld" else None


def plain_consented(known: list[Row], as_of: datetime, purpose: str) -> set[tuple[str, str]]:
    said = [r for r in known if r["kind"].startswith("consent.") and r["purpose"] == purpose and r["service"] is None]
    last: dict[tuple[str, str], Row] = {}
    for r in sorted(said, key=lambda r: (r["happened_at"], r["recorded_at"], r["order_"])):
        for data_class in CLASSES if r["classes"] is None else r["classes"].split(","):
            last[r["subject"], data_class] = r
    return {
        key for key, r in last.items() if r["kind"] == "consent.granted" and (r["until"] is None or r["until"] > as_of)
    }


def covered(row: Row, consents: set[tuple[str, str]]) -> Row:
    data_class = KIND[row["kind"]].data_class
    own, others = (row["subject"], data_class) in consents, (row["other"], data_class) in consents
    if data_class == "relationship":
        own = others = own and others
    elif row["kind"] != "payment.made":
        others = False
    sides = {"for_subject": own, "for_other": others}
    return {**{c: row[c] for c in SCHEMA}, **sides, "ended_at": row["ended_at"], "disputed": row["disputed"]}
