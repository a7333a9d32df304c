"""`iftah export`: write the rules in a format for other rule engines."""

from pathlib import Path
from typing import Annotated

import typer

from api.cli.output import commands
from api.releases import rules_folder
from api.settings.settings import settings
from api.store import clock
from engine.errors import Rejected
from engine.verify import pmml

exports = typer.Typer(help="Write the rules in a format for other rule engines.", no_args_is_help=True)
app = commands()
app.add_typer(exports, name="export")


@exports.command("pmml")
def export_pmml(
    out: Annotated[Path | None, typer.Option(help="the file to write; default: standard output")] = None,
    as_of: Annotated[str | None, typer.Option(help="write the rules in force on this day; default: today")] = None,
) -> None:
    """Write the scorecard of the rules folder as a PMML 4.4 Scorecard."""
    release = rules_folder.load_folder(settings().rules)
    today = release.day(clock.now()) if as_of is None else clock.parse_day(as_of, "--as-of")
    text = pmml.document(release.at(today), today)
    if out is None:
        typer.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Rejected(f"cannot be written: {error.strerror}", where=str(out), code="not_written") from None
    typer.echo(f"{out} written")
