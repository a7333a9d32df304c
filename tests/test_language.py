"""docs/language.md is run: its files check, its cases come out, its conditions mean what it says, its keys are all of them.

After a change of the forms or of the glossary, `python -m tests.test_language` writes the tables of keys anew.
"""

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import product
from typing import Final, get_args

import pytest
from typer.main import get_group

from api.catalogue import kinds, schema
from api.cli import COMMANDS, app
from engine import cases
from engine.lang import expressions, resolve
from engine.lang.check_orders import schema_of
from engine.lang.check_perks import money
from engine.lang.forms import KINDS
from engine.lang.glossary import KEYS
from engine.lang.parse import parse
from engine.lang.problems import Report
from engine.lang.program import AMOUNT, SCORE
from engine.lang.reference import truth
from engine.lang.shapes import REQUIRED, Condition, Day, Many, Numeral, Quantity, Record, Shape, Text, YesNo
from engine.lang.shapes import Table as Names
from engine.lang.trace import causes
from engine.lang.truths import AS_OF, And, Const, Not, Or, Truth
from engine.lang.types import DATE, Attribute, Kind, Schema, Type, Value, value_of
from engine.perks import Outcome
from tests.manual import DAY, LANGUAGE, Block, base, blocks, checked, over, program, quoted, tables

FORMS: Final = {"yaml base", "yaml check", "yaml refused", "yaml cases", "text grammar"}
MARK: Final = re.compile(r"# *((?:R\d{3}(?:, )?)+)$")
STATUS: Final[dict[str, bool | None]] = {"met": True, "not met": False, "unknown": None}
KEYS_HEAD: Final = ("value", "needed", "meaning")
HEADS: Final = {
    *(("condition", "given", "comes out"), ("refused", "problem", "why, and what to write")),
    *(("type", "such as", "not", "what it is"), ("sign", "asks"), ("name", "in", "what it is")),
    *(("and", *STATUS), ("or", *STATUS), ("a", "not a"), ("name", "type", "what it is")),
    *(("kind", "usual file", "says", "needed"), ("outcome", "when"), ("command", "does")),
}


def of_form(info: str) -> list[Block]:
    return [b for b in blocks(LANGUAGE) if b.info == info]


def rows(*head: str) -> list[tuple[str, ...]]:
    """The rows of every table with that head."""
    return [row for table in tables(LANGUAGE) if table.head == head for row in table.rows]


def line(block: Block) -> str:
    return f"line-{block.line}"


def test_every_block_and_every_table_has_a_form_by_which_it_is_run() -> None:
    assert {b.info for b in blocks(LANGUAGE)} == FORMS
    assert {t.head for t in tables(LANGUAGE) if t.head[1:] != KEYS_HEAD} == HEADS


# Blocks


def test_the_whole_files_of_the_page_are_rules_that_check_one_of_each_kind() -> None:
    assert checked(base())[1] == ()
    read = {type(parse(name, text, Report())) for name, text in base().items()}
    assert len(read) == len(KINDS) == len(base())


@pytest.mark.parametrize("block", of_form("yaml check"), ids=line)
def test_lines_check(block: Block) -> None:
    assert checked(over(block.text, base()))[1] == ()


@pytest.mark.parametrize("block", of_form("yaml refused"), ids=line)
def test_each_marked_line_is_refused_with_its_codes_and_no_other_is(block: Block) -> None:
    marks = {n: MARK.search(line) for n, line in enumerate(block.text.split("\n"), 1)}
    expected = [(block.file, n, code) for n, found in marks.items() if found for code in found[1].split(", ")]
    assert expected
    _, problems = checked(over(block.text, base()))
    assert Counter((p.at.file, p.at.line, p.code) for p in problems) == Counter(expected), "\n".join(map(str, problems))


def before(block: Block) -> dict[str, str]:
    """The files that cases are run under: the page's, with the lines that check shown before them under their heading."""
    files = base()
    for other in of_form("yaml check"):
        if (other.section, other.line < block.line) == (block.section, True):
            files = over(other.text, files)
    return {name: text for name, text in files.items() if not name.endswith(".cases.yaml")}


OF_CASES: Final = [*of_form("yaml cases"), *(b for b in of_form("yaml base") if b.file.endswith(".cases.yaml"))]


@pytest.mark.parametrize("block", OF_CASES, ids=line)
def test_cases_come_out(block: Block) -> None:
    files = before(block) | {block.file: block.text}
    release, problems = checked(files)
    assert release, "\n".join(map(str, problems))
    outcomes = list(cases.run(release, files, schema(), kinds()))
    assert [(o.name, o.failures) for o in outcomes if o.failures or not outcomes] == []


def test_the_grammar_is_that_of_the_parser() -> None:
    (block,) = of_form("text grammar")
    assert (expressions.__doc__ or "").endswith(block.text)


# Conditions, asked as a knock-out of the page's perk


def with_condition(condition: str) -> dict[str, str]:
    text = condition.replace('"', r"\"")
    line = f'- {{id: asked, when: "{text}", unknown: pass, reason: missed}}'
    return over(f"# perks.yaml\nperks:\n  - id: hotel\n    knockouts:\n      {line}\n", base())


@cache
def names() -> Schema:
    """What the page's perk can name, but for the score."""
    found = program(base())
    perk = found.perk("hotel")
    assert perk
    more = (
        *perk.request,
        Attribute(AMOUNT, money(perk.currency)),
        Attribute(AS_OF, DATE),
        Attribute(SCORE, Type("int")),
    )
    return {**found.schema, **{a.name: a for a in more}}


def values_of(cell: str) -> dict[str, Value]:
    """The values that a cell gives: `name: value`, or nothing."""
    assert quoted(cell) or cell == "nothing"
    found: dict[str, Value] = {AS_OF: DAY}
    for pair in quoted(cell):
        name, _, text = pair.partition(": ")
        value = value_of(text, names()[name].type)
        assert value is not None, pair
        found[name] = value
    return found


@pytest.mark.parametrize(("condition", "given", "expected"), rows("condition", "given", "comes out"))
def test_a_condition_comes_out(condition: str, given: str, expected: str) -> None:
    asked = program(with_condition(*quoted(condition))).stages["hotel"]["asked"]
    values = values_of(given)
    status = next(word for word, status in STATUS.items() if status is truth(asked, values))
    because = ", ".join(f"`{name}`" for name in causes(asked, values))
    assert (f"{status} because of {because}" if because else status) == expected


@pytest.mark.parametrize(
    ("condition", "code"), [row[:2] for row in rows("refused", "problem", "why, and what to write")]
)
def test_a_condition_is_refused(condition: str, code: str) -> None:
    _, problems = checked(with_condition(*quoted(condition)))
    assert [p.code for p in problems] == [code], "\n".join(map(str, problems))


@pytest.mark.parametrize(("type_", "good", "bad"), [row[:3] for row in rows("type", "such as", "not", "what it is")])
def test_a_literal_fits_a_type_or_is_refused(type_: str, good: str, bad: str) -> None:
    field = next(a.name for a in names().values() if a.name.startswith("request.") and f"`{a.type.kind}`" == type_)
    for literal in quoted(good):
        assert checked(with_condition(f"{field} == {literal}"))[1] == (), literal
    for literal in quoted(bad):
        assert checked(with_condition(f"{field} == {literal}"))[1] != (), literal


def test_the_tables_of_logic_are_the_reference_s() -> None:
    shown = {status: word for word, status in STATUS.items()}

    def of(node: Truth) -> str:
        return shown[truth(node, {})]

    for head, join in (("and", And), ("or", Or)):
        said = [(row[0], word, cell) for row in rows(head, *STATUS) for word, cell in zip(STATUS, row[1:], strict=True)]
        assert said == [(a, b, of(join((Const(STATUS[a]), Const(STATUS[b]))))) for a, b in product(STATUS, STATUS)]
    assert rows("a", "not a") == [(a, of(Not(Const(STATUS[a])))) for a in STATUS]


# What must be named


def test_every_word_sign_and_type_of_the_language_is_named() -> None:
    signs = {
        word
        for row in rows("sign", "asks")
        for text in quoted(row[0])
        for word in re.findall(r"[a-z]+|[^a-z\s]+", text)
    }
    assert {*resolve.KEYWORDS, *expressions.COMPARISONS, "+", "-", "*", "(", ")"} <= signs
    assert [row[0].strip("`") for row in rows("type", "such as", "not", "what it is")] == list(get_args(Kind))


def test_every_kind_of_file_and_every_outcome_is_named() -> None:
    assert sorted(row[0].strip("`") for row in rows("kind", "usual file", "says", "needed")) == sorted(KINDS)
    assert [row[0].strip("`") for row in rows("outcome", "when")] == list(get_args(Outcome))


def test_all_that_conditions_of_orders_can_name_is_named_with_its_type() -> None:
    said = [(row[0].strip("`"), row[1]) for row in rows("name", "type", "what it is")]
    assert said == [(name, a.type.kind) for name, a in schema_of((), ()).items()]


def test_every_command_that_is_named_is_there_and_those_of_who_writes_rules_are_named() -> None:
    said = [re.match(r"`iftah ([a-z ]*[a-z])", row[0])[1].split() for row in rows("command", "does")]  # type: ignore[index]
    tree = get_group(app)
    for first, *more in said:
        command = tree.get_command(None, first)  # type: ignore[arg-type]
        assert command is not None
        assert not more or more[0] in command.commands  # type: ignore[attr-defined]
    own = {entry.name for entry in COMMANDS if entry.module == "rules"}
    assert own <= {command[0] for command in said}


# The tables of keys


def records(shape: Shape) -> Iterator[Record]:
    """The shape's records, outermost first."""
    match shape:
        case Record(_, _, fields):
            yield shape
            for field in fields:
                yield from records(field.shape)
        case Many(item):
            yield from records(item)
        case Names(_, value):
            yield from records(value)


@cache
def all_records() -> dict[str, Record]:
    return {record.what: record for kind in KINDS.values() for record in records(kind)}


def key_table(record: Record) -> str:
    """The table of a record's keys, as the page has it."""
    lines = [f"| {record.what} | value | needed | meaning |", "|---|---|---|---|"]
    for field in record.fields:
        needed = "yes" if field.absent is REQUIRED else ""
        lines.append(f"| `{field.name}` | {in_words(field.shape)} | {needed} | {KEYS[record.what][field.name]} |")
    return "\n".join(lines)


def in_words(shape: Shape) -> str:
    """What may stand at a place, for people."""
    match shape:
        case Text(what, _, among):
            return ", ".join(f"`{word}`" for word in among) or what.split(" ", 1)[-1]
        case Numeral(low, high, whole):
            return f"{'' if whole else 'amount, '}{low} to {high}"
        case Many(item, least, most):
            many = {(0, 500): "", (1, 500): ", one at least"}.get((least, most), f", {least} to {most}")
            return f"list of {in_words(item)}{many}" if not many else f"list{many}, of {in_words(item)}"
        case Names(key, value):
            return f"table: {in_words(key)} to {in_words(value)}"
        case Record(what):
            return f"*{what}*"
        case _:
            said = {Condition: "condition", Day: "day", Quantity: "number or duration", YesNo: "`true` or `false`"}
            return said.get(type(shape), "value")


def rewritten(page: str) -> str:
    """The page with the tables of keys as they are now."""
    for record in all_records().values():
        found = re.search(rf"^\| {re.escape(record.what)} \| value .*\n(\|.*\n)*", page, re.MULTILINE)
        assert found, f"no table of the keys of {record.what}"
        page = page.replace(found[0], key_table(record) + "\n")
    return page


def test_every_key_of_every_record_is_in_its_table() -> None:
    assert sorted(t.head[0] for t in tables(LANGUAGE) if t.head[1:] == KEYS_HEAD) == sorted(all_records())
    page = LANGUAGE.read_text(encoding="utf-8")
    assert page == rewritten(page)


if __name__ == "__main__":
    LANGUAGE.write_text(rewritten(LANGUAGE.read_text(encoding="utf-8")), encoding="utf-8")
