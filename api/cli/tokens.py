"""`iftah token`: issue, list, rotate and revoke tokens."""

from datetime import timedelta
from typing import Annotated

import typer

from api.access import auth
from api.access import tokens as access_tokens
from api.access.tokens import TokenInfo
from api.cli.output import commands
from api.settings.settings import settings
from api.store import clock
from api.store.database import open_database

tokens = typer.Typer(help="Issue, list, rotate and revoke tokens.", no_args_is_help=True)
app = commands()
app.add_typer(tokens, name="token")


@tokens.command("issue")
def token_issue(
    role: Annotated[str, typer.Option(help=", ".join(auth.ROLES))],
    party: Annotated[str, typer.Option(help="the merchant, contributor or person that the token acts for")],
    name: Annotated[str, typer.Option(help="a name by which you recognise it")] = "",
    days: Annotated[int, typer.Option(help="days until it expires", min=1, max=3660)] = 90,
    scopes: Annotated[
        list[str] | None,
        typer.Option(
            "--scope",
            help=f"limit the token to this scope; repeatable; default: every scope of the role: {', '.join(auth.SCOPES)}",
        ),
    ] = None,
) -> None:
    """Issue a token. It is shown once; we store only its hash."""
    now = clock.now()
    database = open_database(settings().database_url)
    print(
        access_tokens.issue(
            database, role, party, name or party, now, clock.add_days(now, days=days), scopes or None
        ).secret
    )


@tokens.command("list")
def token_list() -> None:
    """List tokens without their secrets."""
    for token in access_tokens.list_tokens(open_database(settings().database_url)):
        scopes = f"  {','.join(token.scopes)}" if token.scopes else ""
        used = f"  used {clock.iso(token.last_used_at)}" if token.last_used_at else ""
        typer.echo(f"{token.id}  {token.role}  {token.party or '(left)'}  {token.name}{scopes}  {_state(token)}{used}")


@tokens.command("rotate")
def token_rotate(
    name: Annotated[str, typer.Argument(help="a token's id")],
    grace: Annotated[int, typer.Option(help="hours until the old token expires", min=0, max=168)] = 24,
    days: Annotated[
        int | None,
        typer.Option(help="days until the new token expires; default: as many as the old one had", min=1, max=3660),
    ] = None,
) -> None:
    """Replace a token. The old one expires after a grace period; the new one is shown once."""
    now, database = clock.now(), open_database(settings().database_url)
    lifetime = None if days is None else timedelta(days=days)
    print(access_tokens.rotate(database, name, now, lifetime, timedelta(hours=grace)).secret)


@tokens.command("revoke")
def token_revoke(name: Annotated[str, typer.Argument(help="a token's id or name")]) -> None:
    """Revoke a token at once."""
    count = access_tokens.revoke(open_database(settings().database_url), name, clock.now())
    if not count:
        raise access_tokens.no_such_token(name)
    typer.echo(f"{count} revoked")


def _state(token: TokenInfo) -> str:
    if token.revoked_at:
        return "revoked"
    return f"until {clock.iso(token.expires_at)}" if token.expires_at else "open"
