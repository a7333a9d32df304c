"""The evaluation on small data; for the real loans see tests/eval."""

from datetime import date, timedelta
from functools import cache
from io import StringIO

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from rich.console import Console

import iftah
from api.evaluation.berka import (
    UNSCORABLE,
    evaluate,
    features_at_loans,
    report_parts,
    scores,
)
from api.releases.rules_folder import load_folder
from engine.decide.decide import ReferenceEvaluator, assess
from engine.errors import Rejected
from engine.lang.model.program import Program
from graph.evidence.vocabulary import CLASSES
from tests.effort import by_effort, only_in_full
from tests.graph.story import enrol, moment, story
from tests.paths import RULES
from tests.shipped_features import features

FEATURES = {f.name: f for f in iftah.FEATURES}
CHEAP_FEATURES = frozenset(FEATURES) - {"fraud.rings"}
RESTRICTED = [name for name, f in FEATURES.items() if f.data_class == "restricted"]
LIFE_EVENTS = """
    2020-01-02 payment.made ann > shop amount=900 currency=CNY category=groceries
    2020-01-02 payment.made bob > shop amount=700 currency=CNY category=groceries
    2020-02-01 payment.made acme > ann amount=5000 currency=CNY category=wage
    2020-02-02 payment.made ann > bob amount=300 currency=CNY category=transfer
    2020-02-03 account.balance ann amount=4700 currency=CNY
    2020-02-03 account.balance bob amount=-5 currency=CNY
    2020-02-29T23:59:59.999999 payment.made ann > shop amount=1 currency=CNY
    2020-03-01 payment.made ann > shop amount=2 currency=CNY
    2020-03-02 tie.formed ann > bob tie=friend"""
EVENTS = story(f"{enrol('ann', 'bob')}\n{LIFE_EVENTS}")
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
    return load_folder(RULES).at(DAY)


@pytest.fixture(scope="module")
def release() -> Program:
    return rules()


def person(**values: int | None) -> dict[str, int | None]:
    """A row of features, written `dimension__name=value`; all others are missing."""
    return dict.fromkeys(FEATURES) | {k.replace("__", "."): v for k, v in values.items()}


STEADY_PERSON = {
    "identity__level": 2,
    "identity__tenure_days": 800,
    "behaviour__payments": 90,
    "behaviour__active_months": 20,
}


def loans(*rows: tuple[dict[str, int | None], bool]) -> pl.DataFrame:
    """A table of loans with these features and outcomes, one person and one day per loan."""
    records = [
        {"person": f"p{n}", "loan": str(n), "date": date(1995, 1, 1) + timedelta(n), "bad": bad, **values}
        for n, (values, bad) in enumerate(rows)
    ]
    return pl.DataFrame(records, schema_overrides=dict.fromkeys(FEATURES, pl.Int64), infer_schema_length=None)


FOUR_LOANS = loans(
    (person(**STEADY_PERSON, credit__missed=0, capacity__balance_low_share=0, capacity__balance_months=700), False),
    (person(**STEADY_PERSON, credit__missed=1, capacity__balance_low_share=30), True),
    (person(**STEADY_PERSON, credit__missed=0), False),
    (person(identity__level=2, identity__tenure_days=10, credit__missed=9), True),  # too little known for a score
)


def test_evidence_counts_up_to_the_microsecond_before_the_loans_day():
    table = features_at_loans(EVENTS, LABELS, rules())
    assert table.select("loan", "behaviour.payments", "behaviour.payment_total").rows()[:3] == [
        ("first", 3, 1201),
        ("second", 1, 700),
        ("third", 4, 1203),
    ]


def test_a_person_with_two_loans_gets_features_for_each_day():
    table = features_at_loans(EVENTS, LABELS, rules()).filter(person="ann")
    assert table["relationships.degree"].to_list() == [0, 1, None]


def test_a_person_not_yet_enrolled_has_no_features_and_no_score(release):
    table = features_at_loans(EVENTS, LABELS, rules())
    unknown = table.filter(pl.col("loan").is_in(["early", "stranger"]))
    assert unknown.select(*CHEAP_FEATURES).null_count().sum_horizontal().item() == 2 * len(CHEAP_FEATURES)
    assert scores(release, unknown)["score"].to_list() == [None, None]


def test_each_loan_has_the_persons_features_at_that_moment():
    table = features_at_loans(EVENTS, LABELS, rules())
    for at, people in (("2020-02-29T23:59:59.999999", ["ann", "bob"]), ("2020-03-02T23:59:59.999999", ["ann"])):
        day = (moment(at) + timedelta(microseconds=1)).date()
        known_at = moment("2030-01-01")
        expected = features(EVENTS, moment(at), known_at, "perks", feature_names=CHEAP_FEATURES).filter(
            pl.col("person").is_in(people)
        )
        actual = table.filter(pl.col("date") == day, pl.col("person").is_in(people)).sort("person")
        assert_frame_equal(actual.select(expected.columns), expected)


def test_recorded_times_do_not_matter_without_a_ledger():
    late_events = EVENTS.with_columns(recorded_at=pl.lit(moment("2031-01-01")))
    assert_frame_equal(features_at_loans(late_events, LABELS, rules()), features_at_loans(EVENTS, LABELS, rules()))


@only_in_full
def test_two_processes_give_the_same_result_as_one_with_complete_progress():
    labels = pl.concat(
        [LABELS, *(LABELS.head(1).with_columns(date=date(2020, 4, 1) + timedelta(n)) for n in range(10))]
    )
    progress: list[tuple[int, int]] = []
    parallel = features_at_loans(
        EVENTS, labels, rules(), workers=2, on_progress=lambda completed, total: progress.append((completed, total))
    )
    assert_frame_equal(parallel, features_at_loans(EVENTS, labels, rules()))
    assert progress[0] == (0, 15)
    assert progress[-1] == (15, 15)
    assert progress == sorted(progress)
    assert len(progress) > 2


def test_without_balances_equals_features_without_consent_to_them(release):
    classes = ",".join(c for c in CLASSES if c != "restricted")
    without_consent = features_at_loans(
        story(f"{enrol('ann', 'bob', classes=classes)}\n{LIFE_EVENTS}"), LABELS, rules()
    )
    with_consent = features_at_loans(EVENTS, LABELS, rules())
    assert with_consent.head(2)["capacity.balance_low_share"].to_list() == [0, 100]
    assert_frame_equal(with_consent.with_columns(pl.lit(None, pl.Int64).alias(n) for n in RESTRICTED), without_consent)


@settings(max_examples=by_effort(8, 100), deadline=None)
@given(st.data())
def test_a_loans_score_equals_that_of_a_decision(release, data):
    bounds = {n: st.one_of(st.none(), st.integers(f.low, min(f.high, 5000))) for n, f in FEATURES.items()}
    row = data.draw(st.fixed_dictionaries(bounds))
    assessment = assess(ReferenceEvaluator(release), row, DAY)
    assert scores(release, loans((row, False))).row(0) == (assessment.score, assessment.band)


def test_the_figures_state_the_number_of_loans(release):
    report = evaluate(release, FOUR_LOANS)
    assert (report.loans, report.bad, report.first, report.last) == (4, 2, date(1995, 1, 1), date(1995, 1, 4))
    for figures in (report.with_balances.figures, report.without_balances.figures):
        assert (figures.n, figures.bad, figures.unscored_good, figures.unscored_bad) == (3, 1, 0, 1)
        assert (figures.auc.value, figures.ks.value) == (1, 1)
    points = scores(release, FOUR_LOANS)["score"].to_list()
    assert report.with_balances.figures.mean_good == (points[0] + points[2]) / 2
    assert report.with_balances.figures.mean_bad == points[1]


def test_balances_change_only_the_variant_that_sees_them(release):
    full, blind = evaluate(release, FOUR_LOANS), evaluate(release, FOUR_LOANS.drop(RESTRICTED).with_columns(
        pl.lit(None, pl.Int64).alias(n) for n in RESTRICTED
    ))  # fmt: skip
    assert full.with_balances != blind.with_balances
    assert full.without_balances == blind.without_balances
    assert blind.with_balances.bands == blind.without_balances.bands


def test_a_baseline_orders_the_scored_loans_by_one_feature_and_counts_missing_values(release):
    by_name = {f.name: f for f in evaluate(release, loans(
        (person(**STEADY_PERSON, credit__missed=0, capacity__balance_low_share=5), False),
        (person(**STEADY_PERSON, credit__missed=2, capacity__balance_low_share=5), True),
        (person(**STEADY_PERSON, credit__missed=2), False),
        (person(identity__level=2, identity__tenure_days=10), True),
    )).baselines}  # fmt: skip
    assert by_name["fewest misses"].auc.value == 0.75  # one pair in order, one tie
    low = by_name["fewest low balances"]
    assert (low.n, low.unscored_good, low.unscored_bad, low.auc.value) == (2, 1, 0, 0.5)
    assert by_name["longest known"].n == 3


def test_bands_count_every_loan_once_worst_first_and_the_unscorable_last(release):
    bands = evaluate(release, FOUR_LOANS).with_balances.bands
    assert [b.band for b in bands] == [*(b.name for b in release.scorecard.bands), UNSCORABLE]
    assert (sum(b.n for b in bands), sum(b.bad for b in bands)) == (4, 2)
    assert (bands[-1].n, bands[-1].rate) == (1, 1.0)
    assert next(b for b in bands if not b.n).rate is None
    counts = scores(release, FOUR_LOANS).group_by("band").len().drop_nulls()
    assert {b.band: b.n for b in bands[:-1] if b.n} == dict(counts.iter_rows())


def test_loans_with_only_good_outcomes_cannot_be_evaluated(release):
    with pytest.raises(Rejected, match="goods and bads are both needed"):
        evaluate(release, FOUR_LOANS.with_columns(bad=False))


def test_the_output_fits_a_terminal_and_has_the_figures(release):
    report = evaluate(release, FOUR_LOANS)
    console = Console(width=80, file=StringIO())
    for part in report_parts(report):
        console.print(part, soft_wrap=isinstance(part, str))
    text = console.file.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    for phrase in (
        "4 loans of 1995-01-01 to 1995-01-04, 2 of them bad",
        "3 of 4",
        "1.000 (1.00-1.00)",
        "1 loans, 1 of",
    ):
        assert phrase in text, phrase
    for figures in (report.with_balances.figures, report.without_balances.figures, *report.baselines):
        assert figures.name in text
    for band in report.with_balances.bands:
        assert band.band in text
