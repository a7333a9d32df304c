"""Judge warnings by looking at every person and question of a small domain: no solver, only the reference engine."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from engine.decide.perks import PerkOutcome, perk_outcome
from engine.lang.engines.reference import evaluate, truth
from engine.lang.model.conditions import And, Or, Truth, Values, names
from engine.lang.model.problems import SourceSpan
from engine.lang.model.program import (
    AMOUNT,
    PERK_HELD,
    SCORE,
    Characteristic,
    KnockOut,
    PointRule,
    Program,
    hold_stage,
    hold_stage_name,
    perk_stage,
)
from engine.verify.prove.lines import Clause, ProgramLines, definitions
from engine.verify.prove.perks import clauses
from tests.engine.verify.prove.small_domains import (
    DAYS,
    PERK,
    PERSON_TYPES,
    SCHEMA,
    assignments,
    people,
    questions,
    scored_people,
    situations,
)

Situation = tuple[Values, dict[str, bool | None]]


@dataclass(frozen=True)
class ProgramJudge:
    """Everything that one program does to everyone."""

    program: Program
    lines: ProgramLines

    @property
    def day(self) -> int:
        return DAYS[0] if self.program.since is None else DAYS[1]

    @cached_property
    def situations(self) -> list[Situation]:
        """Every question of everyone with a score, with the status of each condition of the perk."""
        stages = self.program.stages
        of_hold = stages.get(hold_stage_name(PERK), {})
        return [
            (values, {**evaluate(stages[PERK], values), **evaluate(of_hold, values)})
            for values in situations(self.program, self.day)
        ]

    @cached_property
    def wholes(self) -> list[Clause]:
        """The whole conditions of rules, perks and definitions."""
        card, perk = self.program.scorecard, self.program.perks[0]
        rules = [i for i in card.items if isinstance(i, PointRule)]
        own = [Clause("scorable", self.lines.card.scorable.when, card.scorable)]
        own += [Clause(r.id, line.when, r.when) for r, line in zip(rules, self.lines.card.rules, strict=True)]
        of_perk = list(clauses(perk, self.lines.perk(PERK)))
        files = ((own, self.lines.card.define), (of_perk, self.lines.perks.define))
        defined = [
            each for part, define in files for _, each in definitions(iter(part), {w.text: e for w, e in define})
        ]
        return [*own, *of_perk, *defined]

    def at(self, place: SourceSpan) -> Iterator[tuple[Clause, Clause | None]]:
        """The conditions at a place, each with the one that it is a part of."""
        for whole in self.wholes:
            yield from _within(whole, None, place)

    def declines(self, knockouts: tuple[KnockOut, ...], statuses: dict[str, bool | None]) -> bool:
        return any(statuses[k.id] or (statuses[k.id] is None and k.unknown_declines) for k in knockouts)

    # Claims about conditions

    def never_met(self, when: Truth) -> bool:
        return not any(truth(when, values) for values in assignments(names(when)))

    def never_unmet(self, when: Truth) -> bool:
        return not any(truth(when, values) is False for values in assignments(names(when)))

    def knockout_never_met(self, when: Truth) -> bool:
        return any(k.when == when for k in self.program.perks[0].knockouts) and not any(
            truth(when, values) for values, _ in self.situations
        )

    def is_needless(self, part: Clause, parent: Clause | None) -> bool:
        """Without the part, its parent has the same status for everyone; or the outcome is the same."""
        if parent is not None and isinstance(parent.when, And | Or):
            rest = tuple(p.when for p in parent.parts() if p.at != part.at or p.when != part.when)
            less = type(parent.when)(rest)
            if all(truth(parent.when, v) == truth(less, v) for v in assignments(names(parent.when))):
                return True
        return self._knockout_is_idle(part.when) or self._tier_part_is_idle(part, parent)

    def _knockout_is_idle(self, when: Truth) -> bool:
        knockouts = self.program.perks[0].knockouts
        return any(
            knockout.when == when
            and all(
                self.declines(knockouts[:place], statuses)
                for _, statuses in self.situations
                if self.declines((knockout,), statuses)
            )
            for place, knockout in enumerate(knockouts)
        )

    def _tier_part_is_idle(self, part: Clause, parent: Clause | None) -> bool:
        perk = self.program.perks[0]
        for place, tier in enumerate(perk.tiers):
            if tier.when not in (part.when, parent.when if parent else None):
                continue
            rest = [p.when for p in parent.parts() if p != part] if parent else []
            gets_there = (
                values
                for values, statuses in self.situations
                if not self.declines(perk.knockouts, statuses) and not any(statuses[t.id] for t in perk.tiers[:place])
            )
            if all(truth(part.when, v) for v in gets_there if all(truth(r, v) for r in rest)):
                return True
        return False

    # Claims about perks and the scorecard

    def contradicts(self, id_: str) -> bool:
        met = [statuses for _, statuses in self.situations if statuses[id_]]
        return bool(met) and all(self.declines(self.program.perks[0].knockouts, statuses) for statuses in met)

    def is_unreachable(self, id_: str) -> bool:
        perk = self.program.perks[0]
        before = perk.tiers[: [t.id for t in perk.tiers].index(id_)]
        return not any(
            statuses[id_] and not self.declines(perk.knockouts, statuses) and not any(statuses[t.id] for t in before)
            for _, statuses in self.situations
        )

    def takes_back(self) -> bool:
        return any(
            statuses["granted"]
            and not statuses["kept"]
            and not self.declines(self.program.perks[0].knockouts, statuses)
            for _, statuses in self.situations
        )

    @cached_property
    def falling_tiers(self) -> set[str]:
        """The tiers that waive more than a higher score gets, of people alike in all that the perk reads, for the same question."""
        perk = self.program.perks[0]
        conditions = [*perk_stage(perk).values(), *hold_stage(perk).values()]
        read = sorted({name for when in conditions for name in names(when)} - {SCORE, PERK_HELD})
        waivers: dict[Any, dict[int, PerkOutcome]] = {}
        for values, is_held_before in questions(self.program, self.day):
            statuses = evaluate(self.program.stages[PERK], values)
            key = (is_held_before, values[AMOUNT], *(values[name] for name in read))
            waivers.setdefault(key, {})[values[SCORE]] = perk_outcome(perk, statuses, values[AMOUNT])
        return {
            str(outcome.tier)
            for by_score in waivers.values()
            for score, outcome in by_score.items()
            if any(other.waived < outcome.waived for higher, other in by_score.items() if higher > score)
        }

    def nobody_has_a_score(self) -> bool:
        return not scored_people(self.program, self.day)

    def bin_is_empty(self, cut: int, feature: str) -> bool:
        values = [v[feature] for v in people() if v[feature] is not None]
        return not any(int(v or 0) < cut for v in values) or not any(int(v or 0) >= cut for v in values)

    def costs_points(self, id_: str) -> bool:
        """Whether a better value of some feature takes points of the item and of all items that read it."""
        items = self.program.scorecard.items
        for name in ("a.count", "a.other"):
            readers = [i for i in items if name in _reads(i)]
            sign = 1 if SCHEMA[name].direction == "higher is better" else -1
            for values in people():
                if id_ not in {i.id for i in readers} or values[name] is None:
                    continue
                for other in range(PERSON_TYPES[name].low, PERSON_TYPES[name].high + 1):
                    if (other - int(values[name] or 0)) * sign > 0:
                        gains = {i.id: _points(i, {**values, name: other}) - _points(i, values) for i in readers}
                        if gains[id_] < 0 and sum(gains.values()) < 0:
                            return True
        return False


def _within(clause: Clause, parent: Clause | None, place: SourceSpan) -> Iterator[tuple[Clause, Clause | None]]:
    if clause.at == place:
        yield clause, parent
    for part in clause.parts():
        yield from _within(part, clause, place)


def _reads(item: Characteristic | PointRule) -> set[str]:
    return {item.feature} if isinstance(item, Characteristic) else set(names(item.when))


def _points(item: Characteristic | PointRule, values: Values) -> int:
    if isinstance(item, PointRule):
        return item.parts[truth(item.when, values)].points
    value = values[item.feature]
    return item.missing if value is None else item.points[sum(cut <= int(value) for cut in item.cuts)]
