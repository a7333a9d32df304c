"""Check knock-outs, tiers and amounts, worked out by hand for the small perks."""

import pytest

from engine.decide.perks import PerkOutcome, perk_outcome, tier_waiver, unscorable_outcome
from engine.lang.model.conditions import Statuses
from tests.engine.small_rules import release

ROOM = {"room.bad": False, "room.guest": False, "room.700": True, "room.600": True}


def room(amount: int, **changed: bool | None) -> PerkOutcome:
    perk = release().perk("room")
    assert perk
    statuses: Statuses = ROOM | {f"room.{k.lstrip('t')}": v for k, v in changed.items()}
    return perk_outcome(perk, statuses, amount)


@pytest.mark.parametrize(
    ("amount", "outcome", "waived"),
    [(1, "ADMIT", 1), (99_999, "ADMIT", 99_999), (100_000, "ADMIT", 100_000), (100_001, "PARTIAL", 100_000)],
)
def test_a_tier_waives_up_to_its_amount_and_the_rest_is_a_deposit(amount: int, outcome: str, waived: int) -> None:
    assert room(amount) == PerkOutcome(outcome, waived, amount - waived, "room.700", ())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("amount", "outcome", "waived"),
    [
        (100, "PARTIAL", 33),
        (3, "DECLINE", 0),  # 0.99
        (4, "PARTIAL", 1),  # 1.32
        (99, "PARTIAL", 32),  # 32.67
        (1, "DECLINE", 0),
        (50_000, "PARTIAL", 16_500),
    ],
)
def test_a_share_is_rounded_down_to_a_whole_unit(amount: int, outcome: str, waived: int) -> None:
    result = room(amount, t700=False)
    assert (result.outcome, result.waived, result.waived + result.deposit) == (outcome, waived, amount)
    assert result.tier == ("room.600" if waived else None)


def test_the_first_tier_that_is_surely_met_applies() -> None:
    assert room(100).tier == "room.700"
    assert room(100, t700=None).tier == "room.600"
    assert room(100, t700=None, t600=None) == PerkOutcome("DECLINE", 0, 100, None, ())
    assert room(100, t700=False, t600=False) == PerkOutcome("DECLINE", 0, 100, None, ())


def test_a_knock_out_precedes_every_tier() -> None:
    assert room(100, bad=True) == PerkOutcome("DECLINE", 0, 100, None, ("missed",))
    assert room(100, bad=True, guest=True).because == ("missed", "guest")


def test_an_unknown_knock_out_follows_its_setting() -> None:
    assert room(100, bad=None).outcome == "ADMIT"  # unknown: pass
    assert room(100, guest=None) == PerkOutcome("DECLINE", 0, 100, None, ("guest",))  # unknown: decline


def test_two_knock_outs_with_one_reason_give_it_once() -> None:
    perk = release("perks.yaml", "reason: guest", "reason: missed").perk("room")
    assert perk
    assert perk_outcome(perk, ROOM | {"room.bad": True, "room.guest": True}, 9).because == ("missed",)


@pytest.mark.parametrize(("amount", "outcome"), [(1, "ADMIT"), (300, "ADMIT"), (301, "DECLINE"), (500, "DECLINE")])
def test_a_perk_that_is_not_partial_is_all_or_nothing(amount: int, outcome: str) -> None:
    perk = release().perk("scooter")
    assert perk
    result = perk_outcome(perk, {"scooter.600": True}, amount)
    assert (result.outcome, result.deposit) == (outcome, 0 if outcome == "ADMIT" else amount)
    assert (result.tier is None) == (outcome == "DECLINE")


@pytest.mark.parametrize(
    ("amount", "waived"), [(100_000, 100_000), (99_999, 99_999), (100_001, 100_000), (140_000, 100_000)]
)
def test_a_partial_waiver_is_rounded_to_steps_and_a_full_one_is_not(amount: int, waived: int) -> None:
    perk = release("perks.yaml", "    most: 5000 CNY\n", "    most: 5000 CNY\n    step: 250 CNY\n").perk("room")
    assert perk
    assert perk.step == 25_000
    tier = next(t for t in perk.tiers if t.up_to == 100_000)
    result = perk_outcome(perk, ROOM | {tier.id: True}, amount, [None] * len(perk.all_caps))
    assert (result.waived, result.deposit) == (waived, amount - waived)
    cut = perk_outcome(
        perk, ROOM | {tier.id: True}, amount, [60_000, *[None] * len(perk.all_caps)][: len(perk.all_caps)]
    )
    assert cut.waived == (50_000 if perk.all_caps else waived)


def test_amounts_are_in_the_minor_units_of_the_currency() -> None:
    program = release()
    room_, scooter = program.perk("room"), program.perk("scooter")
    assert room_
    assert scooter
    assert (room_.digits, room_.most, room_.tiers[0].up_to) == (2, 500_000, 100_000)
    assert (scooter.digits, scooter.most, scooter.tiers[0].up_to) == (0, 500, 300)


def test_a_tier_never_waives_more_than_is_asked() -> None:
    perk = release("perks.yaml", "share: 33", "share: 100").perk("room")
    assert perk
    assert [tier_waiver(t, 7) for t in perk.tiers] == [7, 7]


def test_an_unscorable_person_pays_the_deposit() -> None:
    assert unscorable_outcome(250, "thin") == PerkOutcome("UNSCORABLE", 0, 250, None, ("thin",))
