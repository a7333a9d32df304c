"""The sweeper: a server sweeps what was erased out of the files by itself, drops old sendings, and goes on after trouble."""

import logging
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, insert, select

from api import clock
from api.app import create_app
from api.background import sweeper
from api.clock import micros
from api.database import reading, writing
from api.evidence import submissions
from api.people.erasure import erase
from api.tables import HOUSE, SUBMISSIONS
from engine.errors import Refused
from tests.api.leaving import LATER, ZEB, left_in
from tests.api.side import Side


def owed(engine: Engine) -> int:
    with reading(engine) as connection:
        erased, swept = connection.execute(select(HOUSE.c.erased, HOUSE.c.swept)).one()
    return int(erased - swept)


def until(done: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 20
    while not done():
        assert time.monotonic() < give_up
        time.sleep(0.02)


def test_a_server_sweeps_after_somebody_left(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeper, "FIRST", 0.05)
    monkeypatch.setattr(sweeper, "EVERY", 0.05)
    with TestClient(create_app(side.world, works=True)):
        erase(side.engine, ZEB, LATER)
        until(lambda: owed(side.engine) == 0)
    assert left_in(side.engine, ZEB) == {}


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (Refused("the disk is full", where="here", code="database_full"), "disk is full"),
        (ZeroDivisionError("a mistake of ours"), "something went wrong inside"),
    ],
)
def test_trouble_is_told_and_it_is_tried_again(
    trouble: Exception, said: str, side: Side, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tried = []

    def troubled(_: Engine) -> bool:
        tried.append(None)
        raise trouble

    monkeypatch.setattr(sweeper, "FIRST", 0.02)
    monkeypatch.setattr(sweeper, "EVERY", 0.02)
    monkeypatch.setattr(sweeper, "sweep", troubled)
    with caplog.at_level(logging.ERROR, "iftah"), TestClient(create_app(side.world, works=True)):
        until(lambda: len(tried) > 1)
    assert "sweeping what was erased out of the files: not done" in caplog.text
    assert said in caplog.text


def test_a_sending_is_told_of_for_ninety_days(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    now, empty = clock.now(), {"rows": 1, "accepted": 1, "duplicates": 0, "refused": 0, "problems": "[]"}
    ages = {"old": submissions.KEPT + timedelta(hours=1), "young": submissions.KEPT - timedelta(hours=1)}
    rows = [{"id": n, "contributor": "bank", "received_at": micros(now - a), **empty} for n, a in ages.items()]
    with writing(side.engine) as connection:
        connection.execute(insert(SUBMISSIONS), rows)
    monkeypatch.setattr(sweeper, "FIRST", 0.05)

    def left() -> list[str]:
        return [one.id for one in submissions.sent(side.engine, "bank", 10)]

    assert left() == ["young", "old"]
    with TestClient(create_app(side.world, works=True)):
        until(lambda: left() != ["young", "old"])
    assert left() == ["young"]
