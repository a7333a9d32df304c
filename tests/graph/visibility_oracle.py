"""Compute the view row by row, with only dicts and loops: the oracle of `graph.evidence.visibility`."""

import json
from datetime import datetime
from typing import Any

import polars as pl

from graph.evidence.declared_fields import correction_row
from graph.evidence.events import CORRECTABLE_COLUMNS, SCHEMA
from graph.evidence.vocabulary import CLASSES, STANDARD
from tests.graph.credit_oracle import is_credit, plain_counting

Row = dict[str, Any]


def plain_visible(
    events: pl.DataFrame, as_of: datetime, known_at: datetime, purpose: str, *, forgetting: bool = True
) -> list[Row]:
    """`forgetting` False: as if nothing left with time."""
    rows = []
    for order, row in enumerate(events.iter_rows(named=True)):
        if row["happened_at"] <= as_of and row["recorded_at"] <= known_at:
            rows.append({**row, "order_": order})
    retracted = {(r["contributor"], r["ref_event"]) for r in rows if r["kind"] == "event.retracted"}
    rows = [r for r in rows if r["kind"] == "event.retracted" or (r["contributor"], r["event_id"]) not in retracted]
    consents = plain_consents(rows, as_of, purpose)
    evidence = [apply_plain_corrections(r, rows) for r in rows if STANDARD.kind_by_name[r["kind"]].data_class]
    evidence = [{**r, "dispute": dispute(r, rows)} for r in evidence if possible(r, as_of)]
    credit = plain_counting([r for r in evidence if is_credit(r)], as_of, forgetting=forgetting)
    other = [{**r, "ended_at": None, "disputed": False} for r in evidence if not is_credit(r) and not r["dispute"]]
    counting = sorted([*credit, *other], key=lambda r: int(r["order_"]))
    return [r for r in (with_sides(r, consents) for r in counting) if r["for_subject"] or r["for_other"]]


def apply_plain_corrections(row: Row, rows: list[Row]) -> Row:
    kind, new = STANDARD.kind_by_name[row["kind"]], dict(row)
    corrections = [r for r in rows if r["kind"] == "event.corrected"]
    for correction in sorted(corrections, key=lambda r: (r["recorded_at"], r["order_"])):
        if (correction["contributor"], correction["ref_event"]) != (row["contributor"], row["event_id"]):
            continue
        fields = json.loads(correction["fields"])
        values = correction_row(fields).row(0, named=True)
        for field in fields:
            assert field in CORRECTABLE_COLUMNS
            if field == "happened_at" or field in kind.required or field in kind.optional:
                new[field] = values[field]
    return new


def possible(row: Row, as_of: datetime) -> bool:
    if row["happened_at"] > as_of or row["subject"] == row["other"]:
        return False
    if (row["amount"] or 0) < 0 and row["kind"] != "account.balance":
        return False
    return not ((row["strength"] or 0) < 0 and row["tie"] != "vouch")


def dispute(row: Row, rows: list[Row]) -> str | None:
    """Of the parties' disputes of a row, each party's as its last word has it: open if one is, else upheld if one is."""
    states = {party_dispute(row, party, rows) for party in (row["subject"], row["other"]) if party is not None}
    return next((state for state in ("open", "upheld") if state in states), None)


def party_dispute(row: Row, party: str, rows: list[Row]) -> str | None:
    disputes = []
    for r in rows:
        if r["kind"].startswith("dispute."):
            contributor = r["contributor"] if r["ref_contributor"] is None else r["ref_contributor"]
            if r["subject"] == party and (contributor, r["ref_event"]) == (row["contributor"], row["event_id"]):
                disputes.append(r)
    if not any(r["kind"] == "dispute.opened" for r in disputes):
        return None
    last = max(disputes, key=lambda r: (r["happened_at"], r["recorded_at"], r["order_"]))
    if last["kind"] == "dispute.opened":
        return "open"
    return "upheld" if last["outcome"] == "upheld" else None


def plain_consents(rows: list[Row], as_of: datetime, purpose: str) -> set[tuple[str, str]]:
    changes = [r for r in rows if r["kind"].startswith("consent.") and r["purpose"] == purpose and r["service"] is None]
    last: dict[tuple[str, str], Row] = {}
    for r in sorted(changes, key=lambda r: (r["happened_at"], r["recorded_at"], r["order_"])):
        for data_class in CLASSES if r["classes"] is None else r["classes"].split(","):
            last[r["subject"], data_class] = r
    return {
        key for key, r in last.items() if r["kind"] == "consent.granted" and (r["until"] is None or r["until"] > as_of)
    }


def with_sides(row: Row, consents: set[tuple[str, str]]) -> Row:
    data_class = STANDARD.kind_by_name[row["kind"]].data_class
    subject_side, other_side = (row["subject"], data_class) in consents, (row["other"], data_class) in consents
    if data_class == "relationship":
        subject_side = other_side = subject_side and other_side
    elif row["kind"] != "payment.made":
        other_side = False
    sides = {"for_subject": subject_side, "for_other": other_side}
    return {**{c: row[c] for c in SCHEMA}, **sides, "ended_at": row["ended_at"], "disputed": row["disputed"]}
