"""Choose the language of reasons by the browser's `Accept-Language` header."""

from collections.abc import Sequence


def choose_language(accepted: str | None, languages: Sequence[str]) -> str:
    """The language of `languages` that an `Accept-Language` header prefers; the first if the header names none of them."""
    preferences = [_preference(part) for part in (accepted or "").split(",")]
    for _, tag in sorted(preferences, key=lambda preference: -preference[0]):
        for language in languages:
            if tag == language or tag.split("-")[0] == language:
                return language
    return languages[0]


def _preference(part: str) -> tuple[float, str]:
    """The weight of a tag (0 to 1), and the tag. An unreadable weight counts as 0."""
    tag, _, weight = part.partition(";")
    try:
        return float(weight.strip().removeprefix("q=") or 1), tag.strip().lower()
    except ValueError:
        return 0.0, tag.strip().lower()
