"""Texts of the pages that lack a Chinese translation: `python -m tests.translations` prints them as entries of a `.po` file."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from babel.messages.extract import extract
from babel.messages.pofile import read_po

from tests.paths import ROOT
from tests.problem_templates import problem_templates

CONSOLE = ROOT / "api" / "console"
KEYWORDS = {"_": None, "N_": None, "gettext": None, "ngettext": (1, 2)}


def texts() -> dict[str, str]:
    """Each text that a page may show, and the file that holds it."""
    places = dict[str, str]()
    for path in sorted([*CONSOLE.glob("**/*.py"), *CONSOLE.glob("templates/**/*.html")]):
        for message in _messages(path):
            places.setdefault(message, str(path.relative_to(ROOT)))
    return problem_templates() | places


def _messages(path: Path) -> Iterator[str]:
    method = "python" if path.suffix == ".py" else "jinja2.ext:babel_extract"
    options: dict[str, Any] = {} if path.suffix == ".py" else {"trimmed": "false", "newstyle_gettext": "true"}
    with path.open("rb") as file:
        for _, message, _, _ in extract(method, file, keywords=KEYWORDS, options=options):
            yield message[0] if isinstance(message, tuple) else message


def translated(language: str = "zh") -> list[tuple[str, str, str]]:
    """Each entry of a language: its file, the English text, the translation."""
    entries = []
    for path in sorted((CONSOLE / "locale" / language).glob("*.po")):
        with path.open("rb") as file:
            for message in read_po(file, locale=language):
                text = message.id[0] if isinstance(message.id, tuple) else message.id
                translation = message.string[0] if isinstance(message.string, tuple) else message.string
                if text:
                    entries.append((path.name, text, translation or ""))
    return entries


def missing() -> dict[str, str]:
    """Texts without a translation, and the file that holds each."""
    known_texts = {text for _, text, translation in translated() if translation}
    return {text: path for text, path in texts().items() if text not in known_texts}


if __name__ == "__main__":
    for text, path in missing().items():
        escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        print(f'#: {path}\nmsgid "{escaped}"\nmsgstr ""\n')
