"""Comments: where they stand, and what each belongs to.

A comment with a line of its own belongs to what follows it; at the end of a line, to what it stands behind. One that is
indented deeper than what follows closes the mapping or list it is indented with, as does the last of a flow collection.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from engine.lang.source import Mapping, Node, Scalar, Sequence, between

Position = tuple[int, int]  # (line, column), 1-based, as in spans
TOKEN: Final = re.compile(r"#[^\r\n\x85\u2028\u2029]*|---|[\[\]{}-]")
LINE: Final = re.compile(r"\r\n|[\r\n]")  # what ends a line for the places that `source` gives


@dataclass(frozen=True)
class Note:
    """A comment's text from its `#` on; whether a blank line stands before it."""

    text: str
    blank: bool = False


@dataclass
class About:
    """What stands around a key or an item: the notes before it, those behind it, and whether a blank line is just before."""

    before: list[Note] = field(default_factory=list)
    behind: list[Note] = field(default_factory=list)
    blank: bool = False


@dataclass
class Comments:
    """All comments of a file: of its head, about keys and items, and those that close a mapping or list (by `id` of the node)."""

    head: list[Note] = field(default_factory=list)
    about: dict[int, About] = field(default_factory=dict)
    closing: dict[int, list[Note]] = field(default_factory=dict)

    def texts(self) -> list[str]:
        """The text of every comment, sorted."""
        found = [*self.head, *(n for notes in self.closing.values() for n in notes)]
        found += [n for a in self.about.values() for n in (*a.before, *a.behind)]
        return sorted(n.text for n in found)


@dataclass(frozen=True)
class _Comment:
    note: Note
    at: Position
    alone: bool
    within: tuple[Position, ...]  # the brackets that are open here


@dataclass
class _Signs:
    comments: list[_Comment] = field(default_factory=list)
    closed: dict[Position, Position] = field(default_factory=dict)  # an opening bracket's place -> its closing one's
    dashes: list[Position] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class _Region:
    """A mapping or list; `end` is the closing bracket's place when it has one."""

    id: int
    at: Position
    end: Position | None
    owner: "_Place | None"


@dataclass(frozen=True, eq=False)
class _Place:
    """A key or an item, and the mappings and lists it stands in, outermost first."""

    id: int
    at: Position
    value: Node
    within: tuple[_Region, ...]


def comments_of(root: Node, file: str, text: str) -> Comments:
    """The comments of `text`, whose tree is `root`."""
    text = text.removeprefix("\ufeff")
    lines = LINE.split(text)
    signs = _signs(file, text)
    places = list(_places(root, None, (), signs.closed, iter(signs.dashes)))
    found = Comments(about={p.id: About() for p in places})
    for before, place in zip((None, *places), places, strict=False):
        first = before is None or before.at[0] < place.at[0]
        found.about[place.id].blank = first and _blank_above(lines, place.at[0])
    starts, level = [p.at for p in places], (-1, 0)
    for comment in signs.comments:
        n = bisect_right(starts, comment.at)
        last, following = places[n - 1] if n else None, places[n] if n < len(places) else None
        if not comment.alone or last is None:
            _behind(found, last, comment)
            continue
        # In a run of comments none belongs deeper than the one before it: they keep their order.
        column = min(comment.at[1], level[1]) if level[0] == n else comment.at[1]
        level = n, column
        _alone(found, last, following, comment, column)
    return found


def _behind(found: Comments, last: _Place | None, comment: _Comment) -> None:
    while last and last.within[-1].end and last.within[-1].end < comment.at:
        last = last.within[-1].owner  # it stands behind the whole flow collection
    (found.about[last.id].behind if last else found.head).append(comment.note)


def _alone(found: Comments, last: _Place, following: _Place | None, comment: _Comment, column: int) -> None:
    after = following.within if following else ()
    if comment.within:
        inside = {(last.value.at.line, last.value.at.column): id(last.value), **{r.at: r.id for r in last.within}}
        ended = [] if comment.within[-1] in [r.at for r in after] else [inside[comment.within[-1]]]
    else:
        deeper = column > (following.at[1] if following else 0)
        ended = [r.id for r in last.within if deeper and not r.end and r not in after and r.at[1] <= column]
    if ended:
        found.closing.setdefault(ended[-1], []).append(comment.note)
    elif following:
        found.about[following.id].before.append(comment.note)
    else:
        found.closing.setdefault(last.within[0].id, []).append(comment.note)


def _signs(file: str, text: str) -> _Signs:
    """The comments, brackets and dashes of a text, which are whatever looks like one outside of scalars."""
    starts = [0, *(m.end() for m in LINE.finditer(text))]
    lines = LINE.split(text)
    found, opened = _Signs(), list[Position]()
    for start, end in between(file, text):
        for match in TOKEN.finditer(text, start, end):
            line = bisect_right(starts, match.start())
            before, sign = text[starts[line - 1] : match.start()], match.group()
            at = line, len(before) - before.count("\ufeff") + 1
            if sign[0] == "#":
                note = Note(sign.rstrip(), _blank_above(lines, line))
                found.comments.append(_Comment(note, at, not before.strip(), tuple(opened)))
            elif sign in "[{":
                opened.append(at)
            elif sign in "]}":
                found.closed[opened.pop()] = at
            elif sign == "-":
                found.dashes.append(at)
    return found


def _places(
    node: Node,
    owner: _Place | None,
    within: tuple[_Region, ...],
    closed: dict[Position, Position],
    dashes: Iterator[Position],
) -> Iterator[_Place]:
    """Every key and item, in file order."""
    if isinstance(node, Scalar):
        return
    at = node.at.line, node.at.column
    inner = (*within, _Region(id(node), at, closed.get(at), owner))
    children = node.entries if isinstance(node, Mapping) else [(item, item) for item in node.items]
    for anchor, value in children:
        start = anchor.at.line, anchor.at.column
        if isinstance(node, Sequence) and at not in closed:
            start = next(dashes)
        place = _Place(id(anchor), start, value, inner)
        yield place
        yield from _places(value, place, inner, closed, dashes)


def _blank_above(lines: list[str], line: int) -> bool:
    return line > 1 and not lines[line - 2].strip()
