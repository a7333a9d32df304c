"""Each question about a valid release: a small rule text that gives the warning, and one close to it that does not."""

from dataclasses import replace

import pytest

from engine.lang.check.release import check
from engine.lang.model.problems import WARNINGS, Problem
from engine.lang.model.program import Release
from engine.lang.model.types import Schema
from engine.verify.prove.warnings import lint, warnings
from tests.engine.small_rules import KINDS, SCHEMA, base, base_with

DIRECTED: Schema = SCHEMA | {
    "credit.missed": replace(SCHEMA["credit.missed"], direction="lower is better"),
    "money.months": replace(SCHEMA["money.months"], direction="higher is better"),
}
STEADY = "steady: money.months >= 6 and not money.paused"
LATE = "{id: late, dimension: credit, when: recent,"
TIER_700 = "{id: room.700, when: score >= 700,"
TIER_600 = "when: score >= 600 and request.amount <= 500 CNY, waive: {share: 33}}"
HOLD = "{granted: score >= 640, kept: score >= 600, days: 30}"


def release(file: str, text: str, by: str) -> Release:
    result, problems = check(base_with(file, text, by), DIRECTED, KINDS)
    assert result is not None, "\n".join(map(str, problems))
    return result


def warnings_of(file: str, text: str, by: str) -> list[Problem]:
    return list(warnings(release(file, text, by)))


def place_of(problem: Problem, release_: Release) -> str:
    """The text at the place of a warning, up to the end of its line."""
    return release_.files[problem.at.file].split("\n")[problem.at.line - 1][problem.at.column - 1 :]


# A changed line of the small rules; the code, the beginning of the text at its place, a part of its message, and of its example.
CASES = {
    "a rule beyond the bounds": (
        ("trust.yaml", STEADY, "steady: money.months > 25"),
        ("W101", "money.months", "no values within the bounds", ("money.months",)),
    ),
    "parts that exclude each other": (
        ("trust.yaml", LATE, "{id: late, dimension: credit, when: money.cover > 3 and money.cover < 3.01,"),
        ("W101", "money.cover > 3 and", "nobody who meets its other parts", ("money.cover",)),
    ),
    "known and missing at once": (
        ("trust.yaml", LATE, "{id: late, dimension: credit, when: money.paused and missing(money.paused),"),
        ("W101", "money.paused and", "nobody who meets its other parts", ("money.paused",)),
    ),
    "a list of words that the feature cannot have": (
        ("perks.yaml", "when: bad,", "when: bad and request.amount > 5000 CNY,"),
        ("W101", "bad and", "never met", ("request.amount",)),
    ),
    "a sum that no values reach": (
        ("trust.yaml", STEADY, "steady: money.months + identity.level > 28"),
        ("W101", "money.months", "no values within the bounds", ("money.months",)),
    ),
    "a part that is never met": (
        ("trust.yaml", STEADY, "steady: money.months >= 6 or identity.level > 3"),
        ("W101", "identity.level > 3", "the part of the definition `steady` is never met", ("identity.level",)),
    ),
    "a condition that everyone meets": (
        ("trust.yaml", STEADY, "steady: missing(money.months) or known(money.months)"),
        ("W102", "missing(money.months", "holds for everyone", ("money.months",)),
    ),
    "a condition that is met wherever it is known": (
        ("trust.yaml", STEADY, "steady: money.months >= 0"),
        ("W102", "money.months >= 0", "unless it is unknown", ("money.months",)),
    ),
    "a tier that every score meets": (
        ("perks.yaml", TIER_600, "when: score >= 350, waive: {share: 33, up_to: 1000 CNY}}"),
        ("W102", "score >= 350", "holds for everyone", ("score",)),
    ),
    "a knock-out of everyone": (
        ("perks.yaml", "bad: credit.missed >= 3", "bad: true"),
        ("W102", "bad, unknown", "always met", ()),
    ),
    "a part that follows from another one": (
        ("trust.yaml", STEADY, "steady: money.months >= 6 and money.months >= 3"),
        ("W103", "money.months >= 3", "`money.months >= 3` is met whenever `money.months >= 6` is", ("money.months",)),
    ),
    "an alternative that another one includes": (
        ("trust.yaml", STEADY, "steady: money.months >= 6 or money.months >= 9 and not money.paused"),
        ("W103", "money.months >= 9", "is met only if `money.months >= 6` is", ("money.months",)),
    ),
    "a part that several others imply": (
        (
            "trust.yaml",
            STEADY,
            "steady: money.months >= 6 and identity.level >= 3 and money.months + identity.level >= 9",
        ),
        ("W103", "money.months + identity.level", "is met whenever the other parts are", ("money.months",)),
    ),
    "a part of a tier that the tiers before imply": (
        ("perks.yaml", TIER_600, "when: score >= 600 and score < 700, waive: {share: 33, up_to: 1000 CNY}}"),
        ("W103", "score < 700", "everyone who gets there meets", ("score",)),
    ),
    "a part of a tier that a knock-out implies": (
        (
            "perks.yaml",
            TIER_600,
            "when: score >= 600 and identity.kind == 'member', waive: {share: 33, up_to: 1000 CNY}}",
        ),
        ("W103", "identity.kind == 'member'", "everyone who gets there meets", ("identity.kind",)),
    ),
    "a part of a tier that `scorable` implies": (
        ("perks.yaml", TIER_600, "when: score >= 600 and known(identity.level), waive: {share: 33, up_to: 1000 CNY}}"),
        ("W103", "known(identity.level)", "everyone who gets there meets", ("identity.level",)),
    ),
    "a knock-out after a wider one": (
        (
            "perks.yaml",
            "      - {id: room.guest,",
            "      - {id: room.worse, when: credit.missed >= 5, unknown: pass, reason: missed}\n      - {id: room.guest,",
        ),
        ("W103", "credit.missed >= 5", "`room.bad` before it declines everyone", ("credit.missed",)),
    ),
    "a tier of those whom a knock-out declines": (
        ("perks.yaml", TIER_700, "{id: room.700, when: score >= 700 and identity.kind == 'guest',"),
        ("W104", "score >= 700 and", "the knock-out `room.guest` declines everyone", ("score", "identity.kind")),
    ),
    "a tier that only several knock-outs exclude": (
        ("perks.yaml", TIER_700, "{id: room.700, when: credit.missed >= 3 or identity.kind == 'guest',"),
        ("W104", "credit.missed >= 3 or", "the knock-outs decline everyone", ("credit.missed", "identity.kind")),
    ),
    "a tier above every score": (
        ("perks.yaml", TIER_700, "{id: room.700, when: score >= 771,"),
        ("W105", "score >= 771", "nobody with a score meets", ("score",)),
    ),
    "a tier below `scorable`": (
        ("perks.yaml", TIER_700, "{id: room.700, when: identity.level < 1,"),
        ("W105", "identity.level < 1", "nobody with a score meets", ("identity.level",)),
    ),
    "a tier after two that share its people": (
        (
            "perks.yaml",
            f"      - {TIER_700}",
            "      - {id: room.a, when: score > 650 and money.paused, waive: {share: 50}}\n"
            "      - {id: room.b, when: score > 650 and not money.paused, waive: {share: 60}}\n"
            "      - {id: room.700, when: score >= 700 and known(money.paused),",
        ),
        ("W105", "score >= 700 and", "the tiers before it are met first", ("score", "money.paused")),
    ),
    "a tier after a wider one in other words": (
        (
            "perks.yaml",
            f"      - {TIER_700}",
            "      - {id: room.a, when: score + 1 > 650, waive: {share: 50}}\n      - {id: room.700, when: score >= 700,",
        ),
        ("W105", "score >= 700", "`room.a` before it is met first", ("score",)),
    ),
    "a cut at the lowest value": (
        ("trust.yaml", "cuts: [0.80, 1.25]", "cuts: [0, 1.25]"),
        (
            "W106",
            "0, 1.25]",
            "no value of `money.cover` lies below the cut 0: its bounds are 0.00 to 9999.99",
            ("money.cover",),
        ),
    ),
    "a cut above the highest value": (
        ("trust.yaml", "cuts: [1, 3]", "cuts: [1, 101]"),
        ("W106", "101]", "lies at or above the cut 101", ("credit.missed",)),
    ),
    "a hold that takes back": (
        ("perks.yaml", HOLD, "{granted: score >= 640, kept: score >= 600 and money.months >= 3, days: 30}"),
        ("W107", "score >= 600 and", "is stricter than `granted`", ("score", "money.months")),
    ),
    "a hold that asks for more in other words": (
        ("perks.yaml", HOLD, "{granted: score >= 640, kept: score - 20 >= 640, days: 30}"),
        ("W107", "score - 20", "is stricter than `granted`", ("score",)),
    ),
    "nobody gets a score": (
        ("trust.yaml", "when: identity.level >= 1\n", "when: identity.level >= 1 and identity.level + 1 <= 1\n"),
        ("W108", "identity.level >= 1", "nobody gets a score", ("identity.level",)),
    ),
    "a waiver above the largest deposit": (
        ("perks.yaml", "waive: {up_to: 1000 CNY}", "waive: {up_to: 5000.01 CNY}"),
        ("W109", "5000.01 CNY", "no deposit of `room` is over 5000.00 CNY", ("request.amount",)),
    ),
    "a step above the largest deposit": (
        ("perks.yaml", "    partial: false\n", "    partial: true\n    step: 501 JPY\n"),
        ("W109", "501 JPY", "a step of 501 JPY", ("request.amount",)),
    ),
    "points that fall where they should rise": (
        ("trust.yaml", "points: [120, 20, -100]", "points: [120, 20, 30]"),
        ("W110", "120, 20, 30", "but lower is better", ("credit.missed",)),
    ),
    "a rule that takes points for more": (
        (
            "trust.yaml",
            "{id: steady, dimension: money, when: steady, points: 40,",
            "{id: steady, dimension: money, when: steady, points: -40,",
        ),
        ("W110", "-40", "but higher is better", ("money.months", "money.paused")),
    ),
    "a gap of a day": (
        (
            "perks.yaml",
            f"      - {TIER_700} waive: {{up_to: 1000 CNY}}}}\n",
            f"      - {TIER_700} waive: {{up_to: 1000 CNY}}, until: 2024-06-30}}\n"
            "      - {id: room.720, when: score >= 720, waive: {up_to: 2000 CNY}, from: 2024-07-01}\n",
        ),
        ("W111", "2024-06-30", "leave a gap of 1 day, 2024-06-30", ("as_of", "score")),
    ),
    "a share that grows beyond the tier above": (
        ("perks.yaml", TIER_600, "when: score >= 600, waive: {share: 33}}"),
        ("W112", "{share: 33}", "`room.700` waives 1000.00 CNY at 7", ("request.amount",)),
    ),
    "a knock-out of high scores": (
        ("perks.yaml", "when: bad,", "when: bad or score >= 760 and request.amount > 500 CNY,"),
        ("W112", "{up_to: 1000 CNY}", "but we waive 0.00 CNY at 7", ("request.amount",)),
    ),
    "a refusal that never refuses": (
        ("orders.yaml", "when: person.unpaid >= 1", "when: person.unpaid >= 1 and person.unpaid < 1"),
        ("W101", "person.unpaid >= 1 and", "the refusal `too_many` is never met", ("person.unpaid",)),
    ),
    "a move with a needless part": (
        ("orders.yaml", "event.total <= order.waived", "event.total <= order.waived or event.total < order.waived"),
        ("W103", "event.total < order.waived", "a part of the move `use` changes nothing", ("event.total",)),
    ),
    "a gap in a scorecard": (
        (
            "trust.yaml",
            "  - {id: late, dimension: credit, when: recent, points: -60, unknown: -10, reason: late}\n",
            "  - {id: late, dimension: credit, when: recent, points: -60, reason: late, until: 2024-06-29}\n"
            "  - {id: later, dimension: credit, when: recent, points: -50, reason: late, from: 2024-07-01}\n",
        ),
        (
            "W111",
            "2024-06-29",
            "`late` and `later` leave a gap of 2 days, 2024-06-29 to 2024-06-30",
            ("credit.last_missed",),
        ),
    ),
}
# Changed lines, near those above, that are right.
GOOD = {
    "a rule at its bounds": ("trust.yaml", STEADY, "steady: money.months >= 25"),
    "one value between two": (
        "trust.yaml",
        LATE,
        "{id: late, dimension: credit, when: money.cover > 3 and money.cover < 3.02,",
    ),
    "a part that decides for the missing": ("trust.yaml", STEADY, "steady: money.months >= 6 and known(money.paused)"),
    "a part that turns unknown to not met": ("trust.yaml", STEADY, "steady: money.months >= 6 and known(money.months)"),
    "an alternative that includes more": ("trust.yaml", STEADY, "steady: money.months >= 6 or missing(money.months)"),
    "the largest deposit": ("perks.yaml", "when: bad,", "when: bad and request.amount >= 5000 CNY,"),
    "a default": ("perks.yaml", TIER_600, "when: true, waive: {share: 33, up_to: 1000 CNY}}"),
    "an ended entry": (
        "perks.yaml",
        TIER_600,
        "when: score >= 600 and identity.level != 2, waive: {share: 33, up_to: 1000 CNY}}",
    ),
    "a knock-out that is passed when unknown": (
        "perks.yaml",
        TIER_600,
        "when: score >= 600 and credit.missed < 3, waive: {share: 33, up_to: 1000 CNY}}",
    ),
    "a wider knock-out later": (
        "perks.yaml",
        "      - {id: room.guest,",
        "      - {id: room.worse, when: credit.missed >= 2, unknown: pass, reason: missed}\n      - {id: room.guest,",
    ),
    "the highest score": ("perks.yaml", TIER_700, "{id: room.700, when: score >= 770,"),
    "tiers that leave someone": (
        "perks.yaml",
        f"      - {TIER_700}",
        "      - {id: room.a, when: score > 650 and money.paused, waive: {share: 50}}\n"
        "      - {id: room.b, when: score > 650 and not money.paused, waive: {share: 60}}\n"
        "      - {id: room.700, when: score >= 700,",
    ),
    "cuts at the ends": ("trust.yaml", "cuts: [1, 3]", "cuts: [1, 100]"),
    "a hold that adds a way to keep": (
        "perks.yaml",
        HOLD,
        "{granted: score >= 640, kept: score >= 600 or money.months >= 3, days: 30}",
    ),
    "the largest waiver": ("perks.yaml", "waive: {up_to: 1000 CNY}", "waive: {up_to: 5000 CNY}"),
    "a share that ends where the tier above does": (
        "perks.yaml",
        TIER_600,
        "when: score >= 600, waive: {share: 33, up_to: 1000 CNY}}",
    ),
    "points that stay": ("trust.yaml", "points: [120, 20, -100]", "points: [120, 20, 20]"),
    "ranges that rise together": (
        "trust.yaml",
        "  - {id: late,",
        "  - {id: some, dimension: money, when: money.months >= 3 and money.months < 9, points: 5, reason: cover}\n"
        "  - {id: many, dimension: money, when: money.months >= 9, points: 9, reason: cover}\n  - {id: late,",
    ),
    "a tier that follows at once": (
        "perks.yaml",
        f"      - {TIER_700} waive: {{up_to: 1000 CNY}}}}\n",
        f"      - {TIER_700} waive: {{up_to: 1000 CNY}}, until: 2024-07-01}}\n"
        "      - {id: room.720, when: score >= 720, waive: {up_to: 2000 CNY}, from: 2024-07-01}\n",
    ),
    "a rule that follows at once": (
        "trust.yaml",
        "  - {id: late, dimension: credit, when: recent, points: -60, unknown: -10, reason: late}\n",
        "  - {id: late, dimension: credit, when: recent, points: -60, reason: late, until: 2024-07-01}\n"
        "  - {id: later, dimension: credit, when: recent, points: -50, reason: late, from: 2024-07-01}\n",
    ),
    "a refusal at its bounds": ("orders.yaml", "when: person.unpaid >= 1", "when: person.unpaid >= 1000000"),
    "a rule about something else": (
        "trust.yaml",
        "  - {id: late, dimension: credit, when: recent, points: -60, unknown: -10, reason: late}\n",
        "  - {id: late, dimension: credit, when: recent, points: -60, reason: late, until: 2024-06-29}\n"
        "  - {id: other, dimension: credit, when: identity.level >= 3, points: 5, reason: late, from: 2024-07-01}\n",
    ),
    "a lesser tier until the next one": (
        "perks.yaml",
        f"      - {TIER_700} waive: {{up_to: 1000 CNY}}}}\n",
        f"      - {TIER_700} waive: {{up_to: 1000 CNY}}, until: 2024-07-01}}\n"
        "      - {id: room.710, when: score >= 700, waive: {up_to: 800 CNY}, from: 2024-07-01, until: 2024-07-10}\n"
        "      - {id: room.720, when: score >= 700, waive: {up_to: 2000 CNY}, from: 2024-07-10}\n",
    ),
    "a pause of a season": (
        "perks.yaml",
        f"      - {TIER_700} waive: {{up_to: 1000 CNY}}}}\n",
        f"      - {TIER_700} waive: {{up_to: 1000 CNY}}, until: 2024-07-01}}\n"
        "      - {id: room.720, when: score >= 720, waive: {up_to: 2000 CNY}, from: 2025-01-01}\n",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_line_gives_its_warning_with_its_place_and_an_example(name: str) -> None:
    change, (code, text, words, example) = CASES[name]
    problems = warnings_of(*change)
    assert [p.code for p in problems] == [code], "\n".join(map(str, problems))
    (problem,) = problems
    assert problem.severity == "warning"
    assert place_of(problem, release(*change)).startswith(text)
    assert words in problem.message
    assert set(example) <= {value for value, _ in problem.example}
    assert problem.hint


@pytest.mark.parametrize("name", GOOD)
def test_a_line_that_is_right_gives_no_warning(name: str) -> None:
    assert warnings_of(*GOOD[name]) == []


def test_every_warning_has_a_case() -> None:
    assert {code for _, (code, *_) in CASES.values()} == set(WARNINGS)


def test_the_small_rules_give_no_warning() -> None:
    result, _ = check(base(), DIRECTED, KINDS)
    assert result
    assert warnings(result) == ()


def test_a_solver_with_too_few_steps_warns_of_nothing_and_says_so() -> None:
    result, _ = check(base_with("perks.yaml", TIER_700, "{id: room.700, when: score >= 771,"), DIRECTED, KINDS)
    assert result
    hasty = lint(result, max_steps=1)
    assert (hasty.warnings, hasty.undecided > 0) == ((), True)
    assert lint(result).undecided == 0


def test_the_example_does_not_depend_on_earlier_questions() -> None:
    change, _ = CASES["a hold that takes back"]
    first = warnings_of(*change)
    warnings_of(*CASES["a tier after two that share its people"][0])
    assert warnings_of(*change) == first
