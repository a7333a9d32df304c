"""A small world to test doors on: a town, scored under the shipped rules."""

from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import polars as pl
from sqlalchemy import Engine

from api import actions
from api.clock import micros
from api.evidence import ledger
from api.features import builds
from api.features.builds import Build
from api.releases import releases, rules_folder
from api.world import World
from engine.engines import Engines
from engine.lang.program import Release
from graph.events import conform
from graph.sources.town import END, town

ROOT = Path(__file__).resolve().parents[2]
NOW = END + timedelta(days=1)
PEOPLE = 120


@cache
def shipped() -> Release:
    """The rules as shipped, read once: a release does not change."""
    return rules_folder.load(ROOT / "rules")


def settle(engine: Engine) -> Build:
    """Evidence in, features and scores out; made as of the town's last day."""
    frames = pl.concat(list(town(PEOPLE, seed=5).events()))
    ledger.append(engine, frames, NOW)
    world = World(engine, Engines(shipped()))
    releases.keep(engine, world.release, micros(NOW))
    made = builds.build(engine, END, "perks", NOW)
    actions.scored(world, made)
    world.engines.close()
    return made


def event(kind: str, subject: str, at: datetime = END, event_id: str = "new-1", **fields: object) -> pl.DataFrame:
    """One event of a bank."""
    row = {"contributor": "bank-test", "event_id": event_id, "kind": kind, "subject": subject, "happened_at": at}
    return conform(pl.DataFrame([row | fields]))
