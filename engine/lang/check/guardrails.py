"""Enforce the guardrails of the policy, which no rule file can bypass.

- We reject forbidden attributes by class and by name, in files and in the catalogue.
- A file must ask for consent before it reads a restricted class, and a person without consent loses nothing.
- Relationships weigh little, only add points, and are never a ground to decline (Wei et al., Marketing Science 2016:
  tie-based scoring makes people drop ties).
- Alarms, such as a ring of payments, can also occur for honest people. They change no score, and decline only together
  with a ground of another kind.
"""

import re
import unicodedata
from collections.abc import Container, Iterable
from dataclasses import dataclass
from functools import cached_property

from engine.lang.model.conditions import And, Const, Not, Or, Truth, known_tests, names, without_attributes
from engine.lang.model.problems import Report, SourceSpan
from engine.lang.model.types import Attribute, EventKind, Kinds, Schema
from engine.lang.syntax.ast import PolicyFile
from engine.lang.syntax.expression_tree import Word
from engine.lang.syntax.schema_types import suggestion


@dataclass(frozen=True)
class Guardrails:
    """The policy, and the catalogue that we check against it."""

    policy: PolicyFile
    schema: Schema
    report: Report

    def check_catalogue(self, declarations: Container[str] = ()) -> None:
        """No feature of the catalogue may be a forbidden attribute, whether or not a rule reads it.

        We check those in `declarations` at their place in their file.
        """
        for attribute in (a for a in self.schema.values() if a.name not in declarations):
            ground = self._forbidden(attribute)
            if ground:
                message = f"the catalogue has the forbidden attribute `{attribute.name}`"
                self.report.add("R401", message, ground.at, "take the feature out of the catalogue")

    def check_classes(self, kinds: Kinds, consents: Iterable[Word]) -> None:
        """Each class of a guardrail or of a consent must exist, or the guardrail or consent would have no effect."""
        evidence_classes = {c for a in self.schema.values() for c in a.classes if c} | {
            k.data_class for k in kinds.values()
        }
        words = (*self.policy.restricted, *self.policy.relationships, *consents)
        for word in words if kinds else ():  # without the kinds of evidence we cannot check this
            if word.text not in evidence_classes:
                message = f"no evidence is of the class `{word.text}`"
                self.report.add("R406", message, word.at, suggestion(word.text, evidence_classes))
        dimensions = {name.partition(".")[0] for name in self.schema}
        for word in self.policy.alarms:
            if word.text not in dimensions:
                message = f"no feature is of the dimension `{word.text}`"
                self.report.add("R406", message, word.at, suggestion(word.text, dimensions))

    def check_reads(self, read_names: Iterable[str], consent: tuple[Word, ...], at: SourceSpan) -> None:
        """A line must not read forbidden attributes, nor restricted ones without consent."""
        for attribute in (self.schema[n] for n in sorted(set(read_names)) if n in self.schema):
            if self._forbidden(attribute):
                self.report.add("R401", f"`{attribute.name}` is a forbidden attribute", at, "policy.yaml forbids it")
            self._check_consent(attribute.name, attribute.classes, consent, at)

    def check_event_kind(self, kind: EventKind, consent: tuple[Word, ...], at: SourceSpan) -> None:
        """A pattern must not read events of a forbidden class, nor of a restricted class without consent."""
        if kind.data_class in _texts(self.policy.forbidden_classes):
            self.report.add("R401", f"`{kind.name}` is of a forbidden class", at, "policy.yaml forbids it")
        self._check_consent(kind.name, frozenset((kind.data_class,)), consent, at)

    def check_class(self, kind: EventKind, at: SourceSpan) -> None:
        """A feature must not read events of a forbidden class. Rules that read it must ask for consent to restricted ones."""
        if kind.data_class in _texts(self.policy.forbidden_classes):
            self.report.add("R401", f"`{kind.name}` is of a forbidden class", at, "policy.yaml forbids it")

    @property
    def restricted_classes(self) -> set[str]:
        """The data classes that need explicit consent."""
        return _texts(self.policy.restricted)

    @property
    def relationship_classes(self) -> set[str]:
        """The data classes of ties between people."""
        return _texts(self.policy.relationships)

    @property
    def alarm_dimensions(self) -> set[str]:
        """The dimensions of alarms."""
        return _texts(self.policy.alarms)

    def check_attribute(self, attribute: Attribute, at: SourceSpan) -> None:
        """An attribute that a rule file declares, such as a field of the request, must not be forbidden."""
        if self._forbidden(attribute):
            self.report.add("R401", f"`{attribute.name}` is a forbidden attribute", at, "policy.yaml forbids it")

    def _check_consent(self, name: str, classes: frozenset[str], consent: tuple[Word, ...], at: SourceSpan) -> None:
        for class_ in sorted(classes & _texts(self.policy.restricted) - _texts(consent)):
            message = f"`{name}` is of the restricted class `{class_}`"
            hint = f"it needs people's consent: `consent: [{class_}]` at the top of the file"
            self.report.add("R402", message, at, hint)

    def check_missing_points(self, feature: str, points: int, at: SourceSpan) -> None:
        """A person without consent to a restricted class must not lose points."""
        if self.schema[feature].classes & _texts(self.policy.restricted) and points < 0:
            self.report.add(
                "R402", f"a missing `{feature}` costs {-points} points", at, "nobody may lose by not consenting"
            )

    def check_unknown(self, truth: Truth, unknown_costs: bool, met_costs: bool, at: SourceSpan) -> None:
        """Nobody may lose because a restricted attribute is unknown, nor because a condition tests whether it is known."""
        restricted = sorted(self._restricted & set(names(truth)))
        presence_tests = sorted(self._restricted & set(known_tests(truth)))
        if restricted and unknown_costs:
            self.report.add("R402", f"an unknown `{restricted[0]}` costs", at, "nobody may lose by not consenting")
        elif presence_tests and met_costs:
            self.report.add(
                "R402", f"whether `{presence_tests[0]}` is known costs", at, "nobody may lose by not consenting"
            )

    @cached_property
    def _restricted(self) -> frozenset[str]:
        classes = _texts(self.policy.restricted)
        return frozenset(a.name for a in self.schema.values() if a.classes & classes)

    def relationship_features(self) -> frozenset[str]:
        """The features that come from relationships."""
        return self._cached_relationship_features

    @cached_property
    def _cached_relationship_features(self) -> frozenset[str]:
        classes = _texts(self.policy.relationships)
        return frozenset(a.name for a in self.schema.values() if a.classes & classes)

    def check_relationship_points(self, points: Iterable[int], at: SourceSpan) -> None:
        """Relationships can only add points."""
        if min(points) < 0:
            self.report.add("R404", "relationships may not take points away", at, "give 0 at the least")

    def check_relationship_share(self, lines_points: Iterable[tuple[int, SourceSpan]], span: int) -> None:
        """All relationships together carry at most their share of the score's range.

        `lines_points` are the maximum points of each line that reads relationships, and its place.
        """
        allowed, so_far = self.policy.relationships_share.whole * span // 100, 0
        lines = list(lines_points)
        total = sum(points for points, _ in lines)
        for points, at in lines:
            so_far += points
            if so_far > allowed:
                message = f"relationships carry {total} points of {span}: policy allows {allowed}"
                self.report.add("R403", message, at, "lower their points")
                return

    def check_no_relationships(self, truth: Truth, at: SourceSpan, subject: str) -> None:
        """Relationships never decide whether a person can have something."""
        read = sorted(set(names(truth)) & self.relationship_features())
        if read:
            message = f"{subject} reads `{read[0]}`: relationships are never a ground to decline"
            self.report.add("R405", message, at, "let them count in the scorecard only")

    def alarm_features(self) -> frozenset[str]:
        """The features that are alarms."""
        return self._cached_alarm_features

    @cached_property
    def _cached_alarm_features(self) -> frozenset[str]:
        dimensions = _texts(self.policy.alarms)
        return frozenset(name for name in self.schema if name.partition(".")[0] in dimensions)

    def check_no_alarm_points(self, read_names: Iterable[str], at: SourceSpan) -> None:
        """Alarms give and take no points."""
        read = sorted(self.alarm_features() & set(read_names))
        if read:
            hint = "let a knock-out read it, together with something else"
            self.report.add("R407", f"`{read[0]}` is an alarm: it gives and takes no points", at, hint)

    def check_alarm_not_alone(self, truth: Truth, at: SourceSpan, subject: str, *, joined: bool = False) -> None:
        """An alarm never decides alone. With `joined`, it can decide together with a condition of another kind."""
        alarms = self.alarm_features()
        read = sorted(alarms & set(names(truth)))
        if read and not (joined and not _can_be(True, without_attributes(truth, frozenset(names(truth)) - alarms))):
            message = f"{subject} depends on `{read[0]}` alone" if joined else f"{subject} reads the alarm `{read[0]}`"
            hint = "join it by `and` with something that is no alarm" if joined else "let a knock-out read it"
            self.report.add("R408", message, at, hint)

    def _forbidden(self, attribute: Attribute) -> Word | None:
        words = _words(attribute.name)
        by_name = (w for w in self.policy.forbidden_names if w.text in words or w.text == attribute.name)
        by_class = (w for w in self.policy.forbidden_classes if w.text in attribute.classes)
        return next(iter((*by_name, *by_class)), None)


def _words(name: str) -> set[str]:
    """The words in a name, and those that its neighbouring parts spell together: `gen_der` has `gender`."""
    parts = re.split(r"[._]+", unicodedata.normalize("NFKC", name).casefold())
    return {"".join(parts[i:j]) for i in range(len(parts)) for j in range(i + 1, len(parts) + 1)}


def _can_be(status: bool, truth: Truth) -> bool:
    """Whether the condition can have this status, if each of its parts can have any."""
    match truth:
        case Const(value):
            return value is status
        case And(parts):
            return (all if status else any)(_can_be(status, p) for p in parts)
        case Or(parts):
            return (any if status else all)(_can_be(status, p) for p in parts)
        case Not(part):
            return _can_be(not status, part)
        case _:
            return True


def _texts(words: tuple[Word, ...]) -> set[str]:
    return {w.text for w in words}
