"""Extreme evidence: we compute the right value, or reject it with one clear line. Tested through `features`, the public
function.
"""

from datetime import timedelta

import polars as pl
import pytest

from engine.lang.model.timezones import zone
from graph.evidence.event_checks import problems
from graph.evidence.events import SCHEMA, conform
from tests.graph.features.ask_features import AS_OF, BASE, expect, features_of
from tests.graph.story import enrol, moment, story
from tests.shipped_features import FEATURES, features

PAYMENTS_EACH_WAY = 100_000  # payments in, and as many out
FLOW = {"capacity__net_inflow_share": None, "capacity__pass_through_share": None}


def all_features(text: str) -> pl.DataFrame:
    return features(story(text), AS_OF, AS_OF, "perks")


def test_a_payment_to_oneself_is_refused_and_one_made_by_a_correction_does_not_count():
    itself = story("2024-05-01 payment.made ann > ann amount=100 currency=CNY")
    assert problems(itself, AS_OF)["reason"].to_list() == [
        "`other` is the subject too: a tie or payment needs two parties"
    ]
    paid = "2024-05-01 payment.made ann > bob #p amount=100 currency=CNY"
    expect(
        features_of("ann", f'{paid}\n2024-05-02 event.corrected ann ref_event=p fields={{"other":"ann"}}'),
        behaviour__payments=0,
    )


def test_payments_that_differ_only_in_id_all_count():
    paid = "2024-05-01T10:00 payment.made ann > bob amount=100 currency=CNY\n"
    expect(features_of("ann", paid * 7), behaviour__payments=7, behaviour__payment_total=700, fraud__fan_out=1)
    expect(
        features_of("bob", paid * 7), behaviour__in_counterparties=1, fraud__fan_in=1, capacity__net_inflow_share=100
    )


def test_payments_at_one_moment_have_parties_and_flow_but_no_rhythm():
    lines = [f"2024-05-01T10:00 payment.made ann > shop-{n} amount=100 currency=CNY" for n in range(9)]
    expect(
        features_of("ann", "\n".join([*lines, "2024-05-01T10:00 payment.made bob > ann amount=1800 currency=CNY"])),
        behaviour__burstiness=None,
        behaviour__night_share=0,
        fraud__fan_out=9,
        capacity__pass_through_share=50,
    )


def test_payments_of_zero_count_as_payments_without_money():
    lines = [f"2024-05-0{d}T10:00 payment.made ann > bob amount=0 currency=CNY" for d in range(1, 8)]
    expected = {"behaviour__payments": 7, "behaviour__payment_total": 0, "behaviour__burstiness": -100}
    expect(features_of("ann", "\n".join(lines)), **expected, **FLOW, fraud__fan_out=1, capacity__income_cover=None)
    expect(features_of("bob", "\n".join(lines)), behaviour__in_counterparties=1, **FLOW)


@pytest.mark.parametrize("name", ["李雷", "Łódź", "o'hara", "a-1;--", "🦊"])
def test_ids_may_have_any_characters(name):
    text = f"{BASE}\n{enrol(name)}\n2024-05-01T10:00 payment.made {name} > ann amount=100 currency=CNY"
    assert features(story(text), AS_OF, AS_OF, "perks", [name])["person"].to_list() == [name]
    assert all_features(text).filter(person=name)["fraud.fan_out"].to_list() == [1]
    assert all_features(text).filter(person="ann")["fraud.fan_in"].to_list() == [1]


def test_a_person_named_only_as_other_has_a_row_only_if_enrolled():
    table = all_features(f"{BASE}\n2024-05-01T10:00 payment.made shop > ann amount=100 currency=CNY")
    assert table["person"].to_list() == ["ann", "bob", "cy"]
    row = table.row(0, named=True)
    expect(row, behaviour__payments=0, capacity__distinct_payers=1, fraud__fan_in=1, capacity__net_inflow_share=100)
    expect(row, behaviour__burstiness=None, behaviour__payee_retention=None, behaviour__in_counterparties=0)


def test_without_events_the_table_has_columns_and_no_rows():
    for events in (conform(pl.DataFrame()), story("2024-05-01 payment.made ann > bob amount=1 currency=CNY")):
        for people in (None, [], ["ann"]):
            table = features(events, AS_OF, AS_OF, "perks", people)
            assert table.is_empty()
            assert table.columns == ["person", *(f.name for f in FEATURES)]


def test_a_person_without_other_events_has_every_feature_zero_or_missing():
    table = all_features(enrol("ann"))
    assert table.height == 1
    rest = [f for f in FEATURES if f.dimension != "identity"]
    assert {table[f.name][0] for f in rest} == {0, None}
    assert [f.name for f in rest if f.zero and f.scope == "local" and table[f.name][0] != 0] == []


def busy_ledger() -> pl.DataFrame:
    """From 1 January on ann is paid 1 CNY every even minute, by a thousand in turn, and pays it on to one of five hundred
    the minute after."""
    begin, n = moment("2024-01-01"), pl.int_range(PAYMENTS_EACH_WAY, eager=True)
    sides = (("in", 0, "payer", 1000), ("out", 1, "payee", 500))
    rows = [
        pl.DataFrame(
            {
                "event_id": side + "-" + n.cast(pl.String),
                "party": party + "-" + (n % parties).cast(pl.String),
                "happened_at": begin + timedelta(minutes=later) + n * timedelta(minutes=2),
                "side": [side] * PAYMENTS_EACH_WAY,
            }
        )
        for side, later, party, parties in sides
    ]
    paid = pl.concat(rows).with_columns(
        contributor=pl.lit("bank"),
        kind=pl.lit("payment.made"),
        subject=pl.when(side="out").then(pl.lit("ann")).otherwise("party"),
        other=pl.when(side="in").then(pl.lit("ann")).otherwise("party"),
        amount=pl.lit(100),
        currency=pl.lit("CNY"),
        recorded_at="happened_at",
    )
    return pl.concat([story(BASE), conform(paid.select(c for c in paid.columns if c in SCHEMA))])


def test_a_person_with_two_hundred_thousand_payments_gets_ordinary_features():
    """200,000 minutes are 138 days and 21 hours 20 minutes. Of 100,000 payments out, 138 x 180 fall in the nights from 16:00 to
    22:00 UTC, and those of the last day from 16:00 to 21:20: 160. 25,000 / 100,000 = 0.25. Those at 16:00 are taken for dates, 138 of
    them or so of 100,000."""
    table = features(busy_ledger(), AS_OF, AS_OF, "perks", ["ann"], zone=zone("Asia/Shanghai"))
    expect(
        table.row(0, named=True),
        behaviour__payments=PAYMENTS_EACH_WAY,
        behaviour__payees=500,
        capacity__distinct_payers=1000,
        behaviour__burstiness=-100,
        behaviour__night_share=25,
        behaviour__payee_retention=None,
        behaviour__regularity=0,
        capacity__net_inflow_share=50,
        capacity__pass_through_share=100,
        fraud__fan_in=1000,
        fraud__fan_out=500,
    )
