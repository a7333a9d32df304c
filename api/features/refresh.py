"""Refresh: what new events change in people's rows, made anew, in batches, while everything else goes on.

The ledger is the queue, and a build's `seq` tells how far it is done. A batch is read in one transaction, computed without
any, and written in one: the rows of the people that the new events touch (`graph.touched`), their scores, and the new
`seq`, if `seq` is still what it was. So a process that is killed leaves nothing half done and loses no mark, and of two
that try the same batch one succeeds. What is recorded by a moment is settled, so what was read stays true meanwhile.

The definitions are those of the build: `graph.features.nearby`, over an excerpt of the ledger. The features of the whole
graph stay those of the build, but for those that something was taken out of: they are withheld.

Who has very many events, or is one of very many, is marked and done apart by `catch_up`, so that nobody waits for them.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import polars as pl
from sqlalchemy import Connection, Engine, delete, select, update

from api.catalogue import fingerprint
from api.clock import micros
from api.database import reading, writing
from api.evidence import departed, excerpt, ledger
from api.features import builds, history, marks, watching
from api.features.builds import Build
from api.features.marks import Mark
from api.tables import BUILDS, FEATURES, SCORES, WAITING
from engine.engines import Engines
from engine.errors import Refused
from graph.calendar import months_before
from graph.catalog import FEATURES as CATALOGUE
from graph.features import nearby
from graph.features.payments import WINDOW
from graph.touched import CHANGES, Touched, around, ends, touched
from graph.view import seen

GLOBAL: Final = {f.name: f for f in CATALOGUE if f.scope == "global"}
_TYPES: Final = {"bool": pl.Boolean, "enum": pl.String, "date": pl.Date}
_STORED: Final = pl.Struct({n: _TYPES.get(f.type, pl.Int64) for n, f in GLOBAL.items()})


@dataclass(frozen=True)
class Most:
    """How much at once: events and people of a batch, and events of its people; who has more alone is put off."""

    events: int = 1_000
    people: int = 3_000
    rows: int = 300_000
    rows_of_one: int = 20_000


@dataclass(frozen=True)
class Refreshed:
    """What was done: new events looked at, rows made anew, people put off."""

    events: int = 0
    people: int = 0
    put_off: int = 0


@dataclass(frozen=True)
class Lag:
    """How far the rows of a build are behind: events not taken into account, seconds since the oldest of them was recorded,
    people put off.
    """

    made: Build
    events: int
    seconds: float
    people: int


@dataclass(frozen=True)
class _Batch:
    """What to do about new events: whom to refresh from which events, whom to put off."""

    at: Build
    upto: int
    new: pl.DataFrame
    due: list[tuple[int, int]]
    touched: Touched
    source: "_Source"
    put_off: frozenset[str]


@dataclass(frozen=True)
class _Source:
    """What the rows of some people are made from: their events, and their global features as they are stored."""

    people: list[str]
    events: pl.DataFrame
    placed: pl.DataFrame


@dataclass(frozen=True)
class _Rows:
    """The rows of people who still have one."""

    features: pl.DataFrame
    scores: pl.DataFrame


def refresh(database: Engine, engines: Engines, now: datetime, most: Most | None = None) -> Refreshed | None:
    """One batch of new events; None when there are none, or no build. Raises Refused for a build of another catalogue.

    A batch that another process did first is found out at its end, and counts as nothing done.
    """
    limits = most or Most()
    with reading(database) as connection:
        erased = departed.erased(connection)
        batch = _batch(connection, engines, now, limits)
    if batch is None:
        return None
    rows = _made(engines, batch.at, batch.source, batch.touched.astray)
    with writing(database) as connection:
        current = builds.latest_in(connection)
        if current is None or (current.id, current.seq) != (batch.at.id, batch.at.seq):
            return Refreshed()
        if departed.erased(connection) != erased:  # what was read may hold somebody who is gone
            return Refreshed()
        _write(connection, batch.at, batch.source.people, rows)
        marks.forget(connection, batch.at.id, batch.source.people)
        off = {p: frozenset(c for q, c in batch.touched.astray if q == p) for p in batch.put_off}
        marks.put_off(connection, batch.at.id, off, batch.upto)
        _move_on(connection, batch)
    return Refreshed(batch.new.height, len(batch.source.people), len(batch.put_off))


def catch_up(database: Engine, engines: Engines, now: datetime, most: Most | None = None) -> Refreshed | None:
    """Some of the people who were put off; None when nobody is. Raises Refused for a build of another catalogue."""
    limits = most or Most()
    with reading(database) as connection:
        erased = departed.erased(connection)
        made = builds.latest_in(connection)
        marked = [] if made is None else marks.oldest(connection, made.id, limits.people)
        if made is None or not marked:
            return None
        at = _at(connection, made, now)
        chosen, _ = _chosen(connection, [m.person for m in marked], limits, least=1)
        source = _source(connection, made, chosen, _looked_at(engines, at))
    astray = frozenset((m.person, c) for m in marked for c in m.astray)
    rows = _made(engines, at, source, astray)
    with writing(database) as connection:
        current = builds.latest_in(connection)
        if current is None or current.id != made.id or departed.erased(connection) != erased:
            return Refreshed()
        now_marked = {m.person: m for m in marks.of(connection, made.id, chosen)}
        still = [m.person for m in marked if m.person in source.people and _may(m, now_marked.get(m.person))]
        _write(connection, at, still, rows)
        marks.forget(connection, made.id, [m.person for m in marked if now_marked.get(m.person) == m])
    return Refreshed(0, len(still), 0)


def until_done(database: Engine, engines: Engines, now: Callable[[], datetime]) -> Refreshed:
    """All there is to do, new events first. Raises Refused for a build of another catalogue."""
    total = Refreshed()
    for work in (refresh, catch_up):
        while done := work(database, engines, now()):
            total = Refreshed(total.events + done.events, total.people + done.people)
    return total


def lag(database: Engine, now: datetime) -> Lag:
    """How far the newest build's rows are behind. Raises Refused when there is none. Cost: a few look-ups."""
    with reading(database) as connection:
        made = builds.ready(connection)
        behind = ledger.extent_of(connection).events - made.seen
        first = excerpt.since(connection, made.seq, 1)["recorded_at"].to_list()
        seconds = max(0.0, (now - first[0]).total_seconds()) if behind and first else 0.0
        return Lag(made, behind, seconds, marks.count(connection, made.id))


def _may(before: Mark, after: Mark | None) -> bool:
    """Whether what was made meanwhile may be written: nobody else has, and nothing more is to be withheld. A new event does
    not matter: the mark stays.
    """
    return after is not None and after.astray == before.astray


def _batch(connection: Connection, engines: Engines, now: datetime, most: Most) -> _Batch | None:
    made = builds.latest_in(connection)
    if made is None:
        return None
    due = marks.due(connection, made.id, now, most.events) if made.follows else []
    if not due and ledger.extent_of(connection).events == made.seen:
        return None
    at = _at(connection, made, now)
    new = excerpt.since(connection, made.seq, most.events)
    again = excerpt.numbered(connection, {seq for seq, _ in due})
    whom = _touched(connection, at, pl.concat([new, again]))
    people = sorted(excerpt.enrolled(connection, whom.people))
    chosen, rest = _chosen(connection, people, most)
    upto = made.seq if new.is_empty() else int(new["seq"][-1])
    return _Batch(at, upto, new, due, whom, _source(connection, made, chosen, _looked_at(engines, at)), frozenset(rest))


def _at(connection: Connection, made: Build, now: datetime) -> Build:
    """The build with the moments of the rows that are made now. Raises Refused when they would not be of its catalogue."""
    if made.catalogue != fingerprint():
        message = "the features were built by another version of the program"
        raise Refused(message, where="refresh", hint="run `iftah build`", code="other_catalogue")
    known_at = ledger.extent_of(connection).recorded_at or made.known_at
    as_of = max(now, made.as_of) if made.follows else made.as_of
    return replace(made, as_of=as_of, known_at=known_at, computed_at=now)


def _touched(connection: Connection, at: Build, events: pl.DataFrame) -> Touched:
    items = excerpt.referred(connection, events.filter(pl.col("kind").is_in(CHANGES)))
    behind = excerpt.referred(connection, items.filter(pl.col("kind").is_in(CHANGES)))
    changed, everything = pl.concat([items, behind]), pl.concat([events, items, behind])
    fixes = excerpt.about(connection, everything)
    ended = ends(everything, fixes)
    for_ties, for_payments = around(ended)
    withdrawn = pl.col("kind") == "consent.withdrawn"
    ran_out = (pl.col("kind") == "consent.granted") & (pl.col("until") <= at.as_of)
    lapsed = events.filter(withdrawn | ran_out.fill_null(False))["subject"]
    tied, paid = excerpt.ties_of(connection, for_ties), excerpt.payments_of(connection, for_payments)
    return touched(ended, ends(changed, fixes), set(lapsed), tied, paid)


def _chosen(connection: Connection, people: list[str], most: Most, least: int = 0) -> tuple[list[str], list[str]]:
    """The first of these people that are few enough and have few enough events, and the rest. At `least` so many."""
    sizes = excerpt.sizes(connection, people, most.rows)
    chosen: list[str] = []
    rows = 0
    for person in people:
        size = sizes[person]
        fits = size <= most.rows_of_one and rows + size <= most.rows and len(chosen) < most.people
        if fits or len(chosen) < least:
            chosen.append(person)
            rows += size
    return chosen, sorted(set(people) - set(chosen))


def _looked_at(engines: Engines, at: Build) -> datetime | None:
    """After when payments and balances matter; None: from ever, since a pattern of the rules reads such events."""
    program = engines.release.at(engines.release.day(at.as_of))
    read = {step.kind for pattern in program.flags for step in pattern.steps}
    return None if read & set(excerpt.WINDOWED) else months_before(at.as_of, WINDOW, at.zone)


def _source(connection: Connection, made: Build, people: list[str], after: datetime | None) -> _Source:
    events = excerpt.of_people(connection, people, after) if people else excerpt.numbered(connection, ())
    query = select(FEATURES.c.person, FEATURES.c["values"]).where(FEATURES.c.build == made.id)
    found = [tuple(r) for r in connection.execute(query.where(FEATURES.c.person.in_(people)))]
    stored = pl.DataFrame(found, schema={"person": pl.String, "values": pl.String}, orient="row")
    placed = stored.select("person", pl.col("values").str.json_decode(_STORED)).unnest("values")
    return _Source(people, events.drop("seq"), placed)


def _made(engines: Engines, at: Build, source: _Source, astray: Collection[tuple[str, str]]) -> _Rows:
    """The rows of the people of a source. Cost: a fixed tenth of a second, and then O(events)."""
    view, consents = seen(source.events, at.as_of, at.known_at, at.purpose, at.zone)
    own = nearby(view, at.as_of, consents, source.people, zone=at.zone)
    whole = own.join(_withheld(source.placed, consents, astray), on="person", how="left")
    values = whole.select("person", *(f.name for f in CATALOGUE)).sort("person")
    program = engines.release.at(engines.release.day(at.as_of))
    flags = watching.of_view(view, consents, at.as_of, engines.watchers(engines.release.day(at.as_of)), source.people)
    scores = builds.score_rows(values.select("person", *program.features), program, at, flags)
    times = {n: micros(getattr(at, n)) for n in ("as_of", "known_at", "computed_at")}
    features = values.select(
        pl.lit(at.id).alias("build"),
        "person",
        builds.as_json().alias("values"),
        *(pl.lit(t).alias(n) for n, t in times.items()),
    )
    return _Rows(features, scores)


def _withheld(placed: pl.DataFrame, consents: pl.DataFrame, astray: Collection[tuple[str, str]]) -> pl.DataFrame:
    """The global features that may still be used: of a class that is consented to, and that has not gone astray."""
    schema = {"person": pl.String, "data_class": pl.String}
    kept = consents.join(pl.DataFrame(list(astray), schema=schema, orient="row"), on=list(schema), how="anti")
    for data_class in {f.data_class for f in GLOBAL.values()}:
        may = pl.col("person").is_in(kept.filter(pl.col("data_class") == data_class)["person"].implode())
        placed = placed.with_columns(
            pl.when(may).then(pl.col(n)).alias(n) for n, f in GLOBAL.items() if f.data_class == data_class
        )
    return placed


def _write(connection: Connection, at: Build, people: Collection[str], rows: _Rows) -> None:
    """Replace the rows of `people`; who has none any more has no score either."""
    chosen, gone = sorted(people), 0
    for table in (SCORES, FEATURES):
        gone = connection.execute(delete(table).where(table.c.build == at.id, table.c.person.in_(chosen))).rowcount
    these = pl.col("person").is_in(chosen)
    features = rows.features.filter(these)
    builds.keep(connection, FEATURES, features)
    builds.keep(connection, SCORES, rows.scores.filter(these))
    history.follow(connection, at.id, at.computed_at, chosen)
    change = {"people": BUILDS.c.people + features.height - gone, "refreshed_at": micros(at.computed_at)}
    connection.execute(update(BUILDS).where(BUILDS.c.id == at.id).values(change))


def _move_on(connection: Connection, batch: _Batch) -> None:
    """The new events are seen to; those before their time wait."""
    at, new = batch.at, batch.new
    later = 0 if at.follows else new.filter(pl.col("happened_at") > at.as_of).height
    change = {"seq": batch.upto, "seen": BUILDS.c.seen + new.height, "later": BUILDS.c.later + later}
    connection.execute(update(BUILDS).where(BUILDS.c.id == at.id).values(change))
    marks.done(connection, at.id, batch.due)
    # A build that does not follow will never see them; what they take back is for `standing` to know.
    waiting = new if at.follows else new.filter(pl.col("kind").is_in((*CHANGES, "consent.withdrawn")))
    builds.keep(connection, WAITING, marks.to_come(at.id, waiting, at.as_of))
