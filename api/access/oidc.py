"""Tokens of another issuer: JWTs by OpenID Connect, checked by the keys that the issuer publishes.

Keys are fetched from the one address in the settings and from nowhere that a token names. A key that is not known is looked
for once more, at most every ten seconds, while everybody else goes on with the keys that are known.
"""

import json
import logging
from datetime import datetime, timedelta
from threading import Lock
from time import monotonic
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2
import jwt
from jwt import PyJWK, PyJWKSet

from api.access.auth import ISSUED, Caller, bad_token, digest
from api.access.tokens import check
from api.clock import micros
from api.settings import Settings
from engine.errors import Refused
from graph.json_keys import once

log = logging.getLogger("iftah")

ALGORITHMS: Final = ("RS256", "ES256")
SKEW: Final = timedelta(seconds=30)  # how far the issuer's clock may be ahead
LIFE: Final = 600.0  # seconds after which keys are fetched anew
MOST_AGE: Final = 86_400.0  # seconds that keys are used while the issuer does not answer
AGAIN: Final = 10.0  # seconds between two tries
TIMEOUT: Final = 5.0  # seconds
LONGEST_TOKEN, LONGEST_KEYS = 8_192, 1_000_000  # characters, bytes
LATEST: Final = 253_402_300_800  # the year 10000: no time of a token is later


class Issuer:
    """One issuer, its audience, and where its keys are."""

    def __init__(self, issuer: str, audience: str, keys: str, role_claim: str, party_claim: str) -> None:
        self.issuer, self.audience = issuer, audience
        self.role_claim, self.party_claim = role_claim, party_claim
        self._keys = _Keys(keys)

    def caller(self, token: str, now: datetime) -> tuple[Caller, int]:
        """Whom the token speaks for, and until when (microseconds).

        Raises Refused `bad_token` for whatever is wrong with it, and `issuer_away` when no key could be had.
        """
        try:
            kid = jwt.get_unverified_header(token).get("kid") if len(token) <= LONGEST_TOKEN else None
            key = self._keys.of(kid) if isinstance(kid, str) else None
            if key is None:
                raise bad_token()
            claims = jwt.decode(
                token,
                key,
                algorithms=ALGORITHMS,
                audience=self.audience,
                issuer=self.issuer,
                # times are compared below with the `now` that everything else is compared with
                options={
                    **{"require": ["exp", "iat", "iss", "aud"], "enforce_minimum_key_length": True},
                    **{"verify_exp": False, "verify_nbf": False, "verify_iat": False},
                },
            )
            ends = _until(claims, now)
            return self._caller(claims, token), ends
        except jwt.PyJWTError:
            raise bad_token() from None

    def _caller(self, claims: dict[str, Any], token: str) -> Caller:
        role, party = claims.get(self.role_claim), claims.get(self.party_claim)
        if not isinstance(role, str) or not isinstance(party, str):
            raise bad_token()
        try:
            check(role, party)
        except Refused:
            raise bad_token() from None
        return Caller(f"{ISSUED}-{digest(token)[:16]}", role, party)


def issuer_of(settings: Settings) -> Issuer | None:
    """The issuer of the settings; None when they name none. Raises Refused when they name it by halves."""
    named = {
        "IFTAH_OIDC_ISSUER": settings.oidc_issuer,
        "IFTAH_OIDC_AUDIENCE": settings.oidc_audience,
        "IFTAH_OIDC_JWKS_URL": settings.oidc_jwks_url,
    }
    missing = [name for name, value in named.items() if not value]
    if len(missing) == len(named):
        return None
    if missing:
        hint = "set all three, or none"
        raise Refused("another issuer is named by halves", where=", ".join(missing), hint=hint, code="bad_setting")
    parts = urlsplit(settings.oidc_jwks_url)
    if parts.scheme != "https" and (parts.scheme, parts.hostname) not in (("http", "127.0.0.1"), ("http", "localhost")):
        hint = "keys come by https; by http from this machine alone"
        raise Refused("not an address of keys", where="IFTAH_OIDC_JWKS_URL", hint=hint, code="bad_setting")
    return Issuer(
        settings.oidc_issuer,
        settings.oidc_audience,
        settings.oidc_jwks_url,
        settings.oidc_role_claim,
        settings.oidc_party_claim,
    )


def _until(claims: dict[str, Any], now: datetime) -> int:
    """When the token ends. Raises Refused when it is over, has not begun, or was issued in the time to come."""
    moment, skew = micros(now), SKEW // timedelta(microseconds=1)
    ends, issued, begins = (_time(claims.get(c, 0)) for c in ("exp", "iat", "nbf"))
    if ends <= moment or issued > moment + skew or begins > moment + skew:
        raise bad_token()
    return ends


def _time(value: object) -> int:
    """A time of a token, seconds since 1970, as microseconds."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < LATEST:
        raise bad_token()
    return int(value * 1_000_000)


class _Keys:
    """The keys that the issuer publishes, by id."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._lock = Lock()
        self._known: dict[str, PyJWK] = {}
        self._fetched_at = self._tried_at = float("-inf")

    def of(self, kid: str) -> PyJWK | None:
        """The key of that id. Raises Refused `issuer_away` while there is no key at all."""
        age = monotonic() - self._fetched_at
        if kid not in self._known or age > LIFE:
            self._fetch(wait=age > MOST_AGE)
        if monotonic() - self._fetched_at > MOST_AGE:
            message, hint = "the issuer of this token does not answer", "try again"
            raise Refused(message, where="Authorization", hint=hint, code="issuer_away")
        return self._known.get(kid)

    def _fetch(self, *, wait: bool) -> None:
        """Only one fetches. `wait`: whether the others wait for it, rather than go on with what is known."""
        if not self._lock.acquire(timeout=TIMEOUT if wait else 0):
            return
        try:
            if monotonic() - self._tried_at < AGAIN:
                return
            self._tried_at = monotonic()
            self._known, self._fetched_at = _published(self.url), monotonic()
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError, jwt.PyJWTError) as error:
            log.error("the keys of the other issuer cannot be had: %s", type(error).__name__)
        finally:
            self._lock.release()


def _published(url: str) -> dict[str, PyJWK]:
    """The keys at the address that may be used here. Raises ValueError for what are none."""
    with (
        httpx2.Client(timeout=TIMEOUT, follow_redirects=False, trust_env=False) as client,
        client.stream("GET", url) as got,
    ):
        got.raise_for_status()
        text, give_up = b"", monotonic() + TIMEOUT
        for part in got.iter_bytes():
            text += part
            if len(text) > LONGEST_KEYS or monotonic() > give_up:
                raise ValueError(url)
    found = json.loads(text, object_pairs_hook=once)
    if not isinstance(found, dict):
        raise ValueError(url)
    keys = PyJWKSet.from_dict(found).keys
    return {k.key_id: k for k in keys if k.key_id and k.public_key_use in ("sig", None)}
