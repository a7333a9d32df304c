"""`iftah load`: load files of events into the ledger."""

from pathlib import Path
from typing import Annotated

import typer

from api.cli.load_reports import refuse_one_rejects_file, report_each
from api.cli.output import commands, console
from api.evidence.load import LoadReport, load_file
from api.settings.settings import settings
from api.store import clock
from api.store.database import open_database
from api.telemetry.progress import ProgressReporter

app = commands()


@app.command()
def load(
    files: Annotated[
        list[Path], typer.Argument(help="CSV, NDJSON or Parquet; CSV and NDJSON may be gzipped, or packed by zstd")
    ],
    rejects: Annotated[
        Path | None, typer.Option(help="the file for the rejected rows; default: FILE.rejects.ndjson")
    ] = None,
) -> None:
    """Load files of events into the ledger. Write rejected rows to FILE.rejects.ndjson and exit with status 1."""
    refuse_one_rejects_file(files, rejects)
    from api.runtime.configured_rules import vocabulary_in_force  # `load --help` needs no rules

    config, steps = settings(), ProgressReporter(console())
    database = open_database(config.database_url)
    vocabulary = vocabulary_in_force(config, database)

    def load_one(file: Path) -> LoadReport:
        with steps.progress(f"loading {file}") as on_progress:
            return load_file(
                database, file, now=clock.now, on_progress=on_progress, rejects=rejects, vocabulary=vocabulary
            )

    report_each(steps, files, load_one)
