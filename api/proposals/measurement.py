"""Check a proposal, and measure whom it moves: what must be on record before anybody can sign it."""

from collections.abc import Mapping
from contextlib import suppress
from threading import Event
from time import sleep
from typing import Any, Final

from api.features.builds import feature_changes, latest_build
from api.proposals.actors import THE_SYSTEM, Actor
from api.proposals.proposals import files_of
from api.releases import probe
from api.releases import release_states as states
from api.releases.catalogue import kinds, schema
from api.releases.evidence_changes import evidence_problems
from api.releases.in_force import StoredRules, definitions_hash, load_activation, load_proposal, newest_activation
from api.releases.release_log import append, read_object, read_state
from api.releases.release_states import Proposal, ReleaseState
from api.releases.step_checks import OPEN, proposal_of, require_state
from api.releases.steps import Step, text_hash
from api.store.database import Database
from api.supervision.swap_sets import Progress, SwapQuestion, compare_everyone
from engine.changes.texts import file_differences
from engine.decide.decide import as_json
from engine.errors import IftahError
from engine.lang.check.release import check as check_texts
from engine.lang.check.release import release_of

MAX_PROBLEMS = 50  # that we keep
MAX_KILLS: Final = 3  # of the process for one text, before we put them on record
KILL_HINT: Final = (
    "this machine lacks memory, or the rules need too much: see its log, then revise the proposal to check it again"
)


def check_proposal(
    database: Database, number: int, now: int, stop: Event | None = None, previous_kills: int = 0
) -> Proposal:
    """Check the files of a draft, run their cases, and compare the engines, in another process. All problems go on record.

    A text that another process checked meanwhile stays as it is. Set `stop` to end the wait for the process: then we raise Rejected,
    and nothing goes on record. Raises ProbeKilled if the process is killed: that says nothing about the rules, so check them again.
    `previous_kills` counts the earlier ones: the last of `MAX_KILLS` goes on record as the only problem.
    """
    proposal = proposal_of(read_state(database), number)
    if proposal.release is not None:
        return proposal
    content = _check(database, proposal, stop, previous_kills)

    def steps(state: ReleaseState) -> list[Step]:
        newest = proposal_of(state, number)
        is_same_text = newest.revision == proposal.revision
        is_checked = is_same_text and len(newest.steps) > len(proposal.steps) and newest.state != states.REJECTED
        return [] if is_checked else [THE_SYSTEM.step("check", now, number, content)]

    return append(database, steps).proposals[number]


def check_patiently(database: Database, number: int, now: int, pause_seconds: float = 1.0) -> Proposal:
    """As `check_proposal`, but check again if the process is killed."""
    for previous_kills in range(MAX_KILLS - 1):
        with suppress(probe.ProbeKilled):
            return check_proposal(database, number, now, previous_kills=previous_kills)
        sleep(pause_seconds)
    return check_proposal(database, number, now, previous_kills=MAX_KILLS - 1)


def _check(database: Database, proposal: Proposal, stop: Event | None, previous_kills: int) -> dict[str, Any]:
    """The content of the step: the problems, or the release."""
    files = files_of(database, proposal)
    release, problems = check_texts(files, schema(), kinds())
    lines = [str(problem) for problem in sorted(problems, key=lambda p: p.at)] if release is None else []
    if release is not None:
        lines += evidence_problems(database, release)
    if release is not None and not lines:
        try:
            prober = probe.Probe(stop=stop)
            try:
                lines += prober.ask(release, files=files).failures
            finally:
                prober.close()
        except probe.ProbeKilled as error:
            if previous_kills + 1 < MAX_KILLS:
                raise
            lines.append(f"the rules were not checked: {error.message}, {MAX_KILLS} times ({KILL_HINT})")
        except IftahError as error:
            if stop is not None and stop.is_set():
                raise
            lines.append(str(error))
    content: dict[str, Any] = {"bundle": proposal.bundle, "problems": lines[:MAX_PROBLEMS]}
    if release is not None and not lines:
        content |= {"release": release.id, "definitions": definitions_hash(release)}
    return content


def probed_rules(files: Mapping[str, str]) -> StoredRules:
    """The rules of a break-glass, checked and probed in another process. Raises RulesError, or Rejected `rules_refused`."""
    rules = StoredRules(release_of(files, schema(), kinds()), files)
    probe.run_probe(rules.release, files=files)
    return rules


def measure_proposal(
    database: Database, actor: Actor, number: int, now: int, progress: Progress = lambda *_: None
) -> Proposal:
    """Measure whom a proposal moves against the release in force, and put the report on record.

    The system measures a text only once: a measurement by a late worker would void the signatures that followed another one.
    Raises Rejected `wrong_proposal_state`, and `base_moved` if another release comes into force meanwhile.
    """
    state = read_state(database)
    proposal = proposal_of(state, number)
    require_state(proposal, "measurement", *(s for s in OPEN if s != states.DRAFT))
    effect = as_json(_effect(database, state, proposal, progress))
    content = {"bundle": proposal.bundle, "base": state.base, "effect": text_hash(effect)}

    def steps(newest: ReleaseState) -> list[Step]:
        if actor is THE_SYSTEM and proposal_of(newest, number).state != states.CHECKED:
            return []
        return [actor.step("measurement", now, number, content)]

    return append(database, steps, [effect]).proposals[number]


def _effect(database: Database, state: ReleaseState, proposal: Proposal, progress: Progress) -> dict[str, Any]:
    new = load_proposal(database, proposal)
    active = newest_activation(database, state)
    old: StoredRules | None = load_activation(database, state, active) if active else None
    effect: dict[str, Any] = {
        "old": old.release.id if old else None,
        "new": new.release.id,
        "differences": list(file_differences(old.release.files if old else {}, new.release.files)),
        "lost_changes": _lost_changes(database, state, proposal, old, new),
        "swap": None,
        "needs_build": list(feature_changes(database, new.release)),
    }
    if old is not None and latest_build(database) is not None:
        report = compare_everyone(database, SwapQuestion(old.release, new.release), progress)
        effect["swap"] = report.as_dict()
    return effect


def _lost_changes(
    database: Database, state: ReleaseState, proposal: Proposal, old: StoredRules | None, new: StoredRules
) -> list[str]:
    """What came into force since the draft was written, and what the proposal would undo, a line each."""
    written_on = next((a for a in state.activations if a.hash == proposal.first_base), None)
    if old is None or written_on is None or written_on.release == old.release.id:
        return []
    base = load_activation(database, state, written_on)
    newer = file_differences(base.release.files, old.release.files)
    undone = set(file_differences(old.release.files, base.release.files)) & set(
        file_differences(old.release.files, new.release.files)
    )
    return [
        *(f"came into force meanwhile: {line}" for line in newer),
        *(f"would be undone: {line}" for line in sorted(undone)),
    ]


def effect_of(database: Database, proposal: Proposal) -> dict[str, Any] | None:
    """The report of whom the proposal moves, as it was signed; None before it was measured."""
    if proposal.effect is None:
        return None
    effect: dict[str, Any] = read_object(database, proposal.effect)
    return effect
