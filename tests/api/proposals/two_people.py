"""Two people who change the rules of a scored town: Wang proposes and releases, Li approves."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine

from api.proposals import activations, keys, measurement, proposals
from api.proposals.actors import THE_SYSTEM, Actor
from api.releases.in_force import definitions_hash
from api.releases.release_log import append, read_state
from api.releases.release_states import Proposal, ReleaseState
from api.releases.steps import public_key_of
from engine.lang.check.release import release_of
from iftah.catalogue import kinds, schema
from tests.api.shipped_probe import shipped_files


@dataclass
class TwoPeople:
    """Both have a key. `now` in microseconds; each step is a second later than the one before it."""

    database: Engine
    now: int
    wang: Actor = field(default_factory=lambda: Actor("wang", "operator", Ed25519PrivateKey.generate()))
    li: Actor = field(default_factory=lambda: Actor("li", "approver", Ed25519PrivateKey.generate()))

    def __post_init__(self) -> None:
        for actor in (self.wang, self.li):
            assert actor.private is not None
            keys.register(self.database, actor.party, actor.role, public_key_of(actor.private), self.tick())

    def tick(self, seconds: int = 1) -> int:
        """A later time."""
        self.now += seconds * 1_000_000
        return self.now

    @property
    def state(self) -> ReleaseState:
        """What the log says."""
        return read_state(self.database)

    def measured(self, files: Mapping[str, str], plan: Any = None) -> Proposal:
        """A proposal that was checked and measured. We put the check on record without a probe: another test makes it."""
        proposal = proposals.propose(self.database, self.wang, files, "a change", self.tick(), plan)
        self.pass_check(proposal)
        return measurement.measure_proposal(self.database, self.wang, proposal.number, self.tick())

    def pass_check(self, proposal: Proposal) -> None:
        """The check of a proposal whose files have no problem."""
        release = release_of(proposals.files_of(self.database, proposal), schema(), kinds())
        content = {
            "bundle": proposal.bundle,
            "problems": [],
            "release": release.id,
            "definitions": definitions_hash(release),
        }
        append(self.database, lambda _: [THE_SYSTEM.step("check", self.tick(), proposal.number, content)])

    def approved(self, files: Mapping[str, str], plan: Any = None) -> Proposal:
        """A proposal that both signed."""
        number = self.measured(files, plan).number
        proposals.submit(self.database, self.wang, number, self.tick())
        return proposals.approve(self.database, self.li, number, self.tick())

    def release(self, files: Mapping[str, str], plan: Any = None) -> Proposal:
        """A proposal that both signed and Wang released."""
        return activations.release_proposal(self.database, self.wang, self.approved(files, plan).number, self.tick())


def changed_files(**changes: str) -> dict[str, str]:
    """The shipped files with each text replaced: `perks="old -> new"`."""
    files = dict(shipped_files())
    for name, change in changes.items():
        old, new = change.split(" -> ")
        assert old in files[f"{name}.yaml"], old
        files[f"{name}.yaml"] = files[f"{name}.yaml"].replace(old, new)
    return files
