"""Words of a person's page for fields of evidence of the shipped rules. Other codes are shown as they are."""

import re
from typing import Final

from api.console import labels
from api.console.navigation import N_
from api.console.words import translations

FIELDS: Final = labels.FIELDS | {"amount": N_("Amount"), "until": N_("Until")}

# Periods of features as their catalogue writes them, and their words.
WINDOWS: Final = (
    (re.compile(r"the last (\d+) full calendar months"), N_("the last %(count)s full calendar months")),
    (re.compile(r"(\d+) months"), N_("the last %(count)s months")),
    (re.compile(r"(\d+) days"), N_("the last %(count)s days")),
    (re.compile("all"), N_("of all time")),
)


def window_text(window: str, language: str) -> str:
    """A period in the reader's language; a text that is no such period as it is."""
    for pattern, words in WINDOWS:
        if match := pattern.fullmatch(window):
            text = translations(language).gettext(words)
            return text % {"count": match[1]} if match.groups() else text
    return window
