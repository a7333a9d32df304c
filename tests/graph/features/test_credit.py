"""Credit features by hand: instalments, not reports; endings, not last payments; orders as production sends them."""

from zoneinfo import ZoneInfo

import pytest

from graph.evidence.visibility import visible
from tests.graph.features.ask_features import AS_OF, BASE, expect, features_of
from tests.graph.story import moment, story

LOAN = "2024-01-01 obligation.opened ann obligation=loan"


def test_one_missed_instalment_reported_on_three_days_is_one_miss():
    text = "\n".join(f"2024-03-0{day} obligation.missed ann obligation=loan due=2024-03-01" for day in (2, 3, 9))
    expect(
        features_of("ann", text), credit__missed=1, credit__missed_12m=1, credit__longest_delay_days=105
    )  # from 2 March
    bill = text.replace("loan", "bill")
    other = text.replace("due=2024-03-01", "due=2024-02-01")
    expect(features_of("ann", f"{text}\n{bill}\n{other}"), credit__missed=3)


def test_reports_without_an_instalment_are_distinguished_by_their_moment():
    text = "\n".join(f"2024-03-0{day} obligation.missed ann obligation=loan" for day in (2, 2, 3))
    expect(features_of("ann", text), credit__missed=2)


def test_an_instalment_paid_in_parts_and_a_settlement_reported_twice_count_once():
    paid = "\n".join(f"2024-03-0{day} obligation.paid ann obligation=loan due=2024-03-01" for day in (2, 3))
    settled = "\n".join(f"2024-04-0{day} obligation.settled ann obligation=loan" for day in (2, 3))
    expect(features_of("ann", f"{LOAN}\n{paid}\n{settled}"), credit__kept=2)
    reopened = "2024-05-01 obligation.opened ann obligation=loan\n2024-05-02 obligation.settled ann obligation=loan"
    expect(features_of("ann", f"{LOAN}\n{paid}\n{settled}\n{reopened}"), credit__kept=3)


def test_a_write_off_reported_twice_counts_once():
    write_offs = "\n".join(f"2024-04-0{day} obligation.written_off ann obligation=loan" for day in (2, 3))
    expect(features_of("ann", f"{LOAN}\n{write_offs}"), credit__written_off_5y=1)
    reopened = "2024-05-01 obligation.opened ann obligation=loan\n2024-05-02 obligation.written_off ann obligation=loan"
    expect(features_of("ann", f"{LOAN}\n{write_offs}\n{reopened}"), credit__written_off_5y=2)


def test_a_payment_ends_the_instalment_it_names():
    missed = "\n".join(f"2024-0{m}-05 obligation.missed ann obligation=loan due=2024-0{m}-01" for m in (1, 2, 3))
    paid = "2024-03-10 obligation.paid ann obligation=loan due=2024-0{}-01"
    expect(
        features_of("ann", f"{missed}\n{paid.format(1)}"), credit__longest_delay_days=131
    )  # February's, until 15 June
    expect(features_of("ann", f"{missed}\n{paid.format(2)}"), credit__longest_delay_days=162)  # January's
    all_three = "\n".join(paid.format(m) for m in (1, 2, 3))
    expect(features_of("ann", f"{missed}\n{all_three}"), credit__longest_delay_days=65)
    unnamed = "2024-03-10 obligation.paid ann obligation=loan"
    expect(features_of("ann", f"{missed}\n{unnamed}"), credit__longest_delay_days=65)  # in doubt, for the person
    expect(
        features_of("ann", f"{missed}\n2024-03-04 obligation.paid ann obligation=loan"), credit__longest_delay_days=102
    )


@pytest.mark.parametrize("end", ["settled", "written_off"])
def test_a_miss_dated_after_the_obligation_ended_leaves_five_years_after_that_end(end):
    text = f"2018-03-29 obligation.{end} ann obligation=loan\n2018-04-01 obligation.missed ann obligation=loan"
    expect(features_of("ann", text, "2022-01-01"), credit__missed=1, credit__longest_delay_days=0)
    expect(features_of("ann", text, "2023-03-28T23:59:59.999999"), credit__missed=1, credit__longest_delay_days=0)
    expect(features_of("ann", text, "2023-03-29"), credit__missed=0, credit__longest_delay_days=0)
    expect(
        features_of("ann", text, "2040-01-01"), credit__missed=0, credit__longest_delay_days=0, credit__written_off_5y=0
    )


def test_a_write_off_after_the_settlement_leaves_with_the_obligation():
    text = "2018-03-29 obligation.settled ann obligation=loan\n2019-04-01 obligation.written_off ann obligation=loan"
    expect(features_of("ann", text, "2023-03-28"), credit__written_off_5y=1)
    expect(features_of("ann", text, "2023-03-29"), credit__written_off_5y=0)


def test_a_reopened_obligation_is_open_and_its_earlier_end_ends_no_miss():
    text = f"{LOAN}\n2024-02-01 obligation.settled ann obligation=loan"
    expect(features_of("ann", text), credit__open=0)
    reopened = f"{text}\n2024-03-01 obligation.opened ann obligation=loan"
    expect(features_of("ann", reopened), credit__open=1)
    missed = f"{reopened}\n2024-04-01 obligation.missed ann obligation=loan"
    expect(features_of("ann", missed), credit__longest_delay_days=75)  # until 15 June
    expect(
        features_of("ann", f"{missed}\n2024-04-11 obligation.settled ann obligation=loan"),
        credit__longest_delay_days=10,
        credit__open=0,
    )
    expect(features_of("ann", "2024-03-01 obligation.settled ann obligation=loan\n" + reopened), credit__open=0)


def test_an_obligation_stays_closed_after_its_write_off_has_left():
    text = "\n".join(
        f"2015-01-0{n} obligation.opened ann obligation=loan-{n}\n2016-01-0{n} obligation.written_off ann obligation=loan-{n}"
        for n in range(1, 7)
    )
    before, after = features_of("ann", text, "2021-01-01"), features_of("ann", text, "2021-01-07")
    expect(before, credit__open=0, credit__written_off_5y=5)
    expect(after, credit__open=0, credit__written_off_5y=0, credit__history_days=2198)


def test_evidence_that_leaves_does_not_shorten_the_history():
    text = """
    2010-01-01 obligation.missed ann obligation=bill
    2010-01-02 obligation.settled ann obligation=bill
    2012-01-01 obligation.written_off ann obligation=loan
    2024-06-05 obligation.opened ann obligation=phone"""
    expect(features_of("ann", text, "2015-01-01"), credit__history_days=1825)
    expect(features_of("ann", text, "2015-01-03"), credit__history_days=1827, credit__missed=0)
    lone = "2010-01-01 obligation.written_off ann obligation=loan"
    expect(features_of("ann", lone, "2014-01-01"), credit__history_days=None, credit__written_off_5y=1)


def test_the_history_starts_with_evidence_that_is_not_adverse():
    late = "2024-05-01 order.settled ann @iftah order=o1 days_late=4"
    expect(features_of("ann", late), credit__history_days=None, credit__orders_late=1)
    on_time = "2024-06-01 order.settled ann @iftah order=o2 days_late=0"
    expect(features_of("ann", f"{late}\n{on_time}"), credit__history_days=14)


def test_an_instalment_missed_exactly_twelve_months_ago_is_no_longer_recent():
    """Twelve calendar months before 15 June 2024 is 15 June 2023; before 29 February 2024 it is 28 February 2023."""
    for at, start in (("2024-06-15", "2023-06-15T00:00:00"), ("2024-02-29T12:00", "2023-02-28T12:00:00")):
        missed = f"{start}{{}} obligation.missed ann obligation=loan due=2023-02-01"
        expect(features_of("ann", missed.format(""), at), credit__missed=1, credit__missed_12m=0)
        expect(features_of("ann", missed.format(".000001"), at), credit__missed=1, credit__missed_12m=1)
        older = "2022-01-02 obligation.missed ann obligation=loan due=2022-01-01"
        two = f"{older}\n{missed.format('.000001')}"
        expect(features_of("ann", two, at), credit__missed=2, credit__missed_12m=1)


def test_the_twelve_months_are_those_of_the_local_calendar():
    """In Shanghai it is already 29 February 2024, so they begin on 28 February 2023, 00:00 there: 27 February, 16:00 UTC."""
    missed = "{} obligation.missed ann obligation=loan due=2023-02-01"
    for at, local, elsewhere in (
        ("2023-02-27T16:00:00", 0, 0),
        ("2023-02-27T16:00:00.000001", 1, 0),
        ("2023-02-28T16:00:00", 1, 0),
        ("2023-02-28T16:00:00.000001", 1, 1),
    ):
        expect(
            features_of("ann", missed.format(at), "2024-02-28T16:00", zone=ZoneInfo("Asia/Shanghai")),
            credit__missed_12m=local,
        )
        expect(features_of("ann", missed.format(at), "2024-02-28T16:00"), credit__missed_12m=elsewhere)


def test_an_obligation_opened_twice_is_open_once():
    """The same name is another obligation at another contributor, and of another person."""
    twice = f"{LOAN}\n2024-02-01 obligation.opened ann obligation=loan"
    expect(features_of("ann", twice), credit__open=1)
    expect(features_of("ann", f"{twice}\n2024-02-01 obligation.opened ann obligation=car"), credit__open=2)
    expect(features_of("ann", f"{twice}\n2024-02-01 obligation.opened ann @shop obligation=loan"), credit__open=2)
    expect(features_of("ann", f"{twice}\n2024-02-01 obligation.opened bob obligation=loan"), credit__open=1)
    expect(features_of("ann", f"{twice}\n2024-03-01 obligation.settled ann obligation=loan"), credit__open=0)


MISSED_AND_PAID = """
    2024-01-01 obligation.opened ann #o obligation=loan
    2024-02-01 obligation.missed ann #m obligation=loan due=2024-01-31
    2024-02-05 obligation.missed ann #again obligation=loan due=2024-01-31
    2024-02-11 obligation.paid ann #p obligation=loan due=2024-01-31"""


def dispute_lines(*items: str, then: str = "") -> str:
    return "\n".join(f"2024-03-01 dispute.opened ann ref_event={i}" for i in items) + then


def test_a_disputed_payment_lengthens_no_miss_and_still_counts_for_the_person():
    same = {"credit__missed": 1, "credit__longest_delay_days": 10, "credit__kept": 1}
    expect(features_of("ann", MISSED_AND_PAID), **same)
    expect(features_of("ann", f"{MISSED_AND_PAID}\n{dispute_lines('p')}"), **same)
    upheld = "\n2024-03-02 dispute.resolved ann ref_event=p outcome=upheld"
    expect(
        features_of("ann", f"{MISSED_AND_PAID}\n{dispute_lines('p')}{upheld}"),
        credit__longest_delay_days=135,
        credit__kept=0,
    )


def test_a_dispute_of_one_report_excludes_the_whole_miss():
    for item in ("m", "again"):
        text = f"{MISSED_AND_PAID}\n{dispute_lines(item)}"
        expect(features_of("ann", text), credit__missed=0, credit__longest_delay_days=0, credit__kept=1)
        upheld = f"{text}\n2024-03-02 dispute.resolved ann ref_event={item} outcome=upheld"
        expect(features_of("ann", upheld), credit__missed=0)
        expect(
            features_of("ann", upheld.replace("upheld", "rejected")), credit__missed=1, credit__longest_delay_days=10
        )


def test_a_disputed_write_off_does_not_count_and_the_obligation_has_ended():
    text = MISSED_AND_PAID.replace(
        "obligation.paid ann #p obligation=loan due=2024-01-31", "obligation.written_off ann #p obligation=loan"
    )
    expect(features_of("ann", text), credit__written_off_5y=1, credit__open=0, credit__longest_delay_days=10)
    expect(
        features_of("ann", f"{text}\n{dispute_lines('p')}"),
        credit__written_off_5y=0,
        credit__open=0,
        credit__longest_delay_days=10,
    )


def test_a_disputed_opening_is_not_open_and_the_history_starts_with_it():
    expect(features_of("ann", f"{LOAN} #o\n{dispute_lines('o')}"), credit__open=0, credit__history_days=166)


def test_disputed_evidence_that_stays_is_marked_so_that_no_pattern_reads_it():
    view = visible(story(f"{BASE}\n{MISSED_AND_PAID}\n{dispute_lines('p', 'o')}"), AS_OF, AS_OF, "perks")
    marked = {r["event_id"]: r["disputed"] for r in view.rows(named=True) if r["obligation"]}
    assert marked == {"o": True, "m": False, "p": True}


def test_an_item_counts_unless_a_partys_dispute_is_open():
    text = "2024-01-01 payment.made ann > bob #x amount=5 currency=CNY\n2024-02-01 dispute.opened ann ref_event=x"
    both = f"{text}\n2024-02-02 dispute.opened bob ref_event=x\n2024-02-03 dispute.resolved bob ref_event=x outcome=rejected"
    expect(features_of("ann", both), behaviour__payments=0)  # bob's answer is not ann's
    both_rejected = f"{both}\n2024-02-04 dispute.resolved ann ref_event=x outcome=rejected"
    expect(features_of("ann", both_rejected), behaviour__payments=1)


ON_TIME = "2024-05-0{0} order.settled ann @iftah order=o{0} days_late=0 amount=5 currency=CNY service=hotel"


def test_orders_settled_on_time_as_reported_in_production_are_kept():
    text = "\n".join(ON_TIME.format(n) for n in (1, 2, 3))
    expect(features_of("ann", text), credit__orders_kept=3, credit__orders_late=0, credit__longest_delay_days=0)


def test_an_order_settled_late_is_late_also_without_its_overdue():
    late = "2024-05-09 order.settled ann @iftah order=o9 days_late=4 amount=5 currency=CNY service=hotel"
    expect(features_of("ann", f"{ON_TIME.format(1)}\n{late}"), credit__orders_kept=1, credit__orders_late=1)
    overdue = "2024-05-05 order.overdue ann @iftah order=o9 days_late=0 amount=5 currency=CNY service=hotel"
    row = features_of("ann", f"{ON_TIME.format(1)}\n{overdue}\n{late}")
    expect(row, credit__orders_kept=1, credit__orders_late=1, credit__longest_delay_days=4)


def test_an_overdue_order_leaves_five_years_after_its_end_in_any_order_of_reports():
    overdue = "2018-01-01 order.overdue ann @iftah order=o1 days_late=0"
    stays = features_of("ann", overdue, "2024-01-01")
    expect(stays, credit__orders_late=1)
    for end in ("order.settled ann @iftah order=o1 days_late=3", "order.cancelled ann @iftah order=o1"):
        for at in ("2017-12-31", "2018-01-04"):
            text = f"{at} {end}\n{overdue}"
            expiry = f"{int(at[:4]) + 5}{at[4:]}"
            assert features_of("ann", text, str(moment(expiry))[:19])["credit.orders_late"] == 0
