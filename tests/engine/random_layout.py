"""Write rule files in random layouts: the same tree with any order of keys, any style, and comments and blank lines
anywhere.
"""

import json
from collections.abc import Iterator
from random import Random

from engine.lang.model.problems import Report
from engine.lang.syntax.canonical import Branch, Leaf, Tree, TreeEntry, arrange
from engine.lang.syntax.scalars import scalar_text
from engine.lang.syntax.source import Mapping, Sequence, read


def scramble(text: str, seed: int, quiet: bool = False) -> str:
    """Rewrite `text` in a random layout, with comments `# c0`, `# c1` and so on, or `quiet` without."""
    root = read("", text, Report())
    assert isinstance(root, Mapping)
    return _CarelessWriter(Random(seed), quiet).document(arrange(root))


class _CarelessWriter:
    """A writer without a consistent style."""

    def __init__(self, chance: Random, quiet: bool) -> None:
        self.chance, self.count, self.in_block = chance, 0, False
        self.note_rate = 0 if quiet else chance.choice([0, 0.05, 0.3])  # the share of comments and blank lines
        self.flow_rate = chance.choice([0, 0.2, 0.6])  # the share of flow style

    def document(self, tree: Branch) -> str:
        chance = self.chance
        start = chance.choice(["", "", "\ufeff"]) + self.filler(chance.choice([0, 0, 3]))
        start += chance.choice(["", "", f"---{self.trailing_comment()}\n"])
        lines = "".join(self.block(tree, chance.choice([0, 0, 0, 2])))
        return start + lines + self.filler(0) + chance.choice(["", "", "...\n", "\n\n"])

    def comment(self) -> str:
        self.count += 1
        return f"#{self.chance.choice([' ', '', '  '])}c{self.count - 1}"

    def trailing_comment(self) -> str:
        """A comment at the end of a line, or none."""
        return f" {self.comment()}" if self.chance.random() < self.note_rate else ""

    def filler(self, indent: int) -> str:
        """Lines without content."""
        lines = ""
        while self.chance.random() < self.note_rate:
            deeper = [] if self.in_block else [2, 4]  # there it would be part of the text
            at = max(0, indent + self.chance.choice([0, 0, 0, -2, -4, *deeper]))
            lines += self.chance.choice(["\n", " " * at + self.comment() + "\n", "  \n"])
        return lines

    def entries(self, branch: Branch) -> list[TreeEntry]:
        entries = list(branch.entries)
        if branch.record and self.chance.random() < 0.5:
            self.chance.shuffle(entries)
        return entries

    def block(self, branch: Branch, indent: int) -> Iterator[str]:
        for entry in self.entries(branch):
            yield self.filler(indent)
            lead = "-" if entry.key is None else self.key(entry.key.text) + ":"
            self.in_block = False
            yield " " * indent + lead + self.value(entry, indent)
        yield self.filler(indent)

    def value(self, entry: TreeEntry, indent: int) -> str:
        value, deeper = entry.value, indent + self.chance.choice([1, 2, 2, 4])
        if isinstance(value, Leaf):
            return self.leaf(value, deeper)
        if not value.entries or self.chance.random() < self.flow_rate:
            return " " + self.flow(value, deeper) + self.trailing_comment() + "\n"
        if entry.key is not None and isinstance(value.node, Sequence) and self.chance.random() < 0.5:
            deeper = indent  # dashes can have the same indent as their key
        lines = "".join(self.block(value, deeper))
        if (
            entry.key is None
            and deeper > indent + 1
            and not lines.lstrip(" ").startswith(("#", "\n"))
            and self.chance.random() < 0.7
        ):
            return " " * (deeper - indent - 1) + lines[deeper:]  # beside the dash
        return self.trailing_comment() + "\n" + lines

    def flow(self, tree: Tree, indent: int) -> str:
        """Between brackets, on one line or on several."""
        if isinstance(tree, Leaf):
            return self.quote(tree, plain=scalar_text(tree.text).flow == tree.text)
        opening, closing = "[]" if isinstance(tree.node, Sequence) else "{}"
        parts = []
        for entry in self.entries(tree):
            key = "" if entry.key is None else f"{self.key(entry.key.text)}: "
            parts.append(self.gap(indent) + key + self.flow(entry.value, indent))
        return opening + ",".join(parts) + self.gap(indent) + closing

    def gap(self, indent: int) -> str:
        if self.chance.random() < 0.8:
            return self.chance.choice(["", " "])
        return self.trailing_comment() + "\n" + self.filler(indent) + " " * max(1, indent)

    def key(self, text: str) -> str:
        return self.chance.choice([text, text, json.dumps(text)])

    def leaf(self, leaf: Leaf, indent: int) -> str:
        """A scalar in block style, with the end of its line."""
        text, chance = leaf.text, self.chance
        if leaf.kind in ("expression", "text") and text == text.strip() and "\n" not in text and chance.random() < 0.2:
            sign, words = chance.choice([">-", "|-"]), [text]
            if sign == ">-" and "  " not in text and "'" not in text:
                words = text.replace(" ", "\n").split("\n") if chance.random() < 0.5 else [text]
            self.in_block = True
            return f" {sign}{self.trailing_comment()}\n" + "".join(" " * (indent + 1) + w + "\n" for w in words)
        return f" {self.quote(leaf, plain=scalar_text(text).block == text)}{self.trailing_comment()}\n"

    def quote(self, leaf: Leaf, plain: bool) -> str:
        text = leaf.text
        if leaf.kind == "raw":
            return text if leaf.node.plain else json.dumps(text)
        if leaf.kind == "sign" or (plain and self.chance.random() < 0.7):
            return text
        if leaf.kind == "expression" and self.chance.random() < 0.3:
            text = self.chance.choice([f"({text})", f" {text}", text.replace(" and ", "  and ")])
        if "\n" not in text and self.chance.random() < 0.5:
            return "'" + text.replace("'", "''") + "'"
        return json.dumps(text, ensure_ascii=self.chance.random() < 0.5)
