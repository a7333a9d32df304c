"""Decisions to audit: a town in which the house itself asked, and a supervisor at the door."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from fastapi.testclient import TestClient
from sqlalchemy import Engine, text

from api import actions, deps
from api.access import tokens
from api.decisions.decisions import Answered, Asked
from api.features import builds
from api.world import World
from tests.api.apps import app_over
from tests.api.world import NOW


class Office:
    """A supervisor's, and whoever makes decisions for them to look at."""

    def __init__(self, world: World) -> None:
        self.world, self.now, self.numbers = world, NOW + timedelta(hours=1), count(1)
        app = app_over(world)
        app.dependency_overrides[deps.present] = lambda: self.now
        self.client = TestClient(app, raise_server_exceptions=False)
        self.token = tokens.issue(world.database, "supervisor", "bank-of-banks", "s", NOW).secret
        self.people = [str(p) for p in builds.scores(world.database, actions.ready(world))["person"]]

    def decided(self, person: str, perk: str = "hotel", amount: int = 50_000, at: datetime | None = None) -> Answered:
        asked = Asked("operator", f"T-{next(self.numbers)}", person, perk, amount, "CNY", {})
        return actions.eligibility(self.world, asked, at or self.now)

    def some(self, count: int, each: timedelta = timedelta(hours=5)) -> list[Answered]:
        """Decisions about one person after another, so much time apart."""
        return [self.decided(p, at=self.now + n * each) for n, p in enumerate(self.people[:count])]

    def get(self, address: str, token: str | None = None, **query: Any) -> Any:
        headers = {"Authorization": f"Bearer {token or self.token}"}
        return self.client.get(f"/v1/audit/{address}", headers=headers, params=query or None)


def tampered(engine: Engine, *statements: str) -> None:
    """What somebody with the database's own password can do: the triggers are not in their way."""
    tables = ("decisions", "decision_subjects")
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            found = connection.execute(text("select name, sql from sqlite_master where type = 'trigger'")).all()
            triggers = [(name, sql) for name, sql in found if any(t in name for t in tables)]
            _run(connection, (f"drop trigger {name}" for name, _ in triggers))
            _run(connection, statements)
            _run(connection, (sql for _, sql in triggers))
            return
        _run(connection, (f"alter table {t} disable trigger all" for t in tables))
        _run(connection, statements)
        _run(connection, (f"alter table {t} enable trigger all" for t in tables))


@contextmanager
def undone(engine: Engine) -> Iterator[None]:
    """What was tampered with inside is as before after it."""
    tables = ("decisions", "decision_subjects", "day_digests", "chain_head")
    with engine.begin() as connection:
        _run(connection, (f"create table kept_{t} as select * from {t}" for t in tables))
    yield
    back = ((f"delete from {t}", f"insert into {t} select * from kept_{t}") for t in tables)
    tampered(engine, *(statement for both in back for statement in both))
    with engine.begin() as connection:
        _run(connection, (f"drop table kept_{t}" for t in tables))


def _run(connection: Any, statements: Iterable[str]) -> None:
    for statement in statements:
        connection.execute(text(statement.replace(":", r"\:")))
