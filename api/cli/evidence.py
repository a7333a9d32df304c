"""`iftah load`: load files of events into the ledger."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from api.cli.output import EXIT_ERROR, EXIT_FAILED, commands, console
from api.evidence.load import load_file
from api.releases.rules_folder import load_vocabulary
from api.settings.settings import settings
from api.store import clock
from api.store.database import open_database
from api.telemetry.progress import ProgressReporter
from engine.errors import Rejected

app = commands()


@app.command()
def load(
    files: Annotated[list[Path], typer.Argument(help="CSV, NDJSON or Parquet; CSV and NDJSON may be gzipped")],
    rejects: Annotated[
        Path | None, typer.Option(help="the file for the rejected rows; default: FILE.rejects.ndjson")
    ] = None,
) -> None:
    """Load files of events into the ledger. Write rejected rows to FILE.rejects.ndjson and exit with status 1."""
    if rejects and len(files) > 1:
        hint = "load one file at a time, or leave --rejects out"
        raise Rejected(
            "one file cannot hold the rejected rows of several files", where="--rejects", hint=hint, code="bad_option"
        )
    config, steps = settings(), ProgressReporter(console())
    database, vocabulary = open_database(config.database_url), load_vocabulary(config.rules)
    any_refused = any_unreadable = False
    for file in files:
        try:
            with steps.progress(f"loading {file}") as on_progress:
                report = load_file(
                    database,
                    file,
                    now=clock.now,
                    on_progress=on_progress,
                    rejects=rejects,
                    vocabulary=vocabulary,
                )
        except Rejected as error:  # we still load the other files
            print(f"iftah: {error}", file=sys.stderr)
            any_unreadable = True
            continue
        summary = f"{file}: {report.accepted:,} accepted, {report.duplicates:,} duplicates, {report.refused:,} rejected"
        steps.say(f"{summary}, see {report.rejects_path}" if report.rejects_path else summary)
        if report.broken:
            steps.say(f"{file}: {report.broken}")
        any_refused |= bool(report.refused or report.broken)
    if any_refused or any_unreadable:
        raise typer.Exit(EXIT_ERROR if any_unreadable else EXIT_FAILED)
