"""Read strict YAML to a tree of nodes with their places.

Rule files use a part of YAML 1.2's core: mappings, sequences and scalars. We reject repeated keys, anchors and aliases,
tags, directives, a second document, and tabs. A scalar stays a text, and the type of its place interprets it: so `no`
never becomes a boolean by surprise. Places are also right inside quoted, folded and flow text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Final, NamedTuple

from ruamel.yaml import events as ev
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from engine.lang.model.problems import Problem, Report, SourceSpan
from engine.lang.syntax import entry_lines
from engine.lang.syntax.scanner import parser

MAX_FILE_CHARS: Final = 1_000_000  # characters
# Files up to this size stay in the larger cache: the tree of a file takes some forty times its size in bytes.
MAX_CACHED_CHARS: Final = 20_000
MAX_LIST_ITEMS: Final = 500  # items of a list, checked before we read them: no list of a record has more
MAX_LIST_FILE_ENTRIES: Final = 20_000  # items of a list in a list file
LIST_FILE: Final = re.compile(r"^kind:[ ]*['\"]?list['\"]?[ ]*(#.*)?$", re.MULTILINE)
MAX_DEPTH: Final = 16
MAX_REPORTED: Final = 20  # problems of one sort
FLOW_HINT: Final = "close the brackets; within them, put a text with brackets, commas or colons in double quotes"
TAG_HINT: Final = "leave it out; a condition is negated with `not`"
ANCHOR_HINT = "write it out: rule files have no anchors, aliases or tags"
# A line break in plain or quoted text with the white space around it, or an escaped line break.
FOLD: Final = re.compile(r"[ \t]*(?:\r\n|[\r\n\x85])(?:[ \t]*(?:\r\n|[\r\n\x85]))*[ \t]*")
BREAK: Final = re.compile(r"\r\n|[\r\n\x85]")
SURROGATE: Final = re.compile("[\ud800-\udfff]")
# Only some readers treat these as line breaks. After one, our places would differ from those in an editor.
UNUSUAL_BREAK: Final = re.compile("[\x85\u2028\u2029]")


@dataclass(frozen=True)
class Scalar:
    """A piece of text with its place.

    `offsets[i]` is the place of character i in the file, and the last one is the place of the end. If None, the
    characters follow each other from `at` on.
    """

    text: str
    at: SourceSpan
    plain: bool
    offsets: tuple[tuple[int, int], ...] | None  # (line, column), 1-based

    def span(self, start: int, length: int = 1) -> SourceSpan:
        """The place in the file of `length` characters of the text from `start` on."""
        if self.offsets is None:
            return SourceSpan(self.at.file, self.at.line, self.at.column + min(start, len(self.text)), max(1, length))
        line, column = self.offsets[min(start, len(self.offsets) - 1)]
        return SourceSpan(self.at.file, line, column, max(1, length))


@dataclass(frozen=True)
class Sequence:
    """A list."""

    items: tuple["Node", ...]
    at: SourceSpan


@dataclass(frozen=True)
class Mapping:
    """A mapping: unique keys and their values, in file order."""

    entries: tuple[tuple[Scalar, "Node"], ...]
    at: SourceSpan


Node = Scalar | Sequence | Mapping


def read(file: str, text: str, report: Report) -> Node | None:
    """Read `text` to a tree; None with the reason in `report`. `file` is its name in problems."""
    document = _load(file, text)
    report.problems.extend(document.problems)
    return document.root


class ScalarRange(NamedTuple):
    """The range of a scalar in the text, and its style: the quote, `|` or `>`; empty if plain."""

    start: int
    end: int
    style: str


@dataclass(frozen=True)
class _ParsedSource:
    root: Node | None
    problems: tuple[Problem, ...]
    scalars: tuple[ScalarRange, ...]


def _load(file: str, text: str) -> _ParsedSource:
    return load_cached(file, text) if len(text) <= MAX_CACHED_CHARS else load_large_cached(file, text)


def _load_uncached(file: str, text: str) -> _ParsedSource:
    report, scalars = Report(), list[ScalarRange]()
    root = _build_tree(file, text, report, scalars)
    return _ParsedSource(root, tuple(report.problems), tuple(scalars))


# Reading takes most of the time of a check, and usually only one file of a folder has changed.
load_cached: Final = lru_cache(maxsize=64)(_load_uncached)
load_large_cached: Final = lru_cache(maxsize=4)(_load_uncached)


def _build_tree(file: str, text: str, report: Report, scalars: list[ScalarRange]) -> Node | None:
    if len(text) > MAX_FILE_CHARS:
        report.add("R007", f"the file has more than {MAX_FILE_CHARS:,} characters", SourceSpan(file), "divide it")
        return None
    text = text.removeprefix("\ufeff")
    _check_white_space(file, text, report)
    if report.problems:
        return None
    try:
        return _TreeBuilder(file, text, report, scalars).document()
    except _Unreadable:
        pass  # the report has the reason
    except MarkedYAMLError as error:
        _report_yaml_error(file, text, error, report)
    except YAMLError as error:  # these errors have an offset, not a mark
        at = _place(file, text, getattr(error, "position", 0))
        report.add("R008", "a character that text files do not have", at, "save the file as UTF-8 text")
    except (ValueError, OverflowError):  # an escape such as \UFFFFFFFF, which ruamel does not catch
        escape = text.find("\\U")
        report.add("R008", "an escape for a character that does not exist", _place(file, text, max(0, escape)))
    return None


def _check_white_space(file: str, text: str, report: Report) -> None:
    for match in islice(UNUSUAL_BREAK.finditer(text), MAX_REPORTED):
        message = f"a line break (U+{ord(match[0]):04X}) that only some readers know"
        report.add("R008", message, _place(file, text, match.start()), "end the line, or leave a blank")
    if report.problems:
        return
    tab = _leading_tab(text)
    if tab is not None:
        report.add("R002", "a tab in the indentation", SourceSpan(file, *tab), "indent with spaces")


def _report_yaml_error(file: str, text: str, error: MarkedYAMLError, report: Report) -> None:
    mark = error.problem_mark or error.context_mark
    at = SourceSpan(file, mark.line + 1, mark.column + 1) if mark else SourceSpan(file)
    if mark and text[mark.index : mark.index + 1] == "\t":
        report.add("R002", "a tab instead of spaces", at, "use spaces")
        return
    message = f"this is not YAML: {_first_line(error.problem or error.context)}"
    in_brackets = "expected ','" in str(error.problem)
    report.add("R001", message, at, FLOW_HINT if in_brackets else "check indentation, quotes and brackets")


def between(file: str, text: str) -> Iterator[tuple[int, int]]:
    """The ranges of a readable `text` outside of its scalars, as (start, end): white space, signs and comments."""
    position = 0
    for start, end, style in _load(file, text).scalars:
        yield position, start
        if style in ("|", ">"):  # a comment can follow the sign of the block
            sign = start + len(text[start:].split(maxsplit=1)[0])
            yield sign, text.find("\n", sign)
        position = end
    yield position, len(text)


class _Unreadable(Exception):
    """The report has the reason already. Reading on would give misleading problems."""


class _TreeBuilder:
    """Builds the tree from ruamel's events, because its nodes lose anchors, tags and flow style."""

    def __init__(self, file: str, text: str, report: Report, scalars: list[ScalarRange]) -> None:
        self.file, self.text, self.report, self.scalars = file, text, report, scalars
        is_list = LIST_FILE.search(text) is not None
        self.max_items = MAX_LIST_FILE_ENTRIES if is_list else MAX_LIST_ITEMS
        self.events: Iterator[ev.Event] = entry_lines.parse(text) if is_list else iter(parser().parse(text))

    def document(self) -> Node | None:
        root: Node | None = None
        for event in self.events:
            if isinstance(event, ev.DocumentStartEvent):
                directive = self.directive(event)
                if directive:
                    self.report.add("R006", "a directive", directive, "keep one plain document in a file")
                    raise _Unreadable
                if root is not None:
                    self.refuse("R006", "a second document", event, "keep one plain document in a file")
            elif isinstance(event, ev.NodeEvent):
                root = self.node(event, 0)
        if root is None or (isinstance(root, Scalar) and not root.text):
            self.report.add("R009", "the file is empty", SourceSpan(self.file), "begin with `kind:`")
            return None
        return root

    def directive(self, start: ev.Event) -> SourceSpan | None:
        """The first line before a document that starts with `%`. ruamel does not report unknown directives."""
        for number, line in enumerate(self.text[: start.start_mark.index].split("\n"), 1):
            if line.startswith("%"):
                return SourceSpan(self.file, number)
        return None

    def node(self, event: ev.Event, depth: int) -> Node:
        if depth > MAX_DEPTH:
            self.refuse("R007", f"nested more than {MAX_DEPTH} deep", event, "flatten it")
        if isinstance(event, ev.AliasEvent) or getattr(event, "anchor", None):
            self.refuse("R004", "anchors and aliases are not used in rule files", event, ANCHOR_HINT)
        if tag := getattr(event, "tag", None):
            written = str(tag).replace("tag:yaml.org,2002:", "!!")[:60]
            self.refuse("R005", f"the tag `{written}` is not used in rule files", event, TAG_HINT)
        if isinstance(event, ev.ScalarEvent):
            return self.scalar(event)
        if isinstance(event, ev.SequenceStartEvent):
            return Sequence(self.items(event, depth), self.span(event))
        return self.mapping(event, depth)

    def items(self, start: ev.Event, depth: int) -> tuple[Node, ...]:
        """Read the items of a list.

        We stop after more items than any list can have, because the rest takes most of the time.
        """
        nodes = tuple(islice(self.children(ev.SequenceEndEvent, depth), self.max_items + 1))
        if len(nodes) > self.max_items:
            self.refuse(
                "R012",
                f"this list has more than {self.max_items:,} items",
                start,
                "divide it, or take out entries that have ended",
            )
        return nodes

    def children(self, end: type[ev.Event], depth: int) -> Iterator[Node]:
        for event in self.events:
            if isinstance(event, end):
                return
            yield self.node(event, depth + 1)

    def mapping(self, start: ev.Event, depth: int) -> Mapping:
        entries: dict[str, tuple[Scalar, Node]] = {}
        children = self.children(ev.MappingEndEvent, depth)
        for key in children:
            value = next(children)
            if not isinstance(key, Scalar):
                self.report.add("R012", "a key is a word here, not a list or mapping", key.at)
                raise _Unreadable
            if key.text in entries:
                first = entries[key.text][0].at.line
                self.report.add(
                    "R003",
                    f"the key `{key.text[:60]}` occurs twice",
                    key.at,
                    f"first on line {first}; remove one",
                )
            else:
                entries[key.text] = (key, value)
        return Mapping(tuple(entries.values()), self.span(start))

    def scalar(self, event: ev.ScalarEvent) -> Scalar:
        self.scalars.append(ScalarRange(event.start_mark.index, event.end_mark.index, event.style or ""))
        raw = event.end_mark.index - event.start_mark.index
        if event.style is None and event.value and raw == len(event.value) and "\n" not in event.value:
            at = SourceSpan(self.file, event.start_mark.line + 1, event.start_mark.column + 1, raw)
            return Scalar(event.value, at, True, None)
        places = tuple(self.places(event))
        if event.style is None and not event.value:  # ruamel gives the place of the next token instead
            before = self.text[: event.start_mark.index].rstrip()
            end = _place(self.file, before, len(before))
            places = ((end.line, end.column),)
        # ruamel places an empty or block scalar at its sign. We report problems at its first letter.
        line, column = places[0]
        at = SourceSpan(self.file, line, column, max(1, len(event.value.split("\n", 1)[0])))
        if SURROGATE.search(event.value):
            self.report.add("R008", "an escape for half a character", at, "write the character itself")
            raise _Unreadable
        return Scalar(event.value, at, event.style is None, places)

    def places(self, event: ev.ScalarEvent) -> Iterator[tuple[int, int]]:
        """The place of each character of a scalar's value, and the place of its end."""
        raw = self.text[event.start_mark.index : event.end_mark.index]
        style = event.style or ""
        if style in "|>" and style:
            offsets = [*_in_block(raw, event.value), len(raw)]
        else:
            offsets = [*_in_flow(raw, style), len(raw) - len(style)]
        line, column, position = event.start_mark.line + 1, event.start_mark.column + 1, 0
        for place in offsets:
            for char in raw[position:place]:
                line, column = (line + 1, 1) if char == "\n" else (line, column + 1)
            position = max(position, place)
            yield line, column

    def span(self, event: ev.Event) -> SourceSpan:
        return SourceSpan(self.file, event.start_mark.line + 1, event.start_mark.column + 1)

    def refuse(self, code: str, message: str, event: ev.Event, hint: str) -> None:
        self.report.add(code, message, self.span(event), hint)
        raise _Unreadable


def _in_flow(raw: str, style: str) -> Iterator[int]:
    """The position in `raw`, a plain or quoted scalar, of each character of its value.

    The blank of a fold is at its break.
    """
    i, end = len(style), len(raw) - len(style)
    while i < end:
        if fold := FOLD.match(raw, i, end):
            yield from [i] * max(1, len(BREAK.findall(fold.group())) - 1)
            i = fold.end()
        elif style == '"' and raw[i] == "\\" and (fold := FOLD.match(raw, i + 1, end)) and raw[i + 1] in "\r\n":
            yield from [i] * (len(BREAK.findall(fold.group())) - 1)
            i = fold.end()
        else:
            yield i
            escape = {"x": 4, "u": 6, "U": 10}.get(raw[i + 1 : i + 2], 2)
            i += escape if style == '"' and raw[i] == "\\" else 2 if style == "'" and raw[i] == "'" else 1


def _in_block(raw: str, value: str) -> Iterator[int]:
    """The same for a literal or folded block. Folding changes only white space, so the other characters align in order."""
    i = raw.find("\n") + 1
    for char in value:
        while i < len(raw) and raw[i].isspace() and not char.isspace():
            i += 1
        yield i
        i += not char.isspace() or raw[i : i + 1] == char


def _leading_tab(text: str) -> tuple[int, int] | None:
    for number, line in enumerate(text.split("\n"), 1):
        indent = line[: len(line) - len(line.lstrip())]
        if "\t" in indent and line.strip():
            return number, indent.index("\t") + 1
    return None


def _place(file: str, text: str, position: int) -> SourceSpan:
    before = text[:position]
    return SourceSpan(file, before.count("\n") + 1, position - before.rfind("\n"))


def _first_line(message: str | None) -> str:
    return (message or "it cannot be read").strip().splitlines()[0]
