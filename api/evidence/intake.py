"""What contributors send by the API -> the ledger, with a result for each row and a record of the sending.

The door is narrower than the ledger: a contributor speaks for itself alone, and neither for people (consents, disputes) nor
for the house (orders). See docs/decisions/0026-what-contributors-may-say.md.
"""

import json
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import polars as pl
from sqlalchemy import Connection, Engine, insert

from api.clock import micros
from api.database import writing
from api.evidence import decoys, ledger, withheld
from api.evidence.json_rows import json_rows
from api.evidence.ledger import REFUSED_SCHEMA, Appended, Checked
from api.evidence.values import Batch, Wrong, typed
from api.tables import SUBMISSIONS
from graph.events import LONGEST_ID, SCHEMA
from graph.vocabulary import KIND

NOT_THEIRS: Final = {  # kinds by their first word -> whose they are
    "consent": "the person",
    "dispute": "the person",
    "order": "the house",
}
_WHICH: Final = r", see `[a-z_`, ]*`"  # of a clash: of what is withheld nobody knows which fields differ
HELD: Final = "all or nothing was asked for, and another row is refused"
_NAMES: Final = frozenset((*SCHEMA, *KIND))
_QUOTED: Final = re.compile(f"`(?:{'|'.join(map(re.escape, sorted(_NAMES)))})`|`.{{0,40}}`")


@dataclass(frozen=True)
class Taken:
    """What became of a sending. `rows`: of each `row`, from 0, its `event_id`, `result` and `reason`; `recorded_at` None: nothing was new."""

    id: str
    accepted: int
    duplicates: int
    refused: int
    recorded_at: datetime | None
    rows: pl.DataFrame


def take(engine: Engine, contributor: str, rows: list[bytes], now: datetime, *, all_or_nothing: bool = False) -> Taken:
    """Append the good ones among the rows, or all or none of them; the sending is on record in the same transaction.

    Raises Refused when the database is in trouble.
    """
    texts, numbers, unread = json_rows(rows, 0)
    batch = typed(texts, numbers, 0, 0)
    wrong = sorted([*unread, *batch.wrong], key=lambda row: row.line)
    checked = _checked(batch, contributor, now)
    nothing = all_or_nothing and bool(wrong)
    with writing(engine) as connection:
        checked = _without(checked, _sheltered(connection, checked.good, contributor))
        if nothing:
            done = Appended(0, 0, checked.refused)
        else:
            done = _appended(connection, checked, contributor, now, all_or_nothing=all_or_nothing)
            nothing = all_or_nothing and not done.refused.is_empty()
        taken = _counted(_results(batch, wrong, done, nothing=nothing), done.recorded_at)
        record = _record(taken, _parties(batch, wrong), contributor, now)
        connection.execute(insert(SUBMISSIONS).values(record))
    return taken


def _appended(
    connection: Connection, checked: Checked, contributor: str, now: datetime, *, all_or_nothing: bool
) -> Appended:
    """As the ledger does it, and as if it had taken what is withheld."""
    if all_or_nothing and not checked.refused.is_empty():
        return Appended(0, 0, checked.refused)
    held = withheld.apart(connection, checked.good, contributor)
    clashes = pl.DataFrame({"row": held.clashes}, schema={"row": pl.Int64}).with_columns(reason=pl.lit(withheld.CLASH))
    rest = checked.good.filter(~pl.col("row").is_in(held.rows))
    refused = pl.concat([checked.refused, clashes]).sort("row")
    done = ledger.insert_in(connection, Checked(rest, refused), now, all_or_nothing=all_or_nothing)
    refused = done.refused.with_columns(pl.col("reason").str.replace(_WHICH, ""))
    nothing = all_or_nothing and not refused.is_empty()
    recorded_at = done.recorded_at
    if held.new and not nothing:
        recorded_at = recorded_at or ledger.pass_by(connection, now)
        withheld.keep(connection, held.new.values(), recorded_at)
    decoys.write(connection, checked.good, held, done, now, all_or_nothing=all_or_nothing)
    if nothing:
        return Appended(0, 0, refused)
    repeats = pl.concat([done.repeats, pl.Series("row", held.repeats, pl.Int64)])
    accepted, duplicates = done.accepted + len(held.new), done.duplicates + len(held.repeats)
    return Appended(accepted, duplicates, refused, recorded_at, repeats)


def _checked(batch: Batch, contributor: str, now: datetime) -> Checked:
    """As the ledger checks it; and what is not this contributor's to say."""
    checked = ledger.check(batch.events.with_columns(pl.lit(contributor).alias("contributor")), now)
    kinds = checked.good.select("row", "kind")
    return _without(checked, _others(batch, contributor), *(_not_theirs(kinds, *each) for each in NOT_THEIRS.items()))


def _without(checked: Checked, *more: pl.DataFrame) -> Checked:
    """With these rows refused, too."""
    if all(frame.is_empty() for frame in more):
        return checked
    refused = pl.concat([checked.refused, *more]).group_by("row").agg(pl.col("reason").str.join("; ")).sort("row")
    return Checked(checked.good.join(refused, on="row", how="anti", maintain_order="left"), refused)


def _others(batch: Batch, contributor: str) -> pl.DataFrame:
    if "contributor" not in batch.events.columns:
        return pl.DataFrame(schema=REFUSED_SCHEMA)
    foreign = ~pl.col("contributor").fill_null("").is_in(["", contributor])
    said = pl.lit("`contributor` is not the token's own: leave it out")
    return (
        batch.events.select(pl.int_range(pl.len()).alias("row"), "contributor")
        .filter(foreign)
        .select("row", reason=said)
    )


def _not_theirs(kinds: pl.DataFrame, first: str, whose: str) -> pl.DataFrame:
    said = pl.format("`{}` is not a contributor's to say: it is {}'s", "kind", pl.lit(whose))
    return kinds.filter(pl.col("kind").str.starts_with(f"{first}.")).select("row", reason=said)


def _sheltered(connection: Connection, good: pl.DataFrame, contributor: str) -> pl.DataFrame:
    """Retractions of what was recorded under the contributor's name, by a file, but is not its to say."""
    rows = good.filter(pl.col("kind") == "event.retracted").select("row", "ref_event")
    if rows.is_empty():
        return pl.DataFrame(schema=REFUSED_SCHEMA)
    ids = rows["ref_event"].to_list()
    known = withheld.ledgered(connection, contributor, ids) | withheld.kinds(connection, contributor, ids)
    theirs = [event_id for event_id, kind in known.items() if kind.partition(".")[0] in NOT_THEIRS]
    said = pl.lit("`ref_event` is not a contributor's to retract: it is the person's or the house's")
    return rows.filter(pl.col("ref_event").is_in(theirs)).select("row", reason=said)


def _results(batch: Batch, wrong: list[Wrong], done: Appended, *, nothing: bool) -> pl.DataFrame:
    """Every row's result. The ledger counts the readable rows alone; `batch.lines` says which they are."""
    reasons = done.refused.select(row=batch.lines.gather(done.refused["row"]), reason="reason")
    ids = batch.texts["event_id"] if "event_id" in batch.texts.columns else pl.lit(None, pl.String)
    read = batch.texts.select(row=batch.lines, event_id=ids).join(reasons, on="row", how="left")
    unread = [(row.line, _id_of(row.row), row.reason) for row in wrong]
    rows = pl.concat([read, pl.DataFrame(unread, schema=read.schema, orient="row")]).sort("row")
    repeated = pl.col("row").is_in(batch.lines.gather(done.repeats).to_list())
    refused = pl.lit(nothing) | pl.col("reason").is_not_null()
    known = pl.when(repeated).then(pl.lit("duplicate")).otherwise(pl.lit("accepted"))
    result = pl.when(refused).then(pl.lit("refused")).otherwise(known)
    held = pl.when(pl.lit(nothing)).then(pl.lit(HELD))
    return rows.select(
        "row", pl.col("event_id").str.slice(0, LONGEST_ID), result.alias("result"), pl.coalesce("reason", held)
    )


def _id_of(row: object) -> str | None:
    found = row.get("event_id") if isinstance(row, dict) else None
    return found[:LONGEST_ID].encode(errors="replace").decode() if isinstance(found, str) else None


def _counted(rows: pl.DataFrame, recorded_at: datetime | None) -> Taken:
    counts = dict(rows["result"].value_counts().iter_rows())
    accepted, duplicates, refused = (counts.get(result, 0) for result in ("accepted", "duplicate", "refused"))
    return Taken(secrets.token_hex(8), accepted, duplicates, refused, recorded_at, rows)


def _parties(batch: Batch, wrong: list[Wrong]) -> dict[int, tuple[object, ...]]:
    """Whom each row names, as far as it can be read."""
    sides = [c for c in ("subject", "other") if c in batch.texts.columns]
    rows: dict[int, tuple[object, ...]] = dict(zip(batch.lines, batch.texts.select(sides).iter_rows(), strict=True))
    told = ((row.line, row.row) for row in wrong)
    return rows | {line: (row.get("subject"), row.get("other")) for line, row in told if isinstance(row, dict)}


def _unnamed(event_id: str | None, parties: Iterable[object]) -> str | None:
    """The id of a row that was refused, unless it names whom the row is about: they could not erase it."""
    written = event_id and event_id.casefold()
    named = written and any(isinstance(p, str) and p and p.casefold() in written for p in parties)
    return None if named else event_id


def _record(
    taken: Taken, parties: Mapping[int, tuple[object, ...]], contributor: str, now: datetime
) -> dict[str, object]:
    """What is kept of a sending: what was refused for its own sake, without what its rows said."""
    wrong = taken.rows.filter((pl.col("result") == "refused") & (pl.col("reason") != HELD))
    problems = [
        {"row": row, "event_id": _unnamed(event_id, parties.get(row, ())), "reason": _QUOTED.sub(_name_only, reason)}
        for row, event_id, reason in wrong.select("row", "event_id", "reason").iter_rows()
    ]
    return {
        **{"id": taken.id, "contributor": contributor, "received_at": micros(now), "rows": taken.rows.height},
        **{"accepted": taken.accepted, "duplicates": taken.duplicates, "refused": taken.refused},
        "problems": json.dumps(problems),
    }


def _name_only(quoted: re.Match[str]) -> str:
    return quoted[0] if quoted[0].strip("`") in _NAMES else "`..`"
