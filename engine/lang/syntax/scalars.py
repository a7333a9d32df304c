"""Write scalars in a rule file: plain, in quotes, or as a block.

A text is plain if our reader reads it as itself, otherwise in quotes; a text of several lines is a block. We also think
of other readers of YAML: we quote a text that YAML's core schema reads as a number, a boolean or null.
"""

import re
import textwrap
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from engine.lang.model.problems import Report
from engine.lang.syntax.source import Mapping, Node, Scalar, Sequence, read

# Most scalars match this. Our reader reads them as themselves anywhere, so we need not try it.
SIMPLE: Final = re.compile(r"\w[\w.]*(?: (?:[\w.<>=+*()]|-(?! ))+| - )*", re.ASCII)
# Texts that YAML 1.2's core schema reads as another type (https://yaml.org/spec/1.2.2/#103-core-schema).
NOT_TEXT: Final = re.compile(
    r"~|null|Null|NULL|true|True|TRUE|false|False|FALSE|0o[0-7]+|0x[0-9a-fA-F]+|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
    r"|[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?",
    re.ASCII,
)
ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
BLANK_SIGNS: Final = " \u3000"  # white space that we write unchanged


@dataclass(frozen=True)
class ScalarText:
    """A text on one line: in block style, and in flow style, between brackets.

    `flow` is None if it needs quotes only there.
    """

    block: str
    flow: str | None


def scalar_text(text: str, quote: bool = False) -> ScalarText:
    """Write the text on one line, in quotes if needed or if `quote` says so."""
    plain, in_flow = (False, False) if quote else _plain(text)
    if plain:
        return ScalarText(text, text if in_flow else None)
    quoted = _quote(text)
    return ScalarText(quoted, None if literal_block(text) else quoted)


def literal_block(text: str) -> tuple[str, ...] | None:
    """A text of several lines as a literal block, its sign first.

    None for one line, or if a block would change the text.
    """
    lines = text.split("\n")
    sign = "|-"
    if len(lines) > 1 and not lines[-1]:
        lines, sign = lines[:-1], "|"
    is_faithful = all(_is_printable(line) and line == line.rstrip() for line in lines)
    if "\n" not in text or not is_faithful or lines[0] != lines[0].lstrip() or not (lines[0] and lines[-1]):
        return None
    return (sign, *lines)


def folded_block(text: str, width: int) -> tuple[str, ...] | None:
    """A long text as a folded block with lines that fit `width`.

    None if a block would change the text, or is no shorter.
    """
    if not _is_printable(text) or text != text.strip() or "  " in text:
        return None
    lines = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
    return (">-", *lines) if len(lines) > 1 else None


def width_of(text: str) -> int:
    """The columns that the text occupies. Chinese, Japanese and Korean characters take two."""
    return len(text) if text.isascii() else sum(1 + (unicodedata.east_asian_width(c) in "WF") for c in text)


@lru_cache(maxsize=4096)
def _plain(text: str) -> tuple[bool, bool]:
    """Whether our reader reads the unquoted text as itself: in block style, and between brackets."""
    if SIMPLE.fullmatch(text):
        return True, True
    if not text or "\n" in text or not _is_printable(text):
        return False, False
    block, flow = f"- {text}\n- k: {text} # c\n", f"[{text}, {{k: {text}, l: {text}}}]\n"
    return (
        _plain_value(read("", block, Report())) == [text, {"k": text}],
        _plain_value(read("", flow, Report())) == [text, {"k": text, "l": text}],
    )


def _plain_value(node: Node | None) -> object:
    match node:
        case Scalar(text, _, True):
            return text
        case Sequence(items):
            return [_plain_value(item) for item in items]
        case Mapping(entries):
            return {key.text: _plain_value(value) for key, value in entries}
    return None


def _quote(text: str) -> str:
    if ('"' in text or "\\" in text) and "'" not in text and _is_printable(text):
        return f"'{text}'"
    return '"' + "".join(ESCAPES.get(c) or (c if _is_printable(c) else _escape(c)) for c in text) + '"'


def _escape(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _is_printable(text: str) -> bool:
    return all(c.isprintable() or c in BLANK_SIGNS for c in text)
