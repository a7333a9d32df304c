"""Which signatures the gate takes: own ones, of this step, once, by keys that hold, of people who took no part."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine, text

from api.proposals import activations, keys, measurement, proposals
from api.proposals.actors import Actor, new_key
from api.releases import catalogue
from api.releases.release_log import append, read_state
from api.releases.release_states import Proposal, manifest_hash
from api.releases.steps import Step, public_key_of, text_to_sign
from engine.errors import Rejected
from tests.api.proposals.entry_points import CommandLine
from tests.api.proposals.gate import (
    fingerprint,
    in_review,
    log_rows,
    newcomer,
    rejected,
    rules_of,
)
from tests.api.proposals.tiny_rules import TEXTS, write_folder
from tests.api.proposals.two_people import TwoPeople

# A signature.


def signatures(people: TwoPeople, proposal: Proposal) -> dict[str, tuple[str, Actor]]:
    """Approvals that do not hold, by what is wrong: the code of the rejection, and who sends them."""
    number, manifest = proposal.number, {"manifest": manifest_hash(proposal)}

    def sent(by: Actor, kind: str = "approval", about: int = number, content: Any = manifest) -> Actor:
        """Li, over HTTP, with a signature of another text or by another key."""
        assert by.private
        signature = by.private.sign(text_to_sign(kind, about, content)).hex()
        return Actor("li", "approver", None, fingerprint(people.li), signature)

    stranger = Actor("li", "approver", Ed25519PrivateKey.generate())
    right = sent(people.li)
    flipped = f"{int(str(right.signature)[0], 16) ^ 1:x}{str(right.signature)[1:]}"
    return {
        "no signature": ("bad_signature", Actor("li", "approver")),
        "the key of another person": ("bad_signature", sent(people.wang)),
        "a key that nobody registered": ("unknown_key", stranger),
        "another kind of step": ("bad_signature", sent(people.li, "rejection")),
        "another proposal": ("bad_signature", sent(people.li, about=number + 1)),
        "another manifest": ("bad_signature", sent(people.li, content={"manifest": "0" * 64})),
        "one digit": ("bad_signature", replace(right, signature=flipped)),
        "no digits": ("bad_signature", replace(right, signature="none")),
        "Wang's name on Li's signature": ("bad_signature", replace(right, party="wang")),
    }


CASES: Final = (
    "no signature",
    "the key of another person",
    "a key that nobody registered",
    "another kind of step",
    "another proposal",
    "another manifest",
    "one digit",
    "no digits",
    "Wang's name on Li's signature",
)


@pytest.mark.parametrize("case", CASES)
def test_an_approval_with_another_signature_is_rejected(people: TwoPeople, case: str) -> None:
    proposal = in_review(people)
    cases = signatures(people, proposal)
    assert set(cases) == set(CASES)
    code, actor = cases[case]
    rejected(code, lambda: proposals.approve(people.database, actor, proposal.number, people.tick()))
    assert people.state.proposals[proposal.number].state == "in review"


def test_an_approval_that_was_sent_over_http_holds_as_one_that_was_signed_here(people: TwoPeople) -> None:
    proposal = in_review(people)
    assert people.li.private
    signed = text_to_sign("approval", proposal.number, {"manifest": manifest_hash(proposal)})
    sent = Actor("li", "approver", None, fingerprint(people.li), people.li.private.sign(signed).hex())
    assert proposals.approve(people.database, sent, proposal.number, people.tick()).state == "approved"


def test_an_approver_who_read_another_manifest_does_not_approve(people: TwoPeople) -> None:
    first = in_review(people)
    proposals.revise(people.database, people.wang, first.number, TEXTS["fourteen"], "more", people.tick())
    people.pass_check(people.state.proposals[first.number])
    measurement.measure_proposal(people.database, people.wang, first.number, people.tick())
    proposals.submit(people.database, people.wang, first.number, people.tick())
    old = manifest_hash(first)
    approve = partial(proposals.approve, people.database, people.li, first.number, people.tick(), old)
    assert f"not the manifest of proposal {first.number}" in rejected("manifest_moved", approve)


# An approval that somebody sends again.


def approval_of(people: TwoPeople, name: str = "thirteen") -> Step:
    """Li's approval, which is in the log."""
    approval = people.approved(TEXTS[name]).approval
    assert approval
    return approval


def send_again(people: TwoPeople, step: Step, **changes: Any) -> Callable[[], object]:
    return lambda: append(people.database, lambda _: [replace(step, at=people.tick(), **changes)])


def test_an_approval_is_not_for_another_proposal(people: TwoPeople) -> None:
    approval = approval_of(people)
    other = in_review(people)  # the very same files
    rejected("bad_signature", send_again(people, approval, proposal=other.number))
    changed = {"manifest": manifest_hash(other)}
    rejected("bad_signature", send_again(people, approval, proposal=other.number, content=changed))


@pytest.mark.parametrize("name", ["thirteen", "noted"])
def test_an_approval_is_not_for_another_revision(people: TwoPeople, name: str) -> None:
    """Not even for one that has the same files again, or differs by a comment."""
    approval = approval_of(people, "thirteen")
    number = approval.proposal or 0
    revised = proposals.revise(people.database, people.wang, number, TEXTS[name], "again", people.tick())
    assert (revised.state, revised.approval, revised.submission) == ("draft", None, None)
    rejected("not_approved", lambda: activations.release_proposal(people.database, people.wang, number, people.tick()))
    rejected("wrong_proposal_state", send_again(people, approval))
    people.pass_check(revised)
    measurement.measure_proposal(people.database, people.wang, number, people.tick())
    proposals.submit(people.database, people.wang, number, people.tick())
    rejected("manifest_moved", send_again(people, approval))


def test_an_approval_is_not_for_a_proposal_that_was_rejected_later(people: TwoPeople) -> None:
    approval = approval_of(people)
    number = approval.proposal or 0
    proposals.reject(people.database, people.li, number, "on second thoughts", people.tick())
    rejected("wrong_proposal_state", send_again(people, approval))
    act = partial(activations.activate, people.database, people.wang, number, people.tick())
    rejected("wrong_proposal_state", act)
    assert people.state.proposals[number].reason == "on second thoughts"


def test_an_approval_is_not_for_another_base(people: TwoPeople) -> None:
    approval = approval_of(people)
    people.release(TEXTS["fourteen"])
    number = approval.proposal or 0
    measurement.measure_proposal(people.database, people.wang, number, people.tick())
    proposals.submit(people.database, people.wang, number, people.tick())
    rejected("manifest_moved", send_again(people, approval))


def test_another_version_of_the_program_does_not_release_what_was_approved_under_this_one(people: TwoPeople) -> None:
    number = people.approved(TEXTS["thirteen"]).number
    with patch.object(catalogue, "_fixed_fingerprint", lambda: "f" * 64):  # of a version with other features
        act = partial(activations.release_proposal, people.database, people.wang, number, people.tick())
        rejected("definitions_moved", act)
    assert activations.release_proposal(people.database, people.wang, number, people.tick()).state == "in force"


def test_signed_steps_that_put_a_release_into_force_do_so_once(people: TwoPeople) -> None:
    people.release(TEXTS["thirteen"])
    activations.roll_back(people.database, people.wang, "it was wrong", people.tick())
    people.release(TEXTS["fourteen"])
    activations.break_glass(people.database, people.wang, rules_of("noted"), 1, "at once", people.tick())
    log = steps_of(people.database)
    sent = [step for step in log if step.kind in ("activation", "rollback", "break_glass", "approval", "submission")]
    assert len(sent) == 8
    codes = set()
    for step in sent:
        with pytest.raises(Rejected) as error:
            send_again(people, step)()
        codes.add(error.value.code)
    assert codes == {"wrong_proposal_state", "base_moved"}
    assert len(steps_of(people.database)) == len(log)


def steps_of(database: Engine) -> list[Step]:
    """The steps of the log."""
    state = read_state(database)
    steps = {step.seq: step for proposal in state.proposals.values() for step in proposal.steps}
    with database.connect() as connection:
        rows = connection.execute(text("SELECT * FROM release_log ORDER BY seq")).mappings().all()
    for row in rows:
        if row["seq"] not in steps:
            columns = ("kind", "actor", "at", "proposal", "key", "signature", "seq", "hash")
            content = json.loads(row["content"])
            steps[row["seq"]] = Step(**{c: row[c] for c in columns}, content=content)
    return [steps[seq] for seq in sorted(steps)]


# Whoever took part.


@pytest.mark.parametrize("account", ["wang", "Wang", "WANG", "ｗang", "ＷＡＮＧ"])
@pytest.mark.parametrize("role", ["operator", "approver"])
def test_nobody_approves_an_own_proposal_by_a_second_account(people: TwoPeople, account: str, role: str) -> None:
    number = in_review(people).number
    second = newcomer(people, account, role)
    line = rejected("own_proposal", lambda: proposals.approve(people.database, second, number, people.tick()))
    assert f"took part in proposal {number}" in line


@pytest.mark.parametrize("claims", ["operator", "approver", "supervisor"])
def test_nobody_approves_an_own_proposal_by_another_token(people: TwoPeople, claims: str) -> None:
    """The key is the same; the token says another role, and spells the party in another way."""
    number = in_review(people).number
    for party in ("wang", "Wang"):
        token = Actor(party, claims, people.wang.private)
        code = "wrong_role" if claims == "supervisor" else "own_proposal"
        rejected(code, lambda token=token: proposals.approve(people.database, token, number, people.tick()))


def test_an_approver_is_not_made_an_operator_by_what_a_token_says(people: TwoPeople) -> None:
    promoted = replace(people.li, role="operator")
    rejected("wrong_role", lambda: proposals.propose(people.database, promoted, TEXTS["thirteen"], "x", people.tick()))
    number = people.approved(TEXTS["thirteen"]).number
    act = partial(activations.release_proposal, people.database, promoted, number, people.tick())
    rejected("wrong_role", act)


@pytest.mark.parametrize("part", ["revision", "submission"])
def test_whoever_revised_or_submitted_a_proposal_does_not_approve_it(people: TwoPeople, part: str) -> None:
    zhao = newcomer(people, "zhao")
    number = people.measured(TEXTS["thirteen"]).number
    if part == "revision":
        proposals.revise(people.database, zhao, number, TEXTS["fourteen"], "more", people.tick())
        people.pass_check(people.state.proposals[number])
        measurement.measure_proposal(people.database, people.wang, number, people.tick())
        proposals.submit(people.database, people.wang, number, people.tick())
    else:
        proposals.submit(people.database, zhao, number, people.tick())
    for actor in (zhao, people.wang):
        approve = partial(proposals.approve, people.database, actor, number, people.tick())
        rejected("own_proposal", approve)
    assert proposals.approve(people.database, people.li, number, people.tick()).state == "approved"


# One line at the terminal.


def test_the_command_line_says_in_one_line_why_it_rejects(people: TwoPeople, database_url: str, tmp_path: Path) -> None:
    """Wang has two accounts. Each command ends with status 2, and writes one line to stderr and no step."""
    number = in_review(people).number
    files = {name: tmp_path / f"{name}.pem" for name in ("Wang", "zhao", "nobody")}
    for name, path in files.items():
        private = new_key(path)
        if name != "nobody":
            keys.register(people.database, name, "operator", public_key_of(private), people.tick())
    folder = write_folder(tmp_path / "rules", TEXTS["twelve"])
    commands = {
        ("approve", number, "--key", files["Wang"]): "took part in proposal",
        ("approve", number, "--key", files["nobody"]): "nobody registered this key",
        ("approve", number, "--key", folder / "trust.yaml"): "no private key of Ed25519",
        ("approve", number): "you need a key",
        ("approve", 99, "--key", files["zhao"]): "there is no proposal 99",
        ("release", number, "--key", files["zhao"]): "is in review",
        ("release", number, "--at", "2020-01-01T00:00:00Z", "--key", files["zhao"]): "past",
        ("reject", number, "-m", " ", "--key", files["zhao"]): "needs a reason",
        ("rollback", "-m", "why", "--key", files["zhao"]): "no other release was in force before",
        ("rollback", "-m", "why", "--to", "abc", "--key", files["zhao"]): "was in force before",
        ("break-glass", "--end", "-m", "why", "--key", files["zhao"]): "no break-glass is in force",
        ("propose", folder, "-m", "why", "--key", files["zhao"]): "in force already",
        ("key", "revoke", "abc", "-m", "why"): "no such key",
        ("key", "new", "--party", "iftah", "--out", tmp_path / "x.pem"): "iftah",
    }
    before, terminal = len(log_rows(people.database)), CommandLine(database_url, {}, tmp_path)
    for command, reason in commands.items():
        assert reason in rejected("refused", lambda command=command: terminal.run(*command))  # type: ignore[misc]
    assert len(log_rows(people.database)) == before
