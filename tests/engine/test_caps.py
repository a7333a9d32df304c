"""What was waived before, and perks that are held: worked out by hand for the small villa."""

import json
from dataclasses import replace
from typing import Any

import pytest

from engine.caps import Used, left
from engine.decide import Decision, Question, Reference, decide, question_of
from engine.lang.online import Online
from engine.lang.program import Perk
from engine.perks import capped
from tests.engine.small import PERSON, asked, release

# The villa: 20,000 in thirty days, twice in ninety; over all perks in CNY 30,000 at one time.
GOOD = {**PERSON, "money.cover": 125}  # 720
NOW = "2024-03-01T12:00:00Z"


def villa() -> Perk:
    found = release().perk("villa")
    assert found
    return found


def used(waived: int, at: str, *, open_: bool = True, perk: str = "villa", currency: str = "CNY") -> Used:
    return Used(perk, currency, waived, at, open_)


@pytest.mark.parametrize(
    ("before", "rest"),
    [
        ([], (2_000_000, None, 3_000_000)),
        ([used(500_000, "2024-02-01T00:00:00Z")], (1_500_000, None, 2_500_000)),
        ([used(500_000, "2024-01-31T12:00:00Z")], (2_000_000, None, 2_500_000)),  # just thirty days ago: it is past
        ([used(500_000, "2024-01-31T12:00:01Z")], (1_500_000, None, 2_500_000)),  # a second less: it counts
        (
            [used(500_000, "2024-02-01T00:00:00Z", open_=False)],
            (1_500_000, None, 3_000_000),
        ),  # days count what is over too
        ([used(500_000, "2024-02-28T00:00:00Z", perk="room")], (2_000_000, None, 2_500_000)),
        ([used(500_000, "2024-02-28T00:00:00Z", perk="scooter", currency="JPY")], (2_000_000, None, 3_000_000)),
        (
            [used(1, "2024-02-28T00:00:00Z"), used(1, "2023-12-03T12:00:01Z")],
            (1_999_999, 0, 2_999_998),
        ),  # the second is 89 days ago
        (
            [used(1, "2024-02-28T00:00:00Z"), used(1, "2023-12-02T12:00:00Z")],
            (1_999_999, None, 2_999_998),
        ),  # and here ninety
        ([used(9_000_000, "2024-02-28T00:00:00Z")], (0, None, 0)),
    ],
)
def test_what_each_cap_leaves(before: list[Used], rest: tuple[int | None, ...]) -> None:
    assert left(villa(), before, NOW) == rest
    assert len(rest) == len(capped(villa()))


def question(amount: int, **more: Any) -> Question:
    context = {"nights": 3, "town": "Basra"}
    return replace(asked("villa", amount, "CNY", GOOD, context=context), **{"asked_at": NOW, **more})


def decided(amount: int, **more: Any) -> Decision:
    found = decide(Reference(release()), question(amount, **more))
    engine = Online(release())
    assert decide(engine, question(amount, **more)).canonical() == found.canonical()
    engine.close()
    return found


def test_a_cap_cuts_what_a_tier_gives_and_says_why() -> None:
    whole = decided(900_000)  # 80 %, of which 800,000 at most
    assert (whole.outcome, whole.answer.waived, whole.reasons[:1]) == ("PARTIAL", 720_000, ("balance",))
    before = (used(1_900_000, "2024-02-28T00:00:00Z"),)
    cut = decided(900_000, used=before)
    assert (cut.outcome, cut.answer.waived, cut.reasons[:1]) == ("PARTIAL", 100_000, ("capped",))
    none = decided(900_000, used=(used(2_000_000, "2024-02-28T00:00:00Z"),))
    assert (none.outcome, none.answer.waived, none.answer.because) == ("DECLINE", 0, ("capped",))


def test_a_perk_is_held_from_when_it_is_granted_and_kept_for_its_days() -> None:
    first = decided(100_000)
    assert first.held_since == NOW
    thin = {**PERSON, "credit.missed": 1, "money.cover": 0}  # 500 + 20 - 20 + 40 = 540: neither granted nor kept
    for since, held in (("2024-02-01T00:00:00Z", True), ("2024-01-31T12:00:00Z", False), (None, False)):
        found = decided(100_000, values=thin, held_since=since)
        assert (found.held_since, found.answer.waived > 0) == ((since, True) if held else (None, False)), since


def test_a_kept_perk_is_kept_below_the_score_that_grants_it() -> None:
    middling = {**PERSON, "money.cover": 79}  # 640 - 30... 500 + 120 - 20 + 40 = 640
    assert decide(Reference(release()), question(1, values=middling)).scored.score == 640
    lower = {**middling, "money.paused": True}  # without the 40 of `steady`: 600
    found = decided(100_000, values=lower, held_since="2023-01-01T00:00:00Z")
    assert (found.scored.score, found.held_since) == (600, "2023-01-01T00:00:00Z")
    assert decided(100_000, values=lower).held_since is None


def test_an_unscorable_person_keeps_what_is_held() -> None:
    found = decided(100_000, values={**GOOD, "identity.level": 0}, held_since="2023-01-01T00:00:00Z")
    assert (found.outcome, found.held_since) == ("UNSCORABLE", "2023-01-01T00:00:00Z")


def test_a_decision_is_made_again_from_its_record_bit_for_bit() -> None:
    before = (used(500_000, "2024-02-28T00:00:00Z"), used(1, "2024-02-28T00:00:00Z", perk="room", open_=False))
    found = decided(900_000, used=before, held_since="2024-02-20T00:00:00Z")
    again = decide(Reference(release()), question_of(json.loads(found.canonical())))
    assert again.canonical() == found.canonical()
