"""From events to an answer: one missed instalment reported on three days is one miss, and a miss of what ended is over."""

import pytest
from sqlalchemy import Engine

from api import actions
from api.decisions.decisions import Asked
from api.features import builds
from api.world import World
from engine.engines import Engines
from tests.api.refreshing import append
from tests.api.world import NOW
from tests.graph.story import story, willing


def life() -> str:
    """Somebody who earns and pays steadily, and has paid two years of instalments, each in time."""
    months = [f"{year}-{month:02}" for year in (2024, 2025) for month in range(1, 13)]
    lines = [willing("ann", level=3), f"{months[0]}-01 obligation.opened ann obligation=loan"]
    for month in months:
        lines += [
            f"{month}-05T10:00 payment.made acme > ann amount=900000 currency=CNY category=wage",
            f"{month}-06T11:00 payment.made ann > shop amount=200000 currency=CNY category=groceries",
            f"{month}-07T12:00 payment.made ann > landlord amount=300000 currency=CNY category=housing",
            f"{month}-08 obligation.paid ann obligation=loan due={month}-08",
        ]
    return "\n".join(lines)


LATE = "2025-12-{day} obligation.missed ann obligation=bill due=2025-12-01"
THREE_REPORTS = "\n".join(LATE.format(day=day) for day in ("02", "05", "09"))
THREE_MISSES = "\n".join(LATE.format(day=f"0{n}").replace("due=2025-12-01", f"due=2025-0{n}-01") for n in (2, 5, 9))


@pytest.mark.parametrize(("text", "outcome"), [("", "ADMIT"), (THREE_REPORTS, "ADMIT"), (THREE_MISSES, "DECLINE")])
def test_a_hotel_declines_three_misses_and_not_three_reports_of_one(
    engine: Engine, shipped_engines: Engines, text: str, outcome: str
) -> None:
    append(engine, story(f"{life()}\n{text}"), NOW)
    world = World(engine, shipped_engines)
    actions.scored(world, builds.build(engine, NOW, "perks", NOW, follows=True))
    asked = Asked("inn", "t-1", "ann", "hotel", 500, "CNY", {"nights": 2})
    assert actions.eligibility(world, asked, NOW).outcome == outcome
