"""Evaluate rings and fans against the accounts put on a ring: by hand on eleven accounts, and on AMLSim's data."""

from io import StringIO
from pathlib import Path

import polars as pl
import pytest
from rich.console import Console

from api.evaluation.amlsim import (
    FAN_IN,
    RINGS,
    AmlsimEvaluation,
    RingStatistics,
    evaluate,
    flag_result,
    report_parts,
    ring_payments,
    statistics_and_accounts,
)
from engine.errors import Rejected
from graph.datasets import amlsim as source
from tests.graph.story import enrol, moment, story

# Money moves around p, q, r in order of time. s and t pay u. m was planned for a ring but made no payment. Three others pay v.
PEOPLE = ("p", "q", "r", "s", "t", "u", "m", "v", "w", "x", "y")
ACTION_DAYS = {"p": 1, "q": 2, "r": 3, "s": 5, "t": 6, "u": None, "m": None}
PAYMENTS = """
    2017-01-01 payment.made p > q amount=1000 currency=USD
    2017-01-02 payment.made q > r amount=990 currency=USD
    2017-01-03 payment.made r > p amount=980 currency=USD
    2017-01-05 payment.made s > u amount=50 currency=USD
    2017-01-06 payment.made t > u amount=70 currency=USD
    2017-01-05 payment.made w > v amount=50 currency=USD
    2017-01-06 payment.made x > v amount=70 currency=USD
    2017-01-07 payment.made y > v amount=90 currency=USD
"""


def label_people(action_days: dict[str, int | None]) -> pl.DataFrame:
    """The accounts that we put on a ring, and the day of January on which they acted."""
    days = {p: moment(f"2017-01-0{day}") for p, day in action_days.items() if day}
    rows = [(p, p in action_days, days.get(p)) for p in PEOPLE]
    schema = {"person": pl.String, "ringed": pl.Boolean, "acted": pl.Datetime("us", "UTC")}
    return pl.DataFrame(rows, schema=schema, orient="row")


LABELS = label_people(ACTION_DAYS)


def events(payments: str = PAYMENTS) -> pl.DataFrame:
    return story(f"{enrol(*PEOPLE)}\n{payments}")


@pytest.fixture(scope="module")
def result() -> AmlsimEvaluation:
    return evaluate(events(), LABELS)


def test_the_ring_statistics_are_as_counted_by_hand(result: AmlsimEvaluation) -> None:
    assert (result.accounts, result.ringed) == (11, 7)
    assert result.ring_statistics == RingStatistics(
        paying=5, parties=6, collecting=1, gathering=2, closed=1, closing=3, in_order=1
    )


def test_precision_is_of_the_flagged_and_recall_of_those_put_on_a_ring(result: AmlsimEvaluation) -> None:
    by_name = {line.by: line for line in result.results}
    round_ = by_name["rings >= 1"]
    assert (round_.flagged, round_.right, round_.precision, round_.recall) == (3, 3, 1, 3 / 7)
    assert (round_.collecting, round_.closing) == ((0, 1), (3, 3))
    fans = by_name["fan_in >= 2"]  # u is on a ring, v is not
    assert (fans.flagged, fans.right, fans.precision, fans.recall) == (2, 1, 0.5, 1 / 7)
    assert (fans.collecting, fans.closing) == ((1, 1), (0, 3))
    assert (by_name["fan_in >= 3"].precision, by_name["fan_in >= 4"].precision) == (0, None)


def test_areas_count_a_tie_as_half(result: AmlsimEvaluation) -> None:
    areas = {name: area.value for name, area in result.areas}
    # 3 of 7 are on a ring and before all 4; the other 4 tie with all 4: 12 + 8 of 28.
    assert areas[RINGS] == pytest.approx(20 / 28)
    # u (2) before w, x, y; p, q, r (1 each) too; s, t, m (0) tie with them; v (3) before everyone: 3 + 9 + 4.5 of 28.
    assert areas[FAN_IN] == pytest.approx(16.5 / 28)


def test_a_ring_of_three_days_and_two_percent_is_found_by_any_of_the_constants(result: AmlsimEvaluation) -> None:
    assert (len(result.variants), result.rings, result.excluded) == (12, 1, 0)
    assert {(o.rings, o.result.flagged, o.result.right) for o in result.variants} == {(1, 3, 3)}


def test_a_cycle_out_of_order_in_time_closes_and_is_no_ring() -> None:
    # r pays p on the 3rd, q pays r on the 4th, p pays q on the 5th.
    later = {
        "2017-01-01 payment.made p": "2017-01-05 payment.made p",
        "2017-01-02 payment.made q": "2017-01-04 payment.made q",
    }
    payments = PAYMENTS
    for before, after in later.items():
        payments = payments.replace(before, after)
    labels = label_people(ACTION_DAYS | {"p": 5, "q": 4})
    totals, accounts = statistics_and_accounts(events(payments), labels)
    assert (totals.closed, totals.closing, totals.in_order) == (1, 3, 0)
    assert accounts[RINGS].sum() == 0


def test_ring_payments_are_those_on_an_accounts_day_to_another_ring_account() -> None:
    more = "2017-01-02 payment.made p > q amount=1000 currency=USD\n2017-01-01 payment.made p > v amount=1 currency=USD"
    assert ring_payments(events(f"{PAYMENTS}\n{more}"), LABELS).height == 5


def test_figures_need_accounts_of_both_kinds() -> None:
    with pytest.raises(Rejected, match="goods and bads are both needed"):
        evaluate(events(), LABELS.with_columns(ringed=pl.lit(True)))


def test_the_output_fits_a_terminal_and_has_the_figures(result: AmlsimEvaluation) -> None:
    console = Console(width=80, file=StringIO())
    for part in report_parts(result):
        console.print(part, soft_wrap=isinstance(part, str))
    text = console.file.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    for phrase in ("11 accounts, 7 of them", "0.89-0.90", "14 days", "rings >= 1", "fan_in >= 10", "3 of 3", "0.429"):
        assert phrase in text, phrase


def test_amlsims_cycles_rarely_close_and_never_in_order_so_no_ring_is_found(amlsim_folder: Path) -> None:
    totals, accounts = statistics_and_accounts(source.events(amlsim_folder), source.labels(amlsim_folder))
    assert totals == RingStatistics(
        paying=3_540, parties=1_224, collecting=151, gathering=416, closed=19, closing=95, in_order=0
    )
    ring_flags = flag_result("", accounts[RINGS] >= 1, accounts)
    assert (ring_flags.flagged, ring_flags.right, ring_flags.ringed) == (0, 0, 1_804)
    fans = flag_result("", accounts[FAN_IN] >= 3, accounts)
    assert fans.precision is not None
    assert fans.precision > ring_flags.ringed / accounts.height  # we do better than a random choice
    assert 0.4 < fans.recall < 0.5
