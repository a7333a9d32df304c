"""Counting decisions: those of a person's decisions that a later answer can still count.

A list of them stands beside the decisions, by the person's id, and by pseudonym for what was shared with a person. Each decision
joins it in its own transaction, and leaves it once it can count no more. So an answer reads a few rows, however many decisions
there ever were. A decision leaves only for one of the same list: what dominates it is then read wherever it would have been.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import String, bindparam, delete

from api.decisions.decisions import REFUSED
from api.decisions.exposure import CAME_TO_NOTHING, PriorDecision
from api.store.clock import MAX_LEAP, micros
from api.store.statements import Query, integers, is_any_of
from api.store.tables import COUNTING_DECISIONS

MAX_SPENT: Final = (
    8  # so many rows of a list may be without use before we delete them: a deletion costs more than reading them
)
_FORGET: Final = delete(COUNTING_DECISIONS).where(
    COUNTING_DECISIONS.c.subject == bindparam("subject", type_=String),
    is_any_of(COUNTING_DECISIONS.c.seq, integers("spent")),
)


def spent(
    prior: Sequence[PriorDecision], now: datetime, amounts_window: timedelta, *, of_links: bool = False
) -> list[int]:
    """The `seq` of those decisions of one list that no question from `now` on can count. `prior` is oldest first.

    - The newest answer to each merchant about a perk replaces the earlier ones; a refusal ends none that can be shared.
    - The newest answer about a perk says since when it is held.
    - An order counts unless it came to nothing.
    - The amounts that a merchant asked about count for `amounts_window`.

    `of_links`: a list of what was shared with a pseudonym. What is valid stays on it, so that we do not share it again.
    """
    horizon, since = micros(now - MAX_LEAP), micros(now - MAX_LEAP - amounts_window)  # a clock may be so far ahead
    newest = {(p.merchant, p.perk): p.seq for p in prior}
    holds = {p.perk: p.seq for p in prior if p.outcome != REFUSED}
    answers = {(p.merchant, p.perk): p.seq for p in prior if p.outcome != REFUSED and p.valid_until > horizon}
    recent = sorted((p for p in prior if p.decided_at > since), key=lambda p: p.decided_at)
    amounts = {(p.merchant, p.amount): p.seq for p in recent}
    counting = {*newest.values(), *holds.values(), *answers.values(), *amounts.values()}
    return [
        p.seq
        for p in prior
        if p.seq and p.seq not in counting and not (_has_order(p) or (of_links and p.valid_until > horizon))
    ]


def _has_order(decision: PriorDecision) -> bool:
    return decision.state is not None and (decision.state not in CAME_TO_NOTHING or decision.closed_at is None)


def forget_query(subject: str, seqs: Collection[int]) -> Query:
    """The statement that takes decisions off the list of a person, or of a pseudonym."""
    return Query(_FORGET, {"subject": subject, "spent": sorted(seqs)})
