"""Check that a case fails if it has keys that we would ignore or that cannot hold, so that it never only seems to test."""

import pytest

from engine.lang.check.release import release_of
from engine.verify import cases
from tests.engine.small_rules import KINDS, SCHEMA, base

FILE = "a.cases.yaml"
HEAD = "kind: cases\nas_of: 2024-03-01\nbase: {identity.level: 2, identity.kind: member, credit.missed: 0}\ncases:\n"
MISSED = "{event: bill.missed, on: 2024-02-01, with: {bill: a}}"


def failures(case: str) -> tuple[str, ...]:
    """The failures of a case of the small rules."""
    files = base() | {FILE: f"{HEAD}  - {{name: one, {case}}}\n"}
    (outcome,) = cases.run(release_of(files, SCHEMA, KINDS), files, SCHEMA, KINDS)
    return outcome.failures


@pytest.mark.parametrize(
    "case",
    [
        "expect: {score: 625, band: good}",  # 500 + 120 nothing missed + 5 cover missing + 10 and - 10 of rules unknown
        "perk: room, score: 700, amount: 1000 CNY, expect: {outcome: ADMIT}",
        "perk: villa, amount: 100 CNY, given: {request.nights: 7}, expect: {reasons: [cover, balance, ties, late], outcome: DECLINE}",
        "order: {order.state: open, event.kind: use, event.total: 0.01 CNY, order.waived: 0.01 CNY}, expect: {to: used}",
        f"events: [{MISSED}, {MISSED}, {MISSED}], expect: {{raised: [thrice], not_raised: [paid_friend]}}",
    ],
)
def test_every_case_passes(case: str) -> None:
    assert failures(case) == ()


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("expect: {}", "the case expects nothing"),
        ("expect: {held: true, score: 1}", "a case of a score cannot expect `held`"),
        ("amount: 5 CNY, expect: {score: 1}", "a case of a score does not use `amount`"),
        ("perk: room, amount: 5 CNY, expect: {band: good}", "a case of a perk cannot expect `band`"),
        (
            "order: {order.state: open, event.kind: use}, expect: {to: used, outcome: ADMIT}",
            "a case of an order cannot expect `outcome`",
        ),
        (
            "perk: villa, amount: 100 CNY, given: {request.night: 7}, expect: {outcome: DECLINE}",
            "`request.night` is no field of the request here",
        ),
        (
            "perk: scooter, score: 600, amount: 300 JPY, expect: {waived: 299}",
            f"{FILE}:5: `299` is not an amount of `scooter` (write an amount in JPY, such as `299 JPY`)",
        ),
        (
            "given: {credit.mised: 1}, expect: {score: 1}",
            f"{FILE}:5: `credit.mised: 1` is not a value of the catalogue (did you mean `credit.missed` or `credit.last_missed`?)",
        ),
        (
            "given: {identity.level: 4}, expect: {score: 1}",
            f"{FILE}:5: `identity.level: 4` is not a value of the catalogue (write it as int, from 0 to 3)",
        ),
    ],
)
def test_an_unused_assertion_fails_the_case(case: str, message: str) -> None:
    assert failures(case) == (message,)
