"""JSON objects of any keys -> rows of texts: objects one a line, or the items of one array, in bounded memory.

A number keeps the digits that it is written with. A key of an inner object is a column `outer.inner`; a list of texts or
numbers is their text, with commas. A row with a key twice is refused, as everywhere.
"""

import json
from codecs import getincrementaldecoder
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from api.evidence.json_rows import MAX_EXCERPT_BYTES, MAX_ROW_BYTES
from api.evidence.text_files import beginning, blocks, pieces
from api.evidence.values import BadRow
from graph.evidence.unique_keys import printable_key

_SPACE: Final = " \t\r\n"


class _RepeatedKeys(dict[str, Any]):
    """An object that has a key twice: that key."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        return _RepeatedKeys(key=next(name for name in names if names.count(name) > 1))
    return content


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_object, parse_float=str, parse_int=str, parse_constant=str)


def flat_object(value: object, line: int) -> dict[str, Any] | BadRow:
    """The columns of one row; a BadRow if it is no object, or has a key twice."""
    excerpt = json.dumps(value, ensure_ascii=False)[:MAX_EXCERPT_BYTES] if not isinstance(value, dict) else value
    if not isinstance(value, dict):
        return BadRow(line, "the row is not a JSON object", excerpt)
    result: dict[str, Any] = {}
    pending: list[tuple[str, dict[str, Any]]] = [("", value)]
    while pending:
        prefix, content = pending.pop()
        if isinstance(content, _RepeatedKeys):
            return BadRow(line, f"`{printable_key(content['key'])}` is there twice: keep one", excerpt)
        for key, item in content.items():
            if isinstance(item, dict):
                pending.append((f"{prefix}{key}.", item))
            else:
                result[prefix + key] = _text(item)
    if any(not text.isascii() and _has_lone_surrogate(text) for text in result.values() if text is not None):
        return BadRow(line, "a text has half of a character (a lone surrogate): check how it was written", None)
    return result


def _text(item: object) -> str | None:
    if item is None or isinstance(item, str):
        return item
    if isinstance(item, bool):
        return "true" if item else "false"
    if isinstance(item, list) and all(isinstance(each, str) for each in item):
        return ",".join(item)
    return json.dumps(item, ensure_ascii=False)


def _has_lone_surrogate(text: str) -> bool:
    return any("\ud800" <= letter <= "\udfff" for letter in text)


class ObjectBlock(NamedTuple):
    """Objects of a file with the line of each, and its wrong rows; how far the file has been read, and how it broke off."""

    objects: list[dict[str, Any]]
    lines: list[int]
    bad_rows: list[BadRow]
    position: int
    broken: str | None


def read_objects(path: Path) -> Iterator[ObjectBlock]:
    """The objects of a file, block after block: one a line, or the items of the array that the file is."""
    return _read_array(path) if beginning(path).lstrip().startswith(b"[") else _read_lines(path)


# --- one object a line ---------------------------------------------------------------------------------------------


def _read_lines(path: Path) -> Iterator[ObjectBlock]:
    line = 1
    with path.open("rb") as raw:
        for block in blocks(path, raw):
            data = block.data.removeprefix(b"\xef\xbb\xbf") if line == 1 else block.data
            physical_lines = data.split(b"\n")
            if not physical_lines[-1]:
                physical_lines.pop()
            yield ObjectBlock(*_parse_lines(physical_lines, line), block.position, block.broken)
            line += len(physical_lines)


def _parse_lines(physical_lines: list[bytes], first: int) -> tuple[list[dict[str, Any]], list[int], list[BadRow]]:
    """The objects of lines, the number of each, and the wrong rows. Blank lines are passed over."""
    objects: list[dict[str, Any]] = []
    lines: list[int] = []
    bad_rows: list[BadRow] = []
    for number, line in enumerate(physical_lines, first):
        if not line.strip():
            continue
        row = _parse_line(line, number)
        if isinstance(row, BadRow):
            bad_rows.append(row)
        else:
            objects.append(row)
            lines.append(number)
    return objects, lines, bad_rows


def _parse_line(line: bytes, number: int) -> dict[str, Any] | BadRow:
    excerpt = line[:MAX_EXCERPT_BYTES].decode(errors="replace")
    if len(line) > MAX_ROW_BYTES:
        return BadRow(number, f"the row is longer than {MAX_ROW_BYTES} bytes: shorten it", excerpt)
    try:
        return flat_object(_DECODER.decode(line.decode()), number)
    except UnicodeDecodeError as error:
        return BadRow(number, f"byte {error.start + 1} of the row is not UTF-8: save the file as UTF-8", excerpt)
    except (ValueError, RecursionError):
        return BadRow(number, "the row is not JSON: write one object a row", excerpt)


# --- the items of one array ----------------------------------------------------------------------------------------


def _read_array(path: Path) -> Iterator[ObjectBlock]:
    """A row's line is its number. What is no JSON ends the file."""
    row, text, started = 1, "", False
    decoder = getincrementaldecoder("utf-8")()
    with path.open("rb") as raw:
        for block in pieces(path, raw):
            broken = block.broken
            try:
                text += decoder.decode(block.data, block.last and broken is None)
            except UnicodeDecodeError:
                broken = f"{path}: after row {row - 1} the file is not UTF-8: save it as UTF-8"
            if not started:
                text, started = text.removeprefix("\ufeff").lstrip(_SPACE)[1:], True
            items, text, ended = _items(text)
            if (len(text) > MAX_ROW_BYTES or (block.last and not ended)) and not broken:
                broken = f"{path}: after row {row - 1 + len(items)} the file is not JSON: write it again"
            yield ObjectBlock(*_rows(items, row), block.position, broken)
            row += len(items)
            if broken or ended:
                return


def _items(text: str) -> tuple[list[Any], str, bool]:
    """The complete items at the beginning of the text of an array, the rest, and whether the array has ended."""
    items: list[Any] = []
    at = 0
    while True:
        while text[at : at + 1] and text[at] in _SPACE + ",":
            at += 1
        if text[at : at + 1] == "]":
            return items, "", True
        try:
            item, end = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            return items, text[at:], False
        if end == len(text):  # a number may go on in the next block
            return items, text[at:], False
        items.append(item)
        at = end


def _rows(items: list[Any], first: int) -> tuple[list[dict[str, Any]], list[int], list[BadRow]]:
    rows = [flat_object(item, number) for number, item in enumerate(items, first)]
    objects = [row for row in rows if not isinstance(row, BadRow)]
    lines = [number for number, row in enumerate(rows, first) if not isinstance(row, BadRow)]
    return objects, lines, [row for row in rows if isinstance(row, BadRow)]
