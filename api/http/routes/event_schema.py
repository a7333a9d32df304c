"""The OpenAPI schema of the body of `POST /v1/events`, which we generate from the columns of events."""

from typing import Any, Final

from api.evidence import bodies
from graph.evidence.events import CORRECTABLE_COLUMNS, INPUT_COLUMNS, SCHEMA

EVENT: Final = "Event"
EVENTS: Final = "Events"
CORRECTION: Final = "CorrectedFields"
_REQUIRED: Final = ("event_id", "kind", "subject", "happened_at")
_KIND: Final = r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$"
_DECLARED: Final = {"type": ["string", "number", "boolean", "null"]}  # of a field that evidence.yaml declares
_TYPES: Final[dict[str, dict[str, Any]]] = {
    "String": {"type": "string"},
    "Int64": {"type": "integer", "format": "int64"},
    "Date": {"type": "string", "format": "date"},
}
_MOMENT: Final = {"type": "string", "format": "date-time"}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _column(name: str) -> dict[str, Any]:
    if name == "kind":
        return {"type": "string", "pattern": _KIND, "description": "what happened: one of the kinds of evidence.yaml"}
    if name == "fields":
        description = "the new values of a correction, as an object or as its text"
        return {"anyOf": [_ref(CORRECTION), {"type": "string"}, {"type": "null"}], "description": description}
    value = _value(name)
    return value if name in _REQUIRED else {**value, "type": [value["type"], "null"]}


def _value(name: str) -> dict[str, Any]:
    """The schema of a column's value."""
    return _TYPES.get(str(SCHEMA[name]), _MOMENT)


# Components of the document that no route's own form defines.
SCHEMAS: Final[dict[str, dict[str, Any]]] = {
    CORRECTION: {
        "type": "object",
        "title": CORRECTION,
        "description": "The fields that a correction sets.",
        "properties": {name: _value(name) for name in CORRECTABLE_COLUMNS},
        "minProperties": 1,
        "additionalProperties": _DECLARED,
    },
    EVENT: {
        "type": "object",
        "title": EVENT,
        "description": "Something that happened to a subject. The fields are those of docs/events.md, and those that "
        "evidence.yaml declares.",
        "properties": {name: _column(name) for name in INPUT_COLUMNS},
        "required": list(_REQUIRED),
        "additionalProperties": _DECLARED,
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
