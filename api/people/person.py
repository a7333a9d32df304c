"""The views a person may see about themselves: the score, recourse, inquiries, history, orders and a full export."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Select, delete, insert, select

from api.access.presence import writing_about
from api.consent import consents as consents_
from api.decisions.score_explanation import ScoreExplanation, explain_score
from api.features import history
from api.people import disputes, evidence, looks, reviews
from api.runtime.context import AppContext
from api.store.clock import moment
from api.store.database import Database, reading
from api.store.tables import DECISION_SUBJECTS, DECISIONS, MONITORED_ATTRIBUTES, ORDERS
from engine.decide.recourse import Aim, RecoursePlan, aim_for_perk, recourse
from engine.errors import Rejected
from engine.lang.model.program import Program
from engine.lang.model.types import Type, Value, format_value
from graph.evidence.vocabulary import EventVocabulary
from iftah.scoring import possible_changes

PAGE: Final = 100
_BOUND_TEXTS: Final = {True: {"en": "at least", "zh": "至少"}, False: {"en": "at most", "zh": "至多"}}
_STEP_TEXT: Final = {"en": "{about} Now: {before}; {end} {after}.", "zh": "{about}目前：{before}；{end} {after}。"}
_NO_VALUE_TEXT: Final = {"en": "nothing yet", "zh": "尚无"}
_DAY: Final = 86_400  # seconds
View = dict[str, Any]  # a JSON object for the person; `api.http` gives each its schema
Row = Mapping[str, Any]  # a row of a table


@dataclass(frozen=True)
class Recourse:
    """A plan that raises a score, and each of its steps in words."""

    explanation: ScoreExplanation
    plan: RecoursePlan
    words: tuple[str, ...]


def explain_own_score(context: AppContext, person: str, now: datetime) -> ScoreExplanation:
    """Explain the person's own score. Like `explain_score`, with a message for the person if there is no score."""
    try:
        return explain_score(context, person, now)
    except Rejected as error:
        if error.code != "unknown_person":
            raise
    message = "you have no score: you are not enrolled, dispute your enrolment, or do not consent to `identity`"
    hint = "see GET /v1/me/consents, /v1/me/disputes and /v1/me/evidence"
    raise Rejected(message, where="subject", hint=hint, code="unknown_person")


def propose_recourse(
    context: AppContext, person: str, now: datetime, language: str, perk: str | None = None, target: int | None = None
) -> Recourse:
    """Find the smallest change that reaches the next band, the nearest tier of `perk`, or the score `target`.

    Only features of data classes to which the person consents may change. Raises Rejected: as `explain_score`,
    `unknown_perk`, `bad_score`.
    """
    explanation = explain_own_score(context, person, now)
    card = explanation.program.scorecard
    if target is not None and not card.lowest <= target <= card.highest:
        hint = f"from {card.lowest} to {card.highest}"
        raise Rejected("the score is out of range", where="score", hint=hint, code="bad_score")
    attributes = explanation.program.schema
    permitted_changes = {
        name: change
        for name, change in possible_changes(explanation.program).items()
        if attributes[name].classes <= explanation.classes
    }
    aim = target if perk is None else _aim(explanation, perk)
    plan = recourse(context.evaluators.at(explanation.day), explanation.values, explanation.day, permitted_changes, aim)
    return Recourse(explanation, plan, tuple(_step_texts(explanation.program, plan, language)))


def _aim(explanation: ScoreExplanation, name: str) -> Aim:
    """Aim for a perk's nearest tier. Raises Rejected `unknown_perk`."""
    perk = explanation.program.perk(name)
    if perk is None:
        hint = f"use one of {', '.join(p.id for p in explanation.program.perks)}"
        raise Rejected(f"unknown perk `{name[:60]}`", where="perk", hint=hint, code="unknown_perk")
    return aim_for_perk(explanation.program, perk, explanation.values, explanation.result.score, explanation.day)


def _step_texts(program: Program, plan: RecoursePlan, language: str) -> list[str]:
    reason = {i.id: i.reason for i in program.scorecard.items}
    texts = []
    for step in plan.steps:
        type_ = program.schema[step.feature].type
        about = wording(program, reason[step.items[0]], language) if step.items else step.feature
        before = (
            _in_language(_NO_VALUE_TEXT, language) if step.before is None else _plain_text(step.before, type_, language)
        )
        words = {"about": about, "before": before, "after": _plain_text(step.after, type_, language)}
        texts.append(
            _in_language(_STEP_TEXT, language).format(**words, end=_in_language(_BOUND_TEXTS[step.up], language))
        )
    return texts


def _plain_text(value: Value, type_: Type, language: str) -> str:
    """Format a value for the person: whole days in words, any other value as in rule files."""
    if type_.kind != "duration" or int(value) * type_.step % _DAY:
        return format_value(value, type_)
    days = int(value) * type_.step // _DAY
    return _in_language({"en": "1 day" if days == 1 else f"{days} days", "zh": f"{days} 天"}, language)


def _in_language(texts: Mapping[str, str], language: str) -> str:
    return texts.get(language, texts["en"])


def wording(program: Program, code: str, language: str) -> str:
    """A reason in words; its code if the rules no longer have the reason."""
    texts = program.reasons.get(code, {})
    return texts.get(language) or texts.get(program.languages[0]) or code


def inquiries(
    connection: Connection,
    program: Program | None,
    person: str,
    language: str,
    before: int | None = None,
    limit: int | None = PAGE,
    linked: Collection[str] = (),
) -> list[View]:
    """List the inquiries about the person, newest first, before the number `before`: merchant, time, perk, outcome, reasons.

    `linked`: the person's other ids.
    """
    query = _inquiries_query(person, *linked).order_by(DECISIONS.c.seq.desc()).limit(limit)
    if before is not None:
        query = query.where(DECISIONS.c.seq < before)
    return [_inquiry_view(dict(row), program, language) for row in connection.execute(query).mappings()]


def inquiry(connection: Connection, program: Program | None, person: str, decision: str, language: str) -> View | None:
    """One inquiry, by its decision; None if the decision is not about the person."""
    row = connection.execute(_inquiries_query(person).where(DECISIONS.c.id == decision)).mappings().first()
    return None if row is None else _inquiry_view(dict(row), program, language)


def _inquiries_query(*ids: str) -> Select[Any]:
    joined = DECISIONS.join(DECISION_SUBJECTS, DECISIONS.c.seq == DECISION_SUBJECTS.c.seq)
    query = select(DECISIONS, DECISION_SUBJECTS.c.record).select_from(joined)
    return query.where(DECISION_SUBJECTS.c.subject.in_(ids))


def _inquiry_view(row: Row, program: Program | None, language: str) -> View:
    record = json.loads(row["record"])
    decision = record.get("decision") or {}
    purpose = (decision.get("question") or {}).get("purpose") or record.get("purpose")
    reasons = [
        {"code": c, "text": wording(program, c, language) if program else c} for c in decision.get("reasons") or ()
    ]
    return {
        "number": row["seq"],
        "decision_id": row["id"],
        "asked_at": moment(row["decided_at"]),
        "merchant": row["merchant"],
        "service": row["service"],
        "perk": row["perk"],
        "amount": row["amount"],
        "currency": row["currency"],
        "outcome": row["outcome"],
        "waived_amount": row["waived"],
        "deposit_amount": row["deposit"],
        "purpose": purpose,
        "reasons": reasons,
    }


def changes(connection: Connection, person: str) -> list[View]:
    """List the changes of the person's score, oldest first."""
    hidden = ("seq", "person")
    return [_with_moments(row, "at", hidden=hidden) for row in history.of_person(connection, person)]


def dispute_view(row: disputes.Dispute) -> View:
    """A dispute without internal columns."""
    hidden = ("id", "subject", "resolved_by")
    return {"dispute_id": row["id"], **_with_moments(row, "opened_at", "due_at", "resolved_at", hidden=hidden)}


def review_view(row: reviews.Review) -> View:
    """A review without internal columns."""
    view = _with_moments(row, "asked_at", "due_at", "answered_at", hidden=("id", "decision", "subject", "answered_by"))
    return {"review_id": row["id"], "decision_id": row["decision"], **view}


def look_view(look: looks.Look) -> View:
    """A look as the person sees it. Its id is the caller's key to the data, so we leave it out."""
    return {name: value for name, value in vars(look).items() if name not in ("id", "person")}


def explain_score_if_any(context: AppContext, person: str, now: datetime) -> ScoreExplanation | None:
    """The person's score, or None: without a build or consent, or while a change of evidence waits for its refresh."""
    try:
        return explain_score(context, person, now)
    except Rejected as error:
        if error.code in ("unknown_person", "features_stale", "not_ready"):
            return None
        raise


def monitored_attributes(connection: Connection, person: str) -> dict[str, str]:
    """The attributes that the person gave for reports by group, with their values."""
    query = select(MONITORED_ATTRIBUTES.c.attribute, MONITORED_ATTRIBUTES.c.value).where(
        MONITORED_ATTRIBUTES.c.person == person
    )
    rows = connection.execute(query.order_by(MONITORED_ATTRIBUTES.c.attribute)).all()
    return {row.attribute: row.value for row in rows}


def set_monitored_attributes(database: Database, person: str, attributes: Mapping[str, str]) -> dict[str, str]:
    """Replace the person's monitored attributes. Returns the attributes in order of name."""
    with writing_about(database, person) as connection:
        connection.execute(delete(MONITORED_ATTRIBUTES).where(MONITORED_ATTRIBUTES.c.person == person))
        rows = [{"person": person, "attribute": a, "value": v} for a, v in sorted(attributes.items())]
        if rows:
            connection.execute(insert(MONITORED_ATTRIBUTES), rows)
    return dict(sorted(attributes.items()))


def consents(connection: Connection, person: str) -> list[View]:
    """List the merchants' requests for the person's consent, newest first."""
    rows = consents_.of_person(connection, person)
    return [_with_moments(row, "asked_at", "until", "answered_at", hidden=("subject",)) for row in rows]


def orders(connection: Connection, person: str) -> list[View]:
    """List the person's orders, newest first."""
    query = select(ORDERS).where(ORDERS.c.subject == person).order_by(ORDERS.c.created_at.desc(), ORDERS.c.id)
    times = ("starts_at", "ends_at", "due_at", "created_at", "changed_at", "closed_at")
    rows = [
        _with_moments(dict(row), *times, hidden=("subject", "digest")) for row in connection.execute(query).mappings()
    ]
    return [row | {"content": json.loads(row["content"])} for row in rows]


def _with_moments(row: Row, *times: str, hidden: tuple[str, ...]) -> View:
    view = {c: v for c, v in row.items() if c not in hidden}
    return view | {t: None if row[t] is None else moment(row[t]) for t in times}


def export_person(
    database: Database, program: Program | None, vocabulary: EventVocabulary, person: str, language: str
) -> View:
    """Export everything that we hold about the person, read in one transaction. Each part as its own endpoint returns it."""
    with reading(database) as connection:
        return {
            "history": changes(connection, person),
            "evidence": evidence.list_evidence(connection, vocabulary, person, limit=None, language=language),
            "consent_requests": consents(connection, person),
            "inquiries": inquiries(connection, program, person, language, limit=None),
            "orders": orders(connection, person),
            "disputes": [dispute_view(row) for row in disputes.of_person(connection, person)],
            "reviews": [review_view(row) for row in reviews.of_person(connection, person)],
            "monitoring": monitored_attributes(connection, person),
            "looks": [look_view(look) for look in looks.of_person(connection, person, limit=None)],
        }
