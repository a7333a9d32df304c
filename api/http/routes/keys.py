"""Routes for the public keys with which operators and approvers sign changes of rules."""

from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, Field

from api.access.auth import Caller
from api.http.dependencies import ContextDep, Now, Reviewer, caller_as
from api.http.fields import KeyRole, PartyId, StatementText
from api.http.lanes import LanedRoute
from api.http.problems import error_responses
from api.http.routes.page import NEXT, Page
from api.http.routes.proposal_forms import KeyForm
from api.http.routes.proposals import LOG_CODES, actor_of
from api.http.routes.release_status import newest_state
from api.proposals import keys as signing_keys
from api.releases.release_states import SigningKey, identity
from api.releases.steps import fingerprint_of
from api.store.clock import micros, moment
from engine.errors import Rejected

router = APIRouter(prefix="/v1/keys", tags=["operators"], route_class=LanedRoute)

KEY_PATTERN = "^[0-9a-f]{16}$"
KeyName = Annotated[str, Path(pattern=KEY_PATTERN, description="the fingerprint of the key")]
KeyReader = Annotated[Caller, Depends(caller_as("operator", "approver", "admin"))]


class KeyAnswer(BaseModel):
    """A public key. With it you check the signatures of a proposal."""

    fingerprint: str = Field(description="the first 16 hex digits of the SHA-256 of the key")
    public: str = Field(description="Ed25519, hex")
    party: str
    role: KeyRole
    at: datetime = Field(description="when it was registered")
    revoked: bool = Field(description="it signs nothing any more")

    @classmethod
    def of(cls, key: SigningKey) -> Self:
        """The public view of a key."""
        return cls(
            fingerprint=key.fingerprint,
            public=key.public,
            party=key.party,
            role=key.role,
            at=moment(key.at),
            revoked=key.revoked,
        )


class Keys(Page[KeyAnswer]):
    """Keys, oldest first."""


@router.get("", responses=error_responses(*LOG_CODES, "unknown_key"))
def list_keys(
    context: ContextDep,
    _: KeyReader,
    party: Annotated[PartyId | None, Query()] = None,
    after: Annotated[str | None, Query(pattern=KEY_PATTERN, description=NEXT)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Keys:
    """List the keys that sign changes of rules, including revoked ones."""
    keys = list(newest_state(context).keys.values())
    if after is not None:
        names = [key.fingerprint for key in keys]
        if after not in names:
            raise Rejected(f"there is no key {after}", where="after", hint="see GET /v1/keys", code="unknown_key")
        keys = keys[names.index(after) + 1 :]
    keys = [key for key in keys if party is None or identity(key.party) == identity(party)]
    return Keys.cut([KeyAnswer.of(key) for key in keys[: limit + 1]], limit, "fingerprint")


@router.post("", status_code=201, responses=error_responses(*LOG_CODES, "bad_key", "bad_signature"))
def register_key(body: KeyForm, context: ContextDep, reviewer: Reviewer, now: Now) -> KeyAnswer:
    """Register your own public key, in the role of your token. As soon as two parties have one, two people release rules."""
    state = signing_keys.register_own(context.database, actor_of(reviewer), body.public, body.signature, micros(now))
    return KeyAnswer.of(state.keys[fingerprint_of(body.public)])


@router.delete(
    "/{fingerprint}",
    status_code=204,
    response_description="the key is revoked",
    responses=error_responses(*LOG_CODES, "unknown_key", "no_reason"),
)
def revoke_key(
    fingerprint: KeyName,
    reason: Annotated[StatementText, Query(description="why: it stays on record")],
    context: ContextDep,
    caller: KeyReader,
    now: Now,
) -> None:
    """Revoke your own key at once; an admin may revoke any. What it signed and is not in force yet must be signed again."""
    key = newest_state(context).keys.get(fingerprint)
    if key is not None and caller.role != "admin" and identity(key.party) != identity(caller.party):
        raise Rejected("this key is somebody else's", where="key", hint="ask an admin", code="wrong_role")
    signing_keys.revoke(context.database, fingerprint, reason, micros(now), actor_of(caller))
