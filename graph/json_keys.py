"""JSON with each key once. Python keeps the last of two values under one key, and others the first: neither is a guess to make."""

from typing import Any


class RepeatedKey(ValueError):
    """An object has a key twice. `key`: which."""

    def __init__(self, key: str) -> None:
        super().__init__(f"`{shown(key)}` is there twice")
        self.key = key


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of its pairs, for `object_pairs_hook`. Raises RepeatedKey."""
    found = dict(pairs)
    if len(found) < len(pairs):
        for name, _ in pairs:  # a name that is there twice is gone when it comes again
            if found.pop(name, pairs) is pairs:
                raise RepeatedKey(name)
    return found


def not_a_number(name: str) -> None:
    """For `parse_constant`: NaN and Infinity are no JSON. Raises ValueError."""
    raise ValueError(name)


def shown(key: str) -> str:
    """A key as it may be repeated: short, and nothing in it but what can be printed."""
    return "".join(letter if letter.isprintable() else "?" for letter in key[:40])
