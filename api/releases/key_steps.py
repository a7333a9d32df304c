"""The steps of keys, and of a database that was restored."""

from dataclasses import replace
from typing import Any

from api.releases import release_states as states
from api.releases.release_states import ReleaseState, SigningKey, identity
from api.releases.step_checks import OPEN, reason_of, rejection, with_step
from api.releases.steps import COMMAND_LINE, SYSTEM, Step, fingerprint_of
from engine.lang.model.identifiers import flaw


def register(state: ReleaseState, step: Step) -> ReleaseState:
    """A new key of a party. A key belongs to one party for ever."""
    public, party, role = (str(step.content[name]) for name in ("public", "party", "role"))
    name = fingerprint_of(public)
    if name in state.keys:
        raise rejection("this key is registered", "bad_key", "make a new one: `iftah key new`")
    if identity(party) in ("", SYSTEM, COMMAND_LINE) or flaw(party):
        raise rejection(f"`{party[:40]}` is no name of a person", "bad_party", "choose another")
    if role not in ("operator", "approver"):
        raise rejection(f"unknown role `{role[:40]}`", "bad_role", "use operator or approver")
    return replace(state, keys={**state.keys, name: SigningKey(name, public, party, role, step.at)})


def revoke(state: ReleaseState, step: Step) -> ReleaseState:
    """Revoke a key: what it signed and is not in force yet must be signed again."""
    reason_of(step)
    key = state.keys.get(str(step.content["key"]))
    if key is None or key.revoked:
        raise rejection("no such key is in force", "unknown_key", "see `iftah key list`")
    state = replace(state, keys={**state.keys, key.fingerprint: replace(key, revoked=True)})
    for proposal in state.proposals.values():
        signers = [s.key for s in (proposal.submission, proposal.approval) if s]
        if key.fingerprint in signers and proposal.state in OPEN:
            changes: dict[str, Any] = {"submission": None, "approval": None, "due_at": None}
            state = with_step(state, proposal, step, state=states.MEASURED, **changes)
    return state


def restore(state: ReleaseState, step: Step) -> ReleaseState:
    """Somebody says that the database was restored from a back-up on purpose."""
    reason_of(step)
    return state
