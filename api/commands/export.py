"""`iftah export`: the rules in a form that other people's engines read."""

from pathlib import Path
from typing import Annotated

import typer

from api import clock
from api.commands import commands
from api.releases import rules_folder
from api.settings import settings
from engine import pmml
from engine.errors import Refused

exports = typer.Typer(help="Write the rules for other people's engines.", no_args_is_help=True)
app = commands()
app.add_typer(exports, name="export")


@exports.command("pmml")
def export_pmml(
    out: Annotated[Path | None, typer.Option(help="the file to write; standard output unless given")] = None,
    as_of: Annotated[str | None, typer.Option(help="the day whose rules are written; today unless given")] = None,
) -> None:
    """Write the scorecard of the rules folder as a PMML 4.4 Scorecard."""
    release = rules_folder.load(settings().rules)
    today = release.day(clock.now()) if as_of is None else clock.named_day(as_of, "--as-of")
    text = pmml.document(release.at(today), today)
    if out is None:
        typer.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Refused(f"cannot be written: {error.strerror}", where=str(out), code="not_written") from None
    typer.echo(f"{out} written")
