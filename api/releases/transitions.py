"""The steps that a change of rules may take: a state and a step give the next state, or the step is rejected. Pure.

The same function checks a step before we write it and reads the log again. So each way into the log passes the same gate, and a log
that was altered does not read.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from api.releases import activation_steps, key_steps, proposal_steps
from api.releases.release_states import MAX_PENDING, NEWS, ReleaseState, identity
from api.releases.step_checks import rejection
from api.releases.steps import Step, is_signature, text_to_sign

Apply = Callable[[ReleaseState, Step], ReleaseState]
SIGNED: Final = ("submission", "approval")  # by people: only these bind
REVIEW: Final = ("approval", "rejection", "stop", "rollback")  # what an approver may do
STEPS: Final[Mapping[str, Apply]] = {
    "draft": proposal_steps.draft,
    "revision": proposal_steps.revision,
    "check": proposal_steps.check,
    "measurement": proposal_steps.measurement,
    "submission": proposal_steps.submission,
    "approval": proposal_steps.approval,
    "rejection": proposal_steps.reject,
    "schedule": proposal_steps.schedule,
    "shadow": activation_steps.shadow,
    "share": activation_steps.share,
    "hold": activation_steps.hold,
    "stop": activation_steps.stop,
    "activation": activation_steps.activation,
    "folder": activation_steps.folder,
    "rollback": activation_steps.rollback,
    "break_glass": activation_steps.break_glass,
    "break_glass_end": activation_steps.break_glass_end,
    "key": key_steps.register,
    "revocation": key_steps.revoke,
    "restore": key_steps.restore,
    "report": activation_steps.report,
}


def advance(state: ReleaseState, step: Step) -> ReleaseState:
    """The state after a step that is in the log. Raises Rejected, in one line, if the step is not allowed."""
    apply = STEPS.get(step.kind)
    if apply is None:
        raise rejection(f"unknown step `{step.kind}`", "bad_step")
    if step.at < state.at:
        raise rejection("the step is earlier than the one before it", "clock_behind", "set this machine's clock right")
    _require_signature(state, step)
    after = replace(apply(state, step), seq=step.seq, hash=step.hash, at=step.at)
    return replace(after, pending=(*after.pending, step)[-MAX_PENDING:]) if step.kind in NEWS else after


def _require_signature(state: ReleaseState, step: Step) -> None:
    """Reject a signature that does not hold, and a step without one that needs it."""
    if step.signature is None:
        if step.kind in SIGNED:
            raise rejection(f"a {step.kind} needs a signature", "bad_signature", "make a key: `iftah key new`")
        return
    key = state.keys.get(step.key or "")
    if key is None:
        raise rejection("nobody registered this key", "unknown_key", "register it: `iftah key new`")
    if key.revoked:
        raise rejection(f"the key {key.fingerprint} is revoked", "key_revoked", "sign with another: `iftah key new`")
    if identity(key.party) != identity(step.actor):
        raise rejection(f"the key {key.fingerprint} is not {step.actor}'s", "bad_signature", "sign with your own key")
    if key.role == "approver" and step.kind not in REVIEW:
        raise rejection(f"the key {key.fingerprint} is an approver's", "wrong_role", "let an operator do it")
    if not is_signature(key.public, step.signature, text_to_sign(step.kind, step.proposal, step.content)):
        message = "the signature is not of this step"
        raise rejection(message, "bad_signature", "read the proposal again, and sign what it says now")
