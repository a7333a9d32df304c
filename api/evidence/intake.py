"""Intake: append the events of a request to the ledger. We report a result for each row and record the submission.

Intake is stricter than the ledger: a contributor speaks for itself alone, and neither for people (consents, disputes) nor
for the system (orders). See docs/decisions/0026-event-submissions.md.
"""

import json
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import polars as pl
from sqlalchemy import Connection, insert

from api.evidence import decoys, erasure_tombstones, ledger, link_sources, withheld
from api.evidence.insertion import REFUSED_SCHEMA
from api.evidence.json_rows import json_rows
from api.evidence.ledger import AppendResult, CheckedBatch
from api.evidence.values import BadRow, EventBatch, parse_batch
from api.store.clock import micros
from api.store.database import Database, writing
from api.store.tables import SUBMISSIONS
from graph.evidence.events import MAX_ID_LENGTH, SCHEMA
from graph.evidence.vocabulary import STANDARD, EventVocabulary

OWNER_OF_KIND: Final = {  # by the first word of a kind
    "consent": "the person",
    "dispute": "the person",
    "order": "the house",
}
_DIFFERING_FIELDS: Final = r", see `[a-z_`, ]*`"  # in a clash: of a withheld event we do not know which fields differ
ALL_OR_NOTHING_REASON: Final = "all or nothing was asked for, and another row is refused"
_QUOTED: Final = re.compile(r"`(?:[a-z][a-z0-9_.]{0,39})`|`.{0,40}`")


@dataclass(frozen=True)
class IntakeResult:
    """The result of a submission. `rows`: `event_id`, `result` and `reason` of each `row`, from 0; `recorded_at` None: nothing was new."""

    id: str
    accepted: int
    duplicates: int
    refused: int
    recorded_at: datetime | None
    rows: pl.DataFrame


def ingest(
    database: Database,
    contributor: str,
    rows: list[bytes],
    now: datetime,
    *,
    all_or_nothing: bool = False,
    vocabulary: EventVocabulary = STANDARD,
) -> IntakeResult:
    """Append the good rows, or all rows or none. We record the submission in the same transaction.

    Raises Rejected when the database is in trouble.
    """
    texts, numbers, unreadable = json_rows(rows, 0, vocabulary)
    batch = parse_batch(texts, numbers, 0, 0, vocabulary)
    bad_rows = sorted([*unreadable, *batch.bad_rows], key=lambda row: row.line)
    checked = ledger.check(batch.events.with_columns(pl.lit(contributor).alias("contributor")), now, vocabulary)
    checked = _refuse_foreign(checked, batch, contributor)
    refuse_all = all_or_nothing and bool(bad_rows)
    with writing(database) as connection:
        links = _withheld_links(connection, checked.good, contributor)
        foreign_links = link_sources.rejections(connection, checked.good, links)  # before we know who has left
        checked = _without(checked, _forbidden_retractions(connection, checked.good, contributor), foreign_links)
        if refuse_all:
            append_result = AppendResult(0, 0, checked.refused)
        else:
            append_result = _append(connection, checked, contributor, now, all_or_nothing=all_or_nothing)
            refuse_all = all_or_nothing and not append_result.refused.is_empty()
        result = _result_of(_results(batch, bad_rows, append_result, refuse_all=refuse_all), append_result.recorded_at)
        record = _record(result, _parties(batch, bad_rows), contributor, now, vocabulary)
        connection.execute(insert(SUBMISSIONS).values(record))
    return result


def _append(
    connection: Connection, checked: CheckedBatch, contributor: str, now: datetime, *, all_or_nothing: bool
) -> AppendResult:
    """Append as the ledger does, and report withheld events as if the ledger had taken them."""
    if all_or_nothing and not checked.refused.is_empty():
        return AppendResult(0, 0, checked.refused)
    erased_by_row = erasure_tombstones.erased_by_row(connection, checked.good)
    withheld_rows = withheld.separate(connection, checked.good, contributor, erased_by_row)
    clashes = pl.DataFrame({"row": withheld_rows.clashes}, schema={"row": pl.Int64}).with_columns(
        reason=pl.lit(withheld.CLASH)
    )
    rest = checked.good.filter(~pl.col("row").is_in(withheld_rows.rows))
    refused = pl.concat([checked.refused, clashes]).sort("row")
    append_result = ledger.insert_in(
        connection, replace(checked, good=rest, refused=refused), now, all_or_nothing=all_or_nothing
    )
    refused = append_result.refused.with_columns(pl.col("reason").str.replace(_DIFFERING_FIELDS, ""))
    refuse_all = all_or_nothing and not refused.is_empty()
    recorded_at = append_result.recorded_at
    if withheld_rows.new and not refuse_all:
        recorded_at = recorded_at or ledger.reserve_moment(connection, now)
        withheld.keep(connection, withheld_rows.new.values(), recorded_at)
    decoys.write(connection, checked.good, withheld_rows, append_result, now, all_or_nothing=all_or_nothing)
    if refuse_all:
        return AppendResult(0, 0, refused)
    repeats = pl.concat([append_result.repeats, pl.Series("row", withheld_rows.repeats, pl.Int64)])
    accepted, duplicates = (
        append_result.accepted + len(withheld_rows.new),
        append_result.duplicates + len(withheld_rows.repeats),
    )
    return AppendResult(accepted, duplicates, refused, recorded_at, repeats)


def _refuse_foreign(checked: CheckedBatch, batch: EventBatch, contributor: str) -> CheckedBatch:
    """Refuse events that this contributor may not send, too."""
    kinds = checked.good.select("row", "kind")
    return _without(
        checked,
        _foreign_contributors(batch, contributor),
        *(_forbidden_kinds(kinds, *each) for each in OWNER_OF_KIND.items()),
    )


def _without(checked: CheckedBatch, *refusals: pl.DataFrame) -> CheckedBatch:
    """With these rows refused, too."""
    if all(frame.is_empty() for frame in refusals):
        return checked
    refused = pl.concat([checked.refused, *refusals]).group_by("row").agg(pl.col("reason").str.join("; ")).sort("row")
    good = checked.good.join(refused, on="row", how="anti", maintain_order="left")
    return replace(checked, good=good, refused=refused)


def _foreign_contributors(batch: EventBatch, contributor: str) -> pl.DataFrame:
    if "contributor" not in batch.events.columns:
        return pl.DataFrame(schema=REFUSED_SCHEMA)
    foreign = ~pl.col("contributor").fill_null("").is_in(["", contributor])
    reason = pl.lit("`contributor` is not the token's own: leave it out")
    return (
        batch.events.select(pl.int_range(pl.len()).alias("row"), "contributor")
        .filter(foreign)
        .select("row", reason=reason)
    )


def _forbidden_kinds(kinds: pl.DataFrame, first: str, owner: str) -> pl.DataFrame:
    reason = pl.format("`{}` is not a contributor's to say: it is {}'s", "kind", pl.lit(owner))
    return kinds.filter(pl.col("kind").str.starts_with(f"{first}.")).select("row", reason=reason)


def _forbidden_retractions(connection: Connection, good: pl.DataFrame, contributor: str) -> pl.DataFrame:
    """Retractions of events that a file recorded under the contributor's name, but that it may not send itself."""
    rows = good.filter(pl.col("kind") == "event.retracted").select("row", "ref_event")
    if rows.is_empty():
        return pl.DataFrame(schema=REFUSED_SCHEMA)
    ids = rows["ref_event"].to_list()
    kind_by_id = withheld.ledger_kinds(connection, contributor, ids) | withheld.kinds(connection, contributor, ids)
    protected = [event_id for event_id, kind in kind_by_id.items() if kind.partition(".")[0] in OWNER_OF_KIND]
    reason = pl.lit("`ref_event` is not a contributor's to retract: it is the person's or the house's")
    return rows.filter(pl.col("ref_event").is_in(protected)).select("row", reason=reason)


def _withheld_links(connection: Connection, good: pl.DataFrame, contributor: str) -> list[tuple[str, str, str]]:
    """The links, and corrections of links, that corrections and retractions are about and that we withhold from the ledger."""
    ids = good.filter(pl.col("kind").is_in(["event.corrected", "event.retracted"]))["ref_event"].to_list()
    kind_by_id = withheld.links(connection, contributor, ids) if ids else {}
    return [(contributor, event_id, kind) for event_id, kind in kind_by_id.items()]


def _results(
    batch: EventBatch, bad_rows: list[BadRow], append_result: AppendResult, *, refuse_all: bool
) -> pl.DataFrame:
    """Every row's result. The ledger counts the readable rows alone; `batch.lines` says which they are."""
    reasons = append_result.refused.select(row=batch.lines.gather(append_result.refused["row"]), reason="reason")
    ids = batch.texts["event_id"] if "event_id" in batch.texts.columns else pl.lit(None, pl.String)
    read = batch.texts.select(row=batch.lines, event_id=ids).join(reasons, on="row", how="left")
    unread = [(row.line, _id_of(row.row), row.reason) for row in bad_rows]
    rows = pl.concat([read, pl.DataFrame(unread, schema=read.schema, orient="row")]).sort("row")
    repeated = pl.col("row").is_in(batch.lines.gather(append_result.repeats).to_list())
    refused = pl.lit(refuse_all) | pl.col("reason").is_not_null()
    success = pl.when(repeated).then(pl.lit("duplicate")).otherwise(pl.lit("accepted"))
    result = pl.when(refused).then(pl.lit("refused")).otherwise(success)
    all_or_nothing_reason = pl.when(pl.lit(refuse_all)).then(pl.lit(ALL_OR_NOTHING_REASON))
    return rows.select(
        "row",
        pl.col("event_id").str.slice(0, MAX_ID_LENGTH),
        result.alias("result"),
        pl.coalesce("reason", all_or_nothing_reason),
    )


def _id_of(row: object) -> str | None:
    event_id = row.get("event_id") if isinstance(row, dict) else None
    return event_id[:MAX_ID_LENGTH].encode(errors="replace").decode() if isinstance(event_id, str) else None


def _result_of(rows: pl.DataFrame, recorded_at: datetime | None) -> IntakeResult:
    counts = dict(rows["result"].value_counts().iter_rows())
    accepted, duplicates, refused = (counts.get(result, 0) for result in ("accepted", "duplicate", "refused"))
    return IntakeResult(secrets.token_hex(8), accepted, duplicates, refused, recorded_at, rows)


def _parties(batch: EventBatch, bad_rows: list[BadRow]) -> dict[int, tuple[object, ...]]:
    """The parties that each row names, as far as we can read it."""
    sides = [c for c in ("subject", "other") if c in batch.texts.columns]
    rows: dict[int, tuple[object, ...]] = dict(zip(batch.lines, batch.texts.select(sides).iter_rows(), strict=True))
    unreadable = ((row.line, row.row) for row in bad_rows)
    return rows | {line: (row.get("subject"), row.get("other")) for line, row in unreadable if isinstance(row, dict)}


def _safe_event_id(event_id: str | None, parties: Iterable[object]) -> str | None:
    """The id of a refused row, unless it names a party of the row: erasure would not find the name there."""
    folded_id = event_id and event_id.casefold()
    names_party = folded_id and any(isinstance(p, str) and p and p.casefold() in folded_id for p in parties)
    return None if names_party else event_id


def _record(
    result: IntakeResult,
    parties: Mapping[int, tuple[object, ...]],
    contributor: str,
    now: datetime,
    vocabulary: EventVocabulary,
) -> dict[str, object]:
    """The record of a submission: its counts, and the rows refused for their own sake, without the content of any row."""
    refused_rows = result.rows.filter((pl.col("result") == "refused") & (pl.col("reason") != ALL_OR_NOTHING_REASON))
    names = {*SCHEMA, *vocabulary.kind_by_name, *vocabulary.extra_fields}

    def name_only(match: re.Match[str]) -> str:
        return match[0] if match[0].strip("`") in names else "`..`"

    problems = [
        {
            "row": row,
            "event_id": _safe_event_id(event_id, parties.get(row, ())),
            "reason": _QUOTED.sub(name_only, reason),
        }
        for row, event_id, reason in refused_rows.select("row", "event_id", "reason").iter_rows()
    ]
    return {
        "id": result.id,
        "contributor": contributor,
        "received_at": micros(now),
        "rows": result.rows.height,
        "accepted": result.accepted,
        "duplicates": result.duplicates,
        "refused": result.refused,
        "problems": json.dumps(problems),
    }
