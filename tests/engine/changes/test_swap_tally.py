"""Check whom a change moves, and the account of each move, against the reference evaluator and the definition."""

from collections import Counter
from itertools import islice
from random import Random

import narwhals as nw
import polars as pl
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from engine.changes.comparison import NONE, PERSON, Comparison, StateProgram, comparison
from engine.changes.rule_changes import changed_lists, decides_alike, rule_changes
from engine.changes.swap_report import LESS, MIN_GROUP, MORE, OTHER, SMALL_GROUPS, SwapCounts
from engine.changes.tally import GROUP, SwapTally, perk_questions
from engine.changes.texts import file_differences
from engine.decide.decide import ReferenceEvaluator, decide
from engine.lang.check.release import release_of
from engine.lang.engines.columns import dtype
from engine.lang.model.conditions import Values
from engine.lang.model.program import Program
from engine.verify.boundary_cases import draw
from tests.effort import by_effort
from tests.engine import random_releases
from tests.engine.small_rules import DAY, KINDS, SCHEMA, base, base_with, make_question
from tests.engine.small_rules import PERSON as ANN

NATIVE = {"Int64": pl.Int64, "String": pl.String, "Boolean": pl.Boolean}
Result = tuple[str, int]
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)  # two seeds do not shrink, and each try takes a second


def frame_of(people: list[Values], compared: Comparison) -> nw.DataFrame[pl.DataFrame]:
    """The people as columns, by their numbers."""
    types = {n: NATIVE[dtype(p.schema[n].type).__name__] for n, p in compared.columns.items()}
    columns = [pl.Series(n, [values.get(n) for values in people], t) for n, t in types.items()]
    return nw.from_native(pl.DataFrame([pl.Series(PERSON, map(str, range(len(people)))), *columns]), eager_only=True)


def reference_result(program: Program, perk_id: str, amount: int, values: Values) -> tuple[Result, str]:
    """Outcome and waived amount by the reference, and the first reason."""
    perk = program.perk(perk_id)
    if perk is None:
        return (NONE, 0), NONE
    moment = program.start_of(DAY).isoformat()
    question = make_question(perk_id, amount, perk.currency, values, as_of=moment, timezone=program.timezone)
    decision = decide(ReferenceEvaluator(program), question)
    return (decision.outcome, decision.answer.waived), (decision.reasons or (NONE,))[0]


def account_of(states: tuple[StateProgram, ...], perk_id: str, amount: int, values: Values) -> int | None:
    """By the definition: the first change after which the person has the final result. None if the person is not moved."""
    results = [reference_result(state.program, perk_id, amount, values)[0] for state in states]
    return None if results[0] == results[-1] else results[1:].index(results[-1]) + 1


def direction(before: int, after: int) -> str:
    return MORE if after > before else LESS if after < before else OTHER


def tally_of(
    old: Program, new: Program, people: list[Values], *, chunk: int, lists: tuple[tuple[str, Program], ...] = ()
) -> SwapTally:
    compared = comparison(old, new, rule_changes(old, new, (), lists))
    tally = SwapTally(compared, perk_questions(old, new, {}), sample=len(people))
    frame = frame_of(people, compared)
    for start in range(0, len(frame), chunk):
        tally.add(frame[start : start + chunk], DAY)
    tally.finish(DAY)
    return tally


def check_against_reference(tally: SwapTally, people: list[Values]) -> None:
    states = tally.compared.states
    for question in tally.questions:
        perk_id, amount = question.perk.id, question.fixed_amount or 0
        before, after = (
            [reference_result(s.program, perk_id, amount, v) for v in people] for s in (states[0], states[-1])
        )
        numbers = [account_of(states, perk_id, amount, values) for values in people]
        expected_accounts, expected_reasons = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
        for (old_result, old_reason), (new_result, new_reason), number in zip(before, after, numbers, strict=True):
            if number is not None:
                way = direction(old_result[1], new_result[1])
                expected_accounts[tally.compared.changes[number - 1].name, way] += 1
                expected_reasons[old_reason if way == MORE else new_reason, way] += 1
        counts = tally.perks[perk_id]
        assert counts.matrix == Counter((o[0], n[0]) for (o, _), (n, _) in zip(before, after, strict=True))
        assert (counts.waived_before, counts.waived_after) == (
            sum(o[1] for o, _ in before),
            sum(n[1] for n, _ in after),
        )
        assert counts.by_account == expected_accounts
        assert counts.by_reason == expected_reasons
        assert sum(counts.by_account.values()) == counts.moved_total == len(counts.sample)


def boundary_people(program: Program, other: Program, count: int, seed: int) -> list[Values]:
    conditions = [truth for p in (program, other) for stage in p.stages.values() for truth in stage.values()]
    types = {n: p.schema[n].type for p in (program, other) for n in p.reads}
    return list(islice(draw(conditions, types, Random(seed)), count))


@settings(max_examples=by_effort(4, 60), deadline=None, phases=PHASES)
@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_counts_and_accounts_are_those_of_the_reference_for_any_two_releases(first: int, second: int) -> None:
    old, new = (random_releases.release(Random(seed)).at(DAY) for seed in (first, second))
    people = boundary_people(old, new, 40, first)
    tally = tally_of(old, new, people, chunk=15)
    assert decides_alike(tally.compared.states[-1].program, new)
    check_against_reference(tally, people)


@settings(max_examples=by_effort(20, 300), deadline=None, phases=PHASES)
@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_all_changes_together_lead_from_any_release_to_any_other(first: int, second: int) -> None:
    old, new = (random_releases.release(Random(seed)).at(DAY) for seed in (first, second))
    assert decides_alike(comparison(old, new, rule_changes(old, new)).states[-1].program, new)
    assert rule_changes(old, old) == ()


def people_with(**changes: object) -> list[Values]:
    return [{**ANN, **{n.replace("__", "."): v for n, v in changes.items()}}]  # type: ignore[dict-item]


def change(file: str, replace: str, by: str) -> tuple[Program, Program]:
    return release_of(base(), SCHEMA, KINDS).at(DAY), release_of(base_with(file, replace, by), SCHEMA, KINDS).at(DAY)


@pytest.mark.parametrize(
    ("file", "replace", "by", "names"),
    [
        (
            "perks.yaml",
            "when: score >= 700, waive: {up_to: 1000 CNY}",
            "when: score >= 660, waive: {up_to: 1000 CNY}",
            ["tier room.700"],
        ),
        ("trust.yaml", "base: 500}", "base: 510}", ["base"]),
        ("trust.yaml", "points: [120, 20, -100]", "points: [110, 20, -100]", ["missed"]),
        (
            "trust.yaml",
            "recent: credit.last_missed >= 2024-01-01",
            "recent: credit.last_missed >= 2023-01-01",
            ["late"],
        ),
        ("perks.yaml", "unknown: pass, reason: missed}", "unknown: decline, reason: missed}", ["knock-out room.bad"]),
        ("perks.yaml", "valid_hours: 2\n", "valid_hours: 3\n", []),
        ("reasons.yaml", "Too little is known.", "We know too little.", []),
        ("perks.yaml", "most: 500 JPY", "most: 400 JPY", ["most of scooter"]),
        ("policy.yaml", "timezone: UTC", "timezone: Asia/Shanghai", ["timezone"]),
    ],
)
def test_a_change_of_a_line_is_one_change_by_the_name_of_the_line(
    file: str, replace: str, by: str, names: list[str]
) -> None:
    old, new = change(file, replace, by)
    assert [c.name for c in rule_changes(old, new)] == names


def test_the_account_of_a_person_whom_two_changes_move_is_the_first_that_gives_the_final_result() -> None:
    files = base_with("trust.yaml", "points: [120, 20, -100]", "points: [160, 20, -100]")
    files["perks.yaml"] = files["perks.yaml"].replace("when: score >= 700, waive", "when: score >= 660, waive")
    old, new = release_of(base(), SCHEMA, KINDS).at(DAY), release_of(files, SCHEMA, KINDS).at(DAY)
    people = people_with()  # 670 before; 710 by the points, and at 670 the tier alone would do
    tally = tally_of(old, new, people, chunk=1)
    assert tally.perks["room"].by_account == {("missed", MORE): 1}
    assert tally.bands.by_account == {("missed", MORE): 1}
    assert tally.bands.matrix == {("good", "best"): 1}
    check_against_reference(tally, people)


def test_a_list_that_changes_has_its_own_account() -> None:
    name = "lists/towns.yaml"
    old = release_of(base(), SCHEMA, KINDS)
    entries = base()[name]
    new = release_of({**base(), name: entries + "  - {value: Nowhere}\n"}, SCHEMA, KINDS)
    lists = changed_lists(old, new, DAY, SCHEMA, KINDS)
    assert [c.name for c in rule_changes(old.at(DAY), new.at(DAY), (), lists)] == ["list towns"]


def test_comments_layout_quotes_and_the_order_of_keys_change_nothing() -> None:
    text = base()["perks.yaml"]
    other = "# a comment\n" + text.replace("about: A room\n", "about: 'A room'\n", 1).replace(
        "{id: room.bad, when: bad, unknown: pass, reason: missed}",
        "{reason: missed, when: bad, id: room.bad, unknown: pass}",
    )
    assert other != text
    old, new = release_of(base(), SCHEMA, KINDS), release_of({**base(), "perks.yaml": other}, SCHEMA, KINDS)
    assert old.id == new.id
    assert file_differences(old.files, new.files) == ()
    assert rule_changes(old.at(DAY), new.at(DAY)) == ()


def test_a_difference_is_a_line_with_its_file_and_both_texts() -> None:
    files = base_with("perks.yaml", "when: score >= 700, waive", "when: score >= 690, waive")
    files["reasons.yaml"] = files["reasons.yaml"].replace("So much is waived already.", "Enough.")
    assert file_differences(base(), files) == (
        "perks.yaml perks room tiers room.700 when: score >= 700 -> score >= 690",
        "reasons.yaml reasons capped en: So much is waived already. -> Enough.",
    )


def test_a_perk_that_one_release_lacks_has_no_outcome_there() -> None:
    start = base()["perks.yaml"].index("  - id: scooter")
    end = base()["perks.yaml"].index("  - id: villa")
    without = {**base(), "perks.yaml": base()["perks.yaml"][:start] + base()["perks.yaml"][end:]}
    old, new = release_of(without, SCHEMA, KINDS).at(DAY), release_of(base(), SCHEMA, KINDS).at(DAY)
    tally = tally_of(old, new, people_with(), chunk=1)
    assert tally.perks["scooter"].matrix == {(NONE, "ADMIT"): 1}
    assert tally.perks["scooter"].by_account == {("perk scooter", MORE): 1}
    assert tally_of(new, old, people_with(), chunk=1).perks["scooter"].matrix == {("ADMIT", NONE): 1}


def test_a_group_of_fewer_than_ten_people_is_not_shown_alone() -> None:
    old, new = change(
        "perks.yaml", "when: score >= 700, waive: {up_to: 1000 CNY}", "when: score >= 660, waive: {up_to: 1000 CNY}"
    )
    people = people_with() * (2 * MIN_GROUP + 4)
    compared = comparison(old, new, rule_changes(old, new))
    tally = SwapTally(compared, perk_questions(old, new, {}))
    names = ["bank"] * MIN_GROUP + ["shop"] * (MIN_GROUP - 1) + ["inn"] * 5
    members = nw.from_native(pl.DataFrame({PERSON: [*map(str, range(len(people)))], GROUP: names}), eager_only=True)
    tally.add(frame_of(people, compared), DAY, {"contributor": members})
    tally.finish(DAY)
    row = {"people": MIN_GROUP, MORE: MIN_GROUP, LESS: 0, OTHER: 0}
    small = {"people": MIN_GROUP + 4, MORE: MIN_GROUP + 4, LESS: 0, OTHER: 0}
    assert tally.perks["room"].groups("contributor") == {"bank": row, SMALL_GROUPS: small}


def test_a_single_small_group_is_not_shown_at_all() -> None:
    counts = SwapCounts(
        "room", group_sizes={"contributor": Counter({"bank": 20, "inn": 3})}, by_group={"contributor": Counter()}
    )
    assert list(counts.groups("contributor")) == ["bank"]


def test_a_group_in_which_nobody_is_moved_is_shown() -> None:
    counts = SwapCounts("room", group_sizes={"merchant": Counter({"inn": 20})})
    assert counts.groups("merchant") == {"inn": {"people": 20, MORE: 0, LESS: 0, OTHER: 0}}
