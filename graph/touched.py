"""Touched: whose local features an event can change, wherever in the order of things it comes.

A local feature of a person depends on the person's own events, on ties of the people tied to them (also among those), on
the consents of these, and on who of the other ends of their payments is a person. Read backwards:

- any evidence touches its two ends;
- a tie also touches whoever is tied to both its ends;
- an enrolment, or a consent to identity evidence, also touches who paid the person or was paid by them: a party to a payment
  is a person once enrolled. A consent to relationships also touches everyone tied to the person: a tie counts with the
  consent of both ends. Who is two steps away is not touched: a tie of X concerns, besides its ends, only people tied to X;
- a dispute, a correction or a retraction touches whom the item touches that it is about, or what that item is about.

An end is whoever an event names, and whoever any correction ever made its `other`: what is taken back had an effect.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import polars as pl

from graph.events import IDENTITY, UTC_MICROSECONDS, corrections, parsed
from graph.vocabulary import KIND, KINDS

CHANGES: Final = tuple(k.name for k in KINDS if "ref_event" in k.needs)
CONSENTS: Final = ("consent.granted", "consent.withdrawn")
STANDING: Final = ("person.enrolled", *CONSENTS)
TIES: Final = tuple(k.name for k in KINDS if k.data_class == "relationship")
PAYMENT: Final = "payment.made"
_ENDS: Final = ("kind", "subject", "other", "classes")
TIMES: Final = pl.Schema({"seq": pl.Int64(), "at": UTC_MICROSECONDS, "kind": pl.String()})
Pairs = dict[str, set[str]]


@dataclass(frozen=True)
class Touched:
    """The people whose rows must be made again; and of whom the features of the whole graph must be withheld until they are
    computed anew, by (person, data class): something that was in them may be used no more.
    """

    people: frozenset[str]
    astray: frozenset[tuple[str, str]]


def ends(events: pl.DataFrame, fixes: pl.DataFrame) -> pl.DataFrame:
    """`kind`, `subject`, `other`, `classes` of each event that is not itself about another one: as recorded, and once more
    for each `other` that one of the corrections among `fixes` ever gave it.
    """
    kept = events.filter(~pl.col("kind").is_in(CHANGES)).select(*IDENTITY, *_ENDS)
    moved = pl.DataFrame(
        list(_moves(fixes)), schema={**dict.fromkeys(IDENTITY, pl.String), "to": pl.String}, orient="row"
    )
    anew = kept.join(moved, on=IDENTITY, how="inner").select(
        *IDENTITY, "kind", "subject", pl.col("to").alias("other"), "classes"
    )
    return pl.concat([kept, anew]).select(_ENDS).unique()


def _moves(fixes: pl.DataFrame) -> Iterator[tuple[str, str, str]]:
    said = fixes.filter(pl.col("kind") == "event.corrected").select("contributor", "ref_event", "fields")
    for contributor, item, fields in said.iter_rows():
        if other := corrections(fields).get("other"):
            yield contributor, item, str(other)


def around(ended: pl.DataFrame) -> tuple[set[str], set[str]]:
    """Of which people `touched` must be told the ties, and of which the payments."""
    tied = ended.filter(pl.col("kind").is_in(TIES))
    of_ties, of_payments = ended.filter(_consents_to("relationship")), ended.filter(_consents_to("identity"))
    enrolled = ended.filter(pl.col("kind") == "person.enrolled")
    return {*of_ties["subject"], *tied["subject"], *tied["other"]}, {*of_payments["subject"], *enrolled["subject"]}


def _consents_to(data_class: str) -> pl.Expr:
    """A withdrawal that names no classes is of all."""
    return pl.col("kind").is_in(CONSENTS) & pl.col("classes").fill_null(data_class).str.contains(
        data_class, literal=True
    )


def touched(ended: pl.DataFrame, changed: pl.DataFrame, lapsed: Collection[str], tied: Pairs, paid: Pairs) -> Touched:
    """Whom events touch. `ended` are the `ends` of all of them; `changed` of those that a correction, retraction or dispute is
    about; `lapsed` is who withdrew a consent, or whose consent ran out. `tied` and `paid` tell whom the people of `around`
    were ever tied to, and who the other ends of their payments are.
    """
    people: set[str] = set()
    _, of_payments = around(ended)
    for kind, subject, other in ended.select("kind", "subject", "other").iter_rows():
        people |= {subject} if other is None else {subject, other}
        if kind in TIES and other is not None:
            people |= tied.get(subject, set()) & tied.get(other, set())
    for person in ended.filter(_consents_to("relationship"))["subject"]:
        people |= tied.get(person, set())
    for person in of_payments:
        people |= paid.get(person, set())
    return Touched(frozenset(people), frozenset(_astray(changed, lapsed, tied)))


def _astray(changed: pl.DataFrame, lapsed: Collection[str], tied: Pairs) -> Iterator[tuple[str, str]]:
    for person in lapsed:
        yield from ((p, "relationship") for p in tied.get(person, ()))
    for kind, subject, other in changed.select("kind", "subject", "other").iter_rows():
        data_class = KIND[kind].data_class
        if data_class is None:  # a consent that was never given is one withdrawn
            yield from ((p, "relationship") for p in tied.get(subject, ()))
        else:  # who is verified is where trust comes from
            about = "relationship" if data_class == "identity" else data_class
            yield from ((p, about) for p in (subject, other) if p is not None)


def named(ended: pl.DataFrame) -> set[str]:
    """Everyone at an end."""
    return {*ended["subject"].unique(), *ended["other"].drop_nulls().unique()}


def pairs(ended: pl.DataFrame) -> Pairs:
    """Who is named beside whom, both ways."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for subject, other in ended.select("subject", "other").drop_nulls().iter_rows():
        found[subject].add(other)
        found[other].add(subject)
    return dict(found)


def times(events: pl.DataFrame, after: datetime) -> pl.DataFrame:
    """When what events say begins or ends, later than `after`: `seq`, `at`, `kind`. `events` has the column `seq`.

    A contributor's clock may run ahead of ours, so that an event is recorded before it happens; a correction may move
    one; and a consent runs out.
    """
    said = events.filter(pl.col("kind") == "event.corrected").select("seq", "kind", "fields")
    moved = [
        (seq, parsed({"happened_at": at})["happened_at"], kind)
        for seq, kind, fields in said.iter_rows()
        if (at := corrections(fields).get("happened_at"))
    ]
    own = (events.select("seq", pl.col(c).alias("at"), "kind") for c in ("happened_at", "until"))
    found = pl.concat([*own, pl.DataFrame(moved, schema=TIMES, orient="row")])
    return found.filter(pl.col("at") > after).unique().sort("seq", "at")
