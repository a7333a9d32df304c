"""The body of `POST /v1/events`, as the OpenAPI document has it: an event's columns, from the schema of events itself."""

from typing import Any, Final

from api.evidence import bodies
from api.evidence.json_rows import KNOWN
from graph.events import SCHEMA
from graph.vocabulary import CATEGORIES, CHANNELS, KINDS, TIES

EVENT: Final = "Event"
EVENTS: Final = "Events"
_NEEDED: Final = ("event_id", "kind", "subject", "happened_at")
_WORDS: Final = {"tie": "Tie", "channel": "Channel", "category": "Category"}
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
    if name in _WORDS:
        return {"anyOf": [_ref(_WORDS[name]), {"type": "null"}]}
    if name == "kind":
        return _ref("EventKind")
    if name == "fields":
        return {"type": ["object", "string", "null"], "description": "what a correction sets"}
    kind = _TYPES.get(str(SCHEMA[name]), _MOMENT)
    return kind if name in _NEEDED else {**kind, "type": [kind["type"], "null"]}


# What the document's components get beside what the routes' own forms give.
SCHEMAS: Final[dict[str, dict[str, Any]]] = {
    "EventKind": _enum("what can happen: docs/events.md", tuple(k.name for k in KINDS), "EventKind"),
    "Tie": _enum("what two people are to each other", TIES, "Tie"),
    "Channel": _enum("how a payment was made", CHANNELS, "Channel"),
    "Category": _enum("what a payment was for", CATEGORIES, "Category"),
    EVENT: {
        "type": "object",
        "title": EVENT,
        "description": "Something that happened to a subject. The columns are those of docs/events.md.",
        "properties": {name: _column(name) for name in KNOWN},
        "required": list(_NEEDED),
        "additionalProperties": False,
    },
    EVENTS: {
        "type": "object",
        "title": EVENTS,
        "description": "A list of events in an object.",
        "properties": {
            "events": {"type": "array", "items": _ref(EVENT), "minItems": 1, "maxItems": bodies.MOST_ROWS},
        },
        "required": ["events"],
        "additionalProperties": False,
    },
}
EXAMPLE: Final = {
    **{"event_id": "bill-17", "kind": "obligation.paid", "subject": "client-1", "happened_at": "2026-01-31T09:30:00Z"},
    **{"obligation": "loan-3", "amount": 120000, "currency": "CNY", "due": "2026-01-31"},
}
_LIST: Final = SCHEMAS[EVENTS]["properties"]["events"]
BODY: Final = {
    "required": True,
    "description": f"at most {bodies.MOST_ROWS} events; may be gzip (Content-Encoding)",
    "content": {
        bodies.LIST: {"schema": {"anyOf": [_LIST, _ref(EVENTS)]}, "example": [EXAMPLE]},
        bodies.LINES[0]: {"schema": {"type": "string", "description": "one JSON object a line"}},
    },
}
