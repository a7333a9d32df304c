"""Reject rules that would give recorded events another meaning."""

import json

from sqlalchemy import ColumnElement, Connection, func, select, true

from api.releases.catalogue import vocabulary_of
from api.releases.releases import newest_files
from api.store.database import Database, reading
from api.store.tables import EVENTS
from engine.errors import Rejected
from engine.lang.model.program import Release
from graph.evidence.events import SCHEMA
from graph.evidence.vocabulary import EventVocabulary
from graph.evidence.vocabulary_changes import VocabularyChange, vocabulary_changes
from iftah.catalogue import vocabulary_of as declared_vocabulary
from iftah.rules_folder import evidence_of


def evidence_problems(database: Database, release: Release) -> tuple[str, ...]:
    """The changes of `evidence.yaml` since the release in force that concern recorded events, a line each with their number."""
    with reading(database) as connection:
        files = newest_files(connection)
        if files is None:
            return ()
        before: EventVocabulary = declared_vocabulary(evidence_of(files))
        changes = vocabulary_changes(before, vocabulary_of(release))
        counts = [(change.text, _count(connection, change)) for change in changes]
    return tuple(f"evidence.yaml: {text}: {number:,} recorded events have it" for text, number in counts if number)


def require_same_meaning(database: Database, release: Release) -> None:
    """Raise Rejected `evidence_changed` if recorded events would get another meaning under the release."""
    if problems := evidence_problems(database, release):
        hint = "go back to the kinds of events that were in force"
        raise Rejected("; ".join(problems), where="evidence.yaml", hint=hint, code="evidence_changed")


def _count(connection: Connection, change: VocabularyChange) -> int:
    """The number of recorded events that a change concerns. Cost: the ledger."""
    kind = true() if change.kind is None else EVENTS.c.kind == change.kind
    return int(connection.execute(select(func.count()).where(kind, _has_field(change))).scalar_one())


def _has_field(change: VocabularyChange) -> ColumnElement[bool]:
    if change.field is None:
        return true()
    if change.field in SCHEMA:
        column = EVENTS.c[change.field]
        return column.is_not(None) if change.word is None else column == change.word
    value = "" if change.word is None else json.dumps(change.word, ensure_ascii=False)
    return EVENTS.c.data.contains(f'"{change.field}":{value}', autoescape=True)
