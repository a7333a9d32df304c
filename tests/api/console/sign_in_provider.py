"""An issuer where people sign in: OpenID Connect's authorization and token endpoints, as RFC 6749 and RFC 7636 have them."""

import base64
import hashlib
import json
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from api.settings.settings import Settings
from api.store import clock

KEY = rsa.generate_private_key(65537, 2048)
CLIENT, SECRET = "iftah-pages", "client-secret"


class SignInProvider:
    """It signs everybody in at once as `party` in `role`, and keeps to its protocol strictly."""

    def __init__(self) -> None:
        self.role, self.party = "admin", "root"
        self.claims: dict[str, Any] = {}  # replace claims of identity tokens
        self.requests: dict[str, dict[str, str]] = {}  # by code
        provider = self

        class ProviderHandler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                if parts.path == "/keys":
                    key = {**json.loads(RSAAlgorithm.to_jwk(KEY.public_key())), "kid": "one"}
                    self.answer(200, {"keys": [key]})
                    return
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                code = uuid4().hex
                provider.requests[code] = query
                back = urlencode({"code": code, "state": query["state"]})
                self.send_response(302)
                self.send_header("Location", f"{query['redirect_uri']}?{back}")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                form = {name: values[0] for name, values in parse_qs(body).items()}
                query = provider.requests.pop(form.get("code", ""), None)
                if query is None or not provider.accepts(form, query):
                    self.answer(400, {"error": "invalid_grant"})
                    return
                self.answer(200, {"access_token": "x", "token_type": "Bearer", "id_token": provider.token(query)})

            def answer(self, status: int, document: Any) -> None:
                content = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), ProviderHandler)
        self.thread = Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def accepts(self, form: dict[str, str], query: dict[str, str]) -> bool:
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        expected = (query["code_challenge"], query["redirect_uri"], CLIENT, SECRET, "authorization_code")
        fields = tuple(form.get(name) for name in ("redirect_uri", "client_id", "client_secret", "grant_type"))
        return (challenge.decode().rstrip("="), *fields) == expected and query["code_challenge_method"] == "S256"

    def token(self, query: dict[str, str]) -> str:
        now = clock.now()
        claims = {
            "iss": self.url,
            "aud": CLIENT,
            "sub": self.party,
            "iat": now,
            "exp": now + timedelta(minutes=5),
            "auth_time": int(now.timestamp()),
            "nonce": query["nonce"],
            "iftah_role": self.role,
            "iftah_party": self.party,
        }
        return jwt.encode(claims | self.claims, KEY, "RS256", {"kid": "one"})

    def settings(self, public_url: str) -> Settings:
        return Settings(
            oidc_issuer=self.url,
            oidc_audience="iftah-api",
            oidc_jwks_url=f"{self.url}/keys",
            oidc_authorize_url=f"{self.url}/authorize",
            oidc_token_url=f"{self.url}/token",
            oidc_client_id=CLIENT,
            oidc_client_secret=SECRET,
            public_url=public_url,
            database_url="sqlite://",
        )

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(60)
