"""Find the comments of a rule file, and attach each one to a key or an item.

A comment on a line of its own belongs to the key or item after it. A comment at the end of a line belongs to the key or
item before it. A comment that is indented deeper than the next entry closes the mapping or list with the same indent.
So does the last comment in a flow collection.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from engine.lang.syntax.source import Mapping, Node, Scalar, Sequence, between

Position = tuple[int, int]  # (line, column), counted from 1, as in spans
TOKEN: Final = re.compile(r"#[^\r\n\x85\u2028\u2029]*|---|[\[\]{}-]")
LINE: Final = re.compile(r"\r\n|[\r\n]")  # the ends of lines, as `source` counts them


@dataclass(frozen=True)
class Note:
    """A comment's text from its `#` on, and whether a blank line precedes it."""

    text: str
    blank: bool = False


@dataclass
class EntryComments:
    """The comments of a key or an item: before it, and after it on its line.

    `blank`: a blank line directly precedes it.
    """

    before: list[Note] = field(default_factory=list)
    behind: list[Note] = field(default_factory=list)
    blank: bool = False


@dataclass
class Comments:
    """All comments of a file.

    `head` has those at its head, `about` those of keys and items, and `closing` those at the end of mappings and lists.
    We find the latter two by `id` of the node.
    """

    head: list[Note] = field(default_factory=list)
    about: dict[int, EntryComments] = field(default_factory=dict)
    closing: dict[int, list[Note]] = field(default_factory=dict)

    def texts(self) -> list[str]:
        """The text of every comment, sorted."""
        all_notes = [*self.head, *(n for notes in self.closing.values() for n in notes)]
        all_notes += [n for a in self.about.values() for n in (*a.before, *a.behind)]
        return sorted(n.text for n in all_notes)


@dataclass(frozen=True)
class _Comment:
    note: Note
    at: Position
    on_own_line: bool
    within: tuple[Position, ...]  # the brackets that are open here


@dataclass
class _Signs:
    comments: list[_Comment] = field(default_factory=list)
    closing_brackets: dict[Position, Position] = field(default_factory=dict)  # by the place of the opening bracket
    dashes: list[Position] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class _Region:
    """A mapping or list. `end` is the place of the closing bracket, if it has one."""

    id: int
    at: Position
    end: Position | None
    owner: "_EntryPlace | None"


@dataclass(frozen=True, eq=False)
class _EntryPlace:
    """A key or an item, and the mappings and lists around it, outermost first."""

    id: int
    at: Position
    value: Node
    within: tuple[_Region, ...]


def comments_of(root: Node, file: str, text: str) -> Comments:
    """The comments of `text`, which has the tree `root`."""
    text = text.removeprefix("\ufeff")
    lines = LINE.split(text)
    signs = _signs(file, text)
    places = list(_places(root, None, (), signs.closing_brackets, iter(signs.dashes)))
    comments = Comments(about={p.id: EntryComments() for p in places})
    for before, place in zip((None, *places), places, strict=False):
        first = before is None or before.at[0] < place.at[0]
        comments.about[place.id].blank = first and _blank_above(lines, place.at[0])
    starts, level = [p.at for p in places], (-1, 0)
    for comment in signs.comments:
        n = bisect_right(starts, comment.at)
        last, following = places[n - 1] if n else None, places[n] if n < len(places) else None
        if not comment.on_own_line or last is None:
            _attach_trailing(comments, last, comment)
            continue
        # In a run of comments, no comment belongs deeper than the one before it. So they keep their order.
        column = min(comment.at[1], level[1]) if level[0] == n else comment.at[1]
        level = n, column
        _attach_own_line(comments, last, following, comment, column)
    return comments


def _attach_trailing(comments: Comments, last: _EntryPlace | None, comment: _Comment) -> None:
    while last and last.within[-1].end and last.within[-1].end < comment.at:
        last = last.within[-1].owner  # the comment follows the whole flow collection
    (comments.about[last.id].behind if last else comments.head).append(comment.note)


def _attach_own_line(
    comments: Comments, last: _EntryPlace, following: _EntryPlace | None, comment: _Comment, column: int
) -> None:
    after = following.within if following else ()
    if comment.within:
        inside = {(last.value.at.line, last.value.at.column): id(last.value)}
        inside |= {r.at: r.id for r in last.within}
        ended_regions = [] if comment.within[-1] in [r.at for r in after] else [inside[comment.within[-1]]]
    else:
        deeper = column > (following.at[1] if following else 0)
        ended_regions = [r.id for r in last.within if deeper and not r.end and r not in after and r.at[1] <= column]
    if ended_regions:
        comments.closing.setdefault(ended_regions[-1], []).append(comment.note)
    elif following:
        comments.about[following.id].before.append(comment.note)
    else:
        comments.closing.setdefault(last.within[0].id, []).append(comment.note)


def _signs(file: str, text: str) -> _Signs:
    """The comments, brackets and dashes of a text: outside of scalars, every such character is one."""
    starts = [0, *(m.end() for m in LINE.finditer(text))]
    lines = LINE.split(text)
    signs, open_brackets = _Signs(), list[Position]()
    for start, end in between(file, text):
        for match in TOKEN.finditer(text, start, end):
            line = bisect_right(starts, match.start())
            before, sign = text[starts[line - 1] : match.start()], match.group()
            at = line, len(before) - before.count("\ufeff") + 1
            if sign[0] == "#":
                note = Note(sign.rstrip(), _blank_above(lines, line))
                signs.comments.append(_Comment(note, at, not before.strip(), tuple(open_brackets)))
            elif sign in "[{":
                open_brackets.append(at)
            elif sign in "]}":
                signs.closing_brackets[open_brackets.pop()] = at
            elif sign == "-":
                signs.dashes.append(at)
    return signs


def _places(
    node: Node,
    owner: _EntryPlace | None,
    within: tuple[_Region, ...],
    closed: dict[Position, Position],
    dashes: Iterator[Position],
) -> Iterator[_EntryPlace]:
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
        place = _EntryPlace(id(anchor), start, value, inner)
        yield place
        yield from _places(value, place, inner, closed, dashes)


def _blank_above(lines: list[str], line: int) -> bool:
    return line > 1 and not lines[line - 2].strip()
