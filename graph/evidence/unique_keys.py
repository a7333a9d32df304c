"""Parse JSON with unique keys. Of two values under one key, Python keeps the last and other parsers the first; we
reject both.
"""

from typing import Any


class RepeatedKey(ValueError):
    """An object has the key `key` twice."""

    def __init__(self, key: str) -> None:
        super().__init__(f"`{printable_key(key)}` is there twice")
        self.key = key


def object_with_unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build an object from its pairs, for `object_pairs_hook`. Raises RepeatedKey."""
    result = dict(pairs)
    if len(result) < len(pairs):
        for name, _ in pairs:  # the first occurrence removes the name, so the second finds none
            if result.pop(name, pairs) is pairs:
                raise RepeatedKey(name)
    return result


def reject_constant(name: str) -> None:
    """Reject NaN and Infinity, which are not JSON, for `parse_constant`. Raises ValueError."""
    raise ValueError(name)


def printable_key(key: str) -> str:
    """Shorten a key to 40 characters and replace unprintable ones, so that you can repeat it in a message."""
    return "".join(letter if letter.isprintable() else "?" for letter in key[:40])
