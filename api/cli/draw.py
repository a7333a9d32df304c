"""`iftah draw`: draw a person's ego network."""

from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from api.access.identifiers import require_unambiguous
from api.cli.output import commands
from api.releases.findings import printable
from api.render import picture
from api.settings.settings import settings
from api.store import clock, replace
from api.store.database import open_database
from engine.errors import Rejected
from graph.network.ego_network import Viewer

SUFFIXES: Final = (".svg", ".html")

app = commands()
out = Console(highlight=False, soft_wrap=True)


@app.command()
def draw(
    person: Annotated[str, typer.Argument(help="the person's id")],
    to: Annotated[Path, typer.Option("--out", help=f"the file to write: {' or '.join(SUFFIXES)}")],
    hops: Annotated[int, typer.Option(help=f"steps from the person, 1 to {picture.MAX_HOPS}")] = 2,
    viewer: Annotated[Viewer, typer.Option(help="the reader: the person, or a supervisor")] = "person",
) -> None:
    """Draw a person's ego network as of the newest build: ties and money separately, trust as colour."""
    ending = _suffix(to)
    require_unambiguous(person, "PERSON")
    # We import these here, since the libraries for the layout and the rules take long to import.
    from api.render import drawing, page
    from api.runtime.configured_rules import vocabulary_in_force

    config = settings()
    database = open_database(config.database_url)
    vocabulary = vocabulary_in_force(config, database)
    diagram = picture.make_picture(database, vocabulary, person, hops, viewer, clock.now())
    replace.write(to, {".svg": drawing.svg_text, ".html": page.html_text}[ending](diagram))
    out.print(f"{to} written: {printable(drawing.heading(diagram))}", markup=False)
    out.print(drawing.caption(diagram), markup=False)
    for name, facts in (
        ("Ties", picture.ties_summary(diagram.ego_network)),
        ("Money", picture.money_summary(diagram.ego_network)),
    ):
        out.print(f"{name}: {' '.join(facts)}", markup=False)


def _suffix(to: Path) -> str:
    """The ending of the file's name. We check it before we read the ledger."""
    suffix = to.suffix.lower()
    if suffix not in SUFFIXES:
        hint = f"name a file that ends in {' or '.join(SUFFIXES)}"
        raise Rejected(f"`{suffix or to.name}` is not a picture format", where="--out", hint=hint, code="bad_ending")
    if not to.parent.is_dir():
        raise Rejected(
            "there is no such folder", where=str(to.parent), hint="create it, or name another", code="no_folder"
        )
    return suffix
