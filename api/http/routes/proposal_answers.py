"""Answers of the routes for changes of rules: a proposal, what two people sign, and its history."""

from datetime import datetime
from typing import Any, Final, Self

from pydantic import BaseModel, Field

from api.http.fields import AsStored, Int64, ProposalState
from api.http.routes.page import Page
from api.http.routes.proposal_forms import RolloutPlan
from api.http.routes.release_status import share_text
from api.http.routes.swap_figures import Effect
from api.releases import release_states as states
from api.releases.release_states import Proposal, ReleaseState, manifest_hash, manifest_of
from api.releases.steps import Step, text_to_sign
from api.store.clock import moment

NEXT_SIGNATURE: Final = {states.MEASURED: "submission", states.IN_REVIEW: "approval"}


class ManifestBase(BaseModel):
    """The release against which a proposal was measured."""

    release: str
    entry: str


class Manifest(BaseModel):
    """What two people sign: everything that must not change between the approval and the decisions."""

    format: str
    proposal: int
    revision: int
    release: str
    files: dict[str, str] = Field(description="the SHA-256 of each file")
    bundle: str = Field(description="the SHA-256 of the canonical JSON of all files")
    definitions: str = Field(description="the SHA-256 of the definitions of the features")
    base: ManifestBase
    effect: str = Field(description="the SHA-256 of the canonical JSON of `effect`")
    plan: RolloutPlan | None
    message: str
    author: str
    entry: str = Field(description="the step of the release log that brought its text")
    at: Int64 = Field(description="microseconds since 1970")


class ProposalStep(BaseModel):
    """A step that somebody took with a proposal."""

    seq: Int64 = Field(description="in the release log")
    hash: str
    kind: str
    at: datetime
    actor: str = Field(description="a party; iftah: the system")
    key: str | None = Field(description="the fingerprint of the key that signed it")
    signature: str | None
    manifest: str | None = Field(description="the hash of the manifest that it names")
    reason: str | None

    @classmethod
    def of(cls, step: Step) -> Self:
        """The public view of a step."""
        content = step.content
        values = {name: getattr(step, name) for name in ("seq", "hash", "kind", "actor", "key", "signature")}
        return cls(**values, at=moment(step.at), manifest=content.get("manifest"), reason=content.get("reason"))


class ProposalSummary(BaseModel):
    """A proposal in a list."""

    number: int
    state: ProposalState
    author: str
    message: str
    at: datetime = Field(description="when it was proposed")
    revision: int
    release: str | None = Field(description="the id of its release; null: not checked, or with problems")
    due_at: datetime | None = Field(description="when it comes into force, if it is scheduled")
    share: str = Field(description="of people, in a partial release")

    @classmethod
    def of(cls, proposal: Proposal) -> Self:
        """The summary of a proposal."""
        return cls(**_summary(proposal))


class Proposals(Page[ProposalSummary]):
    """Proposals, newest first."""


class ProposalAnswer(ProposalSummary):
    """All of one proposal. Check what you sign: `manifest_hash` is the SHA-256 of the canonical JSON of `manifest`."""

    problems: list[str] = Field(description="what its check found; mend it by another text")
    reason: str | None = Field(description="why it was rejected, or its trial ended")
    hold: str | None = Field(description="why its trial goes no further")
    base_moved: bool = Field(description="another release came into force since it was measured: measure it again")
    plan: AsStored[RolloutPlan] | None
    effect: AsStored[Effect] | None
    manifest: AsStored[Manifest] | None = Field(description="null: not measured yet")
    manifest_hash: str | None
    text_to_sign: str | None = Field(
        description="the text whose UTF-8 bytes the next signature covers: a submission, or an approval; null: none is due"
    )
    steps: list[ProposalStep]

    @classmethod
    def of_state(cls, state: ReleaseState, proposal: Proposal, effect: dict[str, Any] | None) -> Self:
        """The whole proposal. `effect`: the report that it names."""
        is_measured = proposal.effect is not None
        digest = manifest_hash(proposal) if is_measured else None
        kind = NEXT_SIGNATURE.get(proposal.state)
        ended = (states.IN_FORCE, *states.ENDS)
        values = {
            **_summary(proposal),
            "problems": list(proposal.problems),
            "reason": proposal.reason,
            "hold": proposal.hold,
            "base_moved": is_measured and proposal.base != state.base and proposal.state not in ended,
            "plan": None if proposal.plan is None else dict(proposal.plan),
            "effect": effect,
            "manifest": manifest_of(proposal) if is_measured else None,
            "manifest_hash": digest,
            "text_to_sign": text_to_sign(kind, proposal.number, {"manifest": digest}).decode() if kind else None,
            "steps": [ProposalStep.of(step) for step in proposal.steps],
        }
        return cls.model_validate(values)


class ProposalFiles(BaseModel):
    """The files of a proposal."""

    bundle: str = Field(description="the SHA-256 of the canonical JSON of `files`")
    files: dict[str, str] = Field(description="the text of each file, with the cases")


def _summary(proposal: Proposal) -> dict[str, Any]:
    return {
        "number": proposal.number,
        "state": proposal.state,
        "author": proposal.author,
        "message": proposal.message,
        "at": moment(proposal.at),
        "revision": proposal.revision,
        "release": proposal.release,
        "due_at": None if proposal.due_at is None else moment(proposal.due_at),
        "share": share_text(proposal.share),
    }
