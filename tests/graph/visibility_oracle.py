"""Compute the view row by row, with only dicts and loops: the oracle of `graph.evidence.visibility`."""

import json
from datetime import datetime
from typing import Any

import polars as pl

from graph.evidence.declared_fields import correction_row
from graph.evidence.events import CORRECTABLE_COLUMNS, SCHEMA
from graph.evidence.links import MAX_LINKED_IDS
from graph.evidence.vocabulary import CLASSES, LINK_KIND, STANDARD, EventVocabulary
from tests.graph.credit_oracle import has_an_end, plain_counting, years_after

Row = dict[str, Any]


def plain_visible(
    events: pl.DataFrame,
    as_of: datetime,
    known_at: datetime,
    purpose: str,
    *,
    forgetting: bool = True,
    vocabulary: EventVocabulary = STANDARD,
) -> list[Row]:
    """`forgetting` False: as if nothing left with time."""
    rows = []
    for order, row in enumerate(events.iter_rows(named=True)):
        if row["happened_at"] <= as_of and row["recorded_at"] <= known_at:
            rows.append({**row, "order_": order})
    retracted = {(r["contributor"], r["ref_event"]) for r in rows if r["kind"] == "event.retracted"}
    rows = [r for r in rows if r["kind"] == "event.retracted" or (r["contributor"], r["event_id"]) not in retracted]
    consents = plain_consents(rows, as_of, purpose)
    kinds = vocabulary.kind_by_name
    evidence = [apply_plain_corrections(r, rows, vocabulary) for r in rows if kinds[r["kind"]].data_class]
    evidence = [r for r in evidence if possible(r, as_of)]
    people = plain_people([r for r in evidence if r["kind"] == LINK_KIND], rows, consents)
    evidence = [with_sides(r, consents, vocabulary) for r in evidence if r["kind"] != LINK_KIND]
    evidence = [{**r, "subject": people.get(r["subject"], r["subject"])} for r in evidence]
    evidence = [{**r, "other": people.get(r["other"], r["other"])} for r in evidence]
    rows = [{**r, "subject": people.get(r["subject"], r["subject"])} for r in rows]
    evidence = [{**r, "dispute": dispute(r, rows)} for r in evidence if r["subject"] != r["other"]]
    evidence = [r for r in evidence if r["for_subject"] or r["for_other"]]
    ending = [r for r in evidence if has_an_end(r, vocabulary)]
    credit = plain_counting(ending, as_of, forgetting=forgetting, vocabulary=vocabulary)
    lasting = [r for r in evidence if r not in ending and not r["dispute"]]
    other = [{**r, "ended_at": None, "disputed": False} for r in lasting]
    counting = sorted([*credit, *other], key=lambda r: int(r["order_"]))
    limits = {name: kind.keep_years for name, kind in kinds.items() if kind.keep_years}
    counting = [r for r in counting if r["kind"] not in limits or lasts(r["happened_at"], limits[r["kind"]], as_of)]
    return [{c: r[c] for c in (*SCHEMA, "for_subject", "for_other", "ended_at", "disputed")} for r in counting]


def plain_people(links: list[Row], rows: list[Row], consents: set[tuple[str, str]]) -> dict[str, str]:
    """The id that stands for each linked id: we follow the links from id to id until no more ids come."""
    in_force: list[tuple[str, str]] = []
    for link in sorted(links, key=lambda r: (r["recorded_at"], r["order_"])):
        pair = link["subject"], link["other"]
        consenting = all((party, "identity") in consents for party in pair)
        if consenting and not dispute(link, rows) and len(reachable(pair[0], [*in_force, pair])) <= MAX_LINKED_IDS:
            in_force.append(pair)
    return {one: min(reachable(one, in_force)) for pair in in_force for one in pair}


def reachable(start: str, pairs: list[tuple[str, str]]) -> set[str]:
    ids = {start}
    while more := {one for pair in pairs if set(pair) & ids for one in pair} - ids:
        ids |= more
    return ids


def lasts(at: datetime, years: int, as_of: datetime) -> bool:
    """Whether less than so many calendar years have passed since."""
    return years_after(at, years) > as_of


def apply_plain_corrections(row: Row, rows: list[Row], vocabulary: EventVocabulary = STANDARD) -> Row:
    kind, new = vocabulary.kind_by_name[row["kind"]], dict(row)
    corrections = [r for r in rows if r["kind"] == "event.corrected"]
    for correction in sorted(corrections, key=lambda r: (r["recorded_at"], r["order_"])):
        if (correction["contributor"], correction["ref_event"]) != (row["contributor"], row["event_id"]):
            continue
        fields = json.loads(correction["fields"])
        values = correction_row(fields, vocabulary).row(0, named=True)
        for field in fields:
            if field in vocabulary.extra_fields:
                if field in kind.fields:
                    content = json.loads(new["data"] or "{}") | {field: json.loads(values["data"])[field]}
                    new["data"] = json.dumps(dict(sorted(content.items())), ensure_ascii=False, separators=(",", ":"))
                continue
            assert field in CORRECTABLE_COLUMNS
            if field == "happened_at" or field in kind.fields:
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


def with_sides(row: Row, consents: set[tuple[str, str]], vocabulary: EventVocabulary = STANDARD) -> Row:
    kind = vocabulary.kind_by_name[row["kind"]]
    subject_side, other_side = ((row[party], kind.data_class) in consents for party in ("subject", "other"))
    if kind.counts_for == "both":
        subject_side = other_side = subject_side and other_side
    elif kind.counts_for == "subject":
        other_side = False
    return {**row, "for_subject": subject_side, "for_other": other_side}
