"""`iftah build`, `refresh`, `score`: everyone's features and scores."""

from time import perf_counter
from typing import Annotated, Any

import typer

from api import actions, clock, prepare, show
from api.commands import commands, console
from api.database import open_database
from api.features import builds, coverage
from api.features import refresh as refreshes
from api.progress import Steps
from api.releases import rules_folder
from api.settings import settings

app = commands()


Sure = Annotated[bool, typer.Option("--yes", help="do it also where far fewer people would have a score than before")]


@app.command()
def build(
    as_of: Annotated[
        str | None, typer.Option(help="the moment to look from, such as 2026-01-31T00:00:00Z; now unless given")
    ] = None,
    yes: Sure = False,
) -> None:
    """Compute everyone's features from what the ledger holds; they are what is served from then on.

    As of now, they follow the clock: a refresh looks from its own moment. As of another moment, they stay with that one.
    A build that would leave far fewer people with a score than before is refused, unless with --yes.
    """
    chosen = settings()
    moment = clock.parsed(as_of, "--as-of") if as_of else clock.now()
    release = rules_folder.load(chosen.rules)
    database = open_database(chosen.database_url)
    guard = None if yes else coverage.Guard(database, release, moment, chosen.purpose)
    with Steps(console()).progress("building the graph and features"):
        how: dict[str, Any] = {"follows": as_of is None, "timezone": release.timezone, "guard": guard}
        made = builds.build(database, moment, chosen.purpose, clock.now(), **how)
    out = console()
    out.print(f"{made.people:,} people as of {clock.iso(made.as_of)}, from {made.events:,} events")
    newest = coverage.of_build(database, made).newest
    if newest:
        out.print(f"the newest evidence is of {newest:%Y-%m-%d}")
        if made.as_of - newest > coverage.OLD:
            out.print(
                f"this build looks from long after it; to look from then: `iftah build --as-of {clock.iso(newest)}`"
            )
    if not made.people:
        out.print("nobody was enrolled and consented by then: every question will be refused until another build")


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
def score(yes: Sure = False) -> None:
    """Score everyone in the newest build under the rules folder's release.

    Rules that would leave far fewer people with a score than before are refused, unless with --yes.
    """
    world, out = prepare.enforced(settings()), console()
    made = actions.ready(world)
    scores = actions.scored(world, made, guarded=not yes)
    for line in show.distribution(world.program(made), scores):
        out.print(line, markup=False)
    for line in show.coverage(coverage.of_build(world.database, made), actions.unscorable(world, made, scores)):
        out.print(line, markup=False)
