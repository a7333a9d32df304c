"""The OpenAPI schema of the body of `POST /v1/events`, which we generate from the columns of events."""

from typing import Any, Final

from api.evidence import bodies
from api.evidence.json_rows import INPUT_COLUMNS
from graph.evidence.events import CORRECTABLE_COLUMNS, SCHEMA
from graph.evidence.vocabulary import KINDS

EVENT: Final = "Event"
EVENTS: Final = "Events"
CORRECTION: Final = "CorrectedFields"
_REQUIRED: Final = ("event_id", "kind", "subject", "happened_at")
_ENUM_NAMES: Final = {"tie": "Tie", "channel": "Channel", "category": "Category"}  # components of `api.http.fields`
_TYPES: Final[dict[str, dict[str, Any]]] = {
    "String": {"type": "string"},
    "Int64": {"type": "integer", "format": "int64"},
    "Date": {"type": "string", "format": "date"},
}
_MOMENT: Final = {"type": "string", "format": "date-time"}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _enum(description: str, words: tuple[str, ...], title: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(words), "title": title, "description": description}


def _column(name: str) -> dict[str, Any]:
    if name == "kind":
        return _ref("EventKind")
    if name == "fields":
        description = "the new values of a correction, as an object or as its text"
        return {"anyOf": [_ref(CORRECTION), {"type": "string"}, {"type": "null"}], "description": description}
    value = _value(name)
    if name in _REQUIRED:
        return value
    return {"anyOf": [value, {"type": "null"}]} if "$ref" in value else {**value, "type": [value["type"], "null"]}


def _value(name: str) -> dict[str, Any]:
    """The schema of a column's value."""
    return _ref(_ENUM_NAMES[name]) if name in _ENUM_NAMES else _TYPES.get(str(SCHEMA[name]), _MOMENT)


# Components of the document that no route's own form defines.
SCHEMAS: Final[dict[str, dict[str, Any]]] = {
    "EventKind": _enum("what can happen: docs/events.md", tuple(k.name for k in KINDS), "EventKind"),
    CORRECTION: {
        "type": "object",
        "title": CORRECTION,
        "description": "The columns that a correction sets.",
        "properties": {name: _value(name) for name in CORRECTABLE_COLUMNS},
        "minProperties": 1,
        "additionalProperties": False,
    },
    EVENT: {
        "type": "object",
        "title": EVENT,
        "description": "Something that happened to a subject. The columns are those of docs/events.md.",
        "properties": {name: _column(name) for name in INPUT_COLUMNS},
        "required": list(_REQUIRED),
        "additionalProperties": False,
    },
    EVENTS: {
        "type": "object",
        "title": EVENTS,
        "description": "A list of events in an object.",
        "properties": {
            "events": {"type": "array", "items": _ref(EVENT), "minItems": 1, "maxItems": bodies.MAX_ROWS},
        },
        "required": ["events"],
        "additionalProperties": False,
    },
}
EXAMPLE: Final = {
    "event_id": "bill-17",
    "kind": "obligation.paid",
    "subject": "client-1",
    "happened_at": "2026-01-31T09:30:00Z",
    "obligation": "loan-3",
    "amount": 120000,
    "currency": "CNY",
    "due": "2026-01-31",
}
_LIST: Final = SCHEMAS[EVENTS]["properties"]["events"]
BODY: Final = {
    "required": True,
    "description": f"at most {bodies.MAX_ROWS} events; may be gzip (Content-Encoding)",
    "content": {
        bodies.LIST_TYPE: {"schema": {"anyOf": [_LIST, _ref(EVENTS)]}, "example": [EXAMPLE]},
        bodies.LINE_TYPES[0]: {"schema": {"type": "string", "description": "one JSON object a line"}},
    },
}
