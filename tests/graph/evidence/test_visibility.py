from dataclasses import replace
from datetime import timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from graph.evidence.events import SCHEMA
from graph.evidence.obligations import STATUS_COLUMNS
from graph.evidence.visibility import SIDES, consents_in_force, visible, visible_with_consents
from graph.evidence.vocabulary import STANDARD, EventField, EventVocabulary, Kind
from tests.effort import by_effort
from tests.graph.story import enrol, moment, story
from tests.graph.visibility_oracle import plain_visible
from tests.strategies import MOMENTS, NOW, event_rows, frame, ledgers

LATER = moment("2030-01-01")
PAYMENT = "2024-01-10 payment.made ann > bob #p amount=100 currency=CNY"


def ids(text: str, as_of: str = "2024-06-01", known_at: str = "2030-01-01") -> list[str]:
    view = visible(story(text), moment(as_of), moment(known_at), "perks")
    return view.filter(pl.col("contributor") != "desk")["event_id"].to_list()


@settings(max_examples=by_effort(20, 900), deadline=None)
@given(ledgers(), st.sampled_from(MOMENTS), st.sampled_from(MOMENTS))
def test_the_view_equals_a_plain_evaluation_row_by_row(events, as_of, known_at):
    view = visible(events, as_of, known_at, "perks")
    assert view.columns == [*SCHEMA, *SIDES, *STATUS_COLUMNS]
    assert view.rows(named=True) == plain_visible(events, as_of, known_at, "perks")


@settings(max_examples=by_effort(16, 300), deadline=None)
@given(ledgers(), st.data())
def test_an_event_that_happens_or_is_recorded_later_changes_nothing(events, data):
    late = data.draw(event_rows(99))
    if data.draw(st.booleans()):
        late["happened_at"] = NOW + timedelta(microseconds=1)
    else:
        late["recorded_at"] = NOW + timedelta(microseconds=1)
    where = data.draw(st.integers(0, events.height))
    more = pl.concat([events[:where], frame([late]), events[where:]])
    for before, after in zip(
        visible_with_consents(events, NOW, NOW, "perks"), visible_with_consents(more, NOW, NOW, "perks"), strict=True
    ):
        assert_frame_equal(before, after, check_row_order="kind" in before.columns)


def test_an_event_counts_once_it_happened_and_was_recorded():
    text = f"{enrol('ann')}\n2024-01-10T12:00 payment.made ann > shop #p amount=1 currency=CNY recorded=2024-02-01"
    assert ids(text, "2024-01-10T12:00", "2024-02-01") == ["p"]
    assert ids(text, "2024-01-10T11:59:59.999999", "2024-02-01") == []
    assert ids(text, "2024-01-10T12:00", "2024-01-31T23:59:59.999999") == []


def test_a_retraction_removes_only_its_contributors_event():
    text = f"{enrol('ann')}\n{PAYMENT}\n"
    assert ids(text + "2024-02-01 event.retracted ann #r ref_event=p") == []
    assert ids(text + "2024-02-01 event.retracted ann @shop #r ref_event=p") == ["p"]


def test_a_retracted_consent_permits_nothing():
    assert ids(f"{enrol('ann')}\n{PAYMENT}\n2024-02-01 event.retracted ann @desk ref_event=consent-ann") == []


def test_a_retraction_cannot_be_retracted():
    text = f"{enrol('ann')}\n{PAYMENT}\n2024-02-01 event.retracted ann #r ref_event=p"
    assert ids(f"{text}\n2024-02-02 event.retracted ann #s ref_event=r") == []


def test_the_correction_recorded_last_wins_field_by_field():
    view = visible(
        story(f"""{enrol("ann")}
        {PAYMENT}
        2024-02-03 event.corrected ann #b ref_event=p fields={{"amount":300}} recorded=2024-02-09
        2024-02-04 event.corrected ann #c ref_event=p fields={{"amount":200,"category":"housing","currency":"EUR"}}"""),
        LATER,
        LATER,
        "perks",
    )
    assert view.filter(event_id="p").select("amount", "currency", "category").row(0) == (300, "EUR", "housing")


def test_a_correction_that_moves_an_event_past_the_moment_removes_it():
    text = f'{enrol("ann")}\n{PAYMENT}\n2024-02-01 event.corrected ann ref_event=p fields={{"happened_at":"2024-07-01T00:00:00Z"}}'
    assert ids(text) == []
    assert ids(text, "2024-07-01") == ["p"]
    assert ids(text, "2024-07-01", "2024-01-31") == ["p"], "the correction was not known yet"


def test_a_correction_sets_only_the_fields_that_events_of_the_kind_have():
    """A payment has a category and no days of delay; an order has days of delay and no category."""
    view = visible(
        story(f"""{enrol("ann")}
        {PAYMENT}
        2024-01-11 order.settled ann #o order=1 days_late=2
        2024-02-03 event.corrected ann ref_event=p fields={{"amount":300,"category":"housing","days_late":9}}
        2024-02-03 event.corrected ann ref_event=o fields={{"amount":300,"category":"housing","days_late":9}}"""),
        moment("2024-06-01"),
        LATER,
        "perks",
    )
    fields = view.filter(pl.col("event_id").is_in(["p", "o"])).select("event_id", "amount", "category", "days_late")
    assert fields.rows() == [("p", 300, "housing", None), ("o", 300, None, 9)]


def test_only_a_vouch_may_be_negative_and_only_a_balance():
    text = f"""{enrol("ann", "bob")}
    2024-01-01 tie.formed ann > bob #doubt tie=vouch strength=-3
    2024-01-01 tie.formed ann > bob #none tie=vouch strength=0
    2024-01-01 tie.formed ann > bob #friend tie=friend strength=3
    2024-01-01 account.balance ann #debt amount=-5 currency=CNY
    2024-01-01 account.balance ann #zero amount=0 currency=CNY
    2024-01-01 payment.made ann > bob #free amount=0 currency=CNY"""
    assert ids(text) == ["doubt", "none", "friend", "debt", "zero", "free"]
    friendship = '2024-02-01 event.corrected ann ref_event=doubt fields={"tie":"friend"}'
    enmity = '2024-02-01 event.corrected ann ref_event=friend fields={"strength":-1}'
    assert ids(f"{text}\n{friendship}\n{enmity}") == ["none", "debt", "zero", "free"]


@pytest.mark.parametrize("fields", ['{"amount":-5}', '{"other":"ann"}'])
def test_an_event_made_invalid_by_a_correction_is_left_out(fields):
    assert ids(f"{enrol('ann')}\n{PAYMENT}\n2024-02-01 event.corrected ann ref_event=p fields={fields}") == []


@pytest.mark.parametrize(
    ("disputes", "visible_ids"),
    [
        ("2024-02-01 dispute.opened ann #d ref_event=p", []),
        ("2024-02-01 dispute.opened ann @desk #d ref_event=p ref_contributor=bank", []),
        ("2024-02-01 dispute.opened ann @desk #d ref_event=p", ["p"]),
        (
            "2024-02-01 dispute.opened ann #d ref_event=p\n2024-02-09 dispute.resolved ann ref_event=p outcome=rejected",
            ["p"],
        ),
        (
            "2024-02-01 dispute.opened ann #d ref_event=p\n2024-02-09 dispute.resolved ann ref_event=p outcome=upheld",
            [],
        ),
        ("2024-02-09 dispute.resolved ann ref_event=p outcome=upheld", ["p"]),  # nobody had opened it
        (
            "2024-02-09 dispute.opened ann #d ref_event=p\n2024-02-01 dispute.resolved ann ref_event=p outcome=rejected",
            [],
        ),
    ],
)
def test_a_disputed_item_is_excluded_until_the_dispute_is_rejected(disputes, visible_ids):
    assert ids(f"{enrol('ann')}\n{PAYMENT}\n{disputes}") == visible_ids


@pytest.mark.parametrize(
    ("ended", "last_moment", "first_absent"),
    [
        ("2019-03-01T08:00", "2024-03-01T07:59:59.999999", "2024-03-01T08:00"),
        ("2020-02-29T08:00", "2025-02-28T07:59:59.999999", "2025-02-28T08:00"),
    ],
)
def test_a_miss_leaves_five_years_after_payment_to_the_microsecond(ended, last_moment, first_absent):
    text = f"""{enrol("ann")}
    2018-01-01 obligation.missed ann #m obligation=loan
    {ended} obligation.paid ann #ok obligation=loan
    2023-01-01 obligation.paid ann #next obligation=loan"""
    assert ids(text, last_moment) == ["m", "ok", "next"]
    assert ids(text, first_absent) == ["ok", "next"]


def test_an_unpaid_miss_stays():
    text = f"{enrol('ann')}\n2001-01-01 obligation.paid ann #ok obligation=loan\n2001-01-02 obligation.missed ann #m obligation=loan"
    assert ids(text) == ["ok", "m"]
    assert ids(text + "\n2001-02-01 obligation.paid ann #other obligation=bill") == ["ok", "m", "other"]
    assert ids(text + "\n2001-02-01 obligation.paid ann @shop #other obligation=loan") == ["ok", "m", "other"]


def test_a_miss_paid_at_the_same_moment_ended_then():
    text = "2018-01-01 obligation.missed ann #m obligation=loan\n2018-01-01 obligation.paid ann #ok obligation=loan"
    assert ids(f"{enrol('ann')}\n{text}", "2023-01-01") == ["ok"]


def test_a_late_order_and_a_write_off_leave_five_years_after_they_happened():
    text = f"""{enrol("ann")}
    2018-01-01 order.overdue ann #o order=1
    2018-02-01 order.settled ann #s order=1 days_late=31
    2018-02-01 order.settled ann #fine order=2 days_late=0
    2018-02-01 obligation.written_off ann #w obligation=loan"""
    assert ids(text, "2023-01-31T23:59:59.999999") == ["o", "s", "fine", "w"]
    assert ids(text, "2023-02-01") == ["fine"]


def test_only_visible_payments_end_a_miss():
    text = f"""{enrol("ann")}
    2010-01-01 obligation.missed ann #m obligation=loan
    2010-02-01 obligation.paid ann #ok obligation=loan"""
    assert ids(text) == ["ok"]
    assert ids(f"{text}\n2024-01-01 event.retracted ann ref_event=ok") == ["m"]


def test_a_payment_counts_for_each_side_by_that_sides_own_consent():
    text = f"{enrol('bob')}\n{PAYMENT}"
    view = visible(story(text), LATER, LATER, "perks").filter(event_id="p")
    assert view.select(SIDES).rows() == [(False, True)]
    view = visible(story(f"{enrol('ann')}\n{PAYMENT}"), LATER, LATER, "perks").filter(event_id="p")
    assert view.select(SIDES).rows() == [(True, False)]


@pytest.mark.parametrize(("people", "counts"), [(("ann", "bob"), ["t"]), (("ann",), []), (("bob",), [])])
def test_a_tie_counts_only_when_both_ends_consent(people, counts):
    assert ids(f"{enrol(*people)}\n2024-01-01 tie.formed ann > bob #t tie=friend") == counts


@pytest.mark.parametrize(
    ("later", "counts"),
    [
        ("2024-02-01 consent.withdrawn ann purpose=perks", []),
        ("2024-02-01 consent.withdrawn ann purpose=perks classes=behaviour", []),
        ("2024-02-01 consent.withdrawn ann purpose=perks classes=credit", ["p"]),
        ("2024-02-01 consent.withdrawn ann purpose=rent", ["p"]),
        ("2024-02-01 consent.granted ann purpose=perks classes=behaviour until=2024-06-01", []),
        ("2024-02-01 consent.granted ann purpose=perks classes=behaviour until=2024-06-01T00:00:00.000001", ["p"]),
        ("2024-02-01 consent.withdrawn ann purpose=perks service=inn/bikes", ["p"]),
    ],
)
def test_the_latest_consent_event_is_in_force(later, counts):
    assert ids(f"{enrol('ann')}\n{PAYMENT}\n{later}") == counts


def test_of_two_consent_events_at_one_moment_the_later_recorded_is_in_force():
    changes = """
    2024-02-01 consent.withdrawn ann purpose=perks recorded=2024-02-05
    2024-02-01 consent.granted ann purpose=perks classes=behaviour recorded=2024-02-02"""
    assert ids(f"{enrol('ann')}\n{PAYMENT}{changes}") == []


def test_a_grant_to_a_service_applies_to_that_service_only():
    events = story("2024-01-01 consent.granted ann purpose=perks classes=credit service=inn/bikes")
    assert consents_in_force(events, LATER, LATER, "perks").is_empty()
    assert consents_in_force(events, LATER, LATER, "perks", "inn/bikes").rows() == [("ann", "credit")]
    assert consents_in_force(events, LATER, LATER, "perks", "cars").is_empty()


def test_another_purpose_permits_nothing():
    assert visible(story(f"{enrol('ann')}\n{PAYMENT}"), LATER, LATER, "rent").is_empty()


def test_the_view_contains_only_evidence():
    view = visible(
        story(f"{enrol('ann')}\n{PAYMENT}\n2024-02-01 dispute.opened ann ref_event=x"), LATER, LATER, "perks"
    )
    assert all(STANDARD.kind_by_name[k].data_class for k in view["kind"])


def declared(kind: Kind, *fields: EventField) -> EventVocabulary:
    return replace(
        STANDARD,
        declared_kinds=(*STANDARD.declared_kinds, kind),
        extra_fields={f.name: f for f in fields},
    )


RATED = declared(Kind("rental.rated", "credit", ("rating",)), EventField("rating", "int", low=0, high=5))


@pytest.mark.parametrize(
    ("at", "as_of", "is_visible"),
    [
        ("2023-02-28T13:00", "2024-02-28T12:59:59", True),
        ("2023-02-28T13:00", "2024-02-28T13:00", False),
        ("2023-02-28T13:00", "2024-02-29T12:00", False),  # counted back from 29 February, the year would begin at 12:00
        ("2024-02-29T11:00", "2025-02-28T10:59:59", True),
        ("2024-02-29T11:00", "2025-02-28T11:00", False),  # a year after 29 February is 28 February
    ],
)
def test_the_years_of_a_kind_are_counted_from_its_event_in_leap_years_too(at: str, as_of: str, is_visible: bool):
    yearly = declared(Kind("rental.returned", "behaviour", keep_years=1))
    events = story(f"{enrol('ann')}\n{at} rental.returned ann #r")
    view = visible(events, moment(as_of), LATER, "perks", vocabulary=yearly)
    assert ("r" in view["event_id"]) == is_visible


@pytest.mark.parametrize(("answer", "is_visible"), [("", False), ("upheld", False), ("rejected", True)])
def test_disputed_credit_evidence_that_is_no_step_leaves_the_view_until_the_dispute_is_rejected(answer, is_visible):
    """We cannot tell whether a rating of 1 counts for the person or against them."""
    events = story(f"{enrol('ann')}\n2024-01-01 rental.rated ann #r\n2024-02-01 dispute.opened ann ref_event=r")
    if answer:
        events = pl.concat([events, story(f"2024-03-01 dispute.resolved ann #a ref_event=r outcome={answer}")])
    view = visible(events, moment("2024-06-01"), LATER, "perks", vocabulary=RATED)
    assert ("r" in view["event_id"]) == is_visible
