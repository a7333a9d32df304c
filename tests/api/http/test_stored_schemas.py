"""The OpenAPI document describes every object and list; what we store, we answer unchanged, and in the shape that it describes."""

import copy
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final, get_type_hints

import jsonschema
import pytest
from sqlalchemy import select

from api.http.routes.event_fields import EventFields
from api.runtime.context import AppContext
from api.store.clock import iso
from api.store.database import reading
from api.store.tables import DECISION_SUBJECTS, DECISIONS, ORDERS
from api.supervision import digests
from graph.evidence.events import KIND_FIELDS
from tests.api.audit_client import AuditClient
from tests.api.merchant_client import assert_problem
from tests.api.order_client import ROOM_PAYMENTS, OrderClient
from tests.api.person_client import PersonClient
from tests.api.route_client import DOCUMENT

# Objects whose keys no schema can list, with the owner of their names. Their values have a type.
MAPS: Final = {
    "Attributes": "the person names the attributes",
    "AssessmentForm/properties/amounts": "perks of the rules folder",
    "AssessmentForm/properties/files": "files of the rules folder",
    "AssessmentForm/properties/values": "features and flags that the rules read",
    "BreakGlassForm/properties/files": "files of the rules folder",
    "CheckForm/properties/files": "files of the rules folder",
    "ConsentRequestView/properties/warning/anyOf/0": "by language of the rules",
    "Consents/properties/warning": "by language of the rules",
    "AuditRecord/properties/context": "the perk's own fields",
    "DayAnswers/properties/outcomes": "outcomes that occurred",
    "DemoStatus/properties/names": "ids of the demo's parties",
    "DraftAnswer/properties/files": "files of the rules folder",
    "DraftChange/properties/files": "files of the rules folder",
    "DraftForm/properties/files/anyOf/0": "files of the rules folder",
    "EligibilityRequest/properties/context": "the perk's own fields",
    "Export/properties/monitoring": "the person names the attributes",
    "FilesForm/properties/files": "files of the rules folder",
    "Group/properties/outcomes/anyOf/0": "outcomes that occurred",
    "Manifest/properties/files": "files of the rules folder",
    "ChangeRecord/properties/text_differences": "files of the rules folder",
    "Monitoring/properties/attributes": "the person names the attributes",
    "PendingConsent/properties/warning/anyOf/0": "by language of the rules",
    "PerkAnswers/properties/outcomes": "outcomes that occurred",
    "PlaceForm/properties/files": "files of the rules folder",
    "ProposalFiles/properties/files": "files of the rules folder",
    "ProposalForm/properties/files": "files of the rules folder",
    "RecordedDecision/properties/statuses": "ids of the rules",
    "RecordedDecision/properties/unknown": "ids of the rules",
    "RecordedQuestion/properties/context": "the perk's own fields",
    "RecordedQuestion/properties/values": "features and flags that the rules read",
    "RecordedRates/properties/rates": "currencies of the rules folder",
    "ReleaseFiles/properties/files": "files of the rules folder",
    "ReleaseComparison/properties/text_differences": "files of the rules folder",
    "RulesInForce/properties/files": "files of the rules folder",
    "SandboxMessage/properties/headers": "names of HTTP headers",
    "SwapFigures/properties/by_group": "ways to group people",
    "SwapFigures/properties/by_group/additionalProperties": "contributors, merchants and others",
    "UploadReport/properties/first_events/items": "fields of declared kinds",
    "YearlyReport/properties/outcomes": "outcomes that occurred",
}
COMBINATIONS: Final = ("anyOf", "oneOf", "allOf")


def schemas() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema of a body, an answer or a parameter, with its place; those within it too."""
    for name, schema in DOCUMENT["components"]["schemas"].items():
        yield from nested_schemas(name, schema)
    for where in ("paths", "webhooks"):
        for path in DOCUMENT[where].values():
            for name, operation in path.items():
                bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
                for content in (c for body in bodies for c in body.get("content", {}).values()):
                    yield from nested_schemas(f"{operation['operationId']} {name}", content["schema"])
                for parameter in operation.get("parameters", ()):
                    yield from nested_schemas(f"{operation['operationId']} {parameter['name']}", parameter["schema"])


def nested_schemas(place: str, schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield place, schema
    for word in ("properties", "patternProperties"):
        for name, field in schema.get(word, {}).items():
            yield from nested_schemas(f"{place}/{word}/{name}", field)
    for word in COMBINATIONS:
        for n, part in enumerate(schema.get(word, ())):
            yield from nested_schemas(f"{place}/{word}/{n}", part)
    for word in ("items", "additionalProperties"):
        if isinstance(schema.get(word), dict):
            yield from nested_schemas(f"{place}/{word}", schema[word])


def is_open(schema: dict[str, Any]) -> bool:
    """Whether a generated client would have nothing but a map, or a value of any type."""
    if schema.keys() & {"$ref", "enum", "const", *COMBINATIONS}:
        return False
    types = schema.get("type", ["any"])
    types = types if isinstance(types, list) else [types]
    is_map = "object" in types and not schema.get("properties")
    return is_map or "any" in types or ("array" in types and "items" not in schema)


def test_every_object_and_list_has_a_schema_and_a_map_has_the_type_of_its_values() -> None:
    open_schemas = {place: schema for place, schema in schemas() if is_open(schema)}
    assert set(open_schemas) == set(MAPS)
    typed = (
        s.get("patternProperties") or isinstance(s.get("additionalProperties"), dict) for s in open_schemas.values()
    )
    assert all(typed)


@pytest.mark.parametrize("schema", [{}, {"type": "object"}, {"type": ["array", "null"]}, {"type": ["object", "null"]}])
def test_a_schema_without_shape_is_noticed(schema: dict[str, Any]) -> None:
    assert is_open(schema)


def closed_components() -> dict[str, Any]:
    """The components, so that a key that no schema lists is an error."""
    components: dict[str, Any] = copy.deepcopy(DOCUMENT["components"])
    for name, component in components["schemas"].items():
        for _, schema in nested_schemas(name, component):
            if schema.get("properties"):
                schema["additionalProperties"] = False
    return components


COMPONENTS: Final = closed_components()


def assert_fits(value: Any, name: str) -> None:
    jsonschema.validate(value, {"$ref": f"#/components/schemas/{name}", "components": COMPONENTS})


@pytest.mark.parametrize("town_url", ["sqlite"], indirect=True)  # a record is the same text on both
def test_a_record_is_answered_as_it_is_stored_and_as_described(town: AppContext) -> None:
    client = OrderClient(town)
    client.start_order("O-1")
    client.decide(perk="hotel", context={"nights": 2})
    assert_problem(client.post_question(str(client.scores["person"][3])), 403, "no_consent")
    supervisor = AuditClient(town)
    with reading(town.database) as connection:
        joined = DECISIONS.join(DECISION_SUBJECTS, DECISION_SUBJECTS.c.seq == DECISIONS.c.seq)
        query = select(DECISIONS.c.id, DECISION_SUBJECTS.c.record).select_from(joined)
        records = {name: json.loads(text) for name, text in connection.execute(query)}
    answers = {name: supervisor.get(f"decisions/{name}").json() for name in records}
    assert {name: answer["record"] for name, answer in answers.items()} == records
    assert {"refused" in record for record in records.values()} == {True, False}
    assert any(
        (record.get("decision") or {"question": {"used": ()}})["question"]["used"] for record in records.values()
    )
    for answer in answers.values():
        assert_fits(answer, "WholeDecision")


@pytest.mark.parametrize("town_url", ["sqlite"], indirect=True)
def test_a_proof_is_answered_as_the_command_prints_it(town: AppContext) -> None:
    client = AuditClient(town)
    decision = client.decide_many(3)[1]
    digests.make_digests(town.database, client.now + timedelta(days=3))
    proof = client.get(f"decisions/{decision.id}/proof")
    assert proof.json() == digests.make_proof(town.database, decision.id)
    assert digests.check_proof(proof.json()).dates
    assert_fits(proof.json(), "Proof")


@pytest.mark.parametrize("town_url", ["sqlite"], indirect=True)
def test_an_export_holds_orders_as_they_are_stored_and_as_described(town: AppContext) -> None:
    """One order through all that a merchant can send, and one with the least."""
    client = OrderClient(town)
    times = {"start_time": "2026-01-01T00:00:00Z"}
    client.start_order("O-1", time_range=times, location={"start": "gate"}, attach="a", post_discounts=[])
    discounts = [{"name": "loyalty", "amount": 5, "description": "five"}]
    client.complete("O-1", post_payments=[ROOM_PAYMENTS[0] | {"count": 2}], post_discounts=discounts, damage_amount=1)
    client.post_action(
        "O-1", "modify", {"post_payments": [{"name": "room", "amount": 30_000}], "modify_reason": "mercy"}
    )
    client.post_action("O-1", "dispute", {"statement": "unpaid"})
    client.post_action("O-1", "dispute", {"statement": None})
    client.post_action("O-1", "sync", {"paid_at": iso(client.now)})
    client.create_order("O-2")
    client.cancel("O-2")
    response = client.http.get("/v1/me/export", headers=client.bearer(client.person_token))
    export = response.json()
    with reading(town.database) as connection:
        contents = {row.id: json.loads(row.content) for row in connection.execute(select(ORDERS))}
    assert {order["id"]: order["content"] for order in export["orders"]} == contents
    assert [set(order) for order in export["orders"]] == [set(ORDERS.c.keys()) - {"subject", "digest"}] * 2
    assert {"modify_reason", "paid_at", "dispute", "cancel_reason"} <= set().union(*contents.values())
    assert_fits(export, "Export")


def test_an_export_holds_evidence_and_requests_as_described(person_client: PersonClient) -> None:
    export = person_client.get("/me/export")
    field_names = {name for item in export["evidence"] for name in item["fields"]}
    assert {"tie", "amount", "identity_level", "obligation", "order", "days_late"} <= field_names
    assert_fits(export, "Export")


def test_the_fields_of_an_event_are_those_of_the_ledger() -> None:
    assert set(get_type_hints(EventFields)) == set(KIND_FIELDS) - {"other"}
