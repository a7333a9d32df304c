"""Presence: no write transaction names an erased person.

A request waits for its turn to write. An erasure may run first, after we checked the request's token. So the
transaction itself checks for an erasure, and we refuse it as we refuse a revoked token. We reinstate an erased person
only when you issue a token of ours for them (`tokens.issue`): another issuer's token does not reinstate them.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from api.access.auth import bad_token
from api.evidence import erasure_tombstones
from api.store.database import Database, writing


@contextmanager
def writing_about(database: Database, person: str) -> Iterator[Connection]:
    """One write transaction about a person. Raises Rejected: `bad_token` after their erasure, and for database errors."""
    with writing(database) as connection:
        require(connection, person)
        yield connection


def require(connection: Connection, person: str) -> None:
    """Raises Rejected `bad_token` after the person's erasure."""
    if erasure_tombstones.find_erased(connection, [person]):
        raise bad_token()
