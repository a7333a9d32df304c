"""No false alarm, and none missed: random valid releases over small domains, judged by looking at every person and question."""

from collections import Counter
from collections.abc import Iterator

import pytest

from engine.lang.model.conditions import Const
from engine.lang.model.problems import Problem, SourceSpan
from engine.lang.model.program import Characteristic, Release
from engine.verify.prove.lines import Clause, release_lines
from engine.verify.prove.warnings import warnings
from tests.effort import IN_FULL, by_effort
from tests.engine.verify.prove.judge import ProgramJudge
from tests.engine.verify.prove.small_domains import CHANGE, PERK, random_release

RELEASES = 1_000
HALVES = 2  # workers take one each
SEEDS = [range(half, by_effort(12, RELEASES), HALVES) for half in range(HALVES)]
# Codes that must occur among a thousand releases, for the test to mean anything.
EXPECTED_CODES = {"W101", "W102", "W103", "W104", "W105", "W106", "W107", "W108", "W109", "W110", "W112"}


def judges_of(release: Release) -> list[ProgramJudge]:
    lines = release_lines(release)
    return [ProgramJudge(program, lines.at(program)) for program in release.programs]


def claimed(problem: Problem, judges: list[ProgramJudge]) -> list[ProgramJudge]:
    """The programs that the warning is about."""
    if problem.message.endswith(f", from {CHANGE} on"):
        return judges[1:]
    if problem.message.endswith(f", until {CHANGE}"):
        return judges[:1]
    present = [j for j in judges if problem.at in _places(j)]
    return present or judges


def _places(judge: ProgramJudge) -> set[SourceSpan]:
    lines = judge.lines.perk(PERK)
    amounts = [word.at for tier in lines.tiers for word in (tier.waive.fixed, tier.waive.up_to) if word]
    card = judge.lines.card
    points = [line.points[0].at for line in card.characteristics] + [line.points.at for line in card.rules]
    cuts = [cut.at for line in card.characteristics for cut in line.cuts]
    parts = [clause.at for whole in judge.wholes for clause in _parts(whole)]
    waivers = [tier.waive.at for tier in lines.tiers]
    return {*amounts, *waivers, *points, *cuts, *parts}


def _parts(clause: Clause) -> Iterator[Clause]:
    yield clause
    for part in clause.parts():
        yield from _parts(part)


def holds(problem: Problem, judge: ProgramJudge) -> bool:
    """Whether the claim of a warning is true of a program."""
    candidates = list(judge.at(problem.at))
    perk_ids = {clause.when: clause for clause, _ in candidates}
    perk, card = judge.program.perks[0], judge.program.scorecard
    ids = [t.id for t in perk.tiers if t.when in perk_ids]
    granted = ["granted"] if perk.hold and perk.hold.grant_condition in perk_ids else []
    items = dict(zip((i.id for i in card.items), _point_places(judge), strict=True))
    match problem.code:
        case "W101":
            return any(judge.never_met(c.when) or judge.knockout_never_met(c.when) for c, _ in candidates)
        case "W102":
            return any(judge.never_unmet(c.when) for c, _ in candidates)
        case "W103":
            return any(judge.is_needless(c, parent) for c, parent in candidates)
        case "W104":
            return any(judge.contradicts(id_) for id_ in (*ids, *granted))
        case "W105":
            return any(judge.is_unreachable(id_) for id_ in ids)
        case "W106":
            return any(problem.at == at and judge.bin_is_empty(cut, feature) for at, cut, feature in _cuts(judge))
        case "W107":
            return judge.takes_back()
        case "W108":
            return judge.nobody_has_a_score()
        case "W109":
            return any(t.up_to is not None and t.up_to > perk.most for t in perk.tiers)
        case "W110":
            return any(judge.costs_points(id_) for id_, at in items.items() if at == problem.at)
        case "W112":
            places = zip(perk.tiers, judge.lines.perk(PERK).tiers, strict=True)
            return any(t.id in judge.falling_tiers for t, line in places if line.waive.at == problem.at)
    return False


def _point_places(judge: ProgramJudge) -> list[SourceSpan]:
    card = judge.lines.card
    return [line.points[0].at for line in card.characteristics] + [line.points.at for line in card.rules]


def _cuts(judge: ProgramJudge) -> Iterator[tuple[SourceSpan, int, str]]:
    for item, line in zip(judge.program.scorecard.items, judge.lines.card.characteristics, strict=False):
        if isinstance(item, Characteristic):
            yield from ((word.at, cut, item.feature) for word, cut in zip(line.cuts, item.cuts, strict=True))


def required(judge: ProgramJudge) -> Iterator[tuple[str, SourceSpan]]:
    """The warnings that the program must have: about its whole conditions, tiers, hold, cuts, amounts and points."""
    if judge.nobody_has_a_score():
        yield "W108", judge.lines.card.scorable.when.at
        return
    perk, line = judge.program.perks[0], judge.lines.perk(PERK)
    for whole in judge.wholes[1:]:
        if judge.never_met(whole.when) and not whole.definition:
            yield "W101", whole.at
        elif judge.never_unmet(whole.when) and not whole.definition and not isinstance(whole.when, Const):
            yield "W102", whole.at
    for at, cut, feature in _cuts(judge):
        if judge.bin_is_empty(cut, feature):
            yield "W106", at
    for item, at in zip(judge.program.scorecard.items, _point_places(judge), strict=True):
        if judge.costs_points(item.id):
            yield "W110", at
    everyone_declined = all(judge.declines(perk.knockouts, statuses) for _, statuses in judge.situations)
    if everyone_declined:
        return
    for tier, tier_line in zip(perk.tiers, line.tiers, strict=True):
        if tier.id in judge.falling_tiers:
            yield "W112", tier_line.waive.at
        if judge.contradicts(tier.id):
            yield "W104", tier_line.when.at
        elif judge.is_unreachable(tier.id) and not judge.never_met(tier.when):
            yield "W105", tier_line.when.at
    if perk.hold and line.hold and judge.takes_back():
        trivial = (perk.hold.grant_condition, perk.hold.keep_condition)
        if not any(judge.never_met(t) or judge.never_unmet(t) for t in trivial):
            yield "W107", line.hold.kept.at


@pytest.mark.parametrize("half", range(HALVES))
def test_each_warning_is_true_and_none_is_missed(half: int) -> None:
    codes = Counter[str]()
    for seed in SEEDS[half]:
        release = random_release(seed)
        judges, problems = judges_of(release), warnings(release)
        codes.update(p.code for p in problems)
        for problem in problems:
            assert all(holds(problem, judge) for judge in claimed(problem, judges)), (seed, str(problem), release.files)
        for judge in judges:
            missed = set(required(judge)) - {(p.code, p.at) for p in problems}
            assert missed == set(), (seed, judge.program.since, [*map(str, problems)], release.files)
    if IN_FULL:
        assert set(codes) >= EXPECTED_CODES, codes
