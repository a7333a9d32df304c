"""After DELETE /v1/me nothing of the person's declared evidence is left in the database, its files, a dump or a log."""

import json
import logging

import pytest
from hypothesis import given

from api.people.erasure import vacuum
from tests.api.database_templates import Template
from tests.api.full_record import remaining_texts
from tests.api.guarantees.business_client import SEEDS, BusinessClient, at_length, business_client
from tests.business_events import needles
from tests.effort import only_in_full
from tests.random_business import ANN, PEOPLE, Row


def involving(person: str, rows: list[Row]) -> list[Row]:
    return [row for row in rows if person in (row["subject"], row.get("other"))]


def live(client: BusinessClient) -> list[Row]:
    """Events of everyone, with corrections that name other parties, disputes and decisions about some of them."""
    items = [client.writer.event() for _ in range(10)]
    items += [client.writer.event(subject=ANN) for _ in range(3)]
    corrections = [client.writer.correction(item)[0] for item in client.chooser.sample(items, 5)]
    client.send(*items, *corrections)
    client.build()
    for item in client.chooser.sample(involving(ANN, items), 2):
        person = ANN if client.chooser.random() < 0.7 else item["subject"]
        body = {"contributor": "bank", "event_id": item["event_id"], "statement": f"not so, {client.writer.text()}"}
        if person in PEOPLE:
            client.call("POST", "/me/disputes", body, caller=person)
    client.refresh()
    return [*items, *corrections]


def erased_texts(client: BusinessClient, rows: list[Row]) -> set[str]:
    """The person's id, and every text that events of the person carried and no event of others alone did."""
    exported = json.dumps(client.me(ANN, "/export"), ensure_ascii=False)
    own = needles(involving(ANN, rows)) | {text for text in needles(rows) if text in exported}
    return {ANN, *own}


def no_trace(client: BusinessClient, rows: list[Row], caplog: pytest.LogCaptureFixture) -> None:
    texts = erased_texts(client, rows)
    caplog.clear()
    with caplog.at_level(logging.DEBUG):
        response = client.call("DELETE", "/me", {"confirm": "leave"}, caller=ANN)
        assert response.status_code == 200, response.text
        client.refresh()
        vacuum(client.database)
    assert remaining_texts(client.database, *sorted(texts)) == {}
    assert [text for text in texts if text in caplog.text] == []
    before = client.stored_events()
    client.submit(involving(ANN, rows))
    assert client.stored_events() == before
    assert remaining_texts(client.database, *sorted(texts)) == {}


@at_length(1, 1_000)
@given(seed=SEEDS)
def test_no_text_of_an_erased_person_is_left(
    seed: int, empty_template: Template, caplog: pytest.LogCaptureFixture
) -> None:
    with business_client(seed, empty_template) as client:
        rows = live(client)
        no_trace(client, rows, caplog)


@only_in_full
@at_length(1, 200)
@given(seed=SEEDS)
def test_no_text_of_an_erased_person_is_left_on_postgresql(
    seed: int, empty_template: Template, postgres: str, caplog: pytest.LogCaptureFixture
) -> None:
    with business_client(seed, empty_template, server=postgres) as client:
        rows = live(client)
        no_trace(client, rows, caplog)


@at_length(1, 1_000)
@given(seed=SEEDS)
def test_the_others_evidence_stays_but_for_names_and_texts(seed: int, empty_template: Template) -> None:
    """What counts for each party stays with the other one, with all of its values that can hold no name."""
    with business_client(seed, empty_template) as client:
        rows = live(client)
        before = {p: client.me(p, "/evidence?limit=1000")["items"] for p in PEOPLE if p != ANN}
        assert client.call("DELETE", "/me", {"confirm": "leave"}, caller=ANN).status_code == 200
        vocabulary = client.business.vocabulary
        party_fields = {f.name for f in vocabulary.extra_fields.values() if f.type == "party"}
        for person, items in before.items():
            after = {i["number"]: i for i in client.me(person, "/evidence?limit=1000")["items"]}
            for item in items:
                is_statement, is_of_hidden = item["data_class"] is None, item["with"] is None
                if is_statement or is_of_hidden or ANN in json.dumps(item, ensure_ascii=False):
                    continue  # a statement goes with the event that it is about, a tie with the person who gave it
                own = {"fields", "with", "kind", "event_id", "happened_at"}
                assert {k: after[item["number"]][k] for k in own} == {k: item[k] for k in own}, person
            shared = [i for i in items if i["with"] == ANN and vocabulary.kind(i["kind"]).counts_for == "each"]
            for item in shared:
                retained_fields = {
                    n: v for n, v in item["fields"].items() if not isinstance(v, str) and n not in party_fields
                }
                assert retained_fields.items() <= after[item["number"]]["fields"].items()
        assert rows
