"""Policy: what one says that another did not. The guardrails are a matter for the whole house, so a change is shown."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass

from engine.lang.parse import parse
from engine.lang.problems import Report
from engine.lang.syntax import Number, PolicyFile, Word


def policy_in(files: Mapping[str, str]) -> PolicyFile | None:
    """The policy among `files` (name -> text); None when there is none that can be read."""
    parsed = (parse(name, text, Report()) for name, text in sorted(files.items()))
    return next((file for file in parsed if isinstance(file, PolicyFile)), None)


def changes(before: PolicyFile | None, after: PolicyFile | None) -> tuple[str, ...]:
    """What `after` says otherwise, a line each: `relationships_share 5 -> 10`, ``forbidden_names without `age` ``.

    Comments, layout and the order of a list say nothing.
    """
    if before is None or after is None:
        which = "before" if before is None else "now"
        return () if before is after else (f"the policy {which} cannot be read, so that nothing can be compared",)
    return tuple(
        line
        for f in fields(PolicyFile)
        if f.name != "at"
        for line in _changes(f.name, getattr(before, f.name), getattr(after, f.name))
    )


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
            return ", ".join(f"{f.name} {_said(getattr(value, f.name))}" for f in fields(value) if f.name != "at")
        case _:
            return str(value)
