"""Visibility: select the evidence that may be used for each person and that was known at a time; the only way from
ledger to graph.

A view is cut at two moments, `as_of` (what happened by then) and `known_at` (what we had recorded by then), for one
purpose. An event that happens or is recorded later, of any kind, changes nothing in the view.

Sources of the limits: adverse items expire five years after they end (PRC credit reporting regulation 2013, art. 16);
an item under objection is left out until it is answered (art. 25); consent is for a purpose and can be withdrawn (PIPL
13-15).
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import partial

import polars as pl

from graph.evidence.calendar import years_passed
from graph.evidence.codes import PLAIN_CODING, Coding, names_of
from graph.evidence.consent_filter import (
    CONSENT_KINDS,
    ORDER,
    RECENCY_KEY,
    Consenting,
    consenting_parties,
    filter_consenting,
    latest_consents,
)
from graph.evidence.consent_filter import (
    SIDES as SIDES,
)
from graph.evidence.declared_fields import columns_of, convert_fields, merge
from graph.evidence.events import CORRECTABLE_COLUMNS, DATA, EVENT_KEY, SCHEMA, decode_fields
from graph.evidence.links import read_as_one, representatives
from graph.evidence.obligations import STATUS_COLUMNS, countable_credit
from graph.evidence.vocabulary import LINK_KIND, READING_KINDS, STANDARD, EventVocabulary

Correct = Callable[[pl.LazyFrame], pl.LazyFrame]


def required_kinds(kinds: Iterable[str], vocabulary: EventVocabulary = STANDARD) -> frozenset[str]:
    """Return all kinds of events on which a view of these `kinds` depends: those that end, change, dispute or cover
    them.
    """
    return frozenset((*kinds, *vocabulary.credit_kinds, *READING_KINDS))


def visible(
    events: pl.DataFrame,
    as_of: datetime,
    known_at: datetime,
    purpose: str,
    zone: tzinfo = UTC,
    vocabulary: EventVocabulary = STANDARD,
) -> pl.DataFrame:
    """Select the evidence that counts at `as_of`, as known at `known_at`, for `purpose`; in append order.

    `events` has the columns of `SCHEMA`, in append order. We apply these steps in order:

    1. Drop events that happened after `as_of` or were recorded after `known_at`, corrections and consents included.
    2. A retraction removes an event of its contributor, of any kind but a retraction.
    3. A correction sets fields of its contributor's event; the latest recorded wins field by field. It applies to
       evidence only, and only to fields of the event's kind. We drop an event that a correction moves past `as_of` or
       makes impossible (a negative payment, a payment to oneself).
    4. Drop evidence that one of its parties disputes, unless that party's latest dispute event rejects the dispute.
       Disputes by other people do not count. While a dispute of credit evidence is open, we keep the part in the
       person's favour.
    5. Credit evidence: several reports of one thing count once, and adverse items expire five years after they ended.
       See `graph.evidence.obligations`.
    6. Drop evidence that no consent covers.

    Links (`person.same_as`) join ids of one person. Each id's own consents say which of its events count; then we read these
    as events of the person, under the id that `linked_people` gives, in steps 4 to 6. What linked ids did with each other
    leaves the view, and links are not part of it.

    Returns the columns of `SCHEMA`, and `for_subject` and `for_other`: the parties for whom the row counts. A payment
    counts for each party by that party's own consent, a tie for both parties or for neither, and any other event for
    the subject. For credit evidence, `ended_at` is the time when it ended and `disputed` marks an open dispute. Cost: a
    few passes over the columns.
    """
    return visible_with_consents(events, as_of, known_at, purpose, zone, vocabulary)[0]


def visible_with_consents(
    events: pl.DataFrame,
    as_of: datetime,
    known_at: datetime,
    purpose: str,
    zone: tzinfo = UTC,
    vocabulary: EventVocabulary = STANDARD,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return `visible` and `consents_in_force` at the cost of one."""
    kind = pl.col("kind")
    evidence = events.filter(kind.is_in(vocabulary.evidence_kinds))
    statements = events.filter(kind.is_in(READING_KINDS))
    return visible_from_parts(evidence, statements, as_of, known_at, purpose, zone=zone, vocabulary=vocabulary)


def visible_from_parts(
    evidence: pl.DataFrame,
    statements: pl.DataFrame,
    as_of: datetime,
    known_at: datetime,
    purpose: str,
    coding: Coding = PLAIN_CODING,
    zone: tzinfo = UTC,
    vocabulary: EventVocabulary = STANDARD,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Compute `visible` from evidence and from statements about evidence, each in append order.

    `evidence` may lack columns that you do not need. Both may have codes for texts, by the same `coding`. Memory: the
    view, and the intermediate columns of the passes.
    """
    reading = read_statements(statements, evidence.columns, as_of, known_at, purpose, coding, zone, vocabulary)
    return visible_evidence(evidence, reading), reading.consents


@dataclass(frozen=True)
class Reading:
    """How to read any part of the evidence: what the statements about it come to at two moments, for a purpose.

    `consenting` tests whether a party consents to a class. `names` has the id that stands for each linked id, `codes` the same as
    evidence holds them.
    """

    as_of: datetime
    known_at: datetime
    zone: tzinfo
    vocabulary: EventVocabulary
    effective: pl.DataFrame
    retractions: pl.DataFrame
    changes: pl.DataFrame
    party_consents: pl.DataFrame  # of each id itself
    consenting: Consenting
    names: dict[str, str]
    codes: dict[object, object]

    @property
    def consents(self) -> pl.DataFrame:
        """The consents in force, of people: `person`, `data_class`."""
        if not self.names:
            return self.party_consents
        return self.party_consents.with_columns(pl.col("person").replace(self.codes)).unique()

    def corrected(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """Apply the corrections to rows of evidence."""
        return _apply_corrections(rows, self.changes, self.as_of, self.vocabulary)

    def of_people(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """Apply the corrections, and put people in place of linked ids."""
        if not self.names:
            return self.corrected(rows)
        covered = filter_consenting(self.corrected(rows), self.consenting, self.vocabulary)
        return read_as_one(covered, self.codes, self.names, self.vocabulary)


def read_statements(
    statements: pl.DataFrame,
    columns: Collection[str],
    as_of: datetime,
    known_at: datetime,
    purpose: str,
    coding: Coding = PLAIN_CODING,
    zone: tzinfo = UTC,
    vocabulary: EventVocabulary = STANDARD,
    consent_rows: pl.DataFrame | None = None,
) -> Reading:
    """Read all statements about evidence, in append order; the evidence has these `columns`. See `visible_evidence`.

    `consent_rows`: those of `CONSENT_KINDS`, if they are not among the statements.
    """
    effective, retractions = _effective_statements(statements, as_of, known_at)
    if consent_rows is None:
        consents = latest_consents(effective, as_of, purpose, None)
    else:
        current = consent_rows.lazy().with_row_index(ORDER).filter(_is_known(as_of, known_at))
        consents = latest_consents(_exclude(current, retractions).collect(), as_of, purpose, None)
    changes = _changes(effective, columns, coding, vocabulary)

    def corrected(rows: pl.LazyFrame) -> pl.LazyFrame:
        return _apply_corrections(rows, changes, as_of, vocabulary)

    names = _linked_names(effective, consents, corrected, coding)
    codes = coding.encode_names(names) if names else {}
    if names:
        effective = effective.with_columns(pl.col("subject").replace(codes))
    consenting = consenting_parties(consents)
    return Reading(
        as_of, known_at, zone, vocabulary, effective, retractions, changes, consents, consenting, names, codes
    )


def visible_evidence(evidence: pl.DataFrame, reading: Reading) -> pl.DataFrame:
    """Return the rows of `visible` of this part of the evidence, in append order.

    A part has all events of the kinds whose items begin and end (`EventVocabulary.ending_kinds`), or none of them; otherwise
    each event is seen or not by itself. So the parts together give what the whole gives.
    """
    of_people, vocabulary = reading.of_people, reading.vocabulary
    is_known = _is_known(reading.as_of, reading.known_at)
    current = _exclude(evidence.lazy().with_row_index(ORDER).filter(is_known), reading.retractions)
    disputes = _disputes(current, of_people, reading.effective)
    ending = of_people(current.filter(pl.col("kind").is_in(vocabulary.ending_kinds))).collect()
    status = countable_credit(ending, disputes, reading.as_of, reading.zone, vocabulary)
    exclusions = pl.concat([disputes[ORDER], ending[ORDER]])
    remaining = _apply_credit_status(of_people(current), evidence.height, exclusions, status)
    lasting = _drop_expired(remaining, reading.as_of, reading.zone, vocabulary)
    columns = [c for c in evidence.columns if c in SCHEMA]
    covered = lasting if reading.names else filter_consenting(lasting, reading.consenting, vocabulary)
    return covered.select(*columns, *SIDES, *STATUS_COLUMNS).collect()


def linked_people(
    events: pl.DataFrame,
    as_of: datetime,
    known_at: datetime,
    purpose: str,
    vocabulary: EventVocabulary = STANDARD,
) -> dict[str, str]:
    """Return the id that a view has in place of each linked id; ids that no link joins to another are left out.

    `events` has the columns of `SCHEMA`, in append order, and at least the links, and the statements about evidence.
    """
    if not (events["kind"] == LINK_KIND).any():
        return {}
    statements = events.filter(pl.col("kind").is_in(READING_KINDS))
    effective, _ = _effective_statements(statements, as_of, known_at)
    consents = latest_consents(effective, as_of, purpose, None)
    changes = _changes(effective, statements.columns, PLAIN_CODING, vocabulary)
    return _linked_names(
        effective, consents, lambda rows: _apply_corrections(rows, changes, as_of, vocabulary), PLAIN_CODING
    )


def stated_people(events: pl.DataFrame, as_of: datetime, known_at: datetime) -> dict[str, str]:
    """Return the same for all links that their sources maintain, also without consent or in an open dispute.

    Only a retraction, a correction or an upheld dispute ends such a link.
    """
    statements = events.filter(pl.col("kind").is_in(READING_KINDS))
    effective, _ = _effective_statements(statements, as_of, known_at)
    changes = _changes(effective, statements.columns, PLAIN_CODING, STANDARD)
    return _linked_names(effective, None, lambda rows: _apply_corrections(rows, changes, as_of, STANDARD), PLAIN_CODING)


def _linked_names(
    statements: pl.DataFrame, consents: pl.DataFrame | None, corrected: Correct, coding: Coding
) -> dict[str, str]:
    """Return the id that stands for each linked id, from the links in force.

    A link is in force if both ids consent to identity evidence, and neither disputes the link (an answer that rejects the
    dispute ends it). These rules go by the ids themselves: another link does not change which links are in force. Without
    `consents` we take the links of all ids, and leave out only those with an upheld dispute.
    """
    is_link = statements["kind"] == LINK_KIND
    if not is_link.any():
        return {}
    links = statements.filter(is_link)
    disputes = _disputes(links.lazy(), corrected, statements)
    if consents is None:
        consenting, disputes = pl.lit(True), disputes.filter(~pl.col("open"))
    else:
        known_people = consents.filter(pl.col("data_class") == "identity")["person"].implode()
        consenting = pl.all_horizontal(pl.col("subject", "other").is_in(known_people))
    pairs = (
        corrected(links.lazy())
        .filter(consenting, ~pl.col(ORDER).is_in(disputes[ORDER].implode()))
        .sort("recorded_at", ORDER)
        .select("subject", "other")
        .collect()
    )
    name = names_of(coding, pl.concat([pairs["subject"], pairs["other"]]).unique())
    return representatives((name[one], name[other]) for one, other in pairs.iter_rows())


def _drop_expired(rows: pl.LazyFrame, as_of: datetime, zone: tzinfo, vocabulary: EventVocabulary) -> pl.LazyFrame:
    """Drop events of kinds that count for a limited number of years."""
    limits = {k.name: k.keep_years for k in vocabulary.kinds if k.keep_years is not None}
    kind, at = pl.col("kind"), pl.col("happened_at")
    for years in sorted(set(limits.values())):
        names = [name for name, limit in limits.items() if limit == years]
        limited = pl.when(kind.is_in(names)).then(at)
        passed = partial(years_passed, years=years, as_of=as_of, zone=zone)
        is_expired = limited.map_batches(passed, return_dtype=pl.Boolean)
        rows = rows.filter(~is_expired.fill_null(False))
    return rows


def consents_in_force(
    events: pl.DataFrame, as_of: datetime, known_at: datetime, purpose: str, service: str | None = None
) -> pl.DataFrame:
    """Return the consents in force for `purpose`: `person`, `data_class`, sorted, from the latest grant or withdrawal
    of each.

    A grant ends at its `until`. A withdrawal without classes withdraws all. A grant to a service counts only if you
    pass that `service`; the view passes none.
    """
    statements = events.filter(pl.col("kind").is_in([*CONSENT_KINDS, "event.retracted"]))
    return latest_consents(_effective_statements(statements, as_of, known_at)[0], as_of, purpose, service).sort("*")


def _is_known(as_of: datetime, known_at: datetime) -> pl.Expr:
    return (pl.col("happened_at") <= as_of) & (pl.col("recorded_at") <= known_at)


def _effective_statements(
    statements: pl.DataFrame, as_of: datetime, known_at: datetime
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the statements about evidence that are in force, and the keys of the events that are retracted."""
    current = statements.with_row_index(ORDER).filter(_is_known(as_of, known_at))
    retracting = pl.col("kind") == "event.retracted"
    retractions = current.filter(retracting).select("contributor", event_id="ref_event")
    return _exclude(current.filter(~retracting).lazy(), retractions).collect(), retractions


def _exclude(rows: pl.LazyFrame, items: pl.DataFrame) -> pl.LazyFrame:
    return rows if items.is_empty() else rows.join(items.lazy(), on=EVENT_KEY, how="anti", maintain_order="left")


def _changes(
    statements: pl.DataFrame, columns: Collection[str], coding: Coding, vocabulary: EventVocabulary
) -> pl.DataFrame:
    """Return the fields that corrections set on each event, in those of the evidence's `columns` that a correction may set."""
    fixes = statements.filter(pl.col("kind") == "event.corrected").sort("recorded_at", ORDER)
    new: dict[tuple[object, object], dict[str, object]] = {}
    for contributor, event_id, fields in fixes.select("contributor", "ref_event", "fields").iter_rows():
        new.setdefault((contributor, event_id), {}).update(convert_fields(decode_fields(fields), vocabulary))
    settable = [c for c in (*CORRECTABLE_COLUMNS, DATA) if c in columns]
    rows = [columns_of(fields, vocabulary) for fields in new.values()]
    values = pl.DataFrame(rows, schema={c: SCHEMA[c] for c in settable}, orient="row")
    items = pl.DataFrame(list(new), schema={c: fixes.schema[c] for c in EVENT_KEY}, orient="row")
    return items.hstack(coding.encode(values))


def _apply_corrections(
    evidence: pl.LazyFrame, changes: pl.DataFrame, as_of: datetime, vocabulary: EventVocabulary
) -> pl.LazyFrame:
    if changes.is_empty():
        return evidence.filter(_is_possible(as_of, vocabulary))
    columns = evidence.collect_schema().names()
    settable = [c for c in changes.columns if c not in EVENT_KEY]
    joined = evidence.join(changes.lazy(), on=EVENT_KEY, how="inner", suffix=" new").sort(ORDER)
    fixed = joined.with_columns(_corrected_column(c, vocabulary) for c in settable).select(columns)
    return _exclude(evidence, changes).merge_sorted(fixed, key=ORDER).filter(_is_possible(as_of, vocabulary))


def _corrected_column(column: str, vocabulary: EventVocabulary) -> pl.Expr:
    if column == DATA:
        return merge(pl.col("kind"), pl.col(column), pl.col(f"{column} new"), vocabulary).alias(column)
    bearing = [k.name for k in vocabulary.kinds if column == "happened_at" or column in k.fields]
    new = pl.when(pl.col("kind").is_in(bearing)).then(pl.col(f"{column} new"))
    return pl.coalesce(new, pl.col(column)).alias(column)


def _is_possible(as_of: datetime, vocabulary: EventVocabulary) -> pl.Expr:
    itself = pl.col("other").is_not_null() & (pl.col("subject") == pl.col("other"))
    negative = (pl.col("amount").fill_null(0) < 0) & ~pl.col("kind").is_in(vocabulary.signed_kinds)
    doubt = (pl.col("strength").fill_null(0) < 0) & (pl.col("tie") != "vouch").fill_null(True)
    return (pl.col("happened_at") <= as_of) & ~itself & ~negative & ~doubt


def _disputes(evidence: pl.LazyFrame, corrected: Correct, statements: pl.DataFrame) -> pl.DataFrame:
    """Return the positions of disputed events, and whether a dispute is `open`; otherwise it was upheld."""
    about = statements.filter(pl.col("kind").is_in(["dispute.opened", "dispute.resolved"]))
    item = {"contributor": pl.coalesce("ref_contributor", "contributor"), "event_id": pl.col("ref_event")}
    dispute_events = about.sort(RECENCY_KEY).select("kind", "outcome", by="subject", **item)
    items = evidence.join(dispute_events.lazy(), on=EVENT_KEY, how="semi", maintain_order="left").collect()
    parties = corrected(items.lazy()).select(ORDER, *EVENT_KEY, "subject", "other").collect()
    opened, resolved = pl.col("kind") == "dispute.opened", pl.col("kind") == "dispute.resolved"
    return (
        dispute_events.join(parties, on=EVENT_KEY, how="inner", maintain_order="left")
        .filter(pl.any_horizontal(pl.col("by") == pl.col("subject"), pl.col("by") == pl.col("other")))
        .group_by(ORDER, "by")
        .agg(opened.any().alias("raised"), resolved.last().alias("resolved"), pl.col("outcome").last())
        .filter(pl.col("raised"), ~pl.col("resolved") | (pl.col("outcome") != "rejected"))
        .group_by(ORDER)
        .agg((~pl.col("resolved")).any().alias("open"))
    )


def _apply_credit_status(
    rows: pl.LazyFrame, height: int, exclusions: pl.Series, credit_status: pl.DataFrame
) -> pl.LazyFrame:
    """Drop the rows in `exclusions` that are not in `credit_status`, and add the columns of `credit_status` to the
    others.

    We address rows by position in the evidence, which has `height` rows: joins of all rows would take several times as
    long.
    """
    places = credit_status[ORDER]
    keep = pl.repeat(True, height, eager=True).scatter(exclusions, False).scatter(places, True)
    ended_at = pl.repeat(None, height, dtype=pl.Datetime("us", "UTC"), eager=True).scatter(
        places, credit_status["ended_at"]
    )
    disputed = pl.repeat(False, height, eager=True).scatter(places, credit_status["disputed"])
    place = pl.col(ORDER)
    return rows.filter(pl.lit(keep).gather(place)).with_columns(
        pl.lit(ended_at).gather(place).alias("ended_at"), pl.lit(disputed).gather(place).alias("disputed")
    )
