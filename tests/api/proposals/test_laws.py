"""The laws of changing rules, for any sequence of steps by any way in: the actions, the commands, the folder, the clock, a restart.

The oracle is `release_model.ReleaseModel`, written from issue 15 §4. After each step we compare with it the log read from its beginning,
a process that starts, and two that follow. What two people signed we verify with `cryptography` itself.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from api.jobs.release_follower import advance_releases
from api.jobs.reload import attempt
from api.proposals import measurement, proposals
from api.releases import releases
from api.releases.release_log import append
from api.runtime.bootstrap import StageTimer
from tests.api.conftest import server_of
from tests.api.database_templates import Template
from tests.api.imports import PAYMENT_MAP
from tests.api.proposals.entry_points import CommandLine, EntryPoint, Signer, closed_at_the_end
from tests.api.proposals.gate import rejection_of
from tests.api.proposals.machine import OUTCOMES, ROLES, SOUND, SPELLINGS, Machine
from tests.api.proposals.release_model import HOUR, OPEN, TRIALS, ModelKey
from tests.api.proposals.remembered_probe import RememberedProbe
from tests.api.proposals.tiny_rules import TEXTS, write_folder
from tests.api.terminal import environment, run_in_process
from tests.effort import IN_FULL, by_effort


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """A folder of each text."""
    home = tmp_path_factory.mktemp("texts")
    return {name: write_folder(home / name, files) for name, files in TEXTS.items()}


class Changes(Machine):
    """Three people with several keys, two workers, a folder, and a clock."""

    # People, and their keys.

    @initialize(people=st.sampled_from((0, 1, 2, 2, 2, 3)), has_release=st.sampled_from((True, True, True, False)))
    def begin(self, people: int, has_release: bool) -> None:
        if has_release:
            self._follow_folder("twelve")
        for person in list(SPELLINGS)[:people]:
            self._register(self.python, person, SPELLINGS[person][0], "operator")

    @precondition(lambda self: len(self.model.keys) < 6)
    @rule(data=st.data(), person=st.sampled_from(list(SPELLINGS)), role=ROLES)
    def register(self, data: st.DataObject, person: str, role: str) -> None:
        by = self.entry_point(data)
        spelling = data.draw(st.sampled_from(SPELLINGS[person][: 3 if by is self.python else 2]))
        self._register(by, person, spelling, role)

    def _register(self, by: EntryPoint, person: str, party: str, role: str) -> None:
        path = self.home / f"{len(self.signers)}.pem"
        fingerprint = by.register(party, role, path)
        self.signers[fingerprint] = Signer(party, role, path)
        self.model.register(ModelKey(fingerprint, person, role), self.at)

    @precondition(lambda self: len(self.model.keys) > 2)
    @rule(data=st.data())
    def revoke(self, data: st.DataObject) -> None:
        if data.draw(st.integers(0, 2)):  # seldom
            return
        key, by = data.draw(st.sampled_from(self.model.keys)), self.entry_point(data)
        self.attempt("revocation", lambda: by.revoke(key.fingerprint), self.model.revoke(key, self.at))

    # Proposals.

    @precondition(lambda self: self.model.keys and len(self.model.changes) < 8)
    @rule(data=st.data(), text=st.sampled_from((*SOUND, *SOUND, "failing")), plan=st.sampled_from((False, False, True)))
    def propose(self, data: st.DataObject, text: str, plan: bool) -> None:
        self._propose(data, text, plan)

    def _propose(self, data: st.DataObject, text: str, plan: bool) -> None:
        key, signer = self.draw_key(data)
        by = self.entry_point(data, key=key)
        allowed = self._is_kept(by, text) and self.model.propose(key, text, plan, self.at)
        if allowed:
            self._model_review(key, len(self.model.changes))
        self.attempt("proposal", lambda: by.propose(signer, text, plan), allowed)

    @staticmethod
    def _is_kept(by: EntryPoint, text: str) -> bool:
        return by.keeps_failing or text != "failing"

    def _model_review(self, key: ModelKey, number: int) -> None:
        self.model.check(number, self.at, "failing")
        if self.model.changes[number].state == "checked":
            assert self.model.measure(key, number, self.at)
            assert self.model.submit(key, number, self.at)

    @precondition(lambda self: self.any_in(*OPEN))
    @rule(data=st.data(), text=st.sampled_from((*SOUND, *SOUND, "failing")), plan=st.booleans())
    def revise(self, data: st.DataObject, text: str, plan: bool) -> None:
        key, signer = self.draw_key(data)
        by = self.entry_point(data, key=key)
        change = self.draw_change(data, *OPEN)
        allowed = self._is_kept(by, text) and self.model.revise(key, change.number, text, plan, self.at)
        if allowed:
            self._model_review(key, change.number)
        self.attempt("revision", lambda: by.revise(signer, change.number, text, plan), allowed)

    @precondition(lambda self: self.model.keys)
    @rule(data=st.data(), text=st.sampled_from(SOUND), revise=st.booleans())
    def leave_a_draft(self, data: st.DataObject, text: str, revise: bool) -> None:
        """Somebody writes, and goes home."""
        key, signer = self.draw_key(data)
        files = self.python.files(text)
        if revise and self.model.changes:
            number = self.draw_change(data, *OPEN).number
            allowed = self.model.revise(key, number, text, False, self.at)
            action = partial(proposals.revise, self.database, signer.actor, number, files, "why", self.at)
        else:
            allowed = self.model.propose(key, text, False, self.at)
            action = partial(proposals.propose, self.database, signer.actor, files, "why", self.at)
        self.attempt("draft", action, allowed)

    @precondition(lambda self: self.any_in("draft"))
    @rule(data=st.data())
    def check(self, data: st.DataObject) -> None:
        """A text that was checked already, or a proposal that has ended, stays as it is, or the check is rejected."""
        change = self.draw_change(data, "draft")
        before = self.rows()
        error = rejection_of(partial(measurement.check_proposal, self.database, change.number, self.at))
        assert error is None or change.state != "draft"
        assert change.state == "draft" or self.rows() == before
        self.model.check(change.number, self.at, "failing")
        self.outcomes.add("check")

    @precondition(lambda self: self.any_in(*OPEN[1:]))
    @rule(data=st.data())
    def measure(self, data: st.DataObject) -> None:
        key, signer = self.draw_key(data)
        by = self.entry_point(data, key=key)
        number = self.draw_change(data, *OPEN[1:]).number
        allowed = self.model.measure(key, number, self.at)
        if allowed:
            assert self.model.submit(key, number, self.at)
        self.attempt("measurement", lambda: by.measure(signer, number), allowed)

    @precondition(lambda self: self.any_in("measured"))
    @rule(data=st.data())
    def submit(self, data: st.DataObject) -> None:
        (key, signer), number = self.draw_key(data), self.draw_change(data, "measured").number
        allowed = self.model.submit(key, number, self.at)
        self.attempt("submission", lambda: proposals.submit(self.database, signer.actor, number, self.at), allowed)

    @precondition(lambda self: self.model.keys and len(self.model.changes) < 12)
    @rule(data=st.data(), text=st.sampled_from(SOUND), plan=st.sampled_from((False, False, True)))
    def agree(self, data: st.DataObject, text: str, plan: bool) -> None:
        """One proposes, and another one approves at once."""
        count = len(self.model.changes)
        self._propose(data, text, plan)
        if len(self.model.changes) > count:
            self._approve(data)

    @precondition(lambda self: self.any_in("in review"))
    @rule(data=st.data())
    def approve(self, data: st.DataObject) -> None:
        self._approve(data)

    def _approve(self, data: st.DataObject) -> None:
        change = self.draw_change(data, "in review")
        (key, signer), by = self.draw_key(data, change.hands), self.entry_point(data)
        if by is self.python:  # a token of the same person may say another role, and spell the name in another way
            party = data.draw(st.sampled_from(SPELLINGS[key.person]), "spelling")
            signer = replace(signer, party=party, claims=data.draw(st.sampled_from(("operator", "approver")), "role"))
        allowed = self.model.approve(key, change.number, self.at)
        self.attempt("approval", lambda: by.approve(signer, change.number), allowed)

    @precondition(lambda self: self.any_in(*OPEN))
    @rule(data=st.data())
    def reject(self, data: st.DataObject) -> None:
        if data.draw(st.integers(0, 2)):  # seldom
            return
        (key, signer), by, number = self.draw_key(data), self.entry_point(data), self.draw_change(data, *OPEN).number
        self.attempt(
            "rejection", lambda: by.reject(signer, number), self.model.reject(self.hand(by, key), number, self.at)
        )

    @precondition(lambda self: any(step.kind == "approval" for step, *_ in self.signed_steps))
    @rule(data=st.data(), forge=st.sampled_from(("again", "again", "other proposal", "as another kind", "one digit")))
    def replay(self, data: st.DataObject, forge: str) -> None:
        """Somebody writes a signed step into the log once more, for the same proposal or another one."""
        step, revision, effect = data.draw(st.sampled_from(self.signed_steps))
        key = next(key for key in self.model.keys if key.fingerprint == step.key)
        signed = step.proposal
        changes: dict[str, Any] = {"at": self.at}
        if forge == "other proposal":
            changes["proposal"] = self.draw_change(data, "in review", "measured").number
        elif forge == "as another kind":
            changes["kind"] = "approval" if step.kind != "approval" else "submission"
        elif forge == "one digit":
            changes["signature"] = f"{int(str(step.signature)[0], 16) ^ 1:x}{str(step.signature)[1:]}"
        resent = replace(step, **changes)
        allowed = False
        change = self.model.changes.get(resent.proposal or 0)
        if resent.signature == step.signature and resent.kind == step.kind and change and resent.proposal == signed:
            # It says what it said: these very texts, with this very effect.
            same = (change.revision, change.measured_after) == (revision, effect)
            take = self.model.approve if step.kind == "approval" else self.model.submit
            allowed = same and take(key, change.number, self.at)
        self.attempt("replay", lambda: append(self.database, lambda _: [resent]), allowed)

    # Into force, and back.

    @precondition(lambda self: self.any_in("approved", "scheduled", *TRIALS))
    @rule(data=st.data(), hours_late=st.sampled_from((0, 0, 0, 1, 30)))
    def release(self, data: st.DataObject, hours_late: int) -> None:
        (key, signer), by = self.draw_key(data), self.entry_point(data)
        number = self.draw_change(data, "approved", "approved", "scheduled", *TRIALS).number
        with self.clock_behind(hours_late):
            allowed = self.model.let_decide(self.hand(by, key), number, self.at)
            self.attempt("release", lambda: by.release(signer, number), allowed)

    def clock_behind(self, hours: int) -> Any:
        """The clock of the machine that takes the next step is late."""
        late = self.now - timedelta(hours=hours)
        return patch.object(self, "now", late)

    @precondition(lambda self: self.any_in("approved", "scheduled"))
    @rule(data=st.data(), hours=st.sampled_from((0, 1, 5, 30)), hours_late=st.sampled_from((0, 0, 0, 2)))
    def schedule(self, data: st.DataObject, hours: int, hours_late: int) -> None:
        (key, signer), by = self.draw_key(data), self.entry_point(data)
        number = self.draw_change(data, "approved", "scheduled").number
        with self.clock_behind(hours_late):
            due = self.at + hours * HOUR
            allowed = self.model.schedule(self.hand(by, key), number, due, self.at)
            self.attempt("schedule", lambda: by.schedule(signer, number, due), allowed)

    @precondition(lambda self: self.any_in("approved"))
    @rule(data=st.data())
    def keep_a_date(self, data: st.DataObject) -> None:
        """A schedule whose time comes."""
        (key, signer), by = self.draw_key(data), self.entry_point(data)
        number, due = self.draw_change(data, "approved").number, self.at + HOUR
        allowed = self.model.schedule(self.hand(by, key), number, due, self.at)
        self.attempt("schedule", lambda: by.schedule(signer, number, due), allowed)
        for worker in self.workers:
            worker.follower.catch_up()
        self._wait(1)

    @precondition(lambda self: self.any_in("approved", "scheduled"))
    @rule(data=st.data())
    def shadow(self, data: st.DataObject) -> None:
        (key, signer), by, number = (
            self.draw_key(data),
            self.entry_point(data),
            self.draw_change(data, "approved").number,
        )
        self.attempt(
            "shadow", lambda: by.shadow(signer, number), self.model.shadow(self.hand(by, key), number, self.at)
        )

    @precondition(lambda self: self.model.trial)
    @rule(data=st.data())
    def stop(self, data: st.DataObject) -> None:
        (key, signer), by, trial = self.draw_key(data), self.entry_point(data), self.model.trial
        assert trial
        self.attempt(
            "stop", lambda: by.stop(signer, trial.number), self.model.stop(self.hand(by, key), trial.number, self.at)
        )

    @precondition(lambda self: self.model.history and self.model.keys)
    @rule(data=st.data(), to=st.sampled_from(("", *TEXTS)))
    def roll_back(self, data: st.DataObject, to: str) -> None:
        (key, signer), by = self.draw_key(data), self.entry_point(data)
        name = self.model.release_of[to] if to else ""
        if isinstance(by, CommandLine) and not to and self.model.trial:
            return  # the command ends the trial: the rule before this one
        self.attempt(
            "rollback", lambda: by.roll_back(signer, name), self.model.roll_back(self.hand(by, key), name, self.at)
        )

    @precondition(lambda self: self.model.keys)
    @rule(data=st.data(), text=st.sampled_from(SOUND), hours=st.sampled_from((1, 4, 24, 25, 0)))
    def break_glass(self, data: st.DataObject, text: str, hours: int) -> None:
        if data.draw(st.integers(0, 1)):
            return
        (key, signer), by = self.draw_key(data), self.entry_point(data)
        hours = max(1, min(hours, 24)) if isinstance(by, CommandLine) else hours  # its option has these limits
        allowed = self.model.break_glass(self.hand(by, key), text, hours, self.at)
        self.attempt("break-glass", lambda: by.break_glass(signer, text, hours), allowed)

    @precondition(lambda self: self.model.ends_at)
    @rule(data=st.data())
    def end_break_glass(self, data: st.DataObject) -> None:
        (key, signer), by = self.draw_key(data), self.entry_point(data)
        self.attempt("end", lambda: by.end_break_glass(signer), self.model.end_break_glass(self.hand(by, key), self.at))

    # What no person takes: the folder, a restart, an import, the clock.

    @rule(text=st.sampled_from(tuple(TEXTS)))
    def change_the_folder(self, text: str) -> None:
        """What a server does with a folder that has changed."""
        self._follow_folder(text)

    def _follow_folder(self, text: str) -> None:
        result = attempt(
            self.folders[text], self.model.release, RememberedProbe(), StageTimer(), database=self.database
        )
        assert bool(result.problems) == (text == "failing")
        evaluators = result.evaluators
        if evaluators is None:
            return
        allowed = self.model.folder(text, self.at)
        record = partial(releases.record_release, self.database, evaluators.release, self.at, result.files)
        self.attempt("folder", record, allowed)
        evaluators.close()

    @rule(
        mode=st.sampled_from(("auto", "auto", "folder", "approved")), serving=st.booleans(), text=st.sampled_from(SOUND)
    )
    def restart(self, mode: str, serving: bool, text: str) -> None:
        """A process starts with these settings, and this folder."""
        model = self.model
        if mode == "folder" and model.approved_once:
            allowed = False  # a folder would go round what two people agreed on
        elif mode == "approved" or model.needs_two:
            allowed = bool(model.history)
        else:
            allowed = model.folder(text, self.at, with_cases=serving)
        self.attempt("restart", lambda: self.start(mode, text, serving), allowed)

    @rule(number=st.integers(1, 10**9))
    def import_events(self, number: int) -> None:
        """`iftah import` writes events, and nothing of rules."""
        (self.home / "map.yaml").write_text(PAYMENT_MAP + "events:\n  - kind: payment.made\n", encoding="utf-8")
        (self.home / "in.csv").write_text(f"id,customer,at,total\n{number},eve,2026-01-03T09:30:00,100\n")
        before = self.rows()
        variables = environment(IFTAH_DATABASE_URL=self.url, IFTAH_RULES=str(self.folders["fourteen"]))
        with closed_at_the_end():
            completed = run_in_process(("import", "in.csv"), variables, self.home)
        has_rules = self.model.history or not self.model.needs_two  # by which an event is read
        assert completed.returncode == (0 if has_rules else 2), completed
        assert self.rows()[1:] == before[1:]
        assert self.rows()[0][:4] == before[0][:4]

    @rule(hours=st.sampled_from((0, 1, 4, 24, 31)))
    def wait(self, hours: int) -> None:
        self._wait(hours)

    def _wait(self, hours: int) -> None:
        """Time passes. Each worker takes the steps that are due, with what it knew before the other one did."""
        self.now += timedelta(hours=hours)
        contexts = [worker.context for worker in self.workers]
        for context in contexts:
            error = rejection_of(partial(advance_releases, context, self.now))
            assert "\n" not in str(error)
        if contexts:
            count, trial = len(self.model.history), self.model.trial
            self.model.clock_strikes(self.at)
            self.outcomes.update(f"{active.kind} by the clock" for active in self.model.history[count:])
            self.outcomes.update({"share by the clock"} if self.model.trial not in (None, trial) else ())


@pytest.fixture(params=["sqlite", "postgresql"])
def changes(request: pytest.FixtureRequest, empty_template: Template, folders: Mapping[str, Path]) -> type[Changes]:
    Machine.app = None
    Changes.template, Changes.server, Changes.folders = empty_template, server_of(request), folders
    return Changes


def test_what_is_in_force_was_agreed_by_two_people_by_any_way_in(changes: type[Changes]) -> None:
    profile = settings(
        max_examples=by_effort(4, 150),
        stateful_step_count=by_effort(20, 50),
        deadline=None,
        phases=[phase for phase in Phase if IN_FULL or phase is not Phase.shrink],  # which takes minutes
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(changes, settings=profile)
    if IN_FULL:  # it is no desert
        assert changes.outcomes >= OUTCOMES
