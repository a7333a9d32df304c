"""Decisions to audit: a town with decisions of the system itself, and a supervisor who calls the API."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from fastapi.testclient import TestClient
from sqlalchemy import Engine, text

from api.access import tokens
from api.decisions.decisions import DecisionResult
from api.decisions.eligibility import answer_question
from api.decisions.question import EligibilityQuestion
from api.features import builds
from api.http import dependencies
from api.runtime.context import AppContext
from api.runtime.scoring import current_build
from tests.api.app_pool import borrow_app
from tests.api.town import NOW


class AuditClient:
    """A supervisor, and a caller that makes decisions to audit."""

    def __init__(self, context: AppContext) -> None:
        self.context, self.now, self.numbers = context, NOW + timedelta(hours=1), count(1)
        app = borrow_app(context)
        app.dependency_overrides[dependencies.get_now] = lambda: self.now
        self.http = TestClient(app, raise_server_exceptions=False)
        self.token = tokens.issue(context.database, "supervisor", "bank-of-banks", "s", NOW).secret
        self.people = [str(p) for p in builds.scores(context.database, current_build(context))["person"]]

    def decide(
        self, person: str, perk: str = "hotel", amount: int = 50_000, at: datetime | None = None
    ) -> DecisionResult:
        question = EligibilityQuestion(
            "operator", f"T-{next(self.numbers)}", person, perk, amount, "CNY", at or self.now
        )
        return answer_question(self.context, question)

    def decide_many(self, number: int, interval: timedelta = timedelta(hours=5)) -> list[DecisionResult]:
        """Decisions about one person after another, so much time apart."""
        return [self.decide(p, at=self.now + n * interval) for n, p in enumerate(self.people[:number])]

    def get(self, path: str, token: str | None = None, **query: Any) -> Any:
        headers = {"Authorization": f"Bearer {token or self.token}"}
        return self.http.get(f"/v1/audit/{path}", headers=headers, params=query or None)


def tamper(database: Engine, *statements: str) -> None:
    """Change rows as an attacker with the database's own password would: we drop the triggers first."""
    tables = ("decisions", "decision_subjects")
    with database.begin() as connection:
        if database.dialect.name == "sqlite":
            rows = connection.execute(text("select name, sql from sqlite_master where type = 'trigger'")).all()
            triggers = [(name, sql) for name, sql in rows if any(t in name for t in tables)]
            _execute_all(connection, (f"drop trigger {name}" for name, _ in triggers))
            _execute_all(connection, statements)
            _execute_all(connection, (sql for _, sql in triggers))
            return
        _execute_all(connection, (f"alter table {t} disable trigger all" for t in tables))
        _execute_all(connection, statements)
        _execute_all(connection, (f"alter table {t} enable trigger all" for t in tables))


@contextmanager
def undo_tampering(database: Engine) -> Iterator[None]:
    """Restore everything that you tamper with inside the block."""
    tables = ("decisions", "decision_subjects", "day_digests", "chain_head")
    with database.begin() as connection:
        _execute_all(connection, (f"create table kept_{t} as select * from {t}" for t in tables))
    yield
    restores = ((f"delete from {t}", f"insert into {t} select * from kept_{t}") for t in tables)
    tamper(database, *(statement for pair in restores for statement in pair))
    with database.begin() as connection:
        _execute_all(connection, (f"drop table kept_{t}" for t in tables))


def _execute_all(connection: Any, statements: Iterable[str]) -> None:
    for statement in statements:
        connection.execute(text(statement.replace(":", r"\:")))
