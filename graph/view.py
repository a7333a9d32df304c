"""What may be seen of whom, and what of it had been known: the only door from the ledger to the graph.

A view is cut at two moments, `as_of` (what had happened) and `known_at` (what had been recorded), for one purpose. An
event that happens or is recorded later, of whatever kind, changes nothing in it.

Sources of the limits: adverse items go five years after they end (PRC credit reporting regulation 2013, art. 16); an
item under objection is left out until it is answered (art. 25); consent is for a purpose and can be withdrawn (PIPL 13-15).
"""

from collections.abc import Iterable
from datetime import UTC, datetime, tzinfo
from typing import Final

import polars as pl

from graph.codes import PLAIN, Coding
from graph.events import CORRECTABLE, IDENTITY, SCHEMA, corrections, parsed
from graph.obligations import CREDIT, STATUS, counting
from graph.vocabulary import CLASSES, KINDS

EVIDENCE: Final = tuple(k.name for k in KINDS if k.data_class)
PAYMENTS: Final = ("payment.made",)
ABOUT: Final = tuple(k.name for k in KINDS if not k.data_class)
SIDES: Final = ("for_subject", "for_other")
_ORDER: Final = "append order"
_LATEST: Final = ("happened_at", "recorded_at", _ORDER)


def needed(kinds: Iterable[str]) -> frozenset[str]:
    """Every kind of event on which a view of events of these `kinds` depends: what ends, changes, disputes or covers them."""
    return frozenset((*kinds, *CREDIT, *ABOUT))


def visible(
    events: pl.DataFrame, as_of: datetime, known_at: datetime, purpose: str, zone: tzinfo = UTC
) -> pl.DataFrame:
    """The evidence that counts at `as_of`, as known at `known_at`, for `purpose`; in append order.

    `events` has the columns of `SCHEMA`, in append order. In this order:

    1. events that happened after `as_of` or were recorded after `known_at` are cut, corrections and consents too;
    2. a retraction removes its contributor's event of any kind but a retraction;
    3. a correction sets fields of its contributor's event, the latest recorded winning field by field. It reaches evidence
       only, and only fields of the event's kind. What it moves past `as_of` is cut; what it makes impossible (a negative
       payment, a payment to oneself) is left out;
    4. evidence that one of its parties disputes is left out, unless that party's latest dispute event rejects the dispute;
       what anybody else says of it does not count. While a dispute of credit evidence is open, the evidence still says what
       it says in the person's favour;
    5. credit evidence: several reports of one thing count once, and what is adverse leaves five years after it ended. See
       `graph.obligations`;
    6. what no consent covers is left out.

    Returns the columns of `SCHEMA`, and `for_subject`, `for_other`: for whom the row counts. A payment counts for each side by
    that side's own consent, a tie for both or for neither, all else for the subject. Of credit evidence `ended_at` tells
    when it ended, and `disputed` whether it is under a dispute. Cost: a few passes over the columns.
    """
    return seen(events, as_of, known_at, purpose, zone)[0]


def seen(
    events: pl.DataFrame, as_of: datetime, known_at: datetime, purpose: str, zone: tzinfo = UTC
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """`visible` and `consented`, for one price."""
    kind = pl.col("kind")
    evidence, about = events.filter(kind.is_in(EVIDENCE)), events.filter(kind.is_in(ABOUT))
    return seen_apart(evidence, about, as_of, known_at, purpose, zone=zone)


def seen_apart(
    evidence: pl.DataFrame,
    about: pl.DataFrame,
    as_of: datetime,
    known_at: datetime,
    purpose: str,
    coding: Coding = PLAIN,
    zone: tzinfo = UTC,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """`seen`, from the evidence and from what is said about evidence, each in append order.

    `evidence` may lack columns that nobody asks for, and both may have codes for texts, by the same `coding`. Memory: the
    view, and what the passes hold of it.
    """
    said, gone = _told(about, as_of, known_at)
    consents = _in_force(said, as_of, purpose, None)
    known = _without(evidence.lazy().with_row_index(_ORDER).filter(_cut(as_of, known_at)), gone)
    changes = _changes(said, evidence, coding)
    disputes = _disputes(known, changes, said, as_of)
    credit = _corrected(known.filter(pl.col("kind").is_in(CREDIT)), changes, as_of).collect()
    counted = counting(credit, disputes, as_of, zone)
    left_out = pl.concat([disputes[_ORDER], credit[_ORDER]])
    kept = _marked(_corrected(known, changes, as_of), evidence.height, left_out, counted)
    columns = [c for c in evidence.columns if c in SCHEMA]
    return _covered(kept, consents).select(*columns, *SIDES, *STATUS).collect(), consents


def consented(
    events: pl.DataFrame, as_of: datetime, known_at: datetime, purpose: str, service: str | None = None
) -> pl.DataFrame:
    """Who consents to what for `purpose`: `person`, `data_class`, sorted, from the latest grant or withdrawal of each.

    A grant ends at its `until`. A withdrawal without classes withdraws all. A grant to a service counts only when that
    `service` is asked for; the view itself asks for none.
    """
    about = events.filter(pl.col("kind").is_in(["consent.granted", "consent.withdrawn", "event.retracted"]))
    return _in_force(_told(about, as_of, known_at)[0], as_of, purpose, service).sort("*")


def _cut(as_of: datetime, known_at: datetime) -> pl.Expr:
    return (pl.col("happened_at") <= as_of) & (pl.col("recorded_at") <= known_at)


def _told(about: pl.DataFrame, as_of: datetime, known_at: datetime) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What is said about evidence and stands, and the events that are retracted."""
    said = about.with_row_index(_ORDER).filter(_cut(as_of, known_at))
    retracting = pl.col("kind") == "event.retracted"
    gone = said.filter(retracting).select("contributor", event_id="ref_event")
    return _without(said.filter(~retracting).lazy(), gone).collect(), gone


def _without(rows: pl.LazyFrame, items: pl.DataFrame) -> pl.LazyFrame:
    return rows if items.is_empty() else rows.join(items.lazy(), on=IDENTITY, how="anti", maintain_order="left")


def _changes(said: pl.DataFrame, evidence: pl.DataFrame, coding: Coding) -> pl.DataFrame:
    """What corrections set of each item, in the columns of `evidence` that they may set."""
    fixes = said.filter(pl.col("kind") == "event.corrected").sort("recorded_at", _ORDER)
    new: dict[tuple[object, object], dict[str, object]] = {}
    for contributor, event_id, fields in fixes.select("contributor", "ref_event", "fields").iter_rows():
        new.setdefault((contributor, event_id), {}).update(parsed(corrections(fields)))
    settable = [c for c in CORRECTABLE if c in evidence.columns]
    values = pl.DataFrame(list(new.values()), schema={c: SCHEMA[c] for c in settable}, orient="row")
    items = pl.DataFrame(list(new), schema={c: fixes.schema[c] for c in IDENTITY}, orient="row")
    return items.hstack(coding.of(values))


def _corrected(evidence: pl.LazyFrame, changes: pl.DataFrame, as_of: datetime) -> pl.LazyFrame:
    if changes.is_empty():
        return evidence.filter(_possible(as_of))
    columns = evidence.collect_schema().names()
    settable = [c for c in changes.columns if c not in IDENTITY]
    joined = evidence.join(changes.lazy(), on=IDENTITY, how="inner", suffix=" new").sort(_ORDER)
    fixed = joined.with_columns(_set(c) for c in settable).select(columns)
    return _without(evidence, changes).merge_sorted(fixed, key=_ORDER).filter(_possible(as_of))


def _set(column: str) -> pl.Expr:
    bearing = [k.name for k in KINDS if column == "happened_at" or column in (*k.needs, *k.may)]
    new = pl.when(pl.col("kind").is_in(bearing)).then(pl.col(f"{column} new"))
    return pl.coalesce(new, pl.col(column)).alias(column)


def _possible(as_of: datetime) -> pl.Expr:
    itself = pl.col("other").is_not_null() & (pl.col("subject") == pl.col("other"))
    negative = (pl.col("amount").fill_null(0) < 0) & (pl.col("kind") != "account.balance")
    doubt = (pl.col("strength").fill_null(0) < 0) & (pl.col("tie") != "vouch").fill_null(True)
    return (pl.col("happened_at") <= as_of) & ~itself & ~negative & ~doubt


def _disputes(evidence: pl.LazyFrame, changes: pl.DataFrame, said: pl.DataFrame, as_of: datetime) -> pl.DataFrame:
    """The places of items under a dispute, and whether one is `open`: otherwise it was upheld."""
    about = said.filter(pl.col("kind").is_in(["dispute.opened", "dispute.resolved"]))
    item = {"contributor": pl.coalesce("ref_contributor", "contributor"), "event_id": pl.col("ref_event")}
    words = about.sort(_LATEST).select("kind", "outcome", by="subject", **item)
    items = evidence.join(words.lazy(), on=IDENTITY, how="semi", maintain_order="left").collect()
    parties = _corrected(items.lazy(), changes, as_of).select(_ORDER, *IDENTITY, "subject", "other").collect()
    opened, resolved = pl.col("kind") == "dispute.opened", pl.col("kind") == "dispute.resolved"
    return (
        words.join(parties, on=IDENTITY, how="inner", maintain_order="left")
        .filter(pl.any_horizontal(pl.col("by") == pl.col("subject"), pl.col("by") == pl.col("other")))
        .group_by(_ORDER, "by")
        .agg(opened.any().alias("raised"), resolved.last().alias("answered"), pl.col("outcome").last())
        .filter(pl.col("raised"), ~pl.col("answered") | (pl.col("outcome") != "rejected"))
        .group_by(_ORDER)
        .agg((~pl.col("answered")).any().alias("open"))
    )


def _marked(rows: pl.LazyFrame, height: int, left_out: pl.Series, counted: pl.DataFrame) -> pl.LazyFrame:
    """Without the rows `left_out` that are not `counted` all the same, and with what `counted` has beside `rows`.

    By place in the evidence, of which there are `height`: joins of all rows would take several times as long.
    """
    places = counted[_ORDER]
    keep = pl.repeat(True, height, eager=True).scatter(left_out, False).scatter(places, True)
    ended_at = pl.repeat(None, height, dtype=pl.Datetime("us", "UTC"), eager=True).scatter(places, counted["ended_at"])
    disputed = pl.repeat(False, height, eager=True).scatter(places, counted["disputed"])
    place = pl.col(_ORDER)
    return rows.filter(pl.lit(keep).gather(place)).with_columns(
        pl.lit(ended_at).gather(place).alias("ended_at"), pl.lit(disputed).gather(place).alias("disputed")
    )


def _in_force(known: pl.DataFrame, as_of: datetime, purpose: str, service: str | None) -> pl.DataFrame:
    """`known` is cut already and without what was retracted."""
    named = pl.col("service").is_null() if service is None else pl.col("service").fill_null(service) == service
    said = known.filter(
        pl.col("kind").is_in(["consent.granted", "consent.withdrawn"]), pl.col("purpose") == purpose, named
    )
    classes = pl.col("classes").fill_null(",".join(CLASSES)).str.split(",").alias("data_class")
    latest = (
        said.sort(_LATEST)  # before the classes are told apart: sorting the fewer rows
        .select(pl.col("subject").alias("person"), classes, "kind", "until")
        .explode("data_class")
        .unique(["person", "data_class"], keep="last", maintain_order=False)
    )
    open_ended = pl.col("until").is_null() | (pl.col("until") > as_of)
    return latest.filter(pl.col("kind") == "consent.granted", open_ended).select("person", "data_class")


def _kinds_of(data_class: str) -> list[str]:
    return [k.name for k in KINDS if k.data_class == data_class]


def _covered(evidence: pl.LazyFrame, allowed: pl.DataFrame) -> pl.LazyFrame:
    kind = pl.col("kind")
    agreed = {c: allowed.filter(pl.col("data_class") == c)["person"].implode() for c in CLASSES}

    def agrees(party: str, data_class: str) -> pl.Expr:
        return pl.col(party).is_in(agreed[data_class]).fill_null(False)

    tie = kind.is_in(_kinds_of("relationship")) & agrees("subject", "relationship") & agrees("other", "relationship")
    alone = [kind.is_in(_kinds_of(c)) & agrees("subject", c) for c in CLASSES if c != "relationship"]
    paid = kind.is_in(PAYMENTS) & agrees("other", "behaviour")
    sides = evidence.with_columns(pl.any_horizontal(tie, *alone).alias("for_subject"), (tie | paid).alias("for_other"))
    return sides.filter(pl.any_horizontal(SIDES))
