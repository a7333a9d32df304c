"""`iftah graph`: a picture of a person's circle."""

from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from api import clock, replace
from api.commands import commands
from api.database import open_database
from api.identifiers import unambiguous
from api.pictures import picture
from api.releases.findings import printable
from api.settings import settings
from engine.errors import Refused
from graph.circle import Viewer

ENDINGS: Final = (".svg", ".html")

app = commands()
out = Console(highlight=False, soft_wrap=True)


@app.command()
def graph(
    person: Annotated[str, typer.Argument(help="the person's id")],
    to: Annotated[Path, typer.Option("--out", help=f"the file to write: {' or '.join(ENDINGS)}")],
    hops: Annotated[int, typer.Option(help=f"how many steps from the person, 1 to {picture.MOST_HOPS}")] = 2,
    viewer: Annotated[Viewer, typer.Option(help="who will look at it: the person, or a supervisor")] = "person",
) -> None:
    """Draw a person's circle as the newest build saw it: ties and money apart, trust as colour."""
    ending = _ending(to)
    unambiguous(person, "PERSON")
    # Their layout takes long to import.
    from api.pictures import drawing, page

    made = picture.picture(open_database(settings().database_url), person, hops, viewer, clock.now())
    replace.write(to, {".svg": drawing.text, ".html": page.text}[ending](made))
    out.print(f"{to} written: {printable(drawing.heading(made))}", markup=False)
    out.print(drawing.about(made), markup=False)
    for name, told in (("Ties", picture.ties_told(made.circle)), ("Money", picture.money_told(made.circle))):
        out.print(f"{name}: {' '.join(told)}", markup=False)


def _ending(to: Path) -> str:
    """How the file's name ends. Refused early: before the ledger is read."""
    ending = to.suffix.lower()
    if ending not in ENDINGS:
        hint = f"name a file that ends in {' or '.join(ENDINGS)}"
        raise Refused(
            f"`{ending or to.name}` is not an ending of a picture", where="--out", hint=hint, code="bad_ending"
        )
    if not to.parent.is_dir():
        raise Refused(
            "there is no such folder", where=str(to.parent), hint="make it, or name another", code="no_folder"
        )
    return ending
