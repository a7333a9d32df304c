"""`iftah build`, `refresh`, `score`: everyone's features and scores."""

from time import perf_counter
from typing import Annotated

import typer

from api import actions, clock, prepare, show
from api.commands import commands, console
from api.database import open_database
from api.features import builds
from api.features import refresh as refreshes
from api.progress import Steps
from api.releases import rules_folder
from api.settings import settings

app = commands()


@app.command()
def build(
    as_of: Annotated[
        str | None, typer.Option(help="the moment to look from, such as 2026-01-31; now unless given")
    ] = None,
) -> None:
    """Compute everyone's features from what the ledger holds; they are what is served from then on.

    As of now, they follow the clock: a refresh looks from its own moment. As of another moment, they stay with that one.
    """
    chosen = settings()
    moment = clock.parsed(as_of, "--as-of") if as_of else clock.now()
    timezone = rules_folder.load(chosen.rules).timezone
    database = open_database(chosen.database_url)
    with Steps(console()).progress("building the graph and features"):
        made = builds.build(database, moment, chosen.purpose, clock.now(), follows=as_of is None, timezone=timezone)
    console().print(f"{made.people:,} people as of {clock.iso(made.as_of)}, from {made.events:,} events")
    if not made.people:
        console().print("nobody was enrolled and consented by then: every question will be refused until another build")


@app.command()
def refresh() -> None:
    """Make the features and scores of everyone anew whom new events touch; a running server does so by itself."""
    world, began = prepare.enforced(settings()), perf_counter()
    actions.ready(world)
    done = refreshes.until_done(world.database, world.engines, clock.now)
    made = actions.ready(world)
    console().print(f"{done.people:,} people for {done.events:,} new events in {perf_counter() - began:.1f} s")
    if made.later:
        said = f"{made.later:,} events happened after {clock.iso(made.as_of)}, from which this build looks"
        console().print(f"{said}: they wait for an `iftah build` as of a later moment")


@app.command()
def score() -> None:
    """Score everyone in the newest build under the rules folder's release."""
    world = prepare.enforced(settings())
    made = actions.ready(world)
    for line in show.distribution(world.program(made), actions.scored(world, made)):
        console().print(line, markup=False)
