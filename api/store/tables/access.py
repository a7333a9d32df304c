"""Tables of access: tokens, sessions, services, callback keys and requests for consent."""

from typing import ClassVar, Final

from sqlalchemy import BigInteger, Index, UniqueConstraint
from sqlmodel import Field, SQLModel


class TokenRow(SQLModel, table=True):
    """A key to the API: its holder and its rights. We keep only the SHA-256 of its secret."""

    __tablename__: ClassVar[str] = "tokens"
    __table_args__ = (UniqueConstraint("digest", name="one_token_per_digest"),)

    id: str = Field(primary_key=True)
    name: str
    role: str
    party: str | None = None  # the merchant, contributor or subject it speaks for
    digest: str
    created_at: int = Field(sa_type=BigInteger)
    expires_at: int | None = Field(default=None, sa_type=BigInteger)
    revoked_at: int | None = Field(default=None, sa_type=BigInteger)
    last_used_at: int | None = Field(default=None, sa_type=BigInteger)
    scopes: str | None = None  # comma-separated; null: all that the role may
    replaces: str | None = None  # the id of the token that it was rotated from


class SessionRow(SQLModel, table=True):
    """A person who signed in with a browser. We keep only the SHA-256 of the secret in the cookie."""

    __tablename__: ClassVar[str] = "sessions"
    __table_args__ = (Index("sessions_by_end", "ends_at"),)

    digest: str = Field(primary_key=True)
    token: str | None = None  # the id of our token that the person signed in with; null: another issuer's
    role: str
    party: str
    csrf: str  # each form of a page sends it back
    created_at: int = Field(sa_type=BigInteger)
    seen_at: int = Field(sa_type=BigInteger)
    confirmed_at: int = Field(sa_type=BigInteger)  # when the person last proved to be the holder
    ends_at: int = Field(sa_type=BigInteger)


class SignInRow(SQLModel, table=True):
    """A sign-in that somebody may complete once: a ticket, or a visit to another issuer."""

    __tablename__: ClassVar[str] = "sign_ins"

    digest: str = Field(primary_key=True)
    kind: str  # ticket, oidc
    content: str  # JSON
    ends_at: int = Field(sa_type=BigInteger)


class ServiceRow(SQLModel, table=True):
    """A service of a merchant, one row per version. We never edit a version; the next one follows it."""

    __tablename__: ClassVar[str] = "services"

    merchant: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    perk: str
    mode: str  # waive_first, enjoy_first
    ceiling: int | None = Field(default=None, sa_type=BigInteger)  # minor units
    allowed: str | None = None  # JSON: the people it may ask about before launch; null: anyone
    callback: str | None = None
    created_at: int = Field(sa_type=BigInteger)


class CallbackKeyRow(SQLModel, table=True):
    """A merchant's secret for the signatures of callbacks. The one before stays valid for a while after a rotation."""

    __tablename__: ClassVar[str] = "callback_keys"

    merchant: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    secret: str
    created_at: int = Field(sa_type=BigInteger)
    ends_at: int | None = Field(default=None, sa_type=BigInteger)


class ConsentRequestRow(SQLModel, table=True):
    """A merchant's request for a person's consent. The person's answer is an event of the ledger."""

    __tablename__: ClassVar[str] = "consent_requests"
    __table_args__ = (Index("consent_requests_of_subject", "subject"),)

    id: str = Field(primary_key=True)
    merchant: str
    service: str
    subject: str
    purpose: str
    classes: str
    until: int | None = Field(default=None, sa_type=BigInteger)
    asked_at: int = Field(sa_type=BigInteger)
    state: str  # asked, granted, declined, withdrawn, expired
    answered_at: int | None = Field(default=None, sa_type=BigInteger)
    event_id: str | None = None  # of the ledger's event
    return_url: str | None = None  # the merchant's page to which the person goes back


class LinkSourceRow(SQLModel, table=True):
    """A contributor that may say that two ids are one person."""

    __tablename__: ClassVar[str] = "link_sources"

    contributor: str = Field(primary_key=True)
    allowed_at: int = Field(sa_type=BigInteger)


TOKENS: Final = SQLModel.metadata.tables["tokens"]
SESSIONS: Final = SQLModel.metadata.tables["sessions"]
SIGN_INS: Final = SQLModel.metadata.tables["sign_ins"]
SERVICES: Final = SQLModel.metadata.tables["services"]
CALLBACK_KEYS: Final = SQLModel.metadata.tables["callback_keys"]
CONSENT_REQUESTS: Final = SQLModel.metadata.tables["consent_requests"]
LINK_SOURCES: Final = SQLModel.metadata.tables["link_sources"]
