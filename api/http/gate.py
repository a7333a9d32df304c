"""The gate: admit a caller by a token that we or another issuer made, limit their rate, and slow down guessing.

An address that sent many invalid tokens gets no further answer for a while, unless its token was valid here before. So a caller
who guesses does not lock out other callers behind the same address.
"""

from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic

from api.access import auth, presence
from api.access.auth import OIDC_ID_PREFIX, OWN_PREFIX, Caller
from api.access.oidc import Issuer, issuer_of
from api.access.oidc_sign_in import CodeFlow, flow_of
from api.access.rates import Rates
from api.evidence import erasure_tombstones
from api.http.lanes import ISSUER, TOKENS
from api.settings.settings import Settings
from api.store.database import Database, reading
from engine.errors import Rejected


@dataclass(frozen=True)
class Gate:
    """Admission to an app. By default we admit every token that we issued, at any rate."""

    rates: Rates = field(default_factory=Rates)
    issuer: Issuer | None = None
    flow: CodeFlow | None = None  # how people sign in to the pages at that issuer

    async def admit(self, database: Database, secret: str, now: datetime, address: str) -> Caller:
        """The caller that the token stands for.

        Raises Rejected: `bad_token`, `too_many_requests`, and `issuer_unavailable` if we cannot get the other issuer's keys.
        """
        name = auth.digest(secret)
        caller = auth.cached_caller(database, name, now)
        if caller is None or self.rates.is_remote:
            lane = TOKENS if caller or self.issuer is None or secret.startswith(OWN_PREFIX) else ISSUER
            return await lane.run(self._admit, database, secret, now, address)
        self.rates.count_request(_rate_key(database, caller))
        return caller

    def count(self, database: Database, caller: Caller) -> None:
        """Count a request of a caller whom we admitted before. Raises Rejected `too_many_requests`."""
        self.rates.count_request(_rate_key(database, caller))

    def _admit(self, database: Database, secret: str, now: datetime, address: str) -> Caller:
        caller = auth.cached_caller(database, auth.digest(secret), now) or self._look_up(database, secret, now, address)
        self.rates.count_request(_rate_key(database, caller))
        return caller

    def _look_up(self, database: Database, secret: str, now: datetime, address: str) -> Caller:
        name = auth.digest(secret)
        if not auth.is_cached(database, name):
            self.rates.check_failures(address)
        try:
            if self.issuer is None or secret.startswith(OWN_PREFIX):
                return auth.look_up(database, name, now)
            started_at = monotonic()
            caller, expires_at = self.issuer.caller(secret, now)
            if caller.role == "subject":
                with reading(database) as connection:
                    presence.require(connection, caller.party)
            auth.remember(database, name, caller, expires_at, started_at)
            return caller
        except Rejected as error:
            if error.code == "bad_token":
                self.rates.count_failure(address)
            raise


def _rate_key(database: Database, caller: Caller) -> str:
    """The key for counting a caller's requests. If it would name a person we use a pseudonym, since others read the storage."""
    return (
        erasure_tombstones.pseudonym(database, caller.rate_key)
        if caller.token.startswith(OIDC_ID_PREFIX)
        else caller.rate_key
    )


def gate_of(settings: Settings) -> Gate:
    """The gate by the settings. Raises Rejected for invalid settings."""
    rates = Rates(settings.rate_limit, settings.rate_limit_failures, settings.rate_limit_storage)
    issuer = issuer_of(settings)
    return Gate(rates, issuer, flow_of(settings, issuer))
