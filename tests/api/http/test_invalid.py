"""The answers to invalid requests: messages about JSON, with the place, and without the caller's values."""

from typing import Any, Final

import pytest

from api.runtime.context import AppContext
from tests.api.merchant_client import MerchantClient, assert_problem

# An error in one field of a question, and the whole message.
BAD_FIELDS: Final[dict[str, tuple[dict[str, Any], str, str]]] = {
    "text for a number": ({"amount": "abc"}, "bad_amount", "`amount` should be a whole number"),
    "half a number": ({"amount": 1.5}, "bad_amount", "`amount` should be a whole number"),
    "a number for text": ({"subject": 5}, "bad_request", "`subject` should be text"),
    "too long": ({"subject": "x" * 129}, "bad_request", "`subject` should have at most 128 characters"),
    "a list for an object": ({"context": []}, "bad_request", "`context` should be an object"),
    "too many": ({"context": {f"k{i}": 1 for i in range(21)}}, "bad_request", "`context` should have at most 20 items"),
    "a key too long": (
        {"context": {"k" * 61: 1}},
        "bad_request",
        f"`{('context.' + 'k' * 61)[:40]}` should have at most 60 characters",
    ),
    "unknown": ({"colour": "red"}, "bad_request", "`colour` does not belong here"),
}


# None of these questions reaches the database.
pytestmark = pytest.mark.parametrize("town_url", ["sqlite"], indirect=True)


@pytest.fixture
def client(town: AppContext) -> MerchantClient:
    return MerchantClient(town)


def test_an_invalid_field_is_reported_in_terms_of_json(client: MerchantClient) -> None:
    problems = {
        case: assert_problem(client.post_question(**{"subject": "somebody"} | fields), 422, code)
        for case, (fields, code, _) in BAD_FIELDS.items()
    }
    assert {case: problem["detail"] for case, problem in problems.items()} == {
        case: detail for case, (*_, detail) in BAD_FIELDS.items()
    }


def test_an_invalid_path_or_query_parameter_is_reported_in_terms_of_json(client: MerchantClient) -> None:
    expected = {
        "/v1/reconciliation/yesterday": "`day` should be a day such as 2026-01-31",
        "/v1/orders?limit=many": "`limit` should be a whole number",
        "/v1/callbacks?state=lost": "`state` should be 'waiting', 'sent' or 'failed'",
    }
    responses = {path: client.http.get(path, headers=client.bearer(client.token)) for path in expected}
    assert {
        path: assert_problem(response, 422, "bad_request")["detail"] for path, response in responses.items()
    } == expected


def test_a_time_without_a_zone_gets_a_hint(client: MerchantClient) -> None:
    body = {"service": "hotel", "subject": "somebody", "classes": ["credit"], "until": "2026-01-31T09:30:00"}
    response = client.http.post("/v1/consents", json=body, headers=client.bearer(client.token))
    detail = assert_problem(response, 422, "bad_request")["detail"]
    assert detail == "`until` should say its time zone, as 2026-01-31T09:30:00Z does"


def test_a_body_that_is_not_an_object_is_reported(client: MerchantClient) -> None:
    for body, detail in ((b"{nope", "the body is not JSON"), (b"[]", "the body should be an object")):
        assert assert_problem(post_body(client, body, "application/json"), 422, "bad_request")["detail"] == detail


def test_a_body_without_the_json_content_type_gets_a_hint(client: MerchantClient) -> None:
    problem = assert_problem(post_body(client, b"{}", "application/x-www-form-urlencoded"), 422, "bad_request")
    assert (problem["where"], problem["hint"]) == ("the body", "send `Content-Type: application/json`")


def post_body(client: MerchantClient, body: bytes, media_type: str) -> Any:
    headers = client.bearer(client.token) | {"Content-Type": media_type}
    return client.http.post("/v1/eligibility", content=body, headers=headers)
