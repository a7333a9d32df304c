"""`iftah clock`, `backup`, `erase`, `settings`: what an operator does now and then. Each imports what it alone needs."""

from pathlib import Path
from typing import Annotated

import typer

from api.commands import commands, console
from api.settings import in_force, settings
from engine.errors import Refused

app = commands()
Person = Annotated[str, typer.Argument(help="the person's id")]


@app.command("clock")
def keep_time() -> None:
    """Move the orders that time moves, once: expired, overdue. A running server does so by itself."""
    from api import clock, prepare
    from api.background import timekeeper

    moved = timekeeper.keep_time(prepare.enforced(settings()), clock.now())
    console().print(f"{moved:,} orders moved")


@app.command()
def backup(file: Annotated[Path, typer.Argument(help="the copy to make; it must not be there yet")]) -> None:
    """Copy an SQLite database while it is in use: the state of one moment, whole or not at all."""
    from api.backup import copied
    from api.database import open_database

    database = open_database(settings().database_url)
    try:
        copied(database, file)
    finally:
        database.dispose()
    console().print(f"{file}: {file.stat().st_size:,} bytes", markup=False)


@app.command()
def erase(
    person: Person, yes: Annotated[bool, typer.Option("--yes", help="do not ask whether it is meant")] = False
) -> None:
    """Erase a person who asks for it by letter, as `DELETE /v1/me` does. It cannot be taken back."""
    from api import clock
    from api.database import open_database
    from api.people import erasure

    database = open_database(settings().database_url)
    try:
        held = erasure.held(database, person)
        if not held:
            raise Refused("nothing is kept of this person", where="person", hint="check the id", code="unknown_person")
        if not yes:
            rows = ", ".join(f"{number:,} {name}" for name, number in held.items())
            typer.confirm(f"Erase what names this person ({rows})?", abort=True)
        gone = erasure.erase(database, person, clock.now())
        swept = erasure.sweep(database)
    finally:
        database.dispose()
    said = f"{gone.events:,} events are erased, {gone.kept_of_others:,} stay as somebody else's without the person"
    console().print(f"{said}; {gone.decisions:,} decisions stay in the chain, without whom they were about")
    if not swept:
        console().print("the files are in use: a running server sweeps them within the hour")


@app.command("settings")
def settings_() -> None:
    """Show every setting in force, and where it is from; passwords and tokens are left out."""
    for setting in in_force(settings()):
        console().print(f"{setting.name} = {setting.value}  ({setting.source})", markup=False)
