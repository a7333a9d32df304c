"""What operators are told of, and the record of a change."""

import json
from xml.etree import ElementTree

import pytest
from sqlalchemy import Engine
from standardwebhooks import Webhook

from api.jobs.release_reports import report_steps
from api.proposals import activations
from api.proposals.change_record import change_record
from api.releases.release_states import manifest_hash
from api.releases.releases import record_release
from api.releases.steps import is_signature, text_to_sign
from api.render import change_page
from api.store.clock import micros, moment
from engine.errors import Rejected
from tests.api.callback_receiver import run_receiver
from tests.api.proposals.two_people import TwoPeople, changed_files
from tests.api.town import NOW, shipped_release

LATER = {"perks": "valid_hours: 168 -> valid_hours: 72"}
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def people(database: Engine) -> TwoPeople:
    record_release(database, shipped_release(), micros(NOW))
    return TwoPeople(database, micros(NOW))


def test_operators_are_told_once_of_each_release_and_way_back(people: TwoPeople) -> None:
    number = people.release(changed_files(**LATER)).number
    activations.roll_back(people.database, people.li, "too short", people.tick())
    with run_receiver() as receiver:
        for _ in range(2):
            report_steps(people.database, receiver.url, SECRET, moment(people.tick()))
    messages = [json.loads(body) for _, body in receiver.requests]
    assert [(m["type"], m["proposal"], m["actor"], m["reason"]) for m in messages] == [
        ("release.activation", number, "wang", None),
        ("release.rollback", None, "li", "too short"),
    ]
    assert len(set(receiver.webhook_ids())) == 2


def test_a_message_that_did_not_arrive_is_sent_again_under_its_id(people: TwoPeople) -> None:
    people.release(changed_files(**LATER))
    with run_receiver() as receiver:
        receiver.statuses = [503]
        with pytest.raises(Rejected, match="operators were not told: it answered 503"):
            report_steps(people.database, receiver.url, None, moment(people.tick()))
        report_steps(people.database, receiver.url, None, moment(people.tick()))
    assert len(receiver.requests) == 2
    assert len(set(receiver.webhook_ids())) == 1
    assert people.state.pending == ()


def test_a_message_has_a_signature_of_standard_webhooks(people: TwoPeople, monkeypatch: pytest.MonkeyPatch) -> None:
    people.release(changed_files(**LATER))
    with run_receiver() as receiver:
        report_steps(people.database, receiver.url, SECRET, moment(people.tick()))
    ((headers, body),) = receiver.requests
    monkeypatch.setattr(Webhook, "_Webhook__verify_timestamp", lambda *_: moment(people.now))  # it is of a later year
    assert Webhook(SECRET).verify(body, headers)


def test_the_record_of_a_change_has_the_text_the_effect_and_both_signatures(people: TwoPeople) -> None:
    proposal = people.release(changed_files(**LATER))
    record = change_record(people.database, proposal.number)
    assert "-    valid_hours: 168\n+    valid_hours: 72" in record["text_differences"]["perks.yaml"]
    assert any("valid" in line for line in record["effect"]["differences"])
    assert [(s["role"], s["party"]) for s in record["signatures"]] == [("author", "wang"), ("approver", "li")]
    assert [s["kind"] for s in record["steps"]] == [
        *("draft", "check", "measurement", "submission", "approval", "activation")
    ]
    assert json.loads(json.dumps(record)) == record


def test_anybody_can_check_the_signatures_of_a_record_with_the_public_keys(people: TwoPeople) -> None:
    proposal = people.release(changed_files(**LATER))
    record = change_record(people.database, proposal.number)
    assert record["manifest_hash"] == manifest_hash(people.state.proposals[proposal.number])
    for signature, kind in zip(record["signatures"], ("submission", "approval"), strict=True):
        text = text_to_sign(kind, proposal.number, {"manifest": record["manifest_hash"]})
        assert is_signature(people.state.keys[signature["key"]].public, signature["signature"], text)


def test_the_page_of_a_change_is_one_file_without_scripts(people: TwoPeople) -> None:
    number = people.measured(changed_files(**LATER)).number
    page = change_page.as_html(change_record(people.database, number))
    root = ElementTree.fromstring(page.removeprefix("<!DOCTYPE html>\n"))
    assert root.find(".//script") is None
    assert "valid_hours: 72" in "".join(root.itertext())
