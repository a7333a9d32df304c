"""A change of rules over HTTP: two people propose, check, sign and release it, and nobody does so alone."""

from typing import Any, Final

import pytest
from sqlalchemy import Engine

from api.releases.steps import is_signature, text_hash, text_to_sign
from api.runtime.context import AppContext
from engine.decide.decide import as_json
from tests.api.http.proposal_client import Party, ProposalClient, rental_context, rental_files
from tests.api.merchant_client import assert_problem
from tests.api.proposals.two_people import changed_files

STRICT: Final = rental_files(80)
STRICTER: Final = rental_files(85)
SQLITE_ONLY = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def client(database: Engine) -> ProposalClient:
    """Over the small rules of a shop, without evidence."""
    return ProposalClient(rental_context(database))


def test_two_people_change_the_rules_and_everybody_can_verify_it(town: AppContext) -> None:
    client, files = ProposalClient(town), changed_files(perks="valid_hours: 24 -> valid_hours: 23")
    response = client.wang.post("proposals", {"files": files, "message": "power banks for fewer people"})
    assert (response.status_code, response.json()["state"], response.json()["text_to_sign"]) == (201, "draft", None)
    number = response.json()["number"]
    client.check()
    proposal = client.li.get(f"proposals/{number}")
    assert (proposal["state"], proposal["problems"], proposal["author"]) == ("measured", [], "wang")
    assert any("valid_hours" in line for line in proposal["effect"]["differences"])
    assert {perk["total"] for perk in proposal["effect"]["swap"]["perks"]} == {120}
    client.wang.take(f"proposals/{number}/submission", client.wang.signature(number))
    client.li.take(f"proposals/{number}/approval", client.li.signature(number))
    assert client.wang.take(f"proposals/{number}/release")["state"] == "in force"
    assert client.li.get("releases")["in_force"]["proposal"] == number
    assert_verifies(client, number)


def assert_verifies(client: ProposalClient, number: int) -> None:
    """With the answers alone: files, effect and manifest have the hashes that both signatures cover."""
    proposal, files = client.li.get(f"proposals/{number}"), client.li.get(f"proposals/{number}/files")
    manifest = proposal["manifest"]
    assert {name: text_hash(text) for name, text in files["files"].items()} == manifest["files"]
    assert text_hash(as_json(files["files"])) == files["bundle"] == manifest["bundle"]
    assert text_hash(as_json(proposal["effect"])) == manifest["effect"]
    assert text_hash(as_json(manifest)) == proposal["manifest_hash"]
    public = {key["fingerprint"]: key for key in client.li.get("keys")["items"]}
    signed = [step for step in proposal["steps"] if step["signature"]]
    assert [(step["kind"], public[step["key"]]["party"]) for step in signed] == [
        ("submission", "wang"),
        ("approval", "li"),
    ]
    for step in signed:
        text = text_to_sign(step["kind"], number, {"manifest": proposal["manifest_hash"]})
        assert is_signature(public[step["key"]]["public"], step["signature"], text)


@SQLITE_ONLY
def test_a_draft_with_problems_stays_one_and_shows_them(client: ProposalClient) -> None:
    number = client.draft(STRICT | {"perks.yaml": STRICT["perks.yaml"].replace("score >= 80,", "scor >= 80,")})
    client.check()
    client.check()
    proposal = client.wang.get(f"proposals/{number}")
    assert proposal["state"] == "draft"
    assert "scor" in proposal["problems"][0]
    assert [step["kind"] for step in proposal["steps"]] == ["draft", "check"]
    assert_problem(client.wang.post(f"proposals/{number}/measurement"), 409, "wrong_proposal_state")


@pytest.mark.parametrize(
    ("role", "name"), [("operator", "wang"), ("approver", "wang"), ("operator", "WANG"), ("approver", "Wａng")]
)
@SQLITE_ONLY
def test_nobody_approves_their_own_proposal_by_another_token_role_or_spelling(
    client: ProposalClient, role: str, name: str
) -> None:
    number = client.in_review(STRICT)
    other = Party(client, role, name).register()
    response = other.post(f"proposals/{number}/approval", other.signature(number))
    assert_problem(response, 403, "own_proposal")
    assert client.state(number) == "in review"


@SQLITE_ONLY
def test_nobody_approves_a_proposal_that_they_revised(client: ProposalClient) -> None:
    chen = Party(client, "operator", "chen").register()
    number = client.in_review(STRICT)
    assert chen.send("PUT", f"proposals/{number}", {"files": STRICTER, "message": "stricter"}).status_code == 200
    client.pass_check(number, STRICTER)
    client.review_again(number)
    for party in (client.wang, chen):
        assert_problem(party.post(f"proposals/{number}/approval", party.signature(number)), 403, "own_proposal")
    client.li.take(f"proposals/{number}/approval", client.li.signature(number))


def test_a_changed_file_voids_an_approval(client: ProposalClient) -> None:
    number = client.in_review(STRICT)
    body = client.li.signature(number)
    client.li.take(f"proposals/{number}/approval", body)
    response = client.wang.send("PUT", f"proposals/{number}", {"files": STRICTER, "message": "stricter"})
    assert (response.json()["state"], response.json()["manifest"]) == ("draft", None)
    assert_problem(client.wang.post(f"proposals/{number}/release"), 409, "not_approved")
    client.pass_check(number, STRICTER)
    client.review_again(number)
    assert_problem(client.wang.post(f"proposals/{number}/release"), 409, "wrong_proposal_state")
    assert_problem(client.li.post(f"proposals/{number}/approval", body), 409, "manifest_moved")
    assert client.state(number) == "in review"


@SQLITE_ONLY
def test_an_approval_holds_for_one_proposal_and_one_step(client: ProposalClient) -> None:
    first, second = client.in_review(STRICT), client.in_review(STRICTER)
    body = client.li.signature(first)
    assert_problem(client.li.post(f"proposals/{second}/approval", body), 422, "bad_signature")
    manifest = client.li.get(f"proposals/{second}")["manifest_hash"]
    assert_problem(client.li.post(f"proposals/{second}/approval", body | {"manifest": manifest}), 422, "bad_signature")
    submission = next(s for s in client.wang.get(f"proposals/{first}")["steps"] if s["kind"] == "submission")
    replay = {name: submission[name] for name in ("manifest", "key", "signature")}
    assert_problem(client.li.post(f"proposals/{first}/approval", replay), 422, "bad_signature")
    assert (client.state(first), client.state(second)) == ("in review", "in review")


@SQLITE_ONLY
def test_a_signature_must_be_of_the_callers_own_key(client: ProposalClient) -> None:
    number, chen = client.in_review(STRICT), Party(client, "operator", "chen")
    stranger = client.li.signature(number) | {"key": chen.key}
    assert_problem(client.li.post(f"proposals/{number}/approval", stranger), 404, "unknown_key")
    chen.register()
    assert_problem(chen.post(f"proposals/{number}/approval", client.li.signature(number)), 422, "bad_signature")
    for change in ({"signature": "0" * 128}, {"manifest": "0" * 64}):
        response = client.li.post(f"proposals/{number}/approval", client.li.signature(number) | change)
        assert_problem(response, 422, "bad_signature")


@SQLITE_ONLY
def test_a_key_of_an_approver_signs_no_submission(client: ProposalClient) -> None:
    number = client.draft(STRICT)
    client.pass_check(number, STRICT)
    client.wang.take(f"proposals/{number}/measurement")
    second = Party(client, "approver", "wang").register()
    response = client.wang.post(f"proposals/{number}/submission", second.signature(number))
    assert_problem(response, 403, "wrong_role")


def test_a_revoked_key_signs_nothing_and_voids_what_waits(client: ProposalClient) -> None:
    number = client.approved(STRICT)
    body = client.li.signature(client.in_review(STRICTER))
    response = client.li.send("DELETE", f"keys/{client.li.key}", reason="the laptop was stolen")
    assert response.status_code == 204
    assert client.state(number) == "measured"
    assert_problem(client.wang.post(f"proposals/{number}/release"), 409, "wrong_proposal_state")
    assert_problem(client.li.post(f"proposals/{number + 1}/approval", body), 409, "key_revoked")


OPERATORS_ONLY: Final = (
    *(("POST", "proposals"), ("PUT", "proposals/1"), ("POST", "proposals/1/measurement")),
    *(("POST", f"proposals/1/{step}") for step in ("submission", "schedule", "shadow", "release")),
    *(("POST", "releases/break-glass"), ("DELETE", "releases/break-glass")),
)


@SQLITE_ONLY
def test_an_approver_proposes_and_releases_nothing(client: ProposalClient) -> None:
    number = client.approved(STRICT)
    for method, path in OPERATORS_ONLY:
        assert_problem(client.li.send(method, path, None if method == "DELETE" else {}), 403, "wrong_role")
    client.li.take(f"proposals/{number}/rejection", {"reason": "on second thoughts"})


@SQLITE_ONLY
def test_scopes_limit_a_token_to_its_group_of_routes(client: ProposalClient) -> None:
    groups = ("proposals", "releases", "keys")
    for scope in groups:
        party = Party(client, "operator", "wang", [scope])
        statuses = {group: party.send("GET", group).status_code for group in groups}
        assert statuses == {group: 200 if group == scope else 403 for group in groups}
        other = next(group for group in groups if group != scope)
        assert_problem(party.send("GET", other), 403, "wrong_scope")


def test_the_second_of_two_proposals_is_measured_again(client: ProposalClient) -> None:
    first, second = client.approved(STRICT), client.in_review(STRICTER)
    body = client.li.signature(second)
    client.wang.take(f"proposals/{first}/release")
    assert client.li.get(f"proposals/{second}")["base_moved"]
    assert_problem(client.li.post(f"proposals/{second}/approval", body), 409, "base_moved")
    client.review_again(second)
    proposal = client.li.get(f"proposals/{second}")
    assert not proposal["base_moved"]
    assert any(line.startswith("came into force meanwhile: ") for line in proposal["effect"]["lost_changes"])
    assert_problem(client.li.post(f"proposals/{second}/approval", body), 409, "manifest_moved")
    client.li.take(f"proposals/{second}/approval", client.li.signature(second))
    client.wang.take(f"proposals/{second}/release")
    assert (client.state(first), client.state(second)) == ("replaced", "in force")


@SQLITE_ONLY
def test_a_proposal_is_scheduled_for_a_later_time_only(client: ProposalClient) -> None:
    number = client.approved(STRICT)
    past = client.wang.post(f"proposals/{number}/schedule", {"at": "2020-01-01T00:00:00Z"})
    assert_problem(past, 422, "bad_schedule")
    answer = client.wang.take(f"proposals/{number}/schedule", {"at": "2199-01-01T00:00:00Z"})
    assert (answer["state"], answer["due_at"]) == ("scheduled", "2199-01-01T00:00:00Z")
    assert_problem(client.wang.post(f"proposals/{number}/release"), 422, "bad_schedule")


@SQLITE_ONLY
def test_a_rejected_proposal_stays_on_record_with_its_reason(client: ProposalClient) -> None:
    number = client.in_review(STRICT)
    assert_problem(client.li.post(f"proposals/{number}/rejection", {"reason": "  "}), 422, "no_reason")
    client.li.take(f"proposals/{number}/rejection", {"reason": "students lose"})
    proposal = client.wang.get(f"proposals/{number}")
    assert (proposal["state"], proposal["reason"], proposal["steps"][-1]["actor"]) == (
        "rejected",
        "students lose",
        "li",
    )
    assert_problem(
        client.li.post(f"proposals/{number}/approval", client.li.signature(client.in_review(STRICTER))),
        422,
        "bad_signature",
    )


@pytest.mark.parametrize("shadow", [True, False])
@SQLITE_ONLY
def test_a_trial_is_shown_with_its_share_and_ends_with_a_reason(client: ProposalClient, shadow: bool) -> None:
    plan = {"stages": [{"share": "2.5%", "hours": 1}, {"share": "100%"}], "guards": {"waived": {"most": "10%"}}}
    number = client.approved(STRICT, plan=plan)
    assert client.li.get(f"proposals/{number}")["plan"]["on_break"] == "hold"
    client.wang.take(f"proposals/{number}/{'shadow' if shadow else 'release'}")
    state, share, stage = ("shadow", "0%", None) if shadow else ("partial", "2.5%", 0)
    expected = {"proposal": number, "state": state, "share": share, "stage": stage, "hold": None}
    assert client.li.get("releases")["status"]["trial"] == expected
    second = client.approved(STRICTER)
    assert_problem(client.wang.post(f"proposals/{second}/release"), 409, "trial_runs")
    assert_problem(client.li.post(f"proposals/{number}/stop", {"reason": " "}), 422, "no_reason")
    assert client.li.take(f"proposals/{number}/stop", {"reason": "enough"})["state"] == "rolled back"
    assert client.li.get("releases")["status"]["trial"] is None


BAD_FORMS: Final[dict[str, tuple[dict[str, Any], str]]] = {
    "no files": ({"files": {}}, "bad_request"),
    "a number for a text": ({"files": {"trust.yaml": 1}}, "bad_request"),
    "no message": ({"message": " "}, "no_reason"),
    "shares that fall": ({"plan": {"stages": [{"share": "5%", "hours": 1}, {"share": "1%", "hours": 1}]}}, "bad_plan"),
    "an unknown guard": ({"plan": {"guards": {"height": {"most": "5%"}}}}, "bad_request"),
    "an unknown field": ({"approved": True}, "bad_request"),
}


@pytest.mark.parametrize("name", BAD_FORMS)
@SQLITE_ONLY
def test_a_form_with_mistakes_is_no_proposal(client: ProposalClient, name: str) -> None:
    fields, code = BAD_FORMS[name]
    response = client.wang.post("proposals", {"files": {"trust.yaml": "x"}, "message": "a change"} | fields)
    assert_problem(response, 422, code)
    assert client.wang.get("proposals")["items"] == []


@SQLITE_ONLY
def test_a_body_may_hold_a_large_folder_but_only_where_files_are_sent(client: ProposalClient) -> None:
    large = {"lists/partners.yaml": "x" * 3_900_000}
    assert client.draft(large) == 1
    assert_problem(
        client.wang.post("proposals", {"files": {"a.yaml": "x" * 4_100_000}, "message": "m"}), 422, "no_rules"
    )
    assert_problem(
        client.wang.post("proposals", {"files": {"a.yaml": "x" * 17_000_000}, "message": "m"}), 413, "too_large"
    )
    assert_problem(client.wang.post("proposals/1/rejection", {"reason": "x" * 70_000}), 413, "too_large")
    assert_problem(client.wang.send("PUT", "proposals/1x", {"message": "x" * 70_000}), 413, "too_large")


@SQLITE_ONLY
def test_the_pages_of_proposals_are_the_whole_list(client: ProposalClient) -> None:
    for number in range(1, 6):
        assert client.draft({"trust.yaml": f"# {number}"}) == number
    client.li.take("proposals/2/rejection", {"reason": "no"})
    numbers, after = [], ""
    while after is not None:
        page = client.wang.send("GET", "proposals", limit="2", **({"after": after} if after else {})).json()
        numbers += [item["number"] for item in page["items"]]
        after = page["next"]
    assert numbers == [5, 4, 3, 2, 1]
    rejected = client.wang.send("GET", "proposals", state="rejected").json()
    assert [item["number"] for item in rejected["items"]] == [2]
