"""Find what a new vocabulary would change in the meaning of events that are recorded already.

New kinds, new optional fields and new words are compatible. Anything else is not, if there are events that it concerns: the
shell counts them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from graph.evidence.vocabulary import EventField, EventVocabulary, Kind

_PARTS: Final = ("data_class", "counts_for", "adverse", "step", "reverses")
_WORD_COLUMNS: Final = {"tie": "ties", "category": "categories", "channel": "channels"}


@dataclass(frozen=True)
class VocabularyChange:
    """A change that concerns recorded events: those of `kind` that have `field`, and in it the word `word`. None: any.

    `text` says what would change, as a phrase.
    """

    text: str
    kind: str | None = None
    field: str | None = None
    word: str | None = None


def vocabulary_changes(before: EventVocabulary, after: EventVocabulary) -> tuple[VocabularyChange, ...]:
    """Return the changes that concern recorded events, if there are such events."""
    changes = [change for kind in before.declared_kinds for change in _kind_changes(kind, after)]
    for column, words in _WORD_COLUMNS.items():
        removed = [word for word in getattr(before, words) if word not in getattr(after, words)]
        changes += [VocabularyChange(f"`{w}` is no {column} any more", field=column, word=w) for w in removed]
    for field in before.extra_fields.values():
        new = after.extra_fields.get(field.name)
        changes += list(_field_changes(field, new)) if new else []
    return tuple(changes)


def _kind_changes(kind: Kind, after: EventVocabulary) -> Iterator[VocabularyChange]:
    new = after.kind_by_name.get(kind.name)
    if new is None:
        yield VocabularyChange(f"`{kind.name}` is not declared any more", kind.name)
        return
    for part in _PARTS:
        if getattr(kind, part) != getattr(new, part):
            text = (
                f"`{part}` of `{kind.name}` was {_text_of(getattr(kind, part))} and is {_text_of(getattr(new, part))}"
            )
            yield VocabularyChange(text.replace("data_class", "class"), kind.name)
    for name in kind.fields:
        if name not in new.fields:
            yield VocabularyChange(f"`{kind.name}` has no field `{name}` any more", kind.name, name)
    for name in new.required:
        if name not in kind.required:
            yield VocabularyChange(f"`{name}` is required in `{kind.name}` now", kind.name)


def _text_of(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else f"`{value}`" if value else "none"


def _field_changes(field: EventField, new: EventField) -> Iterator[VocabularyChange]:
    if (field.type, field.digits) != (new.type, new.digits):
        yield VocabularyChange(f"`{field.name}` was {_type(field)} and is {_type(new)}", field=field.name)
        return
    for word in field.values:
        if word not in new.values:
            yield VocabularyChange(f"`{word}` is no word of `{field.name}` any more", field=field.name, word=word)
    if (new.low or 0) > (field.low or 0) or (new.high or 0) < (field.high or 0):
        yield VocabularyChange(f"the bounds of `{field.name}` are narrower", field=field.name)


def _type(field: EventField) -> str:
    return f"decimal({field.digits})" if field.type == "decimal" else field.type
