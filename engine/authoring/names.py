"""The names that rule files can use, each with its meaning: features, flags, reasons, lists, perks and the like.

Types come from the newest text that compiles. Ids and wordings come from the files as they are, so a name that you have just
written is there too.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from engine.lang.check.evidence import event_kinds
from engine.lang.model.problems import Report
from engine.lang.model.program import Program
from engine.lang.model.types import Attribute, EventKind, Kinds, Type, format_value
from engine.lang.syntax.ast import (
    ListFile,
    OrdersFile,
    PerksFile,
    PolicyFile,
    ReasonsFile,
    RuleFile,
    ScorecardFile,
    WatchFile,
)
from engine.lang.syntax.evidence_ast import EvidenceFile
from engine.lang.syntax.expression_tree import Word
from engine.lang.syntax.feature_lines import FeaturesFile
from engine.lang.syntax.parse import parse

FLAG_PREFIX: Final = "watch."
LIST_PREFIX: Final = "lists."
Texts = Sequence[tuple[Word, Word]]  # by language


@dataclass(frozen=True)
class NamedThing:
    """A name with its meaning in a few lines. `detail` is its type in a few words."""

    name: str
    lines: tuple[str, ...] = ()
    detail: str = ""


Things = dict[str, NamedThing]


@dataclass
class RuleNames:
    """All names by sort. `schema` types features and flags, `kinds` the fields of events, `requests` the fields of each perk."""

    schema: dict[str, Attribute] = field(default_factory=dict)
    kinds: dict[str, EventKind] = field(default_factory=dict)
    features: Things = field(default_factory=dict)
    flags: Things = field(default_factory=dict)
    reasons: Things = field(default_factory=dict)
    lists: Things = field(default_factory=dict)
    perks: Things = field(default_factory=dict)
    dimensions: Things = field(default_factory=dict)
    bands: Things = field(default_factory=dict)
    events: Things = field(default_factory=dict)
    states: Things = field(default_factory=dict)
    order_events: Things = field(default_factory=dict)
    refusals: Things = field(default_factory=dict)
    rules: Things = field(default_factory=dict)
    classes: Things = field(default_factory=dict)
    definitions: dict[str, Things] = field(default_factory=dict)  # by file
    requests: dict[str, Things] = field(default_factory=dict)  # by perk


def names_of(
    program: Program, files: Mapping[str, str], kinds: Kinds, meanings: Mapping[str, Sequence[str]], language: str
) -> RuleNames:
    """The names of a folder. `program` types them, `meanings` explain features by name, `language` is that of wordings."""
    names = RuleNames(schema=dict(program.schema), kinds=dict(kinds))
    if program.evidence:
        names.kinds = dict(event_kinds(program.evidence, kinds))
    names.classes = {name: NamedThing(name) for name in sorted({k.data_class for k in names.kinds.values()})}
    for name, attribute in program.schema.items():
        if not name.startswith(FLAG_PREFIX):
            names.features[name] = NamedThing(name, tuple(meanings.get(name, ())), type_text(attribute))
    for name, text in sorted(files.items()):
        rule_file = parse(name, text, Report())
        if rule_file is not None:
            _add(names, name, rule_file, language)
    for perk in program.perks:
        fields = {a.name: NamedThing(a.name, (), type_text(a)) for a in perk.request}
        names.requests.setdefault(perk.id, {}).update(fields)
    return names


def type_text(attribute: Attribute) -> str:
    """The type, bounds and unit of an attribute in a few words, such as `decimal(2), 0.00 to 1.00`."""
    type_ = attribute.type
    unit = f" {attribute.unit}" if attribute.unit and attribute.unit not in ("ratio", "minor units") else ""
    return f"{type_}{_bounds(type_)}{unit}"


def _bounds(type_: Type) -> str:
    if not type_.numeric or type_.moment or type_.high - type_.low > 10**8:
        return ""
    return f", {format_value(type_.low, type_)} to {format_value(type_.high, type_)}"


def _add(names: RuleNames, file: str, rule_file: RuleFile, language: str) -> None:
    match rule_file:
        case ScorecardFile():
            names.definitions[file] = _definitions(rule_file.define)
            names.dimensions |= {w.text: NamedThing(w.text, (), f"{n.text} %") for w, n in rule_file.dimensions}
            names.bands |= {b.name.text: NamedThing(b.name.text, (), b.lowest.text) for b in rule_file.bands}
            names.rules |= _ids((*rule_file.characteristics, *rule_file.rules))
        case PerksFile():
            names.definitions[file] = _definitions(rule_file.define)
            for perk in rule_file.perks:
                names.perks[perk.id.text] = NamedThing(perk.id.text, (perk.about.text,), perk.currency.text)
                names.rules |= _ids((*perk.knockouts, *perk.tiers))
                fields = {f"request.{w.text}": line for w, line in perk.request}
                names.requests[perk.id.text] = {
                    n: NamedThing(n, (), f.type.text if f else "") for n, f in fields.items()
                }
        case ReasonsFile():
            for word, texts in rule_file.reasons:
                names.reasons[word.text] = NamedThing(word.text, _in_language(texts, language))
        case ListFile():
            name = LIST_PREFIX + rule_file.id.text
            names.lists[name] = NamedThing(name, (rule_file.about.text,), str(len(rule_file.entries)))
        case WatchFile():
            for flag in rule_file.flags:
                name = FLAG_PREFIX + flag.id.text
                names.flags[name] = NamedThing(name, (flag.about.text,), "bool")
        case OrdersFile():
            _add_orders(names, file, rule_file)
        case EvidenceFile():
            for kind in rule_file.kinds:
                lines = _in_language(kind.about, language)
                names.events[kind.id.text] = NamedThing(kind.id.text, lines, kind.data_class.text)
        case FeaturesFile():
            for feature in rule_file.features:
                new = NamedThing(feature.id.text, _in_language(feature.about, language))
                names.features.setdefault(feature.id.text, new)
        case PolicyFile():
            names.classes |= _words((*rule_file.restricted, *rule_file.relationships))
        case _:
            pass


def _add_orders(names: RuleNames, file: str, orders: OrdersFile) -> None:
    names.definitions[file] = _definitions(orders.define)
    names.states |= _words(orders.states)
    names.order_events |= _words(orders.events)
    names.refusals |= _words(r.code for r in orders.refusals)
    names.rules |= _ids((*orders.refusals, *orders.moves))


def _definitions(define: Iterable[tuple[Word, object]]) -> Things:
    return _words(word for word, _ in define)


def _words(words: Iterable[Word]) -> Things:
    return {word.text: NamedThing(word.text) for word in words}


def _ids(lines: Iterable[object]) -> Things:
    return _words(_id_words(lines))


def _id_words(lines: Iterable[object]) -> Iterator[Word]:
    for line in lines:
        word = getattr(line, "id", None)
        if isinstance(word, Word):
            yield word


def _in_language(texts: Texts, language: str) -> tuple[str, ...]:
    by_language = {word.text: text.text for word, text in texts}
    text = by_language.get(language) or next(iter(by_language.values()), "")
    return (text,) if text else ()
