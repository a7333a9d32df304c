"""`iftah links`: permit contributors to say that two ids are one person."""

from typing import Annotated

import typer

from api.cli.database import configured_database
from api.cli.output import commands
from api.evidence import link_sources
from api.store import clock

links = typer.Typer(help="Permit contributors to say that two ids are one person.", no_args_is_help=True)
app = commands()
app.add_typer(links, name="links")
Contributor = Annotated[str, typer.Argument(help="the contributor, as its events and its token name it")]


@links.command("allow")
def links_allow(contributor: Contributor) -> None:
    """Permit a contributor to send `person.same_as`, by the API and in files."""
    with configured_database() as database:
        new = link_sources.allow(database, contributor, clock.now())
    typer.echo(f"{contributor} may link ids" + ("" if new else " already"))


@links.command("deny")
def links_deny(contributor: Contributor) -> None:
    """Take the permission back. The links that the contributor sent stay until it retracts them."""
    with configured_database() as database:
        link_sources.deny(database, contributor)
    typer.echo(f"{contributor} may not link ids any more")


@links.command("list")
def links_list() -> None:
    """List the contributors that may link ids."""
    with configured_database() as database:
        for contributor, at in link_sources.list_sources(database):
            typer.echo(f"{contributor}  since {clock.iso(at)}")
