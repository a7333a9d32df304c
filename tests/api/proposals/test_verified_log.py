"""A process verifies a step of the log once, and later compares its bytes: each altered row is found all the same."""

from typing import Any
from unittest.mock import patch

import pytest

from api.proposals import proposals
from api.releases import release_log
from api.releases.release_log import catch_up, read_state
from api.releases.release_states import ReleaseState
from engine.errors import Rejected
from tests.api.proposals.gate import log_rows
from tests.api.proposals.test_altered_log import OTHER_VALUES, altered, long_log
from tests.api.proposals.tiny_rules import TEXTS
from tests.api.proposals.two_people import TwoPeople


def steps_of(action: Any) -> list[int]:
    """The steps of the log that an action verifies."""
    numbers: list[int] = []
    advance = release_log.advance

    def record(state: ReleaseState, step: Any) -> ReleaseState:
        numbers.append(step.seq)
        return advance(state, step)

    with patch.object(release_log, "advance", record):
        action()
    return numbers


def test_a_second_read_verifies_no_step_again(people: TwoPeople) -> None:
    people.approved(TEXTS["thirteen"])
    length = len(log_rows(people.database))
    release_log._VERIFIED.clear()
    assert steps_of(lambda: read_state(people.database)) == [*range(1, length + 1)]
    assert steps_of(lambda: read_state(people.database)) == []
    assert read_state(people.database) == read_state(people.database, ReleaseState())


def test_a_step_verifies_itself_alone(people: TwoPeople) -> None:
    number = people.measured(TEXTS["thirteen"]).number
    length = len(log_rows(people.database))
    read_state(people.database)
    revised = steps_of(
        lambda: proposals.revise(people.database, people.wang, number, TEXTS["fourteen"], "again", people.tick())
    )
    assert revised == [length + 1]


@pytest.mark.parametrize("column", OTHER_VALUES)
def test_an_altered_row_is_found_after_it_was_verified(people: TwoPeople, column: str) -> None:
    long_log(people)
    before = read_state(people.database)
    last = max(row["seq"] for row in log_rows(people.database) if row[column] is not None)
    statement = f"UPDATE release_log SET {column} = {OTHER_VALUES[column]} WHERE seq = {last}"
    with altered(people.database, statement) as connection:
        state, digest = release_log._verified_rows(connection, release_log._VERIFIED[people.database])
        assert state == ReleaseState()  # so we verify each step again
        with pytest.raises(Rejected) as error:
            catch_up(connection, state, digest)
        assert error.value.code == "log_altered"
    assert read_state(people.database) == before


def test_a_missing_row_is_found_after_it_was_verified(people: TwoPeople) -> None:
    long_log(people)
    read_state(people.database)
    with altered(people.database, "DELETE FROM release_log WHERE seq = 4") as connection:
        assert release_log._verified_rows(connection, release_log._VERIFIED[people.database])[0] == ReleaseState()
