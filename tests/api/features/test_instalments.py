"""From events to an answer: a missed instalment reported on three days counts once, and not after the obligation has ended."""

import pytest
from sqlalchemy import Engine

from api.decisions.eligibility import answer_question
from api.decisions.question import EligibilityQuestion
from api.runtime.context import AppContext
from api.runtime.scoring import score_everyone
from engine.decide.evaluators import Evaluators
from tests.api.refresh_town import append_events
from tests.api.town import NOW, build_features
from tests.graph.story import enrol, story


def steady_life() -> str:
    """A person with steady income and payments, and two years of instalments paid in time."""
    months = [f"{year}-{month:02}" for year in (2024, 2025) for month in range(1, 13)]
    lines = [enrol("ann", level=3), f"{months[0]}-01 obligation.opened ann obligation=loan"]
    for month in months:
        lines += [
            f"{month}-05T10:00 payment.made acme > ann amount=900000 currency=CNY category=wage",
            f"{month}-06T11:00 payment.made ann > shop amount=200000 currency=CNY category=groceries",
            f"{month}-07T12:00 payment.made ann > landlord amount=300000 currency=CNY category=housing",
            f"{month}-08 obligation.paid ann obligation=loan due={month}-08",
        ]
    return "\n".join(lines)


MISSED_LINE = "2025-12-{day} obligation.missed ann obligation=bill due=2025-12-01"
THREE_REPORTS = "\n".join(MISSED_LINE.format(day=day) for day in ("02", "05", "09"))
THREE_MISSES = "\n".join(
    MISSED_LINE.format(day=f"0{n}").replace("due=2025-12-01", f"due=2025-0{n}-01") for n in (2, 5, 9)
)


@pytest.mark.parametrize(("text", "outcome"), [("", "ADMIT"), (THREE_REPORTS, "ADMIT"), (THREE_MISSES, "DECLINE")])
def test_the_hotel_perk_counts_missed_instalments_and_not_reports(
    database: Engine, shipped_evaluators: Evaluators, text: str, outcome: str
) -> None:
    append_events(database, story(f"{steady_life()}\n{text}"), NOW)
    context = AppContext(database, shipped_evaluators)
    score_everyone(context, build_features(database, NOW, "perks", NOW, follows=True))
    question = EligibilityQuestion("inn", "t-1", "ann", "hotel", 500, "CNY", NOW, {"nights": 2})
    assert answer_question(context, question).outcome == outcome
