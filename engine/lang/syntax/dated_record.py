"""Define the part of a rule file that can begin and end on a day."""

from dataclasses import dataclass

from engine.lang.syntax.expression_tree import Word


@dataclass(frozen=True, kw_only=True)
class DatedRecord:
    """A part of a file that is in force from the day `since` until before the day `until`; None: no limit."""

    since: Word | None = None
    until: Word | None = None
