"""Signing keys over HTTP: parties register their own, with a proof, and revoke their own; an admin revokes any."""

import re
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.api.http.proposal_client import Party, ProposalClient, rental_context, rental_files
from tests.api.merchant_client import assert_problem
from tests.paths import DOCS


@pytest.fixture
def client(database: Engine) -> ProposalClient:
    return ProposalClient(rental_context(database))


pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def names(client: ProposalClient, **query: str) -> list[str]:
    return [key["party"] for key in client.li.send("GET", "keys", **query).json()["items"]]


def test_keys_are_listed_with_their_party_and_role(client: ProposalClient) -> None:
    wang, li = client.li.get("keys")["items"]
    assert (wang["fingerprint"], wang["public"], wang["party"], wang["role"]) == (
        client.wang.key,
        client.wang.public,
        "wang",
        "operator",
    )
    assert (li["fingerprint"], li["role"], li["revoked"]) == (client.li.key, "approver", False)
    assert names(client, party="WANG") == ["wang"]
    first = client.li.send("GET", "keys", limit="1").json()
    assert names(client, after=first["next"]) == ["li"]
    assert_problem(client.li.send("GET", "keys", after="0" * 16), 404, "unknown_key")


def test_the_example_of_the_document_registers_a_key_and_signs(client: ProposalClient) -> None:
    source = re.search(r"```python\n(.*?)```", (DOCS / "http-api.md").read_text(encoding="utf-8"), re.DOTALL)
    assert source is not None
    example: dict[str, Any] = {}
    exec(source[1], example)
    mei, number = Party(client, "operator", "mei"), client.draft(rental_files(80))
    key = mei.take("keys", example["registration"])
    client.pass_check(number, rental_files(80))
    proposal = mei.take(f"proposals/{number}/measurement")
    form = example["signature_form"](proposal, key["fingerprint"])
    assert mei.take(f"proposals/{number}/submission", form)["state"] == "in review"


def test_nobody_registers_a_key_that_they_do_not_hold(client: ProposalClient) -> None:
    chen = Party(client, "operator", "chen")
    for public in (chen.public, client.wang.public):
        body = {"public": public, "signature": client.li.sign(f"iftah.key.1\n{public}")}
        assert_problem(chen.post("keys", body), 422, "bad_signature")
    assert names(client) == ["wang", "li"]


def test_a_proof_holds_for_one_party_and_role(client: ProposalClient) -> None:
    """The body of another party's registration is no proof for ours."""
    chen = Party(client, "operator", "chen")
    body = {"public": chen.public, "signature": chen.sign(chen.proof_text())}
    for other in (client.wang, client.li, Party(client, "approver", "chen")):
        assert_problem(other.post("keys", body), 422, "bad_signature")
    chen.take("keys", body)
    assert_problem(chen.post("keys", body), 422, "bad_key")


def test_a_party_revokes_its_own_key_and_no_other(client: ProposalClient) -> None:
    path = f"keys/{client.wang.key}"
    assert_problem(client.li.send("DELETE", path, reason="envy"), 403, "wrong_role")
    assert_problem(client.wang.send("DELETE", path), 422, "bad_request")
    assert_problem(client.wang.send("DELETE", path, reason=" "), 422, "no_reason")
    second = Party(client, "approver", "Wang")
    assert second.send("DELETE", path, reason="lost").status_code == 204
    assert_problem(client.wang.send("DELETE", path, reason="lost"), 404, "unknown_key")
    assert [key["revoked"] for key in client.li.get("keys")["items"]] == [True, False]


def test_an_admin_revokes_any_key_and_registers_none(client: ProposalClient) -> None:
    admin = Party(client, "admin", "root")
    assert_problem(admin.post("keys", {"public": admin.public, "signature": "0" * 128}), 403, "wrong_role")
    assert_problem(admin.send("DELETE", f"keys/{'0' * 16}", reason="lost"), 404, "unknown_key")
    assert admin.send("DELETE", f"keys/{client.wang.key}", reason="she left").status_code == 204
    assert [key["revoked"] for key in admin.get("keys")["items"]] == [True, False]
