"""Walk the grammar of rule files along a path: what belongs at a place, and which key leads there."""

from dataclasses import dataclass
from typing import Final

from engine.authoring.places import Path
from engine.lang.model.problems import SourceSpan
from engine.lang.syntax.feature_grammar import OneOrMoreType, TextsType, WindowType
from engine.lang.syntax.grammar import KINDS
from engine.lang.syntax.key_docs import KEYS, KIND
from engine.lang.syntax.schema_types import ListType, RecordType, SchemaType, TableType
from engine.lang.syntax.source import Mapping, Sequence

KIND_KEY: Final = "kind"
_SEVERAL_FORMS: Final = (OneOrMoreType, TextsType, WindowType)
_NOWHERE: Final = SourceSpan("")


@dataclass(frozen=True)
class Shape:
    """What belongs at a place: its type, and the record and key that it is the value of, if there are any."""

    type: SchemaType
    record: str = ""
    key: str = ""


def shape_at(kind: str, path: Path) -> Shape | None:
    """What belongs at the end of the path in a file of this kind; None if the grammar knows nothing there."""
    if kind not in KINDS:
        return None
    shape = Shape(KINDS[kind])
    for step in path:
        next_shape = _step(shape, step)
        if next_shape is None:
            return None
        shape = next_shape
    return shape


def _step(shape: Shape, step: str | None) -> Shape | None:
    type_ = shape.type
    if isinstance(type_, _SEVERAL_FORMS):
        node = Sequence((), _NOWHERE) if step is None else Mapping((), _NOWHERE)
        type_ = type_.form(node)
    if isinstance(type_, ListType) and step is None:
        return Shape(type_.item, shape.record, shape.key)
    if isinstance(type_, TableType) and step is not None:
        return Shape(type_.value, shape.record, shape.key)
    if isinstance(type_, RecordType) and step is not None:
        field = next((f for f in type_.fields if f.name == step), None)
        return None if field is None else Shape(field.shape, type_.label, step)
    return None


def key_meaning(record: str, key: str) -> str:
    """The meaning of a key of a record; empty for an unknown one."""
    return KIND if key == KIND_KEY else KEYS.get(record, {}).get(key, "")
