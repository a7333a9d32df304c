"""Languages: which of those that the rules are worded in a person reads, by what their browser says."""

from collections.abc import Sequence


def chosen(accepted: str | None, languages: Sequence[str]) -> str:
    """The language of `languages` that an `Accept-Language` header likes best; the first where it likes none of them."""
    liked = [_liked(part) for part in (accepted or "").split(",")]
    for _, tag in sorted(liked, key=lambda found: -found[0]):
        for language in languages:
            if tag == language or tag.split("-")[0] == language:
                return language
    return languages[0]


def _liked(part: str) -> tuple[float, str]:
    """How much a tag is liked, and the tag; what cannot be read is not."""
    tag, _, weight = part.partition(";")
    try:
        return float(weight.strip().removeprefix("q=") or 1), tag.strip().lower()
    except ValueError:
        return 0.0, tag.strip().lower()
