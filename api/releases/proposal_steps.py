"""The steps of a proposal until it is approved and scheduled, or rejected."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from api.releases import release_states as states
from api.releases.release_states import Proposal, ReleaseState, identity
from api.releases.step_checks import (
    OPEN,
    proposal_of,
    reason_of,
    rejection,
    require_approval,
    require_base,
    require_manifest,
    require_state,
    with_step,
)
from api.releases.steps import Step

_NEW_TEXT: Final[Mapping[str, Any]] = {
    "state": states.DRAFT,
    "release": None,
    "definitions": None,
    "problems": (),
    "effect": None,
    "submission": None,
    "approval": None,
    "due_at": None,
}


def draft(state: ReleaseState, step: Step) -> ReleaseState:
    """A new proposal."""
    if step.proposal != len(state.proposals) + 1:
        raise rejection("another proposal took this number", "log_moved", "try again")
    in_force = state.in_force
    proposal = Proposal(
        number=step.proposal,
        state=states.DRAFT,
        author=step.actor,
        at=step.at,
        base=state.base,
        base_release=in_force.release if in_force else "",
        first_base=state.base,
        hands=frozenset({identity(step.actor)}),
        **_text(step),
    )
    return with_step(state, proposal, step)


def revision(state: ReleaseState, step: Step) -> ReleaseState:
    """Another text: whatever was checked, measured or approved no longer holds."""
    proposal = proposal_of(state, step.proposal)
    require_state(proposal, "revision", *OPEN)
    hands = proposal.hands | {identity(step.actor)}
    return with_step(
        state,
        proposal,
        step,
        **_NEW_TEXT,
        **_text(step),
        first_base=state.base,
        hands=hands,
        revision=proposal.revision + 1,
    )


def _text(step: Step) -> dict[str, Any]:
    content = step.content
    return {
        "message": content["message"],
        "files": dict(content["files"]),
        "bundle": content["bundle"],
        "plan": content.get("plan"),
        "entry": step.hash,
    }


def check(state: ReleaseState, step: Step) -> ReleaseState:
    """The problems of its files; without any it is checked."""
    proposal = proposal_of(state, step.proposal)
    require_state(proposal, "check", states.DRAFT)
    _require_bundle(proposal, step)
    problems = tuple(step.content["problems"])
    return with_step(
        state,
        proposal,
        step,
        state=states.DRAFT if problems else states.CHECKED,
        problems=problems,
        release=None if problems else step.content["release"],
        definitions=None if problems else step.content["definitions"],
    )


def measurement(state: ReleaseState, step: Step) -> ReleaseState:
    """Whom it moves, against the release in force."""
    proposal = proposal_of(state, step.proposal)
    require_state(proposal, "measurement", *(s for s in OPEN if s != states.DRAFT))
    _require_bundle(proposal, step)
    in_force = state.in_force
    base_release = in_force.release if in_force else ""
    if step.content["base"] != state.base:
        message = "another release came into force while it was measured"
        raise rejection(message, "base_moved", f"measure it again: `iftah measure {proposal.number}`")
    changes = {"base": state.base, "base_release": base_release, "effect": step.content["effect"]}
    return with_step(
        state, proposal, step, state=states.MEASURED, submission=None, approval=None, due_at=None, **changes
    )


def _require_bundle(proposal: Proposal, step: Step) -> None:
    if step.content["bundle"] != proposal.bundle:
        message = f"the files of proposal {proposal.number} changed meanwhile"
        raise rejection(message, "log_moved", "read the proposal again")


def submission(state: ReleaseState, step: Step) -> ReleaseState:
    """The author signs it for review."""
    proposal = proposal_of(state, step.proposal)
    require_state(proposal, "submission", states.MEASURED)
    require_base(state, proposal)
    require_manifest(proposal, step)
    hands = proposal.hands | {identity(step.actor)}
    return with_step(state, proposal, step, state=states.IN_REVIEW, submission=step, hands=hands)


def approval(state: ReleaseState, step: Step) -> ReleaseState:
    """A second person signs it."""
    proposal = proposal_of(state, step.proposal)
    require_state(proposal, "approval", states.IN_REVIEW)
    require_base(state, proposal)
    if identity(step.actor) in proposal.hands:
        message = f"{step.actor} took part in proposal {proposal.number}"
        raise rejection(message, "own_proposal", "let somebody approve it who did not")
    require_manifest(proposal, step)
    submission = proposal.submission
    if submission is None or submission.key == step.key:
        raise rejection("author and approver need different keys", "own_proposal", "sign with your own key")
    approved = replace(proposal, approval=step)
    require_approval(state, approved)
    return with_step(state, approved, step, state=states.APPROVED)


def reject(state: ReleaseState, step: Step) -> ReleaseState:
    """Somebody rejects it. It stays on record."""
    proposal = proposal_of(state, step.proposal)
    require_state(proposal, "rejection", *OPEN)
    return with_step(state, proposal, step, state=states.REJECTED, reason=reason_of(step))


def schedule(state: ReleaseState, step: Step) -> ReleaseState:
    """A time at which it comes into force."""
    proposal = proposal_of(state, step.proposal)
    require_state(proposal, "schedule", states.APPROVED, states.SCHEDULED)
    require_approval(state, proposal)
    due_at = step.content["due_at"]
    if type(due_at) is not int or due_at <= step.at:
        raise rejection("the time of the release is past", "bad_schedule", "name a later time")
    return with_step(state, proposal, step, state=states.SCHEDULED, due_at=due_at)
