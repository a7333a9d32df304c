"""Declared fields are kept in one column and read back as typed columns, and the view treats declared kinds by their declaration."""

import json
from datetime import UTC, date, datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from graph.evidence.declared_fields import convert_fields, correction_row, decode, pack, unpack
from graph.evidence.event_checks import problems
from graph.evidence.events import SCHEMA, conform
from graph.evidence.visibility import visible
from graph.evidence.vocabulary import STANDARD, EventField, EventVocabulary, Kind
from tests.graph.story import enrol, moment, story
from tests.strategies import frame

FIELDS = (
    EventField("damage", "money", low=0, high=10**15),
    EventField("damage_currency", "currency"),
    EventField("helmet", "bool"),
    EventField("item", "text"),
    EventField("keeper", "party"),
    EventField("picked_up", "moment"),
    EventField("promised", "date"),
    EventField("rating", "decimal", digits=1, low=0, high=50),
    EventField("size", "enum", values=("small", "large")),
)
OPTIONAL = ("damage", "damage_currency", "helmet", "keeper", "picked_up", "promised", "rating", "size", "days_late")
RETURNED = Kind("rental.returned", "behaviour", ("other", "item"), OPTIONAL, counts_for="each", keep_years=3)
STOLEN = Kind("rental.stolen", "behaviour", ("other", "item"), adverse=True)
RENTAL = EventVocabulary(
    declared_kinds=(*STANDARD.declared_kinds, RETURNED, STOLEN),
    ties=STANDARD.ties,
    categories=STANDARD.categories,
    income=STANDARD.income,
    channels=STANDARD.channels,
    extra_fields={f.name: f for f in FIELDS},
)
texts = st.text('ab "\\{,\n\0é伞\U0001f600', min_size=1, max_size=8)
instants = st.datetimes(datetime(1900, 1, 1), datetime(2199, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))
VALUES = {
    "damage": st.integers(0, 10**15),
    "damage_currency": st.sampled_from(["CNY", "EUR"]),
    "helmet": st.booleans(),
    "item": texts,
    "keeper": texts,
    "picked_up": instants,
    "promised": st.dates(date(1900, 1, 1), date(2199, 1, 1)),
    "rating": st.integers(0, 50),
    "size": st.sampled_from(["small", "large"]),
}
TYPES = {
    **dict.fromkeys(("damage", "rating"), pl.Int64),
    **dict.fromkeys(("damage_currency", "item", "keeper", "size"), pl.String),
    "helmet": pl.Boolean,
    "picked_up": pl.Datetime("us", "UTC"),
    "promised": pl.Date,
}
rows = st.lists(st.fixed_dictionaries({n: st.none() | v for n, v in VALUES.items()}), max_size=6)


@settings(deadline=None)
@given(rows)
def test_typed_columns_come_back_from_data_as_they_went_in(values: list[dict[str, object]]) -> None:
    typed = pl.DataFrame(values, schema=TYPES, orient="row")
    packed = pack(typed, RENTAL)
    assert packed.columns == ["data"]
    assert_frame_equal(unpack(packed, RENTAL).drop("data").select(sorted(TYPES)), typed.select(sorted(TYPES)))
    for text, row in zip(packed["data"], values, strict=True):
        filled = {name for name, value in row.items() if value is not None}
        assert set(decode(text)) == filled
        assert (text is None) == (not filled)
        if text:
            assert list(json.loads(text)) == sorted(filled)


@settings(deadline=None)
@given(rows)
def test_equal_fields_are_equal_texts_in_whatever_order_the_columns_come(values: list[dict[str, object]]) -> None:
    typed = pl.DataFrame(values, schema=TYPES, orient="row")
    assert_frame_equal(pack(typed, RENTAL), pack(typed.select(reversed(typed.columns)), RENTAL))


def event(**fields: object) -> dict[str, object]:
    """A return of a bicycle by ann to shop; declared fields as in `data`."""
    columns = {name: value for name, value in fields.items() if name in SCHEMA}
    data = {name: value for name, value in sorted(fields.items()) if name not in SCHEMA}
    row = {"contributor": "shop", "event_id": "r1", "kind": "rental.returned", "subject": "ann", "other": "shop"}
    row |= {"happened_at": moment("2024-03-01"), "recorded_at": moment("2024-03-01")}
    return row | {"data": json.dumps(data, separators=(",", ":"), ensure_ascii=False) if data else None} | columns


def reasons(**fields: object) -> list[str]:
    """What the checker says of one event."""
    return problems(
        conform(pl.DataFrame([event(**fields)], schema=SCHEMA, orient="row")), moment("2024-03-02"), RENTAL
    )["reason"].to_list()


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"item": "bike", "rating": 45, "helmet": True, "size": "small", "days_late": 2}, None),
        ({"rating": 45}, "`item` is missing: rental.returned needs it"),
        ({"item": "bike", "rating": 51}, "`rating` is out of bounds: use a number from 0.0 to 5.0"),
        ({"item": "bike", "size": "huge"}, "unknown size `huge`: use one of small, large"),
        ({"item": "bike", "damage": 5}, "`damage` and `damage_currency` go together: give both or neither"),
        (
            {"item": "bike", "damage": 5, "damage_currency": "XXQ"},
            "`damage_currency` `XXQ` is not a currency of ISO 4217: use a code such as CNY",
        ),
        (
            {"item": "bike", "damage": -5, "damage_currency": "CNY"},
            "`damage` is out of bounds: use a number from 0 to 1000000000000000",
        ),
        ({"item": "bi\u200bke"}, "`item` has a character that cannot be seen: remove it"),
        (
            {"item": "bike", "promised": "2300-01-01"},
            "`promised` `2300-01-01` is after 2200: leave it empty if there is no end",
        ),
        (
            {"kind": "payment.made", "amount": 5, "currency": "CNY", "item": "bike"},
            "`item` does not belong to payment.made: leave it empty",
        ),
        (
            {"item": "bike", "amount": 5, "currency": "CNY"},
            "`amount` does not belong to rental.returned: leave it empty; `currency` does not belong to rental.returned: leave it empty",
        ),
        (
            {"kind": "rental.lost", "item": "bike"},
            "unknown kind `rental.lost`: use one of the kinds in docs/events.md; ",
        ),
    ],
)
def test_events_of_declared_kinds_are_checked_by_their_declaration(
    fields: dict[str, object], reason: str | None
) -> None:
    rejections = reasons(**fields)
    assert rejections == [] if reason is None else rejections[0].startswith(reason.rstrip("; ")), rejections


def view(text: str, *rentals: dict[str, object], as_of: str = "2024-06-01") -> pl.DataFrame:
    """The view of a story and of rentals, with typed columns."""
    events = pl.concat([story(text), frame(list(rentals))]).sort("recorded_at")
    return unpack(visible(events, moment(as_of), moment("2030-01-01"), "perks", vocabulary=RENTAL), RENTAL)


def test_a_declared_event_counts_for_each_party_by_their_own_consent() -> None:
    ann_only = view(enrol("ann"), event(item="bike"))
    assert ann_only.filter(kind="rental.returned").select("for_subject", "for_other").rows() == [(True, False)]
    both = view(enrol("ann", "shop"), event(item="bike"))
    assert both.filter(kind="rental.returned").select("for_subject", "for_other").rows() == [(True, True)]
    assert view(enrol("ann", classes="identity,credit"), event(item="bike")).filter(kind="rental.returned").is_empty()


@pytest.mark.parametrize(("as_of", "count"), [("2027-02-28", 1), ("2027-03-01", 0), ("2024-03-01", 1)])
def test_an_event_leaves_after_its_years_to_the_day(as_of: str, count: int) -> None:
    """Three calendar years after 2024-03-01 is 2027-03-01."""
    assert view(enrol("ann"), event(item="bike"), as_of=as_of).filter(kind="rental.returned").height == count


@pytest.mark.parametrize(("as_of", "count"), [("2029-02-28", 1), ("2029-03-01", 0)])
def test_declared_adverse_evidence_leaves_five_years_after_it_happened(as_of: str, count: int) -> None:
    stolen = event(kind="rental.stolen", item="bike")
    assert view(enrol("ann"), stolen, as_of=as_of).filter(kind="rental.stolen").height == count


def test_a_correction_sets_declared_fields_one_by_one_and_keeps_the_others() -> None:
    change = {"rating": 1.5, "days_late": 4, "picked_up": "2024-02-29T08:00:00+08:00", "unused": None}
    fields = json.dumps({name: value for name, value in change.items() if value is not None})
    correction = {"contributor": "shop", "event_id": "c1", "kind": "event.corrected", "subject": "ann"}
    correction |= {"ref_event": "r1", "fields": fields}
    correction |= {"happened_at": moment("2024-03-05"), "recorded_at": moment("2024-03-05")}
    before = event(item="bike", rating=45, helmet=False)
    row = view(enrol("ann"), before, correction).filter(kind="rental.returned").row(0, named=True)
    assert (row["rating"], row["helmet"], row["item"], row["days_late"]) == (15, False, "bike", 4)
    assert row["picked_up"] == datetime(2024, 2, 29, tzinfo=UTC)


def test_a_correction_of_another_kind_does_not_bring_in_declared_fields() -> None:
    correction = {
        "contributor": "bank",
        "event_id": "c1",
        "kind": "event.corrected",
        "subject": "ann",
        "ref_event": "p",
    }
    correction |= {"fields": '{"rating": 2}', "happened_at": moment("2024-03-05"), "recorded_at": moment("2024-03-05")}
    text = f"{enrol('ann')}\n2024-03-01 payment.made ann > shop #p amount=5 currency=CNY"
    assert view(text, correction).filter(kind="payment.made")["data"].to_list() == [None]


def test_while_declared_evidence_is_disputed_it_is_left_out() -> None:
    dispute = f"{enrol('ann')}\n2024-04-01 dispute.opened ann @iftah ref_contributor=shop ref_event=r1"
    assert view(dispute, event(item="bike")).filter(kind="rental.returned").is_empty()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"rating": 4.55},
            "`rating` in `fields` has a value of the wrong type: it is a number with at most 1 digits after the point",
        ),
        ({"helmet": 1}, "`helmet` in `fields` has a value of the wrong type: it is true or false"),
        ({"damage": True}, "`damage` in `fields` has a value of the wrong type: it is a whole number of minor units"),
        (
            {"promised": "2024-02-30"},
            "`promised` in `fields` has a value of the wrong type: it is a day such as 2024-03-01",
        ),
        (
            {"picked_up": "2024-02-01T10:00:00"},
            "`picked_up` in `fields` has a value of the wrong type: it is a time with its zone such as 2024-03-01T09:30:00Z",
        ),
        ({"colour": "red"}, "`fields` sets `colour`: a correction may set"),
    ],
)
def test_a_correction_of_the_wrong_type_is_rejected(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match="fields") as error:
        convert_fields(fields, RENTAL)
    assert str(error.value).startswith(message)


def test_a_correction_row_has_columns_and_data() -> None:
    row = correction_row({"days_late": 3, "rating": "4.5"}, RENTAL).row(0, named=True)
    assert (row["days_late"], row["data"]) == (3, '{"rating":45}')
