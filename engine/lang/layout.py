"""Layout: the one way to write a rule file, with its comments.

Keys stand in the order of their record, `kind` first; names of tables and items of lists stay where they are. A mapping or
list is written in flow style (`{a: 1}`, `[1, 2]`) when it fits the line, has no comment in it and needs no quotes for
that; else in block style. Lists of mappings are in block style, and their items all in one style; so are tables of
expressions and of mappings. A blank line between things is kept, as one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from engine.errors import IftahError
from engine.lang.canonical import Branch, Entry, Leaf, Tree, arranged, plain
from engine.lang.comments import About, Comments, Note, comments_of
from engine.lang.parse import parse
from engine.lang.printer import broken
from engine.lang.problems import Report
from engine.lang.scalars import NOT_TEXT, Written, folded, literal, width_of, written
from engine.lang.source import Mapping, Sequence, read

WIDTH: Final = 120
STEP: Final = 2


def formatted(file: str, text: str, report: Report) -> str | None:
    """The canonical layout of a rule file, or None with the reasons in `report` when it does not read.

    Raises IftahError should the result say anything else than `text` does: that would be a mistake of ours.
    """
    found = Report()
    if parse(file, text, found) is None or found.problems:
        report.problems += found.problems
        return None
    tree, comments = _read(file, text)
    before = str(plain(tree)), comments.texts()
    new = "\n".join(_document(tree, comments)) + "\n"
    if new == text:
        return new
    again = _read(file, new) if parse(file, new, Report()) else None
    if again is None or (str(plain(again[0])), again[1].texts()) != before:
        hint = "please report it with the file; the file is left as it is"
        raise IftahError("formatting would change what it says", where=file, hint=hint, code="format_failed")
    return new


def _read(file: str, text: str) -> tuple[Branch, Comments]:
    root = read(file, text, Report())
    assert isinstance(root, Mapping)  # noqa: S101 - it parses
    return arranged(root), comments_of(root, file, text)


def _document(tree: Branch, comments: Comments) -> list[str]:
    first, opening = next(iter(comments.about.values())), _about(comments, tree.entries[0])
    blank, first.blank = first.blank and bool(comments.head), False  # another key may be the first one now
    if opening.before:
        opening.before[0] = Note(opening.before[0].text, blank)
    else:
        opening.blank = blank
    _settle(tree, comments)
    return [*_noted(comments.head, first=True), *_Layout(comments).block(tree, 0, first=not comments.head)]


def _settle(tree: Branch, comments: Comments) -> None:
    """Move comments to where canonical layout has a place for them, innermost first."""
    for entry in tree.entries:
        about, value = _about(comments, entry), entry.value
        if isinstance(value, Branch):
            _settle(value, comments)
            if not value.entries:
                _put_before(about, comments.closing.pop(id(value.node), []))
            elif entry.key is None and (first := _about(comments, value.entries[0])).before:
                # The first key of an item stands on the line of its dash: there is no place between them.
                _put_before(about, [*about.behind, *first.before])
                about.behind, first.before = [], []
        _put_before(about, about.behind[:-1])
        about.behind = about.behind[-1:]


def _put_before(about: About, notes: list[Note]) -> None:
    if notes and not about.before:
        notes, about.blank = [Note(notes[0].text, about.blank), *notes[1:]], False
    about.before = [*about.before, *notes]


def _about(comments: Comments, entry: Entry) -> About:
    return comments.about[id(entry.key or entry.value.node)]


def _noted(notes: list[Note], *, first: bool) -> Iterator[str]:
    for n, note in enumerate(notes):
        if note.blank and not (first and n == 0):
            yield ""
        yield note.text


@dataclass(frozen=True)
class _Layout:
    """The lines of a tree with its comments. `at` is the column where they will stand."""

    comments: Comments

    def block(self, branch: Branch, at: int, *, first: bool = True) -> Iterator[str]:
        """A mapping or list in block style. What is `first` has no blank line before it."""
        alike = isinstance(branch.node, Mapping) or all(self.fits(e, at) for e in branch.entries)
        for entry in branch.entries:
            yield from self.entry(entry, at, first=first, flow=alike and self.fits(entry, at))
            first = False
        yield from _noted(self.comments.closing.get(id(branch.node), []), first=False)

    def entry(self, entry: Entry, at: int, *, first: bool, flow: bool) -> Iterator[str]:
        """A key or item with its value, on the line of its key or dash and on lines below."""
        about, value, lead = _about(self.comments, entry), entry.value, _lead(entry)
        if isinstance(value, Leaf):
            lines = _scalar(value, at + width_of(lead), at + STEP)
        elif flow:
            lines = [self.flow(value) or ""]
        else:
            lines = [*([""] if entry.key else []), *self.block(value, at + STEP)]
            if entry.key is None:
                _put_before(about, about.behind)
                about.behind = []
        yield from _noted(about.before, first=first)
        if about.blank and not (first and not about.before):
            yield ""
        behind = [note.text for note in about.behind]
        yield " ".join(filter(None, [lead, lines[0], *behind]))
        yield from (" " * STEP + line if line else "" for line in lines[1:])

    def fits(self, entry: Entry, at: int) -> bool:
        """Whether the value can stand in flow style, on one line."""
        if isinstance(entry.value, Leaf):
            return True
        text = self.flow(entry.value)
        return text is not None and at + width_of(f"{_lead(entry)} {text}") <= WIDTH

    def flow(self, tree: Tree) -> str | None:
        """In flow style, or None where that is not the way."""
        if isinstance(tree, Leaf):
            return _line(tree).flow
        parts = [self.flow(e.value) for e in tree.entries]
        noted = (a.before or a.behind for a in (_about(self.comments, e) for e in tree.entries))
        if None in parts or any(noted) or id(tree.node) in self.comments.closing or _spread(tree):
            return None
        keys = [f"{_lead(e)} " if e.key else "" for e in tree.entries]
        text = ", ".join(f"{key}{part}" for key, part in zip(keys, parts, strict=True))
        return f"[{text}]" if isinstance(tree.node, Sequence) else f"{{{text}}}"


def _spread(branch: Branch) -> bool:
    """Whether it has a line for each entry: lists and tables of mappings and lists, and tables of expressions."""
    values = [e.value for e in branch.entries]
    if branch.record:
        return False
    return any(v.entries if isinstance(v, Branch) else v.expr and isinstance(branch.node, Mapping) for v in values)


def _lead(entry: Entry) -> str:
    if entry.key is None:
        return "-"
    return written(entry.key.text, quote=bool(NOT_TEXT.fullmatch(entry.key.text))).block + ":"


def _line(leaf: Leaf) -> Written:
    """A scalar on one line. Of what may be anything, quotes are kept that make it a text for other readers."""
    if leaf.kind == "sign":
        return Written(leaf.text, leaf.text)
    text = leaf.kind == "text" or (leaf.kind == "raw" and not leaf.node.plain)
    return written(leaf.text, quote=text and bool(NOT_TEXT.fullmatch(leaf.text)))


def _scalar(leaf: Leaf, used: int, at: int) -> list[str]:
    """A scalar in block style: on one line if it fits, after `used` columns, else on lines of their own."""
    line = _line(leaf).block
    if block := literal(leaf.text):
        return [*block]
    if used + 1 + width_of(line) <= WIDTH:
        return [line]
    if leaf.expr:
        lines = broken(leaf.expr, WIDTH - at)
        return [">-", *lines] if len(lines) > 1 else [line]
    return [*(folded(leaf.text, WIDTH - at) or [line])]
