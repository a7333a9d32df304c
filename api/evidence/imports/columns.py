"""The columns of a source by the names that a map gives them. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass

from api.evidence.imports.cells import Cell, SourceColumn, cell_of
from api.evidence.imports.map_tree import ImportMap
from engine.lang.model.problems import Report, SourceSpan
from engine.lang.syntax.expression_tree import Name
from engine.lang.syntax.schema_types import suggestion

_CONSTANT_HINT = "a constant is written {value: …}"


@dataclass(frozen=True)
class SourceColumns:
    """The columns of a source. `aliases`: the map's own names for some of them; `used`: those that were asked for."""

    source: str
    columns: tuple[SourceColumn, ...]
    aliases: dict[str, tuple[str, SourceSpan]]
    used: set[str] = field(default_factory=set)

    def cell(self, name: str, at: SourceSpan, report: Report) -> Cell | None:
        """The cell of a column; None with the reason in the report."""
        actual, place = self.aliases.get(name, (name, at))
        matches = [column for column in self.columns if column.name == actual]
        if len(matches) == 1:
            self.used.add(matches[0].key)
            return cell_of(matches[0])
        if matches:
            message = f"`{actual[:60]}` is the name of {len(matches)} columns of {self.source}"
            report.add("R015", message, place, "give each its own name in the source")
            return None
        report.add("R101", f"{self.source} has no column `{actual[:60]}`", place, self._hint(name, actual))
        return None

    def _hint(self, name: str, actual: str) -> str:
        names = dict.fromkeys((*self.aliases, *(column.name for column in self.columns if column.name)))
        near = suggestion(actual, [each for each in names if each != name])
        return (
            near if name in self.aliases or "did you mean" in near else "; ".join(filter(None, (near, _CONSTANT_HINT)))
        )


def columns_of_map(import_map: ImportMap) -> frozenset[str]:
    """The names of the columns that a map uses, as the source has them."""
    aliases = {alias.text: name.text for alias, name in import_map.columns}
    tables = (import_map.fields, *(entry.fields for entry in import_map.events))
    lines = [line for table in tables for _, line in table if line is not None]
    words = [word for line in lines for word in (line.column, line.multiplied_by) if word]
    words += [word for line in lines if line.template for word in line.template.columns]
    names = {word.text for word in words} | {n.name for entry in import_map.events for n in _names(entry.when)}
    return frozenset(aliases.get(name, name) for name in names)


def _names(node: object) -> Iterator[Name]:
    """The names in a condition."""
    if isinstance(node, Name):
        yield node
    elif isinstance(node, tuple):
        for each in node:
            yield from _names(each)
    elif is_dataclass(node):
        for each in fields(node):
            yield from _names(getattr(node, each.name))
