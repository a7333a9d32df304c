"""Serving features: apply present consent and disputes to the stored features of people.

We computed a person's row at an earlier moment; consent and disputes count as of now. So the values that we may use can be
fewer than the stored ones:

- We withhold a class of evidence at once when the person no longer consents to it, as the next refresh or build would.
- We withhold the relationship features when the other end of a tie has withdrawn consent since.
- We cannot subtract an item that was disputed, corrected or retracted since: there is no answer until the next refresh.

The build's `seq` says which events the rows take into account. Not included are scheduled events, which wait for a build
with a later `as_of`, and, for a person with a deferred refresh, all events since the computation of their row.

One query per table reads all people of a batch, with or without consent, so the response time reveals nothing about them.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    ScalarSelect,
    Select,
    and_,
    exists,
    func,
    literal_column,
    or_,
    select,
)
from sqlalchemy.sql import FromClause

from api.consent import permissions
from api.consent.permissions import Pair
from api.features import builds, linked_ids
from api.features.builds import Build
from api.features.pattern_flags import StoredFlags
from api.store.clock import micros, moment
from api.store.database import Database, fetch_rows, reading
from api.store.statements import Query, is_any_of, texts
from api.store.tables import BUILDS, DEFERRED_REFRESHES, EVENTS, FEATURES, SCHEDULED_EVENTS, SCORES, is_change
from engine.errors import Rejected
from engine.lang.model.program import Release
from engine.lang.model.types import Value
from graph.evidence.invalidation import STATEMENT_KINDS
from graph.evidence.vocabulary import CLASSES

UNKNOWN_PERSON: Final = "unknown_person"
CHANGE_EVENTS: Final = EVENTS.alias("change_events")
UNKNOWN_PERSON_HINT: Final = "check the id, or ask the person for consent"
_KINDS: Final = (*STATEMENT_KINDS, "consent.withdrawn")
_BUILD: Final = select(func.max(BUILDS.c.id)).scalar_subquery()


def _select_rows() -> Select[Any]:
    """The rows of features of the build in force, with the score's release and flags, and the deferred refresh, if any."""

    def of_row(column: Column[Any]) -> ScalarSelect[Any]:
        table = column.table
        same_row = and_(table.c.build == FEATURES.c.build, table.c.person == FEATURES.c.person)
        return select(column).where(same_row).scalar_subquery()

    columns = ("person", "values", "as_of", "known_at", "computed_at")
    related = (SCORES.c.release, SCORES.c.flags, DEFERRED_REFRESHES.c.seq)
    query = select(*(FEATURES.c[c] for c in columns), *map(of_row, related))
    return query.where(FEATURES.c.build == _BUILD)


def _select_changes_since_build() -> Select[Any]:
    """One row if any event that changes others is not in the build in force."""
    build_seq = select(BUILDS.c.seq).where(BUILDS.c.id == _BUILD).scalar_subquery()
    newer = exists().where(EVENTS.c.seq > build_seq, is_change(EVENTS))
    scheduled = exists().where(SCHEDULED_EVENTS.c.build == _BUILD, is_change(SCHEDULED_EVENTS))
    return select(literal_column("1")).where(or_(newer, scheduled))


_ROW: Final = _select_rows()
_ROWS: Final = _ROW.where(is_any_of(FEATURES.c.person, texts("people")))
_ANYBODY: Final = _ROW.order_by(FEATURES.c.person).limit(1)
_CHANGES_SINCE_BUILD: Final = _select_changes_since_build()


@dataclass(frozen=True)
class ServingFeatures:
    """The feature values of a person that we may use now, without missing ones, and the classes with consent.

    `row_build` is the build with the times of the person's row. `build` has the build's own times: those of the global
    features.
    """

    values: dict[str, Value]
    classes: frozenset[str]
    row_build: Build
    build: Build
    stored_flags: StoredFlags | None
    linked: tuple[str, ...] = ()  # all ids that we read as this person, if there are several


@dataclass(frozen=True)
class ServingFeaturesBatch:
    """The features by (person, service), or the reason why there are none, and the features of a stand-in for that case."""

    by_pair: dict[Pair, ServingFeatures | Rejected]
    stand_in: ServingFeatures
    linked: Mapping[str, tuple[str, ...]]  # all ids of each person that has several
    has_links: bool  # whether anyone has


@dataclass(frozen=True)
class _FeatureRow:
    values: dict[str, Value | None]
    row_build: Build
    stored_flags: StoredFlags | None
    deferred: bool


@dataclass(frozen=True)
class _PersonChanges:
    """Events that a person's row does not include: changed evidence, or a withdrawn consent at the other end of a tie."""

    evidence: bool = False
    withdrawn_tie: bool = False


_NO_CHANGES: Final = _PersonChanges()
Needs = Mapping[str, frozenset[str]]  # the data classes of each feature


def serving_features_of(database: Database, release: Release, subject: str, now: datetime) -> ServingFeatures:
    """The features of one person that the system itself may use now.

    Raises Rejected: `not_ready` before the first build; `unknown_person` for an unknown id or without consent (you cannot
    distinguish the two); `features_stale` if the person's evidence has changed since the computation of the row.
    """
    with reading(database) as connection:
        build = builds.require_build(connection)
        rows = fetch_rows(connection, *queries_for([subject], now))
        features = serving_features_batch(connection, release, build, [(subject, None)], now, rows).by_pair[
            subject, None
        ]
    if isinstance(features, Rejected):
        raise features
    return features


def queries_for(people: Collection[str], now: datetime) -> tuple[Query, ...]:
    """The queries whose rows `serving_features_batch` takes, in this order."""
    rows = Query(_ROWS, {"people": sorted(people)})
    consents, changes = permissions.consent_query(people, now), Query(_CHANGES_SINCE_BUILD)
    return rows, Query(_ANYBODY), consents, changes, linked_ids.query_for(people)


def serving_features_batch(
    connection: Connection,
    release: Release,
    build: Build,
    pairs: Collection[Pair],
    now: datetime,
    row_sets: Sequence[list[tuple[Any, ...]]],
) -> ServingFeaturesBatch:
    """The features that each service may use now, by pair; or a rejection: `unknown_person`, `features_stale`.

    `row_sets` are the rows of `queries_for`, in the same order.
    """
    feature_rows, any_person_rows, consent_rows, change_rows, linked_rows = row_sets
    linked = linked_ids.collect(linked_rows)
    if linked_rows:  # for everyone, so that the time does not say whose ids are linked
        other_ids = {one for ids in linked.values() for one in ids}
        (consent_rows,) = fetch_rows(connection, permissions.consent_query({*(s for s, _ in pairs), *other_ids}, now))
    people = sorted({subject for subject, _ in pairs})
    schema = release.at(release.day(build.as_of)).schema
    needs = {name: attribute.classes for name, attribute in schema.items()}
    rows = dict(_rows_by_person(build, feature_rows))
    stand_in = _stand_in(build, needs, any_person_rows, copies=1 + len(people) - len(rows))
    grants = permissions.grants_by_person(consent_rows, now)
    suspects = people if change_rows else [person for person in people if person in rows and rows[person].deferred]
    changes = {
        person: _changes_of(connection, build, rows.get(person), {person, *linked.get(person, ())})
        for person in suspects
    }

    def features_for(pair: Pair) -> ServingFeatures | Rejected:
        person, service = pair
        classes = permissions.classes_for(grants, pair)
        if person in linked and "identity" in classes:
            if not all("identity" in permissions.classes_for(grants, (one, None)) for one in linked[person]):
                return stale_features()
            classes = permissions.classes_of_linked(grants, linked[person], service)
        row, row_changes = rows.get(person), changes.get(person, _NO_CHANGES)
        return _consented_features(build, needs, row, classes, row_changes, tuple(sorted(linked.get(person, ()))))

    by_pair = {pair: features_for(pair) for pair in pairs}
    return ServingFeaturesBatch(
        by_pair, stand_in, {p: tuple(sorted(ids)) for p, ids in linked.items()}, bool(linked_rows)
    )


def _stand_in(build: Build, needs: Needs, any_person_rows: list[tuple[Any, ...]], copies: int) -> ServingFeatures:
    """The features of any person, with all classes. We parse one copy for each person without a row, and one more: so a
    person with a row costs as much time as a person without.
    """
    rows = [row for _ in range(copies) for _, row in _rows_by_person(build, any_person_rows)]
    stand_ins = [_serving_features(row, build, needs, frozenset(CLASSES)) for row in rows]
    return stand_ins[0] if stand_ins else ServingFeatures({}, frozenset(), build, build, None)


def _changes_of(connection: Connection, build: Build, row: _FeatureRow | None, ids: Collection[str]) -> _PersonChanges:
    """The changes that the row of the person with these ids does not include."""
    is_newer = _is_newer_than_row(build, row)
    return _PersonChanges(
        evidence=_has_changed_evidence(connection, is_newer, ids),
        withdrawn_tie=_has_withdrawn_tie(connection, is_newer, ids),
    )


def _consented_features(
    build: Build,
    needs: Needs,
    row: _FeatureRow | None,
    classes: frozenset[str],
    changes: _PersonChanges,
    linked: tuple[str, ...],
) -> ServingFeatures | Rejected:
    """The features that these classes allow. We look at consent first: without it, every person is equally unknown."""
    if "identity" not in classes or row is None:
        return unknown_person(build.purpose)
    if changes.evidence:
        return stale_features()
    withheld = frozenset({"relationship"}) if changes.withdrawn_tie else frozenset()
    return replace(_serving_features(row, build, needs, classes - withheld), linked=linked)


def stale_features() -> Rejected:
    """The rejection while a change of evidence waits for its refresh."""
    hint = "try again when the features have been refreshed"
    return Rejected("the person's evidence has just changed", where="subject", hint=hint, code="features_stale")


def unknown_person(purpose: str) -> Rejected:
    """The same rejection for an unknown id and for a person without consent."""
    return Rejected(
        f"unknown person, or no consent for `{purpose}`", where="subject", hint=UNKNOWN_PERSON_HINT, code=UNKNOWN_PERSON
    )


def _serving_features(row: _FeatureRow, build: Build, needs: Needs, classes: frozenset[str]) -> ServingFeatures:
    """The values that the rules know and these classes cover: a feature that the rules do not declare says nothing to them."""
    values = {n: v for n, v in row.values.items() if v is not None and n in needs and needs[n] <= classes}
    return ServingFeatures(values, classes, row.row_build, build, row.stored_flags)


def _rows_by_person(build: Build, rows: list[tuple[Any, ...]]) -> Iterator[tuple[str, _FeatureRow]]:
    for person, values, as_of, known_at, computed_at, release, flags, deferred_seq in rows:
        stored_flags = None if flags is None else StoredFlags(release, json.loads(flags))
        yield (
            person,
            _FeatureRow(
                json.loads(values),
                _row_build(build, as_of, known_at, computed_at),
                stored_flags,
                deferred_seq is not None,
            ),
        )


def _row_build(build: Build, as_of: int | None, known_at: int | None, computed_at: int | None) -> Build:
    """The build with the row's own times, if it has any."""
    if as_of is None or known_at is None or computed_at is None:
        return build
    return replace(build, as_of=moment(as_of), known_at=moment(known_at), computed_at=moment(computed_at))


def _is_newer_than_row(build: Build, row: _FeatureRow | None) -> ColumnElement[bool]:
    """Condition on `CHANGE_EVENTS`: the person's row does not include the event. Few events meet it."""
    waiting = select(SCHEDULED_EVENTS.c.seq).where(
        SCHEDULED_EVENTS.c.build == build.id, SCHEDULED_EVENTS.c.kind.in_(_KINDS)
    )
    is_newer = CHANGE_EVENTS.c.seq > build.seq
    if row is not None and row.deferred:
        is_newer = and_(
            CHANGE_EVENTS.c.seq > build.events, CHANGE_EVENTS.c.recorded_at > micros(row.row_build.known_at)
        )
    return or_(is_newer, CHANGE_EVENTS.c.seq.in_(waiting))


def _has_changed_evidence(connection: Connection, is_newer: ColumnElement[bool], ids: Collection[str]) -> bool:
    """Whether one of these events changes evidence to which the person with these ids is a party.

    We follow references twice, because someone can retract a correction.
    """
    item, nested_item = EVENTS.alias("item"), EVENTS.alias("behind")
    joined = CHANGE_EVENTS.outerjoin(item, _is_referred_item(CHANGE_EVENTS, item)).outerjoin(
        nested_item, _is_referred_item(item, nested_item)
    )
    names_subject = or_(
        *(t.c[side].in_(ids) for t in (CHANGE_EVENTS, item, nested_item) for side in ("subject", "other"))
    )
    query = (
        select(CHANGE_EVENTS.c.seq)
        .select_from(joined)
        .where(CHANGE_EVENTS.c.kind.in_(STATEMENT_KINDS), is_newer, names_subject)
    )
    return connection.execute(query.limit(1)).first() is not None


def _is_referred_item(reference: FromClause, item: FromClause) -> ColumnElement[bool]:
    contributor = func.coalesce(reference.c.ref_contributor, reference.c.contributor)
    return and_(item.c.event_id == reference.c.ref_event, item.c.contributor == contributor)


def _has_withdrawn_tie(connection: Connection, is_newer: ColumnElement[bool], ids: Collection[str]) -> bool:
    """Whether one of these events withdraws the consent of a person tied to the one with these ids."""
    query = select(CHANGE_EVENTS.c.subject).where(
        CHANGE_EVENTS.c.kind == "consent.withdrawn", is_newer, CHANGE_EVENTS.c.subject.not_in(ids)
    )
    withdrawn_people = set(connection.execute(query).scalars())
    if not withdrawn_people:
        return False
    ties = select(EVENTS.c.subject, EVENTS.c.other).where(
        EVENTS.c.kind == "tie.formed", or_(EVENTS.c.subject.in_(ids), EVENTS.c.other.in_(ids))
    )
    return any(withdrawn_people & {a, b} for a, b in connection.execute(ties))
