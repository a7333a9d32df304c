"""The steps that say which release decides: trials, activations, ways back."""

from dataclasses import replace
from typing import Final

from api.releases import release_states as states
from api.releases.release_states import Activation, Proposal, ReleaseState, manifest_hash
from api.releases.step_checks import proposal_of, reason_of, rejection, require_approval, require_state, with_step
from api.releases.steps import SYSTEM, Step
from engine.rollout.plan import read_plan

MAX_BREAK_GLASS_MICROS: Final = 24 * 3600 * 1_000_000
FULL_SHARE: Final = 10_000  # hundredths of a percent


def shadow(state: ReleaseState, step: Step) -> ReleaseState:
    """Decide beside the release in force, for nobody to see."""
    proposal = proposal_of(state, step.proposal)
    require_state(proposal, "shadow", states.APPROVED, states.SCHEDULED)
    _require_free(state, proposal)
    started = with_step(state, proposal, step, state=states.SHADOW, stage_at=step.at, due_at=None)
    return replace(started, trial=proposal.number)


def share(state: ReleaseState, step: Step) -> ReleaseState:
    """Decide for a share of people, by the plan that was approved. The system begins each stage after the first.

    An operator begins the first stage, and goes on with a stage after a hold.
    """
    proposal = proposal_of(state, step.proposal)
    require_state(proposal, "share", states.APPROVED, states.SCHEDULED, *states.TRIALS)
    _require_free(state, proposal)
    _require_due(proposal, step)
    stages = _stages(proposal)
    number = step.content["stage"]
    goes_on = proposal.hold is not None and number == proposal.stage
    is_next = number == proposal.stage + 1 and proposal.hold is None and (number == 0 or step.actor == SYSTEM)
    if not (goes_on or is_next) or not 0 <= number < len(stages) or step.content["share"] != stages[number]:
        message = f"this is not the next stage of the plan of proposal {proposal.number}"
        raise rejection(message, "bad_share", f"see `iftah releases {proposal.number}`")
    changes = {"share": stages[number], "stage": number, "stage_at": step.at, "hold": None, "due_at": None}
    return replace(with_step(state, proposal, step, state=states.PARTIAL, **changes), trial=proposal.number)


def _stages(proposal: Proposal) -> list[int]:
    """The shares of the plan below everyone, in hundredths of a percent."""
    if proposal.plan is None:
        return []
    return [stage.share_points for stage in read_plan(proposal.plan).stages if stage.share_points < FULL_SHARE]


def _require_free(state: ReleaseState, proposal: Proposal) -> None:
    """Reject a proposal that is not approved, or while another one is on trial."""
    require_approval(state, proposal)
    if state.trial not in (None, proposal.number):
        raise rejection(f"proposal {state.trial} is on trial", "trial_runs", "end it first: `iftah rollback`")


def _require_due(proposal: Proposal, step: Step) -> None:
    """Reject a step that is earlier than the schedule."""
    if proposal.state == states.SCHEDULED and step.at < (proposal.due_at or 0):
        message = f"proposal {proposal.number} is scheduled for later"
        raise rejection(message, "bad_schedule", "wait, or schedule it anew")


def hold(state: ReleaseState, step: Step) -> ReleaseState:
    """Go no further: the share stays as it is."""
    proposal = proposal_of(state, step.proposal)
    require_state(proposal, "hold", *states.TRIALS)
    return with_step(state, proposal, step, hold=reason_of(step))


def stop(state: ReleaseState, step: Step) -> ReleaseState:
    """End a trial: the release in force decides for everyone again."""
    proposal = proposal_of(state, step.proposal)
    require_state(proposal, "stop", *states.TRIALS)
    return replace(with_step(state, proposal, step, state=states.ROLLED_BACK, reason=reason_of(step)), trial=None)


def activation(state: ReleaseState, step: Step) -> ReleaseState:
    """Decide for everyone."""
    proposal = proposal_of(state, step.proposal)
    require_state(proposal, "release", states.APPROVED, states.SCHEDULED, *states.TRIALS)
    _require_free(state, proposal)
    stages = _stages(proposal)
    if stages and (proposal.stage < len(stages) - 1 or proposal.hold is not None):
        message = f"the plan of proposal {proposal.number} has not come to its end"
        raise rejection(message, "bad_share", f"see `iftah releases {proposal.number}`")
    _require_due(proposal, step)
    if step.content != {"manifest": manifest_hash(proposal), "release": proposal.release, "bundle": proposal.bundle}:
        raise rejection("this is not what was approved", "manifest_moved", "read the proposal again")
    state = with_step(state, proposal, step)
    return replace(_in_force(state, step, str(proposal.release), proposal.bundle), has_approvals=True)


def _in_force(state: ReleaseState, step: Step, release: str, bundle: str | None) -> ReleaseState:
    """Put a release into force. The proposal in force is replaced, and a trial of another one ends: its base moved."""
    proposals = dict(state.proposals)
    previous = state.in_force.proposal if state.in_force else None
    if previous not in (None, step.proposal) and proposals[previous].state == states.IN_FORCE:
        ended = states.ROLLED_BACK if step.kind == "rollback" else states.REPLACED
        proposals[previous] = replace(proposals[previous], state=ended, steps=(*proposals[previous].steps, step))
    if state.trial not in (None, step.proposal):
        trial = proposals[state.trial]
        reason = "another release came into force"
        proposals[trial.number] = replace(trial, state=states.ROLLED_BACK, reason=reason, steps=(*trial.steps, step))
    if step.proposal is not None:
        active_proposal = proposals[step.proposal]
        proposals[step.proposal] = replace(active_proposal, state=states.IN_FORCE, due_at=None)
    active = Activation(step.seq, step.hash, step.kind, release, bundle, step.actor, step.at, step.proposal)
    return replace(state, proposals=proposals, trial=None, ends_at=None, activations=(*state.activations, active))


def folder(state: ReleaseState, step: Step) -> ReleaseState:
    """A release from a folder: only as long as there is one operator."""
    if state.needs_approval:
        message = "two people release rules here: a folder is a place for drafts"
        raise rejection(message, "needs_approval", "propose it: `iftah propose rules -m ...`")
    return _in_force(state, step, step.content["release"], step.content["bundle"])


def rollback(state: ReleaseState, step: Step) -> ReleaseState:
    """Back to a release that was in force: one person and a reason are enough."""
    reason_of(step)
    _require_from(state, step)
    earlier = [a for a in state.activations[:-1] if a.kind != "break_glass"]
    target = next((a for a in earlier if a.hash == step.content.get("to")), None)
    if target is None:
        raise rejection("this release was not in force before", "never_in_force", "see `iftah releases`")
    return _in_force(state, replace(step, proposal=target.proposal), target.release, target.bundle)


def _require_from(state: ReleaseState, step: Step) -> None:
    if step.content.get("from") != state.base:
        raise rejection("another release is in force than you saw", "base_moved", "see `iftah releases`, and try again")


def break_glass(state: ReleaseState, step: Step) -> ReleaseState:
    """Put a release into force alone, for hours: it is loud, and it ends by itself."""
    reason_of(step)
    _require_from(state, step)
    if state.in_force is None:
        message = "no release has come into force yet: there is nothing to go back to"
        raise rejection(message, "no_release", "propose one: `iftah propose rules -m ...`")
    if state.ends_at is not None:
        raise rejection("a break-glass is in force", "break_glass", "end it first: `iftah break-glass --end`")
    ends_at = step.content["ends_at"]
    if type(ends_at) is not int or not step.at < ends_at <= step.at + MAX_BREAK_GLASS_MICROS:
        raise rejection("a break-glass ends within 24 hours", "bad_schedule", "name fewer hours")
    return replace(_in_force(state, step, step.content["release"], step.content["bundle"]), ends_at=ends_at)


def break_glass_end(state: ReleaseState, step: Step) -> ReleaseState:
    """Back to the release that was in force before the break-glass."""
    if state.ends_at is None:
        raise rejection("no break-glass is in force", "wrong_proposal_state", "see `iftah releases`")
    if step.actor == SYSTEM and step.at < state.ends_at:
        raise rejection("the break-glass has not ended yet", "bad_schedule", "wait")
    target = state.activations[-2]
    return _in_force(state, replace(step, proposal=target.proposal), target.release, target.bundle)


def report(state: ReleaseState, step: Step) -> ReleaseState:
    """Operators were told of a step."""
    remaining = tuple(one for one in state.pending if one.hash != step.content["step"])
    if len(remaining) == len(state.pending):
        raise rejection("operators were told of this step", "wrong_proposal_state")
    return replace(state, pending=remaining)
