"""Which release is in force and by whom, as health, metrics and the list of releases show it."""

from datetime import datetime
from decimal import Decimal
from typing import Self

from pydantic import BaseModel, Field

from api.http.fields import ActivationKind, Int64, ProposalState, ReleaseMode
from api.releases.in_force import trial_of
from api.releases.release_log import read_state
from api.releases.release_states import Activation, Proposal, ReleaseState
from api.runtime.context import AppContext
from api.settings.settings import settings
from api.store.clock import moment
from api.store.database import Database
from engine.rollout.buckets import BUCKETS
from engine.rollout.percentages import percent_text


class TrialStatus(BaseModel):
    """The proposal on trial."""

    proposal: int
    state: ProposalState
    share: str = Field(description="of people, such as 5%; 0% in shadow")
    stage: int | None = Field(description="of its plan, from 0; null in shadow")
    hold: str | None = Field(description="why it goes no further; null: it does")

    @classmethod
    def of(cls, proposal: Proposal) -> Self:
        """The trial of a proposal."""
        return cls(
            proposal=proposal.number,
            state=proposal.state,
            share=share_text(proposal.share),
            stage=None if proposal.stage < 0 else proposal.stage,
            hold=proposal.hold,
        )


class ReleaseStatus(BaseModel):
    """Who releases rules here, and what is special about the release in force."""

    mode: ReleaseMode
    proposal: int | None = Field(description="the proposal in force; null: the release came from a folder")
    break_glass_until: datetime | None = Field(
        description="until then a release is in force that one person put there alone; null: no such one"
    )
    trial: TrialStatus | None

    @classmethod
    def of(cls, state: ReleaseState) -> Self:
        """The status by the release log."""
        active, trial = state.in_force, trial_of(state)
        approved = settings().releases == "approved" or state.needs_approval
        return cls(
            mode="approved" if approved else "folder",
            proposal=active.proposal if active else None,
            break_glass_until=None if state.ends_at is None else moment(state.ends_at),
            trial=trial and TrialStatus.of(trial),
        )


class ActivationAnswer(BaseModel):
    """A release that came into force."""

    seq: Int64 = Field(description="its step in the release log")
    entry: str = Field(description="the hash of that step")
    kind: ActivationKind
    release: str
    at: datetime
    actor: str = Field(description="the party that put it into force; iftah: the system")
    proposal: int | None

    @classmethod
    def of(cls, active: Activation) -> Self:
        """The public view of an activation."""
        return cls(
            seq=active.seq,
            entry=active.hash,
            kind=active.kind,
            release=active.release,
            at=moment(active.at),
            actor=active.actor,
            proposal=active.proposal,
        )


def share_text(points: int) -> str:
    """Hundredths of a percent as text: 50 is `0.5%`."""
    return percent_text(Decimal(points) / BUCKETS)


def newest_state(context: AppContext) -> ReleaseState:
    """The state of the release log now. Raises Rejected: `log_altered`, `database_restored`."""
    return read_state(context.database, context.log)


def followed_state(context: AppContext, database: Database) -> ReleaseState:
    """The state under which this server decides; if it follows no log, the newest one of `database`."""
    return context.log or read_state(database)
