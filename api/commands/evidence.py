"""`iftah load`: files of events into the ledger."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from api import clock
from api.commands import FAILED, WRONG, commands, console
from api.database import open_database
from api.evidence.load import load_file
from api.progress import Steps
from api.settings import settings
from engine.errors import Refused

app = commands()


@app.command()
def load(
    files: Annotated[list[Path], typer.Argument(help="CSV, NDJSON or Parquet; text may be gzipped")],
    rejects: Annotated[
        Path | None, typer.Option(help="the file for the refused rows of one file; FILE.rejects.ndjson unless given")
    ] = None,
) -> None:
    """Put files of events into the ledger. Rows that are refused go to FILE.rejects.ndjson, and the status is 1."""
    if rejects and len(files) > 1:
        hint = "load one file at a time, or leave --rejects out"
        raise Refused(
            "one file cannot take the refused rows of several", where="--rejects", hint=hint, code="bad_option"
        )
    database, steps = open_database(settings().database_url), Steps(console())
    bad = unread = False
    for file in files:
        try:
            with steps.progress(f"loading {file}") as moved:
                report = load_file(database, file, now=clock.now, on_progress=moved, rejects=rejects)
        except Refused as error:  # the other files still have their turn
            print(f"iftah: {error}", file=sys.stderr)
            unread = True
            continue
        said = f"{file}: {report.accepted:,} accepted, {report.duplicates:,} there already, {report.refused:,} refused"
        steps.say(f"{said}, see {report.rejects_path}" if report.rejects_path else said)
        if report.broken:
            steps.say(f"{file}: {report.broken}")
        bad |= bool(report.refused or report.broken)
    if bad or unread:
        raise typer.Exit(WRONG if unread else FAILED)
