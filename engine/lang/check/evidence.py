"""Check the evidence file: kinds and fields that fit each other, and the names that the engine keeps."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final, cast

from engine.lang.check.ids import check_unique
from engine.lang.model.evidence import Evidence, FieldDefinition, FieldForm, KindDefinition, Scope
from engine.lang.model.problems import Report
from engine.lang.model.types import DATE, MAX_INTEGER, PRECISE_MOMENT, STRING, Attribute, EventKind, Kinds, Type
from engine.lang.syntax.evidence_ast import EventFieldLine, EventKindLine, EvidenceFile
from engine.lang.syntax.expression_tree import Number, Word
from engine.lang.syntax.schema_types import suggestion

MAX_AMOUNT: Final = 10**15  # minor units
REFERENCE: Final = "ref_event"  # the field in which a kind that takes another back names the event
# Names of the engine's own kinds begin so.
OWN_WORDS: Final = ("person", "consent", "dispute", "event", "order")
# Columns that every event has, and those of the engine's own kinds.
OWN_FIELDS: Final = frozenset(
    {
        *("contributor", "event_id", "kind", "subject", "other", "happened_at", "recorded_at", "data", "fields"),
        *("identity_level", "currency", "order", "purpose", "classes", "until", "outcome", "statement"),
        *("ref_contributor", "ref_event", "age", "as_of", "happened_on", "time_of_day", "person", "party"),
        # Columns that the computation of features adds to events.
        *("at", "month", "local_time", "match", "for_subject", "for_other", "ended_at", "disputed"),
    }
)
# Fields that have a column of their own in the ledger, with the only type that fits it.
COLUMN_FORMS: Final[dict[str, FieldForm]] = {
    "amount": "money",
    "category": "category",
    "channel": "enum",
    "obligation": "text",
    "due": "date",
    "service": "text",
    "days_late": "int",
    "tie": "tie",
    "strength": "int",
}
COLUMN_BOUNDS: Final = {"days_late": (0, 36_500), "strength": (-10, 10)}
_NUMBERS: Final = ("int", "decimal", "money")


def check_evidence(file: EvidenceFile, report: Report) -> Evidence:
    """Build what the file declares. Problems are added to `report`; discard the result if there are any."""
    check_unique((line.id for line in file.kinds), report)
    for word in file.income:
        if word.text not in {w.text for w in file.categories}:
            hint = suggestion(word.text, (w.text for w in file.categories))
            report.add("R703", f"`{word.text}` is not among the `categories`", word.at, hint)
    fields: dict[str, FieldDefinition] = {}
    kinds = tuple(_kind(line, file, fields, report) for line in file.kinds)
    ties, categories, income = (tuple(w.text for w in words) for words in (file.ties, file.categories, file.income))
    return Evidence(ties, categories, income, kinds, tuple(fields.values()))


def _kind(
    line: EventKindLine, file: EvidenceFile, fields: dict[str, FieldDefinition], report: Report
) -> KindDefinition:
    first = line.id.text.partition(".")[0]
    if first in OWN_WORDS:
        report.add("R701", f"kinds that begin with `{first}.` are the engine's own", line.id.at, "choose another word")
    required, optional = (
        ["other"] if line.other and line.other.text == word else [] for word in ("required", "optional")
    )
    for name, of in line.fields:
        field = _field(name, of, file, fields, report) if of else None
        if field and of:
            names = (field.name, field.currency) if field.form == "money" else (field.name,)
            (required if of.required else optional).extend(names)
    if line.reverses:
        required.append(REFERENCE)
    _check_parts(line, file, {*required, *optional}, report)
    return KindDefinition(
        line.id.text,
        tuple((language.text, text.text) for language, text in line.about),
        line.data_class.text,
        cast("Scope", line.counts_for.text if line.counts_for else "subject"),
        tuple(required),
        tuple(optional),
        line.adverse,
        line.years.whole if line.years else None,
        line.step.text.replace("_", " ") if line.step else "",
        line.reverses.text if line.reverses else "",
        any(of is not None and of.negative for name, of in line.fields if name.text == "amount"),
    )


def _check_parts(line: EventKindLine, file: EvidenceFile, names: set[str], report: Report) -> None:
    """The parts of a kind fit each other."""
    if line.counts_for and line.counts_for.text != "subject" and line.other is None:
        text = f"`{line.id.text}` has no second party to count for"
        report.add("R703", text, line.counts_for.at, "write `other: required`, or leave `counts_for` out")
    if line.data_class.text == "relationship" and (line.counts_for is None or line.counts_for.text != "both"):
        text = "evidence of relationships counts for both parties, or for neither"
        report.add("R703", text, line.data_class.at, "write `counts_for: both`")
    if line.step and ("obligation" not in names or line.data_class.text != "credit"):
        text = f"`{line.id.text}` is a step of an obligation, without its class or its id"
        report.add(
            "R703", text, line.step.at, "write `class: credit`, and a field `obligation: {type: text, required: true}`"
        )
    if line.years and (line.step or line.adverse):
        text = "the years of adverse evidence, and of obligations, are the law's"
        report.add("R703", text, line.years.at, "leave `years` out: we drop it five years after it ended")
    if line.reverses:
        _check_reversal(line, line.reverses, file, report)


def _check_reversal(line: EventKindLine, word: Word, file: EvidenceFile, report: Report) -> None:
    kind = next((k for k in file.kinds if k.id.text == word.text), None)
    if kind is None or kind.reverses or kind.id.text == line.id.text:
        hint = suggestion(word.text, (k.id.text for k in file.kinds if not k.reverses))
        report.add("R703", f"`{word.text}` is no kind that can be taken back", word.at, hint)
        return
    shared = ("data_class", "counts_for", "other")
    if any(_text(getattr(kind, name)) != _text(getattr(line, name)) for name in shared):
        text = f"`{line.id.text}` and `{word.text}` differ in class or parties"
        report.add("R703", text, word.at, "give both the same `class`, `other` and `counts_for`")
    elif (kind.years and kind.years.whole) != (line.years and line.years.whole) or kind.adverse != line.adverse:
        text = f"`{line.id.text}` and `{word.text}` do not count for the same time"
        report.add("R703", text, word.at, "give both the same `years` and `adverse`")


def _text(word: Word | None) -> str | None:
    return word.text if word else None


def _field(
    name: Word, line: EventFieldLine, file: EvidenceFile, fields: dict[str, FieldDefinition], report: Report
) -> FieldDefinition | None:
    """The field, of the same type as in the kinds before; None with the reason in the report."""
    form = cast("FieldForm", line.type.text)
    if name.text in OWN_FIELDS or name.text.endswith("_currency"):
        report.add("R701", f"`{name.text}` is a field of the engine's own", name.at, "choose another name")
        return None
    if COLUMN_FORMS.get(name.text, form) != form:
        hint = "write that, or choose another name"
        report.add("R702", f"`{name.text}` is always of the type `{COLUMN_FORMS[name.text]}`", line.type.at, hint)
        return None
    if any([_has_misfit(line, form, report), _has_wrong_bounds(name, line, form, report)]):
        return None
    scale = 10 ** (line.digits.whole if line.digits else 0)
    low, high = (_scaled(n, scale) for n in (line.low, line.high))
    if form == "money" and name.text != "amount" and not line.negative:
        low, high = 0, MAX_AMOUNT
    elif form in _NUMBERS and (low is None or high is None) and name.text not in COLUMN_FORMS:
        low, high = -MAX_INTEGER if low is None else low, MAX_INTEGER if high is None else high
    words = {"category": file.categories, "tie": file.ties}.get(form, line.values)
    field = FieldDefinition(
        name.text, form, line.digits.whole if line.digits else 0, tuple(w.text for w in words), low, high
    )
    if fields.setdefault(name.text, field) != field:
        hint = "write it alike in all kinds, or choose another name"
        report.add("R702", f"`{name.text}` differs from the field of that name above", name.at, hint)
        return None
    return field


def _has_misfit(line: EventFieldLine, form: str, report: Report) -> bool:
    """Whether a key is there that the type does not take, or is not there that it needs; we report it."""
    problems = tuple(_misfits(line, form))
    for text, hint in problems:
        report.add("R702", text, line.type.at, hint)
    return bool(problems)


def _misfits(line: EventFieldLine, form: str) -> Iterator[tuple[str, str]]:
    if (form == "decimal") != (line.digits is not None):
        yield (
            ("a decimal needs `digits`", "such as `digits: 2`")
            if form == "decimal"
            else ("only a decimal has `digits`", "leave them out")
        )
    if (form == "enum") != bool(line.values):
        yield (
            ("an enum needs `values`", "list its words")
            if form == "enum"
            else ("only an enum has `values`", "leave them out")
        )
    if (line.low or line.high) and form not in ("int", "decimal"):
        yield "only a number has `low` and `high`", "leave them out"
    if line.negative and form != "money":
        yield "only money has `negative`", "write `low` for a number"


def _has_wrong_bounds(name: Word, line: EventFieldLine, form: str, report: Report) -> bool:
    if line.low and line.high and Decimal(line.low.text) > Decimal(line.high.text):
        report.add("R702", "`low` is above `high`", line.low.at, "exchange them")
        return True
    digits = line.digits.whole if line.digits else 0
    for number in (line.low, line.high):
        if number and form in ("int", "decimal") and Decimal(number.text).scaleb(digits) % 1:
            report.add("R702", f"`{number.text}` has more digits than the field", number.at, "round it")
            return True
    if name.text in COLUMN_FORMS and (line.low or line.high):
        report.add("R702", f"the bounds of `{name.text}` are fixed", line.at, "leave them out")
        return True
    return False


def _scaled(number: Number | None, scale: int) -> int | None:
    return None if number is None else int(Decimal(number.text) * scale)


def event_kinds(evidence: Evidence, own: Kinds) -> Kinds:
    """The kinds that patterns and features can name: the declared ones and, of `own`, the engine's."""
    types = {attribute.name: attribute for field in evidence.fields for attribute in _attributes(field)}
    kinds = {name: kind for name, kind in own.items() if name.partition(".")[0] in OWN_WORDS}
    for kind in evidence.kinds:
        names = (*kind.required, *kind.optional)
        fields = {name: types.get(name, Attribute(name, STRING)) for name in names}
        kinds[kind.name] = EventKind(kind.name, kind.data_class, fields, kind.adverse, kind.reverses)
    return kinds


def _attributes(field: FieldDefinition) -> Iterator[Attribute]:
    if field.form == "money":
        yield Attribute(field.name, Type("money", low=-MAX_AMOUNT, high=MAX_AMOUNT), currency=field.currency)
        yield Attribute(field.currency, STRING)
        return
    yield Attribute(field.name, _plain_type(field))


def _plain_type(field: FieldDefinition) -> Type:
    if field.form in ("enum", "category", "tie"):
        return Type("enum", values=field.values)
    low, high = COLUMN_BOUNDS.get(field.name, (field.low, field.high))
    if field.form in ("int", "decimal"):
        kind: Any = field.form
        return Type(
            kind, field.digits, low=-MAX_INTEGER if low is None else low, high=MAX_INTEGER if high is None else high
        )
    return {"bool": Type("bool"), "date": DATE, "moment": PRECISE_MOMENT}.get(field.form, STRING)
