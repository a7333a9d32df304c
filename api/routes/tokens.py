"""Tokens, for whoever administers them: issue, list, rotate, revoke."""

from datetime import datetime, timedelta
from typing import Annotated, Final, Self

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from api import clock
from api.access import tokens
from api.access.tokens import Issued, Listed
from api.deps import InWorld, Now, caller_as
from api.identifiers import Identifier
from api.lanes import LanedRoute
from api.problems import documented
from api.routes.page import NEXT, Page
from api.routes.schema import Role, Scope

router = APIRouter(
    prefix="/v1/tokens", tags=["administration"], route_class=LanedRoute, dependencies=[Depends(caller_as("admin"))]
)

PLAIN: Final = r"^[^\x00-\x1f\x7f]+$"
MOST_DAYS: Final = 366  # no token that was made here lives for ever
TokenId = Annotated[str, Path(pattern="^[0-9a-f]{16}$", description="the token's id")]
Days = Annotated[int, Field(ge=1, le=MOST_DAYS, description="how long it is valid")]


class TokenRequest(BaseModel):
    """For whom a token is to speak."""

    model_config = ConfigDict(extra="forbid", strict=True)

    role: Role
    party: str = Field(
        pattern=PLAIN, max_length=128, description="the merchant, contributor or person", examples=["inn"]
    )
    name: str = Field("", pattern=r"^[^\x00-\x1f\x7f]*$", max_length=60, description="to know it by")
    scopes: list[Scope] | None = Field(None, min_length=1, max_length=20, description="null: all that the role may do")
    days: Days = 90


class Rotation(BaseModel):
    """How a token goes over into the next."""

    model_config = ConfigDict(extra="forbid", strict=True)

    grace_hours: int = Field(24, ge=0, le=168, description="that the old one stays valid, never longer than it was to")
    days: Days | None = Field(
        None, description="how long the new one is valid; unless said, as long as the old one was to be"
    )


class Token(BaseModel):
    """A token without its secret."""

    id: str
    name: str
    role: Role
    party: str | None = Field(description="none: the person has left")
    scopes: list[Scope] | None
    replaces: str | None = Field(description="the id of the token that it was made in the place of")
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None = Field(description="to about a minute")

    @classmethod
    def of(cls, found: Listed) -> Self:
        """What may be told of a token."""
        return cls.model_validate(found, from_attributes=True)


class NewToken(BaseModel):
    """A new token."""

    secret: str = Field(description="shown this once; only its hash is kept")
    token: Token

    @classmethod
    def of(cls, made: Issued) -> Self:
        """With its secret."""
        return cls(secret=made.secret, token=Token.of(made.token))


class Tokens(Page[Token]):
    """Tokens, oldest first."""


@router.post("", status_code=201, responses=documented("bad_party"))
def issue_token(body: TokenRequest, world: InWorld, now: Now) -> NewToken:
    """Issue a token. Its secret is in this answer and nowhere else."""
    expires = clock.later(now, days=body.days)
    name = body.name or body.party
    return NewToken.of(tokens.issue(world.database, body.role, body.party, name, now, expires, body.scopes))


@router.get("", responses=documented("no_such_token"))
def list_tokens(
    world: InWorld,
    role: Annotated[Role | None, Query()] = None,
    party: Annotated[Identifier | None, Query(max_length=128, pattern=PLAIN)] = None,
    after: Annotated[str | None, Query(pattern="^[0-9a-f]{16}$", description=NEXT)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Tokens:
    """List tokens, those that ended too."""
    found = tokens.listed(world.database, role=role, party=party, after=after, most=limit + 1)
    return Tokens.cut([Token.of(token) for token in found], limit, "id")


@router.post("/{token_id}/rotate", status_code=201, responses=documented("no_such_token"))
def rotate_token(token_id: TokenId, world: InWorld, now: Now, body: Rotation | None = None) -> NewToken:
    """Issue a token in the place of another, which ends after a while."""
    how = body or Rotation()
    lasts = None if how.days is None else timedelta(days=how.days)
    grace, longest = timedelta(hours=how.grace_hours), timedelta(days=MOST_DAYS)
    return NewToken.of(tokens.rotated(world.database, token_id, now, lasts, grace, longest))


@router.delete(
    "/{token_id}", status_code=204, response_description="it has ended", responses=documented("no_such_token")
)
def revoke_token(token_id: TokenId, world: InWorld, now: Now) -> None:
    """End a token at once; doing it again changes nothing."""
    tokens.revoke_one(world.database, token_id, now)
