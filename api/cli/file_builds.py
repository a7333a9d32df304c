"""`iftah build --evidence FOLDER --out FOLDER`: features and scores of everyone, from Parquet to Parquet."""

from datetime import datetime
from pathlib import Path
from time import perf_counter

from api.cli.output import console
from api.features.file_build import FileQuestion, build_from_files
from api.runtime.configured_rules import release_in_force
from api.settings.settings import settings
from api.store import clock
from api.store.database import open_database
from api.telemetry.progress import ProgressReporter
from engine.errors import Rejected


def file_build(as_of: datetime, evidence: str | None, out: str | None, partitions: int | None) -> None:
    """Build, and print how many people have features and scores. Raises Rejected with one line."""
    if evidence is None or out is None:
        missing = "--evidence" if evidence is None else "--out"
        hint = "name the folder of Parquet to read, and that to write"
        raise Rejected(f"a build from files needs {missing}", where="iftah build", hint=hint, code="bad_option")
    config, started_at, report = settings(), perf_counter(), ProgressReporter(console())
    question = FileQuestion(
        as_of=as_of,
        known_at=max(as_of, clock.now()),
        purpose=config.consent_purpose,
        release=release_in_force(config, open_database(config.database_url)),
        evidence=Path(evidence),
        out=Path(out),
        partitions=partitions,
    )
    with report.stages() as on_progress:
        figures = build_from_files(question, on_progress)
    report.say(
        f"{figures.people:,} people as of {clock.iso(as_of)}, {figures.scored:,} with a score, from {figures.events:,} events, "
        f"in {figures.partitions} partitions, in {perf_counter() - started_at:.0f} s"
    )
