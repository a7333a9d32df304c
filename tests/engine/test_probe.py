"""Probes stand where engines could differ: an engine that is wrong anywhere the rules look is found out."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, given, settings

from engine.caps import left
from engine.crowd import PEOPLE, crowd
from engine.decide import Reference, assess, decide
from engine.engines import Engines
from engine.lang.check import release_of
from engine.lang.online import Online
from engine.lang.program import Pattern, Program, Release
from engine.lang.truths import Statuses, Values
from engine.lang.types import Value
from engine.probe import columns, days, difference, differs, disagreement, rows, watched
from engine.watch import Event, reference
from tests.effort import pairs
from tests.engine import small
from tests.engine.random_rules import Trial, trials
from tests.engine.small import DAY

Wrong = Callable[[Values], bool]
# Rules that read flags; a tie could not take points away, so that `paid_friend` is of payments there and back.
FLAGS = (
    ("trust.yaml", "recent: credit.last_missed >= 2024-01-01", "recent: watch.thrice or watch.paid_friend"),
    ("watch.yaml", "{event: tie, role: either}", "{event: payment, role: other}"),
)


class Liar:
    """An engine that says of one condition the contrary of what is so, of whom `wrong` picks."""

    def __init__(self, program: Program, condition: str, wrong: Wrong) -> None:
        self.program, self._condition, self._wrong, self._true = program, condition, wrong, Reference(program)

    def statuses(self, stage: str, values: Values) -> Statuses:
        said = dict(self._true.statuses(stage, values))
        if self._condition in said and self._wrong(values):
            said[self._condition] = not said[self._condition]
        return said


def has(**wanted: Value | None) -> Wrong:
    """Whoever has just these values; `__` stands for the dot of a name."""
    return lambda values: all(values.get(name.replace("__", ".")) == value for name, value in wanted.items())


def released(*changes: tuple[str, str, str]) -> Release:
    """The release of the small rules, with texts of files replaced."""
    files = small.base()
    for file, replace, by in changes:
        assert files[file].count(replace) == 1
        files[file] = files[file].replace(replace, by)
    return release_of(files, small.SCHEMA, small.KINDS)


@contextmanager
def opened(release: Release) -> Iterator[Engines]:
    engines = Engines(release)
    yield engines
    engines.close()


def steady(threshold: str) -> Program:
    """The small rules, with the rule `steady` on a condition of the test's own."""
    return small.release("trust.yaml", "steady: money.months >= 6 and not money.paused", f"steady: {threshold}")


def test_the_engines_agree_on_the_small_rules() -> None:
    with opened(released()) as engines:
        assert disagreement(engines) is None


def test_they_agree_on_flags_and_on_each_stretch_of_days() -> None:
    since = ("trust.yaml", "id: late, dimension", "id: late, from: 2023-01-01, dimension")
    release = released(*FLAGS, since)
    assert len(release.programs) == 2
    with opened(release) as engines:
        assert disagreement(engines) is None


@pytest.mark.parametrize(
    ("condition", "wrong"),
    [
        *(("missed#1", has(credit__missed=n)) for n in (1, 2)),  # cuts 1 and 3: the first and the last of the bin
        *(("missed#0", has(credit__missed=n)) for n in (0,)),
        *(("missed#2", has(credit__missed=n)) for n in (3, 100)),  # 100 is the bound
        *(("cover#0", has(money__cover=n)) for n in (0, 79)),  # 0.80 in hundredths
        ("cover#1", has(money__cover=80)),
        ("balance#0", has(money__balance=-(10**9))),
        ("balance#1", has(money__balance=0)),
        *(("steady", has(money__months=n)) for n in (5, 6, 7, None)),
        ("steady", has(money__paused=None)),
        ("late", has(credit__last_missed=19_723)),  # 2024-01-01
        ("late", has(credit__last_missed=19_722)),
        ("scorable", has(identity__level=None)),
        ("room.guest", has(identity__kind="guest")),
        ("room.guest", has(identity__kind=None)),
        *(("room.700", has(score=n)) for n in (699, 700, 701)),
        *(("room.600", has(request__amount=n)) for n in (50_000, 50_001)),
        ("scooter.600", has(score=600)),
        *(("granted", has(score=n)) for n in (639, 640)),
        *(("kept", has(score=n)) for n in (599, 600)),
        *(("villa.short", has(request__nights=n)) for n in (7, 8, None)),
        *(("villa.town", has(request__town=word)) for word in ("Basra", "another")),
        ("villa.town", has(request__town="Cairo", as_of=19_782)),  # the last day on which it is in the list
        ("villa.town", has(request__town="Cairo", as_of=19_783)),
        *(("villa.town", has(held=held)) for held in (True, False, None)),
        *(("too_many", has(person__unpaid=n)) for n in (0, 1, None)),
        ("pay", has(order__state="used")),
        ("use", lambda values: None is not values.get("event.total") == values.get("order.waived")),
    ],
)
def test_an_engine_that_is_wrong_at_one_value_is_found_out(condition: str, wrong: Wrong) -> None:
    said = differs(Liar(small.release(), condition, wrong), DAY)
    assert said
    assert said.startswith("durable-rules says `")
    assert "\n" not in said


def total(values: Values) -> int | None:
    months, cover = values.get("money.months"), values.get("money.cover")
    return None if months is None or cover is None else 100 * int(months) + int(cover)


@pytest.mark.parametrize("step", [-1, 0, 1])
def test_sums_are_brought_to_where_their_comparison_turns(step: int) -> None:
    program = steady("money.months + money.cover > 97.53")
    assert differs(Liar(program, "steady", lambda values: total(values) == 9_753 + step), DAY)


def test_features_compared_with_each_other_are_brought_together() -> None:
    program = steady("money.huge > money.months and not money.paused")
    equal: Wrong = lambda values: None is not values.get("money.huge") == values.get("money.months")  # noqa: E731
    assert differs(Liar(program, "steady", equal), DAY)


def test_a_pattern_that_is_wrong_at_one_moment_is_found_out() -> None:
    program = released(*FLAGS).at(DAY)
    month, second = 30 * 86_400, 1_000_000

    def late(pattern: Pattern, events: Sequence[Event], as_of: int) -> bool:
        """Takes a match that lasts just as long as it may for one that lasts too long."""
        just = [e for e in events if e.kind == "bill.missed" and e.at == events[0].at + month * second]
        return reference(pattern, events, as_of) and not (pattern.id == "thrice" and just)

    assert watched(program, reference) is None
    assert str(watched(program, late)).startswith("durable-rules says `watch.thrice` is False, the reference True")


def test_a_difference_is_told_in_one_line() -> None:
    program = small.release()
    people = crowd(program, DAY, 50)
    expected = list(rows(Reference(program), people))
    wrong = rows(Liar(program, "late", has(credit__last_missed=None)), people)
    place = next(n for n, p in enumerate(people) if p.values["credit.last_missed"] is None)
    assert (
        difference("the engine", expected, wrong)
        == f"the engine says `late` is True, the reference None (number {place} of the probe)"
    )
    assert difference("the engine", expected, columns(program, people)) is None


def test_half_of_the_people_are_scorable_and_scores_come_to_where_tiers_begin() -> None:
    program = small.release()
    people = crowd(program, DAY)
    assert len(people) == PEOPLE
    found = [assess(Reference(program), q.values, DAY).score for q in people]
    assert sum(s is not None for s in found) > PEOPLE / 2
    assert {600, 640, 700} <= set(found)
    made = [decide(Reference(program), q) for q in people]
    assert {d.outcome for d in made} == {"ADMIT", "PARTIAL", "DECLINE", "UNSCORABLE"}
    villa = [d for d in made if d.question.perk == "villa"]
    assert {d.held_since is None for d in villa} == {True, False}
    perk = program.perk("villa")
    assert perk
    assert any("capped" in d.reasons for d in villa)
    rest = {left(perk, d.question.used, d.question.asked_at) for d in villa}
    assert {caps[1] for caps in rest} == {0, None}  # the second: two times within 90 days


def test_the_same_seed_makes_the_same_people_and_another_others() -> None:
    program = small.release()
    assert crowd(program, DAY, 20) == crowd(program, DAY, 20)
    assert crowd(program, DAY, 20) != crowd(program, DAY, 20, seed=2)


def test_every_stretch_of_days_of_a_release_is_probed() -> None:
    later = "id: late, from: 2023-01-01, until: 2024-01-01, dimension"
    release = released(("trust.yaml", "id: late, dimension", later))
    assert [release.at(day).since for day in days(release)] == [None, 19_358, 19_723]


@settings(max_examples=pairs(3, 8), deadline=None, suppress_health_check=list(HealthCheck))
@given(trials(1))
def test_the_engines_agree_on_probes_of_random_rules(trial: Trial) -> None:
    engine = Online(trial.program)
    assert differs(engine, DAY) is None, str(trial.program)
    engine.close()
