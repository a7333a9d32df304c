"""Editions: the versions of the language. A stored release is read by the one that it was written in, for ever.

The same text may mean something else in another version, or not be accepted there. So the version is part of a release's
name, and the name tells by which version to read it.
"""

from dataclasses import dataclass
from typing import Final

LANGUAGE: Final = 3  # the version of what is written now


@dataclass(frozen=True)
class Edition:
    """A version of the language, and how it names a release: `1.0` names another one than `1` where numbers are `as_written`."""

    language: int
    as_written: bool = False


NEWEST: Final = Edition(LANGUAGE)
EDITIONS: Final = (NEWEST, Edition(2), Edition(2, as_written=True))
OLDEST: Final = min(edition.language for edition in EDITIONS)
