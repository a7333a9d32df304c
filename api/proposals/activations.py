"""The steps that put a release into force, for some people or for all, and the ways back."""

from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import Connection

from api.features.builds import feature_changes
from api.proposals.actors import THE_SYSTEM, Actor
from api.releases import release_states as states
from api.releases.evidence_changes import require_same_meaning
from api.releases.in_force import (
    NEVER,
    StoredRules,
    load_activation,
    load_proposal,
    newest_activation,
    require_definitions,
    store_release,
)
from api.releases.release_log import append, bundle_text, read_state
from api.releases.release_states import Activation, Proposal, ReleaseState, manifest_hash
from api.releases.step_checks import proposal_of
from api.releases.steps import Step, text_hash
from api.store.database import Database
from engine.errors import Rejected
from engine.lang.model.program import Release
from engine.rollout.plan import Plan, read_plan

HOUR_MICROS: Final = 3_600_000_000
MAX_HOURS: Final = 24  # of a break-glass
WRONG_STATE: Final = "wrong_proposal_state"


def plan_of(proposal: Proposal) -> Plan | None:
    """The plan of a proposal, which two people approved with it."""
    return None if proposal.plan is None else read_plan(proposal.plan)


def release_proposal(database: Database, actor: Actor, number: int, now: int) -> Proposal:
    """Put an approved proposal into force: for everyone, or for the first share of people if it has a plan. After a hold, its stage
    goes on.

    Raises Rejected: `not_approved`, `base_moved`, `key_revoked`, `wrong_proposal_state`, `trial_runs`, `definitions_moved`,
    `evidence_changed`, `needs_build`.
    """
    actor.require("operator")
    proposal = proposal_of(read_state(database), number)
    plan = plan_of(proposal)
    if proposal.state == states.PARTIAL and proposal.hold is not None:  # an operator lets the stage go on
        return begin_stage(database, actor, number, proposal.stage, now)
    if plan is None or proposal.state == states.PARTIAL:
        return activate(database, actor, number, now)
    return begin_stage(database, actor, number, 0, now)


def activate(database: Database, actor: Actor, number: int, now: int) -> Proposal:
    """Put a proposal into force for everyone. Raises Rejected as `release_proposal`."""
    release = _ready(database, number)

    def steps(state: ReleaseState) -> list[Step]:
        proposal = proposal_of(state, number)
        content = {"manifest": manifest_hash(proposal), "release": release.id, "bundle": proposal.bundle}
        return [actor.step("activation", now, number, content)]

    return append(database, steps, also=_keeping(release, now)).proposals[number]


def begin_stage(database: Database, actor: Actor, number: int, stage: int, now: int) -> Proposal:
    """Give a proposal to the share of people of a stage of its plan. The last stage, of all people, is an activation."""
    plan = plan_of(proposal_of(read_state(database), number))
    if plan is None:
        hint = "propose it with one: --plan"
        raise Rejected(f"proposal {number} has no plan", where="releases", hint=hint, code="bad_plan")
    share = plan.stages[stage].share_points
    if share >= 10_000:
        return activate(database, actor, number, now)
    release = _ready(database, number)
    _require_same_flags(database, release)
    content = {"stage": stage, "share": share}
    state = append(database, lambda _: [actor.step("share", now, number, content)], also=_keeping(release, NEVER))
    return state.proposals[number]


def begin_shadow(database: Database, actor: Actor, number: int, now: int) -> Proposal:
    """Let an approved proposal decide beside the release in force, for nobody to see. Raises Rejected as `release_proposal`."""
    actor.require("operator")
    release = _ready(database, number)
    _require_same_flags(database, release)
    state = append(database, lambda _: [actor.step("shadow", now, number)], also=_keeping(release, NEVER))
    return state.proposals[number]


def schedule(database: Database, actor: Actor, number: int, due_at: int, now: int) -> Proposal:
    """Let an approved proposal come into force at a time, in microseconds. Raises Rejected `bad_schedule` for a past time."""
    actor.require("operator")
    content = {"due_at": due_at}
    return append(database, lambda _: [actor.step("schedule", now, number, content)]).proposals[number]


def hold(database: Database, number: int, reason: str, now: int) -> Proposal:
    """Let a trial go no further, because a guard is broken."""
    return append(database, lambda _: [THE_SYSTEM.step("hold", now, number, {"reason": reason})]).proposals[number]


def stop(database: Database, actor: Actor, number: int, reason: str, now: int) -> Proposal:
    """End a trial: the release in force decides for everyone again."""
    actor.require("operator", "approver")
    return append(database, lambda _: [actor.step("stop", now, number, {"reason": reason})]).proposals[number]


def roll_back(database: Database, actor: Actor, reason: str, now: int, to: str | None = None) -> Activation:
    """Put a release into force again that was in force: one person and a reason are enough.

    `to` is its id, or the beginning of it; by default the release before this one. Raises Rejected `never_in_force`.
    """
    actor.require("operator", "approver")
    state = read_state(database)
    target = _earlier(state, to)
    rules = load_activation(database, state, target)
    _require_usable(database, rules.release)
    content = {"from": state.base, "to": target.hash, "reason": reason}
    after = append(database, lambda _: [actor.step("rollback", now, None, content)], also=_keeping(rules.release, now))
    return after.activations[-1]


def _earlier(state: ReleaseState, name: str | None) -> Activation:
    """The newest activation of that release, before the one in force."""
    current = state.in_force.release if state.in_force else ""
    earlier = [a for a in state.activations[:-1] if a.kind != "break_glass" and a.release != current]
    target = next((a for a in reversed(earlier) if a.release.startswith(name or "")), None)
    if target is None:
        message = f"no release `{name[:12]}` was in force before" if name else "no other release was in force before"
        raise Rejected(message, where="releases", hint="see `iftah releases`", code="never_in_force")
    return target


def break_glass(database: Database, actor: Actor, rules: StoredRules, hours: int, reason: str, now: int) -> Activation:
    """Put a release into force alone, for some hours: it is loud, and it ends by itself.

    You must have checked and probed the rules. Raises Rejected `bad_schedule` unless it ends within 24 hours.
    """
    actor.require("operator")
    _require_usable(database, rules.release)
    bundle = bundle_text(rules.files)
    values: dict[str, Any] = {"release": rules.release.id, "bundle": text_hash(bundle), "reason": reason}

    def steps(state: ReleaseState) -> list[Step]:
        return [
            actor.step("break_glass", now, None, {**values, "from": state.base, "ends_at": now + hours * HOUR_MICROS})
        ]

    return append(database, steps, [bundle], _keeping(rules.release, now)).activations[-1]


def end_break_glass(database: Database, actor: Actor, now: int) -> Activation:
    """Put the release into force again that a break-glass replaced. Raises Rejected `wrong_proposal_state` without one."""
    actor.require("operator")
    state = read_state(database)
    if state.ends_at is None:
        raise Rejected("no break-glass is in force", where="releases", hint="see `iftah releases`", code=WRONG_STATE)
    release = load_activation(database, state, state.activations[-2]).release
    after = append(database, lambda _: [actor.step("break_glass_end", now)], also=_keeping(release, now))
    return after.activations[-1]


def accept_restored(database: Database, actor: Actor, reason: str, now: int) -> ReleaseState:
    """Put on record that the database was restored from a back-up on purpose. Raises Rejected `no_reason`."""
    actor.require("operator")
    return append(database, lambda _: [actor.step("restore", now, None, {"reason": reason})])


def _ready(database: Database, number: int) -> Release:
    """The release of a proposal, if it may decide now."""
    proposal = proposal_of(read_state(database), number)
    if proposal.release is None:
        hint = f"see `iftah releases {number}`"
        raise Rejected(f"proposal {number} is {proposal.state}", where="releases", hint=hint, code="not_approved")
    release = load_proposal(database, proposal).release
    require_definitions(proposal, release)
    _require_usable(database, release)
    return release


def _require_same_flags(database: Database, release: Release) -> None:
    """Raise Rejected `other_flags` if the candidate has other patterns: we store each person's flags under one release alone."""
    state = read_state(database)
    active = newest_activation(database, state)
    if active is None:
        return
    base = load_activation(database, state, active).release
    patterns = [tuple((program.since, program.watch) for program in one.programs) for one in (base, release)]
    if patterns[0] != patterns[1]:
        message, hint = "watch.yaml differs from that in force", "change it in a proposal of its own, without a trial"
        raise Rejected(message, where="releases", hint=hint, code="other_flags")


def _require_usable(database: Database, release: Release) -> None:
    """Raise Rejected if recorded events would get another meaning, or if the newest build has other features."""
    require_same_meaning(database, release)
    if changes := feature_changes(database, release):
        hint = "build them first: `iftah build --proposal N`"
        raise Rejected("; ".join(changes), where="releases", hint=hint, code="needs_build")


def _keeping(release: Release, at: int) -> Callable[[Connection, ReleaseState], None]:
    return lambda connection, _: store_release(connection, release, at)
