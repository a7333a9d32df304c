"""Source: strict YAML as a tree of nodes that know where they stand.

The YAML of rule files is a part of YAML 1.2's core: mappings, sequences and scalars. Refused: a key twice, anchors and
aliases, tags, directives, a second document, tabs. A scalar stays text: what it means is for the place where it stands
(so `no` is never a boolean by surprise). Positions are right inside quoted, folded and flow text too.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ruamel.yaml import YAML
from ruamel.yaml import events as ev
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from engine.lang.problems import Report, Span

LARGEST: Final = 1_000_000  # characters
DEEPEST: Final = 16
SUGGESTED_FORM = "write it out: rule files have no anchors, aliases or tags"


@dataclass(frozen=True)
class Scalar:
    """A piece of text. `offsets[i]` is the place in the file of character i; one more for the end."""

    text: str
    at: Span
    plain: bool
    offsets: tuple[tuple[int, int], ...]  # (line, column), 1-based

    def span(self, start: int, length: int = 1) -> Span:
        """Where characters start .. start+length of the text stand in the file."""
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
    if len(text) > LARGEST:
        report.add("R007", f"the file has more than {LARGEST:,} characters", Span(file), "divide it")
        return None
    tab = _leading_tab(text)
    if tab is not None:
        report.add("R002", "a tab stands in the indentation", Span(file, *tab), "indent with spaces")
        return None
    try:
        return _Reader(file, text, report).document()
    except _Unreadable:
        return None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = Span(file, mark.line + 1, mark.column + 1) if mark else Span(file)
        report.add(
            "R001",
            f"this is not YAML: {_first_line(error.problem or error.context)}",
            at,
            "check indentation, quotes and brackets",
        )
    except YAMLError as error:  # the reader's errors carry an offset, not a mark
        at = _place(file, text, getattr(error, "position", 0))
        report.add("R008", "a character that text files do not have", at, "save the file as UTF-8 text")
    return None


class _Unreadable(Exception):
    """Already reported: reading the file further would mislead."""


class _Reader:
    """Builds the tree from ruamel's events, which keep what its nodes drop (anchors, tags, flow)."""

    def __init__(self, file: str, text: str, report: Report) -> None:
        self.file, self.text, self.report = file, text, report
        self.events: Iterator[ev.Event] = iter(YAML(typ="safe", pure=True).parse(text))
        self.lines = text.splitlines(keepends=True)

    def document(self) -> Node | None:
        root: Node | None = None
        for event in self.events:
            if isinstance(event, ev.DocumentStartEvent):
                if root is not None or event.version or event.tags:
                    self.refuse("R006", "a directive or a second document", event, "keep one plain document in a file")
            elif isinstance(event, ev.NodeEvent):
                root = self.node(event, 0)
        if root is None or (isinstance(root, Scalar) and not root.text):
            self.report.add("R009", "the file is empty", Span(self.file), "begin with `kind:`")
            return None
        return root

    def node(self, event: ev.Event, depth: int) -> Node:
        if depth > DEEPEST:
            self.refuse("R007", f"nested more than {DEEPEST} deep", event, "flatten it")
        if isinstance(event, ev.AliasEvent) or getattr(event, "anchor", None):
            self.refuse("R004", "anchors and aliases are not used in rule files", event, SUGGESTED_FORM)
        if tag := getattr(event, "tag", None):
            self.refuse("R005", f"the tag `{tag}` is not used in rule files", event, SUGGESTED_FORM)
        if isinstance(event, ev.ScalarEvent):
            return self.scalar(event)
        if isinstance(event, ev.SequenceStartEvent):
            return Sequence(tuple(self.children(ev.SequenceEndEvent, depth)), self.span(event))
        return self.mapping(event, depth)

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
            elif key.text in entries:
                first = entries[key.text][0].at.line
                self.report.add(
                    "R003",
                    f"the key `{key.text}` stands twice",
                    key.at,
                    f"it stands on line {first} already: remove one",
                )
            else:
                entries[key.text] = (key, value)
        return Mapping(tuple(entries.values()), self.span(start))

    def scalar(self, event: ev.ScalarEvent) -> Scalar:
        places = tuple(self.places(event))
        # An empty or block scalar begins at its sign; what is said of it begins at its first letter.
        line, column = places[0]
        at = Span(self.file, line, column, max(1, len(event.value.split("\n", 1)[0])))
        return Scalar(event.value, at, event.style is None, places)

    def places(self, event: ev.ScalarEvent) -> Iterator[tuple[int, int]]:
        """Where each character of a scalar's value stands: folding changes white space only, so the rest align in order."""
        raw = self.text[event.start_mark.index : event.end_mark.index]
        line, column, i = event.start_mark.line + 1, event.start_mark.column + 1, 0
        skip = {"|": raw.find("\n") + 1, ">": raw.find("\n") + 1, '"': 1, "'": 1}.get(event.style or "", 0)

        def advance(count: int) -> None:
            nonlocal line, column, i
            for c in raw[i : i + count]:
                line, column = (line + 1, 1) if c == "\n" else (line, column + 1)
            i += count

        advance(skip)
        for char in event.value:
            while i < len(raw) and raw[i].isspace() and not char.isspace():
                advance(1)
            yield line, column
            if event.style == '"' and raw[i : i + 1] == "\\":
                advance({"x": 4, "u": 6, "U": 10}.get(raw[i + 1 : i + 2], 2))
            elif event.style == "'" and char == "'":
                advance(2)
            elif not char.isspace() or raw[i : i + 1] == char:
                advance(1)
        yield line, column

    def span(self, event: ev.Event) -> Span:
        return Span(self.file, event.start_mark.line + 1, event.start_mark.column + 1)

    def refuse(self, code: str, message: str, event: ev.Event, hint: str) -> None:
        self.report.add(code, message, self.span(event), hint)
        raise _Unreadable


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
