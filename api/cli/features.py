"""`iftah build`, `refresh` and `score`: compute the features and scores of all people."""

from collections.abc import Mapping
from time import perf_counter
from typing import Annotated, Literal

import typer

from api.access.identifiers import require_unambiguous
from api.cli.file_builds import file_build
from api.cli.output import commands, console
from api.features import builds, coverage
from api.features import refresh as refreshes
from api.features.lineage import lineage
from api.releases.evidence_changes import require_same_meaning
from api.releases.in_force import load_proposal
from api.releases.release_log import read_state
from api.releases.release_states import APPROVED, SCHEDULED
from api.releases.step_checks import proposal_of, require_state
from api.render import present
from api.runtime import bootstrap
from api.runtime.configured_rules import release_in_force
from api.runtime.scoring import count_unmet_scorable, current_build, score_everyone
from api.settings.settings import settings
from api.store import clock
from api.store.database import Database, open_database
from api.telemetry.progress import ProgressReporter
from engine.errors import Rejected
from engine.lang.model.program import Release

app = commands()


YesOption = Annotated[
    bool, typer.Option("--yes", help="proceed even if far fewer people would have a score than before")
]


EngineOption = Annotated[
    Literal["polars", "spark"], typer.Option(help="spark: from --evidence to --out, on a cluster: docs/scale.md")
]
EvidenceOption = Annotated[
    str | None,
    typer.Option(
        help="a folder of Parquet instead of the ledger; spark: also a URL, or jdbc:postgresql://...", metavar="PLACE"
    ),
]
OutOption = Annotated[str | None, typer.Option(help="where features and scores go, by partition", metavar="PLACE")]
StagesOption = Annotated[
    str | None, typer.Option(help="spark: where intermediate results go; default: OUT/_stages", metavar="PLACE")
]
MasterOption = Annotated[
    str | None, typer.Option(help="spark: the cluster's address; default: this machine", metavar="URL")
]
SettingsOption = Annotated[
    list[str], typer.Option("--conf", help="spark: a setting of Spark, NAME=VALUE; repeatable", metavar="NAME=VALUE")
]
PartitionsOption = Annotated[int | None, typer.Option(help="of people; default: by the events", min=1)]
GraphOption = Annotated[
    Literal["driver", "cluster"], typer.Option(help="spark: where whole graphs are; on the cluster, trust alone")
]


def _approved_rules(database: Database, number: int) -> Release:
    """The rules of a proposal that two people approved."""
    state = read_state(database)
    proposal = proposal_of(state, number)
    require_state(proposal, "build", APPROVED, SCHEDULED)
    return load_proposal(database, proposal).release


@app.command()
def build(
    as_of: Annotated[
        str | None, typer.Option(help="compute as of this moment, such as 2026-01-31T00:00:00Z; default: now")
    ] = None,
    yes: YesOption = False,
    proposal: Annotated[
        int | None, typer.Option(help="by the features of an approved proposal, so that it can be released", min=1)
    ] = None,
    engine: EngineOption = "polars",
    evidence: EvidenceOption = None,
    out: OutOption = None,
    stages: StagesOption = None,
    master: MasterOption = None,
    conf: SettingsOption = [],  # noqa: B006 - Typer reads the default
    partitions: PartitionsOption = None,
    graph: GraphOption = "driver",
) -> None:
    """Compute all features from the ledger. The server uses them from then on.

    A build as of now follows the clock: each refresh computes as of its own moment. A build as of another moment keeps it.
    We reject a build that would leave far fewer people with a score than before, unless you pass --yes.
    With --evidence and --out, we read files in place of the ledger and write files. If such a build is stopped, the same command
    goes on from its last finished stage.
    """
    config = settings()
    moment = clock.parse_moment(as_of, "--as-of") if as_of else clock.now()
    if engine == "spark":
        from api.cli.spark_builds import spark_build

        spark_build(
            moment,
            evidence,
            out,
            stages=stages,
            master=master,
            spark_settings=conf,
            partitions=partitions,
            graph=graph,
        )
        return
    _reject_spark_options({"--stages": stages, "--master": master, "--conf": conf, "--graph": graph == "cluster"})
    if evidence or out:
        file_build(moment, evidence, out, partitions)
        return
    database = open_database(config.database_url)
    release = release_in_force(config, database) if proposal is None else _approved_rules(database, proposal)
    require_same_meaning(database, release)
    guard = None if yes else coverage.CoverageGuard(database, release, moment, config.consent_purpose)
    with ProgressReporter(console()).progress("building the graph and features"):
        new_build = builds.build_features(
            database,
            moment,
            config.consent_purpose,
            clock.now(),
            follows=as_of is None,
            release=release,
            guard=guard,
        )
    _report(database, new_build)


def _reject_spark_options(values: Mapping[str, object]) -> None:
    """Raise Rejected if one of the options of a build with Spark has a value."""
    if names := ", ".join(name for name, value in values.items() if value):
        hint = "add --engine spark, or leave that out"
        raise Rejected("only a build with Spark takes these options", where=names, hint=hint, code="bad_option")


def _report(database: Database, new_build: builds.Build) -> None:
    """Print the people of a build, and whether its evidence is old."""
    terminal = console()
    terminal.print(f"{new_build.people:,} people as of {clock.iso(new_build.as_of)}, from {new_build.events:,} events")
    newest = coverage.of_build(database, new_build).newest
    if newest:
        terminal.print(f"the newest evidence is of {newest:%Y-%m-%d}")
        if new_build.as_of - newest > coverage.STALE_AFTER:
            terminal.print(
                f"this build is as of long after that; to build as of then: `iftah build --as-of {clock.iso(newest)}`"
            )
    if not new_build.people:
        terminal.print("nobody had enrolled and consented by then: every question is rejected until the next build")


@app.command()
def features(
    name: Annotated[str, typer.Argument(help="a feature, such as credit.kept")],
    person: Annotated[str, typer.Option(help="the person's id")],
) -> None:
    """Show which events made the value of a person's feature, and the value without each of them."""
    context = bootstrap.load_context(settings())
    behind = lineage(context.database, context.evaluators, require_unambiguous(person, "--person"), name, clock.now())
    for part in present.lineage(behind):
        console().print(part, markup=False)


@app.command()
def refresh() -> None:
    """Recompute the features and scores that new events affect. A running server does this by itself."""
    context, started_at = bootstrap.load_context(settings()), perf_counter()
    current_build(context)
    result = refreshes.refresh_all(context.database, context.evaluators, clock.now)
    build = current_build(context)
    console().print(f"{result.people:,} people for {result.events:,} new events in {perf_counter() - started_at:.1f} s")
    if build.future_events:
        message = f"{build.future_events:,} events happened after {clock.iso(build.as_of)}, the `as_of` of this build"
        console().print(f"{message}: they count once you run `iftah build` as of a later moment")


@app.command()
def score(yes: YesOption = False) -> None:
    """Score every person of the newest build under the rules folder's release.

    We reject rules that would leave far fewer people with a score than before, unless you pass --yes.
    """
    context, out = bootstrap.load_context(settings()), console()
    build = current_build(context)
    scores = score_everyone(context, build, guarded=not yes)
    for line in present.distribution(context.program(build), scores):
        out.print(line, markup=False)
    for line in present.coverage(
        coverage.of_build(context.database, build), count_unmet_scorable(context, build, scores)
    ):
        out.print(line, markup=False)
