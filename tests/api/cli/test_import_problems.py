"""`iftah import`: every mistake of a map is one line with its place and a hint, all at once, and nothing is imported."""

from pathlib import Path

import pytest

from tests.api.imports import ORDER_MAP, ORDERS, PAYMENTS, ImportRunner, with_fields
from tests.api.terminal import environment, run_in_process


@pytest.fixture
def runner(tmp_path: Path) -> ImportRunner:
    return ImportRunner(f"sqlite:///{tmp_path / 'iftah.db'}", tmp_path)


# name -> what is replaced in ORDER_MAP, by what, and the lines of the answer
MISTAKES: dict[str, tuple[str, str, list[str]]] = {
    "an unknown column": (
        "amount: {column: total,",
        "amount: {column: totl,",
        ["27:24 error R101 orders.csv has no column `totl` (did you mean `total`?)"],
    ),
    "a constant as a column": (
        "contributor: {value: shop}",
        "contributor: shop",
        [
            "6:16 error R101 orders.csv has no column `shop` (use one of `Status`, `currency`, `customer`, `order`, "
            "`placed`, `status`, `total`; a constant is written {value: …})"
        ],
    ),
    "an unknown column in a template": (
        '"order-{order}"',
        '"order-{ordr}"',
        ["25:25 error R101 orders.csv has no column `ordr` (did you mean `order`?)"],
    ),
    "an unknown column under another name": (
        "status: Status",
        "status: State",
        ["4:11 error R101 orders.csv has no column `State` (did you mean `Status`?)"],
    ),
    "an unknown column in a condition": (
        "status == 'paid'",
        "state == 'paid'",
        ["23:11 error R101 orders.csv has no column `state` (did you mean `status`?)"],
    ),
    "a field twice": (
        "subject: customer",
        "subject: customer\n  subject: order",
        ["8:3 error R003 the key `subject` occurs twice (first on line 7; remove one)"],
    ),
    "two ways to fill a field": (
        "{value: perks}",
        "{value: perks, column: order}",
        ["20:16 error R013 a field is filled by `column` and `value` (name one of `column`, `template` and `value`)"],
    ),
    "no way to fill a field": (
        "{value: perks}",
        "{missing: perks}",
        ["20:16 error R013 a field is filled by nothing (name one of `column`, `template` and `value`)"],
    ),
    "braces without quotes": (
        "subject: customer",
        "subject: {customer}",
        ['7:12 error R012 braces without quotes are a mapping in YAML (put it in quotes: "{customer}")'],
    ),
    "a brace that does not close": (
        '"order-{order}"',
        '"order-{order"',
        [
            "25:24 error R013 `order-{order` has a brace too many "
            "(a column stands in braces, as in `order-{id}`; a brace itself is written twice)"
        ],
    ),
    "an unknown kind": (
        "person.enrolled",
        "person.enroled",
        ["11:11 error R013 `person.enroled` is not a kind of event (did you mean `person.enrolled`?)"],
    ),
    "an unknown field": (
        "purpose:",
        "purpos:",
        [
            "16:11 error R011 consent.granted needs `purpose`, which is not set "
            "(add each under `set`, of this event or of the map)",
            "20:7 error R013 `purpos` is not a field of an event (did you mean `purpose`?)",
        ],
    ),
    "a field of another kind": (
        "purpose: {value: perks}",
        "purpose: {value: perks}\n      amount: total",
        [
            "21:7 error R013 `amount` does not belong to consent.granted (besides contributor, event_id, subject, "
            "happened_at it has `purpose`, `classes`, `service`, `until`)"
        ],
    ),
    "a currency that does not exist": (
        "currency: currency",
        "currency: {value: CNX}",
        ["9:21 error R013 `CNX` is no currency (did you mean `CNY`?)"],
    ),
    "a number that is none": (
        'identity_level: {value: "1"}',
        "identity_level: {value: high}",
        ["15:31 error R013 `high` is not a whole number (`identity_level` needs a whole number)"],
    ),
    "a format that is none": (
        "%d/%m/%Y %H:%M",
        "%d/%m %H:%M",
        [
            "8:42 error R013 `%d/%m %H:%M` is not a format of a time "
            "(name year, month and day, as in %d/%m/%Y %H:%M:%S, or write unix, unix_ms or unix_us)"
        ],
    ),
    "a time without a zone": (
        "timezone: Asia/Shanghai\n",
        "",
        [
            "7:42 error R013 the times of `placed` do not say their time zone "
            "(add `zone: Asia/Shanghai`, or `timezone:` for the whole map)"
        ],
    ),
    "an unknown zone": (
        "timezone: Asia/Shanghai",
        "timezone: Asia/Shanghay",
        ["2:11 error R013 `Asia/Shanghay` is not a time zone (did you mean `Asia/Shanghai` or `Asia/Baghdad`?)"],
    ),
    "an amount without its currency": (
        "  currency: currency\n",
        "",
        [
            "21:11 error R011 payment.made needs `currency`, which is not set "
            "(add each under `set`, of this event or of the map)",
            "26:38 error R013 `amount` has no currency whose minor units could be its scale "
            "(set `currency`, or write a number such as 100)",
        ],
    ),
    "a scale of nothing": (
        "scale: currency",
        "scale: 0",
        ["27:38 error R013 the scale is 0 (write 100 to make cents of whole units)"],
    ),
    "a scale that is none": (
        "scale: currency",
        "scale: x100",
        [
            "27:38 error R013 `x100` is not a scale "
            "(write a number such as 100, or `currency` for the currency's own minor units)"
        ],
    ),
    "a key that means nothing": (
        "other: {value: shop}",
        "other: {value: shop, zone: UTC}",
        ["26:34 error R013 `zone` means nothing for `other`, which is a text (leave it out)"],
    ),
    "a number's key that means nothing": (
        "other: {value: shop}",
        "other: {value: shop, negate: true, rounding: down}",
        [
            "26:14 error R013 `negate` means nothing for `other`, which is a text (leave it out)",
            "26:52 error R013 `rounding` means nothing for `other`, which is a text (leave it out)",
        ],
    ),
    "a factor that is no column": (
        "scale: currency",
        "scale: currency, multiplied_by: pieces",
        [
            "27:63 error R101 orders.csv has no column `pieces` (use one of `Status`, `currency`, `customer`, `order`, "
            "`placed`, `status`, `total`; a constant is written {value: …})"
        ],
    ),
    "a factor of a constant": (
        "{value: perks}",
        "{value: perks, multiplied_by: total}",
        [
            "20:16 error R013 `multiplied_by` needs a `column` (leave it out, or name the column)",
            "20:46 error R013 `multiplied_by` means nothing for `purpose`, which is a text (leave it out)",
        ],
    ),
    "an unknown rounding": (
        "scale: currency",
        "scale: currency, rounding: bankers",
        ["27:58 error R013 `bankers` is not a rounding (use one of `down`, `half_up`)"],
    ),
    "the same id for each row": (
        '"order-{order}"',
        '"order-{{x}}"',
        [
            "25:18 error R013 each row would make the same `event_id` "
            '(build it from the key of your row, as in "order-{id}": a rerun must make the same id)'
        ],
    ),
    "two ids run together": (
        '"order-{order}"',
        '"{order}{customer}"',
        [
            "25:26 error R013 `order` and `customer` run together: 1 and 23 make the id of 12 and 3 "
            "(put a sign between them, as in {a}-{b})"
        ],
    ),
    "the id of another event": (
        '"consent-{customer}"',
        '"enrolled-{customer}"',
        [
            "19:18 error R015 two events of one row would have the same `event_id` "
            '(begin each with a word of its own, as in "payment-{id}")'
        ],
    ),
    "a sign of another language": (
        "status == 'paid'",
        "status = 'paid'",
        ["23:18 error R020 `=` is not part of the language here (compare with `==`)"],
    ),
    "an order of words": (
        "status == 'paid'",
        "status > 'paid'",
        ["23:20 error R103 `paid` has no order (compare it by == or !=)"],
    ),
    "arithmetic": (
        "status == 'paid'",
        "total * 2 > 5",
        [
            "23:11 error R103 an import compares no such things "
            "(compare a column with a number, a day or a word in quotes; two columns by == or !=)"
        ],
    ),
    "a list of the rules": (
        "status == 'paid'",
        "status in pilot_cities",
        ["23:11 error R103 an import has no lists (write a column and its values: `status in ['paid', 'late']`)"],
    ),
    "a column alone": (
        "status == 'paid'",
        "status",
        ["23:11 error R103 this is no condition (compare a column, as in `status == 'paid'`)"],
    ),
    "a rest without a table": (
        "{value: perks}",
        "{column: order, otherwise: perks}",
        ["20:43 error R013 `otherwise` needs a `lookup` (for empty cells, write `missing`)"],
    ),
    "a table without a column": (
        "{value: perks}",
        "{value: perks, lookup: {a: b}}",
        ["20:16 error R013 `lookup` needs a `column` (leave it out, or name the column)"],
    ),
    "a field of no event": (
        "subject: customer",
        "subject: customer\n  due: placed",
        ["8:3 error R013 no event of the map has a field `due` (leave it out)"],
    ),
    "no map": ("kind: map", "kind: perks", ["1:7 error R014 this is not an import map (begin with `kind: map`)"]),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_line_with_its_place(runner: ImportRunner, name: str) -> None:
    old, new, expected = MISTAKES[name]
    assert ORDER_MAP.count(old), old
    completed = runner.import_text(ORDER_MAP.replace(old, new, 1), ORDERS, "orders.csv")
    assert completed.stderr.splitlines() == [f"map.yaml:{line}" for line in expected]
    assert (completed.returncode, completed.stdout) == (2, "")
    assert runner.events("event_id") == []


def test_all_mistakes_are_said_at_once(runner: ImportRunner) -> None:
    map_text = ORDER_MAP
    several = ("an unknown column", "an unknown zone", "an unknown column in a condition", "two ways to fill a field")
    for name in several:
        old, new, _ = MISTAKES[name]
        map_text = map_text.replace(old, new, 1)
    expected = sorted(
        (line for name in several for line in MISTAKES[name][2]), key=lambda line: int(line.split(":")[0])
    )
    completed = runner.import_text(map_text, ORDERS, "orders.csv")
    assert completed.stderr.splitlines() == [f"map.yaml:{line}" for line in expected]


def test_a_column_that_the_file_has_twice_is_a_mistake_only_if_the_map_names_it(runner: ImportRunner) -> None:
    text = PAYMENTS.replace("total", "total,note,note").replace(",1200", ",1200,a,b").replace("Z,5", "Z,5,a,b")
    assert runner.import_text(with_fields(""), text).returncode == 0
    completed = runner.import_text(with_fields("category: note"), text)
    assert completed.stderr == (
        "map.yaml:13:17 error R015 `note` is the name of 2 columns of in.csv (give each its own name in the source)\n"
    )


# a field, its row's cell, and the reason
WRONG_CELLS: dict[str, tuple[str, str, str]] = {
    "no number": ("amount: {column: x, scale: 100}", "abc", "`amount`: `abc` in `x` is not a number"),
    "half a cent": ("amount: {column: x, scale: 100}", "0.005", "`amount`: `0.005` in `x` times 100 is not a whole number"),
    "more digits than a decimal has": ("amount: {column: x, scale: 100}", "0.01" + "0" * 11 + "1", "is not a number"),
    "an exponent": ("amount: {column: x, scale: 100}", "1e3", "`amount`: `1e3` in `x` is not a number"),
    "a number that is not whole": ("amount: x", "12.00", "`amount`: `12.00` in `x` is not a whole number"),
    "beyond all amounts": ("amount: {column: x, scale: 100}", "9" * 30, "is not a number"),
    "a currency that does not exist": (
        "currency: x\namount: {column: total, scale: currency}",
        "XYZ",
        "`amount`: `1200` in `total` has the currency `XYZ`, which is not a currency of ISO 4217: use a code such as CNY",
    ),
    "no currency": (
        "currency: x\namount: {column: total, scale: currency}",
        "",
        "`amount`: `1200` in `total` has the currency ``, which is not a currency of ISO 4217: use a code such as CNY",
    ),
    "a time of another format": (
        'happened_at: {column: x, format: "%d.%m.%Y", zone: UTC}',
        "2026-01-01",
        "`happened_at`: `2026-01-01` in `x` does not match the format `%d.%m.%Y`",
    ),
    "a time without a zone": (
        "happened_at: x",
        "2026-01-01T00:00:00",
        "`happened_at`: `2026-01-01T00:00:00` in `x` is not a time with its zone such as 2024-03-01T09:30:00Z: "
        "name its `format`, and its `zone`",
    ),
    "a time that does not exist": (
        "happened_at: {column: x, zone: Europe/Prague}",
        "2024-03-31T02:30:00",
        "`happened_at`: `2024-03-31T02:30:00` in `x` occurs twice or never in Europe/Prague, where clocks change: "
        "write its offset, or say `ambiguous`",
    ),
    "a time that occurs twice": (
        "happened_at: {column: x, zone: Europe/Prague}",
        "2024-10-27T02:30:00",
        "occurs twice or never in Europe/Prague",
    ),
    "a word that is not in the table": (
        "category: {column: x, lookup: {essen: dining}}",
        "bahn",
        "`category`: `bahn` in `x` is not in the map's `lookup`: add it, or `otherwise`",
    ),
    "a word that no event has": ("category: x", "food", "unknown category `food`: use one of wage"),
    "an id of no value": ('event_id: "order-{x}"', "", "`event_id` is empty: every event needs one"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_CELLS)
def test_a_cell_that_does_not_fit_refuses_its_row_alone(runner: ImportRunner, name: str) -> None:
    fields, cell, reason = WRONG_CELLS[name]
    text = f"id,customer,at,total,x\n1,ann,2026-01-03T09:30:00,1200,{cell}\n"
    completed = runner.import_text(with_fields(fields), text)
    assert (completed.returncode, completed.stderr) == (1, "")
    ((line, actual),) = runner.rejects()
    assert line == 2
    assert reason in actual
    assert actual.startswith("payment.made: ")


def test_a_row_keeps_its_good_events_when_another_is_wrong(runner: ImportRunner) -> None:
    completed = runner.import_text(ORDER_MAP, ORDERS.replace("1000,JPY", "x,JPY"), "orders.csv")
    assert "orders.csv: 8 accepted, 2 duplicates, 1 rejected" in completed.stdout
    assert "enrolled-dee" in runner.events("event_id")


def test_an_import_of_an_erased_person_is_refused_as_a_load_is(runner: ImportRunner, tmp_path: Path) -> None:
    runner.import_text(ORDER_MAP, ORDERS, "orders.csv")
    erased = run_in_process(("erase", "ann", "--yes"), environment(IFTAH_DATABASE_URL=runner.url), tmp_path)
    assert erased.returncode == 0, erased.stderr
    completed = runner.run("orders.csv")
    assert completed.returncode == 1
    reasons = {reason.partition(": ")[2] for _, reason in runner.rejects("orders.csv")}
    assert reasons == {"names somebody who has left: nothing about them is taken"}
    assert "ann" not in runner.events("subject")
