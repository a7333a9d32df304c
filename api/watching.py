"""Watching: the flags of people, from what is visible of them in a build.

They are made for everyone when everyone is scored, and kept beside the score; for a person asked about under a release
that has not scored anyone yet, they are made at once.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any, Final

import polars as pl
from sqlalchemy import Engine, select, tuple_

from api import ledger
from api.builds import Build
from api.clock import day, micros
from api.database import reading
from api.tables import EVENTS, SCORES
from engine.engines import Engines
from engine.lang.program import Pattern, Program
from engine.lang.types import Value
from engine.watch import Event
from engine.watchers import Watchers
from graph.events import KIND
from graph.view import ABOUT, needed, seen

Flags = dict[str, Value | None]
TIES: Final = ("tie.formed", "tie.ended")


def of_person(engine: Engine, engines: Engines, made: Build, person: str, classes: Collection[str]) -> Flags:
    """The flags of one person, as of the build; missing where a class of their events is not among `classes`."""
    program = engines.release.at(day(made.as_of))
    if not program.flags:
        return {}
    found = _kept(engine, program, made, person)
    if found is None:
        found = of_people(_events(engine, program, made, person), made, engines.watchers(day(made.as_of)), [person])[
            person
        ]
    return {p.flag: found.get(p.flag) if p.classes <= set(classes) else None for p in program.flags}


def of_everyone(engine: Engine, engines: Engines, made: Build, people: Collection[str]) -> dict[str, Flags]:
    """The flags of everyone in a build, by person."""
    watchers = engines.watchers(day(made.as_of))
    if not watchers.program.flags:
        return {person: {} for person in people}
    kinds = needed(_kinds(watchers.program))
    return of_people(ledger.read(engine, known_at=made.known_at, kinds=kinds), made, watchers, people)


def of_people(events: pl.DataFrame, made: Build, watchers: Watchers, people: Collection[str]) -> dict[str, Flags]:
    """The flags of these people from the ledger's `events`, of all kinds that `needed` names."""
    return flags(events, made.as_of, made.known_at, made.purpose, watchers, people)


def flags(
    events: pl.DataFrame, as_of: datetime, known_at: datetime, purpose: str, watchers: Watchers, people: Collection[str]
) -> dict[str, Flags]:
    """The flags of these people from events, at a moment and for a purpose."""
    view, consents = seen(events, as_of, known_at, purpose)
    consented = defaultdict[str, set[str]](set)
    for person, data_class in consents.filter(pl.col("person").is_in(list(people))).iter_rows():
        consented[person].add(data_class)
    happened = defaultdict[str, list[Event]](list)
    for person, event in _of_sides(view.filter(pl.col("kind").is_in(_kinds(watchers.program))), set(people)):
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


def _kept(engine: Engine, program: Program, made: Build, person: str) -> Flags | None:
    columns = (SCORES.c.release, SCORES.c.flags)
    with reading(engine) as connection:
        query = select(*columns).where(SCORES.c.build == made.id, SCORES.c.person == person)
        row = connection.execute(query).first()
    if row is None or row.release != program.release or row.flags is None:
        return None
    found: Flags = json.loads(row.flags)
    return found


def _events(engine: Engine, program: Program, made: Build, person: str) -> pl.DataFrame:
    """What the person's flags depend on: their own events, those that a correction makes theirs, the consents of those tied
    to them, and every change of events.
    """
    kinds, consenting = needed(_kinds(program)), [k for k in ABOUT if k.startswith("consent")]
    changes = ledger.read(engine, known_at=made.known_at, kinds=[k for k in ABOUT if k not in consenting])
    moved = _moved(changes)
    people = {person, *_subjects(engine, [item for item, other in moved if other == person])}
    own = ledger.read(engine, known_at=made.known_at, people=people, kinds=kinds - set(ABOUT))
    ends = own.filter(pl.col("kind").is_in(TIES)).select("subject", "other")
    tied = {*ends["subject"], *ends["other"], *(other for _, other in moved), person}
    consents = ledger.read(engine, known_at=made.known_at, people=tied, kinds=consenting)
    return pl.concat([own, consents, changes]).sort("recorded_at", maintain_order=True)


def _moved(changes: pl.DataFrame) -> list[tuple[tuple[str, str], str]]:
    """The items of which a correction says that their other side is someone else, and who: (contributor, event_id), other."""
    said = changes.filter(pl.col("kind") == "event.corrected").select("contributor", "ref_event", "fields")
    named = ((c, e, json.loads(fields).get("other")) for c, e, fields in said.iter_rows())
    return [((contributor, item), other) for contributor, item, other in named if other]


def _subjects(engine: Engine, items: list[tuple[str, str]]) -> list[str]:
    if not items:
        return []
    query = select(EVENTS.c.subject).where(tuple_(EVENTS.c.contributor, EVENTS.c.event_id).in_(items)).distinct()
    with reading(engine) as connection:
        return list(connection.execute(query).scalars())
