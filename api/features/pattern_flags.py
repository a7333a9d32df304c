"""Pattern flags: evaluate the patterns of `watch.yaml` on people's visible events.

We compute everyone's flags together with the scores and store them beside the score. Under a release without scores yet, we
compute the flags of a person at the first question about them.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from api.evidence import excerpt, ledger
from api.features.builds import Build
from api.releases.catalogue import vocabulary_of
from api.store.clock import micros
from api.store.database import Database, reading
from engine.decide.evaluators import Evaluators
from engine.decide.pattern_evaluators import PatternEvaluators
from engine.decide.patterns import PatternEvent
from engine.lang.model.patterns import Pattern
from engine.lang.model.program import Program
from engine.lang.model.types import Value
from graph.evidence.declared_fields import unpack
from graph.evidence.visibility import linked_people, required_kinds, visible_with_consents
from graph.evidence.vocabulary import EventVocabulary

Flags = dict[str, Value | None]


@dataclass(frozen=True)
class StoredFlags:
    """The flags stored beside a person's score, and the release under which we computed them."""

    release: str
    flags: Flags


def flags_of_person(
    database: Database,
    evaluators: Evaluators,
    row_build: Build,
    person: str,
    classes: Collection[str],
    stored: StoredFlags | None = None,
) -> Flags:
    """The flags of one person, as of the times of `row_build`; None if a flag reads a class that is not in `classes`.

    We use the `stored` flags if they are of the same release.
    """
    program = evaluators.release.at(evaluators.release.day(row_build.as_of))
    flags = stored_flags_of(evaluators, row_build, stored)
    if flags is None:
        with reading(database) as connection:
            events = excerpt.of_people(connection, [person])
        flags = flags_of_people(
            events.drop("seq"),
            row_build,
            evaluators.pattern_evaluators(evaluators.release.day(row_build.as_of)),
            [person],
        )[person]
    return consented_flags(program, flags, classes)


def stored_flags_of(evaluators: Evaluators, row_build: Build, stored: StoredFlags | None) -> Flags | None:
    """The flags stored under this release, `{}` if its rules read no flags; None: you have to compute them."""
    program = evaluators.release.at(evaluators.release.day(row_build.as_of))
    if not program.flags:
        return {}
    return stored.flags if stored is not None and stored.release == program.release else None


def consented_flags(program: Program, flags: Flags, classes: Collection[str]) -> Flags:
    """The flags that the rules read; None if a flag reads a class that is not in `classes`."""
    return {p.flag: flags.get(p.flag) if p.classes <= set(classes) else None for p in program.flags}


def flags_of_everyone(
    database: Database, evaluators: Evaluators, build: Build, people: Collection[str]
) -> dict[str, Flags]:
    """Compute the flags of everyone in a build, by person."""
    pattern_evaluators = evaluators.pattern_evaluators(evaluators.release.day(build.as_of))
    if not pattern_evaluators.program.flags:
        return {person: {} for person in people}
    vocabulary = vocabulary_of(evaluators.release)
    kinds = required_kinds(_kinds(pattern_evaluators.program), vocabulary)
    return flags_of_people(
        ledger.read(database, known_at=build.known_at, kinds=kinds), build, pattern_evaluators, people
    )


def flags_of_people(
    events: pl.DataFrame, build: Build, pattern_evaluators: PatternEvaluators, people: Collection[str]
) -> dict[str, Flags]:
    """Compute the flags of these people. `events` of the ledger must include all kinds in `required_kinds` of the patterns."""
    vocabulary, moments = vocabulary_of(pattern_evaluators.program), (build.as_of, build.known_at, build.purpose)
    view, consents = visible_with_consents(events, *moments, build.zone, vocabulary)
    linked = linked_people(events, *moments, vocabulary)
    persons = {linked.get(person, person) for person in people}
    flags = flags_of_view(view, consents, build.as_of, pattern_evaluators, persons)
    return {person: flags[linked.get(person, person)] for person in people}


def flags_of_events(
    events: pl.DataFrame,
    as_of: datetime,
    known_at: datetime,
    purpose: str,
    pattern_evaluators: PatternEvaluators,
    people: Collection[str],
) -> dict[str, Flags]:
    """Compute the flags of these people from events, as of a moment and for a purpose."""
    vocabulary = vocabulary_of(pattern_evaluators.program)
    view, consents = visible_with_consents(events, as_of, known_at, purpose, vocabulary=vocabulary)
    return flags_of_view(view, consents, as_of, pattern_evaluators, people)


def flags_of_view(
    view: pl.DataFrame,
    consents: pl.DataFrame,
    as_of: datetime,
    pattern_evaluators: PatternEvaluators,
    people: Collection[str],
) -> dict[str, Flags]:
    """Compute the flags from visible events and the `consents` in force (`person`, `data_class`). A disputed event raises no
    flag.
    """
    classes_by_person = defaultdict[str, set[str]](set)
    for person, data_class in consents.filter(pl.col("person").is_in(list(people))).iter_rows():
        classes_by_person[person].add(data_class)
    is_read = pl.col("kind").is_in(_kinds(pattern_evaluators.program))
    events_by_person = defaultdict[str, list[PatternEvent]](list)
    vocabulary = vocabulary_of(pattern_evaluators.program)
    rows = unpack(view.filter(~pl.col("disputed"), is_read), vocabulary)
    for person, event in _events_by_side(rows, set(people), vocabulary):
        events_by_person[person].append(event)
    patterns, moment = pattern_evaluators.program.flags, micros(as_of)
    flags_by_person: dict[str, Flags] = {}
    for person in people:
        own_events = events_by_person[person] if any(_possible(p, events_by_person[person]) for p in patterns) else []
        flags_by_person[person] = pattern_evaluators.flags(own_events, moment, classes_by_person[person])
    return flags_by_person


def _kinds(program: Program) -> list[str]:
    return sorted({step.kind for pattern in program.flags for step in pattern.steps})


def _possible(pattern: Pattern, events: list[PatternEvent]) -> bool:
    """Whether the person has enough events of each kind for the pattern's steps. A cheap test that most people fail."""
    counts = Counter(e.kind for e in events)
    return all(counts[kind] >= steps for kind, steps in Counter(s.kind for s in pattern.steps).items())


def _events_by_side(
    view: pl.DataFrame, people: set[str], vocabulary: EventVocabulary
) -> Iterator[tuple[str, PatternEvent]]:
    """Yield each row as an event of each person for whom it counts."""
    for row in view.iter_rows(named=True):
        kind = vocabulary.kind(row["kind"])
        fields = {n: _rule_value(row[n]) for n in kind.fields if row[n] is not None}
        at = micros(row["happened_at"])
        if row["for_subject"] and row["subject"] in people:
            yield row["subject"], PatternEvent(kind.name, "subject", at, fields)
        if row["for_other"] and row["other"] in people:
            yield row["other"], PatternEvent(kind.name, "other", at, fields | {"other": row["subject"]})


def _rule_value(value: Any) -> Value:
    """A field as the engine represents it: a date is the number of its day since 1970-01-01, a moment that of its microsecond."""
    if isinstance(value, bool | int | str):
        return value
    if isinstance(value, datetime):
        return micros(value)
    return int(value.toordinal()) - datetime(1970, 1, 1).toordinal()
