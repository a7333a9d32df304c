"""Find the lines of a rule file that hold a rule, a characteristic, a feature or another part with an id."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from engine.lang.model.problems import Report
from engine.lang.syntax import source
from engine.lang.syntax.source import Node, Scalar, Sequence

CASES: Final = ".cases.yaml"
SCORABLE: Final = "scorable"  # the one condition of a scorecard without an id


@dataclass(frozen=True)
class PlaceInFile:
    """The lines `first` to `last` of a file, counted from 1, that hold `id`, in force from the day `since` until before `until`."""

    kind: str  # of the file: perks, scorecard, features
    id: str
    file: str
    first: int
    last: int
    since: str | None = None
    until: str | None = None

    def is_in_force(self, day: str) -> bool:
        """Whether the rule is in force on a day (ISO 8601)."""
        return (self.since is None or self.since <= day) and (self.until is None or day < self.until)


def rule_places(files: Mapping[str, str]) -> tuple[PlaceInFile, ...]:
    """The places of all parts with an id in the files that we can read, but for cases, in the order of the files."""
    rules = {name: text for name, text in files.items() if not name.endswith(CASES)}
    return tuple(place for name, text in rules.items() for place in _places_of_file(name, text))


def find_place(places: tuple[PlaceInFile, ...], kind: str, name: str, day: str) -> PlaceInFile | None:
    """The place of a part in force on a day; None if there is none."""
    return next((p for p in places if (p.kind, p.id) == (kind, name) and p.is_in_force(day)), None)


def _places_of_file(name: str, text: str) -> Iterator[PlaceInFile]:
    root = source.read(name, text, Report())
    if not isinstance(root, source.Mapping):
        return
    keys = _texts(root)
    kind = keys.get("kind", "")
    for key, value in root.entries:
        if key.text == SCORABLE:
            yield PlaceInFile(kind, SCORABLE, name, key.at.line, _last_line(value))
        yield from _places(value, kind, name)


def _places(node: Node, kind: str, file: str) -> Iterator[PlaceInFile]:
    if isinstance(node, Sequence):
        for item in node.items:
            yield from _places(item, kind, file)
    if not isinstance(node, source.Mapping):
        return
    texts = _texts(node)
    if "id" in texts:
        lines = node.at.line, _last_line(node)
        yield PlaceInFile(kind, texts["id"], file, *lines, texts.get("since"), texts.get("until"))
    for _, value in node.entries:
        yield from _places(value, kind, file)


def _texts(node: source.Mapping) -> dict[str, str]:
    return {key.text: value.text for key, value in node.entries if isinstance(value, Scalar)}


def _last_line(node: Node) -> int:
    match node:
        case Scalar():
            return node.at.line if node.offsets is None else max(node.at.line, node.offsets[-1][0])
        case Sequence(items):
            return max((_last_line(item) for item in items), default=node.at.line)
        case _:
            return max((_last_line(value) for _, value in node.entries), default=node.at.line)
