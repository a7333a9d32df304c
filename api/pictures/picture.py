"""Pictures of a person's circle: the evidence for one, and what is said of it in words, in the picture and beside it."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import polars as pl
from sqlalchemy import Engine, select

from api.database import reading
from api.evidence import ledger
from api.features import builds
from api.features.builds import Build
from api.features.standing import UNKNOWN_HINT
from api.tables import FEATURES
from engine.errors import Refused
from graph.circle import SHOWN, Circle, LeftOut, Viewer, circle, people_known, trust_shown, with_trust
from graph.view import consented, needed, visible

TRUST: Final = "relationships.trust"
MOST_HOPS: Final = 3


@dataclass(frozen=True)
class Picture:
    """A circle, and the build whose moment and trust it shows."""

    circle: Circle
    build: Build


def picture(engine: Engine, person: str, hops: int, viewer: Viewer, now: datetime) -> Picture:
    """The circle of a person as the newest build saw it, of those who consent now.

    Raises Refused: `bad_hops`, `not_ready` without a build, and `unknown_person` for nobody of that id or without consent (the
    two are not told apart). Cost: one reading of the ledger's enrolments, ties, payments and what is said of them.
    """
    if not 1 <= hops <= MOST_HOPS:
        hint = f"use 1 to {MOST_HOPS}"
        raise Refused(f"`{hops}` is not a number of hops", where="--hops", hint=hint, code="bad_hops")
    made = builds.latest(engine)
    if made is None:
        raise Refused("no features have been built yet", where="graph", hint="run `iftah build`", code="not_ready")
    events = ledger.read(engine, kinds=needed(SHOWN))
    latest = events["recorded_at"].max() or made.known_at
    consents = consented(events, now, latest, made.purpose)  # type: ignore[arg-type]  # a column of times
    if not _known(engine, made, person, consents):
        message = f"unknown person, or no consent for `{made.purpose}`"
        raise Refused(message, where="graph", hint=UNKNOWN_HINT, code="unknown_person")
    view = visible(events, made.as_of, made.known_at, made.purpose, made.zone)
    found = circle(view, people_known(events), consents, person, hops, viewer)
    return Picture(with_trust(found, _trust(engine, made, trust_shown(found), consents)), made)


def _known(engine: Engine, made: Build, person: str, consents: pl.DataFrame) -> bool:
    agreed = consents.filter(pl.col("person") == person)["data_class"].to_list()
    return "identity" in agreed and bool(_values(engine, made, [person]))


def _trust(engine: Engine, made: Build, people: tuple[str, ...], consents: pl.DataFrame) -> dict[str, int]:
    agreed = {*consents.filter(pl.col("data_class") == "relationship")["person"]}
    found = _values(engine, made, [p for p in people if p in agreed])
    return {person: values[TRUST] for person, values in found.items() if values.get(TRUST) is not None}


def _values(engine: Engine, made: Build, people: list[str]) -> dict[str, dict[str, int]]:
    asked = [p for p in people if "\0" not in p]  # PostgreSQL has no such text
    query = select(FEATURES.c.person, FEATURES.c["values"]).where(FEATURES.c.build == made.id)
    with reading(engine) as connection:
        rows = connection.execute(query.where(FEATURES.c.person.in_(asked))).all()
    return {person: json.loads(values) for person, values in rows}


def ties_told(found: Circle) -> tuple[str, ...]:
    """How many ties are drawn, and what was left out: a sentence or two."""
    layer = found.ties
    if len(layer.nodes) == 1:
        return ("Nobody is tied with the person.",)
    people, steps = _counted(len(layer.nodes) - 1, "person"), _counted(found.hops, "step")
    drawn = f"{people} within {steps}, {_counted(len(layer.edges), 'tie')}."
    return (drawn, _left_out(layer.left_out, "tie"))


def money_told(found: Circle) -> tuple[str, ...]:
    """How many payments are drawn, and what was left out: a sentence or two."""
    layer = found.money
    if len(layer.nodes) == 1:
        return ("Nobody was paid, nobody paid.",)
    merchants = sum(n.kind == "merchant" for n in layer.nodes)
    parties = _parties(len(layer.nodes) - 1 - merchants, merchants)
    paid = _counted(sum(t.count for edge in layer.edges for t in edge.totals), "payment")
    within = "" if found.viewer == "person" else f" within {_counted(found.hops, 'step')}"
    return (f"{parties}{within}, {paid}.", _left_out(layer.left_out, "payment"))


def _left_out(left: LeftOut, edge: str) -> str:
    if not (left.people or left.merchants or left.edges):
        return "Nothing left out."
    return f"Left out for want of room: {_parties(left.people, left.merchants)}, {_counted(left.edges, edge)}."


def _parties(people: int, merchants: int) -> str:
    counted = ((people, "person"), (merchants, "merchant"))
    return ", ".join(_counted(n, what) for n, what in counted if n)


def _counted(count: int, what: str) -> str:
    plural = "people" if what == "person" else f"{what}s"
    return f"{count:,} {what if count == 1 else plural}"
