"""Tokens of another issuer: a real one, that publishes its keys by HTTP, changes them, hangs and goes away."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from fastapi.testclient import TestClient
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from sqlalchemy import Engine

from api import deps
from api.access import oidc
from api.access.gate import Gate, gate_of
from api.access.oidc import Issuer
from api.app import create_app
from api.settings import Settings
from api.world import World
from engine.errors import Refused
from tests.api.door import refused
from tests.api.world import NOW

AUDIENCE = "iftah-test"
RSA = [rsa.generate_private_key(65537, 2048) for _ in range(2)]
WEAK = rsa.generate_private_key(65537, 1024)
EC = ec.generate_private_key(ec.SECP256R1())


class Publisher:
    """An issuer that publishes keys at its address and counts who asks."""

    def __init__(self) -> None:
        self.keys: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.status, self.text = 200, ""
        publisher = self

        class Answers(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                publisher.asked.append(self.path)
                body = (publisher.text or json.dumps({"keys": publisher.keys})).encode()
                self.send_response(publisher.status)
                self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}/elsewhere")  # type: ignore[attr-defined]
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        self.thread = Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"
        self.publish("one", RSA[0])
        self.publish("curve", EC)

    def publish(self, kid: str, key: Any, **more: Any) -> None:
        algorithm: Any = ECAlgorithm if isinstance(key, ec.EllipticCurvePrivateKey) else RSAAlgorithm
        self.keys.append({**json.loads(algorithm.to_jwk(key.public_key())), "kid": kid, **more})

    def settings(self) -> Settings:
        return Settings(
            oidc_issuer=self.issuer,
            oidc_audience=AUDIENCE,
            oidc_jwks_url=f"{self.issuer}/keys",
            database_url="sqlite://",
        )

    def token(self, key: Any = RSA[0], kid: str | None = "one", algorithm: str = "RS256", **changes: Any) -> str:
        claims = {
            **{"iss": self.issuer, "aud": AUDIENCE, "iat": NOW, "exp": NOW + timedelta(minutes=5)},
            **{"iftah_role": "merchant", "iftah_party": "inn"},
        }
        said = {k: v for k, v in (claims | changes).items() if v is not None}
        headers = {"kid": kid, "jku": f"{self.issuer}/mine", "x5u": f"{self.issuer}/mine"}
        return jwt.encode(said, key, algorithm, {k: v for k, v in headers.items() if v is not None})

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(60)


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    made = Publisher()
    yield made
    made.close()


@pytest.fixture
def issuer(publisher: Publisher) -> Issuer:
    found = gate_of(publisher.settings()).issuer
    assert found is not None
    return found


def bad(issuer: Issuer, token: str) -> bool:
    with pytest.raises(Refused) as told:
        issuer.caller(token, NOW)
    return told.value.code == "bad_token"


def test_a_token_of_the_issuer_speaks_for_its_party_until_it_ends(publisher: Publisher, issuer: Issuer) -> None:
    for token in (publisher.token(), publisher.token(EC, "curve", "ES256")):
        caller, ends = issuer.caller(token, NOW)
        assert (caller.role, caller.party, caller.scopes) == ("merchant", "inn", None)
        assert ends == (NOW + timedelta(minutes=5)).timestamp() * 1_000_000
        assert "inn" not in caller.token
    assert publisher.asked == ["/keys"]  # once, and from nowhere that the tokens named


def test_a_token_that_is_not_as_it_must_be_is_refused(publisher: Publisher, issuer: Issuer) -> None:
    late, soon = NOW - timedelta(seconds=1), NOW + timedelta(minutes=1)
    changes: tuple[dict[str, Any], ...] = (
        *({"iss": "https://elsewhere.example"}, {"iss": None}, {"aud": "other"}, {"aud": None}, {"aud": ["a", "b"]}),
        *({"exp": NOW}, {"exp": late}, {"exp": None}, {"exp": "soon"}, {"exp": True}, {"exp": 1e300}),
        *({"nbf": soon}, {"nbf": -1}, {"iat": soon}, {"iat": None}, {"iat": "now"}, {"exp": float("nan")}),
        *({"iftah_party": None}, {"iftah_party": ""}, {"iftah_party": 7}, {"iftah_party": "iftah"}),
        *({"iftah_party": "operator"}, {"iftah_party": "a\nb"}, {"iftah_party": "x" * 129}),
        *({"iftah_role": None}, {"iftah_role": "owner"}, {"iftah_role": ["admin"]}, {"x": "x" * 9_000}),
    )
    for change in changes:
        assert bad(issuer, publisher.token(**change)), change
    assert issuer.caller(publisher.token(nbf=NOW + timedelta(seconds=29), aud=["a", AUDIENCE]), NOW)


@pytest.mark.filterwarnings("ignore::jwt.InsecureKeyLengthWarning")  # weak keys are made here
def test_a_token_that_is_not_signed_by_the_issuer_is_refused(publisher: Publisher, issuer: Issuer) -> None:
    publisher.publish("weak", WEAK)
    publisher.publish("cipher", RSA[1], use="enc")
    publisher.publish("long", RSA[1], alg="RS512")
    publisher.keys.append(
        {"kty": "oct", "kid": "secret", "k": base64.urlsafe_b64encode(b"x" * 32).decode().rstrip("=")}
    )
    public = (
        RSA[0].public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    header, payload, signature = publisher.token().split(".")
    nothing = base64.urlsafe_b64encode(b'{"alg":"none","kid":"one"}').decode().rstrip("=")
    forged = jwt.encode({"x": 1}, "x" * 64, "HS256", {"kid": "one"}).split(".")
    confused = f"{forged[0]}.{payload}"
    mac = base64.urlsafe_b64encode(hmac.digest(public, confused.encode(), hashlib.sha256)).decode().rstrip("=")
    wrong = (
        *(publisher.token(RSA[1]), publisher.token(kid=None), publisher.token(EC, "one", "ES256")),
        *(publisher.token(RSA[1], "cipher"), publisher.token(RSA[1], "long", "RS512"), publisher.token(WEAK, "weak")),
        *(publisher.token("x" * 32, "secret", "HS256"), publisher.token(RSA[0], "one", "PS256")),
        *(f"{nothing}.{payload}.", f"{nothing}.{payload}.{signature}", f"{confused}.{mac}"),
        *(f"{header}.{payload}.", f"{header}.{payload}", "..", "a.b.c", "", "é.é.é", f"{header}.e30.{signature}"),
    )
    for token in wrong:
        assert bad(issuer, token), token


def test_a_key_that_is_new_is_looked_for_once_and_not_again_for_a_while(
    publisher: Publisher, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer.caller(publisher.token(), NOW)
    publisher.keys.clear()
    publisher.publish("two", RSA[1])
    new = publisher.token(RSA[1], "two")
    assert bad(issuer, new)  # within ten seconds of the last fetch
    monkeypatch.setattr(oidc, "AGAIN", 0.0)
    assert issuer.caller(new, NOW)[0].party == "inn"
    assert bad(issuer, publisher.token())  # the old key is gone
    monkeypatch.setattr(oidc, "AGAIN", 10.0)
    asked = len(publisher.asked)
    assert all(bad(issuer, publisher.token(kid=f"guess-{n}")) for n in range(20))
    assert len(publisher.asked) == asked


def test_a_key_that_the_issuer_withdrew_is_good_for_ten_minutes_and_no_longer(
    publisher: Publisher, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = oidc.monotonic()
    token, other = publisher.token(), publisher.token(EC, "curve", "ES256")
    assert issuer.caller(token, NOW)
    publisher.keys[:] = [key for key in publisher.keys if key["kid"] != "one"]
    monkeypatch.setattr(oidc, "monotonic", lambda: began + 599)
    assert issuer.caller(token, NOW)
    assert publisher.asked == ["/keys"]
    monkeypatch.setattr(oidc, "monotonic", lambda: began + 660)
    assert bad(issuer, token)
    assert issuer.caller(other, NOW)
    assert publisher.asked == ["/keys", "/keys"]
    monkeypatch.setattr(oidc, "monotonic", lambda: began + 1_259)
    assert issuer.caller(other, NOW)
    assert publisher.asked == ["/keys", "/keys"]  # ten minutes from the last time, not from the first


def test_without_keys_there_is_no_answer_and_with_old_ones_there_is(
    publisher: Publisher, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oidc, "AGAIN", 0.0)
    for status, said in ((500, ""), (302, ""), (200, "nonsense"), (200, "[]"), (200, "{}"), (200, '{"keys": 1}')):
        publisher.status, publisher.text = status, said
        with pytest.raises(Refused) as told:
            issuer.caller(publisher.token(), NOW)
        assert told.value.code == "issuer_away"
    publisher.status, publisher.text = 200, "[" + " " * oidc.LONGEST_KEYS + "]"
    with pytest.raises(Refused, match="does not answer"):
        issuer.caller(publisher.token(), NOW)
    assert set(publisher.asked) == {"/keys"}  # where it was sent to is not asked
    publisher.text = ""
    issuer.caller(publisher.token(), NOW)
    publisher.status = 500
    monkeypatch.setattr(oidc, "LIFE", 0.0)
    assert issuer.caller(publisher.token(), NOW)
    monkeypatch.setattr(oidc, "MOST_AGE", 0.0)
    with pytest.raises(Refused, match="does not answer"):
        issuer.caller(publisher.token(), NOW)


def test_while_one_waits_for_the_issuer_the_others_go_on(
    publisher: Publisher, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer.caller(publisher.token(), NOW)
    monkeypatch.setattr(oidc, "AGAIN", 0.0)
    begun, go_on, published = Event(), Event(), oidc._published

    def slow(url: str) -> Any:
        begun.set()
        go_on.wait(10)
        return published(url)

    monkeypatch.setattr(oidc, "_published", slow)
    held = Thread(target=lambda: bad(issuer, publisher.token(kid="unknown")))
    held.start()
    assert begun.wait(10)
    assert bad(issuer, publisher.token(kid="another"))
    assert issuer.caller(publisher.token(), NOW)[0].party == "inn"
    assert held.is_alive()
    go_on.set()
    held.join(60)


def test_settings_name_an_issuer_whole_or_not_at_all() -> None:
    assert gate_of(Settings()).issuer is None
    with pytest.raises(Refused, match="by halves") as told:
        gate_of(Settings(oidc_issuer="https://id.example"))
    assert told.value.where == "IFTAH_OIDC_AUDIENCE, IFTAH_OIDC_JWKS_URL"
    for url in ("http://id.example/keys", "file:///etc/passwd", "keys"):
        with pytest.raises(Refused, match="not an address"):
            gate_of(Settings(oidc_issuer="https://id.example", oidc_audience="a", oidc_jwks_url=url))


def test_at_the_door_both_kinds_of_token_are_known_and_each_ends_in_time(publisher: Publisher, engine: Engine) -> None:
    now = NOW
    app = create_app(World(engine, None), gate=gate_of(publisher.settings()))  # type: ignore[arg-type]
    app.dependency_overrides[deps.present] = lambda: now
    client = TestClient(app, raise_server_exceptions=False)

    def come(token: str) -> Any:
        return client.get("/v1/tokens", headers={"Authorization": f"Bearer {token}"})

    admin = publisher.token(iftah_role="admin", iftah_party="ops")
    assert come(admin).status_code == 200
    refused(come(publisher.token()), 403, "wrong_role")
    refused(come(publisher.token(kid="other")), 401, "bad_token")
    refused(come("iftah_nonsense"), 401, "bad_token")
    now = NOW + timedelta(minutes=5)
    refused(come(admin), 401, "bad_token")
    plain = TestClient(create_app(World(engine, None), gate=Gate()), raise_server_exceptions=False)  # type: ignore[arg-type]
    refused(plain.get("/v1/tokens", headers={"Authorization": f"Bearer {publisher.token()}"}), 401, "bad_token")
