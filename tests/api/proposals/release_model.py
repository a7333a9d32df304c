"""A model of issue 15 §4, written from its words: which step is allowed, and which release is in force after it.

It knows nothing of files, hashes, signatures and tables. A text is a name, an effect is the number of releases that had come into
force when it was measured, and a person is a name in small letters.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

OPEN: Final = ("draft", "checked", "measured", "in review", "approved", "scheduled")
TRIALS: Final = ("shadow", "partial")
HOUR: Final = 3_600_000_000  # microseconds
SKEW: Final = 5_000_000  # by which two machines' clocks may differ
OF_APPROVERS: Final = ("approve", "reject", "stop", "roll back")


@dataclass
class ModelKey:
    """A key of a person."""

    fingerprint: str
    person: str
    role: str
    revoked: bool = False

    def may(self, action: str) -> bool:
        """Whether the key signs such a step."""
        return not self.revoked and (self.role == "operator" or action in OF_APPROVERS)


@dataclass
class Active:
    """A release that came into force. `text` is empty where nobody kept the cases."""

    release: str
    kind: str
    text: str = ""
    change: int | None = None


@dataclass
class ModelChange:
    """A proposal. `measured_after` is how many releases had come into force when its effect was measured."""

    number: int
    text: str
    plan: bool
    hands: set[str]
    state: str = "draft"
    revision: int = 1
    measured_after: int = -1
    author_key: ModelKey | None = None
    approver_key: ModelKey | None = None
    due: int = 0

    def void(self, state: str) -> None:
        """Whatever was signed holds no longer."""
        self.state, self.author_key, self.approver_key, self.due = state, None, None, 0


@dataclass
class ReleaseModel:
    """All that is on record. Each step returns whether it is allowed; if not, it changes nothing."""

    release_of: Mapping[str, str]  # by text
    keys: list[ModelKey] = field(default_factory=list)
    changes: dict[int, ModelChange] = field(default_factory=dict)
    history: list[Active] = field(default_factory=list)
    ends_at: int = 0  # of a break-glass; 0 without one
    newest_at: int = 0
    approved_once: bool = False

    @property
    def release(self) -> str:
        """The release in force, or an empty text."""
        return self.history[-1].release if self.history else ""

    @property
    def needs_two(self) -> bool:
        """Whether two people release rules here."""
        return self.approved_once or len({key.person for key in self.keys}) > 1

    @property
    def trial(self) -> ModelChange | None:
        """The proposal in shadow or partial release."""
        return next((change for change in self.changes.values() if change.state in TRIALS), None)

    def _step(self, allowed: bool, at: int, *, timed: bool = False) -> bool:
        """Note the time of a step that is allowed."""
        if timed and at < self.newest_at - SKEW:
            return False
        if allowed:
            self.newest_at = max(self.newest_at, at)
        return allowed

    def _of(self, number: int, *states: str) -> ModelChange | None:
        change = self.changes.get(number)
        return change if change and change.state in states else None

    def is_approved(self, change: ModelChange) -> bool:
        """Two different people signed it with keys that hold, and nothing has come into force since it was measured."""
        first, second = change.author_key, change.approver_key
        return bool(
            first
            and second
            and not first.revoked
            and not second.revoked
            and first.person != second.person
            and second.person not in change.hands
            and change.measured_after == len(self.history)
        )

    def _come_into_force(self, active: Active) -> None:
        before = self.changes.get((self.history[-1].change if self.history else None) or 0)
        if before and before.number != active.change and before.state == "in force":
            before.state = "rolled back" if active.kind == "rollback" else "replaced"
        if self.trial and self.trial.number != active.change:
            self.trial.state = "rolled back"
        if active.change is not None:
            self.changes[active.change].state = "in force"
        self.history.append(active)
        self.ends_at = 0

    # Steps. Times are microseconds; `at` is the clock of the machine that takes the step.

    def folder(self, text: str, at: int, *, with_cases: bool = True) -> bool:
        """The folder of one person's own machine: only as long as no second person has a key."""
        if self.release_of[text] == self.release:
            return True
        if not self._step(not self.needs_two, at):
            return False
        self._come_into_force(Active(self.release_of[text], "folder", text if with_cases else ""))
        return True

    def propose(self, key: ModelKey, text: str, plan: bool, at: int) -> bool:
        in_force = self.history[-1].text if self.history else ""
        if not self._step(key.may("propose") and text != in_force, at):
            return False
        number = len(self.changes) + 1
        self.changes[number] = ModelChange(number, text, plan, {key.person})
        return True

    def revise(self, key: ModelKey, number: int, text: str, plan: bool, at: int) -> bool:
        change = self._of(number, *OPEN)
        if not self._step(change is not None and key.may("revise"), at) or change is None:
            return False
        change.void("draft")
        change.text, change.plan, change.revision = text, plan, change.revision + 1
        change.hands.add(key.person)
        return True

    def check(self, number: int, at: int, failing: str) -> None:
        """Check a draft; one that is no draft stays as it is. `failing`: the text whose cases fail."""
        change = self._of(number, "draft")
        if change is not None:
            self._step(True, at)
            change.state = "draft" if change.text == failing else "checked"

    def measure(self, key: ModelKey, number: int, at: int) -> bool:
        change = self._of(number, *OPEN[1:])
        if not self._step(change is not None and key.may("measure"), at) or change is None:
            return False
        change.void("measured")
        change.measured_after = len(self.history)
        return True

    def submit(self, key: ModelKey, number: int, at: int) -> bool:
        change = self._of(number, "measured")
        allowed = change is not None and key.may("submit") and change.measured_after == len(self.history)
        if not self._step(allowed, at) or change is None:
            return False
        change.state, change.author_key = "in review", key
        change.hands.add(key.person)
        return True

    def approve(self, key: ModelKey, number: int, at: int) -> bool:
        change = self._of(number, "in review")
        allowed = (
            change is not None
            and key.may("approve")
            and key.person not in change.hands
            and change.measured_after == len(self.history)
        )
        if not self._step(allowed, at) or change is None:
            return False
        change.state, change.approver_key = "approved", key
        return True

    def reject(self, key: ModelKey, number: int, at: int) -> bool:
        change = self._of(number, *OPEN)
        if not self._step(change is not None and key.may("reject"), at) or change is None:
            return False
        change.state = "rejected"
        return True

    def schedule(self, key: ModelKey, number: int, due: int, at: int) -> bool:
        change = self._of(number, "approved", "scheduled")
        allowed = change is not None and key.may("schedule") and self.is_approved(change)
        if not self._step(allowed and due > max(at, self.newest_at), at, timed=True) or change is None:
            return False
        change.state, change.due = "scheduled", due
        return True

    def let_decide(self, key: ModelKey | None, number: int, at: int) -> bool:
        """Release a proposal, or let its plan begin. `key`: None for the system, when the time has come."""
        change = self._of(number, "approved", "scheduled", *TRIALS)
        if change is None or not (key is None or key.may("release")) or not self._may_decide(change):
            return False
        is_early = change.state == "scheduled" and max(at, self.newest_at) < change.due
        if not self._step(not is_early, at, timed=True):
            return False
        if change.plan and change.state != "partial":
            change.state = "partial"
        else:
            self._come_into_force(Active(self.release_of[change.text], "activation", change.text, number))
            self.approved_once = True
        return True

    def _may_decide(self, change: ModelChange) -> bool:
        return self.is_approved(change) and self.trial in (None, change)

    def shadow(self, key: ModelKey, number: int, at: int) -> bool:
        change = self._of(number, "approved", "scheduled")
        allowed = change is not None and key.may("shadow") and self._may_decide(change)
        if not self._step(allowed, at, timed=True) or change is None:
            return False
        change.state = "shadow"
        return True

    def stop(self, key: ModelKey, number: int, at: int) -> bool:
        change = self._of(number, *TRIALS)
        if not self._step(change is not None and key.may("stop"), at) or change is None:
            return False
        change.state = "rolled back"
        return True

    def roll_back(self, key: ModelKey, to: str, at: int) -> bool:
        """`to`: a release, or empty for the one before. Nobody goes back to what one person alone put into force in an emergency."""
        earlier = [a for a in self.history[:-1] if a.kind != "break_glass" and a.release != self.release]
        target = next((a for a in reversed(earlier) if to in ("", a.release)), None)
        if not self._step(target is not None and key.may("roll back"), at) or target is None:
            return False
        self._come_into_force(Active(target.release, "rollback", target.text, target.change))
        return True

    def break_glass(self, key: ModelKey, text: str, hours: int, at: int) -> bool:
        """One person alone, for at most a day, and only where there is something to go back to."""
        allowed = key.may("break glass") and not self.ends_at and 1 <= hours <= 24 and bool(self.history)
        if not self._step(allowed, at, timed=True):
            return False
        self._come_into_force(Active(self.release_of[text], "break_glass", text))
        self.ends_at = at + hours * HOUR
        return True

    def end_break_glass(self, key: ModelKey | None, at: int) -> bool:
        allowed = bool(self.ends_at) and (key.may("end") if key else max(at, self.newest_at) >= self.ends_at)
        if not self._step(allowed, at, timed=True):
            return False
        before = self.history[-2]
        self._come_into_force(Active(before.release, "break_glass_end", before.text, before.change))
        return True

    def register(self, key: ModelKey, at: int) -> bool:
        self.keys.append(key)
        return self._step(True, at)

    def revoke(self, key: ModelKey, at: int) -> bool:
        if not self._step(not key.revoked, at):
            return False
        key.revoked = True
        for change in self.changes.values():
            if change.state in OPEN and key in (change.author_key, change.approver_key):
                change.void("measured")
        return True

    def clock_strikes(self, at: int) -> None:
        """What the system does by itself at a moment: end a break-glass, and release what is due."""
        if self.ends_at and at >= self.ends_at:
            self.end_break_glass(None, at)
        for change in list(self.changes.values()):
            if change.state == "scheduled" and at >= change.due:
                self.let_decide(None, change.number, at)
