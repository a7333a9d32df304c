"""Guard: what no rule file gets round, whoever wrote it.

Forbidden attributes are refused by class and by name, in files and in the catalogue. A restricted class is read only by
a file that asks for consent to it, and going without consent costs nothing. Relationships weigh little, only upwards,
and are never a ground to refuse (Wei et al., Marketing Science 2016: tie-based scoring makes people drop ties). Alarms, such
as a ring of payments, which honest people can be on, move no score, and refuse nobody without a ground of another kind.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from engine.lang.lines import PolicyFile
from engine.lang.problems import Report, Span
from engine.lang.shapes import suggestion
from engine.lang.syntax import Word
from engine.lang.truths import And, Const, Not, Or, Truth, known_of, names, withheld
from engine.lang.types import Attribute, EventKind, Kinds, Schema


@dataclass(frozen=True)
class Guard:
    """The policy, and the catalogue that it is held against."""

    policy: PolicyFile
    schema: Schema
    report: Report

    def catalogue(self) -> None:
        """No feature of the catalogue may be a forbidden attribute, whether or not a rule reads it."""
        for attribute in self.schema.values():
            ground = self._forbidden(attribute)
            if ground:
                message = f"the catalogue has the forbidden attribute `{attribute.name}`"
                self.report.add("R401", message, ground.at, "take the feature out of the catalogue")

    def classes(self, kinds: Kinds, consents: Iterable[Word]) -> None:
        """A guardrail or a consent that names no class of evidence would guard, or ask for, nothing."""
        known = {c for a in self.schema.values() for c in a.classes if c} | {k.data_class for k in kinds.values()}
        words = (*self.policy.restricted, *self.policy.relationships, *consents)
        for word in words if kinds else ():  # without the kinds of evidence nobody can tell
            if word.text not in known:
                message = f"no evidence is of the class `{word.text}`"
                self.report.add("R406", message, word.at, suggestion(word.text, known))
        dimensions = {name.partition(".")[0] for name in self.schema}
        for word in self.policy.alarms:
            if word.text not in dimensions:
                message = f"no feature is of the dimension `{word.text}`"
                self.report.add("R406", message, word.at, suggestion(word.text, dimensions))

    def reads(self, used: Iterable[str], consent: tuple[Word, ...], at: Span) -> None:
        """What a line may read: nothing forbidden, nothing restricted without consent."""
        for attribute in (self.schema[n] for n in sorted(set(used)) if n in self.schema):
            if self._forbidden(attribute):
                self.report.add("R401", f"`{attribute.name}` is a forbidden attribute", at, "policy.yaml forbids it")
            self._asked_for(attribute.name, attribute.classes, consent, at)

    def sees(self, kind: EventKind, consent: tuple[Word, ...], at: Span) -> None:
        """What a pattern may look at: no event of a forbidden class, none of a restricted one without consent."""
        if kind.data_class in _texts(self.policy.forbidden_classes):
            self.report.add("R401", f"`{kind.name}` is of a forbidden class", at, "policy.yaml forbids it")
        self._asked_for(kind.name, frozenset((kind.data_class,)), consent, at)

    def allows(self, attribute: Attribute, at: Span) -> None:
        """Whether there may be such an attribute at all, such as a field of the request."""
        if self._forbidden(attribute):
            self.report.add("R401", f"`{attribute.name}` is a forbidden attribute", at, "policy.yaml forbids it")

    def _asked_for(self, name: str, classes: frozenset[str], consent: tuple[Word, ...], at: Span) -> None:
        for class_ in sorted(classes & _texts(self.policy.restricted) - _texts(consent)):
            message = f"`{name}` is of the restricted class `{class_}`"
            hint = f"it needs people's consent: `consent: [{class_}]` at the top of the file"
            self.report.add("R402", message, at, hint)

    def missing(self, feature: str, points: int, at: Span) -> None:
        """Who does not consent to a restricted class must not lose by it."""
        if self.schema[feature].classes & _texts(self.policy.restricted) and points < 0:
            self.report.add(
                "R402", f"a missing `{feature}` costs {-points} points", at, "nobody may lose by not consenting"
            )

    def withheld(self, truth: Truth, unknown_costs: bool, met_costs: bool, at: Span) -> None:
        """Nor must it be held against them that a rule cannot tell, or that it asks what is known."""
        about = sorted(self._restricted & set(names(truth)))
        asked = sorted(self._restricted & set(known_of(truth)))
        if about and unknown_costs:
            self.report.add("R402", f"an unknown `{about[0]}` costs", at, "nobody may lose by not consenting")
        elif asked and met_costs:
            self.report.add("R402", f"whether `{asked[0]}` is known costs", at, "nobody may lose by not consenting")

    @cached_property
    def _restricted(self) -> frozenset[str]:
        classes = _texts(self.policy.restricted)
        return frozenset(a.name for a in self.schema.values() if a.classes & classes)

    def relationships(self) -> frozenset[str]:
        """The features that come from relationships."""
        return self._related

    @cached_property
    def _related(self) -> frozenset[str]:
        classes = _texts(self.policy.relationships)
        return frozenset(a.name for a in self.schema.values() if a.classes & classes)

    def never_lowers(self, points: Iterable[int], at: Span) -> None:
        """Relationships count upwards only."""
        if min(points) < 0:
            self.report.add("R404", "relationships may not take points away", at, "give 0 at the least")

    def share(self, most: Iterable[tuple[int, Span]], span: int) -> None:
        """Relationships carry at most their share of the score's range: `most` are the points of each line of them."""
        allowed, so_far = self.policy.relationships_share.whole * span // 100, 0
        lines = list(most)
        whole = sum(points for points, _ in lines)
        for points, at in lines:
            so_far += points
            if so_far > allowed:
                message = f"relationships carry {whole} points of {span}: policy allows {allowed}"
                self.report.add("R403", message, at, "lower their points")
                return

    def no_ground(self, truth: Truth, at: Span, what: str) -> None:
        """Whether a person may have something never hangs on relationships alone."""
        read = sorted(set(names(truth)) & self.relationships())
        if read:
            message = f"{what} reads `{read[0]}`: relationships are never a ground to decline"
            self.report.add("R405", message, at, "let them count in the scorecard only")

    def alarms(self) -> frozenset[str]:
        """The features that are alarms."""
        return self._alarming

    @cached_property
    def _alarming(self) -> frozenset[str]:
        dimensions = _texts(self.policy.alarms)
        return frozenset(name for name in self.schema if name.partition(".")[0] in dimensions)

    def no_points(self, used: Iterable[str], at: Span) -> None:
        """Alarms move no score."""
        read = sorted(self.alarms() & set(used))
        if read:
            hint = "let a knock-out ask for it, together with something else"
            self.report.add("R407", f"`{read[0]}` is an alarm: it gives and takes no points", at, hint)

    def not_alone(self, truth: Truth, at: Span, what: str, *, joined: bool = False) -> None:
        """An alarm decides nothing alone; `joined`: it may together with something of another kind."""
        alarms = self.alarms()
        read = sorted(alarms & set(names(truth)))
        if read and not (joined and not _can_be(True, withheld(truth, frozenset(names(truth)) - alarms))):
            message = f"{what} hangs on `{read[0]}` alone" if joined else f"{what} reads the alarm `{read[0]}`"
            hint = "join it by `and` with something that is no alarm" if joined else "let a knock-out ask for it"
            self.report.add("R408", message, at, hint)

    def _forbidden(self, attribute: Attribute) -> Word | None:
        words = set(re.split(r"[._]", attribute.name))
        by_name = (w for w in self.policy.forbidden_names if w.text in words or w.text == attribute.name)
        by_class = (w for w in self.policy.forbidden_classes if w.text in attribute.classes)
        return next(iter((*by_name, *by_class)), None)


def _can_be(wanted: bool, truth: Truth) -> bool:
    """Whether there may be values with which the condition comes to that, each of its parts being free."""
    match truth:
        case Const(value):
            return value is wanted
        case And(parts):
            return (all if wanted else any)(_can_be(wanted, p) for p in parts)
        case Or(parts):
            return (any if wanted else all)(_can_be(wanted, p) for p in parts)
        case Not(part):
            return _can_be(not wanted, part)
        case _:
            return True


def _texts(words: tuple[Word, ...]) -> set[str]:
    return {w.text for w in words}
