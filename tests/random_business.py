"""A random line of business: the events that can happen there, the features that are counted, and a ledger to count them in.

Everything follows from one seed. The files are texts as an operator writes them, and the events rows as a contributor sends them, so
a test can send both through any door.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cached_property
from random import Random
from typing import Any, Final

from engine.lang.check.release import release_of
from engine.lang.model import timezones
from engine.lang.model.program import Release
from graph.evidence.vocabulary import EventVocabulary, Kind
from graph.features.declared.definition import FeatureDefinition
from iftah.catalogue import kinds as shipped_kinds
from iftah.catalogue import schema, vocabulary_of
from iftah.declarations import feature_definitions

NOW: Final = datetime(2024, 2, 29, 12, tzinfo=UTC)
ANN, BOB, CYD = "ann-quill", "bob-heron", "cyd-swift"
PEOPLE: Final = (ANN, BOB, CYD)
SHOP: Final = "corner-shop"
CLASSES: Final = ("identity", "relationship", "behaviour", "restricted", "credit")
DAY: Final = timedelta(days=1)
MOMENT: Final = timedelta(microseconds=1)
TYPES: Final = ("bool", "int", "decimal", "money", "enum", "text", "date", "moment", "party")
WINDOWS: Final = ("1d", "40d", "365d", "all", "{months: 1}", "{months: 24}", "{months: 100}", "{full_months: 12}")
WORDS: Final = ("red", "dark_blue", "green")
DAYS: Final = ("2024-02-29", "2024-01-01", "2023-02-28")
TIE_KINDS: Final = """\
  - id: tie.formed
    about: {en: Two people are tied, zh: 两人有关系}
    class: relationship
    other: required
    counts_for: both
    fields: {tie: {type: tie, required: true}, strength: {type: int}}
  - id: tie.ended
    about: {en: The tie of two people ended, zh: 两人的关系结束}
    class: relationship
    other: required
    counts_for: both
    fields: {tie: {type: tie, required: true}}
"""
LEVEL: Final = """\
  - id: identity.level
    about: {en: Highest level to which the identity was proved, zh: 身份核实的最高等级}
    of: person.enrolled
    measure: max
    value: identity_level
    unit: level
"""
RULES: Final = {
    "trust.yaml": """\
kind: scorecard
score: {lowest: 0, highest: 100, base: 40}
scorable: {when: identity.level >= 0, reason: too_little}
bands: [{name: new, from: 0}, {name: regular, from: 45}]
dimensions: {identity: 100}
characteristics:
  - {id: level, feature: identity.level, dimension: identity, cuts: [2, 3], points: [0, 5, 10], missing: 0, reason: unproved}
""",
    "perks.yaml": """\
kind: perks
perks:
  - id: bicycle
    about: A bicycle without a deposit
    currency: EUR
    most: 300 EUR
    valid_hours: 12
    tiers:
      - {id: bicycle.regular, when: score >= 40, waive: {share: 100}}
""",
    "policy.yaml": """\
kind: policy
forbidden_classes: [religion, genetic, biometric, health]
forbidden_names: [religion, sex, gender, ethnicity, nationality, health, address]
restricted: [{restricted}]
relationships: [relationship]
relationships_share: 10
alarms: []
timezone: {zone}
""",
    "reasons.yaml": """\
kind: reasons
languages: [en, zh]
reasons:
  too_little: {en: Too little is known., zh: 信息太少。}
  unproved: {en: The identity is not proved., zh: 身份未核实。}
""",
}
Row = dict[str, Any]  # an event as a contributor sends it


@dataclass(frozen=True)
class Business:
    """What a line of business declares."""

    evidence: str
    features: str
    timezone: str

    @property
    def files(self) -> dict[str, str]:
        """The rule files, by name."""
        restricted = "restricted" if "class: restricted" in self.evidence else ""
        policy = RULES["policy.yaml"].replace("{zone}", self.timezone).replace("{restricted}", restricted)
        return {**RULES, "policy.yaml": policy, "evidence.yaml": self.evidence, "features.yaml": self.features}

    @cached_property
    def release(self) -> Release:
        """The rules. A problem in them is an error."""
        return release_of(self.files, schema(), shipped_kinds())

    @cached_property
    def vocabulary(self) -> EventVocabulary:
        """What can happen."""
        return vocabulary_of(self.release.evidence)

    @cached_property
    def definitions(self) -> tuple[FeatureDefinition, ...]:
        """The features."""
        return feature_definitions(self.release.programs[0])

    @property
    def zone(self) -> tzinfo:
        """The zone of the rules."""
        return timezones.zone(self.timezone)


def random_business(chooser: Random, *, ties: bool | None = None, features: int = 8) -> Business:
    """A vocabulary of up to four kinds with fields of every type, and features over it."""
    fields = [_field_line(chooser, n, chooser.choice(TYPES)) for n in range(chooser.randint(2, 9))]
    kinds = [_kind(chooser, n, fields) for n in range(chooser.randint(1, 4))]
    kinds += _obligations(chooser) if chooser.random() < 0.3 else []
    has_ties = chooser.random() < 0.3 if ties is None else ties
    head = "kind: evidence\nties: [friend, vouch]\ncategories: [wage, transfer, groceries]\nincome: [wage]\nkinds:\n"
    evidence = head + "".join(kinds) + (TIE_KINDS if has_ties else "")
    zone = chooser.choice(["UTC", "Asia/Shanghai", "America/New_York", "Europe/Oslo"])
    bare = Business(evidence, f"kind: features\nfeatures:\n{LEVEL}", zone)
    lines = [_feature(chooser, n, bare.vocabulary) for n in range(features)]
    counts = [f"declared.f{n}" for n, line in enumerate(lines) if "measure: count" in line]
    if counts:
        one, other = chooser.choice(counts), chooser.choice(counts)
        divided = chooser.choice(["", f", divided_by: {other}"])
        lines.append(
            f"{{id: declared.formula, about: {_about('z')}, formula: {one} * 2 - {other}{divided}, low: -100}}"
        )
    if has_ties:
        lines.append(f"{{id: declared.ties, about: {_about('t')}, of: ties, measure: count}}")
    return replace(bare, features=bare.features + "".join(f"  - {line}\n" for line in lines))


def _about(word: str) -> str:
    return f"{{en: 'about {word}', zh: '关于 {word}'}}"


def _field_line(chooser: Random, number: int, type_: str) -> tuple[str, str]:
    """A field and its keys. Some are columns of the ledger, which have a fixed type."""
    columns = {
        "money": ["amount"],
        "int": ["days_late"],
        "text": ["obligation", "service"],
        "date": ["due"],
        "enum": ["category", "channel"],
    }
    if type_ in columns and chooser.random() < 0.3:
        name = chooser.choice(columns[type_])
        keys = {"category": "type: category", "channel": "type: enum, values: [card, cash]"}
        return name, keys.get(name, f"type: {type_}")
    keys = {
        "int": chooser.choice(["type: int", "type: int, low: -5, high: 40"]),
        "decimal": f"type: decimal, digits: {chooser.choice([1, 2, 3])}",
        "money": chooser.choice(["type: money", "type: money, negative: true"]),
        "enum": f"type: enum, values: [{', '.join(WORDS)}]",
    }
    return f"{type_}_{number}", keys.get(type_, f"type: {type_}")


def _kind(chooser: Random, number: int, fields: Sequence[tuple[str, str]]) -> str:
    data_class = chooser.choice([*CLASSES, "behaviour", "credit"])
    scope = "both" if data_class == "relationship" else chooser.choice(["subject", "subject", "each", "both"])
    other = "required" if scope != "subject" else chooser.choice(["", "optional", "required"])
    limit = chooser.choice(["", "", "adverse: true", "years: 1", "years: 3"])
    chosen = {
        name: keys for name, keys in chooser.sample(fields, chooser.randint(1, len(fields))) if name != "obligation"
    }
    lines = [f"- id: trade.kind_{number}", f"about: {_about(f'kind {number}')}", f"class: {data_class}"]
    lines += [f"other: {other}"] if other else []
    lines += [f"counts_for: {scope}"] if scope != "subject" else []
    lines += [limit] if limit else []
    lines += ["fields:"] if chosen else []
    for name, keys in chosen.items():
        required = ", required: true" if chooser.random() < 0.4 else ""
        lines.append(f"  {name}: {{{keys}{required}}}")
    return "".join(f"  {'' if n == 0 else '  '}{line}\n" for n, line in enumerate(lines))


def _obligations(chooser: Random) -> list[str]:
    """Some steps in the life of an obligation."""
    steps = {"opened": "", "paid": "", "missed": "adverse: true, ", "settled": "", "written_off": "adverse: true, "}
    return [
        f"  - {{id: debt.{step}, about: {_about(step)}, class: credit, {adverse}step: {step}, "
        "fields: {obligation: {type: text, required: true}, due: {type: date}}}\n"
        for step, adverse in steps.items()
        if chooser.random() < 0.8
    ]


def _feature(chooser: Random, number: int, vocabulary: EventVocabulary) -> str:
    """A feature over one kind or two, in one line."""
    names = [k.name for k in vocabulary.declared_kinds if not k.name.startswith("tie.")]
    chosen = chooser.sample(names, min(len(names), chooser.choice([1, 1, 2])))
    kinds = [vocabulary.kind(name) for name in chosen]
    sides = ["subject", "other", "either"] if all("other" in k.fields for k in kinds) else ["subject"]
    window, types = chooser.choice(WINDOWS), _types(kinds, vocabulary)
    measure, value, more = _measure(chooser, types, window)
    keys = [f"id: declared.f{number}", f"about: {_about(f'f{number}')}", f"of: [{', '.join(chosen)}]"]
    keys += [f"as: {chooser.choice(sides)}", f"window: {window}", f"measure: {measure}"]
    keys += ([f"value: {value}"] if value else []) + more
    if measure in ("share", "time_share") or chooser.random() < 0.5:
        keys.append(f'where: "{_condition(chooser, types, any("other" in k.fields for k in kinds))}"')
    if chooser.random() < 0.4:
        keys.append("missing: zero")
    return "{" + ", ".join(keys) + "}"


def _types(kinds: Sequence[Kind], vocabulary: EventVocabulary) -> dict[str, str]:
    """The fields of any of the kinds that a condition or measure can read, with their types."""
    fields = {name for kind in kinds for name in kind.fields}
    columns = {"amount": "money", "days_late": "int", "due": "date", "obligation": "text", "service": "text"}
    columns |= {"category": "word", "channel": "word"}
    result = {name: columns[name] for name in sorted(fields) if name in columns}
    return result | {n: f.type for n, f in vocabulary.extra_fields.items() if n in fields and f.type != "currency"}


def _measure(chooser: Random, types: dict[str, str], window: str) -> tuple[str, str, list[str]]:
    numbers = [n for n, t in types.items() if t in ("int", "decimal", "money")]
    days = [n for n, t in types.items() if t == "date"]
    measures = ["count", "count", "days_since", "days_since_first", "months_with", "longest_gap", "share", "time_share"]
    measures += ["distinct"] if types else []
    measures += ["sum", "mean", "spread", "min", "max", "range", "latest", "first"] if numbers else []
    measures += ["latest", "first", "min", "max"] if days else []
    measures += ["monthly_share"] if "full" in window else []
    measure = chooser.choice(measures)
    if measure == "distinct":
        return measure, chooser.choice(sorted(n for n, t in types.items() if t != "moment") or sorted(types)), []
    if measure in ("min", "max", "latest", "first"):
        return _with_currency(measure, chooser.choice([*numbers, *days]), types)
    if measure in ("sum", "range", "mean", "spread"):
        return _with_currency(measure, chooser.choice(numbers), types)
    return measure, "", []


def _with_currency(measure: str, value: str, types: dict[str, str]) -> tuple[str, str, list[str]]:
    return measure, value, ["currency: EUR"] if types[value] == "money" else []


def _condition(chooser: Random, types: dict[str, str], has_other: bool) -> str:
    if chooser.random() < 0.25:
        return f"{_condition(chooser, types, has_other)} {chooser.choice(['and', 'or'])} {_condition(chooser, types, has_other)}"
    names = [*types, "age", "happened_on", *(["other_is_person"] if has_other else [])]
    name = chooser.choice(names)
    type_ = types.get(name, name)
    op = chooser.choice(["<", "<=", ">", ">="])
    word = chooser.choice(["card", "cash"] if name == "channel" else ["wage", "groceries"])
    texts = {
        "bool": chooser.choice([name, f"not {name}"]),
        "int": f"{name} {op} {chooser.choice([0, 3])}",
        "decimal": f"{name} {op} {chooser.choice(['0.5', '2'])}",
        "money": f"{name} {op} {chooser.choice(['5 EUR', '0 EUR', '1.50 EUR'])}",
        "enum": f"{name} in ['red', 'green']",
        "word": f"{name} == '{word}'",
        "text": f"{name} != 'common'",
        "party": f"{name} == '{BOB}'",
        "date": f"{name} {op} {chooser.choice(DAYS)}",
        "age": f"age {op} {chooser.choice(['1d', '365d', '12h'])}",
        "happened_on": f"happened_on {op} {chooser.choice(DAYS)}",
        "other_is_person": "other_is_person",
    }
    return texts.get(type_, f"{chooser.choice(['known', 'missing'])}({name})")
