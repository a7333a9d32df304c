"""Policy: what one says that another did not. The guardrails are a matter for the whole house, so a change is shown."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Final

from engine.lang.editions import OLDEST
from engine.lang.lines import PolicyFile
from engine.lang.parse import parse
from engine.lang.problems import Report
from engine.lang.syntax import Number, Word

PLACES: Final = ("at", "since", "until")  # where and when, not what


def policies(files: Mapping[str, str]) -> dict[str, PolicyFile]:
    """The policies among `files` (name -> text) that can be read, by the day from which each holds, in order; "" is ever.

    Files of any version are read: what the oldest accepts means the same there as in each later one that accepts it.
    """
    parsed = (parse(name, text, Report(language=OLDEST)) for name, text in sorted(files.items()))
    found = {file.since.text if file.since else "": file for file in parsed if isinstance(file, PolicyFile)}
    return dict(sorted(found.items()))


def changes(before: dict[str, PolicyFile], after: dict[str, PolicyFile]) -> tuple[str, ...]:
    """What `after` says otherwise, a line each: `relationships_share 5 -> 10`, ``forbidden_names without `age` ``; of what
    will hold from a day on, with that day. Comments, layout and the order of a list say nothing.
    """
    if not before or not after:
        which = "before" if after else "now"
        return (f"the policy {which} cannot be read, so that nothing can be compared",) if before or after else ()
    said: list[str] = []
    for day in sorted({*before, *after}):
        lines = list(_between(_on(day, before), _on(day, after)))
        said += [f"from {day} on: {line}" if day else line for line in lines if line not in said]
    return tuple(said)


def _on(day: str, found: dict[str, PolicyFile]) -> PolicyFile:
    """The policy that holds on a day, or the first that will."""
    return next((found[since] for since in reversed(found) if since <= day), next(iter(found.values())))


def _between(before: PolicyFile, after: PolicyFile) -> Iterator[str]:
    for f in fields(PolicyFile):
        if f.name not in PLACES:
            yield from _changes(f.name, getattr(before, f.name), getattr(after, f.name))


def _changes(key: str, before: object, after: object) -> Iterator[str]:
    if isinstance(before, tuple) and isinstance(after, tuple):
        had, has = dict.fromkeys(map(_said, before)), dict.fromkeys(map(_said, after))
        yield from (f"{key} without `{item}`" for item in had if item not in has)
        yield from (f"{key} with `{item}`" for item in has if item not in had)
    elif _said(before) != _said(after):
        yield f"{key} {_said(before)} -> {_said(after)}"


def _said(value: object) -> str:
    """What was written, whatever its place."""
    match value:
        case Word(text) | Number(text):
            return text
        case tuple():
            return ", ".join(map(_said, value))
        case None:
            return "nothing"
        case _ if is_dataclass(value):
            return ", ".join(f"{f.name} {_said(getattr(value, f.name))}" for f in fields(value) if f.name not in PLACES)
        case _:
            return str(value)
