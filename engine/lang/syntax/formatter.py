"""Format rule files in one canonical layout, and keep their comments.

- Keys are in the order of their record, with `kind` first. Names of tables and items of lists keep their order.
- We write a mapping or list in flow style (`{a: 1}`, `[1, 2]`) if it fits the line, has no comment inside and needs no
  quotes for that. Otherwise we use block style.
- Lists of mappings are in block style, and all their items have one style. So do tables of expressions and of mappings.
- We keep a blank line between entries, and reduce several to one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from engine.errors import IftahError
from engine.lang.model.problems import Report
from engine.lang.syntax.canonical import Branch, Leaf, Tree, TreeEntry, arrange, plain_value
from engine.lang.syntax.comments import Comments, EntryComments, Note, comments_of
from engine.lang.syntax.parse import parse
from engine.lang.syntax.printer import break_lines
from engine.lang.syntax.scalars import NOT_TEXT, ScalarText, folded_block, literal_block, scalar_text, width_of
from engine.lang.syntax.source import Mapping, Sequence, read

LINE_WIDTH: Final = 120
INDENT: Final = 2


def format_text(file: str, text: str, report: Report) -> str | None:
    """Format a rule file; None with the reasons in `report` if it has problems.

    Raises IftahError if the result would change the content of `text`, which would be a bug of ours.
    """
    parse_report = Report()
    if parse(file, text, parse_report) is None or parse_report.problems:
        report.problems += parse_report.problems
        return None
    tree, comments = _read(file, text)
    expected = str(plain_value(tree)), comments.texts()
    new = "\n".join(_document(tree, comments)) + "\n"
    if new == text:
        return new
    rewritten = _read(file, new) if parse(file, new, Report()) else None
    if rewritten is None or (str(plain_value(rewritten[0])), rewritten[1].texts()) != expected:
        hint = "please report it with the file; the file is left as it is"
        raise IftahError("formatting would change the content", where=file, hint=hint, code="format_failed")
    return new


def _read(file: str, text: str) -> tuple[Branch, Comments]:
    root = read(file, text, Report())
    assert isinstance(root, Mapping)  # noqa: S101 - the file has no problems
    return arrange(root), comments_of(root, file, text)


def _document(tree: Branch, comments: Comments) -> list[str]:
    first, opening = next(iter(comments.about.values())), _entry_comments(comments, tree.entries[0])
    blank, first.blank = first.blank and bool(comments.head), False  # another key may be first after sorting
    if opening.before:
        opening.before[0] = Note(opening.before[0].text, blank)
    else:
        opening.blank = blank
    _settle(tree, comments)
    return [*_note_lines(comments.head, first=True), *_Writer(comments).block(tree, 0, first=not comments.head)]


def _settle(tree: Branch, comments: Comments) -> None:
    """Move comments to the nearest place that the canonical layout has for them, innermost first."""
    for entry in tree.entries:
        about, value = _entry_comments(comments, entry), entry.value
        if isinstance(value, Branch):
            _settle(value, comments)
            if not value.entries:
                _put_before(about, comments.closing.pop(id(value.node), []))
            elif entry.key is None and (first := _entry_comments(comments, value.entries[0])).before:
                # The first key of an item is on the line of its dash, so no comment fits between them.
                _put_before(about, [*about.behind, *first.before])
                about.behind, first.before = [], []
        _put_before(about, about.behind[:-1])
        about.behind = about.behind[-1:]


def _put_before(about: EntryComments, notes: list[Note]) -> None:
    if notes and not about.before:
        notes, about.blank = [Note(notes[0].text, about.blank), *notes[1:]], False
    about.before = [*about.before, *notes]


def _entry_comments(comments: Comments, entry: TreeEntry) -> EntryComments:
    return comments.about[id(entry.key or entry.value.node)]


def _note_lines(notes: list[Note], *, first: bool) -> Iterator[str]:
    for n, note in enumerate(notes):
        if note.blank and not (first and n == 0):
            yield ""
        yield note.text


@dataclass(frozen=True)
class _Writer:
    """Writes a tree with its comments. `at` is the indentation of the lines."""

    comments: Comments

    def block(self, branch: Branch, at: int, *, first: bool = True) -> Iterator[str]:
        """Write a mapping or list in block style. With `first`, its first line has no blank line before it."""
        uniform = isinstance(branch.node, Mapping) or all(self.fits(e, at) for e in branch.entries)
        for entry in branch.entries:
            yield from self.entry(entry, at, first=first, flow=uniform and self.fits(entry, at))
            first = False
        yield from _note_lines(self.comments.closing.get(id(branch.node), []), first=False)

    def entry(self, entry: TreeEntry, at: int, *, first: bool, flow: bool) -> Iterator[str]:
        """Write a key or item with its value: on the line of its key or dash, and on lines below."""
        about, value, lead = _entry_comments(self.comments, entry), entry.value, _lead(entry)
        if isinstance(value, Leaf):
            lines = _scalar_lines(value, at + width_of(lead), at + INDENT)
        elif flow:
            lines = [self.flow(value) or ""]
        else:
            lines = [*([""] if entry.key else []), *self.block(value, at + INDENT)]
            if entry.key is None:
                _put_before(about, about.behind)
                about.behind = []
        yield from _note_lines(about.before, first=first)
        if about.blank and not (first and not about.before):
            yield ""
        behind = [note.text for note in about.behind]
        yield " ".join(filter(None, [lead, lines[0], *behind]))
        yield from (" " * INDENT + line if line else "" for line in lines[1:])

    def fits(self, entry: TreeEntry, at: int) -> bool:
        """Whether the value fits on one line in flow style."""
        if isinstance(entry.value, Leaf):
            return True
        text = self.flow(entry.value)
        return text is not None and at + width_of(f"{_lead(entry)} {text}") <= LINE_WIDTH

    def flow(self, tree: Tree) -> str | None:
        """Write the tree in flow style; None if it must be in block style."""
        if isinstance(tree, Leaf):
            return _line(tree).flow
        parts = [self.flow(e.value) for e in tree.entries]
        have_notes = (a.before or a.behind for a in (_entry_comments(self.comments, e) for e in tree.entries))
        if None in parts or any(have_notes) or id(tree.node) in self.comments.closing or _is_multiline(tree):
            return None
        keys = [f"{_lead(e)} " if e.key else "" for e in tree.entries]
        text = ", ".join(f"{key}{part}" for key, part in zip(keys, parts, strict=True))
        return f"[{text}]" if isinstance(tree.node, Sequence) else f"{{{text}}}"


def _is_multiline(branch: Branch) -> bool:
    """Whether each entry needs a line: in lists and tables of mappings and lists, and in tables of expressions."""
    values = [e.value for e in branch.entries]
    if branch.record:
        return False
    return any(v.entries if isinstance(v, Branch) else v.expr and isinstance(branch.node, Mapping) for v in values)


def _lead(entry: TreeEntry) -> str:
    if entry.key is None:
        return "-"
    return scalar_text(entry.key.text, quote=bool(NOT_TEXT.fullmatch(entry.key.text))).block + ":"


def _line(leaf: Leaf) -> ScalarText:
    """Write a scalar on one line. A `raw` scalar keeps quotes that make it a text for other readers."""
    if leaf.kind == "sign":
        return ScalarText(leaf.text, leaf.text)
    text = leaf.kind == "text" or (leaf.kind == "raw" and not leaf.node.plain)
    return scalar_text(leaf.text, quote=text and bool(NOT_TEXT.fullmatch(leaf.text)))


def _scalar_lines(leaf: Leaf, used_columns: int, at: int) -> list[str]:
    """Write a scalar in block style: on one line if it fits after `used_columns`, otherwise on lines of its own."""
    line = _line(leaf).block
    if block := literal_block(leaf.text):
        return [*block]
    if used_columns + 1 + width_of(line) <= LINE_WIDTH:
        return [line]
    if leaf.expr:
        lines = break_lines(leaf.expr, LINE_WIDTH - at)
        return [">-", *lines] if len(lines) > 1 else [line]
    return [*(folded_block(leaf.text, LINE_WIDTH - at) or [line])]
