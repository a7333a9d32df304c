"""Two ids of one person by the API: the doors, the answers, the caps, and the ends of a link."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import SQLModel

from api.decisions import decisions
from api.evidence import link_sources
from api.evidence.load import load_file
from api.features import builds
from api.people.erasure import count_rows, erase
from api.runtime.context import AppContext
from api.runtime.scoring import score_everyone
from api.supervision.replay import replay
from engine.errors import Rejected
from tests.api.linked_client import AT, REGISTRY, SECOND, LinkedClient, assert_chain_holds
from tests.api.merchant_client import assert_problem
from tests.api.refresh_town import linked_rows
from tests.api.town import END, NOW, build_features, event


@pytest.fixture
def client(town: AppContext) -> LinkedClient:
    return LinkedClient(town)


def link_row(contributor: str) -> dict[str, Any]:
    row = {"event_id": "l", "kind": "person.same_as", "subject": "x", "other": "y", "happened_at": AT}
    return {"contributor": contributor} | row


def test_only_a_permitted_contributor_may_send_links(client: LinkedClient, tmp_path: Path) -> None:
    bank = client.issue("contributor", "bank")
    result = client.link(bank)
    assert result["result"] == "refused"
    assert result["reason"] == "this contributor may not send `person.same_as`: ask an operator for `iftah links allow`"
    file = tmp_path / "links.ndjson"
    file.write_text("\n".join(json.dumps(link_row(name)) for name in ("bank", REGISTRY)))
    report = load_file(client.context.database, file, now=lambda: client.now)
    assert (report.accepted, report.refused) == (1, 1)
    assert "iftah links allow" in (tmp_path / "links.ndjson.rejects.ndjson").read_text()
    assert client.link()["result"] == "accepted"
    link_sources.deny(client.context.database, REGISTRY)
    assert client.link(event_id="another")["result"] == "refused"
    move = {"event_id": "move", "kind": "event.corrected", "ref_event": "link", "fields": {"other": "z"}}
    (result,) = client.send(move | {"subject": client.first, "happened_at": AT})
    assert result["result"] == "refused", "a correction would be another link"
    client.retract()
    assert linked_rows(client.context.database) == {}
    with pytest.raises(Rejected, match="may not send links"):
        link_sources.deny(client.context.database, REGISTRY)


def test_linked_ids_get_one_answer_and_one_score(client: LinkedClient) -> None:
    single = client.me(client.first).json()
    client.link()
    first, second = (client.me(person).json() for person in (client.first, SECOND))
    assert first["linked_ids"] == second["linked_ids"] == sorted([client.first, SECOND])
    assert single["linked_ids"] == []
    different = ("person", "computed_at")
    assert {k: v for k, v in first.items() if k not in different} == {
        k: v for k, v in second.items() if k not in different
    }
    client.consent(SECOND)
    answers = [client.ask(person).json() for person in (client.first, SECOND)]
    assert answers[0]["outcome"] == answers[1]["outcome"] == "ADMIT"
    questions = [
        decisions.record_of(client.context.database, a["decision_id"])["decision"]["question"] for a in answers
    ]
    assert questions[0]["values"] == questions[1]["values"]
    assert questions[0]["linked"] == questions[1]["linked"]
    assert len(questions[0]["linked"]) == 2
    assert not {client.first, SECOND} & set(questions[0]["linked"]), "the record names nobody but its subject"
    for answer in answers:
        assert replay(client.context, answer["decision_id"]).equal
    assert_chain_holds(client)


def test_the_answer_for_linked_ids_needs_what_each_id_grants_to_the_service(client: LinkedClient) -> None:
    assert client.ask(client.first).json()["outcome"] == "ADMIT"
    client.link()
    assert_problem(client.ask(client.first), 403, "no_consent")
    client.consent(SECOND, classes="identity")
    decision = client.ask(client.first).json()
    values = decisions.record_of(client.context.database, decision["decision_id"])["decision"]["question"]["values"]
    assert {name.partition(".")[0] for name, value in values.items() if value is not None} == {"identity"}
    client.withdraw(SECOND, classes="relationship,behaviour,restricted,credit")
    client.refresh()
    assert client.ask(client.first).json()["outcome"] == "ADMIT"


def test_orders_and_answers_of_both_ids_count_together(client: LinkedClient) -> None:
    client.link()
    client.consent(SECOND)
    for number in range(2):
        client.start_order(f"O-{number}")
    pending = client.decide()["decision_id"]
    answer = client.ask(SECOND).json()
    question = decisions.record_of(client.context.database, answer["decision_id"])["decision"]["question"]
    assert (question["in_service"], len(question["used"])) == (2, 2)
    client.consented_subjects[client.token, "hotel"].add(SECOND)
    assert_problem(client.create_order("O-old", pending), 409, "decision_superseded")
    third = client.create_order("O-third", answer["decision_id"]).json()
    assert client.confirm(third["order_id"], client.issue("subject", SECOND)).status_code == 200
    assert client.ask(client.first).json()["outcome"] == "DECLINE", "three orders are in service"
    assert_chain_holds(client)
    client.retract()
    assert client.ask(client.first).json()["outcome"] == "ADMIT", "two are the person's own"
    assert_chain_holds(client)


def rebuilt(client: LinkedClient) -> dict[str, Any]:
    """What we show of both ids after a build."""
    build = build_features(client.context.database, END, "perks", NOW)
    score_everyone(client.context, build)
    hidden = ("computed_at", "linked_ids")
    people = (client.first, SECOND)
    return {p: {k: v for k, v in client.me(p).json().items() if k not in hidden} for p in people}


def test_a_link_taken_back_leaves_no_trace_in_the_score(client: LinkedClient) -> None:
    before = rebuilt(client)
    client.link()
    assert rebuilt(client) != before
    client.retract()
    assert rebuilt(client) == before


@pytest.mark.parametrize("side", [0, 1])
def test_a_link_ends_with_the_consent_of_either_id(client: LinkedClient, side: int) -> None:
    people = [client.first, SECOND]
    client.link()
    client.withdraw(people[side], classes="identity")
    assert_problem(client.me(people[1 - side]), 503, "features_stale")
    client.refresh()
    assert client.me(people[1 - side]).json()["linked_ids"] == []
    assert_problem(client.me(people[side]), 404, "unknown_person")
    client.grant(people[side], "identity")
    client.refresh()
    assert client.me(SECOND).json()["linked_ids"] == sorted(people)


def test_an_order_needs_the_consent_of_both_ids_that_its_decision_read(client: LinkedClient) -> None:
    client.link()
    client.consent(SECOND)
    decision = client.decide()["decision_id"]
    client.withdraw(SECOND)
    assert_problem(client.create_order("O-late", decision), 403, "no_consent")


def test_a_correction_of_a_link_gets_the_same_answer_after_an_id_has_left(client: LinkedClient) -> None:
    client.link()
    link_sources.deny(client.context.database, REGISTRY)
    move = {"kind": "event.corrected", "ref_event": "link", "fields": {"other": "z"}, "subject": client.first}
    (before,) = client.send(move | {"event_id": "move-1", "happened_at": AT})
    erase(client.context.database, SECOND, NOW)
    (after,) = client.send(move | {"event_id": "move-2", "happened_at": AT})
    assert (after["result"], after["reason"]) == (before["result"], before["reason"])
    assert after["result"] == "refused"


@pytest.mark.parametrize("erased", [False, True])
def test_only_a_permitted_contributor_may_take_a_correction_of_a_link_back(client: LinkedClient, erased: bool) -> None:
    """Else a source that may no longer send links would bring its former link back."""
    client.link()
    fix = {"kind": "event.corrected", "ref_event": "link", "fields": {"other": "z"}, "subject": client.first}
    assert client.send(fix | {"event_id": "fix", "happened_at": AT})[0]["result"] == "accepted"
    link_sources.deny(client.context.database, REGISTRY)
    if erased:
        erase(client.context.database, SECOND, NOW)
    back = {"kind": "event.retracted", "subject": client.first, "happened_at": AT}
    assert client.send(back | {"event_id": "back", "ref_event": "fix"})[0]["result"] == "refused"
    assert client.send(back | {"event_id": "end", "ref_event": "link"})[0]["result"] == "accepted"


def test_a_build_during_an_erasure_does_not_bring_a_linked_id_back(
    client: LinkedClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.link()
    compute = builds.features

    def meanwhile(*args: Any, **kwargs: Any) -> Any:
        monkeypatch.undo()
        table = compute(*args, **kwargs)
        erase(client.context.database, SECOND, NOW)
        return table

    monkeypatch.setattr(builds, "features", meanwhile)
    build = build_features(client.context.database, END, "perks", NOW)
    score_everyone(client.context, build)
    assert count_rows(client.context.database, SECOND) == {}
    client.refresh()
    assert client.me(client.first).json()["linked_ids"] == []


def test_either_id_can_dispute_the_link(client: LinkedClient) -> None:
    client.link()
    token = client.issue("subject", SECOND)
    items = client.http.get("/v1/me/evidence?limit=1000", headers=client.bearer(token)).json()["items"]
    assert [i["with"] for i in items if i["kind"] == "person.same_as"] == [
        None
    ]  # `linked_ids` says it, with both consents
    body = {"contributor": REGISTRY, "event_id": "link", "statement": "this is not me"}
    assert client.http.post("/v1/me/disputes", json=body, headers=client.bearer(token)).status_code == 201
    assert_problem(client.me(client.first), 503, "features_stale")
    client.refresh()
    assert client.me(client.first).json()["linked_ids"] == client.me(SECOND).json()["linked_ids"] == []


def test_each_id_shows_the_evidence_and_inquiries_of_all_ids_as_their_consents_permit(client: LinkedClient) -> None:
    client.append(event("payment.made", SECOND, event_id="pay", other="shop", amount=5, currency="CNY"))
    client.link()
    client.consent(client.first)
    decision = client.ask(SECOND).json()["decision_id"]

    def visible_to_first() -> tuple[list[str], list[str]]:
        items = client.me(client.first, "/evidence?limit=1000").json()["items"]
        assert "link" in [i["event_id"] for i in items if i["id"] == client.first]
        inquiries = client.me(client.first, "/inquiries").json()["items"]
        return [i["event_id"] for i in items if i["id"] == SECOND], [i["decision_id"] for i in inquiries]

    assert visible_to_first() == (["second", "pay"], [decision])
    client.withdraw(SECOND, classes="behaviour")
    assert visible_to_first() == (["second"], [decision])
    client.retract()
    assert visible_to_first() == ([], [])


def test_nothing_names_an_id_that_has_left(client: LinkedClient) -> None:
    single = rebuilt(client)[client.first]
    client.link()
    client.consent(SECOND)
    client.ask(client.first)
    token = client.issue("subject", SECOND)
    left = client.http.request("DELETE", "/v1/me", json={"confirm": "leave"}, headers=client.bearer(token))
    assert left.status_code == 200, left.text
    assert_problem(client.me(client.first), 503, "features_stale")
    with client.context.database.connect() as connection:
        for name in SQLModel.metadata.tables:
            rows = connection.exec_driver_sql(f'SELECT * FROM "{name}"').all()
            assert SECOND not in repr([tuple(row) for row in rows]), name
    client.refresh()
    assert client.me(client.first).json()["linked_ids"] == []
    build = build_features(client.context.database, END, "perks", NOW)
    score_everyone(client.context, build)
    now = client.me(client.first).json()
    assert {k: v for k, v in now.items() if k in single} | {"computed_at": 0} == single | {"computed_at": 0}
    assert_chain_holds(client)
