"""Scalars: how a piece of text is written in a rule file.

Plain where the reader takes it for what it is, else in quotes; over several lines as a block. Other readers of YAML are
thought of too: a text that YAML's core schema takes for a number, a truth or nothing stands in quotes.
"""

import re
import textwrap
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from engine.lang.problems import Report
from engine.lang.source import Mapping, Node, Scalar, Sequence, read

# Read as itself wherever it stands, without asking the reader: most scalars are so.
SIMPLE: Final = re.compile(r"\w[\w.]*(?: (?:[\w.<>=+*()]|-(?! ))+| - )*", re.ASCII)
# What YAML 1.2's core schema does not take for text (https://yaml.org/spec/1.2.2/#103-core-schema).
NOT_TEXT: Final = re.compile(
    r"~|null|Null|NULL|true|True|TRUE|false|False|FALSE|0o[0-7]+|0x[0-9a-fA-F]+|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
    r"|[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?",
    re.ASCII,
)
ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
BLANK_SIGNS: Final = " \u3000"  # white space that is written as it is


@dataclass(frozen=True)
class Written:
    """A text on one line: in block style, and between brackets, where that needs no quotes which block style does not."""

    block: str
    flow: str | None


def written(text: str, quote: bool = False) -> Written:
    """The text on one line, in quotes if it must be or `quote` says so."""
    plain, in_flow = (False, False) if quote else _plain(text)
    if plain:
        return Written(text, text if in_flow else None)
    quoted = _quoted(text)
    return Written(quoted, None if literal(text) else quoted)


def literal(text: str) -> tuple[str, ...] | None:
    """A text of several lines as a block, its sign first; None where it has one line, or a block would not keep it."""
    lines = text.split("\n")
    sign = "|-"
    if len(lines) > 1 and not lines[-1]:
        lines, sign = lines[:-1], "|"
    kept = all(_printable(line) and line == line.rstrip() for line in lines)
    if "\n" not in text or not kept or lines[0] != lines[0].lstrip() or not (lines[0] and lines[-1]):
        return None
    return (sign, *lines)


def folded(text: str, width: int) -> tuple[str, ...] | None:
    """A long text as a folded block of lines that fit `width`; None where that keeps it not, or is no shorter."""
    if not _printable(text) or text != text.strip() or "  " in text:
        return None
    lines = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
    return (">-", *lines) if len(lines) > 1 else None


def width_of(text: str) -> int:
    """How many columns the text takes: signs of Chinese, Japanese and Korean take two."""
    return len(text) if text.isascii() else sum(1 + (unicodedata.east_asian_width(c) in "WF") for c in text)


@lru_cache(maxsize=4096)
def _plain(text: str) -> tuple[bool, bool]:
    """Whether the reader takes the text, unquoted, for itself: in block style, and between brackets."""
    if SIMPLE.fullmatch(text):
        return True, True
    if not text or "\n" in text or not _printable(text):
        return False, False
    block, flow = f"- {text}\n- k: {text} # c\n", f"[{text}, {{k: {text}, l: {text}}}]\n"
    return (
        _said(read("", block, Report())) == [text, {"k": text}],
        _said(read("", flow, Report())) == [text, {"k": text, "l": text}],
    )


def _said(node: Node | None) -> object:
    match node:
        case Scalar(text, _, True):
            return text
        case Sequence(items):
            return [_said(item) for item in items]
        case Mapping(entries):
            return {key.text: _said(value) for key, value in entries}
    return None


def _quoted(text: str) -> str:
    if ('"' in text or "\\" in text) and "'" not in text and _printable(text):
        return f"'{text}'"
    return '"' + "".join(ESCAPES.get(c) or (c if _printable(c) else _escaped(c)) for c in text) + '"'


def _escaped(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _printable(text: str) -> bool:
    return all(c.isprintable() or c in BLANK_SIGNS for c in text)
