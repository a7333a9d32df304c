"""What the release log says: the keys, the proposals, and the release in force. Plain values."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from api.releases.steps import Step, text_hash
from engine.decide.decide import as_json

MANIFEST_FORMAT: Final = "iftah.manifest.1"
DRAFT, CHECKED, MEASURED, IN_REVIEW, APPROVED = "draft", "checked", "measured", "in review", "approved"
REJECTED, SCHEDULED, SHADOW, PARTIAL, IN_FORCE = "rejected", "scheduled", "shadow", "partial", "in force"
ROLLED_BACK, REPLACED = "rolled back", "replaced"
TRIALS: Final = (SHADOW, PARTIAL)
NEWS: Final = frozenset({"shadow", "share", "hold", "stop", "activation", "rollback", "break_glass", "break_glass_end"})
MAX_PENDING: Final = 100
ENDS: Final = (REJECTED, ROLLED_BACK, REPLACED)


@dataclass(frozen=True)
class SigningKey:
    """A party's public key, 64 hex digits. `revoked`: it signs nothing any more."""

    fingerprint: str
    public: str
    party: str
    role: str  # operator or approver
    at: int
    revoked: bool = False


@dataclass(frozen=True)
class Activation:
    """A release that came into force. `bundle` names its files in `release_objects`; None: they are those of `releases` alone."""

    seq: int
    hash: str  # of its entry in the log
    kind: str
    release: str
    bundle: str | None
    actor: str
    at: int
    proposal: int | None = None


@dataclass(frozen=True)
class Proposal:
    """A change of rules. `files` has the SHA-256 of each file, by name. `hands`: the parties that took part in it.

    `base` is the entry of the activation that it was measured against, and `entry` that of its newest text.
    """

    number: int
    state: str
    author: str
    message: str
    files: Mapping[str, str]
    bundle: str
    entry: str
    at: int
    base: str
    base_release: str
    first_base: str = ""  # the entry of the activation in force when its text was written
    plan: Mapping[str, Any] | None = None
    revision: int = 1
    hands: frozenset[str] = frozenset()
    release: str | None = None
    definitions: str | None = None
    problems: tuple[str, ...] = ()
    effect: str | None = None
    submission: Step | None = None
    approval: Step | None = None
    reason: str | None = None
    due_at: int | None = None
    share: int = 0  # of people, in hundredths of a percent
    stage: int = -1  # of its plan; -1 before the first
    stage_at: int = 0
    hold: str | None = None
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True)
class ReleaseState:
    """All that the log says up to one entry. `activations` are in order: the last one is in force."""

    seq: int = 0
    hash: str = "0" * 64
    at: int = 0
    keys: Mapping[str, SigningKey] = field(default_factory=dict)
    proposals: Mapping[int, Proposal] = field(default_factory=dict)
    activations: tuple[Activation, ...] = ()
    trial: int | None = None  # the proposal in shadow or partial release
    ends_at: int | None = None  # of a break-glass
    has_approvals: bool = False  # a release came into force by two people
    pending: tuple[Step, ...] = ()  # what operators have not been told yet, at most `MAX_PENDING`

    @property
    def in_force(self) -> Activation | None:
        """The activation in force."""
        return self.activations[-1] if self.activations else None

    @property
    def base(self) -> str:
        """The entry of the activation in force; empty without one."""
        return self.activations[-1].hash if self.activations else ""

    @property
    def needs_approval(self) -> bool:
        """Whether there is a second operator: then no release comes into force without two people, for ever after."""
        return self.has_approvals or len({identity(key.party) for key in self.keys.values()}) > 1


def identity(party: str) -> str:
    """One form of a party's name, so that `Wang` and `wang` are one party."""
    return unicodedata.normalize("NFKC", party).casefold().strip()


def manifest_of(proposal: Proposal) -> dict[str, Any]:
    """What two people sign: everything that must not change between their approval and the decisions.

    `entry` occurs once in one database's log. So an approval holds for no other proposal, text or database.
    """
    return {
        "format": MANIFEST_FORMAT,
        "proposal": proposal.number,
        "revision": proposal.revision,
        "release": proposal.release,
        "files": dict(proposal.files),
        "bundle": proposal.bundle,
        "definitions": proposal.definitions,
        "base": {"release": proposal.base_release, "entry": proposal.base},
        "effect": proposal.effect,
        "plan": None if proposal.plan is None else dict(proposal.plan),
        "message": proposal.message,
        "author": proposal.author,
        "entry": proposal.entry,
        "at": proposal.at,
    }


def manifest_hash(proposal: Proposal) -> str:
    """The SHA-256 of the manifest's canonical JSON."""
    return text_hash(as_json(manifest_of(proposal)))
