"""Champion and challenger: what came of the orders that each release admits, on the same people."""

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import Connection, case, exists, or_, select

from api.decisions.decisions import REFUSED
from api.decisions.trials import CANDIDATE, CHAMPION
from api.orders.outcomes import was_paid_in_time
from api.releases.release_states import SHADOW, Proposal
from api.store.database import Database, reading
from api.store.tables import DECISION_SUBJECTS, DECISIONS, ORDER_MOVES, ORDERS, REVIEWS, TRIAL_ANSWERS
from engine.rollout.outcomes import BOTH, CHALLENGER, PersonOutcomes, compare_arms, compare_in_shadow

ADMITS: Final = ("ADMIT", "PARTIAL")
OVERDUE_STATE: Final = "overdue"  # of an order
_A: Final = TRIAL_ANSWERS.c


def compare_outcomes(database: Database, proposal: Proposal) -> tuple[dict[str, Any], ...]:
    """The overdue and the disputed orders of a trial, champion against challenger, with 95 % intervals.

    We take the orders that came due and are closed or overdue, and those that somebody disputed: others may still end in either way.
    The rates are of one look at a time that you fixed; the guards are for looks at any time.
    """
    in_shadow = any(step.kind == "shadow" for step in proposal.steps) and proposal.stage < 0
    with reading(database) as connection:
        rows = [*(_shadow_rows if in_shadow else _arm_rows)(connection, proposal.number)]
    compared = compare_in_shadow(rows) if in_shadow or proposal.state == SHADOW else compare_arms(rows)
    return tuple(one.as_dict() for one in compared)


def _outcomes(proposal: int) -> Any:
    """The final orders of a trial: subject, seq, and whether each was overdue or disputed.

    An order that was cancelled or expired never came due, so it does not count. One that is in dispute cannot become overdue. A
    dispute that ended still counts, but an order that was paid in time does not count as overdue if we heard of it too late.
    """
    moves = ORDER_MOVES.c.order == ORDERS.c.id
    was_overdue = exists().where(moves, ORDER_MOVES.c.after == OVERDUE_STATE) & ~was_paid_in_time()
    was_disputed = or_(
        exists().where(moves, ORDER_MOVES.c.action == "dispute"), exists().where(REVIEWS.c.decision == DECISIONS.c.id)
    )
    has_ended = or_(ORDERS.c.closed_at.is_not(None), ORDERS.c.state == OVERDUE_STATE)
    joined = (
        TRIAL_ANSWERS.join(DECISIONS, DECISIONS.c.seq == _A.seq)
        .join(DECISION_SUBJECTS, DECISION_SUBJECTS.c.seq == _A.seq)
        .join(ORDERS, ORDERS.c.decision == DECISIONS.c.id)
    )
    columns = (
        _A.seq,
        _A.arm,
        DECISION_SUBJECTS.c.subject,
        case((was_overdue, 1), else_=0).label("overdue"),
        case((was_disputed, 1), else_=0).label("disputed"),
    )
    is_final = or_(ORDERS.c.due_at.is_not(None) & has_ended, was_disputed)
    return select(*columns).select_from(joined).where(_A.proposal == proposal, is_final)


def _arm_rows(connection: Connection, proposal: int) -> Iterator[PersonOutcomes]:
    for row in connection.execute(_outcomes(proposal).where(_A.stage >= 0)):
        admitted_by = CHALLENGER if row.arm == CANDIDATE else CHAMPION
        yield PersonOutcomes(row.subject, admitted_by, 1, row.overdue, row.disputed)


def _shadow_rows(connection: Connection, proposal: int) -> Iterator[PersonOutcomes]:
    """Orders exist where the champion admitted. Where the challenger alone admits, we count the people."""
    is_candidate = (_A.proposal == proposal) & (_A.stage == -1) & (_A.arm == CANDIDATE)
    admitted = {seq for (seq,) in connection.execute(select(_A.seq).where(is_candidate, _A.outcome.in_(ADMITS)))}
    for row in connection.execute(_outcomes(proposal).where(_A.stage == -1, _A.arm == CHAMPION)):
        admitted_by = BOTH if row.seq in admitted else CHAMPION
        yield PersonOutcomes(row.subject, admitted_by, 1, row.overdue, row.disputed)
    champion = TRIAL_ANSWERS.alias("champion")
    joined = TRIAL_ANSWERS.join(champion, (champion.c.seq == _A.seq) & (champion.c.arm == CHAMPION)).join(
        DECISION_SUBJECTS, DECISION_SUBJECTS.c.seq == _A.seq
    )
    declined = champion.c.outcome.not_in((*ADMITS, REFUSED))
    query = select(DECISION_SUBJECTS.c.subject).distinct().select_from(joined)
    query = query.where(is_candidate, _A.outcome.in_(ADMITS), declined)
    for row in connection.execute(query):
        yield PersonOutcomes(row.subject, CHALLENGER, 1)
