"""Check identifiers: texts that name a person, a thing or a value, and must not look like one another.

Two ids that look alike are two people to a program, but one person to a reader. So we allow no invisible characters, no
white space except single spaces inside, and one spelling (Unicode's normalization form C, UAX 15). This also holds for
a constant that you compare with an id. We do not detect letters of different scripts that look alike (UTS 39).
"""

import re
import unicodedata
from typing import Final

# Invisible characters outside of the class Cf: Unicode's Default_Ignorable_Code_Point, and the empty Braille cell.
INVISIBLE: Final = (
    "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u2800\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8\U000e0000-\U000e0fff"
)
_INVISIBLE: Final = re.compile(f"[{INVISIBLE}]")
_PLAIN: Final = re.compile(r"[!-~]+(?: +[!-~]+)*")


def flaw(text: str) -> str | None:
    """Explain why a text is not a valid identifier, as words to put after the text; None if it is valid."""
    if _PLAIN.fullmatch(text):
        return None
    for char in text:
        if problem := _character_flaw(char):
            return f"{problem} (U+{ord(char):04X}): remove it"
    if text != text.strip() or not text:
        return "begins or ends with a blank: remove it" if text.strip() else "is blank"
    if not unicodedata.is_normalized("NFC", text):
        return "is not in Unicode's normalization form C: write its letters with their accents as one character"
    return None


def skeleton(text: str) -> str:
    """A common form of all texts that look the same: normalized, without invisible characters, with single blanks."""
    if _PLAIN.fullmatch(text):
        return " ".join(text.split())
    visible_chars = (" " if c.isspace() else c for c in text if c.isspace() or not _character_flaw(c))
    return unicodedata.normalize("NFC", " ".join("".join(visible_chars).split()))


def _character_flaw(char: str) -> str | None:
    category = unicodedata.category(char)
    if category == "Cf" or _INVISIBLE.match(char):
        return "has a character that cannot be seen"
    if category in ("Cc", "Cs", "Zl", "Zp"):
        return "has a control character"
    return "has a blank that is no plain space" if category == "Zs" and char != " " else None
