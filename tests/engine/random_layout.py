"""Rule files written anyhow: the same tree with its keys in any order, in any style, with comments and blank lines anywhere."""

import json
from collections.abc import Iterator
from random import Random

from engine.lang.canonical import Branch, Entry, Leaf, Tree, arranged
from engine.lang.problems import Report
from engine.lang.scalars import written
from engine.lang.source import Mapping, Sequence, read


def scrambled(text: str, seed: int, quiet: bool = False) -> str:
    """The file that says what `text` says, laid out anyhow: with comments `# c0`, `# c1` and so on, or `quiet` without."""
    root = read("", text, Report())
    assert isinstance(root, Mapping)
    return _Careless(Random(seed), quiet).document(arranged(root))


class _Careless:
    """A writer without habits."""

    def __init__(self, chance: Random, quiet: bool) -> None:
        self.chance, self.count, self.in_block = chance, 0, False
        self.noted = 0 if quiet else chance.choice([0, 0.05, 0.3])  # how many comments and blank lines there are
        self.flowing = chance.choice([0, 0.2, 0.6])  # and how much is in flow style

    def document(self, tree: Branch) -> str:
        chance = self.chance
        start = chance.choice(["", "", "\ufeff"]) + self.around(chance.choice([0, 0, 3]))
        start += chance.choice(["", "", f"---{self.behind()}\n"])
        lines = "".join(self.block(tree, chance.choice([0, 0, 0, 2])))
        return start + lines + self.around(0) + chance.choice(["", "", "...\n", "\n\n"])

    def comment(self) -> str:
        self.count += 1
        return f"#{self.chance.choice([' ', '', '  '])}c{self.count - 1}"

    def behind(self) -> str:
        """A comment at the end of a line, or none."""
        return f" {self.comment()}" if self.chance.random() < self.noted else ""

    def around(self, indent: int) -> str:
        """Lines that say nothing."""
        lines = ""
        while self.chance.random() < self.noted:
            deeper = [] if self.in_block else [2, 4]  # there it would be text
            at = max(0, indent + self.chance.choice([0, 0, 0, -2, -4, *deeper]))
            lines += self.chance.choice(["\n", " " * at + self.comment() + "\n", "  \n"])
        return lines

    def entries(self, branch: Branch) -> list[Entry]:
        entries = list(branch.entries)
        if branch.record and self.chance.random() < 0.5:
            self.chance.shuffle(entries)
        return entries

    def block(self, branch: Branch, indent: int) -> Iterator[str]:
        for entry in self.entries(branch):
            yield self.around(indent)
            lead = "-" if entry.key is None else self.key(entry.key.text) + ":"
            self.in_block = False
            yield " " * indent + lead + self.value(entry, indent)
        yield self.around(indent)

    def value(self, entry: Entry, indent: int) -> str:
        value, deeper = entry.value, indent + self.chance.choice([1, 2, 2, 4])
        if isinstance(value, Leaf):
            return self.leaf(value, deeper)
        if not value.entries or self.chance.random() < self.flowing:
            return " " + self.flow(value, deeper) + self.behind() + "\n"
        if entry.key is not None and isinstance(value.node, Sequence) and self.chance.random() < 0.5:
            deeper = indent  # dashes may stand under their key
        lines = "".join(self.block(value, deeper))
        if (
            entry.key is None
            and deeper > indent + 1
            and not lines.lstrip(" ").startswith(("#", "\n"))
            and self.chance.random() < 0.7
        ):
            return " " * (deeper - indent - 1) + lines[deeper:]  # beside the dash
        return self.behind() + "\n" + lines

    def flow(self, tree: Tree, indent: int) -> str:
        """Between brackets, on one line or on several."""
        if isinstance(tree, Leaf):
            return self.quoted(tree, plain=written(tree.text).flow == tree.text)
        opening, closing = "[]" if isinstance(tree.node, Sequence) else "{}"
        parts = []
        for entry in self.entries(tree):
            key = "" if entry.key is None else f"{self.key(entry.key.text)}: "
            parts.append(self.gap(indent) + key + self.flow(entry.value, indent))
        return opening + ",".join(parts) + self.gap(indent) + closing

    def gap(self, indent: int) -> str:
        if self.chance.random() < 0.8:
            return self.chance.choice(["", " "])
        return self.behind() + "\n" + self.around(indent) + " " * max(1, indent)

    def key(self, text: str) -> str:
        return self.chance.choice([text, text, json.dumps(text)])

    def leaf(self, leaf: Leaf, indent: int) -> str:
        """A scalar in block style, with what ends its line."""
        text, chance = leaf.text, self.chance
        if leaf.kind in ("expression", "text") and text == text.strip() and "\n" not in text and chance.random() < 0.2:
            sign, words = chance.choice([">-", "|-"]), [text]
            if sign == ">-" and "  " not in text and "'" not in text:
                words = text.replace(" ", "\n").split("\n") if chance.random() < 0.5 else [text]
            self.in_block = True
            return f" {sign}{self.behind()}\n" + "".join(" " * (indent + 1) + w + "\n" for w in words)
        return f" {self.quoted(leaf, plain=written(text).block == text)}{self.behind()}\n"

    def quoted(self, leaf: Leaf, plain: bool) -> str:
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
