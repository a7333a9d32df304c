"""Rate limits for requests of a token and for bad tokens of an address. Beyond them you get 429 with Retry-After."""

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

from api.access import auth, tokens
from api.access.rates import Rates, TooManyRequests
from api.http import dependencies
from api.http.gate import Gate, gate_of
from api.runtime.context import AppContext
from api.settings.settings import Settings
from api.store.database import open_database
from engine.errors import Rejected
from tests.api.app_pool import borrow_app
from tests.api.merchant_client import assert_problem
from tests.api.town import NOW


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Engine]:
    """The kind of database does not matter here."""
    database = open_database(f"sqlite:///{tmp_path / 'iftah.db'}")
    yield database
    database.dispose()


class RateLimitedClient:
    """An app with these limits. All requests come from one address."""

    def __init__(self, database: Engine, rates: Rates) -> None:
        self.database = database
        app = borrow_app(AppContext(database, None), gate=Gate(rates))  # type: ignore[arg-type]
        app.dependency_overrides[dependencies.get_now] = lambda: NOW
        self.http = TestClient(app, raise_server_exceptions=False)
        self.secrets = [
            tokens.issue(database, "admin", "ops", "x", NOW, NOW + timedelta(days=1)).secret for _ in range(2)
        ]

    def list_tokens(self, secret: str) -> Any:
        return self.http.get("/v1/tokens", headers={"Authorization": f"Bearer {secret}"})


def test_too_many_requests_of_a_token_get_retry_after(database: Engine) -> None:
    client = RateLimitedClient(database, Rates("3/hour"))
    assert [client.list_tokens(client.secrets[0]).status_code for _ in range(3)] == [200, 200, 200]
    response = client.list_tokens(client.secrets[0])
    assert_problem(response, 429, "too_many_requests")
    assert 1 <= int(response.headers["Retry-After"]) <= 3600
    assert client.list_tokens(client.secrets[1]).status_code == 200  # each has a limit of its own


def test_a_request_after_retry_after_is_answered() -> None:
    rates, wait_seconds = Rates("2/second"), 0
    while not wait_seconds:
        wait_seconds = seconds_to_wait(rates)
    time.sleep(wait_seconds)
    assert seconds_to_wait(rates) == 0


def test_refused_requests_do_not_delay_the_next_answer() -> None:
    rates, started_at, answer_count = Rates("4/second"), time.monotonic(), 0
    while time.monotonic() - started_at < 1.5:
        answer_count += not seconds_to_wait(rates)
        time.sleep(0.01)
    answer_count += not seconds_to_wait(rates)  # the first second's, if the machine was busy until now
    assert 5 <= answer_count <= 4 * (time.monotonic() - started_at + 1)


def seconds_to_wait(rates: Rates) -> int:
    """The seconds after which you may repeat the request; 0 if we answered it."""
    try:
        rates.count_request("t")
    except TooManyRequests as error:
        return error.retry_after
    return 0


def test_guesses_are_limited_and_do_not_lock_out_cached_tokens(database: Engine) -> None:
    client = RateLimitedClient(database, Rates(failures="3/hour"))
    assert client.list_tokens(client.secrets[0]).status_code == 200
    for n in range(3):
        assert_problem(client.list_tokens(f"iftah_guess{n}"), 401, "bad_token")
    response = client.list_tokens("iftah_guess3")
    assert_problem(response, 429, "too_many_requests")
    assert int(response.headers["Retry-After"]) >= 1
    assert_problem(client.list_tokens(client.secrets[1]), 429, "too_many_requests")  # we do not reveal a right guess
    auth.forget(database)  # still known, though we must look it up again
    assert client.list_tokens(client.secrets[0]).status_code == 200
    tokens.revoke(database, "x", NOW)
    assert_problem(client.list_tokens(client.secrets[0]), 429, "too_many_requests")


def test_zero_means_no_limit(database: Engine) -> None:
    client = RateLimitedClient(database, Rates("0", "0"))
    assert {client.list_tokens(client.secrets[0]).status_code for _ in range(30)} == {200}
    assert {client.list_tokens("iftah_guess").status_code for _ in range(30)} == {401}


@pytest.mark.parametrize("setting", ["rate_limit", "rate_limit_failures", "rate_limit_storage"])
def test_an_invalid_limit_is_refused_with_its_setting(setting: str) -> None:
    with pytest.raises(Rejected, match=r"not a limit|cannot be counted") as error:
        gate_of(Settings(**{setting: "often"}))
    assert error.value.where == f"IFTAH_{setting.upper()}"


def test_an_unreachable_storage_limits_no_request_and_is_logged_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def raise_storage_error(*_: object, **__: object) -> bool:
        raise StorageError(ConnectionError())

    rates = Rates("1/hour", "1/hour")
    with monkeypatch.context() as patch:
        for name in ("hit", "test"):
            patch.setattr(SlidingWindowCounterRateLimiter, name, raise_storage_error)
        for _ in range(3):
            rates.count_request("t")
            rates.count_failure("a")
    assert [record.getMessage() for record in caplog.records] == ["requests are not counted: ConnectionError"]
    rates.count_request("t")
    assert seconds_to_wait(rates)
