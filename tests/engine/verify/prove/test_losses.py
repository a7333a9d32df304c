"""The claim that nobody loses by a change of rules: proved or refuted as a look at every person and question finds."""

import re
from itertools import product
from random import Random

import pytest

from engine.decide.decide import Decision, DecisionInputs, ReferenceEvaluator, decide
from engine.lang.check.release import check
from engine.lang.model.conditions import Values
from engine.lang.model.program import Program, Release
from engine.lang.model.types import DAY
from engine.verify.prove.losses import LossProof, prove_no_loss
from tests.effort import by_effort
from tests.engine.small_rules import KINDS, base_with
from tests.engine.small_rules import SCHEMA as SMALL_SCHEMA
from tests.engine.verify.prove.small_domains import DAYS, MOST, PERK, SCHEMA, people, random_release
from tests.manual import base_files, check_files

SEEDS = range(by_effort(4, 120))
CAP = "- {waived: 20000 CNY, days: 30, reason: capped}"
SCOOTER = (
    "currency: JPY\n    most: 500 JPY\n    valid_hours: 2\n    partial: false\n    tiers:\n"
    "      - {id: scooter.600, when: score >= 600, waive: {up_to: 300 JPY}}"
)
SAME = ("trust.yaml", "kind: scorecard", "kind: scorecard")


def compare(old: tuple[str, str, str], new: tuple[str, str, str]) -> LossProof:
    """The proof between two variants of the small rules."""
    first, second = (check(base_with(*change), SMALL_SCHEMA, KINDS) for change in (old, new))
    assert first[0], first[1]
    assert second[0], second[1]
    return prove_no_loss(first[0], second[0])


GAINS = {
    "no change": SAME,
    "more points": ("trust.yaml", "points: [-20, 10, 60]", "points: [-20, 11, 61]"),
    "a lower tier": ("perks.yaml", "when: score >= 700", "when: score >= 690"),
    "a knock-out less": ("perks.yaml", "bad: credit.missed >= 3", "bad: credit.missed >= 4"),
    "a longer hold": ("perks.yaml", "days: 30}", "days: 31}"),
    "a larger cap": ("perks.yaml", CAP, "- {waived: 20001 CNY, days: 30, reason: capped}"),
    "a cap over fewer days": ("perks.yaml", CAP, "- {waived: 20000 CNY, days: 29, reason: capped}"),
    "more open orders": ("orders.yaml", "when: person.unpaid >= 1", "when: person.unpaid >= 2"),
    "a larger deposit": ("perks.yaml", "most: 90000 CNY", "most: 90001 CNY"),
    "the same in other words": (
        "perks.yaml",
        "bad: credit.missed >= 3",
        "bad: not credit.missed < 3 and known(credit.missed)",
    ),
}
LOSSES = {
    "fewer points": (("trust.yaml", "points: [-20, 10, 60]", "points: [-20, 9, 60]"), "the score of"),
    "fewer people with a score": (
        ("trust.yaml", "when: identity.level >= 1\n", "when: identity.level >= 2\n"),
        "is lost",
    ),
    "a higher tier": (("perks.yaml", "when: score >= 700", "when: score >= 701"), "`room`: "),
    "a knock-out more": (("perks.yaml", "bad: credit.missed >= 3", "bad: credit.missed >= 2"), "`room`: "),
    "a knock-out of the unknown": (
        ("perks.yaml", "when: bad, unknown: pass", "when: bad, unknown: decline"),
        "`room`: ",
    ),
    "a shorter hold": (("perks.yaml", "days: 30}", "days: 29}"), "`villa`: "),
    "a smaller cap": (("perks.yaml", CAP, "- {waived: 19999 CNY, days: 30, reason: capped}"), "`villa`: "),
    "a cap over more days": (("perks.yaml", CAP, "- {waived: 20000 CNY, days: 31, reason: capped}"), "`villa`: "),
    "fewer times": (("perks.yaml", "- {times: 2, days: 90", "- {times: 1, days: 90"), "`villa`: "),
    "a shared cap": (("perks.yaml", "CNY: [{waived: 30000 CNY", "CNY: [{waived: 29000 CNY"), "`room`: "),
    "fewer open orders": (("orders.yaml", "when: person.unpaid >= 1", "when: person.unpaid >= 0"), "`room`: "),
    "all or nothing": (("perks.yaml", "most: 5000 CNY\n", "most: 5000 CNY\n    partial: false\n"), "`room`: "),
    "a coarser step": (("perks.yaml", "most: 5000 CNY\n", "most: 5000 CNY\n    step: 3 CNY\n"), "`room`: "),
    "a smaller deposit": (("perks.yaml", "most: 90000 CNY", "most: 89999 CNY"), "as large a deposit of `villa`"),
    "an end": (
        ("perks.yaml", "  - id: scooter\n", "  - id: scooter\n    until: 2030-01-01\n"),
        "the perk `scooter` ends from 2030-01-01",
    ),
    "another currency": (("perks.yaml", SCOOTER, SCOOTER.replace("JPY", "CNY")), "the perk `scooter` is in CNY"),
}


@pytest.mark.parametrize("name", GAINS)
def test_a_change_that_takes_from_nobody_is_proved(name: str) -> None:
    assert compare(SAME, GAINS[name]) == LossProof((), (), ())


@pytest.mark.parametrize("name", LOSSES)
def test_a_change_that_takes_from_somebody_shows_the_person(name: str) -> None:
    change, words = LOSSES[name]
    proof = compare(SAME, change)
    assert proof.undecided == ()
    assert any(words in loss.message for loss in proof.losses), proof.losses
    assert all(loss.example for loss in proof.losses if loss.message.startswith("`"))


def variant(release: Release, seed: int) -> Release | None:
    """The release with another number somewhere; None if that is no valid release."""
    chooser, files = Random(seed), dict(release.files)
    name = chooser.choice(["trust.yaml", "perks.yaml"])
    places = [m for m in re.finditer(r'(?<=[ "(\[])-?\d+(?=[ ,"\])}])', files[name]) if m[0] not in ("10", "20", "100")]
    place = chooser.choice(places)
    by = str(int(place[0]) + chooser.choice([-1, 1]))
    files[name] = files[name][: place.start()] + by + files[name][place.end() :]
    return check(files, SCHEMA)[0]


def somebody_loses(old: Release, new: Release) -> bool:
    """Whether any person and question has a worse result, by the reference engine."""
    for day in DAYS:
        programs = [release.at(day) for release in (old, new)]
        limit, high = (
            [of(p.perks[0]) for p in programs] for of in (lambda p: p.most, lambda p: p.request[0].type.high)
        )
        low = [p.perks[0].request[0].type.low for p in programs]
        if limit[1] < limit[0] or high[1] < high[0] or low[1] > low[0]:
            return True
        for values, nights, amount, days in product(people(), (None, 1, 2), range(1, MOST + 1), (None, 0, 1)):
            if nights is not None and not low[0] <= nights <= high[0]:
                continue
            first, second = (_decision(p, values, nights, amount, day, days) for p in programs)
            scores = first.scored.score, second.scored.score
            if scores[0] is not None and (scores[1] is None or scores[1] < scores[0]):
                return True
            if second.answer.waived < first.answer.waived:
                return True
    return False


def _decision(
    program: Program, values: Values, nights: int | None, amount: int, day: int, days: int | None
) -> Decision:
    start = program.start_of(day)
    noon = start.timestamp() + DAY / 2
    moment = start.fromtimestamp(noon, start.tzinfo).isoformat()
    since = None if days is None else start.fromtimestamp(noon - days * DAY, start.tzinfo).isoformat()
    question = DecisionInputs(
        *("ann", PERK, amount, "JPY", start.isoformat(), moment, moment, "perks"),
        values=values,
        context={"nights": nights},
        held_since=since,
        timezone=program.timezone,
    )
    return decide(ReferenceEvaluator(program), question)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_proof_agrees_with_a_look_at_everyone(seed: int) -> None:
    old = random_release(seed)
    new = next(v for n in range(1_000) if (v := variant(old, 1_000 * seed + n)))
    proof = prove_no_loss(old, new)
    assert proof.undecided == ()
    assert bool(proof.losses) == somebody_loses(old, new), (old.files, new.files)


def test_another_time_zone_is_not_decided() -> None:
    proof = compare(SAME, ("policy.yaml", "timezone: UTC", "timezone: Asia/Shanghai"))
    assert proof.undecided == ("days of Asia/Shanghai in place of days of UTC",)


def test_a_feature_of_another_definition_is_named() -> None:
    """A proof compares people with the same values, and the same events give others then."""
    files = {name: text for name, text in base_files().items() if not name.endswith(".cases.yaml")}
    lines = "  - {id: late, dimension: credit, when: orders.late_share > 0.5, points: -5, reason: missed}\n"
    files["trust.yaml"] = files["trust.yaml"].rstrip("\n") + "\n" + lines
    changed = {**files, "features.yaml": files["features.yaml"].replace("window: 365d", "window: 180d")}
    (old, _), (new, _) = check_files(files), check_files(changed)
    assert old
    assert new
    assert prove_no_loss(old, new) == LossProof((), (), ("orders.late_share",))
