"""Presence: no write transaction names a person who has left.

A request waits for its turn to write. Erasure may have its turn first, and the request's token was valid when it came. So the
transaction itself looks whether the person is here, and is refused as an ended token is. Who has left comes back only when the
house issues a token for them (`tokens.issue`): another issuer's token does not bring them back.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine

from api.access.auth import bad_token
from api.database import writing
from api.evidence import departed


@contextmanager
def writing_about(engine: Engine, person: str) -> Iterator[Connection]:
    """One write transaction about a person. Raises Refused: `bad_token` when they have left, and for trouble."""
    with writing(engine) as connection:
        require(connection, person)
        yield connection


def require(connection: Connection, person: str) -> None:
    """Raises Refused `bad_token` when the person has left."""
    if departed.gone(connection, [person]):
        raise bad_token()
