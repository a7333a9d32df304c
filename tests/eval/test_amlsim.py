"""Rings and fans against who was put on a ring: by hand on eleven accounts, and on AMLSim's."""

from io import StringIO
from pathlib import Path

import polars as pl
import pytest
from rich.console import Console

from api.evaluate.amlsim import FAN_IN, RINGS, Evaluation, Told, acting, evaluation, flagged, shown, told_and_accounts
from engine.errors import Refused
from graph.sources import amlsim as source
from tests.graph.story import moment, story, willing

# Money goes round p, q, r in order of time; s and t pay u; m was to be on a ring and never was. Three who are on none pay v.
PEOPLE = ("p", "q", "r", "s", "t", "u", "m", "v", "w", "x", "y")
ACTED = {"p": 1, "q": 2, "r": 3, "s": 5, "t": 6, "u": None, "m": None}
PAID = """
    2017-01-01 payment.made p > q amount=1000 currency=USD
    2017-01-02 payment.made q > r amount=990 currency=USD
    2017-01-03 payment.made r > p amount=980 currency=USD
    2017-01-05 payment.made s > u amount=50 currency=USD
    2017-01-06 payment.made t > u amount=70 currency=USD
    2017-01-05 payment.made w > v amount=50 currency=USD
    2017-01-06 payment.made x > v amount=70 currency=USD
    2017-01-07 payment.made y > v amount=90 currency=USD
"""


def labelled(acted: dict[str, int | None]) -> pl.DataFrame:
    """Who was put on a ring, and on what day of January they acted."""
    days = {p: moment(f"2017-01-0{day}") for p, day in acted.items() if day}
    rows = [(p, p in acted, days.get(p)) for p in PEOPLE]
    schema = {"person": pl.String, "ringed": pl.Boolean, "acted": pl.Datetime("us", "UTC")}
    return pl.DataFrame(rows, schema=schema, orient="row")


LABELS = labelled(ACTED)


def events(paid: str = PAID) -> pl.DataFrame:
    return story(f"{willing(*PEOPLE)}\n{paid}")


@pytest.fixture(scope="module")
def found() -> Evaluation:
    return evaluation(events(), LABELS)


def test_what_the_data_tell_of_the_rings(found: Evaluation) -> None:
    assert (found.accounts, found.ringed) == (11, 7)
    assert found.told == Told(paying=5, parties=6, collecting=1, gathering=2, closed=1, closing=3, in_order=1)


def test_precision_is_of_the_flagged_and_recall_of_those_put_on_a_ring(found: Evaluation) -> None:
    by_name = {line.by: line for line in found.flagged}
    round_ = by_name["rings >= 1"]
    assert (round_.flagged, round_.right, round_.precision, round_.recall) == (3, 3, 1, 3 / 7)
    assert (round_.collecting, round_.closing) == ((0, 1), (3, 3))
    fans = by_name["fan_in >= 2"]  # u, who was, and v, who was not
    assert (fans.flagged, fans.right, fans.precision, fans.recall) == (2, 1, 0.5, 1 / 7)
    assert (fans.collecting, fans.closing) == ((1, 1), (0, 3))
    assert (by_name["fan_in >= 3"].precision, by_name["fan_in >= 4"].precision) == (0, None)


def test_areas_count_a_tie_as_half(found: Evaluation) -> None:
    areas = {name: area.value for name, area in found.areas}
    # 3 of 7 are on a ring and before all 4; the other 4 tie with all 4: 12 + 8 of 28.
    assert areas[RINGS] == pytest.approx(20 / 28)
    # u (2) before w, x, y; p, q, r (1 each) too; s, t, m (0) tie with them; v (3) before everyone: 3 + 9 + 4.5 of 28.
    assert areas[FAN_IN] == pytest.approx(16.5 / 28)


def test_a_ring_of_three_days_and_two_percent_is_found_by_any_of_the_constants(found: Evaluation) -> None:
    assert (len(found.others), found.rings, found.left_out) == (12, 1, 0)
    assert {(o.rings, o.found.flagged, o.found.right) for o in found.others} == {(1, 3, 3)}


def test_a_cycle_out_of_order_in_time_closes_and_is_no_ring() -> None:
    # r pays p on the 3rd, q pays r on the 4th, p pays q on the 5th.
    later = {
        "2017-01-01 payment.made p": "2017-01-05 payment.made p",
        "2017-01-02 payment.made q": "2017-01-04 payment.made q",
    }
    swapped = PAID
    for before, after in later.items():
        swapped = swapped.replace(before, after)
    labels = labelled(ACTED | {"p": 5, "q": 4})
    told, accounts = told_and_accounts(events(swapped), labels)
    assert (told.closed, told.closing, told.in_order) == (1, 3, 0)
    assert accounts[RINGS].sum() == 0


def test_only_what_an_account_paid_on_its_day_to_another_of_a_ring_is_made_for_one() -> None:
    more = "2017-01-02 payment.made p > q amount=1000 currency=USD\n2017-01-01 payment.made p > v amount=1 currency=USD"
    assert acting(events(f"{PAID}\n{more}"), LABELS).height == 5


def test_figures_need_accounts_of_both_kinds() -> None:
    with pytest.raises(Refused, match="goods and bads are both needed"):
        evaluation(events(), LABELS.with_columns(ringed=pl.lit(True)))


def test_what_is_shown_fits_a_terminal_and_says_the_figures(found: Evaluation) -> None:
    console = Console(width=80, file=StringIO())
    for part in shown(found):
        console.print(part, soft_wrap=isinstance(part, str))
    text = console.file.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    for said in ("11 accounts, 7 of them", "0.89-0.90", "14 days", "rings >= 1", "fan_in >= 10", "3 of 3", "0.429"):
        assert said in text, said


def test_amlsims_cycles_close_seldom_and_never_in_order_so_rings_find_nobody(amlsim_folder: Path) -> None:
    told, accounts = told_and_accounts(source.events(amlsim_folder), source.labels(amlsim_folder))
    assert told == Told(paying=3_540, parties=1_224, collecting=151, gathering=416, closed=19, closing=95, in_order=0)
    on = flagged("", accounts[RINGS] >= 1, accounts)
    assert (on.flagged, on.right, on.ringed) == (0, 0, 1_804)
    fans = flagged("", accounts[FAN_IN] >= 3, accounts)
    assert fans.precision is not None
    assert fans.precision > on.ringed / accounts.height  # better than by lot
    assert 0.4 < fans.recall < 0.5
