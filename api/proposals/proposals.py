"""The steps that people take with a proposal, until it is approved or rejected."""

from collections.abc import Mapping
from typing import Any, Final

from api.proposals.actors import Actor
from api.releases.release_log import append, bundle_text, file_hashes, read_object
from api.releases.release_states import Proposal, ReleaseState, manifest_hash
from api.releases.step_checks import proposal_of
from api.releases.steps import Step, text_hash
from api.store.database import Database
from engine.errors import Rejected
from engine.rollout.plan import read_plan

MAX_MESSAGE_CHARS: Final = 2_000
MAX_FILES_CHARS: Final = 4_000_000


def propose(
    database: Database, actor: Actor, files: Mapping[str, str], message: str, now: int, plan: Any = None
) -> Proposal:
    """A new proposal: a draft. `files` are all rule files with their cases; `plan` as `engine.rollout.plan` reads it.

    Raises Rejected: `wrong_role`, `no_reason` without a message, `bad_plan`.
    """
    actor.require("operator")
    content, bundle = _content(files, message, plan)

    def steps(state: ReleaseState) -> list[Step]:
        if state.in_force is not None and state.in_force.bundle == content["bundle"]:
            hint = "change a file first"
            raise Rejected("these files are in force already", where="files", hint=hint, code="no_change")
        return [actor.step("draft", now, len(state.proposals) + 1, content)]

    state = append(database, steps, [bundle])
    return state.proposals[len(state.proposals)]


def revise(
    database: Database, actor: Actor, number: int, files: Mapping[str, str], message: str, now: int, plan: Any = None
) -> Proposal:
    """Another text for a proposal: whatever was checked, measured or approved no longer holds. Raises Rejected as `propose`."""
    actor.require("operator")
    content, bundle = _content(files, message, plan)
    return append(database, lambda _: [actor.step("revision", now, number, content)], [bundle]).proposals[number]


def _content(files: Mapping[str, str], message: str, plan: Any) -> tuple[dict[str, Any], str]:
    text = message.strip()
    if not text or len(text) > MAX_MESSAGE_CHARS:
        hint = f"say why, in at most {MAX_MESSAGE_CHARS:,} characters: -m"
        raise Rejected("a proposal needs a message", where="message", hint=hint, code="no_reason")
    if not files or sum(map(len, files.values())) > MAX_FILES_CHARS:
        hint = f"send all rule files, at most {MAX_FILES_CHARS:,} characters"
        raise Rejected("a proposal needs rule files", where="files", hint=hint, code="no_rules")
    bundle = bundle_text(files)
    written_plan = None if plan is None else dict(read_plan(plan).as_dict())
    content = {"message": text, "files": file_hashes(files), "bundle": text_hash(bundle), "plan": written_plan}
    return content, bundle


def submit(database: Database, actor: Actor, number: int, now: int, manifest: str | None = None) -> Proposal:
    """Sign a proposal that was measured, for review. `manifest`: the hash of the manifest that you read.

    Raises Rejected: `wrong_proposal_state`, `base_moved`, `bad_signature`, `manifest_moved` if it is no longer what you read.
    """
    actor.require("operator")
    return _sign(database, actor, "submission", number, now, manifest)


def approve(database: Database, actor: Actor, number: int, now: int, manifest: str | None = None) -> Proposal:
    """Sign a proposal as the second person. `manifest`: the hash of the manifest that you read.

    Raises Rejected: `own_proposal` for anybody who took part in it, `manifest_moved` if it is no longer what you read, and as
    `submit`.
    """
    actor.require("operator", "approver")
    return _sign(database, actor, "approval", number, now, manifest)


def _sign(database: Database, actor: Actor, kind: str, number: int, now: int, manifest: str | None = None) -> Proposal:
    def steps(state: ReleaseState) -> list[Step]:
        content = {"manifest": manifest or manifest_hash(proposal_of(state, number))}
        return [actor.step(kind, now, number, content)]

    return append(database, steps).proposals[number]


def reject(database: Database, actor: Actor, number: int, reason: str, now: int) -> Proposal:
    """Reject a proposal that is not on trial and not in force. It stays on record. Raises Rejected `no_reason` without a reason."""
    actor.require("operator", "approver")
    content = {"reason": reason[:MAX_MESSAGE_CHARS]}
    return append(database, lambda _: [actor.step("rejection", now, number, content)]).proposals[number]


def files_of(database: Database, proposal: Proposal) -> Mapping[str, str]:
    """The files of a proposal, with the cases."""
    files: Mapping[str, str] = read_object(database, proposal.bundle)
    return files
