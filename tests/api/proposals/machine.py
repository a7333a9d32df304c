"""The machine of `test_laws.py` without its steps: a database, two workers, the model, and what must hold after each step."""

import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, Final
from unittest.mock import patch

from fastapi import FastAPI
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
)
from sqlalchemy import text as sql

from api.releases.in_force import definitions_hash
from api.releases.release_log import read_state
from api.releases.release_states import ReleaseState, manifest_of
from api.releases.rules_folder import load_folder
from api.releases.steps import Step
from api.runtime import bootstrap
from api.runtime.rules_in_force import EvaluatorsCache, context_of
from api.settings.settings import Settings
from api.store import clock
from api.store.clock import moment
from api.store.database import open_database, reading
from tests.api.database_templates import Template
from tests.api.proposals import signed_rows
from tests.api.proposals.entry_points import CommandLine, EntryPoint, PythonActions, Signer, closed_at_the_end
from tests.api.proposals.gate import START, FollowingWorker, rejection_of
from tests.api.proposals.http_entry_point import HttpRoutes
from tests.api.proposals.release_model import ModelChange, ModelKey, ReleaseModel
from tests.api.proposals.remembered_probe import remembered_probes
from tests.api.proposals.tiny_rules import TEXTS

SPELLINGS: Final = {"ann": ("Ann", "ANN", "Ａnn"), "bob": ("bob", "Bob", "BOB"), "cem": ("Cem", "cem", "CEM")}
ROLES: Final = st.sampled_from(("operator", "operator", "operator", "approver"))
SOUND: Final = tuple(name for name in TEXTS if name != "failing")
ALTERED: Final = ("release_log", "release_objects", "chain_head", "releases", "events", "decisions")
_STEPS = ("folder", "restart", "proposal", "revision", "approval", "release", "schedule", "shadow", "stop", "replay")
_ENDS = ("rollback", "break-glass", "end", "activation by the clock", "break_glass_end by the clock")
_REJECTIONS = ("folder", "restart", "approval", "release", "schedule", "rollback", "replay")
# What must happen at least once in a whole run: steps that are taken, and steps that are rejected.
OUTCOMES = {*_STEPS, *_ENDS, *(f"no {name}" for name in _REJECTIONS)}


class Machine(RuleBasedStateMachine):
    """What all steps have in common: how we take one, and what must hold after each."""

    template: ClassVar[Template]
    server: ClassVar[str]
    folders: ClassVar[Mapping[str, Path]]
    outcomes: ClassVar[set[str]] = set()
    app: ClassVar[FastAPI | None] = None  # of the test that runs

    def __init__(self) -> None:
        super().__init__()
        self.exits = ExitStack()
        self.home = Path(self.exits.enter_context(TemporaryDirectory()))
        self.url = self.exits.enter_context(self.template.lend(self.server, self.home))
        self.now = moment(START)
        self.exits.enter_context(patch.dict(os.environ, IFTAH_ANCHORS=str(self.home / "anchors")))
        self.exits.enter_context(patch.object(clock, "wall", lambda: self.now))
        self.exits.enter_context(remembered_probes())
        self.database = open_database(self.url)
        self.exits.callback(self.database.dispose)
        self.python = PythonActions(self.database, self.folders)
        self.entry_points: list[EntryPoint] = [self.python, CommandLine(self.url, self.folders, self.home)]
        self.model = ReleaseModel({name: load_folder(folder).id for name, folder in self.folders.items()})
        self.signers: dict[str, Signer] = {}  # by fingerprint
        self.workers: list[FollowingWorker] = []
        self.signed_steps: list[tuple[Step, int, int]] = []  # with the revision and the effect that they were about
        self.justified = 0  # the newest step whose signatures we verified
        self.restarted = 0  # how many releases had come into force when a process started last

    def teardown(self) -> None:
        self.exits.close()

    # What each step has in common.

    def attempt(self, name: str, action: Callable[[], Any], allowed: bool) -> None:
        """Take a step. It must succeed exactly if the model allows it; else it must say why in one line, and write nothing."""
        before = self.rows()
        error = rejection_of(action)
        if error is None:
            assert allowed, f"{name} must be rejected"
            self.outcomes.add(name)
            return
        assert not allowed, f"{name}: {error}"
        assert "\n" not in str(error)
        assert self.rows() == before, f"{name} was rejected, and wrote"
        self.outcomes.add(f"no {name}")

    def rows(self) -> list[Any]:
        """What a rejected step must leave as it was."""
        with reading(self.database) as connection:
            counts = [connection.execute(sql(f"SELECT count(*) FROM {table}")).scalar() for table in ALTERED]
            heads = connection.execute(sql("SELECT id, length, hash FROM chain_head ORDER BY id")).all()
            loaded = connection.execute(sql("SELECT id, loaded_at FROM releases ORDER BY id")).all()
        return [counts, heads, loaded]

    @property
    def at(self) -> int:
        return clock.micros(self.now)

    def draw_key(self, data: st.DataObject, but: set[str] = frozenset()) -> tuple[ModelKey, Signer]:  # type: ignore[assignment]
        """A key, more often one that holds, and of a person who is not among `but`."""
        keys = self.model.keys
        likely = [key for key in keys if not key.revoked and key.person not in but]
        key = data.draw(st.sampled_from((likely or keys) * 3 + keys), "key")
        return key, self.signers[key.fingerprint]

    def draw_change(self, data: st.DataObject, *states: str) -> ModelChange:
        """A proposal, more often in one of the states."""
        changes = list(self.model.changes.values())
        likely = [change for change in changes if change.state in states]
        return data.draw(st.sampled_from((likely or changes) * 4 + changes), "proposal")

    def any_in(self, *states: str) -> bool:
        """Whether a proposal is in one of the states."""
        return any(change.state in states for change in self.model.changes.values())

    def entry_point(self, data: st.DataObject, *, key: ModelKey | None = None) -> EntryPoint:
        """A way in. `key`: one that signs only a part of the step, so that a revoked one would leave it half done over HTTP."""
        usual = [one for one in self.entry_points if one.signs_all or key is None or not key.revoked]
        return data.draw(st.sampled_from(usual), "by")

    @staticmethod
    def hand(by: EntryPoint, key: ModelKey) -> ModelKey:
        """Who takes a step that needs no signature: over HTTP a token is enough, whatever became of the key."""
        return key if by.signs_all else replace(key, revoked=False)

    # What holds after each step.

    @invariant()
    def everybody_names_the_release_in_force(self) -> None:
        model, state = self.model, read_state(self.database)
        assert [(a.release, a.kind) for a in state.activations] == [(a.release, a.kind) for a in model.history]
        assert {p.number: p.state for p in state.proposals.values()} == {
            c.number: c.state for c in model.changes.values()
        }
        assert (state.ends_at or 0, state.needs_approval) == (model.ends_at, model.needs_two)
        self._justify(state)
        if model.history:
            self._start_and_follow(state)
        self.now += timedelta(minutes=1)

    def _start_and_follow(self, state: ReleaseState) -> None:
        while len(self.workers) < 2:
            self.workers.append(FollowingWorker(self.database))
        if len(self.entry_points) == 2:
            routes = HttpRoutes(self.workers[0].context, self.folders, Machine.app)
            Machine.app = routes.app
            self.entry_points.append(routes)
        for worker in self.workers:
            context = worker.follower.catch_up()
            assert (context.release.id, context.head) == (self.model.release, state.hash)
        if self.restarted != len(self.model.history):
            self.restarted = len(self.model.history)
            if self.model.needs_two:
                self.start("auto", "fourteen", serving=False)
            else:
                assert context_of(self.database, state, EvaluatorsCache(), self.now).release.id == self.model.release

    def start(self, mode: str, text: str, serving: bool) -> None:
        config = Settings(database_url=self.url, rules=self.folders[text], releases=mode)
        with closed_at_the_end():
            context = bootstrap.load_context(config, serving=serving)
            assert context.release.id == self.model.release
            context.evaluators.close()

    def _justify(self, state: ReleaseState) -> None:
        """Verify what two people signed, from the new rows of the log, without our own functions."""
        for row in signed_rows.rows_after(self.database, self.justified):
            self.justified = row["seq"]
            if row["signature"]:
                signed_rows.verify_signature(row, state.keys[row["key"]].public)
            change = self.model.changes.get(row["proposal"] or 0)
            if row["kind"] in ("submission", "approval") and change:
                self.signed_steps.append((signed_rows.step_of(row), change.revision, change.measured_after))
            if row["kind"] == "activation" and change:
                self._verify_two_people(row, state, change)

    def _verify_two_people(self, row: dict[str, Any], state: ReleaseState, change: ModelChange) -> None:
        manifest = manifest_of(state.proposals[change.number])
        signers = signed_rows.signers_of(self.database, row, manifest)
        people = [next(key.person for key in self.model.keys if key.fingerprint == signer) for signer in signers]
        assert people[0] != people[1]
        assert people[1] not in change.hands
        signed_rows.verify_manifest(self.database, manifest, self.python.files(change.text))
        assert manifest["definitions"] == definitions_hash(load_folder(self.folders[change.text]))
        assert manifest["release"] == self.model.release_of[change.text]
