"""Texts that look like `ann` or `Hangzhou`, and a part of the message for each."""

from typing import Final

# A text to put behind, before or into a name, and a part of the message.
SIGNS: Final = (
    ("\u200b", "cannot be seen"),  # zero-width space
    ("\u200d", "cannot be seen"),  # zero-width joiner
    ("\u202e", "cannot be seen"),  # right-to-left override
    ("\u200f", "cannot be seen"),  # right-to-left mark
    ("\ufeff", "cannot be seen"),  # byte order mark
    ("\u00ad", "cannot be seen"),  # soft hyphen
    ("\u3164", "cannot be seen"),  # Hangul filler
    ("\ufe0f", "cannot be seen"),  # variation selector
    ("\u0007", "control character"),
    ("\u0085", "control character"),  # next line
    ("\u2028", "control character"),  # line separator
    ("\u00a0", "no plain space"),  # no-break space
    ("\u3000", "no plain space"),  # ideographic space
    ("e\u0301", "normalization form C"),
    ("\u212b", "normalization form C"),  # the sign of angstrom
)
VALID_NAMES: Final = ("ann", "Łódź 银行", "李小明", "Étienne", "o'hare-7_b", "two  words", "ann@bank.example")
