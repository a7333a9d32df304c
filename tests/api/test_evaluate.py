"""The evaluation on small stories; on the real loans, see tests/eval."""

from datetime import date, timedelta
from functools import cache
from io import StringIO
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from rich.console import Console

import graph
from api.evaluate.berka import CHEAP, RESTRICTED, UNSCORABLE, at_loans, evaluation, scores, shown
from api.releases.rules_folder import load
from engine.decide import Reference, assess
from engine.errors import Refused
from engine.lang.program import Program
from graph.features import features
from graph.vocabulary import CLASSES
from tests.effort import pairs
from tests.graph.story import moment, story, willing

RULES = Path(__file__).resolve().parents[2] / "rules"
FEATURES = {f.name: f for f in graph.schema()}
LIFE = """
    2020-01-02 payment.made ann > shop amount=900 currency=CNY category=groceries
    2020-01-02 payment.made bob > shop amount=700 currency=CNY category=groceries
    2020-02-01 payment.made acme > ann amount=5000 currency=CNY category=wage
    2020-02-02 payment.made ann > bob amount=300 currency=CNY category=transfer
    2020-02-03 account.balance ann amount=4700 currency=CNY
    2020-02-03 account.balance bob amount=-5 currency=CNY
    2020-02-29T23:59:59.999999 payment.made ann > shop amount=1 currency=CNY
    2020-03-01 payment.made ann > shop amount=2 currency=CNY
    2020-03-02 tie.formed ann > bob tie=friend"""
EVENTS = story(f"{willing('ann', 'bob')}\n{LIFE}")
LABELS = pl.DataFrame(
    [
        ("ann", "first", date(2020, 3, 1), False),
        ("bob", "second", date(2020, 3, 1), True),
        ("ann", "third", date(2020, 3, 3), True),
        ("ann", "early", date(1999, 1, 1), False),
        ("nobody", "stranger", date(2020, 3, 1), False),
    ],
    schema=["person", "loan", "date", "bad"],
    orient="row",
)


DAY = 20_454  # 2026-01-01


@cache
def rules() -> Program:
    return load(RULES).at(DAY)


@pytest.fixture(scope="module")
def release() -> Program:
    return rules()


def person(**values: int | None) -> dict[str, int | None]:
    """A row of features, written `dimension__name=value`: what is not said is missing."""
    return dict.fromkeys(FEATURES) | {k.replace("__", "."): v for k, v in values.items()}


STEADY = {"identity__level": 2, "identity__tenure_days": 800, "behaviour__payments": 90, "behaviour__active_months": 20}


def loans(*rows: tuple[dict[str, int | None], bool]) -> pl.DataFrame:
    """The table of loans with these features and outcomes, each of a person of their own, a day apart."""
    told = [
        {"person": f"p{n}", "loan": str(n), "date": date(1995, 1, 1) + timedelta(n), "bad": bad, **values}
        for n, (values, bad) in enumerate(rows)
    ]
    return pl.DataFrame(told, schema_overrides=dict.fromkeys(FEATURES, pl.Int64), infer_schema_length=None)


FOUR = loans(
    (person(**STEADY, credit__missed=0, capacity__balance_low_share=0, capacity__balance_months=700), False),
    (person(**STEADY, credit__missed=1, capacity__balance_low_share=30), True),
    (person(**STEADY, credit__missed=0), False),
    (person(identity__level=2, identity__tenure_days=10, credit__missed=9), True),  # too little known for a score
)


def test_the_last_microsecond_before_the_loans_day_counts_and_the_first_of_it_does_not():
    table = at_loans(EVENTS, LABELS, rules())
    assert table.select("loan", "behaviour.payments", "behaviour.payment_total").rows()[:3] == [
        ("first", 3, 1201),
        ("second", 1, 700),
        ("third", 4, 1203),
    ]


def test_a_person_of_two_loans_is_seen_twice_as_each_day_has_it():
    table = at_loans(EVENTS, LABELS, rules()).filter(person="ann")
    assert table["relationships.degree"].to_list() == [0, 1, None]


def test_who_is_not_enrolled_by_then_has_no_features_and_no_score(release):
    table = at_loans(EVENTS, LABELS, rules())
    unknown = table.filter(pl.col("loan").is_in(["early", "stranger"]))
    assert unknown.select(*CHEAP).null_count().sum_horizontal().item() == 2 * len(CHEAP)
    assert scores(release, unknown)["score"].to_list() == [None, None]


def test_each_loan_has_the_features_that_the_person_has_at_that_moment():
    table = at_loans(EVENTS, LABELS, rules())
    for at, people in (("2020-02-29T23:59:59.999999", ["ann", "bob"]), ("2020-03-02T23:59:59.999999", ["ann"])):
        day = (moment(at) + timedelta(microseconds=1)).date()
        known_at = moment("2030-01-01")
        expected = features(EVENTS, moment(at), known_at, "perks", wanted=CHEAP).filter(pl.col("person").is_in(people))
        found = table.filter(pl.col("date") == day, pl.col("person").is_in(people)).sort("person")
        assert_frame_equal(found.select(expected.columns), expected)


def test_what_became_known_when_does_not_matter_as_no_ledger_is_involved():
    late = EVENTS.with_columns(recorded_at=pl.lit(moment("2031-01-01")))
    assert_frame_equal(at_loans(late, LABELS, rules()), at_loans(EVENTS, LABELS, rules()))


def test_two_processes_give_what_one_gives_and_progress_is_told_to_the_end():
    many = pl.concat([LABELS, *(LABELS.head(1).with_columns(date=date(2020, 4, 1) + timedelta(n)) for n in range(10))])
    told: list[tuple[int, int]] = []
    apart = at_loans(EVENTS, many, rules(), workers=2, on_progress=lambda done, total: told.append((done, total)))
    assert_frame_equal(apart, at_loans(EVENTS, many, rules()))
    assert told[0] == (0, 15)
    assert told[-1] == (15, 15)
    assert told == sorted(told)
    assert len(told) > 2


def test_without_balances_is_what_comes_out_when_nobody_consented_to_them(release):
    some = ",".join(c for c in CLASSES if c != "restricted")
    unwilling = at_loans(story(f"{willing('ann', 'bob', classes=some)}\n{LIFE}"), LABELS, rules())
    willing_too = at_loans(EVENTS, LABELS, rules())
    assert willing_too.head(2)["capacity.balance_low_share"].to_list() == [0, 100]
    assert_frame_equal(willing_too.with_columns(pl.lit(None, pl.Int64).alias(n) for n in RESTRICTED), unwilling)


@settings(max_examples=pairs(25, 100), deadline=None)
@given(st.data())
def test_a_loans_score_is_the_one_a_decision_would_be_made_with(release, data):
    bounds = {n: st.one_of(st.none(), st.integers(f.low, min(f.high, 5000))) for n, f in FEATURES.items()}
    row = data.draw(st.fixed_dictionaries(bounds))
    assessed = assess(Reference(release), row, DAY)
    assert scores(release, loans((row, False))).row(0) == (assessed.score, assessed.band)


def test_the_figures_say_how_many_loans_they_are_about(release):
    found = evaluation(release, FOUR)
    assert (found.loans, found.bad, found.first, found.last) == (4, 2, date(1995, 1, 1), date(1995, 1, 4))
    for figures in (found.with_balances.figures, found.without_balances.figures):
        assert (figures.n, figures.bad, figures.unscored_good, figures.unscored_bad) == (3, 1, 0, 1)
        assert (figures.auc.value, figures.ks.value) == (1, 1)
    points = scores(release, FOUR)["score"].to_list()
    assert found.with_balances.figures.mean_good == (points[0] + points[2]) / 2
    assert found.with_balances.figures.mean_bad == points[1]


def test_balances_change_only_the_variant_that_sees_them(release):
    seen, blind = evaluation(release, FOUR), evaluation(release, FOUR.drop(RESTRICTED).with_columns(
        pl.lit(None, pl.Int64).alias(n) for n in RESTRICTED
    ))  # fmt: skip
    assert seen.with_balances != blind.with_balances
    assert seen.without_balances == blind.without_balances
    assert blind.with_balances.bands == blind.without_balances.bands


def test_a_baseline_orders_the_scored_loans_by_one_feature_and_counts_who_lacks_it(release):
    by_name = {f.name: f for f in evaluation(release, loans(
        (person(**STEADY, credit__missed=0, capacity__balance_low_share=5), False),
        (person(**STEADY, credit__missed=2, capacity__balance_low_share=5), True),
        (person(**STEADY, credit__missed=2), False),
        (person(identity__level=2, identity__tenure_days=10), True),
    )).baselines}  # fmt: skip
    assert by_name["fewest misses"].auc.value == 0.75  # one pair in order, one tie
    low = by_name["fewest low balances"]
    assert (low.n, low.unscored_good, low.unscored_bad, low.auc.value) == (2, 1, 0, 0.5)
    assert by_name["longest known"].n == 3


def test_bands_count_every_loan_once_worst_first_and_the_unscorable_last(release):
    bands = evaluation(release, FOUR).with_balances.bands
    assert [b.band for b in bands] == [*(b.name for b in release.scorecard.bands), UNSCORABLE]
    assert (sum(b.n for b in bands), sum(b.bad for b in bands)) == (4, 2)
    assert (bands[-1].n, bands[-1].rate) == (1, 1.0)
    assert next(b for b in bands if not b.n).rate is None
    named = scores(release, FOUR).group_by("band").len().drop_nulls()
    assert {b.band: b.n for b in bands[:-1] if b.n} == dict(named.iter_rows())


def test_loans_that_all_went_well_cannot_be_evaluated(release):
    with pytest.raises(Refused, match="goods and bads are both needed"):
        evaluation(release, FOUR.with_columns(bad=False))


def test_what_is_shown_fits_a_terminal_and_says_the_figures(release):
    found = evaluation(release, FOUR)
    console = Console(width=80, file=StringIO())
    for part in shown(found):
        console.print(part, soft_wrap=isinstance(part, str))
    text = console.file.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    for said in ("4 loans of 1995-01-01 to 1995-01-04, 2 of them bad", "3 of 4", "1.000 (1.00-1.00)", "1 loans, 1 of"):
        assert said in text, said
    for figures in (found.with_balances.figures, found.without_balances.figures, *found.baselines):
        assert figures.name in text
    for band in found.with_balances.bands:
        assert band.band in text
