"""A small population for tests of the API: a town, scored under the shipped rules."""

from datetime import datetime, timedelta
from functools import cache
from typing import Any

import polars as pl
from sqlalchemy import Engine

from api.evidence import ledger
from api.features import builds
from api.features.builds import Build
from api.releases import releases, rules_folder
from api.runtime.context import AppContext
from api.runtime.scoring import score_everyone
from api.store.clock import micros
from engine.decide.evaluators import Evaluators
from engine.lang.model.program import Release
from graph.datasets.town import END, town
from graph.evidence.events import conform
from tests.paths import RULES

NOW = END + timedelta(days=1)
PEOPLE_COUNT = 120


@cache
def shipped_release() -> Release:
    """The shipped rules. We read them once, since a release does not change."""
    return rules_folder.load_folder(RULES)


def build_features(
    database: Engine,
    as_of: datetime,
    purpose: str,
    computed_at: datetime,
    *,
    release: Release | None = None,
    **options: Any,
) -> Build:
    """Build features under the shipped rules, with days of UTC unless you say otherwise."""
    rules = release or shipped_release()
    return builds.build_features(database, as_of, purpose, computed_at, release=rules, **{"timezone": "UTC", **options})


def build_town(database: Engine) -> Build:
    """Load evidence, and build features and scores as of the town's last day."""
    events = pl.concat(list(town(PEOPLE_COUNT, seed=5).events()))
    ledger.append(database, events, NOW)
    context = AppContext(database, Evaluators(shipped_release()))
    releases.record_release(database, context.release, micros(NOW))
    build = build_features(database, END, "perks", NOW)
    score_everyone(context, build)
    context.evaluators.close()
    return build


def event(kind: str, subject: str, at: datetime = END, event_id: str = "new-1", **fields: object) -> pl.DataFrame:
    """One event of a bank."""
    row = {"contributor": "bank-test", "event_id": event_id, "kind": kind, "subject": subject, "happened_at": at}
    return conform(pl.DataFrame([row | fields]))
