"""The reports of commands that bring events into the ledger, a file at a time."""

import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import typer

from api.cli.output import EXIT_ERROR, EXIT_FAILED
from api.evidence.load import LoadReport
from api.telemetry.progress import ProgressReporter
from engine.errors import Rejected


def refuse_one_rejects_file(files: list[Path], rejects: Path | None) -> None:
    """Raise Rejected if one file would have to hold the refused rows of several."""
    if rejects and len(files) > 1:
        hint = "load one file at a time, or leave --rejects out"
        raise Rejected(
            "one file cannot hold the rejected rows of several files", where="--rejects", hint=hint, code="bad_option"
        )


def report_each(
    steps: ProgressReporter, names: Iterable[Path], load: Callable[[Path], LoadReport], label: str = ""
) -> None:
    """Load one after the other and say the result of each, after `label`. A file that cannot be used does not keep out the others.

    The exit status is 1 if rows were refused, 2 if a file was.
    """
    any_refused = any_unreadable = False
    for name in names:
        try:
            report = load(name)
        except Rejected as error:  # we still load the other files
            print(f"iftah: {error}", file=sys.stderr)
            any_unreadable = True
            continue
        summary = f"{label}{name}: {report.accepted:,} accepted, {report.duplicates:,} duplicates, {report.refused:,} rejected"
        steps.say(f"{summary}, see {report.rejects_path}" if report.rejects_path else summary)
        if report.broken:
            steps.say(f"{name}: {report.broken}")
        any_refused |= bool(report.refused or report.broken)
    if any_refused or any_unreadable:
        raise typer.Exit(EXIT_ERROR if any_unreadable else EXIT_FAILED)
