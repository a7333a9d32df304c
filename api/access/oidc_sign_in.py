"""Sign in to the pages at another issuer: OpenID Connect's code flow with PKCE (RFC 7636).

We store what the flow needs, and the browser keeps a secret in a cookie: whoever comes back must bring both that secret and the
`state` that we sent. We exchange the code ourselves, and check the identity token as we check the issuer's other tokens.
"""

import base64
import hashlib
import hmac
import logging
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import httpx2

from api.access import presence, sessions
from api.access.auth import Caller, bad_token, digest
from api.access.oidc import Issuer, fetch_object
from api.settings.settings import Settings
from api.store.database import Database, reading
from engine.errors import Rejected

log = logging.getLogger("iftah")

CALLBACK: Final = "/sign-in/oidc/callback"
FLOW_LIFETIME: Final = timedelta(minutes=10)  # in which a person signs in there
KIND: Final = "oidc"


@dataclass(frozen=True)
class Departure:
    """Where the browser goes, and the secret that it keeps in a cookie meanwhile."""

    url: str
    secret: str


@dataclass(frozen=True)
class Arrival:
    """Who came back, to which page, and for which session if it was to confirm one."""

    caller: Caller
    address: str
    confirms: str | None


@dataclass(frozen=True)
class CodeFlow:
    """The issuer's addresses, and our name there."""

    issuer: Issuer
    authorize_url: str
    token_url: str
    client_id: str
    client_secret: str
    redirect_url: str

    def depart(self, database: Database, address: str, now: datetime, confirms: str | None = None) -> Departure:
        """Begin a sign-in that ends at a page of ours. With the digest of a session, the person must sign in anew to confirm it."""
        verifier, nonce, secret = (secrets.token_urlsafe(32) for _ in range(3))
        content = {
            "verifier": verifier,
            "nonce": nonce,
            "browser": digest(secret),
            "next": address,
            "confirms": confirms,
        }
        state = sessions.begin_sign_in(database, KIND, content, now, FLOW_LIFETIME)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        query = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_url,
            "scope": "openid",
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        } | ({"prompt": "login", "max_age": "0"} if confirms else {})
        return Departure(f"{self.authorize_url}?{urlencode(query)}", secret)

    def arrive(self, database: Database, state: str, code: str, secret: str, now: datetime) -> Arrival:
        """Complete a sign-in. Raises Rejected `bad_token` for anything that does not fit, and `issuer_unavailable`."""
        content = sessions.complete_sign_in(database, KIND, state, now)
        if content is None or not hmac.compare_digest(digest(secret), content["browser"]):
            raise bad_token()
        token = self._exchange(code, content["verifier"])
        claims, _ = self.issuer.verify(token, now, self.client_id)
        if claims.get("nonce") != content["nonce"] or (content["confirms"] and not _is_recent(claims, now)):
            raise bad_token()
        caller = self.issuer.caller_of(claims, token)
        if caller.role == "subject":
            with reading(database) as connection:
                presence.require(connection, caller.party)
        return Arrival(caller, content["next"], content["confirms"])

    def _exchange(self, code: str, verifier: str) -> str:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_url,
            "client_id": self.client_id,
            "code_verifier": verifier,
        } | ({"client_secret": self.client_secret} if self.client_secret else {})
        try:
            token = fetch_object("POST", self.token_url, form).get("id_token")
        except httpx2.HTTPStatusError as error:
            if error.response.status_code < 500:
                raise bad_token() from None
            raise _unavailable(error) from None
        except (httpx2.HTTPError, ValueError) as error:
            raise _unavailable(error) from None
        if not isinstance(token, str):
            raise bad_token()
        return token


def flow_of(settings: Settings, issuer: Issuer | None) -> CodeFlow | None:
    """The code flow of the settings; None when they name none. Raises Rejected when they name it by halves."""
    values = {
        "IFTAH_OIDC_AUTHORIZE_URL": settings.oidc_authorize_url,
        "IFTAH_OIDC_TOKEN_URL": settings.oidc_token_url,
        "IFTAH_OIDC_CLIENT_ID": settings.oidc_client_id,
    }
    if not any(values.values()):
        return None
    values["IFTAH_PUBLIC_URL"] = settings.public_url
    missing = [name for name, value in values.items() if not value]
    if missing or issuer is None:
        where = ", ".join(missing) or "IFTAH_OIDC_ISSUER"
        hint = "set all of them, and the issuer whose tokens we accept"
        raise Rejected("sign-in at another issuer is set by halves", where=where, hint=hint, code="bad_setting")
    for name in ("IFTAH_OIDC_AUTHORIZE_URL", "IFTAH_OIDC_TOKEN_URL", "IFTAH_PUBLIC_URL"):
        parts = urlsplit(values[name])
        if parts.scheme != "https" and (parts.scheme, parts.hostname) not in (
            ("http", "127.0.0.1"),
            ("http", "localhost"),
        ):
            hint = "write an https address; http is for this machine alone"
            raise Rejected("not an address for signing in", where=name, hint=hint, code="bad_setting")
    redirect_url = settings.public_url.rstrip("/") + CALLBACK
    return CodeFlow(
        issuer,
        settings.oidc_authorize_url,
        settings.oidc_token_url,
        settings.oidc_client_id,
        settings.oidc_client_secret,
        redirect_url,
    )


def _is_recent(claims: Any, now: datetime) -> bool:
    """Whether the person signed in there within the time for which a confirmation holds."""
    at = claims.get("auth_time")
    is_number = isinstance(at, int | float) and not isinstance(at, bool)
    return is_number and now.timestamp() - float(at) <= sessions.CONFIRMATION.total_seconds()


def _unavailable(error: Exception) -> Rejected:
    log.error("the other issuer did not exchange a code: %s", type(error).__name__)
    message, hint = "the issuer does not answer", "try again"
    return Rejected(message, where="sign-in", hint=hint, code="issuer_unavailable")
