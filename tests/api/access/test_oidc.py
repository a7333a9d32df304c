"""Tokens of another issuer: a real one, that publishes its keys by HTTP, changes them, hangs and goes away."""

import base64
import hashlib
import hmac
from datetime import timedelta
from threading import Event, Thread
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from api.access import oidc
from api.access.oidc import Issuer
from api.http import dependencies
from api.http.app import create_app
from api.http.gate import Gate, gate_of
from api.runtime.context import AppContext
from api.settings.settings import Settings
from engine.errors import Rejected
from tests.api.access.token_publisher import AUDIENCE, EC, RSA, WEAK, Publisher, is_rejected
from tests.api.merchant_client import assert_problem
from tests.api.town import NOW


def test_an_issuer_token_authenticates_its_party_until_it_expires(publisher: Publisher, issuer: Issuer) -> None:
    for token in (publisher.token(), publisher.token(EC, "curve", "ES256")):
        caller, ends = issuer.caller(token, NOW)
        assert (caller.role, caller.party, caller.scopes) == ("merchant", "inn", None)
        assert ends == (NOW + timedelta(minutes=5)).timestamp() * 1_000_000
        assert "inn" not in caller.token
    assert publisher.requests == ["/keys"]  # once, and from nowhere that the tokens named


def test_a_token_with_wrong_claims_is_refused(publisher: Publisher, issuer: Issuer) -> None:
    past, future = NOW - timedelta(seconds=1), NOW + timedelta(minutes=1)
    changes: tuple[dict[str, Any], ...] = (
        *({"iss": "https://elsewhere.example"}, {"iss": None}, {"aud": "other"}, {"aud": None}, {"aud": ["a", "b"]}),
        *({"exp": NOW}, {"exp": past}, {"exp": None}, {"exp": "soon"}, {"exp": True}, {"exp": 1e300}),
        *({"nbf": future}, {"nbf": -1}, {"iat": future}, {"iat": None}, {"iat": "now"}, {"exp": float("nan")}),
        *({"iftah_party": None}, {"iftah_party": ""}, {"iftah_party": 7}, {"iftah_party": "iftah"}),
        *({"iftah_party": "operator"}, {"iftah_party": "a\nb"}, {"iftah_party": "x" * 129}),
        *({"iftah_role": None}, {"iftah_role": "owner"}, {"iftah_role": ["admin"]}, {"x": "x" * 9_000}),
    )
    for change in changes:
        assert is_rejected(issuer, publisher.token(**change)), change
    assert issuer.caller(publisher.token(nbf=NOW + timedelta(seconds=29), aud=["a", AUDIENCE]), NOW)


@pytest.mark.filterwarnings("ignore::jwt.InsecureKeyLengthWarning")  # weak keys are made here
def test_a_token_that_is_not_signed_by_the_issuer_is_refused(publisher: Publisher, issuer: Issuer) -> None:
    publisher.publish("weak", WEAK)
    publisher.publish("cipher", RSA[1], use="enc")
    publisher.publish("long", RSA[1], alg="RS512")
    publisher.keys.append(
        {"kty": "oct", "kid": "secret", "k": base64.urlsafe_b64encode(b"x" * 32).decode().rstrip("=")}
    )
    public_key = (
        RSA[0].public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    header, payload, signature = publisher.token().split(".")
    unsigned_header = base64.urlsafe_b64encode(b'{"alg":"none","kid":"one"}').decode().rstrip("=")
    forged_parts = jwt.encode({"x": 1}, "x" * 64, "HS256", {"kid": "one"}).split(".")
    signing_input = f"{forged_parts[0]}.{payload}"
    mac = base64.urlsafe_b64encode(hmac.digest(public_key, signing_input.encode(), hashlib.sha256)).decode().rstrip("=")
    bad_tokens = (
        *(publisher.token(RSA[1]), publisher.token(kid=None), publisher.token(EC, "one", "ES256")),
        *(publisher.token(RSA[1], "cipher"), publisher.token(RSA[1], "long", "RS512"), publisher.token(WEAK, "weak")),
        *(publisher.token("x" * 32, "secret", "HS256"), publisher.token(RSA[0], "one", "PS256")),
        *(f"{unsigned_header}.{payload}.", f"{unsigned_header}.{payload}.{signature}", f"{signing_input}.{mac}"),
        *(f"{header}.{payload}.", f"{header}.{payload}", "..", "a.b.c", "", "é.é.é", f"{header}.e30.{signature}"),
    )
    for token in bad_tokens:
        assert is_rejected(issuer, token), token


def test_an_unknown_key_is_fetched_once_and_not_again_at_once(
    publisher: Publisher, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer.caller(publisher.token(), NOW)
    publisher.keys.clear()
    publisher.publish("two", RSA[1])
    new_token = publisher.token(RSA[1], "two")
    assert is_rejected(issuer, new_token)  # within ten seconds of the last fetch
    monkeypatch.setattr(oidc, "RETRY_SECONDS", 0.0)
    assert issuer.caller(new_token, NOW)[0].party == "inn"
    assert is_rejected(issuer, publisher.token())  # the old key is gone
    monkeypatch.setattr(oidc, "RETRY_SECONDS", 10.0)
    request_count = len(publisher.requests)
    assert all(is_rejected(issuer, publisher.token(kid=f"guess-{n}")) for n in range(20))
    assert len(publisher.requests) == request_count


def test_a_withdrawn_key_is_accepted_for_ten_minutes_and_no_longer(
    publisher: Publisher, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    started_at = oidc.monotonic()
    token, other_token = publisher.token(), publisher.token(EC, "curve", "ES256")
    assert issuer.caller(token, NOW)
    publisher.keys[:] = [key for key in publisher.keys if key["kid"] != "one"]
    monkeypatch.setattr(oidc, "monotonic", lambda: started_at + 599)
    assert issuer.caller(token, NOW)
    assert publisher.requests == ["/keys"]
    monkeypatch.setattr(oidc, "monotonic", lambda: started_at + 660)
    assert is_rejected(issuer, token)
    assert issuer.caller(other_token, NOW)
    assert publisher.requests == ["/keys", "/keys"]
    monkeypatch.setattr(oidc, "monotonic", lambda: started_at + 1_259)
    assert issuer.caller(other_token, NOW)
    assert publisher.requests == ["/keys", "/keys"]  # ten minutes from the last time, not from the first


def test_without_keys_requests_fail_and_with_old_keys_they_succeed(
    publisher: Publisher, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oidc, "RETRY_SECONDS", 0.0)
    for status, text in ((500, ""), (302, ""), (200, "nonsense"), (200, "[]"), (200, "{}"), (200, '{"keys": 1}')):
        publisher.status, publisher.text = status, text
        with pytest.raises(Rejected) as error:
            issuer.caller(publisher.token(), NOW)
        assert error.value.code == "issuer_unavailable"
    publisher.status, publisher.text = 200, "[" + " " * oidc.MAX_KEYS_BYTES + "]"
    with pytest.raises(Rejected, match="does not answer"):
        issuer.caller(publisher.token(), NOW)
    assert set(publisher.requests) == {"/keys"}  # where it was sent to is not asked
    publisher.text = ""
    issuer.caller(publisher.token(), NOW)
    publisher.status = 500
    monkeypatch.setattr(oidc, "KEY_REFRESH_SECONDS", 0.0)
    assert issuer.caller(publisher.token(), NOW)
    monkeypatch.setattr(oidc, "MAX_KEY_AGE", 0.0)
    with pytest.raises(Rejected, match="does not answer"):
        issuer.caller(publisher.token(), NOW)


def test_other_requests_continue_while_one_waits_for_the_issuer(
    publisher: Publisher, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer.caller(publisher.token(), NOW)
    monkeypatch.setattr(oidc, "RETRY_SECONDS", 0.0)
    fetch_started, resume, original = Event(), Event(), oidc._fetch_keys

    def slow(url: str) -> Any:
        fetch_started.set()
        resume.wait(10)
        return original(url)

    monkeypatch.setattr(oidc, "_fetch_keys", slow)
    thread = Thread(target=lambda: is_rejected(issuer, publisher.token(kid="unknown")))
    thread.start()
    assert fetch_started.wait(10)
    assert is_rejected(issuer, publisher.token(kid="another"))
    assert issuer.caller(publisher.token(), NOW)[0].party == "inn"
    assert thread.is_alive()
    resume.set()
    thread.join(60)


def test_incomplete_oidc_settings_are_rejected() -> None:
    assert gate_of(Settings()).issuer is None
    with pytest.raises(Rejected, match="by halves") as error:
        gate_of(Settings(oidc_issuer="https://id.example"))
    assert error.value.where == "IFTAH_OIDC_AUDIENCE, IFTAH_OIDC_JWKS_URL"
    for url in ("http://id.example/keys", "file:///etc/passwd", "keys"):
        with pytest.raises(Rejected, match="not an address"):
            gate_of(Settings(oidc_issuer="https://id.example", oidc_audience="a", oidc_jwks_url=url))


def test_the_api_accepts_both_kinds_of_token_until_they_expire(publisher: Publisher, database: Engine) -> None:
    now = NOW
    app = create_app(AppContext(database, None), gate=gate_of(publisher.settings()))  # type: ignore[arg-type]
    app.dependency_overrides[dependencies.get_now] = lambda: now
    client = TestClient(app, raise_server_exceptions=False)

    def list_tokens(secret: str) -> Any:
        return client.get("/v1/tokens", headers={"Authorization": f"Bearer {secret}"})

    admin_token = publisher.token(iftah_role="admin", iftah_party="ops")
    assert list_tokens(admin_token).status_code == 200
    assert_problem(list_tokens(publisher.token()), 403, "wrong_role")
    assert_problem(list_tokens(publisher.token(kid="other")), 401, "bad_token")
    assert_problem(list_tokens("iftah_nonsense"), 401, "bad_token")
    now = NOW + timedelta(minutes=5)
    assert_problem(list_tokens(admin_token), 401, "bad_token")
    plain_client = TestClient(create_app(AppContext(database, None), gate=Gate()), raise_server_exceptions=False)  # type: ignore[arg-type]
    assert_problem(
        plain_client.get("/v1/tokens", headers={"Authorization": f"Bearer {publisher.token()}"}), 401, "bad_token"
    )
