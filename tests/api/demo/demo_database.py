"""A small demo database with some weeks of activity, made as `iftah run` makes it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from api.demo.history import DemoHistory
from api.runtime import bootstrap
from api.runtime.bootstrap import History, StageTimer
from api.runtime.context import AppContext
from api.settings.settings import Settings
from api.store import clock
from api.telemetry.progress import ProgressReporter
from tests.paths import RULES

NOW = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
WEEKS = timedelta(days=28)
FOUR_WEEKS = DemoHistory(WEEKS)


def start(
    url: str, patch: pytest.MonkeyPatch, history: History | None = FOUR_WEEKS, now: datetime = NOW
) -> tuple[AppContext, dict[str, str]]:
    """Start as `iftah run` does, at a moment. Returns the context, and the result of each stage."""
    settings = Settings(
        database_url=url, rules=RULES, seed_evidence="town", town_people=500, datasets_dir=Path("/nonexistent")
    )
    timer = StageTimer()
    with patch.context() as within:
        within.setattr(clock, "now", lambda: now)
        context, _ = bootstrap.bootstrap(settings, ProgressReporter(Console(quiet=True)), timer, history)
    return context, {name: result for name, _, result in timer.timings}
