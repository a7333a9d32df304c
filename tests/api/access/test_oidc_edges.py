"""Limits of OIDC tokens: the last second, the longest token, and the oldest key that we still use."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from typing import Any

import jwt
import pytest

from api.access import oidc
from api.access.oidc import Issuer
from api.http.gate import gate_of
from api.settings.settings import Settings
from engine.errors import Rejected
from tests.api.access.token_publisher import EC, RSA, Publisher, is_rejected
from tests.api.town import NOW

SECOND = timedelta(seconds=1)


class Clock:
    """A monotonic clock: it counts seconds from an unknown start."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000.0
        monkeypatch.setattr(oidc, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.mark.parametrize(
    ("claims", "good"),
    [
        ({"exp": NOW + SECOND}, True),
        ({"exp": NOW}, False),
        ({"iat": NOW + 30 * SECOND}, True),
        ({"iat": NOW + 31 * SECOND}, False),
        ({"nbf": NOW + 30 * SECOND}, True),
        ({"nbf": NOW + 31 * SECOND}, False),
        ({"nbf": 0}, True),
        ({"iat": 0}, True),
        ({"exp": 253_402_300_799}, True),  # 9999-12-31T23:59:59Z
        ({"exp": 253_402_300_800}, False),
        ({"iat": NOW.timestamp() + 0.5}, True),
        ({"iftah_party": "x" * 128}, True),
    ],
    ids=str,
)
def test_token_times_count_to_the_second(
    publisher: Publisher, issuer: Issuer, claims: dict[str, Any], good: bool
) -> None:
    token = publisher.token(**claims)
    if good:
        assert issuer.caller(token, NOW)
    else:
        assert is_rejected(issuer, token)


def test_the_end_of_a_token_is_in_microseconds(publisher: Publisher, issuer: Issuer) -> None:
    ends = NOW.timestamp() + 7.25
    assert issuer.caller(publisher.token(exp=ends), NOW)[1] == int(ends * 1_000_000)


def test_two_tokens_of_one_party_have_different_ids(publisher: Publisher, issuer: Issuer) -> None:
    names = {issuer.caller(publisher.token(exp=NOW + n * SECOND), NOW)[0].token for n in (1, 2, 2)}
    assert len(names) == 2
    assert all(name.startswith("issued-") and len(name) == len("issued-") + 16 for name in names)


def test_a_token_of_eight_kilobytes_is_accepted_and_a_longer_one_is_not(publisher: Publisher, issuer: Issuer) -> None:
    claims = jwt.decode(publisher.token(), options={"verify_signature": False})

    def pad_token(head: int, body: int) -> str:
        return jwt.encode(claims | {"pad": "x" * body}, RSA[0], "RS256", {"kid": "one", "pad": "x" * head})

    def token_of_length(length: int) -> str:
        max_padding = (length - len(pad_token(0, 0))) * 3 // 4
        tokens = (pad_token(max_padding - head, body) for head in range(6) for body in range(6))
        return next(token for token in tokens if len(token) == length)

    assert issuer.caller(token_of_length(8_192), NOW)
    assert is_rejected(issuer, token_of_length(8_193))


def test_a_key_document_of_a_million_bytes_is_accepted_and_a_longer_one_is_not(
    publisher: Publisher, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = json.dumps({"keys": publisher.keys})
    publisher.text = document + " " * (1_000_001 - len(document))
    with pytest.raises(Rejected, match="does not answer"):
        issuer.caller(publisher.token(), NOW)
    monkeypatch.setattr(oidc, "RETRY_SECONDS", 0.0)
    publisher.text = publisher.text[:-1]
    assert issuer.caller(publisher.token(), NOW)


def test_keys_are_fetched_again_after_ten_minutes(publisher: Publisher, issuer: Issuer, clock: Clock) -> None:
    publisher.publish("two", RSA[1])
    assert issuer.caller(publisher.token(), NOW)
    clock.now += 600
    publisher.keys.pop(0)  # the issuer withdraws it
    assert issuer.caller(publisher.token(), NOW)
    assert len(publisher.requests) == 1
    clock.now += 1
    assert is_rejected(issuer, publisher.token())
    assert issuer.caller(publisher.token(RSA[1], "two"), NOW)
    assert len(publisher.requests) == 2


def test_an_unknown_key_is_fetched_at_most_every_ten_seconds(
    publisher: Publisher, issuer: Issuer, clock: Clock
) -> None:
    assert issuer.caller(publisher.token(), NOW)
    for seconds, request_count in ((9, 1), (1, 2), (9, 2), (1, 3)):
        clock.now += seconds
        assert is_rejected(issuer, publisher.token(kid="unknown"))
        assert len(publisher.requests) == request_count


def test_old_keys_are_used_for_a_day_while_the_issuer_does_not_answer(
    publisher: Publisher, issuer: Issuer, clock: Clock
) -> None:
    assert issuer.caller(publisher.token(), NOW)
    publisher.status = 500
    clock.now += 86_400
    assert issuer.caller(publisher.token(), NOW)
    clock.now += 1
    with pytest.raises(Rejected, match="does not answer") as error:
        issuer.caller(publisher.token(), NOW)
    assert error.value.code == "issuer_unavailable"
    publisher.status = 200
    clock.now += 10
    assert issuer.caller(publisher.token(), NOW)


def test_signing_keys_are_used_and_keys_without_an_id_are_not(publisher: Publisher, issuer: Issuer) -> None:
    publisher.keys.clear()
    publisher.publish("", RSA[0])
    publisher.publish("signs", RSA[1], use="sig")
    assert issuer.caller(publisher.token(RSA[1], "signs"), NOW)
    assert is_rejected(issuer, publisher.token(RSA[0], ""))


@pytest.mark.parametrize("url", ["https://id.example/keys", "http://127.0.0.1:1/keys", "http://localhost:1/keys"])
def test_keys_are_fetched_by_https_or_from_localhost(url: str) -> None:
    gate = gate_of(Settings(oidc_issuer="https://id.example", oidc_audience="a", oidc_jwks_url=url))
    assert gate.issuer is not None


def test_proxy_variables_of_the_environment_do_not_redirect_the_key_fetch(
    publisher: Publisher, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # where no server answers
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert issuer.caller(publisher.token(), NOW)


def test_who_asks_while_the_first_keys_are_fetched_waits_for_them(
    publisher: Publisher, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, may_answer, fetch_keys = Event(), Event(), oidc._fetch_keys

    def fetch_slowly(url: str) -> Any:
        started.set()
        assert may_answer.wait(60)
        return fetch_keys(url)

    monkeypatch.setattr(oidc, "_fetch_keys", fetch_slowly)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(issuer.caller, publisher.token(), NOW)
        assert started.wait(60)
        second = threads.submit(issuer.caller, publisher.token(EC, "curve", "ES256"), NOW)
        with pytest.raises(TimeoutError):
            second.result(0.5)
        may_answer.set()
        assert [future.result(60)[0].party for future in (first, second)] == ["inn", "inn"]
    assert publisher.requests == ["/keys"]
