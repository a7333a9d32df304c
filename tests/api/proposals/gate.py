"""What the tests of the gate share: two people after a release of a folder, workers, and rejections."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine, text

from api.jobs.release_follower import ReleaseFollower
from api.proposals import activations, keys, proposals
from api.proposals.actors import Actor
from api.releases.in_force import StoredRules
from api.releases.release_log import read_state
from api.releases.release_states import Proposal
from api.releases.steps import fingerprint_of, public_key_of
from api.runtime.context import AppContext
from api.runtime.rules_in_force import EvaluatorsCache, context_of
from api.store.clock import micros, moment
from engine.errors import Rejected
from engine.lang.check.release import release_of
from engine.lang.model.program import Release
from iftah.catalogue import kinds, schema
from tests.api.proposals.tiny_rules import TEXTS
from tests.api.proposals.two_people import TwoPeople

START: Final = micros(datetime(2026, 3, 1, 9, tzinfo=UTC))
HOUR: Final = 3_600  # seconds


def rules_of(name: str) -> StoredRules:
    """The release of a text, with its files."""
    return StoredRules(release_of(TEXTS[name], schema(), kinds()), TEXTS[name])


def release(name: str) -> Release:
    return rules_of(name).release


def rejection_of(action: Callable[[], object]) -> Rejected | None:
    """Why an action is rejected; None if it succeeds."""
    try:
        action()
    except Rejected as error:
        return error
    return None


def rejected(code: str, action: Callable[[], object]) -> str:
    """The one line by which an action is rejected."""
    with pytest.raises(Rejected) as error:
        action()
    assert error.value.code == code, error.value
    line = str(error.value)
    assert "\n" not in line
    return line


def in_review(people: TwoPeople, name: str = "thirteen") -> Proposal:
    """A proposal of Wang, signed for review."""
    number = people.measured(TEXTS[name]).number
    return proposals.submit(people.database, people.wang, number, people.tick())


def newcomer(people: TwoPeople, party: str, role: str = "operator") -> Actor:
    """A person with a new key."""
    private = Ed25519PrivateKey.generate()
    keys.register(people.database, party, role, public_key_of(private), people.tick())
    return Actor(party, role, private)


def fingerprint(actor: Actor) -> str:
    assert actor.private
    return fingerprint_of(public_key_of(actor.private))


class FollowingWorker:
    """A process that answers, and follows the log."""

    def __init__(self, database: Engine) -> None:
        self.context = context_of(database, read_state(database), EvaluatorsCache(), moment(START))
        self.follower = ReleaseFollower(lambda: self.context, self._swap)
        self.follower.begin()

    def _swap(self, context: AppContext) -> None:
        self.context = context


def scheduled(people: TwoPeople, plan: Any = None) -> tuple[int, datetime]:
    """A proposal that two workers know to be due, and when."""
    number = people.approved(TEXTS["thirteen"], plan).number
    due = people.now + HOUR * 1_000_000
    activations.schedule(people.database, people.wang, number, due, people.tick())
    return number, moment(due + 1)


def log_rows(database: Engine) -> list[dict[str, Any]]:
    with database.connect() as connection:
        return [dict(row) for row in connection.execute(text("SELECT * FROM release_log ORDER BY seq")).mappings()]
