"""What the steps of a change of rules have in common: conditions on a proposal, and how it changes."""

from dataclasses import replace
from typing import Any, Final

from api.releases import release_states as states
from api.releases.release_states import Proposal, ReleaseState, manifest_hash
from api.releases.steps import Step
from engine.errors import Rejected

OPEN: Final = (states.DRAFT, states.CHECKED, states.MEASURED, states.IN_REVIEW, states.APPROVED, states.SCHEDULED)


def proposal_of(state: ReleaseState, number: int | None) -> Proposal:
    """The proposal of that number. Raises Rejected `unknown_proposal`."""
    proposal = state.proposals.get(number or 0)
    if proposal is None:
        raise rejection(f"there is no proposal {number}", "unknown_proposal", "see `iftah releases`")
    return proposal


def require_state(proposal: Proposal, step: str, *allowed: str) -> None:
    """Raise Rejected `wrong_proposal_state` unless the proposal is in one of the states."""
    if proposal.state not in allowed:
        message = f"proposal {proposal.number} is {proposal.state}: `{step}` needs {' or '.join(allowed)}"
        raise rejection(message, "wrong_proposal_state", f"see `iftah releases {proposal.number}`")


def require_base(state: ReleaseState, proposal: Proposal) -> None:
    """Raise Rejected `base_moved` if another release came into force since the proposal was measured."""
    if proposal.base != state.base:
        message = f"another release came into force since proposal {proposal.number} was measured"
        raise rejection(message, "base_moved", f"measure it again: `iftah measure {proposal.number}`")


def require_approval(state: ReleaseState, proposal: Proposal) -> None:
    """Raise Rejected unless two people, whose keys still hold, signed the proposal as it is now."""
    require_base(state, proposal)
    signers = [step for step in (proposal.submission, proposal.approval) if step is not None]
    if len(signers) != 2 or any(step.content.get("manifest") != manifest_hash(proposal) for step in signers):
        raise rejection(
            f"proposal {proposal.number} is not approved as it is now", "not_approved", "let it be approved"
        )
    for step in signers:
        key = state.keys.get(step.key or "")
        if key is None or key.revoked:
            raise rejection(f"the key {step.key} of {step.actor} is revoked", "key_revoked", "submit it again")


def require_manifest(proposal: Proposal, step: Step) -> None:
    """Raise Rejected `manifest_moved` unless the step names the manifest of the proposal as it is now."""
    if step.content.get("manifest") != manifest_hash(proposal):
        message = f"this is not the manifest of proposal {proposal.number}"
        raise rejection(message, "manifest_moved", "read the proposal again, and sign what it says now")


def with_step(state: ReleaseState, proposal: Proposal, step: Step, /, **changes: Any) -> ReleaseState:
    """The state with the proposal changed. It keeps the step as its history."""
    changed = replace(proposal, **changes, steps=(*proposal.steps, step))
    return replace(state, proposals={**state.proposals, proposal.number: changed})


def reason_of(step: Step) -> str:
    """The reason that the step gives. Raises Rejected `no_reason`."""
    reason = str(step.content.get("reason", "")).strip()
    if not reason:
        raise rejection(f"a {step.kind} needs a reason", "no_reason", "say why: -m")
    return reason


def rejection(message: str, code: str, hint: str = "") -> Rejected:
    """A step that is not allowed."""
    return Rejected(message, where="releases", hint=hint, code=code)
