"""The person's side: what a person may see of what is kept and thought of them, and of who asked."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Engine, Select, delete, insert, select

from api import actions
from api.access.presence import writing_about
from api.actions import Explained
from api.clock import moment
from api.consent import consents as consents_
from api.database import reading
from api.features import history
from api.people import disputes, evidence, reviews
from api.tables import (
    DECISION_SUBJECTS,
    DECISIONS,
    MONITORED,
    ORDERS,
)
from api.world import World
from engine.errors import Refused
from engine.improve import Aim, Change, Improved, aim_at, improve
from engine.lang.program import Program
from engine.lang.types import Type, Value, written
from graph import schema

PAGE: Final = 100
_ENDS: Final = {True: {"en": "at least", "zh": "至少"}, False: {"en": "at most", "zh": "至多"}}
_STEP: Final = {"en": "{about} Now: {before}; {end} {after}.", "zh": "{about}目前：{before}；{end} {after}。"}
_NOTHING: Final = {"en": "nothing yet", "zh": "尚无"}
_DAY: Final = 86_400  # seconds
Row = dict[str, Any]


@dataclass(frozen=True)
class Raise:
    """What would raise a score: the plan, and each of its steps in words."""

    explained: Explained
    found: Improved
    words: tuple[str, ...]


def explained(world: World, person: str, now: datetime) -> Explained:
    """The person's score and why, asked by the person: as `actions.explained`, but for what is said when there is none."""
    try:
        return actions.explained(world, person, now)
    except Refused as refused:
        if refused.code != "unknown_person":
            raise
    message = (
        "there is no score of yours: you are not enrolled, or object to that, or do not let `identity` be looked at"
    )
    hint = "see GET /v1/me/consents, /v1/me/disputes and /v1/me/evidence"
    raise Refused(message, where="subject", hint=hint, code="unknown_person")


def raised(
    world: World, person: str, now: datetime, language: str, perk: str | None = None, target: int | None = None
) -> Raise:
    """The least that the person could change for the next band, the nearest tier of a perk, or a score of their choice.

    Only what they consent to count is looked at. Raises Refused: as `actions.explained`, `unknown_perk`, `bad_score`.
    """
    known = explained(world, person, now)
    card = known.program.scorecard
    if target is not None and not card.lowest <= target <= card.highest:
        hint = f"from {card.lowest} to {card.highest}"
        raise Refused("this is no score", where="score", hint=hint, code="bad_score")
    may = {
        f.name: Change(f.direction == "higher is better", f.effort)
        for f in schema()
        if f.effort is not None and f.data_class in known.classes
    }
    aim = target if perk is None else _aim(known, perk)
    best = improve(world.engines.at(known.day), known.values, known.day, may, aim)
    return Raise(known, best, tuple(_words(known.program, best, language)))


def _aim(known: Explained, name: str) -> Aim:
    """A perk's nearest tier. Raises Refused for a perk that the rules have not."""
    perk = known.program.perk(name)
    if perk is None:
        hint = f"use one of {', '.join(p.id for p in known.program.perks)}"
        raise Refused(f"unknown perk `{name[:60]}`", where="perk", hint=hint, code="unknown_perk")
    return aim_at(known.program, perk, known.values, known.scored.score, known.day)


def _words(program: Program, best: Improved, language: str) -> list[str]:
    reason = {i.id: i.reason for i in program.scorecard.items}
    told = []
    for step in best.steps:
        type_ = program.schema[step.feature].type
        about = wording(program, reason[step.items[0]], language) if step.items else step.feature
        before = _in(_NOTHING, language) if step.before is None else _plainly(step.before, type_, language)
        words = {"about": about, "before": before, "after": _plainly(step.after, type_, language)}
        told.append(_in(_STEP, language).format(**words, end=_in(_ENDS[step.up], language)))
    return told


def _plainly(value: Value, type_: Type, language: str) -> str:
    """The value as a person reads it: whole days in words, all else as operators write it."""
    if type_.kind != "duration" or int(value) * type_.step % _DAY:
        return written(value, type_)
    days = int(value) * type_.step // _DAY
    return _in({"en": "1 day" if days == 1 else f"{days} days", "zh": f"{days} 天"}, language)


def _in(texts: Mapping[str, str], language: str) -> str:
    return texts.get(language, texts["en"])


def wording(program: Program, code: str, language: str) -> str:
    """A reason in words; its code where the rules have none any more."""
    texts = program.reasons.get(code, {})
    return texts.get(language) or texts.get(program.languages[0]) or code


def inquiries(
    connection: Connection,
    program: Program | None,
    person: str,
    language: str,
    before: int | None = None,
    most: int | None = PAGE,
) -> list[Row]:
    """Who asked about the person, newest first, from before a number on: when, what for, and what came of it and why."""
    query = _asked_about(person).order_by(DECISIONS.c.seq.desc()).limit(most)
    if before is not None:
        query = query.where(DECISIONS.c.seq < before)
    return [_inquiry(dict(row), program, language) for row in connection.execute(query).mappings()]


def inquiry(connection: Connection, program: Program | None, person: str, decision: str, language: str) -> Row | None:
    """One of them, by its decision; None when it is not about the person."""
    row = connection.execute(_asked_about(person).where(DECISIONS.c.id == decision)).mappings().first()
    return None if row is None else _inquiry(dict(row), program, language)


def _asked_about(person: str) -> Select[Any]:
    both = DECISIONS.join(DECISION_SUBJECTS, DECISIONS.c.seq == DECISION_SUBJECTS.c.seq)
    found = select(DECISIONS, DECISION_SUBJECTS.c.record).select_from(both)
    return found.where(DECISION_SUBJECTS.c.subject == person)


def _inquiry(row: Row, program: Program | None, language: str) -> Row:
    record = json.loads(row["record"])
    made = record.get("decision") or {}
    purpose = (made.get("question") or {}).get("purpose") or record.get("purpose")
    reasons = [{"code": c, "text": wording(program, c, language) if program else c} for c in made.get("reasons") or ()]
    copied = ("merchant", "service", "perk", "amount", "currency", "outcome")
    return {
        **{"number": row["seq"], "decision_id": row["id"], "asked_at": moment(row["decided_at"])},
        **{c: row[c] for c in copied},
        **{"waived_amount": row["waived"], "deposit_amount": row["deposit"], "purpose": purpose, "reasons": reasons},
    }


def changes(connection: Connection, person: str) -> list[Row]:
    """The person's scores as they changed, oldest first."""
    hidden = ("seq", "person")
    return [_timed(row, "at", hidden=hidden) for row in history.of_person(connection, person)]


def disputed(row: Row) -> Row:
    """A dispute as it is told."""
    hidden = ("id", "subject", "resolved_by")
    return {"dispute_id": row["id"], **_timed(row, "opened_at", "due_at", "resolved_at", hidden=hidden)}


def reviewed(row: Row) -> Row:
    """A review as it is told."""
    told = _timed(row, "asked_at", "due_at", "answered_at", hidden=("id", "decision", "subject", "answered_by"))
    return {"review_id": row["id"], "decision_id": row["decision"], **told}


def explained_if_any(world: World, person: str, now: datetime) -> Explained | None:
    """The person's score, or None while there is none to tell: no consent, or evidence that is just being changed."""
    try:
        return actions.explained(world, person, now)
    except Refused as refused:
        if refused.code in ("unknown_person", "features_stale", "not_ready"):
            return None
        raise


def monitored(connection: Connection, person: str) -> dict[str, str]:
    """What the person gave for reports by group: attribute and value."""
    query = select(MONITORED.c.attribute, MONITORED.c.value).where(MONITORED.c.person == person)
    rows = connection.execute(query.order_by(MONITORED.c.attribute)).all()
    return {row.attribute: row.value for row in rows}


def monitor(engine: Engine, person: str, attributes: Mapping[str, str]) -> dict[str, str]:
    """Keep just these attributes of the person, in the place of whichever there were."""
    with writing_about(engine, person) as connection:
        connection.execute(delete(MONITORED).where(MONITORED.c.person == person))
        rows = [{"person": person, "attribute": a, "value": v} for a, v in sorted(attributes.items())]
        if rows:
            connection.execute(insert(MONITORED), rows)
    return dict(sorted(attributes.items()))


def consents(connection: Connection, person: str) -> list[Row]:
    """What merchants asked the person's consent for, newest first."""
    rows = consents_.of_person(connection, person)
    return [_timed(row, "asked_at", "until", "answered_at", hidden=("subject",)) for row in rows]


def orders(connection: Connection, person: str) -> list[Row]:
    """The person's orders, newest first."""
    query = select(ORDERS).where(ORDERS.c.subject == person).order_by(ORDERS.c.created_at.desc(), ORDERS.c.id)
    times = ("starts_at", "ends_at", "due_at", "created_at", "changed_at", "closed_at")
    rows = [_timed(dict(row), *times, hidden=("subject", "digest")) for row in connection.execute(query).mappings()]
    return [row | {"content": json.loads(row["content"])} for row in rows]


def _timed(row: Row, *times: str, hidden: tuple[str, ...]) -> Row:
    told = {c: v for c, v in row.items() if c not in hidden}
    return told | {t: None if row[t] is None else moment(row[t]) for t in times}


def everything(engine: Engine, program: Program | None, person: str, language: str) -> Row:
    """All that is kept of the person, of one moment; the parts as they are told one by one."""
    with reading(engine) as connection:
        return {
            "history": changes(connection, person),
            "evidence": evidence.evidence(connection, person, most=None),
            "consent_requests": consents(connection, person),
            "inquiries": inquiries(connection, program, person, language, most=None),
            "orders": orders(connection, person),
            "disputes": [disputed(row) for row in disputes.of_person(connection, person)],
            "reviews": [reviewed(row) for row in reviews.of_person(connection, person)],
            "monitoring": monitored(connection, person),
        }
