"""What the operator watches from day to day: answers by outcome, admit rates, and what became of the orders of each band."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from sqlalchemy import Connection

from api.supervision import daily_sums
from api.supervision.daily_sums import EPOCH_ORDINAL, DailySums
from api.supervision.report import hidden_values
from engine.lang.model import timezones
from engine.lang.model.program import Program
from engine.lang.syntax.grammar import OUTCOMES
from engine.verify.calibration import BandCounts, Calibration, calibrate

REFERENCE_DAYS: Final = 365  # before the window: their rates are what we expect


@dataclass(frozen=True)
class DayAnswers:
    """The answers of a day by outcome. REFUSED: a question that we recorded and did not decide."""

    day: date
    outcomes: Mapping[str, int]


@dataclass(frozen=True)
class PerkAnswers:
    """The answers about a perk by outcome, and its admit rate by day: a share of the answers by the rules; None without any."""

    perk: str
    outcomes: Mapping[str, int]
    admit_rate: float | None
    admit_rates: tuple[float | None, ...]


@dataclass(frozen=True)
class AnswerSeries:
    """The answers of the days from `first` to `last`, of the days of the rules' time zone. `behind`: newer ones, not counted yet."""

    first: date
    last: date
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
class MonitorFigures:
    """The figures of a window."""

    answers: AnswerSeries
    outcomes: BandOutcomes


def figures(connection: Connection, program: Program, days: int, now: datetime, smallest: int) -> MonitorFigures:
    """The figures of the last `days` days, today included. `smallest`: the orders of the smallest band to show."""
    last = now.astimezone(timezones.zone(program.timezone)).date().toordinal() - EPOCH_ORDINAL
    first = last - days + 1
    sums = daily_sums.read(connection, first - REFERENCE_DAYS, program.timezone)
    answers = _answers(sums, first, last, [perk.id for perk in program.perks], daily_sums.behind(connection, sums))
    return MonitorFigures(answers, _outcomes(sums, first, [band.name for band in program.scorecard.bands], smallest))


def _answers(sums: DailySums, first: int, last: int, perks: Iterable[str], behind: int) -> AnswerSeries:
    by_day, by_perk, by_both = Counter[tuple[int, str]](), Counter[tuple[str, str]](), Counter[tuple[int, str, str]]()
    for (day, perk, outcome), count in sums.answers.items():
        if first <= day <= last:
            by_day[day, outcome] += count
            by_perk[perk, outcome] += count
            by_both[day, perk, outcome] += count
    all_perks = list(dict.fromkeys([*perks, *sorted(perk for perk, _ in by_perk)]))
    outcomes = (*OUTCOMES, "REFUSED")
    return AnswerSeries(
        first=_date(first),
        last=_date(last),
        days=tuple(
            DayAnswers(_date(day), {outcome: by_day[day, outcome] for outcome in outcomes})
            for day in range(first, last + 1)
        ),
        perks=tuple(
            PerkAnswers(
                perk,
                {outcome: by_perk[perk, outcome] for outcome in outcomes},
                _admit_rate({outcome: by_perk[perk, outcome] for outcome in OUTCOMES}),
                tuple(
                    _admit_rate({outcome: by_both[day, perk, outcome] for outcome in OUTCOMES})
                    for day in range(first, last + 1)
                ),
            )
            for perk in all_perks
        ),
        behind=behind,
    )


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
    decided = sum(outcomes.values())
    return outcomes["ADMIT"] / decided if decided else None


def _date(day: int) -> date:
    return date.fromordinal(day + EPOCH_ORDINAL)
