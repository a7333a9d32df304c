"""Watching: the flags of people, from what is visible of them in a build.

They are made for everyone when everyone is scored, and kept beside the score; for a person asked about under a release
that has not scored anyone yet, they are made at once.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl
from sqlalchemy import Engine

from api.clock import micros
from api.database import reading
from api.evidence import excerpt, ledger
from api.features.builds import Build
from engine.engines import Engines
from engine.lang.program import Pattern, Program
from engine.lang.types import Value
from engine.watch import Event
from engine.watchers import Watchers
from graph.view import needed, seen
from graph.vocabulary import KIND

Flags = dict[str, Value | None]


@dataclass(frozen=True)
class Kept:
    """The flags that are kept beside a person's score, and the release that they were made under."""

    release: str
    flags: Flags


def of_person(
    engine: Engine, engines: Engines, at: Build, person: str, classes: Collection[str], kept: Kept | None = None
) -> Flags:
    """The flags of one person, as of the moments of `at`; missing where a class of their events is not among `classes`.

    `kept` are those beside the person's score: taken if they are of the same rules.
    """
    program = engines.release.at(engines.release.day(at.as_of))
    found = kept_of(engines, at, kept)
    if found is None:
        with reading(engine) as connection:
            events = excerpt.of_people(connection, [person])
        found = of_people(events.drop("seq"), at, engines.watchers(engines.release.day(at.as_of)), [person])[person]
    return agreed(program, found, classes)


def kept_of(engines: Engines, at: Build, kept: Kept | None) -> Flags | None:
    """The flags kept beside a score, if the rules read any that are of these rules; None: they have to be made."""
    program = engines.release.at(engines.release.day(at.as_of))
    if not program.flags:
        return {}
    return kept.flags if kept is not None and kept.release == program.release else None


def agreed(program: Program, flags: Flags, classes: Collection[str]) -> Flags:
    """The flags that the rules read; missing where a class of the person's events is not among `classes`."""
    return {p.flag: flags.get(p.flag) if p.classes <= set(classes) else None for p in program.flags}


def of_everyone(engine: Engine, engines: Engines, made: Build, people: Collection[str]) -> dict[str, Flags]:
    """The flags of everyone in a build, by person."""
    watchers = engines.watchers(engines.release.day(made.as_of))
    if not watchers.program.flags:
        return {person: {} for person in people}
    kinds = needed(_kinds(watchers.program))
    return of_people(ledger.read(engine, known_at=made.known_at, kinds=kinds), made, watchers, people)


def of_people(events: pl.DataFrame, made: Build, watchers: Watchers, people: Collection[str]) -> dict[str, Flags]:
    """The flags of these people from the ledger's `events`, of all kinds that `needed` names."""
    return of_view(*seen(events, made.as_of, made.known_at, made.purpose, made.zone), made.as_of, watchers, people)


def flags(
    events: pl.DataFrame, as_of: datetime, known_at: datetime, purpose: str, watchers: Watchers, people: Collection[str]
) -> dict[str, Flags]:
    """The flags of these people from events, at a moment and for a purpose."""
    return of_view(*seen(events, as_of, known_at, purpose), as_of, watchers, people)


def of_view(
    view: pl.DataFrame, consents: pl.DataFrame, as_of: datetime, watchers: Watchers, people: Collection[str]
) -> dict[str, Flags]:
    """The same from a view, and who consents to what in it. What is disputed raises no flag."""
    consented = defaultdict[str, set[str]](set)
    for person, data_class in consents.filter(pl.col("person").is_in(list(people))).iter_rows():
        consented[person].add(data_class)
    read = pl.col("kind").is_in(_kinds(watchers.program))
    happened = defaultdict[str, list[Event]](list)
    for person, event in _of_sides(view.filter(~pl.col("disputed"), read), set(people)):
        happened[person].append(event)
    patterns, moment = watchers.program.flags, micros(as_of)
    found: dict[str, Flags] = {}
    for person in people:
        own = happened[person] if any(_possible(p, happened[person]) for p in patterns) else []
        found[person] = watchers.flags(own, moment, consented[person])
    return found


def _kinds(program: Program) -> list[str]:
    return sorted({step.kind for pattern in program.flags for step in pattern.steps})


def _possible(pattern: Pattern, events: list[Event]) -> bool:
    """Whether there are as many events of each kind as the pattern has steps: most people have not."""
    there = Counter(e.kind for e in events)
    return all(there[kind] >= steps for kind, steps in Counter(s.kind for s in pattern.steps).items())


def _of_sides(view: pl.DataFrame, people: set[str]) -> Iterator[tuple[str, Event]]:
    """Each row as an event of each person for whom it counts."""
    for row in view.iter_rows(named=True):
        kind = KIND[row["kind"]]
        fields = {n: _held(row[n]) for n in (*kind.needs, *kind.may) if row[n] is not None}
        at = micros(row["happened_at"])
        if row["for_subject"] and row["subject"] in people:
            yield row["subject"], Event(kind.name, "subject", at, fields)
        if row["for_other"] and row["other"] in people:
            yield row["other"], Event(kind.name, "other", at, fields | {"other": row["subject"]})


def _held(value: Any) -> Value:
    """A field as the engine holds it: a date as its day."""
    if isinstance(value, bool | int | str):
        return value
    return int(value.toordinal()) - datetime(1970, 1, 1).toordinal()
