"""The gate: who comes in. A token of our own or of another issuer, not too often; and who guesses is slowed.

An address from which many tokens came that are not valid gets no further answer for a while, unless with a token that was
valid here before: whoever guesses behind the same address as others does not lock them out.
"""

from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic

from sqlalchemy import Engine

from api.access import auth, presence
from api.access.auth import ISSUED, PREFIX, Caller
from api.access.oidc import Issuer, issuer_of
from api.access.rates import Rates
from api.database import reading
from api.evidence import departed
from api.lanes import ISSUER, TOKENS
from api.settings import Settings
from engine.errors import Refused


@dataclass(frozen=True)
class Gate:
    """What an app asks before it lets anybody in; as it is made here, tokens of our own as often as they like."""

    rates: Rates = field(default_factory=Rates)
    issuer: Issuer | None = None

    async def admit(self, engine: Engine, secret: str, now: datetime, address: str) -> Caller:
        """Whom the token speaks for.

        Raises Refused: `bad_token`, `too_many_requests`, and `issuer_away` when no key of the other issuer can be had.
        """
        name = auth.digest(secret)
        found = auth.remembered(engine, name, now)
        if found is None or self.rates.waits:
            lane = TOKENS if found or self.issuer is None or secret.startswith(PREFIX) else ISSUER
            return await lane.run(self._admit, engine, secret, now, address)
        self.rates.asked(_counted(engine, found))
        return found

    def _admit(self, engine: Engine, secret: str, now: datetime, address: str) -> Caller:
        found = auth.remembered(engine, auth.digest(secret), now) or self._looked_up(engine, secret, now, address)
        self.rates.asked(_counted(engine, found))
        return found

    def _looked_up(self, engine: Engine, secret: str, now: datetime, address: str) -> Caller:
        name = auth.digest(secret)
        if not auth.known_before(engine, name):
            self.rates.guessing(address)
        try:
            if self.issuer is None or secret.startswith(PREFIX):
                return auth.looked_up(engine, name, now)
            began = monotonic()
            found, ends = self.issuer.caller(secret, now)
            if found.role == "subject":
                with reading(engine) as connection:
                    presence.require(connection, found.party)
            auth.remember(engine, name, found, ends, began)
            return found
        except Refused as error:
            if error.code == "bad_token":
                self.rates.failed(address)
            raise


def _counted(engine: Engine, caller: Caller) -> str:
    """By what a caller's requests are counted: where that would name somebody, by a pseudonym, for the storage is read by others."""
    return departed.pseudonym(engine, caller.counted) if caller.token.startswith(ISSUED) else caller.counted


def gate_of(settings: Settings) -> Gate:
    """The gate that the settings ask for. Raises Refused for settings that cannot be."""
    rates = Rates(settings.rate_limit, settings.rate_limit_failures, settings.rate_limit_storage)
    return Gate(rates, issuer_of(settings))
