"""`iftah backup`, `erase` and `settings`: occasional work of an operator. Each command imports only the modules that it needs."""

from pathlib import Path
from typing import Annotated

import typer

from api.cli.output import commands, console
from api.settings.settings import effective_settings, settings
from engine.errors import Rejected

app = commands()
Person = Annotated[str, typer.Argument(help="the person's id")]


@app.command()
def backup(file: Annotated[Path, typer.Argument(help="the copy to write; it must not exist yet")]) -> None:
    """Copy an SQLite database while it is in use. The copy is the state of one moment; a failure leaves no file."""
    from api.store.backup import copy_database
    from api.store.database import open_database

    database = open_database(settings().database_url)
    try:
        copy_database(database, file)
    finally:
        database.dispose()
    console().print(f"{file}: {file.stat().st_size:,} bytes", markup=False)


@app.command()
def erase(
    person: Person, yes: Annotated[bool, typer.Option("--yes", help="do not ask for confirmation")] = False
) -> None:
    """Erase a person on their written request, as `DELETE /v1/me` does. You cannot undo it."""
    from api.people import erasure
    from api.runtime.configured_rules import vocabulary_in_force
    from api.store import clock
    from api.store.database import open_database

    database = open_database(settings().database_url)
    try:
        row_counts = erasure.count_rows(database, person)
        if not row_counts:
            raise Rejected(
                "nothing is stored about this person", where="person", hint="check the id", code="unknown_person"
            )
        if not yes:
            rows = ", ".join(f"{number:,} {name}" for name, number in row_counts.items())
            typer.confirm(f"Erase all rows that name this person ({rows})?", abort=True)
        result = erasure.erase(database, person, clock.now(), vocabulary_in_force(settings(), database))
        vacuumed = erasure.vacuum(database)
    finally:
        database.dispose()
    message = (
        f"{result.events:,} events are erased, {result.kept_of_others:,} of other people stay without this person's id"
    )
    console().print(f"{message}; {result.decisions:,} decisions stay in the chain, without their subject")
    if not vacuumed:
        console().print("the database is in use: a running server vacuums it within the hour")


@app.command("settings")
def settings_() -> None:
    """Show every setting in force and its source. Passwords and tokens are hidden."""
    for setting in effective_settings(settings()):
        console().print(f"{setting.name} = {setting.value}  ({setting.source})", markup=False)
