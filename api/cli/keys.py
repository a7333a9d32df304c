"""`iftah key`: the keys with which operators sign proposals and approvals."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from api.access.tokens import check as check_party
from api.cli.output import commands
from api.proposals import keys as signing_keys
from api.proposals.actors import new_key
from api.releases.release_log import read_state
from api.releases.steps import public_key_of
from api.settings.settings import settings
from api.store import clock
from api.store.database import open_database

keys = typer.Typer(help="Make, list and revoke the keys that sign changes of rules.", no_args_is_help=True)
app = commands()
app.add_typer(keys, name="key")


@keys.command("new")
def key_new(
    party: Annotated[str, typer.Option(help="the person whose key it is")],
    role: Annotated[
        Literal["operator", "approver"], typer.Option(help="an approver only approves and rejects")
    ] = "operator",
    out: Annotated[Path | None, typer.Option(help="the file of the private key; default: PARTY.pem")] = None,
    public: Annotated[
        str | None, typer.Option(help="register this public key, 64 hex digits, instead of making one")
    ] = None,
) -> None:
    """Make a key, and register its public half. The private half stays in a file that only you can read.

    As soon as two parties have a key, two people release rules: the rules folder becomes a place for drafts.
    """
    check_party(role, party)
    database = open_database(settings().database_url)
    if public is None:
        path = out or Path(f"{party}.pem")
        public = public_key_of(new_key(path))
        print(f"the private key is in {path}: keep it to yourself")
    state = signing_keys.register(database, party, role, public, clock.micros(clock.now()))
    key = list(state.keys.values())[-1]
    print(f"key {key.fingerprint} of {party}, {role}")
    if state.needs_approval:
        print("two people release rules now: `iftah propose`, then `iftah approve`")


@keys.command("list")
def key_list() -> None:
    """List all keys."""
    for key in read_state(open_database(settings().database_url)).keys.values():
        state = "revoked" if key.revoked else "in force"
        typer.echo(f"{key.fingerprint}  {key.role}  {key.party}  {state}  since {clock.iso(clock.moment(key.at))}")


@keys.command("revoke")
def key_revoke(
    fingerprint: Annotated[str, typer.Argument(help="the first column of `iftah key list`")],
    message: Annotated[str, typer.Option("-m", "--message", help="the reason")],
) -> None:
    """Revoke a key at once. What it signed and is not in force yet must be signed again."""
    signing_keys.revoke(open_database(settings().database_url), fingerprint, message, clock.micros(clock.now()))
    print(f"key {fingerprint} is revoked")
