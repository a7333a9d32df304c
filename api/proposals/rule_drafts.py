"""Drafts of rules: files that operators write together before they propose them. Each save is a version; nobody overwrites another's."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, delete, func, insert, select, update

from api.proposals.proposals import MAX_FILES_CHARS
from api.store.clock import iso, micros, moment
from api.store.database import Database, reading, writing
from api.store.tables import RULE_DRAFT_EDITORS, RULE_DRAFTS
from engine.errors import Rejected

MAX_DRAFTS: Final = 50  # of one party
MAX_FILES: Final = 500  # of one draft
PRESENT_SECONDS: Final = 30  # since its last call, in which a page counts as open
FORGET_SECONDS: Final = 3600  # after which we delete its row
_COLUMNS: Final = [c for c in RULE_DRAFTS.columns if c.name != "files"]


@dataclass(frozen=True)
class RuleDraft:
    """A draft. `files` is empty in a list."""

    id: int
    owner: str
    name: str
    version: int
    base: str
    created_at: datetime
    saved_at: datetime
    saved_by: str
    files: Mapping[str, str]


@dataclass(frozen=True)
class DraftEditor:
    """A page on which a party has the draft open, and when it last called."""

    editor: str
    party: str
    seen_at: datetime


def list_drafts(database: Database, after: int | None, limit: int) -> list[RuleDraft]:
    """Drafts of everyone, newest first, without their files."""
    query = select(*_COLUMNS).order_by(RULE_DRAFTS.c.id.desc()).limit(limit)
    if after is not None:
        query = query.where(RULE_DRAFTS.c.id < after)
    with reading(database) as connection:
        return [_draft(row) for row in connection.execute(query).mappings()]


def create_draft(
    database: Database, party: str, name: str, files: Mapping[str, str], base: str, now: datetime
) -> RuleDraft:
    """A new draft. Raises Rejected: `no_rules`, `draft_exists`, `too_many_drafts`."""
    _require_files(files)
    row = {
        "owner": party,
        "name": name,
        "version": 1,
        "base": base,
        "files": json.dumps(dict(files), ensure_ascii=False),
        "created_at": micros(now),
        "saved_at": micros(now),
        "saved_by": party,
    }
    with writing(database) as connection:
        names = connection.execute(select(RULE_DRAFTS.c.name).where(RULE_DRAFTS.c.owner == party)).scalars().all()
        if name in names:
            raise Rejected(f"you have a draft `{name}`", where="name", hint="take another name", code="draft_exists")
        if len(names) >= MAX_DRAFTS:
            message = f"you have {len(names)} drafts, of {MAX_DRAFTS}"
            raise Rejected(message, where="drafts", hint="delete one that you no longer need", code="too_many_drafts")
        result = connection.execute(insert(RULE_DRAFTS).values(row))
        number = result.inserted_primary_key[0] if result.inserted_primary_key else 0
        return _find(connection, int(number))


def find_draft(database: Database, number: int) -> RuleDraft:
    """A draft with its files. Raises Rejected `unknown_draft`."""
    with reading(database) as connection:
        return _find(connection, number)


def save_draft(
    database: Database, number: int, party: str, version: int, changes: Mapping[str, str | None], now: datetime
) -> RuleDraft:
    """Save files over those of a version of a draft; None takes a file out. The result is the next version.

    Raises Rejected: `unknown_draft`, `no_rules`, `draft_moved` if it is no longer the newest version.
    """
    with writing(database) as connection:
        draft = _find(connection, number)
        if draft.version != version:
            message = f"{draft.saved_by} saved this draft as version {draft.version} at {iso(draft.saved_at)}"
            raise Rejected(
                message, where="version", hint="read it again, and take over your change", code="draft_moved"
            )
        merged = {**draft.files, **changes}
        files = {name: text for name, text in merged.items() if text is not None}
        _require_files(files)
        values = {
            "version": version + 1,
            "files": json.dumps(files, ensure_ascii=False),
            "saved_at": micros(now),
            "saved_by": party,
        }
        connection.execute(update(RULE_DRAFTS).where(RULE_DRAFTS.c.id == number).values(values))
        return _find(connection, number)


def delete_draft(database: Database, number: int, party: str) -> None:
    """Delete a draft of one's own. Raises Rejected: `unknown_draft`, `other_owner`."""
    with writing(database) as connection:
        draft = _find(connection, number)
        if draft.owner != party:
            hint = f"ask {draft.owner}"
            raise Rejected(f"the draft is {draft.owner}'s", where="draft", hint=hint, code="other_owner")
        connection.execute(delete(RULE_DRAFTS).where(RULE_DRAFTS.c.id == number))
        connection.execute(delete(RULE_DRAFT_EDITORS).where(RULE_DRAFT_EDITORS.c.draft == number))


def note_editor(database: Database, number: int, party: str, editor: str, now: datetime) -> list[DraftEditor]:
    """Note that a page has the draft open, and return the other pages that have. Raises Rejected `unknown_draft`."""
    table, at = RULE_DRAFT_EDITORS, micros(now)
    with writing(database) as connection:
        _find_row(connection, number)
        connection.execute(delete(table).where(table.c.seen_at < at - FORGET_SECONDS * 1_000_000))
        connection.execute(delete(table).where(table.c.draft == number, table.c.editor == editor))
        row = {"draft": number, "editor": editor, "party": party, "seen_at": at}
        connection.execute(insert(table).values(row))
        is_other = (table.c.draft == number) & (table.c.editor != editor)
        query = select(table).where(is_other, table.c.seen_at > at - PRESENT_SECONDS * 1_000_000)
        rows = connection.execute(query.order_by(table.c.party, table.c.editor).limit(100)).mappings().all()
    return [DraftEditor(row["editor"], row["party"], moment(row["seen_at"])) for row in rows]


def _require_files(files: Mapping[str, str]) -> None:
    if not files or len(files) > MAX_FILES or sum(map(len, files.values())) > MAX_FILES_CHARS:
        hint = f"at most {MAX_FILES} files with {MAX_FILES_CHARS:,} characters"
        raise Rejected("a draft has rule files", where="files", hint=hint, code="no_rules")


def _find(connection: Connection, number: int) -> RuleDraft:
    row = connection.execute(select(RULE_DRAFTS).where(RULE_DRAFTS.c.id == number)).mappings().first()
    if row is None:
        raise _unknown(number)
    return _draft(row)


def _find_row(connection: Connection, number: int) -> None:
    if not connection.execute(select(func.count()).where(RULE_DRAFTS.c.id == number)).scalar():
        raise _unknown(number)


def _unknown(number: int) -> Rejected:
    return Rejected(
        f"there is no draft {number}", where="drafts", hint="see GET /v1/rules/drafts", code="unknown_draft"
    )


def _draft(row: RowMapping) -> RuleDraft:
    values: dict[str, Any] = dict(row)
    for name in ("created_at", "saved_at"):
        values[name] = moment(values[name])
    return RuleDraft(**{**values, "files": json.loads(values.get("files", "{}"))})
