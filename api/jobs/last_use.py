"""Write the time of each token's last use to the database: at most once a minute per token, and when the server stops."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from sqlalchemy import bindparam, or_, update

from api.access import auth
from api.jobs.periodic import periodic_task
from api.runtime.context import AppContext
from api.store.database import Database, writing
from api.store.tables import TOKENS
from engine.errors import IftahError

log = logging.getLogger("iftah")

INTERVAL_SECONDS: Final = 2.0  # between looks
MINUTE_MICROS: Final = 60_000_000


@contextmanager
def recording_last_uses(context: Callable[[], AppContext]) -> Iterator[None]:
    """Record last uses as long as the server runs, and the remaining ones at the end."""
    written_at = dict[str, int]()
    try:
        with periodic_task(
            "last uses of tokens",
            INTERVAL_SECONDS,
            lambda: record_last_uses(context().database, written_at, MINUTE_MICROS),
        ):
            yield
    finally:
        try:
            record_last_uses(context().database, written_at, 0)
        except IftahError as error:
            log.warning("last uses of tokens are not written: %s", error.code)


def record_last_uses(database: Database, written_at: dict[str, int], interval: int) -> int:
    """Write the uses that are at least `interval` microseconds later than `written_at`. Returns their number."""
    used_at = dict(auth.last_uses(database))
    due = {name: at for name, at in used_at.items() if at - written_at.get(name, 0) > interval}
    if due:
        _write(database, due)
        written_at.update(due)
    return len(due)


def _write(database: Database, due: Mapping[str, int]) -> None:
    earlier = or_(TOKENS.c.last_used_at.is_(None), TOKENS.c.last_used_at < bindparam("at"))
    change = update(TOKENS).where(TOKENS.c.id == bindparam("token"), earlier).values(last_used_at=bindparam("at"))
    with writing(database) as connection:
        connection.execute(change, [{"token": name, "at": at} for name, at in sorted(due.items())])
