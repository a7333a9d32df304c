"""What callers are told of a request that does not fit: words of JSON, at the place, without what was sent."""

from typing import Any, Final

import pytest

from api.world import World
from tests.api.door import Door, refused

# What is wrong with one field of a question, and all that is said of it.
WRONG: Final[dict[str, tuple[dict[str, Any], str, str]]] = {
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


# No question gets as far as the database.
pytestmark = pytest.mark.parametrize("town_url", ["sqlite"], indirect=True)


@pytest.fixture
def door(town: World) -> Door:
    return Door(town)


def test_a_field_that_does_not_fit_is_told_in_words_of_json(door: Door) -> None:
    told = {
        case: refused(door.put(**{"subject": "somebody"} | fields), 422, code)
        for case, (fields, code, _) in WRONG.items()
    }
    assert {case: problem["detail"] for case, problem in told.items()} == {
        case: said for case, (*_, said) in WRONG.items()
    }


def test_an_address_that_does_not_fit_is_told_likewise(door: Door) -> None:
    expected = {
        "/v1/reconciliation/yesterday": "`day` should be a day such as 2026-01-31",
        "/v1/orders?limit=many": "`limit` should be a whole number",
        "/v1/callbacks?state=lost": "`state` should be 'waiting', 'sent' or 'failed'",
    }
    answers = {asked: door.client.get(asked, headers=door.bearer(door.token)) for asked in expected}
    assert {asked: refused(answer, 422, "bad_request")["detail"] for asked, answer in answers.items()} == expected


def test_a_time_without_a_zone_is_told_what_it_lacks(door: Door) -> None:
    body = {"service": "hotel", "subject": "somebody", "classes": ["credit"], "until": "2026-01-31T09:30:00"}
    answer = door.client.post("/v1/consents", json=body, headers=door.bearer(door.token))
    said = refused(answer, 422, "bad_request")["detail"]
    assert said == "`until` should say its time zone, as 2026-01-31T09:30:00Z does"


def test_a_body_that_is_no_object_is_told_so(door: Door) -> None:
    for sent, said in ((b"{nope", "the body is not JSON"), (b"[]", "the body should be an object")):
        assert refused(posted(door, sent, "application/json"), 422, "bad_request")["detail"] == said


def test_a_body_that_is_not_said_to_be_json_is_told_which_header_says_it(door: Door) -> None:
    problem = refused(posted(door, b"{}", "application/x-www-form-urlencoded"), 422, "bad_request")
    assert (problem["where"], problem["hint"]) == ("the body", "send `Content-Type: application/json`")


def posted(door: Door, body: bytes, kind: str) -> Any:
    headers = door.bearer(door.token) | {"Content-Type": kind}
    return door.client.post("/v1/eligibility", content=body, headers=headers)
