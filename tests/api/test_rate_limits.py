"""Rate limits: so many requests of a token, so many bad tokens of an address; then 429, and when to come again."""

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from limits.errors import StorageError
from limits.strategies import SlidingWindowCounterRateLimiter
from sqlalchemy import Engine

from api import deps
from api.access import auth, tokens
from api.access.gate import Gate, gate_of
from api.access.rates import Rates, TooMany
from api.database import open_database
from api.settings import Settings
from api.world import World
from engine.errors import Refused
from tests.api.apps import app_over
from tests.api.door import refused
from tests.api.world import NOW


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """Which database it is makes no difference here."""
    opened = open_database(f"sqlite:///{tmp_path / 'iftah.db'}")
    yield opened
    opened.dispose()


class Turnstile:
    """An app with these limits; whoever comes, comes from one address."""

    def __init__(self, engine: Engine, rates: Rates) -> None:
        self.engine = engine
        app = app_over(World(engine, None), gate=Gate(rates))  # type: ignore[arg-type]
        app.dependency_overrides[deps.present] = lambda: NOW
        self.client = TestClient(app, raise_server_exceptions=False)
        self.good = [tokens.issue(engine, "admin", "ops", "x", NOW, NOW + timedelta(days=1)).secret for _ in range(2)]

    def come(self, secret: str) -> Any:
        return self.client.get("/v1/tokens", headers={"Authorization": f"Bearer {secret}"})


def test_a_token_that_asks_too_often_is_told_when_to_come_again(engine: Engine) -> None:
    door = Turnstile(engine, Rates("3/hour"))
    assert [door.come(door.good[0]).status_code for _ in range(3)] == [200, 200, 200]
    response = door.come(door.good[0])
    refused(response, 429, "too_many_requests")
    assert 1 <= int(response.headers["Retry-After"]) <= 3600
    assert door.come(door.good[1]).status_code == 200  # each for itself


def test_after_the_time_that_is_told_there_is_another_answer() -> None:
    rates, again = Rates("2/second"), 0
    while not again:
        again = refused_for(rates)
    time.sleep(again)
    assert refused_for(rates) == 0


def test_requests_that_were_refused_do_not_put_off_the_next_answer() -> None:
    rates, began, answered = Rates("4/second"), time.monotonic(), 0
    while time.monotonic() - began < 1.5:
        answered += not refused_for(rates)
        time.sleep(0.01)
    answered += not refused_for(rates)  # the first second's, if this machine stood still until now
    assert 5 <= answered <= 4 * (time.monotonic() - began + 1)


def refused_for(rates: Rates) -> int:
    """Seconds after which to come again; 0: answered."""
    try:
        rates.asked("t")
    except TooMany as told:
        return told.again
    return 0


def test_who_guesses_is_slowed_and_locks_out_nobody_who_was_known_here(engine: Engine) -> None:
    door = Turnstile(engine, Rates(failures="3/hour"))
    assert door.come(door.good[0]).status_code == 200
    for n in range(3):
        refused(door.come(f"iftah_guess{n}"), 401, "bad_token")
    response = door.come("iftah_guess3")
    refused(response, 429, "too_many_requests")
    assert int(response.headers["Retry-After"]) >= 1
    refused(door.come(door.good[1]), 429, "too_many_requests")  # a right guess is not told
    auth.forget(engine)  # known, though it must be looked up again
    assert door.come(door.good[0]).status_code == 200
    tokens.revoke(engine, "x", NOW)
    refused(door.come(door.good[0]), 429, "too_many_requests")


def test_zero_is_no_limit(engine: Engine) -> None:
    door = Turnstile(engine, Rates("0", "0"))
    assert {door.come(door.good[0]).status_code for _ in range(30)} == {200}
    assert {door.come("iftah_guess").status_code for _ in range(30)} == {401}


@pytest.mark.parametrize("setting", ["rate_limit", "rate_limit_failures", "rate_limit_storage"])
def test_a_limit_that_is_none_is_refused_by_the_name_of_its_setting(setting: str) -> None:
    with pytest.raises(Refused, match=r"not a limit|cannot be counted") as told:
        gate_of(Settings(**{setting: "often"}))
    assert told.value.where == f"IFTAH_{setting.upper()}"


def test_a_storage_that_does_not_answer_limits_nobody_and_is_logged_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(*_: object, **__: object) -> bool:
        raise StorageError(ConnectionError())

    rates = Rates("1/hour", "1/hour")
    with monkeypatch.context() as patched:
        for name in ("hit", "test"):
            patched.setattr(SlidingWindowCounterRateLimiter, name, away)
        for _ in range(3):
            rates.asked("t")
            rates.failed("a")
    assert [record.getMessage() for record in caplog.records] == ["requests are not counted: ConnectionError"]
    rates.asked("t")
    assert refused_for(rates)
