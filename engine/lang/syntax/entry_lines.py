"""Read the plain lines of a long list of entries without ruamel's scanner, which takes three times as long.

A list file may have 20,000 entries, and nearly all are lines such as `- {value: Hangzhou}`. We give the file up to its first
such line to ruamel, and make the events of the following lines ourselves: the same events, at the same places. If any other
line follows, we leave the whole file to ruamel. `tests/engine/lang/syntax/test_entry_lines.py` compares the events of both.
"""

import re
from collections.abc import Iterator
from itertools import chain
from typing import Final

from ruamel.yaml import events as ev
from ruamel.yaml.error import StringMark, YAMLError

from engine.lang.syntax.scanner import parser

_WORD: Final = r"\w[\w./+-]*(?: [\w./+-]+)*"  # a plain scalar without any sign of YAML
_QUOTED: Final = r"\"[\w ./+-]*\"|'[\w ./+-]*'"  # without escapes
_PAIR: Final = rf"[a-z]\w{{0,40}}: (?:{_WORD}|{_QUOTED})"
_ENTRY: Final = rf"(?P<indent>[ ]*)- (?:\{{(?P<flow>{_PAIR}(?:, {_PAIR})*)\}}|(?P<block>{_PAIR}))"
_FIRST: Final = re.compile(rf"^{_ENTRY}\n", re.MULTILINE)
_ENTRY_LINE: Final = re.compile(rf"{_ENTRY}(?:\n|\Z)")
_KEY_AND_VALUE: Final = re.compile(rf"(?P<key>[a-z]\w*): (?P<value>{_WORD}|{_QUOTED})")
_FIRST_KINDS: Final = (ev.MappingStartEvent, ev.ScalarEvent, ev.ScalarEvent)
_END_KINDS: Final = (
    ev.MappingEndEvent,
    ev.SequenceEndEvent,
    ev.MappingEndEvent,
    ev.DocumentEndEvent,
    ev.StreamEndEvent,
)
_PLAIN_AND_QUOTED: Final = ((True, False), (False, True))  # `implicit` of a scalar, which ruamel sets


def parse(text: str) -> Iterator[ev.Event]:
    """The events of a list file, as ruamel gives them. Raises ruamel's errors."""
    first = _FIRST.search(text)
    if first is None or not _are_entries(text, first):
        return iter(parser().parse(text))
    try:
        begin = list(parser().parse(text[: first.end()]))
    except (YAMLError, ValueError, OverflowError):  # ruamel reports it at its place in the whole file
        return iter(parser().parse(text))
    if not _ends_with(begin, first):
        return iter(parser().parse(text))
    return chain(begin[:-4], _entries(text, first), begin[-4:])


def _are_entries(text: str, first: re.Match[str]) -> bool:
    """Whether all lines after the first entry are entries of the same indentation."""
    position, indent = first.end(), first["indent"]
    while position < len(text):
        line = _ENTRY_LINE.match(text, position)
        if line is None or line["indent"] != indent:
            return False
        position = line.end()
    return True


def _ends_with(events: list[ev.Event], first: re.Match[str]) -> bool:
    """Whether the events end with the first entry, as an item of a list that is the last value of the document."""
    tail = events[-5:]
    if tuple(map(type, tail)) != _END_KINDS:
        return False
    scalars = 2 * len(_KEY_AND_VALUE.findall(first["flow"] or first["block"]))
    start = events[-6 - scalars] if len(events) > 5 + scalars else None
    at = first.start("flow") - 1 if first["flow"] else first.start("block")
    return isinstance(start, ev.MappingStartEvent) and start.start_mark.index == at


def _entries(text: str, first: re.Match[str]) -> Iterator[ev.Event]:
    number, position = text.count("\n", 0, first.end()), first.end()
    while position < len(text):
        line = _ENTRY_LINE.match(text, position)
        assert line is not None  # noqa: S101 - `_are_entries` matched it
        yield from _entry(text, line, number)
        number, position = number + 1, line.end()


def _entry(text: str, line: re.Match[str], number: int) -> Iterator[ev.Event]:
    def mark(index: int) -> StringMark:
        return StringMark(None, index, number, index - line.start(), text, index)

    def scalar(start: int, end: int) -> ev.ScalarEvent:
        style = text[start] if text[start] in "\"'" else None
        value = text[start + 1 : end - 1] if style else text[start:end]
        return ev.ScalarEvent(None, None, _PLAIN_AND_QUOTED[bool(style)], value, mark(start), mark(end), style)

    group, is_flow = ("flow", True) if line["flow"] else ("block", False)
    begin = mark(line.start(group))
    yield ev.MappingStartEvent(None, None, True, mark(line.start(group) - is_flow), begin, flow_style=is_flow)
    for pair in _KEY_AND_VALUE.finditer(text, line.start(group), line.end(group)):
        yield scalar(*pair.span("key"))
        yield scalar(*pair.span("value"))
    end = mark(line.end())
    yield ev.MappingEndEvent(end, end)
