"""Judge a trial by its guards, and let it go on, hold it, or end it."""

from dataclasses import dataclass
from datetime import timedelta

from api.proposals import activations
from api.proposals.actors import THE_SYSTEM
from api.proposals.trial_sums import arms, main_currency, pairs
from api.releases import release_states as states
from api.releases.in_force import trial_of
from api.releases.release_states import Proposal, ReleaseState
from api.store.database import Database, reading
from engine.rollout.plan import DEFAULT_PLAN, ROLL_BACK
from engine.rollout.sequential import BROKEN, GuardVerdict, judge, judge_pairs

AMOUNTS = "waived"  # the guard that adds up amounts, of one currency


@dataclass(frozen=True)
class TrialView:
    """A trial as operators see it: what each guard says, and how many people the candidate answered about."""

    proposal: Proposal
    verdicts: tuple[GuardVerdict, ...]
    answers: int

    @property
    def breaks(self) -> tuple[GuardVerdict, ...]:
        """The guards that are broken."""
        return tuple(verdict for verdict in self.verdicts if verdict.status == BROKEN)


def view_trial(database: Database, proposal: Proposal) -> TrialView:
    """Judge a proposal in shadow or in partial release, in its present stage. A proposal without a plan has the default guards."""
    plan = activations.plan_of(proposal) or DEFAULT_PLAN
    with reading(database) as connection:
        currency = main_currency(connection, proposal.number, proposal.stage)
        if proposal.state == states.SHADOW:
            all_pairs, of_currency = (pairs(connection, proposal.number, one) for one in (None, currency))
            verdicts, amounts = judge_pairs(plan, all_pairs), judge_pairs(plan, of_currency)
            answers = all_pairs.answers
        else:
            both, in_currency = (arms(connection, proposal.number, proposal.stage, one) for one in (None, currency))
            verdicts, amounts = judge(plan, *both), judge(plan, *in_currency)
            answers = both[1].answers
    chosen = tuple(a if v.guard.measure == AMOUNTS else v for v, a in zip(verdicts, amounts, strict=True))
    return TrialView(proposal, chosen, answers)


def advance_trial(database: Database, state: ReleaseState, now: int) -> TrialView | None:
    """Hold or end the trial if a guard is broken, or begin its next stage if this one is over. None without a trial.

    A guard that still waits does not keep a stage from ending: with few questions, it might wait for ever.
    """
    proposal = trial_of(state)
    if proposal is None or proposal.hold is not None:
        return None
    view = view_trial(database, proposal)
    plan = activations.plan_of(proposal)
    if view.breaks:
        reason = "; ".join(_break_text(verdict) for verdict in view.breaks)
        if proposal.state == states.PARTIAL and plan is not None and plan.on_break == ROLL_BACK:
            activations.stop(database, THE_SYSTEM, proposal.number, reason, now)
        else:
            activations.hold(database, proposal.number, reason, now)
    elif proposal.state == states.PARTIAL and plan is not None:
        elapsed = timedelta(microseconds=now - proposal.stage_at)
        if plan.stages[proposal.stage].is_over(elapsed, view.answers):
            activations.begin_stage(database, THE_SYSTEM, proposal.number, proposal.stage + 1, now)
    return view


def _break_text(verdict: GuardVerdict) -> str:
    bounds = " and ".join(f"{name} {value}" for name, value in verdict.guard.as_dict().items())
    low, high = (f"{value:.4g}" for value in (verdict.low or 0.0, verdict.high or 0.0))
    return f"guard {verdict.guard.measure} is broken: from {low} to {high}, {bounds} allowed"
