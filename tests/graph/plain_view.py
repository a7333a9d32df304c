"""The view once more, row by row, with nothing but dicts and loops: the oracle of `graph.view`."""

import json
from datetime import datetime
from typing import Any

import polars as pl

from graph.events import CORRECTABLE, SCHEMA, corrected
from graph.vocabulary import CLASSES, KIND

Row = dict[str, Any]


def plain_visible(events: pl.DataFrame, as_of: datetime, known_at: datetime, purpose: str) -> list[Row]:
    known = []
    for order, row in enumerate(events.iter_rows(named=True)):
        if row["happened_at"] <= as_of and row["recorded_at"] <= known_at:
            known.append({**row, "order_": order})
    retracted = {(r["contributor"], r["ref_event"]) for r in known if r["kind"] == "event.retracted"}
    known = [r for r in known if r["kind"] == "event.retracted" or (r["contributor"], r["event_id"]) not in retracted]
    consents = plain_consented(known, as_of, purpose)
    evidence = [plain_corrected(r, known) for r in known if KIND[r["kind"]].data_class]
    evidence = [r for r in evidence if possible(r, as_of) and not disputed(r, known)]
    evidence = [r for r in evidence if not expired(r, evidence, as_of)]
    return [r for r in (covered(r, consents) for r in evidence) if r["for_subject"] or r["for_other"]]


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


def disputed(row: Row, known: list[Row]) -> bool:
    said = []
    for r in known:
        if r["kind"].startswith("dispute."):
            whose = r["contributor"] if r["ref_contributor"] is None else r["ref_contributor"]
            mine = r["subject"] in (row["subject"], row["other"])
            if mine and (whose, r["ref_event"]) == (row["contributor"], row["event_id"]):
                said.append(r)
    if not any(r["kind"] == "dispute.opened" for r in said):
        return False
    last = max(said, key=lambda r: (r["happened_at"], r["recorded_at"], r["order_"]))
    return not (last["kind"] == "dispute.resolved" and last["outcome"] == "rejected")


def expired(row: Row, evidence: list[Row], as_of: datetime) -> bool:
    late = row["kind"] == "order.settled" and (row["days_late"] or 0) > 0
    if not KIND[row["kind"]].adverse and not late:
        return False
    if row["kind"] in ("obligation.written_off", "order.settled"):
        ends = [row["happened_at"]]
    elif row["kind"] == "obligation.missed":
        closing = ("obligation.paid", "obligation.settled", "obligation.written_off")
        ends = [r["happened_at"] for r in same(row, evidence, "obligation") if r["kind"] in closing]
    else:
        ends = [r["happened_at"] for r in same(row, evidence, "order") if r["kind"] == "order.settled"]
    ends = [at for at in ends if at >= row["happened_at"]]
    return bool(ends) and five_years_after(min(ends)) <= as_of


def same(row: Row, evidence: list[Row], thing: str) -> list[Row]:
    key = ("contributor", "subject", thing)
    return [r for r in evidence if all(r[k] == row[k] for k in key)]


def five_years_after(at: datetime) -> datetime:
    try:
        return at.replace(year=at.year + 5)
    except ValueError:
        return at.replace(year=at.year + 5, day=28)


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
    return {**{c: row[c] for c in SCHEMA}, "for_subject": own, "for_other": others}
