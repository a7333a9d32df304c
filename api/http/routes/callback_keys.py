"""Routes for the secret with which a merchant checks that we sent a callback."""

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.http.dependencies import ContextDep, Merchant, Now
from api.http.lanes import LanedRoute
from api.merchants import callback_keys

router = APIRouter(prefix="/v1/callbacks/secret", tags=["merchants"], route_class=LanedRoute)


class Secrets(BaseModel):
    """Secrets in the format of Standard Webhooks: `whsec_` and 32 bytes in base64."""

    secret: str = Field(description="the newest secret, with which you check signatures")
    others: list[str] = Field(description="the previous secrets, which also sign for a day after a rotation")


@router.get("")
def get_callback_secret(context: ContextDep, merchant: Merchant, now: Now) -> Secrets:
    """Read the merchant's own secret. We create it at the first request."""
    return _secrets(callback_keys.ensure_secrets(context.database, merchant.party, now))


@router.post("/rotate")
def rotate_callback_secret(context: ContextDep, merchant: Merchant, now: Now) -> Secrets:
    """Create a new secret. We sign callbacks with both secrets for 24 hours."""
    return _secrets(callback_keys.rotate(context.database, merchant.party, now))


def _secrets(keys: list[str]) -> Secrets:
    return Secrets(secret=keys[0], others=keys[1:])
