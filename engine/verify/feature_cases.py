"""Run the cases of features.yaml: events in, values out. The caller passes what computes the values."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from engine.decide.patterns import PatternEvent
from engine.errors import IftahError
from engine.lang.model.program import Program
from engine.lang.model.types import BOOL, STRING, Attribute, Value, extend_schema, format_value
from engine.verify.case_values import CaseContext, micros_of, pattern_event, read_values

# The values of all features from a person's events at a moment, in microseconds since 1970-01-01 UTC.
FeatureEvaluator = Callable[[Program, Sequence[PatternEvent], int], Mapping[str, Value | None]]
IS_PERSON = "other_is_person"


@dataclass(frozen=True)
class FeatureCase:
    """A case that expects values of features."""

    context: CaseContext
    evaluate: FeatureEvaluator | None

    @property
    def names(self) -> tuple[str, ...]:
        """The features with an expected value."""
        return tuple(key.text for key, _ in self.context.case.expect.features)

    def failures(self) -> Iterator[str]:
        """Yield the differences between the expected and the actual values. Raises IftahError for an invalid case."""
        context = self.context
        declarations = context.program.declarations
        unknown_names = [name for name in self.names if name not in declarations]
        if unknown_names or self.evaluate is None:
            yield from (f"features.yaml has no feature `{name}`" for name in unknown_names)
            yield from () if self.evaluate else ("these cases run by `iftah test`",)
            return
        schema = {name: feature.attribute for name, feature in declarations.items()}
        pairs = {key.text: (key, node) for key, node in context.case.expect.features}
        expected = read_values(schema, pairs, context.program.timezone)
        events = [_event(context, number) for number in range(len(context.case.events))]
        actual = self.evaluate(context.program, events, micros_of(context.program.start_of(context.day)))
        for name in self.names:
            if actual.get(name) != expected.get(name):
                type_ = schema[name].type
                wanted_text, actual_text = (format_value(v.get(name), type_) for v in (expected, actual))
                yield f"`{name}` should be {_word(wanted_text)}, and is {_word(actual_text)}"


def _word(text: str) -> str:
    return "missing" if text == "UNKNOWN" else text


def _event(context: CaseContext, number: int) -> PatternEvent:
    """An event of the case. In its fields, `other_is_person` says whether the other party is a person of ours, and `event_id` is
    its id, for another event to name it.
    """
    line = context.case.events[number]
    kind = context.kinds.get(line.event.text)
    if kind is None:
        place = f"{line.at.file}:{line.at.line}"
        raise IftahError(f"unknown event `{line.event.text[:60]}`", where=place, hint="see docs/events.md")
    extra = Attribute(IS_PERSON, BOOL), Attribute("event_id", STRING)
    fields = extend_schema(kind.fields, *extra)
    known_kind = {**context.kinds, kind.name: type(kind)(kind.name, kind.data_class, fields, kind.adverse)}
    return pattern_event(CaseContext(context.case, context.file, context.program, context.day, known_kind), line)
