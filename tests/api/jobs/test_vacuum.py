"""A server vacuums the database after erasures, deletes old submissions, and continues after failures."""

import logging
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, insert, select

from api.evidence import submissions
from api.http.app import create_app
from api.jobs import vacuum
from api.people.erasure import erase
from api.store import clock
from api.store.clock import micros
from api.store.database import reading, writing
from api.store.tables import SUBMISSIONS, SYSTEM
from engine.errors import Rejected
from tests.api.full_record import LATER, ZEB, remaining_texts
from tests.api.person_client import PersonClient


def pending_vacuums(database: Engine) -> int:
    with reading(database) as connection:
        erased_count, swept_count = connection.execute(select(SYSTEM.c.erasures, SYSTEM.c.vacuumed_erasures)).one()
    return int(erased_count - swept_count)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_server_vacuums_after_an_erasure(person_client: PersonClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vacuum, "FIRST_DELAY_SECONDS", 0.05)
    monkeypatch.setattr(vacuum, "INTERVAL_SECONDS", 0.05)
    with TestClient(create_app(person_client.context, background=True)):
        erase(person_client.database, ZEB, LATER)
        wait_until(lambda: pending_vacuums(person_client.database) == 0)
    assert remaining_texts(person_client.database, ZEB) == {}


@pytest.mark.parametrize(
    ("trouble", "message"),
    [
        (Rejected("the disk is full", where="here", code="database_full"), "disk is full"),
        (ZeroDivisionError("a mistake of ours"), "something went wrong inside"),
    ],
)
def test_a_failed_vacuum_is_logged_and_tried_again(
    trouble: Exception,
    message: str,
    person_client: PersonClient,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    attempts = []

    def fail(_: Engine) -> bool:
        attempts.append(None)
        raise trouble

    monkeypatch.setattr(vacuum, "FIRST_DELAY_SECONDS", 0.02)
    monkeypatch.setattr(vacuum, "INTERVAL_SECONDS", 0.02)
    monkeypatch.setattr(vacuum, "vacuum", fail)
    with caplog.at_level(logging.ERROR, "iftah"), TestClient(create_app(person_client.context, background=True)):
        wait_until(lambda: len(attempts) > 1)
    assert "vacuum after erasures: not done" in caplog.text
    assert message in caplog.text


def test_submissions_are_listed_for_ninety_days(person_client: PersonClient, monkeypatch: pytest.MonkeyPatch) -> None:
    now, counts = clock.now(), {"rows": 1, "accepted": 1, "duplicates": 0, "refused": 0, "problems": "[]"}
    ages = {"old": submissions.RETENTION + timedelta(hours=1), "young": submissions.RETENTION - timedelta(hours=1)}
    rows = [{"id": n, "contributor": "bank", "received_at": micros(now - a), **counts} for n, a in ages.items()]
    with writing(person_client.database) as connection:
        connection.execute(insert(SUBMISSIONS), rows)
    monkeypatch.setattr(vacuum, "FIRST_DELAY_SECONDS", 0.05)

    def submission_ids() -> list[str]:
        return [one.id for one in submissions.list_submissions(person_client.database, "bank", 10)]

    assert submission_ids() == ["young", "old"]
    with TestClient(create_app(person_client.context, background=True)):
        wait_until(lambda: submission_ids() != ["young", "old"])
    assert submission_ids() == ["young"]
