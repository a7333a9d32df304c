"""Presence: no write transaction names a person who has left.

A request waits for its turn to write. Erasure may have its turn first, and the request's token was valid when it came. So the
transaction itself looks whether the person is here, and is refused as an ended token is. An erased person comes back only when the
house issues a token for them (`tokens.issue`): another issuer's token does not bring them back.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from api.access.auth import bad_token
from api.evidence import erasure_tombstones
from api.store.database import Database, writing


@contextmanager
def writing_about(database: Database, person: str) -> Iterator[Connection]:
    """One write transaction about a person. Raises Rejected: `bad_token` when they have left, and for trouble."""
    with writing(database) as connection:
        require(connection, person)
        yield connection


def require(connection: Connection, person: str) -> None:
    """Raises Rejected `bad_token` when the person has left."""
    if erasure_tombstones.find_erased(connection, [person]):
        raise bad_token()
