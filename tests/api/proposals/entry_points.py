"""The ways by which people change rules: the actions in Python, and the command line. Each raises Rejected in one line, or succeeds."""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol
from unittest.mock import patch

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from api.cli import imports as cli_imports
from api.cli import keys as cli_keys
from api.cli import releases as cli_releases
from api.proposals import activations, keys, measurement, proposals
from api.proposals.actors import Actor, new_key, read_key
from api.releases import rules_folder
from api.releases.in_force import StoredRules
from api.releases.steps import fingerprint_of, public_key_of
from api.runtime import bootstrap
from api.store import clock
from api.store.database import Database, open_database
from engine.errors import Rejected
from tests.api.terminal import environment, run_in_process

REASON: Final = "customers asked for it"
PLAN: Final = {"stages": [{"share": "5%", "hours": 1}, {"share": "100%"}]}


@dataclass(frozen=True)
class Signer:
    """A person with a key. `claims` is the role that the caller says it has, in Python; the key has its own."""

    party: str
    claims: str
    path: Path

    @property
    def actor(self) -> Actor:
        """The same for the actions in Python."""
        return Actor(self.party, self.claims, read_key(self.path))


class EntryPoint(Protocol):
    """What people do. A proposal comes whole: checked, measured and signed for review.

    `keeps_failing`: whether a proposal whose cases fail is on record, as a draft. `signs_all`: whether each step is signed, so that a
    revoked key takes none; else a token takes those that need no signature.
    """

    keeps_failing: bool
    signs_all: bool

    def propose(self, signer: Signer, text: str, plan: bool) -> None: ...
    def revise(self, signer: Signer, number: int, text: str, plan: bool) -> None: ...
    def measure(self, signer: Signer, number: int) -> None: ...
    def approve(self, signer: Signer, number: int) -> None: ...
    def reject(self, signer: Signer, number: int) -> None: ...
    def release(self, signer: Signer, number: int) -> None: ...
    def schedule(self, signer: Signer, number: int, due: int) -> None: ...
    def shadow(self, signer: Signer, number: int) -> None: ...
    def stop(self, signer: Signer, number: int) -> None: ...
    def roll_back(self, signer: Signer, to: str) -> None: ...
    def break_glass(self, signer: Signer, text: str, hours: int) -> None: ...
    def end_break_glass(self, signer: Signer) -> None: ...
    def register(self, party: str, role: str, path: Path) -> str: ...
    def revoke(self, fingerprint: str) -> None: ...


class PythonActions:
    """The functions of `api.proposals`."""

    keeps_failing = True
    signs_all = True

    def __init__(self, database: Database, folders: Mapping[str, Path]) -> None:
        self.database, self.folders = database, folders

    @property
    def now(self) -> int:
        return clock.micros(clock.now())

    def files(self, text: str) -> Mapping[str, str]:
        return rules_folder.rule_files(self.folders[text])[0]

    def propose(self, signer: Signer, text: str, plan: bool) -> None:
        change = proposals.propose(
            self.database, signer.actor, self.files(text), REASON, self.now, self.plan if plan else None
        )
        self._review(signer, change.number)

    def revise(self, signer: Signer, number: int, text: str, plan: bool) -> None:
        proposals.revise(
            self.database, signer.actor, number, self.files(text), REASON, self.now, self.plan if plan else None
        )
        self._review(signer, number)

    plan: Any = PLAN

    def _review(self, signer: Signer, number: int) -> None:
        if not measurement.check_proposal(self.database, number, self.now).problems:
            self.measure(signer, number)

    def measure(self, signer: Signer, number: int) -> None:
        measurement.measure_proposal(self.database, signer.actor, number, self.now)
        proposals.submit(self.database, signer.actor, number, self.now)

    def approve(self, signer: Signer, number: int) -> None:
        proposals.approve(self.database, signer.actor, number, self.now)

    def reject(self, signer: Signer, number: int) -> None:
        proposals.reject(self.database, signer.actor, number, REASON, self.now)

    def release(self, signer: Signer, number: int) -> None:
        activations.release_proposal(self.database, signer.actor, number, self.now)

    def schedule(self, signer: Signer, number: int, due: int) -> None:
        activations.schedule(self.database, signer.actor, number, due, self.now)

    def shadow(self, signer: Signer, number: int) -> None:
        activations.begin_shadow(self.database, signer.actor, number, self.now)

    def stop(self, signer: Signer, number: int) -> None:
        activations.stop(self.database, signer.actor, number, REASON, self.now)

    def roll_back(self, signer: Signer, to: str) -> None:
        activations.roll_back(self.database, signer.actor, REASON, self.now, to or None)

    def break_glass(self, signer: Signer, text: str, hours: int) -> None:
        rules = StoredRules(rules_folder.load_folder(self.folders[text]), self.files(text))
        activations.break_glass(self.database, signer.actor, rules, hours, REASON, self.now)

    def end_break_glass(self, signer: Signer) -> None:
        activations.end_break_glass(self.database, signer.actor, self.now)

    def register(self, party: str, role: str, path: Path) -> str:
        public = public_key_of(new_key(path))
        keys.register(self.database, party, role, public, self.now)
        return fingerprint_of(public)

    def revoke(self, fingerprint: str) -> None:
        keys.revoke(self.database, fingerprint, REASON, self.now)


@contextmanager
def closed_at_the_end() -> Iterator[None]:
    """Close the databases that commands and starts open, also those that are rejected: elsewhere the end of their process does so."""
    databases: list[Database] = []

    def open_and_note(url: str) -> Database:
        databases.append(open_database(url))
        return databases[-1]

    with ExitStack() as patches:
        for module in (cli_releases, cli_keys, cli_imports, bootstrap):
            patches.enter_context(patch.object(module, "open_database", open_and_note))
        try:
            yield
        finally:
            for database in databases:
                database.dispose()


class CommandLine:
    """The commands of `iftah`, in this process."""

    keeps_failing = False
    signs_all = True

    def __init__(self, url: str, folders: Mapping[str, Path], home: Path) -> None:
        self.folders = folders
        self.environment = environment(IFTAH_DATABASE_URL=url)
        self.plan = home / "plan.json"
        self.plan.write_text(json.dumps(PLAN), encoding="utf-8")

    def run(self, *words: object) -> str:
        """The output of a command. Raises Rejected with what it wrote to stderr, which must be one line, or with the rules' problems."""
        with closed_at_the_end():
            completed = run_in_process(tuple(map(str, words)), self.environment)
        if completed.returncode == 0:
            return completed.stdout
        if completed.returncode == 1:
            raise Rejected(completed.stdout.splitlines()[0], where="the rules", code="rules_refused")
        lines = completed.stderr.splitlines()
        assert len(lines) == 1, completed
        assert lines[0].startswith("iftah: "), completed
        raise Rejected(lines[0], where="the command line", code="refused")

    def propose(self, signer: Signer, text: str, plan: bool) -> None:
        self._propose(signer, text, plan)

    def revise(self, signer: Signer, number: int, text: str, plan: bool) -> None:
        self._propose(signer, text, plan, "--revise", number)

    def _propose(self, signer: Signer, text: str, plan: bool, *more: object) -> None:
        words = ("propose", self.folders[text], "-m", REASON, "--key", signer.path, *more)
        self.run(*words, *(("--plan", self.plan) if plan else ()))

    def measure(self, signer: Signer, number: int) -> None:
        self.run("measure", number, "--key", signer.path)

    def approve(self, signer: Signer, number: int) -> None:
        self.run("approve", number, "--key", signer.path)

    def reject(self, signer: Signer, number: int) -> None:
        self.run("reject", number, "-m", REASON, "--key", signer.path)

    def release(self, signer: Signer, number: int) -> None:
        self.run("release", number, "--key", signer.path)

    def schedule(self, signer: Signer, number: int, due: int) -> None:
        self.run("release", number, "--at", clock.iso(clock.moment(due)), "--key", signer.path)

    def shadow(self, signer: Signer, number: int) -> None:
        self.run("release", number, "--shadow", "--key", signer.path)

    def stop(self, signer: Signer, number: int) -> None:
        self.run("rollback", "-m", REASON, "--key", signer.path)  # without --to it ends the trial that runs

    def roll_back(self, signer: Signer, to: str) -> None:
        self.run("rollback", "-m", REASON, "--key", signer.path, *(("--to", to) if to else ()))

    def break_glass(self, signer: Signer, text: str, hours: int) -> None:
        self.run("break-glass", self.folders[text], "-m", REASON, "--hours", hours, "--key", signer.path)

    def end_break_glass(self, signer: Signer) -> None:
        self.run("break-glass", "--end", "-m", REASON, "--key", signer.path)

    def register(self, party: str, role: str, path: Path) -> str:
        self.run("key", "new", "--party", party, "--role", role, "--out", path)
        private = read_key(path)
        assert isinstance(private, Ed25519PrivateKey)
        return fingerprint_of(public_key_of(private))

    def revoke(self, fingerprint: str) -> None:
        self.run("key", "revoke", fingerprint, "-m", REASON)
