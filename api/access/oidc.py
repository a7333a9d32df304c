"""Tokens of another issuer: JWTs by OpenID Connect, checked by the keys that the issuer publishes.

We fetch keys from the one address in the settings and never from an address that a token names. For an unknown key we fetch
once more, at most every ten seconds; meanwhile other requests use the cached keys.
"""

import json
import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from threading import Lock
from time import monotonic
from typing import Final
from urllib.parse import urlsplit

import httpx2
import jwt
from jwt import PyJWK, PyJWKSet

from api.access.auth import OIDC_ID_PREFIX, Caller, bad_token, digest
from api.access.tokens import check
from api.settings.settings import Settings
from api.store.clock import micros
from engine.errors import Rejected
from graph.evidence.unique_keys import object_with_unique_keys

log = logging.getLogger("iftah")

ALGORITHMS: Final = ("RS256", "ES256")
CLOCK_SKEW: Final = timedelta(seconds=30)  # how far the issuer's clock may be ahead
KEY_REFRESH_SECONDS: Final = 600.0  # seconds after which keys are fetched anew
MAX_KEY_AGE: Final = 86_400.0  # seconds that keys are used while the issuer does not answer
RETRY_SECONDS: Final = 10.0  # seconds between two tries
TIMEOUT: Final = 5.0  # seconds
MAX_TOKEN_CHARS, MAX_KEYS_BYTES = 8_192, 1_000_000  # characters, bytes
MAX_TIMESTAMP: Final = 253_402_300_800  # the year 10000: no time of a token is later


class Issuer:
    """One issuer, its audience, and where its keys are."""

    def __init__(self, issuer: str, audience: str, keys: str, role_claim: str, party_claim: str) -> None:
        self.issuer, self.audience = issuer, audience
        self.role_claim, self.party_claim = role_claim, party_claim
        self._keys = _KeySet(keys)

    def caller(self, token: str, now: datetime) -> tuple[Caller, int]:
        """The caller of the token, and its end (microseconds).

        Raises Rejected `bad_token` for every problem of the token, and `issuer_unavailable` when we could get no key.
        """
        claims, ends = self.verify(token, now, self.audience)
        return self.caller_of(claims, token), ends

    def verify(self, token: str, now: datetime, audience: str) -> tuple[Mapping[str, object], int]:
        """The claims of a token for that audience, and its end (microseconds). Raises Rejected as `caller`."""
        try:
            kid = jwt.get_unverified_header(token).get("kid") if len(token) <= MAX_TOKEN_CHARS else None
            key = self._keys.get(kid) if isinstance(kid, str) else None
            if key is None:
                raise bad_token()
            claims: Mapping[str, object] = jwt.decode(
                token,
                key,
                algorithms=ALGORITHMS,
                audience=audience,
                issuer=self.issuer,
                # times are compared below with the `now` that everything else is compared with
                options={
                    "require": ["exp", "iat", "iss", "aud"],
                    "enforce_minimum_key_length": True,
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                },
            )
            return claims, _expiry(claims, now)
        except jwt.PyJWTError:
            raise bad_token() from None

    def caller_of(self, claims: Mapping[str, object], token: str) -> Caller:
        """The caller that claims name. Raises Rejected `bad_token` if they name none."""
        role, party = claims.get(self.role_claim), claims.get(self.party_claim)
        if not isinstance(role, str) or not isinstance(party, str):
            raise bad_token()
        try:
            check(role, party)
        except Rejected:
            raise bad_token() from None
        return Caller(f"{OIDC_ID_PREFIX}-{digest(token)[:16]}", role, party)


def issuer_of(settings: Settings) -> Issuer | None:
    """The issuer of the settings; None when they name none. Raises Rejected when they name it by halves."""
    values = {
        "IFTAH_OIDC_ISSUER": settings.oidc_issuer,
        "IFTAH_OIDC_AUDIENCE": settings.oidc_audience,
        "IFTAH_OIDC_JWKS_URL": settings.oidc_jwks_url,
    }
    missing = [name for name, value in values.items() if not value]
    if len(missing) == len(values):
        return None
    if missing:
        hint = "set all three, or none"
        raise Rejected("another issuer is named by halves", where=", ".join(missing), hint=hint, code="bad_setting")
    parts = urlsplit(settings.oidc_jwks_url)
    if parts.scheme != "https" and (parts.scheme, parts.hostname) not in (("http", "127.0.0.1"), ("http", "localhost")):
        hint = "keys come by https; by http from this machine alone"
        raise Rejected("not an address of keys", where="IFTAH_OIDC_JWKS_URL", hint=hint, code="bad_setting")
    return Issuer(
        settings.oidc_issuer,
        settings.oidc_audience,
        settings.oidc_jwks_url,
        settings.oidc_role_claim,
        settings.oidc_party_claim,
    )


def _expiry(claims: Mapping[str, object], now: datetime) -> int:
    """When the token ends. Raises Rejected when it is over, has not begun, or was issued in the time to come."""
    moment, skew = micros(now), CLOCK_SKEW // timedelta(microseconds=1)
    expires_at, issued_at, not_before = (_time(claims.get(c, 0)) for c in ("exp", "iat", "nbf"))
    if expires_at <= moment or issued_at > moment + skew or not_before > moment + skew:
        raise bad_token()
    return expires_at


def _time(value: object) -> int:
    """A time of a token, seconds since 1970, as microseconds."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < MAX_TIMESTAMP:
        raise bad_token()
    return int(value * 1_000_000)


class _KeySet:
    """The keys that the issuer publishes, by id."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._lock = Lock()
        self._keys: dict[str, PyJWK] = {}
        self._fetched_at = self._tried_at = float("-inf")

    def get(self, kid: str) -> PyJWK | None:
        """The key of that id. Raises Rejected `issuer_unavailable` while there is no key at all."""
        age = monotonic() - self._fetched_at
        if kid not in self._keys or age > KEY_REFRESH_SECONDS:
            self._fetch(wait=age > MAX_KEY_AGE)
        if monotonic() - self._fetched_at > MAX_KEY_AGE:
            message, hint = "the issuer of this token does not answer", "try again"
            raise Rejected(message, where="Authorization", hint=hint, code="issuer_unavailable")
        return self._keys.get(kid)

    def _fetch(self, *, wait: bool) -> None:
        """Fetch the keys, one thread at a time. `wait`: the other threads wait, instead of using the cached keys."""
        if not self._lock.acquire(timeout=TIMEOUT if wait else 0):
            return
        try:
            if monotonic() - self._tried_at < RETRY_SECONDS:
                return
            self._tried_at = monotonic()
            self._keys, self._fetched_at = _fetch_keys(self.url), monotonic()
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError, jwt.PyJWTError) as error:
            log.error("the keys of the other issuer cannot be had: %s", type(error).__name__)
        finally:
            self._lock.release()


def _fetch_keys(url: str) -> dict[str, PyJWK]:
    """The keys at the address that may be used here. Raises ValueError when the answer holds no keys."""
    payload = fetch_object("GET", url)
    keys = PyJWKSet.from_dict(payload).keys
    return {k.key_id: k for k in keys if k.key_id and k.public_key_use in ("sig", None)}


def fetch_object(method: str, url: str, form: Mapping[str, str] | None = None) -> dict[str, object]:
    """The JSON object at an address of the settings, of bounded size and in bounded time.

    Raises ValueError for another answer, and the errors of httpx2.
    """
    with (
        httpx2.Client(timeout=TIMEOUT, follow_redirects=False, trust_env=False) as client,
        client.stream(method, url, data=form) as response,
    ):
        response.raise_for_status()
        content, deadline = b"", monotonic() + TIMEOUT
        for chunk in response.iter_bytes():
            content += chunk
            if len(content) > MAX_KEYS_BYTES or monotonic() > deadline:
                raise ValueError(url)
    payload = json.loads(content, object_pairs_hook=object_with_unique_keys)
    if not isinstance(payload, dict):
        raise ValueError(url)
    return payload
