"""The rules that the release log names, compiled and ready to decide."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from api.evidence import erasure_tombstones
from api.releases import release_states as states
from api.releases.in_force import load_activation, load_proposal, newest_activation, trial_of
from api.releases.release_states import Proposal, ReleaseState
from api.releases.releases import amendment_of
from api.runtime.configured_rules import no_release
from api.runtime.context import AppContext, Trial
from api.store.clock import moment
from api.store.database import Database
from engine.decide.evaluators import Evaluators
from engine.lang.model.program import Release
from engine.lang.model.types import Type
from engine.verify.differential_test import days


@dataclass
class EvaluatorsCache:
    """Evaluators by the id of their release. One that comes into force again, or soon, needs no time to compile."""

    by_release: dict[str, Evaluators] = field(default_factory=dict)

    def of(self, release: Release) -> Evaluators:
        """The evaluators of a release, compiled for all of its days."""
        evaluators = self.by_release.get(release.id)
        if evaluators is None:
            evaluators = self.by_release[release.id] = Evaluators(release)
            for day in days(release):  # now rather than at the first question
                evaluators.pattern_evaluators(day)
        return evaluators

    def retain(self, names: Collection[str]) -> None:
        """Forget the others. Their C side is freed when the last request lets go of them."""
        self.by_release = {name: evaluators for name, evaluators in self.by_release.items() if name in names}


def context_of(
    database: Database, state: ReleaseState, cache: EvaluatorsCache, now: datetime, before: AppContext | None = None
) -> AppContext:
    """The context under a state of the log. `before`: the one that it follows. `now` is the time of the change.

    Raises Rejected: `no_release` if nothing ever came into force, `log_altered` if the rules are not those that the log names.
    """
    active = newest_activation(database, state)
    if active is None and before is not None:
        return replace(before, log=state, head=state.hash)
    if active is None:
        raise no_release()
    if before is not None and before.log is not None and before.release.id == active.release:
        trial = _trial(database, state, cache, before, before.release)
        return replace(before, log=state, head=state.hash, trial=trial)
    rules = load_activation(database, state, active)
    trial = _trial(database, state, cache, before, rules.release)
    if before is None:
        context = AppContext(database, cache.of(rules.release), moment(active.at), files=rules.files)
    else:
        amendment = amendment_of(before.files or before.release.files, rules.files, now) or before.amendment
        evaluators = cache.of(rules.release)
        changes: dict[str, Any] = {"evaluators": evaluators, "since": now, "rejection": None, "amendment": amendment}
        context = replace(before, **changes, files=rules.files)
    return replace(context, log=state, head=state.hash, trial=trial)


def _trial(
    database: Database, state: ReleaseState, cache: EvaluatorsCache, before: AppContext | None, in_force: Release
) -> Trial | None:
    proposal = trial_of(state)
    if proposal is None:
        return None
    same = before.trial if before else None
    if same is not None and same.proposal == proposal.number and same.release.id == proposal.release:
        evaluators = same.evaluators
    else:
        evaluators = cache.of(load_proposal(database, proposal).release)
    plan = proposal.plan or {}
    return Trial(
        proposal=proposal.number,
        evaluators=evaluators,
        key=erasure_tombstones.pseudonym(database, f"trial {proposal.number}").encode(),
        share=proposal.share,
        stage=proposal.stage,
        is_shadow=proposal.state == states.SHADOW,
        has_same_score=_has_same_score(in_force, evaluators.release),
        has_same_values=_value_types(in_force) == _value_types(evaluators.release),
        perks=frozenset(plan.get("perks", ())),
        merchants=frozenset(plan.get("merchants", ())),
    )


def _has_same_score(one: Release, other: Release) -> bool:
    """Whether two releases give each person the same score, with the same reasons, on every day."""
    cards = [
        [(p.since, p.scorecard, p.relationships, p.schema, p.timezone, p.rates) for p in release.programs]
        for release in (one, other)
    ]
    return cards[0] == cards[1]


def _value_types(release: Release) -> list[tuple[int | None, dict[str, Type]]]:
    """The type of each value that a release reads, with the first day of each program."""
    return [(p.since, {name: p.schema[name].type for name in p.reads}) for p in release.programs]


def proposals_ahead(state: ReleaseState) -> list[Proposal]:
    """The proposals that may come into force at any moment."""
    ahead = (states.APPROVED, states.SCHEDULED, *states.TRIALS)
    return [proposal for proposal in state.proposals.values() if proposal.state in ahead]


def prepare(database: Database, state: ReleaseState, cache: EvaluatorsCache) -> None:
    """Compile what may come into force at any moment: proposals that two people approved, and the release before this one."""
    ahead = proposals_ahead(state)
    for proposal in ahead:
        if proposal.release not in cache.by_release:
            cache.of(load_proposal(database, proposal).release)
    for active in state.activations[-2:-1]:
        if active.release not in cache.by_release:
            cache.of(load_activation(database, state, active).release)
    names = {str(p.release) for p in ahead} | {active.release for active in state.activations[-2:]}
    cache.retain(names)
