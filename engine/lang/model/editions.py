"""List the versions of the language. We read a stored release for ever by the version in which it was written.

The same text can mean something else in another version, or be invalid there. So the version is part of the hash that
names a release, and the name tells us which version to use.
"""

from dataclasses import dataclass
from typing import Final

LANGUAGE: Final = 4  # the version that we write now


@dataclass(frozen=True)
class Edition:
    """A version of the language, and how it names a release. With `as_written`, `1.0` and `1` give different names."""

    language: int
    as_written: bool = False


NEWEST: Final = Edition(LANGUAGE)
EDITIONS: Final = (NEWEST, Edition(3), Edition(2), Edition(2, as_written=True))
MONEY_LANGUAGE: Final = (
    4  # since this version, amounts are written with their currency; before, money was plain numbers
)
OLDEST: Final = min(edition.language for edition in EDITIONS)
