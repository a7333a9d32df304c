"""An issuer of tokens: it publishes its keys by HTTP, and signs the tokens that its tests need."""

import json
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from api.access.oidc import Issuer
from api.settings.settings import Settings
from engine.errors import Rejected
from tests.api.town import NOW

AUDIENCE = "iftah-test"
RSA = [rsa.generate_private_key(65537, 2048) for _ in range(2)]
WEAK = rsa.generate_private_key(65537, 1024)
EC = ec.generate_private_key(ec.SECP256R1())


class Publisher:
    """An issuer that publishes keys at its address and counts who asks."""

    def __init__(self) -> None:
        self.keys: list[dict[str, Any]] = []
        self.requests: list[str] = []
        self.status, self.text = 200, ""
        publisher = self

        class JwksHandler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                publisher.requests.append(self.path)
                body = (publisher.text or json.dumps({"keys": publisher.keys})).encode()
                self.send_response(publisher.status)
                self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}/elsewhere")  # type: ignore[attr-defined]
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), JwksHandler)
        self.thread = Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"
        self.publish("one", RSA[0])
        self.publish("curve", EC)

    def publish(self, kid: str, key: Any, **fields: Any) -> None:
        algorithm: Any = ECAlgorithm if isinstance(key, ec.EllipticCurvePrivateKey) else RSAAlgorithm
        self.keys.append({**json.loads(algorithm.to_jwk(key.public_key())), "kid": kid, **fields})

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
        payload = {k: v for k, v in (claims | changes).items() if v is not None}
        headers = {"kid": kid, "jku": f"{self.issuer}/mine", "x5u": f"{self.issuer}/mine"}
        return jwt.encode(payload, key, algorithm, {k: v for k, v in headers.items() if v is not None})

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(60)


def is_rejected(issuer: Issuer, token: str) -> bool:
    with pytest.raises(Rejected) as error:
        issuer.caller(token, NOW)
    return error.value.code == "bad_token"
