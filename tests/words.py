"""Count the bindings that are private words: `python -m tests.words`.

A private word is one that a reader must learn from this project alone: a past participle, a pronoun or an idiom in the place of the
thing's noun. `python -m tests.words` prints their share of all bindings; `--list` prints each with its place.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from tests.paths import ROOT

FOLDERS: Final = ("engine", "graph", "api", "iftah", "tests")
MAX_SHARE: Final = 0.01  # of all bindings
PARTICIPLES: Final = frozenset(
    [
        "told",
        "said",
        "found",
        "made",
        "known",
        "given",
        "asked",
        "kept",
        "done",
        "seen",
        "gone",
        "held",
        "wanted",
        "needed",
        "named",
        "shown",
        "moved",
        "taken",
        "drawn",
        "counted",
        "answered",
        "agreed",
        "meant",
        "got",
        "came",
        "come",
        "begun",
        "began",
        "walked",
        "tried",
        "tied",
        "heard",
        "ran",
        "went",
        "laid",
        "lived",
        "put",
        "left_out",
        "put_off",
        "departed",
        "worded",
        "sought",
        "lodged",
    ]
)
PRONOUNS: Final = frozenset(
    [
        "who",
        "whom",
        "whose",
        "what",
        "which",
        "why",
        "how",
        "whoever",
        "whatever",
        "there",
        "here",
        "somebody",
        "someone",
        "everyone",
        "everybody",
        "everything",
        "nothing",
        "anything",
        "ours",
        "mine",
        "theirs",
        "others",
    ]
)
IDIOMS: Final = frozenset(
    [
        "astray",
        "standing",
        "standings",
        "once",
        "again",
        "apart",
        "alone",
        "beside",
        "around",
        "alike",
        "world",
        "house",
        "door",
        "doors",
        "office",
        "desk",
        "street",
        "crowd",
    ]
)
PRIVATE_WORDS: Final = PARTICIPLES | PRONOUNS | IDIOMS
# Fields whose names callers or operators read, by class and name.
SERIALIZED_FIELDS: Final = {
    "HoldLine.kept": "a key of perks.yaml",
    "ExpectLine.held": "a key of the cases beside the rules",
    "CaseLine.given": "a key of the cases beside the rules",
    "EventAmendment.what": "in the answer of GET /v1/events/{event_id}",
    "EventAnnotation.what": "in the answer of GET /v1/events/{event_id}",
    "Secrets.others": "in the answer of GET /v1/callbacks/secret",
    "RecordedDecision.alone": "in the record of a decision, which its entry commits to",
    "RecordedScore.alone": "in the record of a decision, which its entry commits to",
    "SwapFigures.moved": "in the report that the signatures of a proposal cover",
}


class Binding(NamedTuple):
    """A name that code binds, with the class or function around it."""

    path: Path
    line: int
    scope: str
    name: str

    @property
    def is_private_word(self) -> bool:
        """Whether the name is a private word, with or without leading underscores."""
        owner = self.scope.rpartition(".")[2]
        return self.name.strip("_").lower() in PRIVATE_WORDS and f"{owner}.{self.name}" not in SERIALIZED_FIELDS


def bindings(folders: tuple[str, ...] = FOLDERS) -> Iterator[Binding]:
    """Every binding of the folders: definitions, parameters, assignments, aliases, columns, and names of exceptions and patterns."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            for scope, name, line in _names(tree, ""):
                yield Binding(path.relative_to(ROOT), line, scope, name)


def _names(node: ast.AST, scope: str) -> Iterator[tuple[str, str, int]]:
    for child in ast.iter_child_nodes(node):
        name, inner = _bound_name(child), scope
        for each in [name] if name else _column_names(child):
            yield scope, each, getattr(child, "lineno", 0)
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inner = f"{scope}.{child.name}".lstrip(".")
        yield from _names(child, inner)


def _bound_name(node: ast.AST) -> str | None:
    """The name that the node itself binds, or None."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return node.name
        case ast.arg():
            return node.arg
        case ast.Name(ctx=ast.Store()):
            return node.id
        case ast.Attribute(ctx=ast.Store()):
            return node.attr
        case ast.alias():
            return node.asname
        case ast.ExceptHandler() | ast.MatchAs() | ast.MatchStar():
            return node.name
        case _:
            return None


def _column_names(node: ast.AST) -> list[str]:
    """The columns that a call names: `alias("name")`, `with_columns(name=...)` and the like."""
    match node:
        case ast.Call(func=ast.Attribute(attr="alias"), args=[ast.Constant(value=str(name))]):
            return [name]
        case ast.Call(func=ast.Attribute(attr="with_columns" | "select" | "agg"), keywords=keywords):
            return [keyword.arg for keyword in keywords if keyword.arg]
        case _:
            return []


def main() -> None:
    """Print the share of private words."""
    all_bindings = list(bindings())
    private = [binding for binding in all_bindings if binding.is_private_word]
    if "--list" in sys.argv:
        for binding in private:
            print(f"{binding.path}:{binding.line} {binding.scope}.{binding.name}")
    share = len(private) / len(all_bindings)
    print(f"{len(private)} of {len(all_bindings):,} bindings are private words: {share:.2%} (at most {MAX_SHARE:.0%})")


if __name__ == "__main__":
    main()
