"""Routes for administrators: issue, list, rotate and revoke tokens."""

from datetime import datetime, timedelta
from typing import Annotated, Final, Self

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from api.access import tokens
from api.access.tokens import IssuedToken, TokenInfo
from api.http.dependencies import ContextDep, Now, caller_as
from api.http.fields import PLAIN, PartyId, Role, Scope
from api.http.lanes import LanedRoute
from api.http.problems import error_responses
from api.http.routes.page import NEXT, Page
from api.store import clock

router = APIRouter(
    prefix="/v1/tokens", tags=["administration"], route_class=LanedRoute, dependencies=[Depends(caller_as("admin"))]
)

MAX_DAYS: Final = 366  # every token that we issue here expires
ID_PATTERN: Final = "^[0-9a-f]{16}$"
TokenId = Annotated[str, Path(pattern=ID_PATTERN, description="the token's id")]
Days = Annotated[int, Field(ge=1, le=MAX_DAYS, description="days until it expires")]


class TokenRequest(BaseModel):
    """The role and party of a new token."""

    model_config = ConfigDict(extra="forbid", strict=True)

    role: Role
    party: str = Field(
        pattern=PLAIN, max_length=128, description="the merchant, contributor or person", examples=["inn"]
    )
    name: str = Field("", pattern=r"^[^\x00-\x1f\x7f]*$", max_length=60, description="a name by which you recognise it")
    scopes: list[Scope] | None = Field(None, min_length=1, max_length=20, description="null: all scopes of the role")
    days: Days = 90


class Rotation(BaseModel):
    """The lifetimes of the old and the new token."""

    model_config = ConfigDict(extra="forbid", strict=True)

    grace_hours: int = Field(
        24, ge=0, le=168, description="hours until the old token expires, at most its remaining lifetime"
    )
    days: Days | None = Field(None, description="days until the new token expires; default: as many as the old one had")


class TokenAnswer(BaseModel):
    """A token without its secret."""

    id: str
    name: str
    role: Role
    party: str | None = Field(description="null: the person has left")
    scopes: list[Scope] | None
    replaces: str | None = Field(description="the id of the token that it replaces")
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None = Field(description="to about a minute")

    @classmethod
    def of(cls, token: TokenInfo) -> Self:
        """The public fields of a token."""
        return cls.model_validate(token, from_attributes=True)


class NewToken(BaseModel):
    """A new token."""

    secret: str = Field(description="shown once; we store only its hash")
    token: TokenAnswer

    @classmethod
    def of(cls, issued_token: IssuedToken) -> Self:
        """The token with its secret."""
        return cls(secret=issued_token.secret, token=TokenAnswer.of(issued_token.token))


class Tokens(Page[TokenAnswer]):
    """Tokens, oldest first."""


@router.post("", status_code=201, responses=error_responses("bad_party"))
def issue_token(body: TokenRequest, context: ContextDep, now: Now) -> NewToken:
    """Issue a token. Only this answer holds its secret."""
    expires = clock.add_days(now, days=body.days)
    name = body.name or body.party
    return NewToken.of(tokens.issue(context.database, body.role, body.party, name, now, expires, body.scopes))


@router.get("", responses=error_responses("no_such_token"))
def list_tokens(
    context: ContextDep,
    role: Annotated[Role | None, Query()] = None,
    party: Annotated[PartyId | None, Query()] = None,
    after: Annotated[str | None, Query(pattern=ID_PATTERN, description=NEXT)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Tokens:
    """List tokens, including expired and revoked ones."""
    rows = tokens.list_tokens(context.database, role=role, party=party, after=after, limit=limit + 1)
    return Tokens.cut([TokenAnswer.of(token) for token in rows], limit, "id")


@router.post("/{token_id}/rotate", status_code=201, responses=error_responses("no_such_token"))
def rotate_token(token_id: TokenId, context: ContextDep, now: Now, body: Rotation | None = None) -> NewToken:
    """Replace a token. The old one expires after a grace period."""
    rotation = body or Rotation()
    lifetime = None if rotation.days is None else timedelta(days=rotation.days)
    grace, max_lifetime = timedelta(hours=rotation.grace_hours), timedelta(days=MAX_DAYS)
    return NewToken.of(tokens.rotate(context.database, token_id, now, lifetime, grace, max_lifetime))


@router.delete(
    "/{token_id}",
    status_code=204,
    response_description="the token is revoked",
    responses=error_responses("no_such_token"),
)
def revoke_token(token_id: TokenId, context: ContextDep, now: Now) -> None:
    """Revoke a token at once. Idempotent."""
    tokens.revoke_one(context.database, token_id, now)
