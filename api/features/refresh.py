"""Refresh: recompute the rows of people whom new events affect, in batches, while the system keeps answering.

The ledger is the queue, and a build's `seq` is the last event that we processed. We read a batch in one transaction, compute
without a transaction, and write in one transaction: the rows of the affected people (`graph.evidence.invalidation`), their
scores, and the new `seq` if no other process has changed `seq` since. So a killed process leaves no partial batch, and if two
processes try the same batch, one succeeds. The ledger is append-only, so the data we read stays valid meanwhile.

The definitions are those of the build: `graph.features.pipeline.compute_local`, over an excerpt of the ledger. Global features
keep the build's values; we withhold those from which an event was removed.

We defer people with very many events, or in a very large batch; `catch_up` refreshes them, so no other person waits for them.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime

import polars as pl
from sqlalchemy import Connection, delete, update

from api.evidence import erasure_tombstones, excerpt, ledger
from api.features import builds, history, refresh_queue
from api.features.builds import Build
from api.features.refresh_queue import DeferredRefresh
from api.features.refresh_rows import (
    PersonRows,
    RefreshInputs,
    compute_rows,
    declaring_program,
    refresh_inputs,
    window_start,
)
from api.releases.catalogue import fingerprint, vocabulary_of
from api.store.clock import micros
from api.store.database import Database, reading, writing
from api.store.tables import BUILDS, FEATURES, LINKED_IDS, SCHEDULED_EVENTS, SCORES
from engine.decide.evaluators import Evaluators
from engine.errors import Rejected
from engine.lang.model.program import Release
from graph.evidence.invalidation import (
    STATEMENT_KINDS,
    Invalidation,
    compute_invalidation,
    end_people,
    event_ends,
    may_change_links,
    people_to_look_up,
)
from graph.evidence.vocabulary import CLASSES, EventVocabulary


@dataclass(frozen=True)
class RefreshLimits:
    """Limits of a batch: its new events, its people, and the events of its people. We defer a person with more than
    `rows_of_one` events.
    """

    events: int = 1_000
    people: int = 3_000
    rows: int = 300_000
    rows_of_one: int = 20_000


@dataclass(frozen=True)
class RefreshResult:
    """Counts: new events processed, rows recomputed, people deferred."""

    events: int = 0
    people: int = 0
    deferred: int = 0


@dataclass(frozen=True)
class Lag:
    """How far the rows of a build are behind: unprocessed events, seconds since the oldest of them was recorded, and the
    number of deferred people.
    """

    build: Build
    events: int
    seconds: float
    people: int


@dataclass(frozen=True)
class _RefreshBatch:
    """The work for new events: the people to refresh with their inputs, and the people to defer."""

    row_build: Build
    last_seq: int
    new_events: pl.DataFrame
    due_events: list[tuple[int, int]]
    invalidation: Invalidation
    inputs: "RefreshInputs"
    deferred: frozenset[str]


def refresh(
    database: Database, evaluators: Evaluators, now: datetime, limits: RefreshLimits | None = None
) -> RefreshResult | None:
    """Process one batch of new events. Returns None without new events, or without a build.

    If another process wrote the same batch first, we notice at the end and return an empty result. Raises Rejected
    `catalogue_mismatch` for a build of another version of the program.
    """
    batch_limits = limits or RefreshLimits()
    with reading(database) as connection:
        erased_count = erasure_tombstones.erasure_count(connection)
        batch = _next_batch(connection, evaluators, now, batch_limits)
    if batch is None:
        return None
    rows = compute_rows(evaluators, batch.row_build, batch.inputs, batch.invalidation.stale_classes)
    with writing(database) as connection:
        current = builds.latest_build_in(connection)
        if current is None or (current.id, current.seq) != (batch.row_build.id, batch.row_build.seq):
            return RefreshResult()
        if erasure_tombstones.erasure_count(connection) != erased_count:  # the batch may contain an erased person
            return RefreshResult()
        _write(connection, batch.row_build, batch.inputs.people, rows)
        refresh_queue.forget(connection, batch.row_build.id, batch.inputs.people)
        deferred = {p: frozenset(c for q, c in batch.invalidation.stale_classes if q == p) for p in batch.deferred}
        refresh_queue.defer(connection, batch.row_build.id, deferred, batch.last_seq)
        _advance(connection, batch)
    return RefreshResult(batch.new_events.height, len(batch.inputs.people), len(batch.deferred))


def catch_up(
    database: Database, evaluators: Evaluators, now: datetime, limits: RefreshLimits | None = None
) -> RefreshResult | None:
    """Refresh some of the deferred people. Returns None if there are none. Raises Rejected as `refresh`."""
    batch_limits = limits or RefreshLimits()
    with reading(database) as connection:
        erased_count = erasure_tombstones.erasure_count(connection)
        build = builds.latest_build_in(connection)
        deferred = [] if build is None else refresh_queue.oldest_deferred(connection, build.id, batch_limits.people)
        if build is None or not deferred:
            return None
        row_build = _row_build(connection, evaluators.release, build, now)
        people, _ = _select_people(connection, [m.person for m in deferred], batch_limits, minimum=1)
        inputs = refresh_inputs(
            connection, declaring_program(evaluators, row_build), build, people, window_start(evaluators, row_build)
        )
    stale_classes = frozenset((m.person, c) for m in deferred for c in m.stale_classes)
    rows = compute_rows(evaluators, row_build, inputs, stale_classes)
    with writing(database) as connection:
        current = builds.latest_build_in(connection)
        if current is None or current.id != build.id or erasure_tombstones.erasure_count(connection) != erased_count:
            return RefreshResult()
        deferred_now = {m.person: m for m in refresh_queue.deferred_among(connection, build.id, people)}
        unchanged = [
            m.person for m in deferred if m.person in inputs.people and _may_write(m, deferred_now.get(m.person))
        ]
        _write(connection, row_build, unchanged, rows)
        refresh_queue.forget(connection, build.id, [m.person for m in deferred if deferred_now.get(m.person) == m])
    return RefreshResult(0, len(unchanged), 0)


def refresh_all(database: Database, evaluators: Evaluators, now: Callable[[], datetime]) -> RefreshResult:
    """Process all new events, then all deferred people. Raises Rejected as `refresh`."""
    total = RefreshResult()
    for step in (refresh, catch_up):
        while result := step(database, evaluators, now()):
            total = RefreshResult(total.events + result.events, total.people + result.people)
    return total


def lag(database: Database, now: datetime) -> Lag:
    """How far the newest build's rows are behind. Raises Rejected `not_ready` without a build. Cost: a few look-ups."""
    with reading(database) as connection:
        build = builds.require_build(connection)
        pending = ledger.extent_of(connection).events - build.events_counted
        oldest = excerpt.since(connection, build.seq, 1)["recorded_at"].to_list()
        seconds = max(0.0, (now - oldest[0]).total_seconds()) if pending and oldest else 0.0
        return Lag(build, pending, seconds, refresh_queue.count_deferred(connection, build.id))


def _may_write(previous: DeferredRefresh, current: DeferredRefresh | None) -> bool:
    """Whether we may write the rows that we computed: no other process has written them, and no more classes are stale. A new
    event does not matter, because the person then stays in the queue.
    """
    return current is not None and current.stale_classes == previous.stale_classes


def _next_batch(
    connection: Connection, evaluators: Evaluators, now: datetime, limits: RefreshLimits
) -> _RefreshBatch | None:
    build = builds.latest_build_in(connection)
    if build is None:
        return None
    due = refresh_queue.due_events(connection, build.id, now, limits.events) if build.follows else []
    if not due and ledger.extent_of(connection).events == build.events_counted:
        return None
    row_build = _row_build(connection, evaluators.release, build, now)
    new_events = excerpt.since(connection, build.seq, limits.events)
    due_events = excerpt.by_seq(connection, {seq for seq, _ in due})
    all_events = pl.concat([new_events, due_events])
    invalidation = _invalidation(connection, row_build, all_events, vocabulary_of(evaluators.release))
    enrolled_people = excerpt.enrolled_people(connection, excerpt.linked_ids(connection, invalidation.people))
    people = sorted(excerpt.linked_ids(connection, enrolled_people))
    batch_people, deferred = _select_people(connection, people, limits)
    last_seq = build.seq if new_events.is_empty() else int(new_events["seq"][-1])
    return _RefreshBatch(
        row_build,
        last_seq,
        new_events,
        due,
        invalidation,
        refresh_inputs(
            connection,
            declaring_program(evaluators, row_build),
            build,
            batch_people,
            window_start(evaluators, row_build),
        ),
        frozenset(deferred),
    )


def _row_build(connection: Connection, release: Release, build: Build, now: datetime) -> Build:
    """The build with the times of the rows that we compute now. Raises Rejected `catalogue_mismatch`."""
    if build.catalogue != fingerprint(release.at(release.day(build.as_of))):
        message = "the features were built by another version of the program or of the rules"
        raise Rejected(message, where="refresh", hint="run `iftah build`", code="catalogue_mismatch")
    known_at = ledger.extent_of(connection).recorded_at or build.known_at
    as_of = max(now, build.as_of) if build.follows else build.as_of
    return replace(build, as_of=as_of, known_at=known_at, computed_at=now)


def _invalidation(
    connection: Connection, row_build: Build, events: pl.DataFrame, vocabulary: EventVocabulary
) -> Invalidation:
    items = excerpt.referenced_events(connection, events.filter(pl.col("kind").is_in(STATEMENT_KINDS)))
    nested_items = excerpt.referenced_events(connection, items.filter(pl.col("kind").is_in(STATEMENT_KINDS)))
    changed_items, all_events = pl.concat([items, nested_items]), pl.concat([events, items, nested_items])
    event_corrections = excerpt.references_to(connection, all_events)
    parties = event_ends(all_events, event_corrections)
    for_ties, for_events = people_to_look_up(parties)
    is_withdrawal = pl.col("kind") == "consent.withdrawn"
    is_expired = (pl.col("kind") == "consent.granted") & (pl.col("until") <= row_build.as_of)
    lapsed_people = events.filter(is_withdrawal | is_expired.fill_null(False))["subject"]
    ties, counterparties = excerpt.ties_of(connection, for_ties), excerpt.counterparties_of(connection, for_events)
    changed_ends = event_ends(changed_items, event_corrections)
    invalidation = compute_invalidation(parties, changed_ends, set(lapsed_people), ties, counterparties, vocabulary)
    return _with_linked_people(connection, invalidation, pl.concat([parties, changed_ends]))


def _with_linked_people(connection: Connection, invalidation: Invalidation, ends: pl.DataFrame) -> Invalidation:
    """Add the linked ids of these people. If an event is about a person with linked ids, add everyone whom an event names together
    with one of the ids: a link changes the neighbours of all. If it can make or end a link, features of the whole graph are stale.
    """
    linked = excerpt.linked_groups(connection, end_people(ends))
    if not linked:
        return invalidation
    neighbours = excerpt.counterparties(connection, set[str]().union(*linked.values()))
    people = excerpt.linked_ids(connection, invalidation.people | neighbours)
    stale_classes = {(one, c) for person, c in invalidation.stale_classes for one in linked.get(person, {person})}
    for person in end_people(ends.filter(may_change_links())):
        stale_classes |= {(one, c) for one in linked.get(person, ()) for c in CLASSES}
    return Invalidation(frozenset(people), frozenset(stale_classes))


def _select_people(
    connection: Connection, people: list[str], limits: RefreshLimits, minimum: int = 0
) -> tuple[list[str], list[str]]:
    """Split the people at the batch's limits: those to refresh, and the rest. We select at least `minimum` people."""
    sizes = excerpt.sizes(connection, people, limits.rows)
    selected: list[str] = []
    rows = 0
    for person in people:
        size = sizes[person]
        fits = size <= limits.rows_of_one and rows + size <= limits.rows and len(selected) < limits.people
        if fits or len(selected) < minimum:
            selected.append(person)
            rows += size
    return selected, sorted(set(people) - set(selected))


def _write(connection: Connection, row_build: Build, people: Collection[str], rows: PersonRows) -> None:
    """Replace the rows of `people`. A person without a new row also loses the score."""
    batch_people, removed_count = sorted(people), 0
    for table in (LINKED_IDS, SCORES, FEATURES):
        removed_count = connection.execute(
            delete(table).where(table.c.build == row_build.id, table.c.person.in_(batch_people))
        ).rowcount
    in_batch = pl.col("person").is_in(batch_people)
    features = rows.features.filter(in_batch)
    builds.insert_rows(connection, FEATURES, features)
    builds.insert_rows(connection, SCORES, rows.scores.filter(in_batch))
    builds.insert_rows(connection, LINKED_IDS, rows.linked_ids.filter(in_batch))
    history.append_changes(connection, row_build.id, row_build.computed_at, batch_people)
    change = {
        "people": BUILDS.c.people + features.height - removed_count,
        "refreshed_at": micros(row_build.computed_at),
    }
    connection.execute(update(BUILDS).where(BUILDS.c.id == row_build.id).values(change))


def _advance(connection: Connection, batch: _RefreshBatch) -> None:
    """Record that the batch is processed, and schedule the events that take effect later."""
    row_build, new_events = batch.row_build, batch.new_events
    later_count = 0 if row_build.follows else new_events.filter(pl.col("happened_at") > row_build.as_of).height
    change = {
        "seq": batch.last_seq,
        "events_counted": BUILDS.c.events_counted + new_events.height,
        "future_events": BUILDS.c.future_events + later_count,
    }
    connection.execute(update(BUILDS).where(BUILDS.c.id == row_build.id).values(change))
    refresh_queue.delete_scheduled(connection, row_build.id, batch.due_events)
    # A build that does not follow never processes them; `serving_features` needs to know only the changes among them.
    waiting = (
        new_events
        if row_build.follows
        else new_events.filter(pl.col("kind").is_in((*STATEMENT_KINDS, "consent.withdrawn")))
    )
    builds.insert_rows(
        connection, SCHEDULED_EVENTS, refresh_queue.scheduled_rows(row_build.id, waiting, row_build.as_of)
    )
