"""What the arms of a trial answered, added up as the guards read it. We count one answer of each person: the first one in a stage."""

from typing import Any, Final

from sqlalchemy import Connection, Float, Select, Subquery, case, cast, func, select

from api.decisions.decisions import REFUSED
from api.decisions.trials import CANDIDATE, CHAMPION
from api.store.tables import DECISION_SUBJECTS, DECISIONS, REVIEWS, TRIAL_ANSWERS
from engine.rollout.sequential import Arm, PairCounts, Pairs, PairSums

BIN_POINTS: Final = 50  # of the score
FIRST_BIN, LAST_BIN = 350 // BIN_POINTS, 950 // BIN_POINTS
_A: Final = TRIAL_ANSWERS.c
_IS_ADMIT: Final = _A.outcome.in_(("ADMIT", "PARTIAL"))


def _first_answers(proposal: int, stage: int) -> Subquery:
    """The first answer about each person in a stage, by arm."""
    joined = TRIAL_ANSWERS.join(DECISION_SUBJECTS, DECISION_SUBJECTS.c.seq == _A.seq)
    is_counted = (_A.proposal == proposal) & (_A.stage == stage) & (_A.outcome != REFUSED)
    query = select(_A.arm, func.min(_A.seq).label("seq")).select_from(joined).where(is_counted)
    return query.group_by(_A.arm, DECISION_SUBJECTS.c.subject).subquery()


def _answers(proposal: int, stage: int, *columns: Any, currency: str | None) -> Select[Any]:
    first = _first_answers(proposal, stage)
    is_first = (first.c.seq == _A.seq) & (first.c.arm == _A.arm)
    query = select(_A.arm, *columns).select_from(TRIAL_ANSWERS.join(first, is_first)).group_by(_A.arm)
    return query if currency is None else query.where(_A.currency == currency)


def _count(condition: Any) -> Any:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


def _squares(column: Any) -> Any:
    return func.coalesce(func.sum(cast(column, Float) * column), 0.0)


def arms(connection: Connection, proposal: int, stage: int, currency: str | None = None) -> tuple[Arm, Arm]:
    """The champion's and the candidate's sums in a stage; in one currency, or in all."""
    sums = _answers(
        proposal,
        stage,
        func.count().label("answers"),
        _count(_IS_ADMIT).label("admits"),
        _count(_A.outcome == "UNSCORABLE").label("unscorable"),
        func.coalesce(func.sum(_A.waived), 0).label("waived"),
        _squares(_A.waived).label("waived_squares"),
        func.coalesce(func.sum(_A.micros), 0).label("micros"),
        _squares(_A.micros).label("micros_squares"),
        currency=currency,
    )
    bins = _score_bins(connection, proposal, stage, currency)
    disputes = _disputes(connection, proposal, stage)
    by_arm = {
        row.arm: Arm(
            answers=row.answers,
            admits=int(row.admits),
            unscorable=int(row.unscorable),
            waived_sum=int(row.waived),
            waived_square_sum=int(row.waived_squares),
            disputes=disputes.get(row.arm, 0),
            seconds_sum=float(row.micros) / 1e6,
            seconds_square_sum=float(row.micros_squares) / 1e12,
            score_bins=bins[row.arm],
        )
        for row in connection.execute(sums)
    }
    empty = Arm(score_bins=(0,) * (LAST_BIN - FIRST_BIN + 1))
    return by_arm.get(CHAMPION, empty), by_arm.get(CANDIDATE, empty)


def _score_bins(connection: Connection, proposal: int, stage: int, currency: str | None) -> dict[str, tuple[int, ...]]:
    number = (_A.score - _A.score % BIN_POINTS) / BIN_POINTS
    query = _answers(proposal, stage, number.label("bin"), func.count().label("people"), currency=currency)
    counts: dict[str, list[int]] = {arm: [0] * (LAST_BIN - FIRST_BIN + 1) for arm in (CHAMPION, CANDIDATE)}
    for row in connection.execute(query.where(_A.score.is_not(None)).group_by(number)):
        counts[row.arm][min(max(int(row.bin), FIRST_BIN), LAST_BIN) - FIRST_BIN] += row.people
    return {arm: tuple(numbers) for arm, numbers in counts.items()}


def _disputes(connection: Connection, proposal: int, stage: int) -> dict[str, int]:
    """The decisions of each arm of which a person asked for a review."""
    joined = TRIAL_ANSWERS.join(DECISIONS, DECISIONS.c.seq == _A.seq).join(
        REVIEWS, REVIEWS.c.decision == DECISIONS.c.id
    )
    is_counted = (_A.proposal == proposal) & (_A.stage == stage)
    query = (
        select(_A.arm, func.count(_A.seq.distinct()).label("reviews"))
        .select_from(joined)
        .where(is_counted)
        .group_by(_A.arm)
    )
    return {row.arm: int(row.reviews) for row in connection.execute(query)}


def main_currency(connection: Connection, proposal: int, stage: int) -> str | None:
    """The currency of most answers: amounts of others cannot be added to it."""
    is_counted = (_A.proposal == proposal) & (_A.stage == stage)
    query = select(_A.currency).where(is_counted).group_by(_A.currency).order_by(func.count().desc(), _A.currency)
    currency: str | None = connection.execute(query.limit(1)).scalar()
    return currency


def pairs(connection: Connection, proposal: int, currency: str | None = None) -> Pairs:
    """What both releases answered to the same questions in a shadow; in one currency, or in all."""
    first = _first_answers(proposal, -1)
    champion, candidate = TRIAL_ANSWERS.alias("champion"), TRIAL_ANSWERS.alias("candidate")
    is_pair = (candidate.c.seq == champion.c.seq) & (candidate.c.arm == CANDIDATE)
    is_first = (first.c.seq == champion.c.seq) & (first.c.arm == CHAMPION)
    joined = champion.join(candidate, is_pair).join(first, is_first)
    values: dict[str, Any] = {}
    for name, words in (("admits", ("ADMIT", "PARTIAL")), ("unscorable", ("UNSCORABLE",))):
        old, new = champion.c.outcome.in_(words), candidate.c.outcome.in_(words)
        values |= {
            f"{name}_both": _count(old & new),
            f"{name}_old": _count(old & ~new),
            f"{name}_new": _count(~old & new),
        }
    for name, column in (("waived", "waived"), ("seconds", "micros")):
        scale = 1.0 if name == "waived" else 1e6
        old_value, new_value = cast(champion.c[column], Float) / scale, cast(candidate.c[column], Float) / scale
        terms = {
            "old": old_value,
            "old_squares": old_value * old_value,
            "new": new_value,
            "new_squares": new_value * new_value,
            "product": old_value * new_value,
        }
        values |= {f"{name}_{key}": func.coalesce(func.sum(term), 0.0) for key, term in terms.items()}
    labelled = [expression.label(key) for key, expression in values.items()]
    query = select(func.count().label("answers"), *labelled).select_from(joined).where(champion.c.arm == CHAMPION)
    query = query if currency is None else query.where(champion.c.currency == currency)
    row = connection.execute(query).one()._mapping
    bins = _score_bins(connection, proposal, -1, currency)
    return Pairs(
        answers=row["answers"],
        admits=_pair_counts(row, "admits"),
        unscorable=_pair_counts(row, "unscorable"),
        waived=_pair_sums(row, "waived"),
        seconds=_pair_sums(row, "seconds"),
        champion_bins=bins[CHAMPION],
        candidate_bins=bins[CANDIDATE],
    )


def _pair_counts(row: Any, name: str) -> PairCounts:
    return PairCounts(*(int(row[f"{name}_{key}"]) for key in ("both", "old", "new")))


def _pair_sums(row: Any, name: str) -> PairSums:
    return PairSums(*(float(row[f"{name}_{key}"]) for key in ("old", "old_squares", "new", "new_squares", "product")))
