"""Check that coverage names each branch that no case tries, and that the cases that we write really try them."""

from collections.abc import Mapping, Sequence
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from api.releases.catalogue import kinds, schema
from engine.lang.check.release import release_of
from engine.lang.engines.reference import truth
from engine.lang.model.conditions import AS_OF
from engine.lang.model.problems import Report
from engine.lang.model.program import Release
from engine.lang.model.types import Kinds, Schema
from engine.lang.syntax.formatter import format_text
from engine.verify import cases
from engine.verify.boundary_cases import values_for
from engine.verify.branches import possible_statuses
from engine.verify.case_text import WrittenCase, write_cases
from engine.verify.coverage import BranchCoverage, coverage, percentage
from tests.effort import by_effort
from tests.engine import random_releases, small_rules
from tests.engine.small_rules import KINDS, SCHEMA, base, base_with
from tests.engine.verify.test_shipped_rules import FILES

HEAD = "kind: cases\nas_of: 2024-03-01\nbase: {identity.level: 2, credit.missed: 0, money.months: 12, money.paused: false}\n"


class Folder:
    """Rule files with the outcomes of their cases."""

    def __init__(self, files: Mapping[str, str], schema_: Schema = SCHEMA, kinds_: Kinds = KINDS) -> None:
        self.files, self.schema, self.kinds = files, schema_, kinds_
        self.release: Release = release_of(files, schema_, kinds_)
        self.outcomes = tuple(cases.run(self.release, files, schema_, kinds_))

    @property
    def items(self) -> tuple[BranchCoverage, ...]:
        return coverage(self.release, self.outcomes)

    def missing(self) -> list[BranchCoverage]:
        return [item for item in self.items if not item.is_tried]

    def write(self) -> list[tuple[BranchCoverage, WrittenCase | None]]:
        return write_cases(self.release, self.files, self.kinds, self.missing())

    def with_written(self) -> "Folder":
        """The folder after an author has pasted each case that we write."""
        return self.pasted([case for _, case in self.write() if case])

    def pasted(self, written: Sequence[WrittenCase]) -> "Folder":
        files = dict(self.files)
        for file, head, text in dict.fromkeys((c.file, c.head, c.text) for c in written):
            is_first = files.get(file) == self.files.get(file)
            files[file] = files.get(file, "") + (head if is_first else "") + text
        return Folder(files, self.schema, self.kinds)


def small(*texts: str) -> Folder:
    """The small rules with a file of these cases."""
    case_list = "cases:\n" + "".join(f"  - {{{text}}}\n" for text in texts) if texts else ""
    return Folder({**base(), "trust.cases.yaml": HEAD + case_list})


def lines(folder: Folder) -> list[str]:
    return [f"{item.at.file}:{item.at.line} {item.text}" for item in folder.missing()]


def test_a_case_of_a_score_tries_one_bin_of_each_characteristic_and_one_result_of_each_rule() -> None:
    untried, one_case = small(), small("name: one, expect: {score: 655}")
    assert one_case.outcomes[0].failures == ()
    assert sorted(set(lines(untried)) - set(lines(one_case))) == [
        "trust.yaml:20 the bin of `missed` below 1 is never hit",
        "trust.yaml:28 the feature `money.cover` of `cover` is never missing",
        "trust.yaml:31 the feature `money.balance` of `balance` is never missing",
        "trust.yaml:32 the feature `ties.degree` of `degree` is never missing",
        "trust.yaml:34 the rule `steady` is never met",
        "trust.yaml:35 the rule `late` is never unknown",
        "trust.yaml:5 the `scorable` condition is never met",
    ]


def test_a_tier_is_met_in_a_case_only_if_it_waives() -> None:
    question = "perk: room, score: 700, amount: 400 CNY, given: {identity.kind: member}"
    folder = small(f"name: one, {question}, expect: {{outcome: ADMIT, met: [room.700, room.600]}}")
    assert folder.outcomes[0].failures == ()
    assert "perks.yaml:15 the tier `room.600` never waives" in lines(folder)
    assert not [line for line in lines(folder) if "`room.700` never waives" in line]


def test_a_branch_that_no_values_can_reach_by_its_form_does_not_count() -> None:
    texts = [item.text for item in small().items]
    assert "the knock-out `room.bad` is never unknown" in texts
    assert "the tier `room.700` is never unknown" not in texts  # a question has a score


def test_each_branch_of_the_small_rules_gets_a_case_that_tries_it() -> None:
    folder = small().with_written()
    assert [(o.name, o.failures) for o in folder.outcomes if o.failures] == []
    assert lines(folder) == []
    assert percentage(folder.items) == 100


def test_each_branch_of_the_shipped_rules_gets_a_case_that_tries_it() -> None:
    without = {name: text for name, text in FILES.items() if not name.endswith(".cases.yaml")}
    folder = Folder(without, schema(), kinds()).with_written()
    assert [(o.name, o.failures) for o in folder.outcomes if o.failures] == []
    assert lines(folder) == []


def test_a_written_case_goes_beside_the_rule_file_in_the_layout_of_the_formatter() -> None:
    without = {name: text for name, text in FILES.items() if name != "perks.cases.yaml"}
    folder = Folder(without, schema(), kinds())
    files = {item.at.file: case.file for item, case in folder.write() if case}
    assert files == {"perks.yaml": "features.cases.yaml"}  # for want of the usual one
    head = "kind: cases\nas_of: 2026-01-01\nbase: {identity.level: 2, fraud.rings: 0}\n"
    text = Folder({**without, "perks.cases.yaml": head}, schema(), kinds()).with_written().files["perks.cases.yaml"]
    assert "  - name: hotel.bad_record is met\n" in text
    assert format_text("perks.cases.yaml", text, Report()) == text


def test_a_line_that_holds_in_one_period_gets_a_case_on_a_day_of_it() -> None:
    later = "{id: late, from: 2030-01-01, dimension: credit, when: recent, points: -60, unknown: -10, reason: late}"
    files = base_with(
        "trust.yaml", "{id: late, dimension: credit, when: recent, points: -60, unknown: -10, reason: late}", later
    )
    folder = Folder({**files, "trust.cases.yaml": HEAD})
    written = {case.text for item, case in folder.write() if case and item.branch.id == "late"}
    assert written
    assert all("as_of: 2030-01-01" in text for text in written)
    assert lines(folder.with_written()) == []


def test_we_say_so_if_no_case_tries_a_branch() -> None:
    files = base_with("trust.yaml", "when: recent, points", "when: credit.missed >= 5 and credit.missed < 3, points")
    folder = Folder({**files, "trust.cases.yaml": HEAD})
    assert [item.text for item, case in folder.write() if case is None] == ["the rule `late` is never met"]


def test_a_failing_case_counts_as_one_that_tries_its_branches() -> None:
    good, bad = small("name: one, expect: {score: 655}"), small("name: one, expect: {score: 1}")
    assert bad.outcomes[0].failures
    assert lines(good) == lines(bad)


@settings(max_examples=by_effort(4, 60), deadline=None)
@given(st.integers(0, 10**6))
@example(149)  # a case for a later branch tries one for which the search finds none
def test_written_cases_of_random_rules_pass_and_try_their_branches(seed: int) -> None:
    release = random_releases.release(Random(seed))
    folder = Folder(release.files, random_releases.SCHEMA)
    written = folder.write()
    pasted = folder.pasted([case for _, case in written if case])
    assert [(o.name, o.failures) for o in pasted.outcomes if o.failures] == []
    untried = {(item.branch, item.at) for item in pasted.missing()}
    assert untried == {(item.branch, item.at) for item, case in written if case is None}


@settings(max_examples=by_effort(10, 200), deadline=None)
@given(st.integers(0, 10**6))
def test_a_condition_has_no_other_status_than_its_form_allows(seed: int) -> None:
    program = random_releases.release(Random(seed)).programs[0]
    stage = program.stages["score"]
    for values in values_for(program, "score", 50, seed):
        values[AS_OF] = small_rules.DAY if values[AS_OF] is None else values[AS_OF]  # a question has a day
        assert all(truth(when, values) in possible_statuses(when) for when in stage.values())


@pytest.mark.parametrize("name", ["trust.yaml", "perks.yaml", "watch.yaml", "orders.yaml"])
def test_every_branch_has_its_place_in_a_rule_file(name: str) -> None:
    texts = small_rules.base()
    items = [item for item in small().items if item.at.file == name]
    assert items
    for item in items:
        line = texts[name].splitlines()[item.at.line - 1]
        kind_words = {"bin": "", "scorable": "when"}
        assert kind_words.get(item.branch.kind, item.branch.line_id) in line
