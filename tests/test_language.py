"""Run docs/language.md: its files are valid, its cases pass, its conditions give the stated results, and its keys are
complete.

After you change the grammar or the key docs, run `python -m tests.test_language` to write the tables of keys again.
"""

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import product
from typing import Final, get_args

import pytest
from typer.main import get_group

from api.cli.main import COMMANDS, app
from api.releases.catalogue import kinds
from api.releases.feature_cases import case_features
from engine.decide.perks import Outcome
from engine.lang.check import resolve
from engine.lang.check.feature_events import EVENT_NAMES, SIDE_NAMES
from engine.lang.check.orders import schema_of
from engine.lang.engines.reference import truth
from engine.lang.engines.trace import causes
from engine.lang.model.conditions import AS_OF, And, Const, Not, Or, Truth
from engine.lang.model.problems import Report
from engine.lang.model.program import AMOUNT, SCORE
from engine.lang.model.types import DATE, Attribute, Kind, Schema, Type, Value, value_of
from engine.lang.syntax import expressions
from engine.lang.syntax.feature_grammar import MEASURES, OneOrMoreType, TextsType, WindowType
from engine.lang.syntax.grammar import KINDS
from engine.lang.syntax.key_docs import KEYS
from engine.lang.syntax.money_types import AmountType, RateType
from engine.lang.syntax.parse import parse
from engine.lang.syntax.schema_types import (
    REQUIRED,
    BoolType,
    ConditionType,
    DateType,
    ListType,
    NumberType,
    QuantityType,
    RecordType,
    SchemaType,
    TextType,
)
from engine.lang.syntax.schema_types import TableType as Names
from engine.verify import cases
from iftah.shipped import shipped_schema
from tests.manual import (
    DAY,
    LANGUAGE,
    FencedBlock,
    base_files,
    blocks,
    check_files,
    code_spans,
    program,
    tables,
    with_example,
)

FORMS: Final = {"yaml base", "yaml check", "yaml refused", "yaml cases", "text grammar"}
MARK: Final = re.compile(r"# *((?:R\d{3}(?:, )?)+)$")
STATUS: Final[dict[str, bool | None]] = {"met": True, "not met": False, "unknown": None}
KEYS_HEAD: Final = ("value", "needed", "meaning")
HEADS: Final = {
    *(("condition", "given", "comes out"), ("refused", "problem", "why, and what to write")),
    *(("type", "such as", "not", "what it is"), ("sign", "asks"), ("name", "in", "what it is")),
    *(("and", *STATUS), ("or", *STATUS), ("a", "not a"), ("name", "type", "what it is")),
    *(("kind", "usual file", "says", "needed"), ("outcome", "when"), ("command", "does")),
    *(("name", "type", "what it is", "of"), ("measure", "value", "needs")),
}


def blocks_of_form(info: str) -> list[FencedBlock]:
    return [b for b in blocks(LANGUAGE) if b.info == info]


def rows(*head: str) -> list[tuple[str, ...]]:
    """The rows of every table with that head."""
    return [row for table in tables(LANGUAGE) if table.head == head for row in table.rows]


def block_id(block: FencedBlock) -> str:
    return f"line-{block.line}"


def test_every_block_and_table_has_a_form_that_a_test_runs() -> None:
    assert {b.info for b in blocks(LANGUAGE)} == FORMS
    assert {t.head for t in tables(LANGUAGE) if t.head[1:] != KEYS_HEAD} == HEADS


# Blocks


def test_the_whole_files_of_the_page_are_rules_that_check_one_of_each_kind() -> None:
    assert check_files(base_files())[1] == ()
    read = {type(parse(name, text, Report())) for name, text in base_files().items()}
    assert len(read) == len(KINDS) == len(base_files())


@pytest.mark.parametrize("block", blocks_of_form("yaml check"), ids=block_id)
def test_example_lines_check(block: FencedBlock) -> None:
    assert check_files(with_example(block.text, base_files()))[1] == ()


@pytest.mark.parametrize("block", blocks_of_form("yaml refused"), ids=block_id)
def test_each_marked_line_is_refused_with_its_codes_and_no_other_is(block: FencedBlock) -> None:
    marks = {n: MARK.search(line) for n, line in enumerate(block.text.split("\n"), 1)}
    expected = [(block.file, n, code) for n, match in marks.items() if match for code in match[1].split(", ")]
    assert expected
    _, problems = check_files(with_example(block.text, base_files()))
    assert Counter((p.at.file, p.at.line, p.code) for p in problems) == Counter(expected), "\n".join(map(str, problems))


def files_before(block: FencedBlock) -> dict[str, str]:
    """The files for a block of cases: the page's files, with all valid examples before the block under the same
    heading.
    """
    files = base_files()
    for other in blocks_of_form("yaml check"):
        if (other.section, other.line < block.line) == (block.section, True):
            files = with_example(other.text, files)
    return {name: text for name, text in files.items() if not name.endswith(".cases.yaml")}


OF_CASES: Final = [
    *blocks_of_form("yaml cases"),
    *(b for b in blocks_of_form("yaml base") if b.file.endswith(".cases.yaml")),
]


@pytest.mark.parametrize("block", OF_CASES, ids=block_id)
def test_example_cases_pass(block: FencedBlock) -> None:
    files = files_before(block) | {block.file: block.text}
    release, problems = check_files(files)
    assert release, "\n".join(map(str, problems))
    outcomes = list(cases.run(release, files, shipped_schema(), kinds(), case_features))
    assert [(o.name, o.failures) for o in outcomes if o.failures or not outcomes] == []


def test_the_grammar_is_that_of_the_parser() -> None:
    (block,) = blocks_of_form("text grammar")
    assert (expressions.__doc__ or "").endswith(block.text)


# Conditions, as a knock-out of the page's perk


def with_condition(condition: str) -> dict[str, str]:
    text = condition.replace('"', r"\"")
    line = f'- {{id: asked, when: "{text}", unknown: pass, reason: missed}}'
    return with_example(f"# perks.yaml\nperks:\n  - id: hotel\n    knockouts:\n      {line}\n", base_files())


@cache
def perk_names() -> Schema:
    """The names that the page's perk can use, except for the score."""
    base_program = program(base_files())
    perk = base_program.perk("hotel")
    assert perk
    extra = (
        *perk.request,
        Attribute(AMOUNT, perk.money),
        Attribute(AS_OF, DATE),
        Attribute(SCORE, Type("int")),
    )
    return {**base_program.schema, **{a.name: a for a in extra}}


def values_of(cell: str) -> dict[str, Value]:
    """The values in a cell: `name: value`, or nothing."""
    assert code_spans(cell) or cell == "nothing"
    values: dict[str, Value] = {AS_OF: DAY}
    for pair in code_spans(cell):
        name, _, text = pair.partition(": ")
        value = value_of(text, perk_names()[name].type)
        assert value is not None, pair
        values[name] = value
    return values


@pytest.mark.parametrize(("condition", "cell", "expected"), rows("condition", "given", "comes out"))
def test_a_condition_evaluates_to_the_value_in_the_table(condition: str, cell: str, expected: str) -> None:
    compiled = program(with_condition(*code_spans(condition))).stages["hotel"]["asked"]
    values = values_of(cell)
    status = next(word for word, status in STATUS.items() if status is truth(compiled, values))
    cause_names = ", ".join(f"`{name}`" for name in causes(compiled, values))
    assert (f"{status} because of {cause_names}" if cause_names else status) == expected


@pytest.mark.parametrize(
    ("condition", "code"), [row[:2] for row in rows("refused", "problem", "why, and what to write")]
)
def test_a_condition_is_refused_with_the_code_in_the_table(condition: str, code: str) -> None:
    _, problems = check_files(with_condition(*code_spans(condition)))
    assert [p.code for p in problems] == [code], "\n".join(map(str, problems))


@pytest.mark.parametrize(("type_", "good", "bad"), [row[:3] for row in rows("type", "such as", "not", "what it is")])
def test_a_literal_fits_a_type_or_is_refused(type_: str, good: str, bad: str) -> None:
    field = next(a.name for a in perk_names().values() if a.name.startswith("request.") and f"`{a.type.kind}`" == type_)
    for literal in code_spans(good):
        assert check_files(with_condition(f"{field} == {literal}"))[1] == (), literal
    for literal in code_spans(bad):
        assert check_files(with_condition(f"{field} == {literal}"))[1] != (), literal


def test_the_logic_tables_equal_the_reference() -> None:
    words = {status: word for word, status in STATUS.items()}

    def status_word(expression: Truth) -> str:
        return words[truth(expression, {})]

    for head, join in (("and", And), ("or", Or)):
        table = [
            (row[0], word, cell) for row in rows(head, *STATUS) for word, cell in zip(STATUS, row[1:], strict=True)
        ]
        assert table == [
            (a, b, status_word(join((Const(STATUS[a]), Const(STATUS[b]))))) for a, b in product(STATUS, STATUS)
        ]
    assert rows("a", "not a") == [(a, status_word(Not(Const(STATUS[a])))) for a in STATUS]


# Names that the page must have


def test_every_word_sign_and_type_of_the_language_is_named() -> None:
    signs = {
        word
        for row in rows("sign", "asks")
        for text in code_spans(row[0])
        for word in re.findall(r"[a-z]+|[^a-z\s]+", text)
    }
    assert {*resolve.KEYWORDS, *expressions.COMPARISONS, "+", "-", "*", "(", ")"} <= signs
    assert [row[0].strip("`") for row in rows("type", "such as", "not", "what it is")] == list(get_args(Kind))


def test_every_kind_of_file_and_every_outcome_is_named() -> None:
    assert sorted(row[0].strip("`") for row in rows("kind", "usual file", "says", "needed")) == sorted(KINDS)
    assert [row[0].strip("`") for row in rows("outcome", "when")] == list(get_args(Outcome))


def test_every_measure_and_name_of_a_feature_is_named() -> None:
    assert [row[0].strip("`") for row in rows("measure", "value", "needs")] == list(MEASURES)
    names = [row[0].strip("`") for row in rows("name", "type", "what it is", "of")]
    assert names == [*EVENT_NAMES, "kind", *SIDE_NAMES, "tie", "strength"]


def test_all_that_conditions_of_orders_can_name_is_named_with_its_type() -> None:
    names_and_types = [(row[0].strip("`"), row[1]) for row in rows("name", "type", "what it is")]
    assert names_and_types == [(name, a.type.kind) for name, a in schema_of((), ()).items()]


def test_the_commands_named_exist_and_include_all_rule_commands() -> None:
    commands = [re.match(r"`iftah ([a-z ]*[a-z])", row[0])[1].split() for row in rows("command", "does")]  # type: ignore[index]
    tree = get_group(app)
    for first, *more in commands:
        command = tree.get_command(None, first)  # type: ignore[arg-type]
        assert command is not None
        assert not more or more[0] in command.commands  # type: ignore[attr-defined]
    own = {entry.name for entry in COMMANDS if entry.module == "rules"}
    assert own <= {command[0] for command in commands}


# The tables of keys


def records(shape: SchemaType) -> Iterator[RecordType]:
    """The records of a type, outermost first."""
    match shape:
        case RecordType(_, _, fields):
            yield shape
            for field in fields:
                yield from records(field.shape)
        case ListType(item):
            yield from records(item)
        case Names(_, value):
            yield from records(value)


@cache
def all_records() -> dict[str, RecordType]:
    return {record.label: record for kind in KINDS.values() for record in records(kind)}


def key_table(record: RecordType) -> str:
    """The table of a record's keys, in the form of the page."""
    lines = [f"| {record.label} | value | needed | meaning |", "|---|---|---|---|"]
    for field in record.fields:
        required = "yes" if field.absent is REQUIRED else ""
        lines.append(
            f"| `{field.name}` | {describe_shape(field.shape)} | {required} | {KEYS[record.label][field.name]} |"
        )
    return "\n".join(lines)


def describe_shape(shape: SchemaType) -> str:
    """Describe the values of a type for people."""
    match shape:
        case TextType(label="a currency"):
            return "currency, such as `CNY`"
        case TextType(description, _, among):
            return ", ".join(f"`{word}`" for word in among) or description.split(" ", 1)[-1]
        case AmountType() | RateType():
            return shape.label
        case NumberType(low, high, whole):
            return f"{'' if whole else 'amount, '}{low} to {high}"
        case ListType(item, least, most):
            many = {(0, 500): "", (1, 500): ", one at least"}.get((least, most), f", {least} to {most}")
            return f"list of {describe_shape(item)}{many}" if not many else f"list{many}, of {describe_shape(item)}"
        case OneOrMoreType(item):
            return f"{describe_shape(item)}, or a list of it"
        case WindowType() | TextsType():
            return shape.label.split(" ", 1)[-1]
        case Names(key, value):
            return f"table: {describe_shape(key)} to {describe_shape(value)}"
        case RecordType(description):
            return f"*{description}*"
        case _:
            labels = {
                ConditionType: "condition",
                DateType: "day",
                QuantityType: "number or duration",
                BoolType: "`true` or `false`",
            }
            return labels.get(type(shape), "value")


def update_key_tables(page: str) -> str:
    """The page with current tables of keys."""
    for record in all_records().values():
        match = re.search(rf"^\| {re.escape(record.label)} \| value .*\n(\|.*\n)*", page, re.MULTILINE)
        assert match, f"no table of the keys of {record.label}"
        page = page.replace(match[0], key_table(record) + "\n")
    return page


def test_every_key_of_every_record_is_in_its_table() -> None:
    assert sorted(t.head[0] for t in tables(LANGUAGE) if t.head[1:] == KEYS_HEAD) == sorted(all_records())
    page = LANGUAGE.read_text(encoding="utf-8")
    assert page == update_key_tables(page)


if __name__ == "__main__":
    LANGUAGE.write_text(update_key_tables(LANGUAGE.read_text(encoding="utf-8")), encoding="utf-8")
