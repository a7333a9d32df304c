"""Check broken rule files: every code, place and message; and that the checker reports every mutation of a file."""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.releases.catalogue import kinds, schema
from engine.lang.check.release import cases_in, check, release_of, stored_release
from engine.lang.model.problems import CODES, RulesError
from tests.effort import by_effort
from tests.engine.small_rules import (
    FORMER_NAME,
    KINDS,
    SCHEMA,
    BrokenRules,
    base,
    base_with,
    broken_rules,
    check_broken,
    former_release,
    former_texts,
    golden,
    release,
)
from tests.paths import RULES

GOLDEN_NAME = "21589c2613d4186552a7827773278a799137fc6043be167a6d81d5bb332af246"
NAME_IN_VERSION_2 = "9b6c6956adaaee11be628c47cc52cfbe13a21619beadfa94b4bc06dbe1b19b87"
SHIPPED = {
    p.relative_to(RULES).as_posix(): p.read_text(encoding="utf-8")
    for p in sorted(RULES.rglob("*.yaml"))
    if "cases" not in p.name
}
TYPE_NAMES = re.compile(r"\b(str|int|float|dict|tuple|NoneType|Scalar|Mapping|Sequence|Word|None|True|False)\b")


def test_the_small_files_check() -> None:
    assert check(base(), SCHEMA, KINDS)[1] == ()


@pytest.mark.parametrize("case", broken_rules(), ids=lambda c: c.name.replace(" ", "-"))
def test_a_broken_file_gets_its_problems_with_positions(case: BrokenRules) -> None:
    result, problems = check_broken(case.name)
    assert result is None
    assert tuple(map(str, problems)) == case.problems


def test_there_are_enough_broken_files_and_their_names_are_unique() -> None:
    names = [case.name for case in broken_rules()]
    assert len(names) >= 60
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("code", CODES)
def test_every_code_has_a_broken_file(code: str) -> None:
    assert any(f" error {code} " in problem for case in broken_rules() for problem in case.problems)


@pytest.mark.parametrize("case", broken_rules(), ids=lambda c: c.name.replace(" ", "-"))
def test_messages_follow_the_style(case: BrokenRules) -> None:
    for problem in check_broken(case.name)[1]:
        for text in filter(None, (problem.message, problem.hint)):
            own_words = re.sub(r"`[^`]*`", "`x`", text)
            assert text[0].islower() or text[0] in "`0123456789", text
            assert not text.endswith((".", "!", ";", ",")), text
            assert "\n" not in text, text
            assert not TYPE_NAMES.search(own_words), text
            assert len(text) < 400, text
        assert problem.at.line >= 1 <= problem.at.column


def test_all_problems_of_a_file_are_reported_at_once() -> None:
    case = next(c for c in broken_rules() if c.name == "five problems in a file")
    assert len({p.split(" ", 1)[0] for p in case.problems}) == 5


def test_problems_of_several_files_are_reported_together_by_place() -> None:
    files = base()
    files["perks.yaml"] = files["perks.yaml"].replace("reason: guest", "reason: gest")
    files["policy.yaml"] = files["policy.yaml"].replace("restricted: [restricted]", "restricted: [strict]")
    files["trust.yaml"] = files["trust.yaml"].replace("reason: late", "reason: lat")
    assert [p.at.file for p in check(files, SCHEMA, KINDS)[1]] == ["perks.yaml", "policy.yaml", "trust.yaml"]
    shapes = {n: t + "more: 1\n" for n, t in base().items()}
    assert [(p.code, p.at.file) for p in check(shapes, SCHEMA, KINDS)[1]] == [("R010", n) for n in sorted(shapes)]


def test_without_files_four_files_are_reported_as_missing() -> None:
    assert [p.code for p in check({}, SCHEMA, KINDS)[1]] == ["R014"] * 4


def test_a_catalogue_with_a_forbidden_attribute_is_refused_even_if_unread() -> None:
    policy = base_with("policy.yaml", "[age]", "[age, huge]")
    assert [(p.code, p.at.file) for p in check(policy, SCHEMA, KINDS)[1]] == [("R401", "policy.yaml")]


def test_a_forbidden_name_is_a_whole_word_of_a_feature_s_name() -> None:
    assert check(base_with("policy.yaml", "[age]", "[mon, month, money.cove]"), SCHEMA, KINDS)[1] == ()
    assert check(base_with("policy.yaml", "[age]", "[money.huge]"), SCHEMA, KINDS)[1] != ()


def test_release_of_raises_with_every_problem() -> None:
    text = base()["trust.yaml"].replace("base: 500", "base: 100").replace("reason: late", "reason: lat")
    with pytest.raises(RulesError, match=r"2 problems, the first: trust\.yaml:2:42 error R209") as error:
        release_of({**base(), "trust.yaml": text}, SCHEMA, KINDS)
    assert [p.code for p in error.value.problems] == ["R209", "R207"]
    assert (error.value.code, error.value.hint) == ("rules_invalid", "see them all with `iftah check`")


def test_the_name_of_a_release_depends_on_meaning_and_not_on_layout() -> None:
    plain = release()
    assert release("trust.yaml", "kind: scorecard", "# why\nkind:   'scorecard'\n").release == plain.release
    assert release("trust.yaml", "[120, 20, -100]", "\n      - 120\n      - 20\n      - -100").release == plain.release
    assert release("trust.yaml", "lowest: 350, highest: 950", "highest: 950, lowest: 350").release == plain.release
    assert release("trust.yaml", "when: identity.level >= 1", "when: (identity.level>=1)").release == plain.release
    assert release("trust.yaml", "credit: 60, money: 35", "money: 35, credit: 60").release != plain.release
    assert release("trust.yaml", "[120, 20, -100]", "[121, 20, -100]").release != plain.release
    assert release("reasons.yaml", "Spending is high", "Spending is low").release != plain.release


def test_the_name_of_a_release_never_changes() -> None:
    assert release().release == GOLDEN_NAME
    assert former_release().release == FORMER_NAME
    assert stored_release(NAME_IN_VERSION_2, former_texts(), SCHEMA, KINDS).id == NAME_IN_VERSION_2


def test_cases_and_file_order_do_not_change_the_name() -> None:
    files = dict(reversed(list(base().items()))) | {"a.cases.yaml": "kind: cases\n"}
    checked_release = release_of(files, SCHEMA, KINDS)
    assert checked_release.id == release().release
    assert "a.cases.yaml" not in checked_release.files
    assert list(cases_in(files)) == ["a.cases.yaml"]


def test_cases_that_do_not_parse_are_a_problem_too() -> None:
    files = base() | {"a.cases.yaml": "kind: cases\ncases: [{name: a, expects: {}}]\n"}
    assert [(p.code, p.at.file) for p in check(files, SCHEMA, KINDS)[1]] == [
        ("R011", "a.cases.yaml"),
        ("R010", "a.cases.yaml"),
    ]


def test_definitions_may_use_each_other_sixteen_deep_in_any_order() -> None:
    def chain(levels: int, order: int) -> tuple[str, ...]:
        lines = [f"  d{n}: {f'd{n - 1}' if n else 'money.paused'}\n" for n in range(levels)][::order]
        files = base_with("trust.yaml", "define:\n", "define:\n" + "".join(lines))
        return tuple(sorted({p.code for p in check(files, SCHEMA, KINDS)[1]}))

    for order in (1, -1):
        assert chain(16, order) == ()
    assert chain(300, -1) == ("R023",)


def test_an_unreadable_line_hides_no_problem_of_other_lines() -> None:
    files = base()
    files["trust.yaml"] = files["trust.yaml"].replace("money.months >= 6 and not money.paused", "money.months >=")
    files["perks.yaml"] = files["perks.yaml"].replace("bad: credit.missed", "bad: credit.mised")
    _, problems = check(files, SCHEMA, KINDS)
    assert [(p.at.file, p.code) for p in problems] == [("perks.yaml", "R101"), ("trust.yaml", "R021")]


def test_exponentially_growing_definitions_are_refused_quickly() -> None:
    lines = "".join(f"  d{n}: {f'd{n - 1} and d{n - 1}' if n else 'money.paused'}\n" for n in range(16))
    assert {p.code for p in check(base_with("trust.yaml", "define:\n", "define:\n" + lines), SCHEMA, KINDS)[1]} == {
        "R023"
    }


def test_a_number_of_a_million_digits_is_refused_quickly() -> None:
    files = base_with("trust.yaml", "money.months >= 6", f"money.months >= {'9' * 990_000}")
    assert [p.code for p in check(files, SCHEMA, KINDS)[1]] == ["R104"]


BYTES = st.sampled_from(
    ["\x00", "\t", "'", '"', ":", "- ", "{", "}", "[", "]", "\n", "&a ", "*a", "!!x ", "\\", "\ud800", "\u2028"]
)


@st.composite
def mutations(draw: st.DrawFn) -> dict[str, str]:
    """The shipped rules after a few careless edits of one file."""
    name = draw(st.sampled_from(sorted(SHIPPED)))
    lines = SHIPPED[name].split("\n")
    for _ in range(draw(st.integers(1, 4))):
        at, other = draw(st.integers(0, len(lines) - 1)), draw(st.integers(0, len(lines) - 1))
        act = draw(st.integers(0, 5))
        if act == 0:
            del lines[at : at + draw(st.integers(1, 3))]
            lines = lines or [""]
        elif act == 1:
            lines.insert(at, lines[other])
        elif act == 2:
            lines[at] = lines[other]
        elif act == 3:
            column = draw(st.integers(0, len(lines[at])))
            lines[at] = lines[at][:column] + draw(BYTES | st.characters()) + lines[at][column:]
        elif act == 4:
            column = draw(st.integers(0, len(lines[at])))
            lines[at] = lines[at][:column] + lines[at][column + draw(st.integers(1, 4)) :]
        else:
            words = re.findall(r"[\w.]+", SHIPPED[name])
            lines[at] = re.sub(r"[\w.]+", draw(st.sampled_from(words)), lines[at], count=1)
    return {**SHIPPED, name: "\n".join(lines)}


@settings(max_examples=by_effort(27, 80), deadline=None, suppress_health_check=list(HealthCheck))
@given(mutations())
def test_the_checker_survives_any_change_of_the_shipped_rules(files: dict[str, str]) -> None:
    result, problems = check(files, schema(), kinds())
    assert (result is None) == bool(problems)
    for problem in problems:
        assert problem.at.file in {*files, "trust.yaml", "perks.yaml", "reasons.yaml", "policy.yaml"}
        assert problem.at.line <= files.get(problem.at.file, "").count("\n") + 2


@settings(max_examples=by_effort(50, 150), deadline=None, suppress_health_check=list(HealthCheck))
@given(name=st.sampled_from(sorted(golden()["base"])), text=st.text(max_size=200))
def test_any_text_in_place_of_a_file_is_a_problem(name: str, text: str) -> None:
    result, problems = check({**base(), name: text}, SCHEMA, KINDS)
    assert result is None
    assert problems


def test_a_date_of_the_request_can_be_compared_with_a_moment_of_it() -> None:
    """The calendar limits both, so days in seconds stay far below 2^62."""
    files = base_with(
        "perks.yaml", "notice: {type: duration}", "notice: {type: duration}\n      now: {type: timestamp}"
    )
    files["perks.yaml"] = files["perks.yaml"].replace(
        "request.nights <= 7", "request.starts + request.notice > request.now"
    )
    assert check(files, SCHEMA, KINDS)[1] == ()


def test_a_withdrawn_consent_never_costs_a_held_perk() -> None:
    files = base_with("perks.yaml", "kept: score >= 600", "kept: score >= 600 and money.balance >= 0")
    files["perks.yaml"] = files["perks.yaml"].replace("kind: perks\n", "kind: perks\nconsent: [restricted]\n")
    assert [str(p) for p in check(files, SCHEMA, KINDS)[1]] == [
        "perks.yaml:37:41 error R402 an unknown `money.balance` costs (nobody may lose by not consenting)"
    ]
