"""The newest step of the release log that this machine saw, kept outside the database: so a database that was restored shows.

The file lies in the folder that the setting `anchors` names. A file that is missing or unreadable says nothing.
"""

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import select

from api.releases.release_states import ReleaseState
from api.settings.settings import settings
from api.store import replace
from api.store.database import Database, reading
from api.store.tables import RELEASE_LOG, SYSTEM
from engine.errors import Rejected


class Anchor(NamedTuple):
    """A step of the release log: its number and its hash."""

    seq: int
    hash: str


def anchor_path(database: Database) -> Path:
    """The file of the anchor of the database at this address. A new database at an old address is another one: it has another key."""
    address = database.url.render_as_string(hide_password=True)
    if database.dialect.name == "sqlite":
        address = str(Path(str(database.url.database).removeprefix("file:")).resolve())
    with reading(database) as connection:
        key = connection.execute(select(SYSTEM.c.key)).scalar_one()
    name = hashlib.sha256(f"{address} {key}".encode()).hexdigest()
    return settings().anchors / f"{name[:24]}.json"


def verify(database: Database, state: ReleaseState) -> ReleaseState:
    """The state, if its log has the newest step that this machine saw; then we keep its own newest step.

    Raises Rejected `database_restored` otherwise.
    """
    anchor = read_anchor(database)
    if anchor is not None and anchor.seq:
        with reading(database) as connection:
            hash_ = connection.execute(select(RELEASE_LOG.c.hash).where(RELEASE_LOG.c.seq == anchor.seq)).scalar()
        if hash_ != anchor.hash:
            raise restored()
    if anchor != Anchor(state.seq, state.hash):
        write_anchor(database, state)
    return state


def restored() -> Rejected:
    """The log is older than what this machine saw."""
    message = (
        "the release log lacks steps that this machine saw: the database was restored from an earlier state, or altered"
    )
    hint = "restore the newest back-up; if this one is right: `iftah releases --accept-restored -m WHY`"
    return Rejected(message, where="releases", hint=hint, code="database_restored")


def read_anchor(database: Database) -> Anchor | None:
    """The newest step that this machine saw, or None."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        value = json.loads(anchor_path(database).read_text(encoding="utf-8"))
        return Anchor(int(value["seq"]), str(value["hash"]))
    return None


def write_anchor(database: Database, state: ReleaseState) -> None:
    """Keep the newest step of a state as the newest one that this machine saw. A disk that is full does not stop us."""
    path = anchor_path(database)
    with suppress(OSError, Rejected):
        path.parent.mkdir(parents=True, exist_ok=True)
        replace.write(path, json.dumps({"seq": state.seq, "hash": state.hash}))
