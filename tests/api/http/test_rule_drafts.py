"""Drafts of rules: kept by version, never overwritten, and with a notice of who else has one open."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from api.proposals import rule_drafts
from api.proposals.rule_drafts import MAX_DRAFTS
from api.store import clock
from engine.errors import Rejected
from tests.api.http.proposal_client import Party, ProposalClient, rental_context, rental_files
from tests.api.merchant_client import assert_problem

FILES = rental_files()
EDITOR, OTHER_EDITOR = "a" * 16, "b" * 16


@pytest.fixture
def client(database: Engine) -> ProposalClient:
    """Over the small rules of a shop, with their cases."""
    return ProposalClient(replace(rental_context(database), files=FILES), with_keys=False)


def new_draft(client: ProposalClient, name: str = "summer", **fields: Any) -> Any:
    return client.wang.take("rules/drafts", {"name": name, **fields})


def test_a_draft_begins_with_the_files_in_force_or_with_yours(client: ProposalClient) -> None:
    draft = new_draft(client)
    assert (draft["owner"], draft["saved_by"], draft["version"], draft["files"]) == ("wang", "wang", 1, FILES)
    assert draft["base"] == client.context.release.id
    own_files = {"perks.yaml": "kind: perks\n"}
    assert new_draft(client, "mine", files=own_files)["files"] == own_files
    assert client.li.get(f"rules/drafts/{draft['id']}") == draft


def test_a_save_changes_some_files_and_takes_others_out(client: ProposalClient) -> None:
    number = new_draft(client)["id"]
    changes = {"perks.yaml": "kind: perks\n", "lists/new.yaml": "kind: list\n", "reasons.yaml": None}
    saved = client.wang.send("PUT", f"rules/drafts/{number}", {"version": 1, "files": changes}).json()
    assert (saved["version"], "files" in saved) == (2, False)
    files = client.wang.get(f"rules/drafts/{number}")["files"]
    assert (files["perks.yaml"], files["lists/new.yaml"], "reasons.yaml" in files) == (
        "kind: perks\n",
        "kind: list\n",
        False,
    )
    assert files["trust.yaml"] == FILES["trust.yaml"]


def test_a_save_over_another_version_is_refused_and_names_who_saved(client: ProposalClient) -> None:
    number = new_draft(client)["id"]
    mei = Party(client, "operator", "mei")
    saved = mei.send("PUT", f"rules/drafts/{number}", {"version": 1, "files": {"perks.yaml": "of mei"}})
    assert (saved.status_code, saved.json()["saved_by"]) == (200, "mei")
    for version in (1, 3):
        refused = client.wang.send(
            "PUT", f"rules/drafts/{number}", {"version": version, "files": {"perks.yaml": "of wang"}}
        )
        assert "mei saved this draft as version 2" in assert_problem(refused, 409, "draft_moved")["detail"]
    assert client.wang.get(f"rules/drafts/{number}")["files"]["perks.yaml"] == "of mei"


def test_editors_of_one_draft_hear_of_each_other(client: ProposalClient) -> None:
    number, mei = new_draft(client)["id"], Party(client, "operator", "mei")
    address = f"rules/drafts/{number}/presence"
    assert client.wang.take(address, {"editor": EDITOR})["editors"] == []
    presence = mei.take(address, {"editor": OTHER_EDITOR})
    assert [(e["party"], e["is_you"]) for e in presence["editors"]] == [("wang", False)]
    assert [(e["party"], e["is_you"]) for e in client.wang.take(address, {"editor": OTHER_EDITOR[:8]})["editors"]] == [
        ("mei", False),
        ("wang", True),
    ]
    assert presence["version"] == 1


def test_an_editor_that_no_longer_calls_is_gone(client: ProposalClient) -> None:
    number, now = new_draft(client)["id"], clock.now()

    def other_parties(editor: str, at: datetime) -> list[str]:
        return [e.party for e in rule_drafts.note_editor(client.context.database, number, editor, editor * 8, at)]

    assert other_parties("a", now) == []
    assert other_parties("b", now + timedelta(seconds=29)) == ["a"]
    assert other_parties("b", now + timedelta(seconds=31)) == []
    assert other_parties("c", now + timedelta(hours=2)) == []
    with pytest.raises(Rejected, match="no draft 99"):
        rule_drafts.note_editor(client.context.database, 99, "wang", EDITOR, now)


def test_a_party_has_a_name_once_and_so_many_drafts(client: ProposalClient) -> None:
    new_draft(client)
    assert_problem(client.wang.post("rules/drafts", {"name": "summer"}), 409, "draft_exists")
    assert Party(client, "operator", "mei").take("rules/drafts", {"name": "summer"})["owner"] == "mei"
    for number in range(MAX_DRAFTS - 1):
        rule_drafts.create_draft(client.context.database, "wang", f"draft {number}", {"a": "b"}, "", clock.now())
    assert_problem(client.wang.post("rules/drafts", {"name": "one more"}), 409, "too_many_drafts")


def test_lists_show_the_newest_first_in_pages_without_files(client: ProposalClient) -> None:
    names = [new_draft(client, name)["name"] for name in ("a", "b", "c")]
    page = client.li.send("GET", "rules/drafts", limit="2").json()
    assert [draft["name"] for draft in page["items"]] == names[:0:-1]
    assert "files" not in page["items"][0]
    rest = client.li.send("GET", "rules/drafts", limit="2", after=page["next"]).json()
    assert ([draft["name"] for draft in rest["items"]], rest["next"]) == (["a"], None)


def test_only_its_owner_deletes_a_draft(client: ProposalClient) -> None:
    number, mei = new_draft(client)["id"], Party(client, "operator", "mei")
    client.wang.take(f"rules/drafts/{number}/presence", {"editor": EDITOR})
    assert_problem(mei.send("DELETE", f"rules/drafts/{number}"), 403, "other_owner")
    assert client.wang.send("DELETE", f"rules/drafts/{number}").status_code == 204
    assert_problem(client.wang.send("GET", f"rules/drafts/{number}"), 404, "unknown_draft")
    assert_problem(client.wang.send("DELETE", f"rules/drafts/{number}"), 404, "unknown_draft")
    assert new_draft(client)["id"] > number  # a number is never another draft's


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "body",
    [{"name": ""}, {"name": "a" * 101}, {"name": "a\nb"}, {"name": "a", "files": {}}, {"name": "a", "owner": "li"}],
)
def test_a_draft_without_sense_is_refused(client: ProposalClient, body: dict[str, Any]) -> None:
    assert client.wang.post("rules/drafts", body).status_code == 422


def test_a_draft_without_files_is_refused(client: ProposalClient) -> None:
    number = new_draft(client, files={"perks.yaml": "kind: perks\n"})["id"]
    empty = {"version": 1, "files": {"perks.yaml": None}}
    assert_problem(client.wang.send("PUT", f"rules/drafts/{number}", empty), 422, "no_rules")


def test_a_draft_becomes_a_proposal(client: ProposalClient) -> None:
    number = new_draft(client, files=rental_files(80))["id"]
    files = client.wang.get(f"rules/drafts/{number}")["files"]
    proposal = client.wang.take("proposals", {"files": files, "message": "fewer bicycles"})
    assert (proposal["state"], proposal["author"]) == ("draft", "wang")
    assert client.li.get(f"proposals/{proposal['number']}/files")["files"] == files
