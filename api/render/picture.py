"""Load the ego network of a person for a picture, and summarise it in words."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import polars as pl
from sqlalchemy import select

from api.evidence import excerpt, ledger
from api.features import builds
from api.features.builds import Build
from api.features.serving_features import UNKNOWN_PERSON_HINT
from api.store.database import Database, reading
from api.store.tables import FEATURES
from engine.errors import Rejected
from graph.evidence.visibility import consents_in_force, linked_people, required_kinds, visible
from graph.evidence.vocabulary import EventVocabulary
from graph.network.ego_network import (
    EGO_NETWORK_KINDS,
    EgoNetwork,
    Omitted,
    Viewer,
    build_ego_network,
    known_people,
    trust_subjects,
    with_trust,
)

TRUST_FEATURE: Final = "relationships.trust"
MAX_HOPS: Final = 3
MAX_NEAR_HOPS: Final = 2  # within so many steps we read the people around, not the whole ledger


@dataclass(frozen=True)
class Picture:
    """An ego network, and the build whose `as_of` and trust it shows."""

    ego_network: EgoNetwork
    build: Build


def make_picture(
    database: Database, vocabulary: EventVocabulary, person: str, hops: int, viewer: Viewer, now: datetime
) -> Picture:
    """Load the ego network of a person as of the newest build, with the people who consent now.

    Raises Rejected: `bad_hops`; `not_ready` without a build; `unknown_person` for an unknown id or without consent (you cannot
    distinguish the two). Cost: for the person within `MAX_NEAR_HOPS`, the events of the people around; otherwise one read of the
    ledger's enrolments, ties and payments, with the statements about them.
    """
    if not 1 <= hops <= MAX_HOPS:
        hint = f"use 1 to {MAX_HOPS}"
        raise Rejected(f"`{hops}` is not a number of hops", where="--hops", hint=hint, code="bad_hops")
    build = builds.latest_build(database)
    if build is None:
        raise Rejected("no features have been built yet", where="graph", hint="run `iftah build`", code="not_ready")
    events, people = _events_around(database, vocabulary, person, hops, viewer)
    latest = events["recorded_at"].max() or build.known_at
    consents = consents_in_force(events, now, latest, build.purpose)  # type: ignore[arg-type]  # a column of times
    if not _is_visible(database, build, person, consents):
        message = f"unknown person, or no consent for `{build.purpose}`"
        raise Rejected(message, where="graph", hint=UNKNOWN_PERSON_HINT, code="unknown_person")
    view = visible(events, build.as_of, build.known_at, build.purpose, build.zone, vocabulary)
    linked = linked_people(events, build.as_of, build.known_at, build.purpose, vocabulary)
    consents = _consents_of_people(consents, linked)
    network = build_ego_network(
        view, people.replace(linked).unique(), consents, linked.get(person, person), hops, viewer
    )
    return Picture(with_trust(network, _trust(database, build, trust_subjects(network), consents)), build)


def _events_around(
    database: Database, vocabulary: EventVocabulary, person: str, hops: int, viewer: Viewer
) -> tuple[pl.DataFrame, pl.Series]:
    """The events that the picture can depend on, and all ids among them that are people."""
    if viewer != "person" or hops > MAX_NEAR_HOPS or "\0" in person:
        events = ledger.read(database, kinds=required_kinds(EGO_NETWORK_KINDS, vocabulary))
        return events, known_people(events)
    with reading(database) as connection:
        centre = {person}
        for _ in range(1, hops):
            neighbours = excerpt.ties_of(connection, excerpt.linked_ids(connection, centre))
            centre |= {*neighbours, *(other for tied_people in neighbours.values() for other in tied_people)}
        events = excerpt.of_people(connection, centre).drop("seq")
        parties = {*events["subject"], *events["other"].drop_nulls()}
        tied_parties = [name for name, tied_people in excerpt.ties_of(connection, parties).items() if tied_people]
    return events, pl.concat([known_people(events), pl.Series(tied_parties, dtype=pl.String)]).unique()


def _consents_of_people(consents: pl.DataFrame, linked: Mapping[str, str]) -> pl.DataFrame:
    """The consents of people with several ids: the classes to which all their ids consent, so that no edge shows too much."""
    if not linked:
        return consents
    ids = Counter(linked.values())
    people = consents.with_columns(pl.col("person").replace(linked)).group_by("person", "data_class").len()
    id_count = pl.col("person").replace_strict(dict(ids), default=1, return_dtype=pl.UInt32)
    return people.filter(pl.col("len") >= id_count).select("person", "data_class")


def _is_visible(database: Database, build: Build, person: str, consents: pl.DataFrame) -> bool:
    consented_classes = consents.filter(pl.col("person") == person)["data_class"].to_list()
    return "identity" in consented_classes and bool(_values(database, build, [person]))


def _trust(database: Database, build: Build, people: tuple[str, ...], consents: pl.DataFrame) -> dict[str, int]:
    consenting_people = {*consents.filter(pl.col("data_class") == "relationship")["person"]}
    values_by_person = _values(database, build, [p for p in people if p in consenting_people])
    return {
        person: values[TRUST_FEATURE]
        for person, values in values_by_person.items()
        if values.get(TRUST_FEATURE) is not None
    }


def _values(database: Database, build: Build, people: list[str]) -> dict[str, dict[str, int]]:
    storable = [p for p in people if "\0" not in p]  # PostgreSQL cannot store a NUL in a text
    query = select(FEATURES.c.person, FEATURES.c["values"]).where(FEATURES.c.build == build.id)
    with reading(database) as connection:
        rows = connection.execute(query.where(FEATURES.c.person.in_(storable))).all()
    return {person: json.loads(values) for person, values in rows}


def ties_summary(ego_network: EgoNetwork) -> tuple[str, ...]:
    """One or two sentences: the number of ties drawn, and of those left out."""
    layer = ego_network.ties
    if len(layer.nodes) == 1:
        return ("The person has no ties.",)
    people, steps = _quantity(len(layer.nodes) - 1, "person"), _quantity(ego_network.hops, "step")
    summary = f"{people} within {steps}, {_quantity(len(layer.edges), 'tie')}."
    return (summary, _omission(layer.omitted, "tie"))


def money_summary(ego_network: EgoNetwork) -> tuple[str, ...]:
    """One or two sentences: the number of payments drawn, and of those left out."""
    layer = ego_network.money
    if len(layer.nodes) == 1:
        return ("The person has no payments.",)
    merchants = sum(n.kind == "merchant" for n in layer.nodes)
    parties = _parties(len(layer.nodes) - 1 - merchants, merchants)
    paid = _quantity(sum(t.count for edge in layer.edges for t in edge.totals), "payment")
    within = "" if ego_network.viewer == "person" else f" within {_quantity(ego_network.hops, 'step')}"
    return (f"{parties}{within}, {paid}.", _omission(layer.omitted, "payment"))


def _omission(omitted: Omitted, edge: str) -> str:
    if not (omitted.people or omitted.merchants or omitted.edges):
        return "Nothing omitted."
    return (
        f"Omitted for lack of space: {_parties(omitted.people, omitted.merchants)}, {_quantity(omitted.edges, edge)}."
    )


def _parties(people: int, merchants: int) -> str:
    pairs = ((people, "person"), (merchants, "merchant"))
    return ", ".join(_quantity(n, noun) for n, noun in pairs if n)


def _quantity(count: int, noun: str) -> str:
    plural = "people" if noun == "person" else f"{noun}s"
    return f"{count:,} {noun if count == 1 else plural}"
