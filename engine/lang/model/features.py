"""Define the compiled form of features that a rule file declares."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Final

from engine.lang.model.conditions import Num, Truth
from engine.lang.model.types import Attribute, Schema, Type

UNHASHED: Final = ("about", "effort", "formerly", "version")  # no value depends on them


@dataclass(frozen=True)
class FeatureWindow:
    """The period before `as_of`: a length in seconds, calendar months, the last full calendar months, or all of the past."""

    seconds: int | None = None
    months: int | None = None
    full_months: int | None = None


@dataclass(frozen=True)
class ConversionRate:
    """`divisor` minor units of a currency are worth `dividend` minor units of the currency of a feature."""

    currency: str
    dividend: int
    divisor: int


@dataclass(frozen=True)
class ValueField:
    """A field that a measure reads: its type, and the field with its currency if it is an amount of money.

    `rates` convert amounts to the currency of the feature, which the first rate names. Without rates, all amounts must be
    in one currency, whichever it is.
    """

    name: str
    type: Type
    currency: str | None = None
    rates: tuple[ConversionRate, ...] = ()


@dataclass(frozen=True)
class DeclaredFeature:
    """A feature over events, ties or neighbours, or a formula over other features.

    `type` has the digits and bounds of its value, `classes` the data classes of all its evidence, the strictest first.
    `within` is in seconds. `version` is the hash of its meaning, with that of the features it uses.
    """

    name: str
    about: Mapping[str, str]  # by language; the language of a single text is empty
    source: str  # events, ties, neighbours or features
    kinds: tuple[str, ...]
    role: str
    window: FeatureWindow
    where: Truth | None
    among: Truth | None
    measure: str
    value: ValueField | None
    less: tuple[str, ...]  # the kinds of events whose value comes off the event that they take back
    fields: tuple[tuple[str, str], ...]  # the fields of events that it reads, with the kinds of their types
    within: int
    steps: int
    formula: Num | None
    divisor: Num | None
    type: Type
    rounds_down: bool
    is_zero_default: bool
    is_money: bool
    is_internal: bool
    unit: str
    direction: str
    effort: int | None
    classes: tuple[str, ...]
    formerly: str = ""  # its name in an earlier version of the rules
    uses: tuple[str, ...] = ()
    version: str = ""

    @property
    def attribute(self) -> Attribute:
        """The feature as rules read it."""
        data_class, *extra = self.classes or ("",)
        return Attribute(
            self.name, self.type, data_class, self.unit, tuple(extra), self.formerly, direction=self.direction
        )


def canonical_text(node: object) -> str:
    """The one text of a condition or number: equal texts mean the same."""
    return json.dumps(_plain(node), ensure_ascii=False, separators=(",", ":"))


def with_versions(features: Mapping[str, DeclaredFeature], order: tuple[str, ...]) -> dict[str, DeclaredFeature]:
    """The features with their versions. In `order`, each comes after those that it uses."""
    result = dict[str, DeclaredFeature]()
    for name in order:
        feature = features[name]
        own = [[f.name, _plain(getattr(feature, f.name))] for f in fields(feature) if f.name not in UNHASHED]
        text = json.dumps([own, [result[n].version for n in feature.uses if n in result]], ensure_ascii=False)
        result[name] = replace(feature, version=hashlib.sha256(text.encode()).hexdigest())
    return result


def attributes(features: Mapping[str, DeclaredFeature]) -> Schema:
    """The features that rules can read."""
    return {name: f.attribute for name, f in features.items() if not f.is_internal}


def _plain(node: Any) -> Any:
    """The value as lists and scalars, without what does not change its meaning, such as the spelling of a number."""
    if is_dataclass(node) and not isinstance(node, type):
        return [type(node).__name__, *(_plain(getattr(node, f.name)) for f in fields(node) if f.compare)]
    if isinstance(node, tuple | list):
        return [_plain(item) for item in node]
    return node if node is None or isinstance(node, bool | int | str) else str(node)
