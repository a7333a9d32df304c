"""List the differences between two policies.

Guardrails protect the whole system, so we show each change to the approvers.
"""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Final

from engine.lang.model.editions import OLDEST
from engine.lang.model.problems import Report
from engine.lang.syntax.ast import PolicyFile
from engine.lang.syntax.expression_tree import Number, Word
from engine.lang.syntax.parse import parse

POSITION_FIELDS: Final = ("at", "since", "until")  # the place and the period, not the content


def policies(files: Mapping[str, str]) -> dict[str, PolicyFile]:
    """The readable policies among `files` (name -> text), by the first day of each, in order.

    The day "" means from the beginning. We read files of every version: if the oldest version accepts a text, it has
    the same meaning in every later version that accepts it.
    """
    policy_files = (parse(name, text, Report(language=OLDEST)) for name, text in sorted(files.items()))
    by_day = {file.since.text if file.since else "": file for file in policy_files if isinstance(file, PolicyFile)}
    return dict(sorted(by_day.items()))


def changes(before: dict[str, PolicyFile], after: dict[str, PolicyFile]) -> tuple[str, ...]:
    """The differences from `before` to `after`, one line each.

    Examples: `relationships_share 5 -> 10`, ``forbidden_names without `age` ``. A change that begins on a later day
    names that day. We ignore comments, layout and the order of lists.
    """
    if not before or not after:
        side = "before" if after else "now"
        return (f"the policy {side} cannot be read, so we cannot compare it",) if before or after else ()
    result: list[str] = []
    for day in sorted({*before, *after}):
        lines = list(_policy_changes(_policy_on(day, before), _policy_on(day, after)))
        result += [f"from {day} on: {line}" if day else line for line in lines if line not in result]
    return tuple(result)


def _policy_on(day: str, by_day: dict[str, PolicyFile]) -> PolicyFile:
    """The policy in force on a day, or the first one that will be."""
    return next((by_day[since] for since in reversed(by_day) if since <= day), next(iter(by_day.values())))


def _policy_changes(before: PolicyFile, after: PolicyFile) -> Iterator[str]:
    for f in fields(PolicyFile):
        if f.name not in POSITION_FIELDS:
            yield from _key_changes(f.name, getattr(before, f.name), getattr(after, f.name))


def _key_changes(key: str, before: object, after: object) -> Iterator[str]:
    if isinstance(before, tuple) and isinstance(after, tuple):
        old_items, new_items = dict.fromkeys(map(_text_of, before)), dict.fromkeys(map(_text_of, after))
        yield from (f"{key} without `{item}`" for item in old_items if item not in new_items)
        yield from (f"{key} with `{item}`" for item in new_items if item not in old_items)
    elif _text_of(before) != _text_of(after):
        yield f"{key} {_text_of(before)} -> {_text_of(after)}"


def _text_of(value: object) -> str:
    """The text in the file, without its place."""
    match value:
        case Word(text) | Number(text):
            return text
        case tuple():
            return ", ".join(map(_text_of, value))
        case None:
            return "nothing"
        case _ if is_dataclass(value):
            return ", ".join(
                f"{f.name} {_text_of(getattr(value, f.name))}" for f in fields(value) if f.name not in POSITION_FIELDS
            )
        case _:
            return str(value)
