"""Source: strict YAML as a tree of nodes that know where they stand.

The YAML of rule files is a part of YAML 1.2's core: mappings, sequences and scalars. Refused: a key twice, anchors and
aliases, tags, directives, a second document, tabs. A scalar stays text: what it means is for the place where it stands
(so `no` is never a boolean by surprise). Positions are right inside quoted, folded and flow text too.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Final, NamedTuple

from ruamel.yaml import events as ev
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from engine.lang.problems import Problem, Report, Span
from engine.lang.scanner import parser

LARGEST: Final = 1_000_000  # characters
KEPT: Final = (
    20_000  # characters of a file of which many are not read again: a tree takes some forty times as many bytes
)
MOST_ITEMS: Final = 500  # of a list, before what stands in it is read: no record has more
MOST_ENTRIES: Final = 20_000  # of that of a list file
LIST_FILE: Final = re.compile(r"^kind:[ ]*['\"]?list['\"]?[ ]*(#.*)?$", re.MULTILINE)
DEEPEST: Final = 16
MOST_TOLD: Final = 20  # problems of one sort
IN_FLOW: Final = "close the brackets; within them a text with brackets, commas or colons stands in double quotes"
NEGATED: Final = "leave it out; a condition is negated with `not`"
SUGGESTED_FORM = "write it out: rule files have no anchors, aliases or tags"
# A line break in plain or quoted text with the white space about it, and one that is escaped.
FOLD: Final = re.compile(r"[ \t]*(?:\r\n|[\r\n\x85])(?:[ \t]*(?:\r\n|[\r\n\x85]))*[ \t]*")
BREAK: Final = re.compile(r"\r\n|[\r\n\x85]")
SURROGATE: Final = re.compile("[\ud800-\udfff]")
# What some readers take for the end of a line and others do not: places behind one would not be where an editor shows them.
DOUBTFUL: Final = re.compile("[\x85\u2028\u2029]")


@dataclass(frozen=True)
class Scalar:
    """A piece of text. `offsets[i]` is the place in the file of character i, and one more for the end; None: they follow on `at`."""

    text: str
    at: Span
    plain: bool
    offsets: tuple[tuple[int, int], ...] | None  # (line, column), 1-based

    def span(self, start: int, length: int = 1) -> Span:
        """Where characters start .. start+length of the text stand in the file."""
        if self.offsets is None:
            return Span(self.at.file, self.at.line, self.at.column + min(start, len(self.text)), max(1, length))
        line, column = self.offsets[min(start, len(self.offsets) - 1)]
        return Span(self.at.file, line, column, max(1, length))


@dataclass(frozen=True)
class Sequence:
    """A list."""

    items: tuple["Node", ...]
    at: Span


@dataclass(frozen=True)
class Mapping:
    """Keys and values in file order; no key stands twice."""

    entries: tuple[tuple[Scalar, "Node"], ...]
    at: Span


Node = Scalar | Sequence | Mapping


def read(file: str, text: str, report: Report) -> Node | None:
    """The tree of `text`, or None with the reason in `report`. `file` is its name in problems."""
    found = _found(file, text)
    report.problems.extend(found.problems)
    return found.root


class Stretch(NamedTuple):
    """Where a scalar stands in the text, and its style: the quote, `|` or `>`; none of a plain one."""

    start: int
    end: int
    style: str


@dataclass(frozen=True)
class _Text:
    root: Node | None
    problems: tuple[Problem, ...]
    scalars: tuple[Stretch, ...]


def _found(file: str, text: str) -> _Text:
    return known(file, text) if len(text) <= KEPT else known_large(file, text)


def _told(file: str, text: str) -> _Text:
    report, scalars = Report(), list[Stretch]()
    root = _read(file, text, report, scalars)
    return _Text(root, tuple(report.problems), tuple(scalars))


# Reading is most of a check, and a folder that has changed has changed in one file.
known: Final = lru_cache(maxsize=64)(_told)
known_large: Final = lru_cache(maxsize=4)(_told)


def _read(file: str, text: str, report: Report, scalars: list[Stretch]) -> Node | None:
    if len(text) > LARGEST:
        report.add("R007", f"the file has more than {LARGEST:,} characters", Span(file), "divide it")
        return None
    text = text.removeprefix("\ufeff")
    for found in islice(DOUBTFUL.finditer(text), MOST_TOLD):
        at = _place(file, text, found.start())
        report.add(
            "R008", f"a line break (U+{ord(found[0]):04X}) that few readers know", at, "end the line, or leave a blank"
        )
    if report.problems:
        return None
    tab = _leading_tab(text)
    if tab is not None:
        report.add("R002", "a tab stands in the indentation", Span(file, *tab), "indent with spaces")
        return None
    try:
        return _Reader(file, text, report, scalars).document()
    except _Unreadable:
        return None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = Span(file, mark.line + 1, mark.column + 1) if mark else Span(file)
        if mark and text[mark.index : mark.index + 1] == "\t":
            report.add("R002", "a tab stands here", at, "use spaces")
            return None
        report.add(
            "R001",
            f"this is not YAML: {_first_line(error.problem or error.context)}",
            at,
            IN_FLOW if "expected ','" in str(error.problem) else "check indentation, quotes and brackets",
        )
    except YAMLError as error:  # the reader's errors carry an offset, not a mark
        at = _place(file, text, getattr(error, "position", 0))
        report.add("R008", "a character that text files do not have", at, "save the file as UTF-8 text")
    except (ValueError, OverflowError):  # an escape such as \UFFFFFFFF, which ruamel does not catch
        escape = text.find("\\U")
        report.add("R008", "an escape for a character that does not exist", _place(file, text, max(0, escape)))
    return None


def between(file: str, text: str) -> Iterator[tuple[int, int]]:
    """The stretches of a readable `text` outside its scalars, as (start, end): white space, signs and comments."""
    done = 0
    for start, end, style in _found(file, text).scalars:
        yield done, start
        if style in ("|", ">"):  # a comment may stand behind the block's sign
            sign = start + len(text[start:].split(maxsplit=1)[0])
            yield sign, text.find("\n", sign)
        done = end
    yield done, len(text)


class _Unreadable(Exception):
    """Already reported: reading the file further would mislead."""


class _Reader:
    """Builds the tree from ruamel's events, which keep what its nodes drop (anchors, tags, flow)."""

    def __init__(self, file: str, text: str, report: Report, scalars: list[Stretch]) -> None:
        self.file, self.text, self.report, self.scalars = file, text, report, scalars
        self.most = MOST_ENTRIES if LIST_FILE.search(text) else MOST_ITEMS
        self.events: Iterator[ev.Event] = iter(parser().parse(text))

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
            self.report.add("R009", "the file is empty", Span(self.file), "begin with `kind:`")
            return None
        return root

    def directive(self, start: ev.Event) -> Span | None:
        """The first line of a document's beginning that starts with `%`: ruamel says nothing of unknown ones."""
        for number, line in enumerate(self.text[: start.start_mark.index].split("\n"), 1):
            if line.startswith("%"):
                return Span(self.file, number)
        return None

    def node(self, event: ev.Event, depth: int) -> Node:
        if depth > DEEPEST:
            self.refuse("R007", f"nested more than {DEEPEST} deep", event, "flatten it")
        if isinstance(event, ev.AliasEvent) or getattr(event, "anchor", None):
            self.refuse("R004", "anchors and aliases are not used in rule files", event, SUGGESTED_FORM)
        if tag := getattr(event, "tag", None):
            written = str(tag).replace("tag:yaml.org,2002:", "!!")[:60]
            self.refuse("R005", f"the tag `{written}` is not used in rule files", event, NEGATED)
        if isinstance(event, ev.ScalarEvent):
            return self.scalar(event)
        if isinstance(event, ev.SequenceStartEvent):
            return Sequence(self.items(event, depth), self.span(event))
        return self.mapping(event, depth)

    def items(self, start: ev.Event, depth: int) -> tuple[Node, ...]:
        """Reading stops where there are more than any list may have: most of the time is in the rest."""
        found = tuple(islice(self.children(ev.SequenceEndEvent, depth), self.most + 1))
        if len(found) > self.most:
            self.refuse(
                "R012", f"this list has more than {self.most:,} items", start, "divide it, or take out what has ended"
            )
        return found

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
                    f"the key `{key.text[:60]}` stands twice",
                    key.at,
                    f"it stands on line {first} already: remove one",
                )
            else:
                entries[key.text] = (key, value)
        return Mapping(tuple(entries.values()), self.span(start))

    def scalar(self, event: ev.ScalarEvent) -> Scalar:
        self.scalars.append(Stretch(event.start_mark.index, event.end_mark.index, event.style or ""))
        raw = event.end_mark.index - event.start_mark.index
        if event.style is None and event.value and raw == len(event.value) and "\n" not in event.value:
            at = Span(self.file, event.start_mark.line + 1, event.start_mark.column + 1, raw)
            return Scalar(event.value, at, True, None)
        places = tuple(self.places(event))
        if event.style is None and not event.value:  # ruamel puts it where the next thing stands
            before = self.text[: event.start_mark.index].rstrip()
            end = _place(self.file, before, len(before))
            places = ((end.line, end.column),)
        # An empty or block scalar begins at its sign; what is said of it begins at its first letter.
        line, column = places[0]
        at = Span(self.file, line, column, max(1, len(event.value.split("\n", 1)[0])))
        if SURROGATE.search(event.value):
            self.report.add("R008", "an escape for half a character", at, "write the character itself")
            raise _Unreadable
        return Scalar(event.value, at, event.style is None, places)

    def places(self, event: ev.ScalarEvent) -> Iterator[tuple[int, int]]:
        """Where each character of a scalar's value stands, and where it ends."""
        raw = self.text[event.start_mark.index : event.end_mark.index]
        style = event.style or ""
        if style in "|>" and style:
            found = [*_in_block(raw, event.value), len(raw)]
        else:
            found = [*_in_flow(raw, style), len(raw) - len(style)]
        line, column, done = event.start_mark.line + 1, event.start_mark.column + 1, 0
        for place in found:
            for char in raw[done:place]:
                line, column = (line + 1, 1) if char == "\n" else (line, column + 1)
            done = max(done, place)
            yield line, column

    def span(self, event: ev.Event) -> Span:
        return Span(self.file, event.start_mark.line + 1, event.start_mark.column + 1)

    def refuse(self, code: str, message: str, event: ev.Event, hint: str) -> None:
        self.report.add(code, message, self.span(event), hint)
        raise _Unreadable


def _in_flow(raw: str, style: str) -> Iterator[int]:
    """Where in `raw`, a plain or quoted scalar, each character of its value stands. A fold's blank stands at its break."""
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
    """The same of a literal or folded block: folding changes white space only, so the rest align in order."""
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


def _place(file: str, text: str, position: int) -> Span:
    before = text[:position]
    return Span(file, before.count("\n") + 1, position - before.rfind("\n"))


def _first_line(said: str | None) -> str:
    return (said or "it cannot be read").strip().splitlines()[0]
