"""The OpenAPI document for a newcomer with no other document: every entry explains itself, and you can try it unchanged."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import jsonschema
import pytest

from api.http.problems import HEAD_CODES, MEDIA_TYPE, STATUS
from api.http.routes.callbacks import OrderNotification
from api.http.routes.order_forms import OrderAnswer
from api.orders import messages
from api.orders.messages import EVENT_NAMES
from api.runtime.context import AppContext
from tests.api.order_client import OrderClient
from tests.api.route_client import DOCUMENT
from tests.api.town import shipped_release
from tests.openapi_document import DOCUMENT as FILE
from tests.openapi_document import document

OPERATIONS: Final = [
    operation for where in ("paths", "webhooks") for path in DOCUMENT[where].values() for operation in path.values()
]
FORM_NAMES: Final = sorted(
    {
        content["schema"]["$ref"].rpartition("/")[2]
        for operation in OPERATIONS
        for content in operation.get("requestBody", {"content": {}})["content"].values()
        if "$ref" in content["schema"]
    }
)


def test_each_route_has_a_summary_of_its_own() -> None:
    summaries = [operation["summary"] for operation in OPERATIONS]
    assert len(set(summaries)) == len(summaries)
    assert [s for s in summaries if " " not in s] == []


def test_every_example_body_is_accepted_unchanged() -> None:
    """Without an example the page makes one up from the pattern of a text, such as `{{}-y{zy`."""
    assert len(FORM_NAMES) > 15
    for name in FORM_NAMES:
        schema = DOCUMENT["components"]["schemas"][name]
        for example in schema.get("examples", []):
            jsonschema.validate(example, schema | {"components": DOCUMENT["components"]})
        assert name == "OrderNotification" or "examples" in schema or not list(pattern_only_fields(schema)), name


def pattern_only_fields(schema: dict[str, Any]) -> Iterator[str]:
    """The texts of a form for which the page has nothing but a pattern."""
    for name, field in schema.get("properties", {}).items():
        alternatives = [field, *field.get("anyOf", [])]
        if "examples" not in field and any("pattern" in way for way in alternatives):
            yield name


def test_all_errors_share_one_problem_schema() -> None:
    (schema_ref,) = {
        content["schema"]["$ref"]
        for path in DOCUMENT["paths"].values()
        for operation in path.values()
        for answer in operation["responses"].values()
        for kind, content in resolve(answer).get("content", {}).items()
        if kind == "application/problem+json"
    }
    assert {"code", "detail", "hint"} <= set(
        DOCUMENT["components"]["schemas"][schema_ref.rpartition("/")[2]]["properties"]
    )


def test_every_list_has_the_same_form_and_paging_parameters() -> None:
    """`items` and `next`, `limit` and `after`: a client reads all lists in the same way."""
    schemas, pages = DOCUMENT["components"]["schemas"], []
    for operation in OPERATIONS:
        answers = [operation["responses"][s] for s in ("200", "201") if s in operation["responses"]]
        (schema,) = {json.dumps(c.get("schema", {})) for a in answers for c in a.get("content", {}).values()} or {"{}"}
        body_schema = json.loads(schema)
        assert body_schema.get("type") != "array", operation["operationId"]
        fields = schemas[body_schema["$ref"].rpartition("/")[2]].get("properties", {}) if "$ref" in body_schema else {}
        if set(fields) & {"items", "next"} or [f.get("type") for f in fields.values()] == ["array"]:
            assert set(fields) == {"items", "next"}, operation["operationId"]
            pages.append(operation["operationId"])
        assert {p["name"] for p in operation.get("parameters", ())} & {"before", "most", "page", "offset"} == set()
    assert len(pages) > 12


def test_each_sent_callback_is_documented() -> None:
    by_the_clock = re.findall(r"on: clock,.* to: (\w+)", shipped_release().files["orders.yaml"])
    assert by_the_clock == ["expired", "overdue"]
    assert set(DOCUMENT["components"]["schemas"]["OrderEvent"]["enum"]) == {
        f"order.{suffix}" for suffix in {*EVENT_NAMES.values(), *by_the_clock, "disputed", "agreed"}
    }


@pytest.mark.parametrize("town_url", ["sqlite"], indirect=True)  # a body is the same text on both
def test_callback_bodies_match_their_schema(town: AppContext) -> None:
    client = OrderClient(town, callback="https://inn.example/hook")
    client.create_due_order()
    bodies = [m.body for m in messages.lease_messages(town.database, client.now, 50)]
    event_types = {OrderNotification.model_validate_json(body).type for body in bodies}
    assert event_types == {"order.created", "order.confirmed", "order.completed"}
    assert all(set(json.loads(body)["data"]) == set(OrderAnswer.model_fields) for body in bodies)


def test_the_stored_document_equals_the_served_one() -> None:
    assert FILE.read_text(encoding="utf-8") == document(), "run `python -m tests.openapi_document`"


def test_every_answer_is_described_and_has_an_example_that_fits() -> None:
    for operation in OPERATIONS:
        for status, reference in operation["responses"].items():
            answer = resolve(reference)
            where = f"{operation['operationId']} {status}"
            assert answer["description"] not in ("", "Successful Response"), where
            for kind, content in answer.get("content", {}).items():
                examples = [content["example"]] if "example" in content else list(example_values(content["examples"]))
                assert examples, where
                for example in examples:
                    schema = DOCUMENT["components"]["schemas"].get(
                        content["schema"].get("$ref", "").rpartition("/")[2], {}
                    )
                    assert "properties" not in schema or set(example) <= set(schema["properties"]), where
                    jsonschema.validate(example, content["schema"] | {"components": DOCUMENT["components"]})
                    if kind == MEDIA_TYPE:
                        assert str(example["status"]) == status, where
                        assert STATUS[example["code"]] == example["status"], where
                        assert example["code"] in answer["description"].replace("`code` is", " or").split(" or "), where


@pytest.mark.parametrize("code", HEAD_CODES)
def test_every_operation_shares_one_answer_to_a_head_that_is_too_large_or_too_slow(code: str) -> None:
    """The server gives it before it knows the route: `test_request_head.py` provokes each."""
    answers = [
        operation["responses"][str(STATUS[code])] for path in DOCUMENT["paths"].values() for operation in path.values()
    ]
    assert len(answers) > 60
    assert all(answer == {"$ref": f"#/components/responses/{code}"} for answer in answers)
    (example,) = example_values(resolve(answers[0])["content"][MEDIA_TYPE]["examples"])
    assert (example["status"], example["code"]) == (STATUS[code], code)


def resolve(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer, or the shared component that it refers to."""
    if "$ref" not in answer:
        return answer
    response: dict[str, Any] = DOCUMENT["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    return response


def example_values(examples: dict[str, Any]) -> Iterator[Any]:
    for example in examples.values():
        yield DOCUMENT["components"]["examples"][example["$ref"].rpartition("/")[2]]["value"]
