"""Invalidation: find the people whose local features an event can change, at any position in the ledger.

A person's local features depend on the person's own events, on the ties of tied people (also among themselves), on the
consents of these people, and on whether the other parties to the person's payments are persons. Read backwards, these
rules follow:

- Any evidence invalidates its two parties.
- A tie also invalidates everyone tied to both its parties.
- An enrolment, or a consent to identity evidence, also invalidates the payers and payees of the person, because a party
  to a payment counts as a person once enrolled. A consent to relationships also invalidates everyone tied to the
  person, because a tie counts with the consent of both parties. We do not invalidate people two steps away: a tie of X
  concerns, besides its parties, only people tied to X.
- A dispute, a correction or a retraction invalidates the parties of the event that it is about, or of the event which
  that one is about.

The parties ("ends") of an event are those it names, and every value that a correction ever gave its `other`: a
retracted correction had an effect too.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import polars as pl

from graph.evidence.declared_fields import convert_fields
from graph.evidence.events import EVENT_KEY, UTC_MICROSECONDS, decode_fields
from graph.evidence.vocabulary import LINK_KIND, OWN_KINDS, STANDARD, EventVocabulary

STATEMENT_KINDS: Final = tuple(k.name for k in OWN_KINDS if "ref_event" in k.required)
CONSENT_KINDS: Final = ("consent.granted", "consent.withdrawn")
PERSON_KINDS: Final = ("person.enrolled", *CONSENT_KINDS)
TIE_KINDS: Final = ("tie.formed", "tie.ended")
PAYMENT_KIND: Final = "payment.made"
_ENDS: Final = ("kind", "subject", "other", "classes")
TIMES_SCHEMA: Final = pl.Schema({"seq": pl.Int64(), "at": UTC_MICROSECONDS, "kind": pl.String()})
Adjacency = dict[str, set[str]]


@dataclass(frozen=True)
class Invalidation:
    """The people whose features we must compute again (`people`), and the features of the whole graph that we must
    withhold until the next build, as pairs of person and data class (`stale_classes`): they contain evidence that we
    may no longer use.
    """

    people: frozenset[str]
    stale_classes: frozenset[tuple[str, str]]


def event_ends(events: pl.DataFrame, fixes: pl.DataFrame) -> pl.DataFrame:
    """Return `kind`, `subject`, `other`, `classes` of each event that is not about another event: as recorded, and
    again for each `other` that one of the corrections among `fixes` ever gave it.
    """
    items = events.filter(~pl.col("kind").is_in(STATEMENT_KINDS)).select(*EVENT_KEY, *_ENDS)
    moves = pl.DataFrame(
        list(_corrected_parties(fixes)), schema={**dict.fromkeys(EVENT_KEY, pl.String), "to": pl.String}, orient="row"
    )
    corrected = items.join(moves, on=EVENT_KEY, how="inner").select(
        *EVENT_KEY, "kind", "subject", pl.col("to").alias("other"), "classes"
    )
    return pl.concat([items, corrected]).select(_ENDS).unique()


def _corrected_parties(fixes: pl.DataFrame) -> Iterator[tuple[str, str, str]]:
    rows = fixes.filter(pl.col("kind") == "event.corrected").select("contributor", "ref_event", "fields")
    for contributor, item, fields in rows.iter_rows():
        if other := decode_fields(fields).get("other"):
            yield contributor, item, str(other)


def people_to_look_up(ends: pl.DataFrame) -> tuple[set[str], set[str]]:
    """Return the people whose ties, and the people whose counterparties, you must pass to `compute_invalidation`."""
    ties = ends.filter(pl.col("kind").is_in(TIE_KINDS))
    relationship_consents, identity_consents = (
        ends.filter(_consents_to("relationship")),
        ends.filter(_consents_to("identity")),
    )
    enrolments = ends.filter(pl.col("kind") == "person.enrolled")
    return {*relationship_consents["subject"], *ties["subject"], *ties["other"]}, {
        *identity_consents["subject"],
        *enrolments["subject"],
    }


def _consents_to(data_class: str) -> pl.Expr:
    """Match consents to a class; a withdrawal without classes withdraws all."""
    return pl.col("kind").is_in(CONSENT_KINDS) & pl.col("classes").fill_null(data_class).str.contains(
        data_class, literal=True
    )


def may_change_links() -> pl.Expr:
    """Match the ends of links, and of consents that links need."""
    return (pl.col("kind") == LINK_KIND) | _consents_to("identity")


def compute_invalidation(
    ends: pl.DataFrame,
    changed_ends: pl.DataFrame,
    lapsed_people: Collection[str],
    tie_neighbours: Adjacency,
    counterparties: Adjacency,
    vocabulary: EventVocabulary = STANDARD,
) -> Invalidation:
    """Compute the people and classes that events invalidate.

    `ends` are the `event_ends` of all of these events, and `changed_ends` those of the events that a correction,
    retraction or dispute is about. `lapsed_people` withdrew a consent or had one that expired. `tie_neighbours` and
    `counterparties` hold, for the people of `people_to_look_up`, everyone they were ever tied to, and everyone whom an
    event of any kind names together with them: it matters to these whether the person is enrolled.
    """
    people: set[str] = set()
    _, standing_people = people_to_look_up(ends)
    for kind, subject, other in ends.select("kind", "subject", "other").iter_rows():
        people |= {subject} if other is None else {subject, other}
        if kind in TIE_KINDS and other is not None:
            people |= tie_neighbours.get(subject, set()) & tie_neighbours.get(other, set())
    for person in ends.filter(_consents_to("relationship"))["subject"]:
        people |= tie_neighbours.get(person, set())
    for person in standing_people:
        people |= counterparties.get(person, set())
    stale_classes = _stale_classes(changed_ends, lapsed_people, tie_neighbours, vocabulary)
    return Invalidation(frozenset(people), frozenset(stale_classes))


def _stale_classes(
    changed_ends: pl.DataFrame, lapsed_people: Collection[str], tie_neighbours: Adjacency, vocabulary: EventVocabulary
) -> Iterator[tuple[str, str]]:
    for person in lapsed_people:
        yield from ((p, "relationship") for p in tie_neighbours.get(person, ()))
    for kind, subject, other in changed_ends.select("kind", "subject", "other").iter_rows():
        data_class = vocabulary.kind(kind).data_class
        if data_class is None:  # a retracted consent counts as a withdrawn one
            yield from ((p, "relationship") for p in tie_neighbours.get(subject, ()))
        else:  # trust starts at verified people
            affected_class = "relationship" if data_class == "identity" else data_class
            yield from ((p, affected_class) for p in (subject, other) if p is not None)


def end_people(ends: pl.DataFrame) -> set[str]:
    """Return all people that the ends name."""
    return {*ends["subject"].unique(), *ends["other"].drop_nulls().unique()}


def with_linked_ids(people: Collection[str], links: pl.DataFrame) -> set[str]:
    """Return the people, and all ids that links ever joined to theirs. `links` has the `event_ends` of links."""
    neighbours, ids, queue = adjacency(links), set(people), list(people)
    while queue:
        new = neighbours.get(queue.pop(), set()) - ids
        ids |= new
        queue += new
    return ids


def adjacency(ends: pl.DataFrame) -> Adjacency:
    """Return, for each person, the people named in the same event."""
    neighbours: defaultdict[str, set[str]] = defaultdict(set)
    for subject, other in ends.select("subject", "other").drop_nulls().iter_rows():
        neighbours[subject].add(other)
        neighbours[other].add(subject)
    return dict(neighbours)


def future_times(events: pl.DataFrame, after: datetime) -> pl.DataFrame:
    """Return the times later than `after` at which events begin or end: `seq`, `at`, `kind`. `events` has the column
    `seq`.

    There are three reasons for such times: a contributor's clock may be ahead of ours, so that we record an event
    before it happens; a correction may move an event; and a consent expires.
    """
    rows = events.filter(pl.col("kind") == "event.corrected").select("seq", "kind", "fields")
    corrected_times = [
        (seq, convert_fields({"happened_at": at})["happened_at"], kind)
        for seq, kind, fields in rows.iter_rows()
        if (at := decode_fields(fields).get("happened_at"))
    ]
    own = (events.select("seq", pl.col(c).alias("at"), "kind") for c in ("happened_at", "until"))
    all_times = pl.concat([*own, pl.DataFrame(corrected_times, schema=TIMES_SCHEMA, orient="row")])
    return all_times.filter(pl.col("at") > after).unique().sort("seq", "at")
