"""`iftah token`: issue, list, rotate and revoke tokens."""

from datetime import timedelta
from typing import Annotated

import typer

from api import clock
from api.access import auth
from api.access import tokens as issuing
from api.access.tokens import Listed
from api.commands import commands
from api.database import open_database
from api.settings import settings

tokens = typer.Typer(help="Issue, list, rotate and revoke tokens.", no_args_is_help=True)
app = commands()
app.add_typer(tokens, name="token")


@tokens.command("issue")
def token_issue(
    role: Annotated[str, typer.Option(help=", ".join(auth.ROLES))],
    party: Annotated[str, typer.Option(help="the merchant, contributor or person it speaks for")],
    name: Annotated[str, typer.Option(help="a name to know it by")] = "",
    days: Annotated[int, typer.Option(help="how long it is valid", min=1, max=3660)] = 90,
    scopes: Annotated[
        list[str] | None,
        typer.Option(
            "--scope",
            help=f"what it is for; may be given again; all that the role may do unless given: {', '.join(auth.SCOPES)}",
        ),
    ] = None,
) -> None:
    """Issue a token. It is shown once; only its hash is kept."""
    now = clock.now()
    database = open_database(settings().database_url)
    print(issuing.issue(database, role, party, name or party, now, clock.later(now, days=days), scopes or None).secret)


@tokens.command("list")
def token_list() -> None:
    """List tokens, never their secrets."""
    for token in issuing.listed(open_database(settings().database_url)):
        scopes = f"  {','.join(token.scopes)}" if token.scopes else ""
        used = f"  used {clock.iso(token.last_used_at)}" if token.last_used_at else ""
        typer.echo(f"{token.id}  {token.role}  {token.party or '(left)'}  {token.name}{scopes}  {_state(token)}{used}")


@tokens.command("rotate")
def token_rotate(
    name: Annotated[str, typer.Argument(help="a token's id")],
    grace: Annotated[int, typer.Option(help="hours that the old one stays valid", min=0, max=168)] = 24,
    days: Annotated[
        int | None, typer.Option(help="how long the new one is valid; as long as the old one was", min=1, max=3660)
    ] = None,
) -> None:
    """Issue a token in the place of another, which ends after a while. The new one is shown once."""
    now, database = clock.now(), open_database(settings().database_url)
    lasts = None if days is None else timedelta(days=days)
    print(issuing.rotated(database, name, now, lasts, timedelta(hours=grace)).secret)


@tokens.command("revoke")
def token_revoke(name: Annotated[str, typer.Argument(help="a token's id or name")]) -> None:
    """End a token at once."""
    ended = issuing.revoke(open_database(settings().database_url), name, clock.now())
    if not ended:
        raise issuing.no_such_token(name)
    typer.echo(f"{ended} ended")


def _state(token: Listed) -> str:
    if token.revoked_at:
        return "revoked"
    return f"until {clock.iso(token.expires_at)}" if token.expires_at else "open"
