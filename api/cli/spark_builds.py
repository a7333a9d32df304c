"""`iftah build --engine spark`: features and scores of everyone by Spark, from Parquet or PostgreSQL to Parquet or PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from time import perf_counter

from api.cli.output import console
from api.features.spark_build import SparkQuestion, build_with_spark
from api.features.spark_places import JDBC
from api.features.spark_session import LOCAL, session_of_build
from api.runtime.configured_rules import release_in_force
from api.settings.settings import settings
from api.store import clock
from api.store.database import open_database
from api.telemetry.progress import ProgressReporter
from engine.errors import Rejected
from graph.spark.features import GraphPlace


def spark_build(
    as_of: datetime,
    evidence: str | None,
    out: str | None,
    *,
    stages: str | None = None,
    master: str | None = None,
    spark_settings: Sequence[str] = (),
    partitions: int | None = None,
    graph: GraphPlace = "driver",
) -> None:
    """Build, and print how many people have features and scores. Raises Rejected with one line."""
    if evidence is None or out is None:
        missing = "--evidence" if evidence is None else "--out"
        hint = "name paths or URLs of Parquet, or jdbc:postgresql://..."
        raise Rejected(f"a build with Spark needs {missing}", where="--engine spark", hint=hint, code="bad_option")
    if stages is None and out.startswith(JDBC):
        message = "a build into PostgreSQL needs a folder for its stages"
        raise Rejected(message, where="--stages", hint="name a path that all executors see", code="bad_option")
    config, started_at, report = settings(), perf_counter(), ProgressReporter(console())
    release = release_in_force(config, open_database(config.database_url))
    question = SparkQuestion(
        as_of=as_of,
        known_at=max(as_of, clock.now()),
        purpose=config.consent_purpose,
        release=release,
        evidence=evidence,
        out=out,
        stages=stages or f"{out}/_stages",
        partitions=partitions,
        graph=graph,
    )
    with session_of_build(master or LOCAL, settings_of(spark_settings)) as session:
        figures = build_with_spark(
            session, question, lambda s: report.say(f"{perf_counter() - started_at:6.0f} s  {s}")
        )
    seconds = perf_counter() - started_at
    report.say(
        f"{figures.people:,} people as of {clock.iso(as_of)}, {figures.scored:,} with a score, "
        f"from {figures.events:,} events, in {figures.partitions} partitions, in {seconds:.0f} s"
    )
    if graph == "cluster":
        report.say("of the features of whole graphs there is trust alone: see docs/scale.md")


def settings_of(pairs: Sequence[str]) -> dict[str, str]:
    """The settings of `--conf NAME=VALUE`. Raises Rejected for a pair without `=`."""
    for pair in pairs:
        if "=" not in pair:
            raise Rejected(f"`{pair}` has no `=`", where="--conf", hint="write NAME=VALUE", code="bad_option")
    return dict(pair.split("=", 1) for pair in pairs)
