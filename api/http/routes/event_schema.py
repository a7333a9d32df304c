"""The OpenAPI schema of the body of `POST /v1/events`, which we generate from the columns of events."""

from typing import Any, Final

from api.evidence import bodies
from graph.evidence.events import INPUT_COLUMNS, SCHEMA

EVENT: Final = "Event"
EVENTS: Final = "Events"
_REQUIRED: Final = ("event_id", "kind", "subject", "happened_at")
_TYPES: Final[dict[str, dict[str, Any]]] = {
    "String": {"type": "string"},
    "Int64": {"type": "integer", "format": "int64"},
    "Date": {"type": "string", "format": "date"},
}
_KIND: Final = r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$"
_MOMENT: Final = {"type": "string", "format": "date-time"}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _column(name: str) -> dict[str, Any]:
    if name == "kind":
        return {"type": "string", "pattern": _KIND, "description": "what happened: one of the kinds of evidence.yaml"}
    if name == "fields":
        return {"type": ["object", "string", "null"], "description": "the new values of a correction"}
    kind = _TYPES.get(str(SCHEMA[name]), _MOMENT)
    return kind if name in _REQUIRED else {**kind, "type": [kind["type"], "null"]}


# Components of the document that no route's own form defines.
SCHEMAS: Final[dict[str, dict[str, Any]]] = {
    EVENT: {
        "type": "object",
        "title": EVENT,
        "description": "Something that happened to a subject. The fields are those of docs/events.md, and those that "
        "evidence.yaml declares.",
        "properties": {name: _column(name) for name in INPUT_COLUMNS},
        "required": list(_REQUIRED),
        "additionalProperties": {"type": ["string", "number", "boolean", "null"]},
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
