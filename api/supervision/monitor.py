"""What the operator watches from day to day: answers by outcome, admit rates, and what became of the orders of each band."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import Connection

from api.supervision import daily_sums
from api.supervision.daily_sums import EPOCH_ORDINAL, DailySums
from api.supervision.report import hidden_values
from engine.lang.model import timezones
from engine.lang.model.program import Program
from engine.lang.syntax.grammar import OUTCOMES
from engine.verify.calibration import BandCounts, Calibration, calibrate

RECORDED_OUTCOMES: Final = (*OUTCOMES, "REFUSED")
MAX_STEPS: Final = 120  # more days than that are shown by week
WEEK: Final = 7
REFERENCE_DAYS: Final = 365  # before the window: their rates are what we expect


@dataclass(frozen=True)
class DayAnswers:
    """The answers of a day, or of the days until the next one, by outcome. REFUSED: a question that we recorded and did not decide."""

    day: date
    outcomes: Mapping[str, int]


@dataclass(frozen=True)
class PerkAnswers:
    """The answers about a perk by outcome, and its admit rate: a share of the answers by the rules; None without any.

    `admit_rates`: for each day of the series, the rate of the seven days up to it, because single days have few answers; in
    steps of a week, that of each week.
    """

    perk: str
    outcomes: Mapping[str, int]
    admit_rate: float | None
    admit_rates: tuple[float | None, ...]


@dataclass(frozen=True)
class AnswerSeries:
    """The answers from day `first` to day `last` of the rules' time zone, in steps of `step_days`: 1, or 7 in a long window.

    `behind`: newer answers that are not counted yet.
    """

    first: date
    last: date
    step_days: int
    days: tuple[DayAnswers, ...]
    perks: tuple[PerkAnswers, ...]
    behind: int


@dataclass(frozen=True)
class BandOutcomes:
    """The due orders that ended in the window, by band, against the year before it. `hidden`: bands of too few orders to show."""

    calibration: Calibration
    hidden: tuple[str, ...]
    reference_first: date
    reference_orders: int


@dataclass(frozen=True)
class WindowFigures:
    """The figures of a window."""

    answers: AnswerSeries
    outcomes: BandOutcomes


def figures(connection: Connection, program: Program, days: int, now: datetime, smallest: int) -> WindowFigures:
    """The figures of the last `days` days, today included. `smallest`: the orders of the smallest band to show."""
    last = now.astimezone(timezones.zone(program.timezone)).date().toordinal() - EPOCH_ORDINAL
    first = last - days + 1
    sums = daily_sums.read(connection, first - REFERENCE_DAYS, program.timezone)
    answers = _answers(sums, first, last, [perk.id for perk in program.perks], daily_sums.behind(connection, sums))
    return WindowFigures(answers, _outcomes(sums, first, [band.name for band in program.scorecard.bands], smallest))


def _answers(sums: DailySums, first: int, last: int, perks: Iterable[str], behind: int) -> AnswerSeries:
    step = 1 if last - first < MAX_STEPS else WEEK
    by_step, by_perk, by_both = Counter[tuple[int, str]](), Counter[tuple[str, str]](), Counter[tuple[str, int, str]]()
    for (day, perk, outcome), count in sums.answers.items():
        if first <= day <= last:
            begin = day - (day - first) % step
            by_step[begin, outcome] += count
            by_perk[perk, outcome] += count
        for begin in _days_that_count(day, first, last, step):
            by_both[perk, begin, outcome] += count
    steps = range(first, last + 1, step)
    all_perks = list(dict.fromkeys([*perks, *sorted(perk for perk, _ in by_perk)]))
    return AnswerSeries(
        first=_date(first),
        last=_date(last),
        step_days=step,
        days=tuple(DayAnswers(_date(begin), _outcomes_of(by_step, begin)) for begin in steps),
        perks=tuple(
            PerkAnswers(
                perk,
                outcomes := _outcomes_of(by_perk, perk),
                _admit_rate(outcomes),
                tuple(_admit_rate(_outcomes_of(by_both, perk, begin)) for begin in steps),
            )
            for perk in all_perks
        ),
        behind=behind,
    )


def _days_that_count(day: int, first: int, last: int, step: int) -> Iterable[int]:
    """The steps of the series whose admit rate counts the answers of a day."""
    if step == WEEK:
        return (day - (day - first) % WEEK,) if first <= day <= last else ()
    return range(max(day, first), min(day + WEEK - 1, last) + 1)


def _outcomes_of(counts: Mapping[Any, int], *key: str | int) -> dict[str, int]:
    return {outcome: counts[(*key, outcome)] for outcome in RECORDED_OUTCOMES}


def _outcomes(sums: DailySums, first: int, bands: list[str], smallest: int) -> BandOutcomes:
    window, bad, before, bad_before = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    for (day, band), orders in sums.endings.items():
        counts, overdue = (window, bad) if day >= first else (before, bad_before)
        counts[band] += orders
        overdue[band] += sums.overdue[day, band]
    ended = {band: window[band] for band in bands if window[band]}
    hidden = hidden_values(ended, smallest)
    counts_by_band = [
        BandCounts(band, window[band], bad[band], _expected(before[band], bad_before[band], smallest))
        for band in bands
        if band not in hidden
    ]
    return BandOutcomes(
        calibrate(counts_by_band), tuple(b for b in bands if b in hidden), _date(first - REFERENCE_DAYS), before.total()
    )


def _expected(orders: int, overdue: int, smallest: int) -> float | None:
    """The rate before the window; None of too few orders."""
    return overdue / orders if orders >= smallest else None


def _admit_rate(outcomes: Mapping[str, int]) -> float | None:
    decided = sum(outcomes[outcome] for outcome in OUTCOMES)
    return outcomes["ADMIT"] / decided if decided else None


def _date(day: int) -> date:
    return date.fromordinal(day + EPOCH_ORDINAL)
