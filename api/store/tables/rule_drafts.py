"""Drafts of rules: what operators write on the console before they propose it, and who has a draft open."""

from typing import ClassVar, Final

from sqlalchemy import BigInteger, UniqueConstraint
from sqlmodel import Field, SQLModel

from api.store.tables.evidence import SEQ


class RuleDraftRow(SQLModel, table=True):
    """A draft: all rule files as JSON, by name. Each save is one `version` later."""

    __tablename__: ClassVar[str] = "rule_drafts"
    __table_args__ = (UniqueConstraint("owner", "name", name="one_draft_per_name"), {"sqlite_autoincrement": True})

    id: int | None = Field(default=None, primary_key=True, sa_type=SEQ)
    owner: str  # the party that began it
    name: str
    version: int
    base: str  # the release from which it began
    files: str
    created_at: int = Field(sa_type=BigInteger)
    saved_at: int = Field(sa_type=BigInteger)
    saved_by: str


class RuleDraftEditorRow(SQLModel, table=True):
    """An open page on which a party edits a draft, and when it last called."""

    __tablename__: ClassVar[str] = "rule_draft_editors"

    draft: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    editor: str = Field(primary_key=True)  # random, hex
    party: str
    seen_at: int = Field(sa_type=BigInteger)


RULE_DRAFTS: Final = SQLModel.metadata.tables["rule_drafts"]
RULE_DRAFT_EDITORS: Final = SQLModel.metadata.tables["rule_draft_editors"]
