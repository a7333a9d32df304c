"""Languages of the pages, and the texts of values that the API gives as codes."""

from collections.abc import Iterable
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Final

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations

LANGUAGES: Final = {"en": "English", "zh": "中文"}
LOCALE_FOLDER: Final = Path(__file__).parent / "locale"


@cache
def translations(language: str) -> NullTranslations:
    """The translations of a language: all `.po` files of its folder, one per page. English needs none."""
    merged = NullTranslations()
    for path in sorted((LOCALE_FOLDER / language).glob("*.po")):
        with path.open("rb") as file:
            catalogue, compiled = read_po(file, locale=language), BytesIO()
        write_mo(compiled, catalogue)
        compiled.seek(0)
        part = Translations(compiled)
        if isinstance(merged, Translations):
            merged.merge(part)
        else:
            merged = part
    return merged


def choose_language(cookie: str | None, accepts: str) -> str:
    """The language of a visit: the one chosen before, else the first that the browser accepts, else English."""
    if cookie in LANGUAGES:
        return cookie
    return next((name for name in _accepted(accepts) if name in LANGUAGES), "en")


def _accepted(header: str) -> Iterable[str]:
    """Languages of an Accept-Language header in its own order: browsers send the best first."""
    return (part.split(";")[0].strip().split("-")[0].lower() for part in header[:200].split(","))
