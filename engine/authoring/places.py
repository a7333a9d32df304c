"""Find the place of a cursor in a rule file that somebody is writing: the keys that lead to it, and what stands before it.

While you type, a file is rarely YAML. So we read lines by their indentation, up to the cursor, and judge nothing: the checker does.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

Path = tuple[str | None, ...]  # keys from the top of the file; None is an item of a list

KIND: Final = re.compile(r"^kind:[ ]*['\"]?([a-z]+)", re.MULTILINE)
_KEY: Final = re.compile(r"""("[^"\n]*"|'[^'\n]*'|[^\s#"'\[\]{},&*!|>%@`-][^#\n]*?):(?=[ \t]|$)""")
_ITEM: Final = re.compile(r"-(?:[ ]+|$)")
_COMMENT: Final = re.compile(r"(^|[ \t])#.*$")
_OPENING, _CLOSING = "{[", "}]"


@dataclass(frozen=True)
class Place:
    """A cursor. `path` leads to the record whose key it is at, or to the value that it is in; `is_key` is None if either is possible.

    `before` is the key or value up to the cursor, `entries` the texts of the record's other keys, `outer` those of the record
    around that one, and `owner` the id of the outermost record, such as a perk.
    """

    kind: str
    path: Path
    is_key: bool | None
    before: str
    entries: Mapping[str, str]
    outer: Mapping[str, str] = field(default_factory=dict)
    owner: str = ""


@dataclass
class _LineFrame:
    """A mapping or list of lines that is open at this line."""

    indent: int
    is_list: bool
    key: str = ""
    entries: dict[str, str] = field(default_factory=dict)


@dataclass
class _FlowFrame:
    """A mapping or list in brackets that is open."""

    opening: str
    key: str | None = None
    text: str = ""
    quote: str = ""
    entries: dict[str, str] = field(default_factory=dict)


def place_at(text: str, line: int, column: int) -> Place | None:
    """The place of a cursor before a character, both counted from 1; None within a comment."""
    lines = text.removeprefix("\ufeff").split("\n")
    row = min(max(line, 1), len(lines)) - 1
    reader = _LineReader()
    for each in lines[:row]:
        reader.read(each.rstrip("\r"))
    kind = KIND.search(text)
    place = reader.stop(lines[row][: max(column, 1) - 1], kind[1] if kind else "")
    if place is not None and reader.frames and not reader.flow:
        _read_on(reader, lines[row + 1 :])
    return place


def _read_on(reader: "_LineReader", lines: list[str]) -> None:
    """Add the keys of the same mapping after the cursor to its entries."""
    frame = reader.frames[-1]
    if frame.is_list:
        return
    for text in lines:
        indent = _indent(text)
        match = _KEY.match(text, indent)
        if text.strip() and (indent < frame.indent or (indent == frame.indent and match is None)):
            return
        if match and indent == frame.indent:
            frame.entries.setdefault(_word(match[1]), text[match.end() :].strip())


class _LineReader:
    """Reads lines one by one, and keeps what is open."""

    def __init__(self) -> None:
        self.frames = list[_LineFrame]()
        self.flow = list[_FlowFrame]()
        self.scalar_indent: int | None = None  # of the key whose text goes on in deeper lines
        self.scalar = ""

    def read(self, text: str) -> None:
        """Read a whole line."""
        if self.flow:
            self._read_flow(text + " ")
            return
        if not text.strip() or text.lstrip().startswith("#"):
            return
        indent = _indent(text)
        if self.scalar_indent is not None and indent > self.scalar_indent:
            self.scalar += " " + text.strip()
            return
        self._read_block(text, indent)

    def stop(self, text: str, kind: str) -> Place | None:
        """Read a line up to the cursor, and return the place."""
        if self.flow:
            self._read_flow(text)
            return self._flow_place(kind)
        stripped = text.strip()
        if stripped.startswith("#"):
            return None
        indent = _indent(text) if stripped else len(text)
        if stripped and self.scalar_indent is not None and indent > self.scalar_indent:
            return None if _COMMENT.search(text) else self._value_place(kind, f"{self.scalar} {text.lstrip()}")
        rest, is_value = self._read_block(text, indent)
        if self.flow:
            return self._flow_place(kind)
        if _COMMENT.search(rest):
            return None
        if is_value:
            return self._value_place(kind, rest)
        frame = self.frames[-1] if self.frames else None
        if frame is None or (not frame.is_list and frame.indent == len(text) - len(rest)):
            return self._place(kind, self._path()[:-1], True, rest)
        return self._place(kind, self._path(), None, rest)

    def _value_place(self, kind: str, before: str) -> Place:
        return self._place(kind, self._path(), False, before)

    def _place(self, kind: str, path: Path, is_key: bool | None, before: str) -> Place:
        records = [f.entries for f in self.frames if not f.is_list] + [f.entries for f in self.flow if f.opening == "{"]
        records = [{}, {}, *records, *([{}] if is_key is None else [])]
        owner = next((entries["id"] for entries in records if "id" in entries), "")
        return Place(kind, path, is_key, before, records[-1], records[-2], owner)

    def _read_block(self, text: str, indent: int) -> tuple[str, bool]:
        """Read a line of a block. Return its last part, and whether that is a value."""
        self.scalar_indent, self.scalar = None, ""
        rest, column = text[indent:], indent
        self._close(column, is_item=_ITEM.match(rest) is not None)
        while item := _ITEM.match(rest):
            if not (self.frames and self.frames[-1].is_list and self.frames[-1].indent == column):
                self.frames.append(_LineFrame(column, is_list=True))
            rest, column = rest[item.end() :], column + item.end()
        match = _KEY.match(rest)
        if match is None:
            if rest[:1] in ("{", "["):
                self._read_flow(rest)
            return rest, False
        if not self.frames or self.frames[-1].is_list or self.frames[-1].indent != column:
            self.frames.append(_LineFrame(column, is_list=False))
        frame = self.frames[-1]
        frame.key = _word(match[1])
        value = rest[match.end() :].lstrip(" \t")
        frame.entries[frame.key] = value
        self._begin_value(value, column)
        return value, True

    def _begin_value(self, value: str, column: int) -> None:
        if value[:1] in ("{", "["):
            self._read_flow(value)
        elif value[:1] in ("|", ">"):
            self.scalar_indent = column
        elif _COMMENT.sub("", value):
            self.scalar_indent, self.scalar = column, _COMMENT.sub("", value)

    def _close(self, indent: int, *, is_item: bool) -> None:
        """Close what lies deeper than this line."""
        while self.frames:
            frame = self.frames[-1]
            if frame.indent < indent or (frame.indent == indent and (not frame.is_list or is_item)):
                return
            self.frames.pop()

    def _read_flow(self, text: str) -> None:
        for position, char in enumerate(text):
            frame = self.flow[-1] if self.flow else None
            if frame is not None and frame.quote:
                frame.quote = "" if char == frame.quote else frame.quote
                frame.text += char if frame.quote else ""
            elif char in _OPENING and (frame is None or not frame.text.strip()):
                self.flow.append(_FlowFrame(char))
            elif frame is None or (char == "#" and text[position - 1 : position] in ("", " ")):
                return
            elif char in _CLOSING:
                self.flow.pop()
            elif char in "'\"" and not frame.text.strip():
                frame.quote = char
            elif char == ",":
                self._end_entry(frame)
            elif (
                char == ":"
                and frame.opening == "{"
                and frame.key is None
                and text[position + 1 : position + 2] in ("", " ")
            ):
                frame.key, frame.text = frame.text.strip(), ""
            else:
                frame.text += char

    def _end_entry(self, frame: _FlowFrame) -> None:
        if frame.key is not None:
            frame.entries[frame.key] = frame.text.strip()
        frame.key, frame.text = None, ""

    def _flow_place(self, kind: str) -> Place:
        frame = self.flow[-1]
        is_key = frame.opening == "{" and frame.key is None
        return self._place(kind, self._path(), is_key, frame.text.lstrip())

    def _path(self) -> Path:
        block = [None if frame.is_list else frame.key for frame in self.frames]
        keys = [None if frame.opening == "[" else frame.key for frame in self.flow]
        flow = [key for frame, key in zip(self.flow, keys, strict=True) if frame.opening == "[" or key is not None]
        return (*block, *flow)


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip(" "))


def _word(text: str) -> str:
    return text.strip().strip("'\"")
