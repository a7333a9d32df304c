"""Last use: when each token was used is written down beside the answers, at most once a minute for each token, and at the end."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from fastapi import FastAPI
from sqlalchemy import Engine, bindparam, or_, update

from api.access import auth
from api.background.rounds import in_rounds
from api.database import writing
from api.tables import TOKENS
from engine.errors import IftahError

log = logging.getLogger("iftah")

EVERY: Final = 2.0  # seconds between looks
MINUTE: Final = 60_000_000  # microseconds


@contextmanager
def noting(app: FastAPI) -> Iterator[None]:
    """Write down what is used, until the end; what is left, then."""
    written = dict[str, int]()
    try:
        with in_rounds("last uses of tokens", EVERY, lambda: note(app.state.world.database, written, MINUTE)):
            yield
    finally:
        try:
            note(app.state.world.database, written, 0)
        except IftahError as error:
            log.warning("last uses of tokens are not written: %s", error.code)


def note(engine: Engine, written: dict[str, int], pause: int) -> int:
    """Write down the uses that are more than `pause` microseconds later than what was `written`; how many that are."""
    used = dict(auth.used(engine))
    due = {name: at for name, at in used.items() if at - written.get(name, 0) > pause}
    if due:
        _write(engine, due)
        written.update(due)
    return len(due)


def _write(engine: Engine, due: Mapping[str, int]) -> None:
    earlier = or_(TOKENS.c.last_used_at.is_(None), TOKENS.c.last_used_at < bindparam("at"))
    change = update(TOKENS).where(TOKENS.c.id == bindparam("token"), earlier).values(last_used_at=bindparam("at"))
    with writing(engine) as connection:
        connection.execute(change, [{"token": name, "at": at} for name, at in sorted(due.items())])
