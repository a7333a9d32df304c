"""Check that each decision was made under the release that the release log names for that person, perk and merchant.

A decision binds the newest step of the log at its time. So we can tell from the log alone which release had to decide: the one in force
after that step, or the one on trial for a share of people.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from api.evidence import erasure_tombstones
from api.releases import release_states as states
from api.releases.in_force import trial_of
from api.releases.release_log import states_after
from api.releases.release_states import ReleaseState
from api.store.database import Database, reading
from api.supervision.records import EntryRow
from engine.rollout.buckets import takes_part


@dataclass(frozen=True)
class TrialRules:
    """A proposal that decided for a share of people, in hundredths of a percent, after one step of the log."""

    number: int
    release: str
    share: int
    perks: frozenset[str]
    merchants: frozenset[str]


@dataclass(frozen=True)
class RulesAfterStep:
    """The release in force after a step of the log, and the trial, if one decided for some people."""

    release: str
    trial: TrialRules | None


@dataclass
class ReleaseHistory:
    """What had to decide after each step of the log, by the step's hash. We read the log once, and its newer steps when they occur."""

    database: Database
    state: ReleaseState = field(default_factory=ReleaseState)
    rules: dict[str, RulesAfterStep] = field(default_factory=dict)

    def after(self, connection: Connection, hash_: str) -> RulesAfterStep | None:
        """The rules after the step with that hash; None if the log has no such step. Raises Rejected `log_altered`."""
        if hash_ not in self.rules:
            for state in states_after(connection, self.state):
                self.state = state
                if state.in_force is not None:
                    self.rules[state.hash] = RulesAfterStep(state.in_force.release, _trial_rules(state))
        return self.rules.get(hash_)

    def key(self, number: int) -> bytes:
        """The secret key of a proposal's trial."""
        return erasure_tombstones.pseudonym(self.database, f"trial {number}").encode()


def history_of(database: Database) -> ReleaseHistory:
    """The history of the whole log. Raises Rejected `log_altered`."""
    history = ReleaseHistory(database)
    with reading(database) as connection:
        history.after(connection, "")
    return history


def _trial_rules(state: ReleaseState) -> TrialRules | None:
    proposal = trial_of(state)
    if proposal is None or proposal.state != states.PARTIAL:
        return None
    plan: Mapping[str, Any] = proposal.plan or {}
    scopes = (frozenset(plan.get(name, ())) for name in ("perks", "merchants"))
    return TrialRules(proposal.number, str(proposal.release), proposal.share, *scopes)


def release_problems(connection: Connection, history: ReleaseHistory, rows: Iterable[EntryRow]) -> Mapping[int, str]:
    """The decisions that another release made than the log names, by `seq`."""
    problems = {}
    for row in rows:
        text = row["about_record"]
        if text is None or '"release_log":"' not in text:
            continue  # erased, or of a process that follows no log
        record = json.loads(text)
        decision = record.get("decision")
        rules = history.after(connection, record["release_log"])
        if rules is None:
            problems[row["seq"]] = "it names a step of the release log that is not there"
        elif decision is not None and _release_for(history, rules, record) != row["release"]:
            problems[row["seq"]] = "the release log names another release for it"
    return problems


def _release_for(history: ReleaseHistory, rules: RulesAfterStep, record: Mapping[str, Any]) -> str:
    """The release that had to make the decision of a record."""
    trial, question = rules.trial, record["decision"]["question"]
    if trial is None or (trial.perks and question["perk"] not in trial.perks):
        return rules.release
    if trial.merchants and record["merchant"] not in trial.merchants:
        return rules.release
    name = min(question.get("linked") or [_pseudonym(history.database, record["subject"])])
    return trial.release if takes_part(history.key(trial.number), name, trial.share) else rules.release


def _pseudonym(database: Database, subject: str) -> str:
    return erasure_tombstones.pseudonym(database, subject)
