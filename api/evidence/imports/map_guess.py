"""A first map of a source, guessed from its first rows: each line with the reason in a comment. Pure."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from api.evidence.imports.column_profiles import ColumnProfile
from api.evidence.imports.map_grammar import KIND_OF_FILE
from api.evidence.imports.map_tree import LINE

_SIMPLE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.]*")
_YAML_WORDS: Final = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
UNKNOWN: Final = "CHANGE_ME"  # no column has this name, so that an import names each line that is still to be written
_CONSENT: Final = """\
  # Without a consent, evidence does not count. Add this event only if your customers agreed to it:
  # - kind: consent.granted
  #   first_only: true
  #   set:
  #     event_id: {event_id}
  #     purpose: {{value: perks}}
  #     classes: {{value: "identity,behaviour"}}"""


@dataclass(frozen=True)
class _Roles:
    """The columns that we take for each part of an event; None: no column looks like it."""

    key: ColumnProfile | None
    person: ColumnProfile | None
    other: ColumnProfile | None
    time: ColumnProfile | None
    money: ColumnProfile | None
    currency: ColumnProfile | None
    quantity: ColumnProfile | None

    @property
    def sign(self) -> ColumnProfile | None:
        """The column that says by its sign whether money came or went, if one does."""
        return next((c for c in (self.quantity, self.money) if c and c.negatives), None)


def guess_map(columns: Sequence[ColumnProfile], contributor: str, delimiter: str = "") -> str:
    """The text of a map for a source with these columns. `delimiter`: of a CSV file, unless it is a comma."""
    roles = _roles(columns)
    lines = [f"kind: {KIND_OF_FILE}  # what each row of {contributor} becomes; try it with --dry-run"]
    if delimiter:
        lines.append(f"delimiter: {_quoted(delimiter)}  # the sign that the first line has most often")
    if roles.time is not None and not roles.time.zoned and not _unix(roles.time):
        lines.append(f"timezone: UTC  # {_name(roles.time)} does not say its zone: write the one of your clocks")
    if roles.sign is not None and _alias(roles.sign) != roles.sign.name:
        lines += ["columns:", f"  {_alias(roles.sign)}: {_name(roles.sign)}  # conditions take names in lower case"]
    lines += [
        "set:",
        f"  contributor: {{value: {_quoted(contributor)}}}  # the file's name, the same for each row: name yourself",
    ]
    lines += [*_subject(roles), *_time(roles), "events:", *_enrolment(roles), *_payment(roles)]
    lines += [_CONSENT.format(event_id=_template("consent", roles.person)), *_rest(columns, roles)]
    return "\n".join(lines) + "\n"


def _roles(columns: Sequence[ColumnProfile]) -> _Roles:
    columns = [c for c in columns if c.name and not set("{}") & set(c.name)]  # templates have no such names
    times = [c for c in columns if c.is_time and (not c.number or c.is_called("time"))]
    rest = [c for c in columns if c not in times and c.filled]
    currency = next((c for c in rest if c.currency), None)
    person = next((c for c in rest if c.is_called("person") and not c.fractions), None)
    amounts = [c for c in rest if c.number and c.is_called("money") and not c.is_id]
    quantities = [c for c in rest if c.number and not c.fractions and c.is_called("quantity")]
    keys = [c for c in rest if not c.fractions and c not in (*amounts, *quantities, person)]
    unique_keys = [c for c in keys if c.unique]
    key = next((c for c in unique_keys if c.is_called("id")), unique_keys[0] if unique_keys else None)
    if key is None and person is not None and person.unique:
        key = person
    money = next((c for c in amounts if c.decimals), amounts[0] if amounts else None)
    money = money or next((c for c in rest if c.decimals and c not in (key, person)), None)
    quantity = quantities[0] if quantities and money is not None and "price" in money.name.lower() else None
    parties = [c for c in rest if c.is_called("other") and not c.fractions and c not in (key, person, money, currency)]
    other = parties[0] if parties else None
    key = key or next((c for c in keys if c.is_id and c is not other), None)  # of several rows, such as an invoice
    time = next((c for c in times if c.is_called("time")), times[0] if times else None)
    return _Roles(key, person, other, time, money, currency, quantity)


def _subject(roles: _Roles) -> Iterator[str]:
    if roles.person is None:
        yield f"  subject: {UNKNOWN}  # no column has a name for a person: name the one with the person's id"
    else:
        yield f"  subject: {_name(roles.person)}  # its name is one for a person; {_counts(roles.person)}"


def _time(roles: _Roles) -> Iterator[str]:
    time = roles.time
    if time is None:
        yield f"  happened_at: {UNKNOWN}  # no column has times: name one, with its format"
    elif time.zoned or not time.formats:
        yield f"  happened_at: {_name(time)}  # most values are times{' with their zone' if time.zoned else ''}"
    else:
        format_text = time.formats[0]
        reason = "most values are such numbers" if _unix(time) else "most values fit this format"
        if len(time.formats) > 1:
            reason += f", and {' and '.join(time.formats[1:3])} too: check which it is"
        yield f"  happened_at: {{column: {_name(time)}, format: {_quoted(format_text)}}}  # {reason}"


def _enrolment(roles: _Roles) -> Iterator[str]:
    yield "  - kind: person.enrolled  # only people who are enrolled get a score"
    yield "    first_only: true  # a person has many rows: the first one enrols them"
    yield "    set:"
    yield f"      event_id: {_template('enrolled', roles.person)}  # one for each person"
    yield '      identity_level: {value: "1"}  # 0 none, 1 phone, 2 document, 3 document seen in person: check'


def _payment(roles: _Roles) -> Iterator[str]:
    if roles.money is None:
        return
    yield "  - kind: payment.made  # the rows have an amount; docs/events.md lists the other kinds"
    if roles.sign is not None:
        reason = "negative in other rows: perhaps refunds, which are events of another kind"
        yield f"    when: {_alias(roles.sign)} > 0  # {reason}"
    yield "    set:"
    if roles.key is None or not roles.key.unique:
        reason = "no column is different in each row: {#line} is the row's line in the file"
        yield f"      event_id: {_template('payment', roles.key or roles.person, line=True)}  # {reason}"
    else:
        yield f"      event_id: {_template('payment', roles.key)}  # {_name(roles.key)} is different in each row"
    if roles.other is None:
        yield "      other: {value: payee}  # no column has a name for the payee: name yourself, if it is you"
    else:
        yield f"      other: {_name(roles.other)}  # its name is one for the other party; {_counts(roles.other)}"
    yield from _amount(roles.money, roles.quantity)
    if roles.currency is None:
        yield "      currency: {value: CNY}  # no column has codes of ISO 4217: write your currency"
    else:
        yield f"      currency: {_name(roles.currency)}  # most values are codes of ISO 4217"


def _amount(money: ColumnProfile, quantity: ColumnProfile | None) -> Iterator[str]:
    keys, reasons = [f"column: {_name(money)}"], []
    if quantity is not None:
        keys.append(f"multiplied_by: {_name(quantity)}")
        reasons.append("a price and a quantity")
    if money.decimals:
        keys.append("scale: currency")
        reasons.append("numbers with a point: whole units, which the currency's minor units scale")
    else:
        reasons.append("whole numbers: taken as minor units (cents); if they are whole units, add scale: currency")
    if money.long:
        keys.append("rounding: half_up")
        reasons.append("more digits than money has: we round them")
    if not money.is_called("money"):
        reasons.append("its name does not speak of money: check")
    yield f"      amount: {{{', '.join(keys)}}}  # {'; '.join(reasons)}"


def _rest(columns: Sequence[ColumnProfile], roles: _Roles) -> Iterator[str]:
    """A comment on each column that the map does not use."""
    used = {column.name for column in vars(roles).values() if column is not None}
    for column in columns:
        if column.name not in used:
            words = f": {', '.join(column.words)}" if column.words else ""
            yield f"# not used: {_name(column)} ({_counts(column)}{words})".replace("\n", " ")


def _counts(column: ColumnProfile) -> str:
    return f"{column.distinct:,} different values in the first {column.rows:,} rows"


def _unix(column: ColumnProfile) -> bool:
    return bool(column.formats) and column.formats[0].startswith("unix")


def _template(word: str, column: ColumnProfile | None, *, line: bool = False) -> str:
    end = f"-{{{LINE}}}" if line else ""
    return json.dumps(f"{word}-{{{UNKNOWN if column is None else column.name}}}{end}", ensure_ascii=False)


def _alias(column: ColumnProfile) -> str:
    """A name for the column in conditions."""
    return re.sub(r"[^a-z0-9_]", "_", column.name.lower()) if column.name[:1].isalpha() else "amount"


def _name(column: ColumnProfile) -> str:
    return _quoted(column.name)


def _quoted(text: str) -> str:
    """The text as a scalar of YAML."""
    plain = _SIMPLE.fullmatch(text) and text.lower() not in _YAML_WORDS
    return text if plain else json.dumps(text, ensure_ascii=False)
