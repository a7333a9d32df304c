"""The lineage of a feature: which events made the value, and what the value would be without each."""

from typing import Any

import pytest

from api.evidence import excerpt
from api.features import refresh_rows, serving_features
from api.store.database import reading
from tests.api.full_record import ZEB
from tests.api.person_client import PersonClient


def lineage_of(client: PersonClient, feature: str, person: str = ZEB) -> dict[str, Any]:
    answer: dict[str, Any] = client.get(f"/me/features/{feature}", caller=person)
    return answer


def test_each_event_of_a_count_is_one_less_without_it(person_client: PersonClient) -> None:
    answer = lineage_of(person_client, "behaviour.payments")
    items = person_client.get("/me/evidence")["items"]
    payments = [i["event_id"] for i in items if i["kind"] == "payment.made" and not i["said_of_you_by_another"]]
    own = set(payments) - {"p6"}  # the person disputes it, so it does not count
    assert answer["value"] == str(len(own))
    assert {e["event_id"] for e in answer["events"] if e["kind"] == "payment.made"} == own
    assert {e["value_without"] for e in answer["events"] if e["event_id"] in own} == {str(len(own) - 1)}
    assert answer["examined"] == answer["visible"]


def test_a_feature_has_the_same_value_alone_as_among_all(person_client: PersonClient) -> None:
    """Declared features, one that uses others, and one of the catalogue: the last."""
    evaluators = person_client.context.evaluators
    build = serving_features.serving_features_of(
        person_client.database, evaluators.release, ZEB, person_client.now
    ).row_build
    with reading(person_client.database) as connection:
        events = excerpt.of_people(connection, [ZEB]).drop("seq")
    view, consents = refresh_rows.view_of(evaluators, build, events)
    all_values = refresh_rows.local_values(evaluators, build, view, consents, [ZEB])
    names = [*all_values.columns[1::7], all_values.columns[-1]]
    assert len(names) > 4
    for selection in ([names[0]], [names[-1]], ["capacity.income_cover"], names):
        single_values = refresh_rows.local_values(evaluators, build, view, consents, [ZEB], selection)
        assert single_values.select(selection).rows() == all_values.select(selection).rows()


def test_events_that_make_no_difference_are_not_listed(person_client: PersonClient) -> None:
    answer = lineage_of(person_client, "identity.level")
    assert {e["kind"] for e in answer["events"]} <= {"person.enrolled"}


def test_a_feature_of_the_whole_graph_has_no_lineage(person_client: PersonClient) -> None:
    answer = person_client.call("GET", "/me/features/relationships.trust")
    assert (answer.status_code, answer.json()["code"]) == (409, "no_lineage")


@pytest.mark.parametrize("name", ["credit.keptt", "watch.missed_thrice", "x" * 80])
def test_an_unknown_feature_is_told_apart(person_client: PersonClient, name: str) -> None:
    answer = person_client.call("GET", f"/me/features/{name}")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_feature")


def test_an_operator_sees_the_lineage_for_the_person_of_a_dispute_alone(person_client: PersonClient) -> None:
    item = next(i for i in person_client.get("/me/evidence")["items"] if i["kind"] == "payment.made")
    body = {"contributor": item["contributor"], "event_id": item["event_id"]}
    dispute = person_client.call("POST", "/me/disputes", body).json()
    person_client.refresh()
    path = f"/disputes/{dispute['dispute_id']}/features/behaviour.payments"
    assert person_client.get(path, caller="operator") == lineage_of(person_client, "behaviour.payments")
    unknown = person_client.call("GET", "/disputes/0000000000000000/features/behaviour.payments", caller="operator")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_dispute")


def test_without_consent_to_the_class_the_value_is_missing_and_no_event_is_behind_it(
    person_client: PersonClient,
) -> None:
    body = {"purpose": "perks", "classes": ["behaviour"]}
    response = person_client.call("POST", "/me/consents/withdraw", body)
    assert response.status_code in (200, 201), response.text
    person_client.refresh()
    answer = lineage_of(person_client, "behaviour.payments")
    assert (answer["value"], answer["events"]) == (None, [])
