"""Identifiers: texts that say which person, thing or value is meant, and so must not look like one another.

Two ids that look alike are two people to a program and one to whoever reads them. So an id, and a constant with which one is
compared, has no character that cannot be seen, no blank but spaces within it, and one way to be written (Unicode's
normalization form C, UAX 15). Letters of different scripts that look alike (UTS 39) are not told apart here.
"""

import re
import unicodedata
from typing import Final

# What is drawn as nothing without being of the class Cf: Default_Ignorable_Code_Point of Unicode, and the empty Braille cell.
INVISIBLE: Final = (
    "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u2800\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8\U000e0000-\U000e0fff"
)
_INVISIBLE: Final = re.compile(f"[{INVISIBLE}]")
_PLAIN: Final = re.compile(r"[!-~]+(?: +[!-~]+)*")


def flaw(text: str) -> str | None:
    """What makes a text unfit to be an identifier, in words that follow its name; None when nothing does."""
    if _PLAIN.fullmatch(text):
        return None
    for char in text:
        if said := _of_character(char):
            return f"{said} (U+{ord(char):04X}): remove it"
    if text != text.strip() or not text:
        return "begins or ends with a blank: remove it" if text.strip() else "is blank"
    if not unicodedata.is_normalized("NFC", text):
        return "is not in Unicode's normalization form C: write its letters with their accents as one character"
    return None


def skeleton(text: str) -> str:
    """The same of texts that differ in nothing that can be seen: normalization, invisible characters, blanks."""
    seen = (" " if c.isspace() else c for c in text if c.isspace() or not _of_character(c))
    return unicodedata.normalize("NFC", " ".join("".join(seen).split()))


def _of_character(char: str) -> str | None:
    category = unicodedata.category(char)
    if category == "Cf" or _INVISIBLE.match(char):
        return "has a character that cannot be seen"
    if category in ("Cc", "Cs", "Zl", "Zp"):
        return "has a control character"
    return "has a blank that is no plain space" if category == "Zs" and char != " " else None
