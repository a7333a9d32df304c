from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph.evidence.declared_fields import correction_row
from graph.evidence.event_checks import problems
from graph.evidence.events import (
    CONTENT_COLUMNS,
    CORRECTABLE_COLUMNS,
    KIND_FIELDS,
    SCHEMA,
    UTC_MICROSECONDS,
    conform,
)
from graph.evidence.vocabulary import CLASSES, STANDARD
from tests.effort import by_effort
from tests.paths import DOCS
from tests.strategies import MOMENTS, frame, ledgers

NOW = datetime(2024, 6, 1, tzinfo=UTC)
EVENTS_PAGE = DOCS / "events.md"
PAYMENT: dict[str, object] = {
    "contributor": "bank",
    "event_id": "1",
    "kind": "payment.made",
    "subject": "ann",
    "other": "bob",
    "happened_at": datetime(2024, 1, 1, tzinfo=UTC),
    "amount": 100,
    "currency": "CNY",
}
CORRECTION = PAYMENT | {"kind": "event.corrected", "other": None, "amount": None, "currency": None, "ref_event": "1"}
TIE = PAYMENT | {"kind": "tie.formed", "amount": None, "currency": None, "tie": "friend"}


def reasons(*rows: dict[str, object]) -> list[tuple[int, str]]:
    return problems(frame(list(rows)), NOW).rows()


@settings(max_examples=100, deadline=None)
@given(ledgers())
def test_generated_events_have_no_problem_except_negative_ties(events):
    result = problems(events, max(MOMENTS))
    assert [r for r in result["reason"] if "only a" not in r] == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"kind": "payment"}, "unknown kind `payment`"),
        ({"kind": None}, "unknown kind (empty)"),
        ({"amount": None}, "`amount` is missing: payment.made needs it"),
        ({"order": "7"}, "`order` does not belong to payment.made"),
        ({"contributor": ""}, "`contributor` is empty"),
        ({"event_id": None}, "`event_id` is empty"),
        ({"subject": "ann "}, "`subject` begins or ends with a space"),
        ({"subject": "an\nn"}, "`subject` has a control character"),
        ({"other": "x" * 129}, "`other` is longer than 128 characters"),
        ({"other": "ann"}, "`other` is the subject too"),
        ({"amount": -1}, "`amount` is negative (-1)"),
        ({"amount": 10**15 + 1}, "`amount` is beyond"),
        ({"currency": "cny"}, "`currency` `cny` is not a currency of ISO 4217"),
        ({"category": "sweets"}, "unknown category `sweets`"),
        ({"channel": "pigeon"}, "unknown channel `pigeon`"),
        ({"happened_at": None}, "`happened_at` is missing"),
        ({"happened_at": NOW + timedelta(days=1, microseconds=1)}, "lies in the future"),
        ({"happened_at": datetime(1899, 12, 31, tzinfo=UTC)}, "is before 1900"),
    ],
)
def test_each_problem_of_a_payment_is_reported(change, expected):
    ((row, reason),) = reasons(PAYMENT | change)
    assert row == 0
    assert expected in reason


GRANT = PAYMENT | {"kind": "consent.granted", "other": None, "amount": None, "currency": None}
GRANT |= {"purpose": "perks", "classes": "identity,credit"}


@pytest.mark.parametrize("service", ["hotel", "/hotel", "inn/", "inn/Hotel", "inn hotel"])
@pytest.mark.parametrize("kind", ["consent.granted", "consent.withdrawn"])
def test_a_consent_to_an_invalid_service_is_refused(kind, service):
    ((_, reason),) = reasons(GRANT | {"kind": kind, "service": service})
    assert reason == (
        f"`service` `{service}` names no merchant's service: write `merchant/service`, "
        "as the answer to PUT /v1/services/{id} names it"
    )


def test_a_grant_that_ends_as_it_begins_or_before_is_refused():
    begin = GRANT["happened_at"]
    for until in (begin, begin - timedelta(days=1)):
        ((_, reason),) = reasons(GRANT | {"until": until})
        assert reason == "`until` is not after `happened_at`: the grant would never be in force"
    assert reasons(GRANT | {"until": begin + timedelta(microseconds=1), "service": "inn/hotel"}, GRANT) == []


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (TIE | {"tie": "vouch"}, "`strength` is missing: a vouch needs it"),
        (TIE | {"strength": -2}, "`strength` is negative: only a vouch may be"),
        (TIE | {"strength": 11}, "`strength` is 11: use a number from -10 to 10"),
        (TIE | {"tie": "enemy"}, "unknown tie `enemy`"),
        (PAYMENT | {"kind": "obligation.paid", "other": None, "obligation": "x", "currency": None}, "go together"),
        (CORRECTION | {"fields": "{"}, "`fields` is not JSON"),
        (CORRECTION | {"fields": "[" * 9000}, "`fields` is not JSON"),
        (CORRECTION | {"fields": "[]"}, "`fields` sets nothing"),
        (CORRECTION | {"fields": '{"kind": "x"}'}, "`fields` sets `kind`: a correction may set happened_at"),
        (CORRECTION | {"fields": '{"amount": 1.5}'}, "`amount` in `fields` has a value of the wrong type"),
        (CORRECTION | {"fields": '{"amount": true}'}, "`amount` in `fields` has a value of the wrong type"),
        (CORRECTION | {"fields": '{"amount": null}'}, "`amount` in `fields` has a value of the wrong type"),
        (CORRECTION | {"fields": '{"happened_at": "2024-01-01T00:00:00"}'}, "wrong type"),
        (
            CORRECTION | {"fields": '{"currency": "yuan"}'},
            "in `fields`: `currency` `yuan` is not a currency of ISO 4217",
        ),
        (CORRECTION | {"fields": '{"happened_at": "2031-01-01T00:00:00Z"}'}, "in `fields`: `happened_at`"),
    ],
)
def test_each_problem_of_a_tie_or_a_correction_is_reported(row, expected):
    ((_, reason),) = reasons(row)
    assert expected in reason


def test_all_problems_of_a_row_are_reported_and_good_rows_are_not():
    result = reasons(PAYMENT, PAYMENT | {"amount": -1, "currency": "x"}, PAYMENT, PAYMENT | {"subject": None})
    assert [row for row, _ in result] == [1, 3]
    assert "`amount` is negative (-1)" in result[0][1]
    assert "; `currency` `x`" in result[0][1]


ODD_VALUES = {
    "kind": st.sampled_from([*STANDARD.kind_by_name, "payment.mad", "", None]),
    "tie": st.sampled_from([*STANDARD.ties, "enemy"]),
    "classes": st.sampled_from(["credit", "credit,identity", "wealth"]),
    "currency": st.sampled_from(["CNY", "cny"]),
    "fields": st.sampled_from(['{"amount": 1}', '{"amount": -5}', '{"subject": "a ", "currency": "x"}', "{", "[]"]),
    pl.String: st.sampled_from(
        ["ann", "bob", "a b", "a ", "", "é", "a\x7f", "a\u2028", "\u00a0a", "x" * 128, "x" * 129]
    ),
    pl.Int64: st.sampled_from([0, 1, -1, 11, 10**15 + 1]),
    pl.Date: st.sampled_from([date(2024, 1, 1), date(1800, 1, 1), date(2300, 1, 1)]),
    UTC_MICROSECONDS: st.sampled_from([datetime(year, 1, 1, tzinfo=UTC) for year in (1800, 2024, 2025, 2300)]),
}
odd_rows = st.dictionaries(st.sampled_from(CONTENT_COLUMNS), st.none(), max_size=12).flatmap(
    lambda columns: st.fixed_dictionaries({c: ODD_VALUES.get(c, ODD_VALUES.get(SCHEMA[c])) for c in columns})
)


@settings(max_examples=by_effort(20, 150), deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([PAYMENT, CORRECTION, TIE, {"contributor": "bank"}]), odd_rows),
        min_size=1,
        max_size=5,
    )
)
def test_the_problems_of_a_row_do_not_depend_on_other_rows(parts):
    rows = [good | odd for good, odd in parts]
    separate = [(n, reason) for n, row in enumerate(rows) for _, reason in reasons(row)]
    assert reasons(*rows) == separate


def test_a_day_of_clock_slack_and_a_negative_balance_are_accepted():
    balance = PAYMENT | {"kind": "account.balance", "other": None, "amount": -5}
    good = CORRECTION | {"fields": '{"amount": 12, "due": "2024-02-29", "happened_at": "2024-01-01T01:00:00+01:00"}'}
    assert reasons(PAYMENT | {"happened_at": NOW + timedelta(days=1)}, balance, good) == []


def test_an_empty_frame_has_no_problems():
    assert conform(pl.DataFrame()).schema == pl.Schema(SCHEMA)
    assert conform(pl.DataFrame({"stray": [1, 2]})).height == 2
    assert problems(conform(pl.DataFrame()), NOW).rows() == []


def test_a_correction_is_read_into_the_types_of_the_schema():
    row = correction_row({"amount": 3, "due": "2024-02-29", "happened_at": "2024-03-01T09:30:00+02:00", "other": "bob"})
    assert row.schema == pl.Schema(SCHEMA)
    values = {c: v for c, v in row.row(0, named=True).items() if v is not None}
    at = datetime(2024, 3, 1, 7, 30, tzinfo=UTC)
    assert values == {"amount": 3, "due": date(2024, 2, 29), "happened_at": at, "other": "bob"}


JSON = st.none() | st.booleans() | st.integers() | st.floats() | st.text("ab \n", max_size=5) | st.just("2024-01-01")


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from((*CORRECTABLE_COLUMNS, "kind")), JSON, min_size=1))
def test_a_correction_is_read_completely_or_refused_with_its_field(fields):
    try:
        row = correction_row(fields)
    except ValueError:
        with pytest.raises(ValueError, match="`fields`"):
            correction_row(fields)
    else:
        assert set(fields) == {c for c in SCHEMA if row[c][0] is not None}


def test_every_field_belongs_to_a_kind_and_every_kind_names_known_fields():
    fields = {f for k in STANDARD.kinds for f in (*k.required, *k.optional)}
    assert fields == set(KIND_FIELDS)
    assert {k.data_class for k in STANDARD.kinds} == {*CLASSES, None}


def test_the_docs_have_the_table_of_kinds():
    lines = [
        f"| `{k.name}` | {', '.join(f'`{f}`' for f in k.required)} | {', '.join(f'`{f}`' for f in k.optional) or '-'} "
        f"| {k.data_class or '-'} | {'yes' if k.adverse else '-'} |"
        for k in STANDARD.kinds
    ]
    assert "\n".join(lines) in EVENTS_PAGE.read_text(encoding="utf-8")


def test_the_docs_name_every_column():
    text = EVENTS_PAGE.read_text(encoding="utf-8")
    assert [c for c in SCHEMA if f"| `{c}` |" not in text] == []
