"""The record of a change: what changed, whom it moves, what the guards said, and who agreed, as one JSON object."""

from typing import Any

from api.proposals.comparisons import text_differences
from api.proposals.measurement import effect_of
from api.proposals.proposals import files_of
from api.proposals.trial_outcomes import compare_outcomes
from api.proposals.trials import view_trial
from api.releases import release_states as states
from api.releases.in_force import load_activation
from api.releases.release_log import read_state
from api.releases.release_states import Proposal, ReleaseState, manifest_hash, manifest_of
from api.releases.step_checks import proposal_of
from api.releases.steps import Step
from api.store.clock import iso, moment
from api.store.database import Database

FORMAT = "iftah.change.1"


def change_record(database: Database, number: int) -> dict[str, Any]:
    """All that is on record about a proposal. `text_differences` are unified diffs against the release that it was measured against.

    Raises Rejected `unknown_proposal`.
    """
    state = read_state(database)
    proposal = proposal_of(state, number)
    was_on_trial = any(step.kind in ("shadow", "share") for step in proposal.steps)
    is_on_trial = proposal.state in states.TRIALS
    return {
        "format": FORMAT,
        "proposal": number,
        "state": proposal.state,
        "author": proposal.author,
        "message": proposal.message,
        "reason": proposal.reason,
        "manifest": manifest_of(proposal),
        "manifest_hash": manifest_hash(proposal),
        "signatures": [_signature(step) for step in (proposal.submission, proposal.approval) if step],
        "text_differences": _text_differences(database, state, proposal),
        "effect": effect_of(database, proposal),
        "guards": [v.as_dict() for v in view_trial(database, proposal).verdicts] if is_on_trial else [],
        "outcomes": list(compare_outcomes(database, proposal)) if was_on_trial else [],
        "steps": [step_record(step) for step in proposal.steps],
    }


def step_record(step: Step) -> dict[str, Any]:
    """A step as plain values. The files that it names stay outside, by their hash."""
    content = {name: value for name, value in step.content.items() if name != "files"}
    return {
        "seq": step.seq,
        "kind": step.kind,
        "actor": step.actor,
        "at": iso(moment(step.at)),
        "proposal": step.proposal,
        "content": content,
        "key": step.key,
        "signature": step.signature,
        "hash": step.hash,
    }


def _signature(step: Step) -> dict[str, Any]:
    role = "author" if step.kind == "submission" else "approver"
    return {"role": role, "party": step.actor, "at": iso(moment(step.at)), "key": step.key, "signature": step.signature}


def _text_differences(database: Database, state: ReleaseState, proposal: Proposal) -> dict[str, str]:
    base = next((active for active in state.activations if active.hash == (proposal.base or proposal.first_base)), None)
    old = dict(load_activation(database, state, base).files) if base else {}
    return text_differences(old, files_of(database, proposal))
