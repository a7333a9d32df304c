"""An import map and the columns of a source -> the plan of the import, or every problem of the map with its place. Pure."""

from collections.abc import Mapping
from dataclasses import replace

import polars as pl

from api.evidence.imports.cells import Conversion, SourceColumn
from api.evidence.imports.columns import SourceColumns
from api.evidence.imports.conditions import RowCondition, compile_condition
from api.evidence.imports.event_targets import KEY_FIELDS, EventTargets, FieldTarget, currency_fields
from api.evidence.imports.field_checks import FieldContext, compile_field
from api.evidence.imports.map_tree import EventEntry, FieldSource, FieldSources, ImportMap
from api.evidence.imports.mapping import EventPlan, ImportPlan
from engine.lang.model.currencies import CURRENCY_DIGITS, money_flaw
from engine.lang.model.problems import Report
from engine.lang.model.types import parse_number
from engine.lang.syntax.expression_tree import Word

_ID_HINT = 'build it from the key of your row, as in "order-{id}": a rerun must make the same id'


def compile_map(
    import_map: ImportMap, targets: EventTargets, source: str, columns: tuple[SourceColumn, ...], report: Report
) -> ImportPlan | None:
    """The plan for a source with these columns; None, with every reason in the report. `source`: its name, for messages."""
    before = len(report.problems)
    aliases = {alias.text: (name.text, name.at) for alias, name in import_map.columns}
    by_name = SourceColumns(source, columns, aliases)
    for alias, _ in import_map.columns:
        by_name.cell(alias.text, alias.at, report)
    _check_common_fields(import_map, targets, report)
    _check_ids(import_map, report)
    timezone = import_map.timezone.text if import_map.timezone else None
    plans = [_event(entry, import_map, targets, by_name, timezone, report) for entry in import_map.events]
    if len(report.problems) > before:
        return None
    empty = tuple(word.text for word in import_map.empty)
    used = tuple(column.key for column in columns if column.key in by_name.used)
    return ImportPlan(columns, empty, tuple(plan for plan in plans if plan is not None), used)


def _check_common_fields(import_map: ImportMap, targets: EventTargets, report: Report) -> None:
    """Report fields of all events that no event of the map can have."""
    possible = {name for entry in import_map.events for name in targets[entry.kind.text]}
    for name, _ in import_map.fields:
        if name.text not in possible:
            report.add("R013", f"no event of the map has a field `{name.text}`", name.at, "leave it out")


def _fields_of(entry: EventEntry, import_map: ImportMap, targets: EventTargets, report: Report) -> FieldSources:
    """The fields of an event: its own, and those of all events that its kind has and it does not fill itself.

    A constant amount, `1000.50 CNY`, fills both the amount and its currency.
    """
    own = {name.text for name, _ in entry.fields}
    kind = targets[entry.kind.text]
    common = ((name, line) for name, line in import_map.fields if name.text in kind and name.text not in own)
    lines = (*common, *entry.fields)
    amounts = [kind[name.text] for name, line in lines if name.text in kind and _is_amount(line, kind[name.text])]
    currencies = {target.currency for target in amounts}
    for name, _ in entry.fields:
        if name.text in currencies:
            report.add("R015", f"the amount brings its `{name.text}` along", name.at, "take it out here")
    rest = [(name, line) for name, line in lines if name.text not in currencies]
    return tuple(pair for name, line in rest for pair in _amount_parts(name, line, kind.get(name.text), report))


def _is_amount(line: FieldSource | None, target: FieldTarget) -> bool:
    """Whether the line is a constant amount of money with its currency."""
    return bool(line and line.value and target.currency and " " in line.value.text)


def _amount_parts(name: Word, line: FieldSource | None, target: FieldTarget | None, report: Report) -> FieldSources:
    """The field; of an amount of money with its currency, the whole minor units and the field of the currency."""
    if line is None or line.value is None or target is None or not _is_amount(line, target):
        return ((name, line),)
    if flaw := money_flaw(line.value.text):
        report.add("R013", flaw[0], line.value.at, flaw[1])
        return ((name, None), (Word(target.currency, name.at), None))
    number, currency = line.value.text.split(" ")
    units = Word(str(parse_number(number, CURRENCY_DIGITS[currency])), line.value.at)
    own = replace(line, value=Word(currency, line.value.at))
    return ((name, replace(line, value=units)), (Word(target.currency, name.at), own))


def _check_ids(import_map: ImportMap, report: Report) -> None:
    """Report events whose ids would be the same: those of one row, or those of all rows."""
    conditional: dict[
        tuple[object, object], bool
    ] = {}  # by contributor and id: whether all such events have a condition
    for entry in import_map.events:
        lines = {name.text: line for name, line in (*import_map.fields, *entry.fields)}
        if "event_id" not in lines:
            continue
        line = lines["event_id"]
        if line is None:
            continue
        _check_id(line, report)
        key = _content(lines.get("contributor")), _content(line)
        has_condition = entry.when is not None
        if not (has_condition and conditional.get(key, True)) and key in conditional:
            message = "two events of one row would have the same `event_id`"
            report.add("R015", message, line.at, 'begin each with a word of its own, as in "payment-{id}"')
        conditional[key] = has_condition and conditional.get(key, True)


def _content(line: FieldSource | None) -> object:
    """A field without its places."""
    if line is None:
        return None
    if line.template is not None:
        return tuple(part.text if isinstance(part, Word) else ("text", part) for part in line.template.parts)
    return (line.column.text,) if line.column else ("text", line.value.text if line.value else "")


def _check_id(line: FieldSource, report: Report) -> None:
    template = line.template
    if line.value is not None or (template is not None and not template.holes):
        report.add("R013", "each row would make the same `event_id`", line.at, _ID_HINT)
    if template is None:
        return
    for left, right in zip(template.parts, template.parts[1:], strict=False):
        if isinstance(left, Word) and isinstance(right, Word):
            message = f"`{left.text[:40]}` and `{right.text[:40]}` run together: 1 and 23 make the id of 12 and 3"
            report.add("R013", message, right.at, "put a sign between them, as in {a}-{b}")


def _event(
    entry: EventEntry,
    import_map: ImportMap,
    targets: EventTargets,
    columns: SourceColumns,
    timezone: str | None,
    report: Report,
) -> EventPlan | None:
    kind = targets[entry.kind.text]
    lines = _fields_of(entry, import_map, targets, report)
    _check_fields(entry, {name.text: name for name, _ in lines}, kind, report)
    condition = _condition(entry, columns, report)
    context = FieldContext(columns, timezone, {}, report)
    fields: dict[str, Conversion] = {}
    money = currency_fields(kind)
    for name, line in sorted(lines, key=lambda pair: pair[0].text in money):  # currencies before amounts
        if name.text not in kind:
            continue
        conversion = compile_field(kind[name.text], line, context) if line else None
        if conversion is not None:
            fields[name.text] = conversion
        value = conversion.value if conversion else pl.lit(None, pl.String)  # the report says why
        amounts = [amount for amount, currency in money.items() if currency == name.text]
        context.currencies.update(dict.fromkeys(amounts, value))
    ordered = tuple((name, fields[name]) for name in kind if name in fields)
    return EventPlan(entry.kind.text, ordered, condition, first_only=entry.first_only)


def _condition(entry: EventEntry, columns: SourceColumns, report: Report) -> RowCondition | None:
    if entry.when is None:
        return None
    return compile_condition(entry.when, lambda name, at: columns.cell(name, at, report), report)


def _check_fields(entry: EventEntry, names: dict[str, Word], kind: Mapping[str, FieldTarget], report: Report) -> None:
    """Report fields that the kind does not have, and fields that it needs and the map does not fill."""
    for name, _ in entry.fields:
        if name.text not in kind:
            optional = ", ".join(f"`{field}`" for field in kind if field not in KEY_FIELDS)
            message = f"`{name.text}` does not belong to {entry.kind.text}"
            report.add("R013", message, name.at, f"besides {', '.join(KEY_FIELDS)} it has {optional}")
    absent = [f"`{field}`" for field, target in kind.items() if target.required and field not in names]
    if absent:
        verb = "is" if len(absent) == 1 else "are"
        message = f"{entry.kind.text} needs {', '.join(absent)}, which {verb} not set"
        report.add("R011", message, entry.kind.at, "add each under `set`, of this event or of the map")
    for amount, currency in currency_fields(kind).items():
        pair = [field for field in (amount, currency) if field in names and field in kind]
        if len(pair) == 1 and not absent and currency in kind:
            message = f"`{amount}` and `{currency}` go together, and only `{pair[0]}` is set"
            report.add("R011", message, names[pair[0]].at, "set both or neither")
