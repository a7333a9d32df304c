"""Looks: an operator opens a person only with a purpose, and the person sees who looked."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, update
from sqlalchemy.exc import DBAPIError

from api.access import tokens
from api.people.erasure import erase
from api.people.looks import LOOK_PERIOD
from api.store.database import writing
from api.store.tables import LOOKS
from tests.api.full_record import ZEB, count_rows_with
from tests.api.merchant_client import assert_problem
from tests.api.person_client import PersonClient
from tests.api.town import NOW

PURPOSE = {"kind": "dispute", "purpose": "answers the objection to p2"}
PARTS = ("", "/recourse", "/evidence", "/inquiries", "/network", "/features/credit.kept")


def look_at(client: PersonClient, person: str = ZEB, caller: str = "operator", **form: str) -> dict[str, Any]:
    response = client.call("POST", f"/people/{person}/looks", {**PURPOSE, **form}, caller=caller)
    assert response.status_code == 201, response.text
    look: dict[str, Any] = response.json()
    return look


def second_operator(client: PersonClient) -> str:
    """Another operator's name as a caller."""
    client.tokens["lee"] = tokens.issue(client.database, "operator", "lee", "lee", NOW).secret
    return "lee"


def test_a_person_is_open_under_a_look_and_not_without(each_person_client: PersonClient) -> None:
    client = each_person_client
    look = look_at(client)
    assert (look["person"], look["kind"], look["purpose"], look["part"]) == (ZEB, *PURPOSE.values(), "person")
    for part in PARTS:
        assert_problem(client.call("GET", f"/people/{ZEB}{part}", caller="operator"), 403, "look_needed")
        response = client.call("GET", f"/people/{ZEB}{part}?look={look['id']}", caller="operator")
        assert response.status_code == 200, (part, response.text)


def test_a_look_is_for_one_person_one_caller_and_a_quarter_of_an_hour(each_person_client: PersonClient) -> None:
    client = each_person_client
    look, other_look = look_at(client), look_at(client, "ann")
    path = f"/people/{ZEB}?look="
    assert_problem(client.call("GET", path + other_look["id"], caller="operator"), 403, "look_needed")
    assert_problem(client.call("GET", path + look["id"], caller=second_operator(client)), 403, "look_needed")
    assert_problem(client.call("GET", path + "0" * 32, caller="operator"), 403, "look_needed")
    client.now += LOOK_PERIOD - timedelta(seconds=1)
    assert client.call("GET", path + look["id"], caller="operator").status_code == 200
    client.now += timedelta(seconds=1)
    assert_problem(client.call("GET", path + look["id"], caller="operator"), 403, "look_needed")


def test_the_person_sees_who_looked_and_why_and_never_the_key(each_person_client: PersonClient) -> None:
    client = each_person_client
    look_at(client)
    look_at(client, caller=second_operator(client), kind="enquiry", purpose="she called")
    look_at(client, "ann")
    items = client.get("/me/looks")["items"]
    assert [(i["party"], i["kind"], i["purpose"]) for i in items] == [
        ("lee", "enquiry", "she called"),
        ("the-operator", *PURPOSE.values()),
    ]
    assert all("id" not in item for item in items)
    assert client.get("/me/export")["looks"] == items
    assert [i["number"] for i in client.get("/me/looks?limit=1")["items"]] == [items[0]["number"]]
    rest = client.get(f"/me/looks?after={items[0]['number']}")
    assert (rest["items"], rest["next"]) == (items[1:], None)


@pytest.mark.parametrize("purpose", ["", "  ", "a\nb", "x" * 501])
def test_a_purpose_is_a_short_text(person_client: PersonClient, purpose: str) -> None:
    response = person_client.call("POST", f"/people/{ZEB}/looks", PURPOSE | {"purpose": purpose}, caller="operator")
    assert_problem(response, 422, "bad_request")


@pytest.mark.parametrize("person", ["nobody", "shop", "iftah"])
def test_there_is_no_look_at_nobody_or_at_a_merchant(each_person_client: PersonClient, person: str) -> None:
    response = each_person_client.call("POST", f"/people/{person}/looks", PURPOSE, caller="operator")
    assert_problem(response, 404, "unknown_person")


def test_an_id_with_a_slash_is_one_person(person_client: PersonClient) -> None:
    response = person_client.call("POST", "/people/a%2Flooks/looks", PURPOSE, caller="operator")
    assert_problem(response, 404, "unknown_person")


def test_a_search_names_people_by_their_prefix_and_is_recorded_once(each_person_client: PersonClient) -> None:
    client = each_person_client
    for prefix, ids in (("zeb", [ZEB]), (ZEB, [ZEB]), ("a", ["ann"]), ("sho", []), ("zz", []), ("%", []), ("A", [])):
        found_ids = client.get(f"/people?starts={prefix.replace('%', '%25')}", "operator")["items"]
        assert found_ids == [{"person": person} for person in ids], prefix
    (seen_search,) = client.get("/me/looks")["items"]
    assert (seen_search["part"], seen_search["kind"], seen_search["party"]) == ("search", "search", "the-operator")
    client.advance(hours=1)
    client.get("/people?starts=z", "operator")
    assert len(client.get("/me/looks")["items"]) == 2


def test_a_search_opens_nobody(person_client: PersonClient) -> None:
    person_client.get("/people?starts=zeb", "operator")
    with writing(person_client.database) as connection:
        key = connection.execute(LOOKS.select()).mappings().one()["id"]
    assert_problem(person_client.call("GET", f"/people/{ZEB}?look={key}", caller="operator"), 403, "look_needed")


def test_nobody_changes_or_deletes_a_look(each_person_client: PersonClient) -> None:
    client = each_person_client
    look_at(client)
    for change in (update(LOOKS).values(purpose="another"), delete(LOOKS)):
        with pytest.raises(DBAPIError, match="append-only"), client.database.begin() as connection:
            connection.execute(change)


def test_an_erasure_removes_the_looks_and_the_name_in_others(each_person_client: PersonClient) -> None:
    client = each_person_client
    look_at(client)
    look_at(client, "ann", purpose=f"asks about the tie to {ZEB}, not {ZEB}x")
    assert count_rows_with(client.database, ZEB)["looks"] == 2
    erase(client.database, ZEB, client.now)
    assert [i["purpose"] for i in client.get("/me/looks", "ann")["items"]] == [
        f"asks about the tie to gone, not {ZEB}x"
    ]
    response = client.call("POST", f"/people/{ZEB}/looks", PURPOSE, caller="operator")
    assert_problem(response, 404, "unknown_person")


def test_a_look_ends_with_the_person(each_person_client: PersonClient) -> None:
    client = each_person_client
    look = look_at(client)
    erase(client.database, ZEB, client.now)
    assert_problem(client.call("GET", f"/people/{ZEB}?look={look['id']}", caller="operator"), 403, "look_needed")


def test_what_the_operator_sees_is_what_the_person_sees(each_person_client: PersonClient) -> None:
    client = each_person_client
    client.decide()
    look = look_at(client)

    def of_operator(part: str = "") -> Any:
        return client.get(f"/people/{ZEB}{part}?look={look['id']}", "operator")

    sheet, export = of_operator(), client.get("/me/export")
    assert sheet["score"] == client.get("/me")
    for part in ("history", "orders", "consent_requests", "disputes", "reviews", "looks"):
        assert sheet[part] == export[part], part
    assert sheet["consents"] == client.get("/me/consents")["in_force"]
    for part in ("evidence", "inquiries"):
        assert of_operator(f"/{part}") == client.get(f"/me/{part}"), part
    assert of_operator("/recourse") == client.get("/me/recourse")


def test_a_stored_script_stays_a_text(person_client: PersonClient) -> None:
    script = "<script>alert(1)</script>"
    look_at(person_client, purpose=script)
    assert person_client.get("/me/looks")["items"][0]["purpose"] == script
