"""The secret by which a merchant checks that a callback is from here."""

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.deps import InWorld, Merchant, Now
from api.lanes import LanedRoute
from api.orders import callback_keys

router = APIRouter(prefix="/v1/callbacks/secret", tags=["merchants"], route_class=LanedRoute)


class Secrets(BaseModel):
    """As Standard Webhooks has them: `whsec_` and 32 bytes in base64."""

    secret: str = Field(description="the newest: what to check signatures by")
    others: list[str] = Field(description="that also sign, for a day after a rotation")


@router.get("")
def get_callback_secret(world: InWorld, merchant: Merchant, now: Now) -> Secrets:
    """The merchant's own secret, made at the first need."""
    return _told(callback_keys.kept(world.database, merchant.party, now))


@router.post("/rotate")
def rotate_callback_secret(world: InWorld, merchant: Merchant, now: Now) -> Secrets:
    """Make a new secret; callbacks are signed by both for 24 hours."""
    return _told(callback_keys.rotated(world.database, merchant.party, now))


def _told(found: list[str]) -> Secrets:
    return Secrets(secret=found[0], others=found[1:])
