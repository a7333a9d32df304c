"""The town contains all that you ask for, and its hidden facts show in the events, with noise."""

import json
from datetime import UTC, datetime, timedelta

import networkx as nx
import numpy as np
import polars as pl
import pytest

from graph.datasets.dataset import SourceError
from graph.datasets.town import END, Town, town
from graph.evidence.event_checks import problems
from graph.evidence.events import CORRECTABLE_COLUMNS, SCHEMA
from graph.evidence.vocabulary import LINK_KIND, STANDARD

PEOPLE = 4_000
START = datetime(2024, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def sample_town() -> Town:
    return town(PEOPLE, seed=7)


@pytest.fixture(scope="module")
def events(sample_town: Town) -> pl.DataFrame:
    return pl.concat(list(sample_town.events()))


def of_kinds(events: pl.DataFrame, *kinds: str) -> pl.DataFrame:
    return events.filter(pl.col("kind").is_in(kinds))


def count_by_person(events: pl.DataFrame, sample_town: Town, *kinds: str) -> pl.DataFrame:
    """`truth` with `n`, how many events of the kinds each person is the subject of."""
    n = of_kinds(events, *kinds).group_by(person="subject").len("n")
    return sample_town.truth.join(n, on="person", how="left").with_columns(pl.col("n").fill_null(0))


def rank_correlation(a: pl.Series, b: pl.Series) -> float:
    return float(pl.DataFrame({"a": a, "b": b}).select(pl.corr("a", "b", method="spearman")).item())


def test_every_event_may_enter_the_ledger(events: pl.DataFrame) -> None:
    assert events.schema == pl.Schema(SCHEMA)
    assert problems(events, END).is_empty()
    assert events["event_id"].is_unique().all()
    assert events["recorded_at"].null_count() == events.height


def test_every_kind_of_event_happens(events: pl.DataFrame) -> None:
    assert set(events["kind"]) == {k.name for k in STANDARD.kinds if not k.reverses and k.name != LINK_KIND}


def test_one_seed_is_one_town(sample_town: Town, events: pl.DataFrame) -> None:
    same_town = town(PEOPLE, seed=7)
    assert pl.concat(list(same_town.events())).equals(events)
    assert pl.concat(list(sample_town.events())).equals(events)
    assert same_town.truth.equals(sample_town.truth)


def test_another_seed_is_another_town(sample_town: Town) -> None:
    other = town(PEOPLE, seed=8)
    assert not other.truth["reliability"].equals(sample_town.truth["reliability"])
    assert not next(other.events()).equals(next(sample_town.events()))


def test_each_frame_has_one_kind(sample_town: Town) -> None:
    assert all(frame["kind"].n_unique() == 1 for frame in sample_town.events())


@pytest.mark.parametrize(
    ("people", "payments"),
    [(1, 0), (1, 1), (3, 10), (17, None), (100, 0), (100, 7), (200, 100), (500, 12_345), (2_500, 5_000)],
)
def test_people_and_payments_have_the_requested_numbers(people: int, payments: int | None) -> None:
    events = pl.concat(list(town(people, seed=1, payments=payments).events()))
    assert of_kinds(events, "person.enrolled")["subject"].n_unique() == people
    assert of_kinds(events, "payment.made").height == (40 * people if payments is None else payments)
    assert problems(events, END).is_empty()
    assert events["event_id"].is_unique().all()


def test_more_than_a_million_rows_come_in_frames_of_at_most_a_million() -> None:
    heights = [f.height for f in town(2_000, seed=1, payments=2_300_000).events() if f["kind"][0] == "payment.made"]
    assert sum(heights) == 2_300_000
    assert max(heights) == 1_000_000


def test_everything_happens_in_the_months_before_the_end(events: pl.DataFrame) -> None:
    assert events["happened_at"].min() >= START
    assert events["happened_at"].max() < END


@pytest.mark.parametrize("months", [1, 2, 6, 36])
def test_the_months_and_the_end_are_parameters(months: int) -> None:
    end = datetime(2024, 3, 31, 15, 30, tzinfo=UTC)
    events = pl.concat(list(town(600, seed=3, months=months, end=end).events()))
    assert events["happened_at"].max() < end
    assert events["happened_at"].min() >= end - timedelta(days=31 * months + 1)
    assert problems(events, end).is_empty()


def test_no_event_precedes_enrolment(events: pl.DataFrame) -> None:
    since = of_kinds(events, "person.enrolled").select("subject", since="happened_at")
    for end in ("subject", "other"):
        acts = events.join(since, left_on=end, right_on="subject")
        assert acts.height > PEOPLE
        assert acts.filter(pl.col("happened_at") < pl.col("since")).is_empty()


def test_purchases_happen_by_day_in_the_towns_time_zone(events: pl.DataFrame) -> None:
    visits = events.filter(pl.col("event_id").str.starts_with("s-"))
    hours = visits["happened_at"].dt.offset_by("8h").dt.hour()
    assert (hours.min(), hours.max()) == (7, 22)


def test_consent_comes_with_enrolment_in_the_documented_shares(events: pl.DataFrame) -> None:
    granted = of_kinds(events, "consent.granted")
    assert of_kinds(events, "person.enrolled").join(granted, on=("subject", "happened_at")).height == PEOPLE
    share = {
        c: granted["classes"].str.contains(c).mean()
        for c in ("identity", "behaviour", "credit", "restricted", "relationship")
    }
    assert share["identity"] == share["behaviour"] == share["credit"] == 1
    assert 0.66 < share["restricted"] < 0.74
    assert 0.96 < share["relationship"] < 0.98
    assert 0.004 < of_kinds(events, "consent.withdrawn").height / PEOPLE < 0.02


def test_unreliable_people_miss_more_instalments(events: pl.DataFrame, sample_town: Town) -> None:
    owed = count_by_person(events, sample_town, "obligation.missed", "obligation.paid").filter(pl.col("n") > 0)
    missed = count_by_person(events, sample_town, "obligation.missed").select("person", missed="n")
    share = owed.join(missed, on="person").with_columns(share=pl.col("missed") / pl.col("n"))
    assert rank_correlation(share["reliability"], share["share"]) < -0.3
    lost = count_by_person(events, sample_town, "obligation.written_off").filter(pl.col("n") > 0)
    assert lost["reliability"].mean() < sample_town.truth["reliability"].mean() - 0.15


def test_unreliable_people_return_more_orders_late(events: pl.DataFrame, sample_town: Town) -> None:
    late = count_by_person(events, sample_town, "order.overdue").filter(~pl.col("sybil"))
    assert (
        late.filter(pl.col("n") > 0)["reliability"].mean() < late.filter(pl.col("n") == 0)["reliability"].mean() - 0.08
    )
    settled = of_kinds(events, "order.settled")
    overdue = set(of_kinds(events, "order.overdue")["order"])
    assert set(settled.filter(pl.col("days_late") > 0)["order"]) <= overdue
    assert not set(settled.filter(pl.col("days_late") == 0)["order"]) & overdue


def test_reliable_people_have_higher_balances_at_the_end(events: pl.DataFrame, sample_town: Town) -> None:
    last = (
        of_kinds(events, "account.balance").sort("happened_at").group_by(person="subject").agg(pl.col("amount").last())
    )
    joined = sample_town.truth.join(last, on="person")
    assert rank_correlation(joined["reliability"], joined["amount"]) > 0.3
    overdrawn = joined.filter(pl.col("amount") < 0)
    assert 0.02 < overdrawn.height / joined.height < 0.3
    assert overdrawn["reliability"].mean() < joined["reliability"].mean() - 0.08


def test_a_month_without_wage_lowers_the_balance(events: pl.DataFrame) -> None:
    months = [pl.col("happened_at").dt.truncate("1mo").alias("month")]
    paid = (
        of_kinds(events, "payment.made")
        .filter(pl.col("category").is_in(["wage", "pension"]))
        .select(*months, person="other")
    )
    balance = of_kinds(events, "account.balance").sort("happened_at").select(*months, "amount", person="subject")
    change = balance.with_columns(change=pl.col("amount").diff().over("person")).drop_nulls("change")
    with_wage = change.join(paid, on=("person", "month"), how="semi")["change"].median()
    without = change.join(paid, on=("person", "month"), how="anti")["change"].median()
    assert without < -100_000 < with_wage


def test_wages_are_monthly(events: pl.DataFrame) -> None:
    wages = of_kinds(events, "payment.made").filter(pl.col("category") == "wage").sort("other", "happened_at")
    gaps = wages.select(pl.col("happened_at").diff().over("other").dt.total_days().alias("days")).drop_nulls()
    assert gaps["days"].median() in (29, 30, 31)
    assert wages["subject"].str.starts_with("e-").all()


def test_spending_has_seasons_and_popular_shops(events: pl.DataFrame) -> None:
    shops = of_kinds(events, "payment.made").filter(pl.col("other").str.starts_with("m-"))
    bought = shops.filter(pl.col("category") == "shopping", pl.col("happened_at").dt.year() == 2025)
    months = dict(bought.group_by(pl.col("happened_at").dt.month()).len().iter_rows())
    assert months[11] > 1.4 * months[9]
    visits = shops.group_by("category", "other").len().sort("len", descending=True)
    top = visits.group_by("category").agg(share=pl.col("len").first() / pl.col("len").sum(), even=1 / pl.len())
    assert (top["share"] > 1.5 * top["even"]).all()


@pytest.mark.parametrize("tie", ["friend", "colleague", "household", "vouch"])
def test_similar_people_are_tied(events: pl.DataFrame, sample_town: Town, tie: str) -> None:
    real = sample_town.truth.filter(~pl.col("sybil")).select("person", "reliability")
    ties = of_kinds(events, "tie.formed").filter(pl.col("tie") == tie)
    if tie == "vouch":
        ties = ties.filter(pl.col("strength") > 0)
    ends = ties.join(real, left_on="subject", right_on="person").join(
        real, left_on="other", right_on="person", suffix="_other"
    )
    distance = (ends["reliability"] - ends["reliability_other"]).abs().mean()
    shuffled = ends["reliability_other"].shuffle(seed=1)
    assert distance < 0.85 * (ends["reliability"] - shuffled).abs().mean()


def test_vouches_are_mostly_positive_and_about_reliable_people(events: pl.DataFrame, sample_town: Town) -> None:
    real = sample_town.truth.filter(~pl.col("sybil"))
    about = (
        of_kinds(events, "tie.formed").filter(pl.col("tie") == "vouch").join(real, left_on="other", right_on="person")
    )
    good, bad = about.filter(pl.col("strength") > 0), about.filter(pl.col("strength") < 0)
    assert 0 < bad.height < 0.1 * good.height
    assert bad["reliability"].mean() < 0.4 < 0.65 < good["reliability"].mean()


def test_households_have_one_to_five_people(events: pl.DataFrame) -> None:
    home = nx.Graph(
        of_kinds(events, "tie.formed").filter(pl.col("tie") == "household").select("subject", "other").rows()
    )
    sizes = [len(c) for c in nx.connected_components(home)]
    assert set(sizes) == {2, 3, 4, 5}
    assert home.number_of_edges() == sum(n * (n - 1) // 2 for n in sizes)


def test_colleagues_work_for_one_employer(events: pl.DataFrame) -> None:
    wages = of_kinds(events, "payment.made").filter(pl.col("category") == "wage").select("subject", "other").unique()
    works = dict(wages.select("other", "subject").iter_rows())
    pairs = of_kinds(events, "tie.formed").filter(pl.col("tie") == "colleague").select("subject", "other").rows()
    employers = [(works[a], works[b]) for a, b in pairs if a in works and b in works]
    assert len(employers) > 100
    assert all(a == b for a, b in employers)


def test_a_tie_ends_after_it_formed(events: pl.DataFrame) -> None:
    formed = of_kinds(events, "tie.formed").select("subject", "other", "tie", since="happened_at")
    ended = of_kinds(events, "tie.ended")
    both = ended.join(formed, on=("subject", "other", "tie"))
    assert both.height == ended.height > 0
    assert (both["happened_at"] >= both["since"]).all()


def test_a_ring_passes_money_round_within_days(events: pl.DataFrame, sample_town: Town) -> None:
    members = sample_town.truth.drop_nulls("ring").select("person", "ring")
    sizes = dict(members.group_by("ring").len().iter_rows())
    assert len(sizes) == PEOPLE // 500
    assert set(sizes.values()) <= {3, 4, 5}
    paid = of_kinds(events, "payment.made").filter(pl.col("contributor") == "bank-a", pl.col("category") == "transfer")
    inside = paid.join(members, left_on="subject", right_on="person").join(
        members, left_on="other", right_on="person", suffix="_other"
    )
    inside = inside.filter(pl.col("ring") == pl.col("ring_other")).sort("ring", "happened_at")
    for ring, size in sizes.items():
        hops = inside.filter(pl.col("ring") == ring)
        flow = nx.DiGraph(hops.select("subject", "other").rows())
        assert sorted(len(c) for c in nx.simple_cycles(flow)) == [size]
        first = hops["subject"].value_counts()["count"]
        assert first.n_unique() == 1
        assert first[0] >= 6
        assert laps_within_days(hops, size, 5)


def laps_within_days(hops: pl.DataFrame, size: int, days: int) -> bool:
    """Check that after each payment of the member that starts a lap, the others follow in order within `days` days."""
    by_time = hops.sort("event_id")  # a lap's hops are numbered one after the other
    order = pl.col("event_id").str.strip_prefix("c-").cast(pl.Int64)
    laps = by_time.sort(order).with_row_index("i").with_columns(lap=pl.col("i") // size)
    spent = laps.group_by("lap").agg(
        took=pl.col("happened_at").max() - pl.col("happened_at").min(),
        chained=(pl.col("other").shift(1) == pl.col("subject")).all()
        & (pl.col("other").last() == pl.col("subject").first()),
    )
    return bool((spent["took"] <= timedelta(days=days)).all() and spent["chained"].all())


def test_sybils_are_new_and_tied_mostly_to_each_other(events: pl.DataFrame, sample_town: Town) -> None:
    fake = set(sample_town.truth.filter("sybil")["person"])
    assert 20 * (PEOPLE // 2_000) <= len(fake) <= 40 * (PEOPLE // 2_000)
    enrolled = of_kinds(events, "person.enrolled").filter(pl.col("subject").is_in(list(fake)))
    assert enrolled["happened_at"].min() >= END - timedelta(days=60)
    ties = nx.Graph(of_kinds(events, "tie.formed").filter(pl.col("tie") != "vouch").select("subject", "other").rows())
    clusters = list(nx.connected_components(ties.subgraph(fake)))
    assert len(clusters) == PEOPLE // 2_000
    assert all(nx.density(ties.subgraph(c)) > 0.5 for c in clusters)
    attack = sum((a in fake) != (b in fake) for a, b in ties.edges)
    assert 1 <= attack <= 3 * len(clusters)
    praise = of_kinds(events, "tie.formed").filter(
        pl.col("tie") == "vouch", pl.col("subject").is_in(list(fake)), pl.col("other").is_in(list(fake))
    )
    assert praise.height > 3 * len(fake)
    assert praise["strength"].min() >= 8


def test_thin_files_have_almost_no_evidence(events: pl.DataFrame, sample_town: Town) -> None:
    thin = sample_town.truth.filter("thin").select(subject="person")
    assert 0.09 < thin.height / PEOPLE < 0.11
    own_events = events.join(thin, on="subject", how="semi")
    assert set(own_events["kind"]) <= {"person.enrolled", "consent.granted", "consent.withdrawn", "payment.made"}
    assert (
        of_kinds(events, "payment.made", "tie.formed")
        .join(thin, left_on="other", right_on="subject", how="semi")
        .is_empty()
    )
    assert of_kinds(own_events, "payment.made").height < 3 * thin.height


def test_some_people_enrolled_recently(events: pl.DataFrame) -> None:
    at = of_kinds(events, "person.enrolled")["happened_at"]
    assert 0.08 < (at > END - timedelta(days=60)).mean() < 0.16
    assert 0.10 < (at < START + timedelta(days=30)).mean() < 0.20


def test_shops_and_employers_never_enrol(events: pl.DataFrame) -> None:
    assert of_kinds(events, "person.enrolled")["subject"].str.starts_with("p-").all()
    assert events["subject"].str.contains(r"^[pe]-\d+$").all()


def test_an_instalment_is_paid_or_missed_after_the_loan_opened_and_never_after_its_end(events: pl.DataFrame) -> None:
    opened = of_kinds(events, "obligation.opened").select("obligation", "subject", since="happened_at")
    rest = events.filter(pl.col("obligation").is_not_null(), pl.col("kind") != "obligation.opened").join(
        opened, on=("obligation", "subject")
    )
    assert rest.height == events["obligation"].count() - opened.height
    assert (rest["happened_at"] > rest["since"]).all()
    ended = of_kinds(rest, "obligation.settled", "obligation.written_off").select("obligation", until="happened_at")
    assert ended["obligation"].is_unique().all()
    late = rest.join(ended, on="obligation").filter(pl.col("happened_at") > pl.col("until"))
    assert late.is_empty()


def test_disputes_are_about_adverse_events_and_end_within_twenty_days(events: pl.DataFrame) -> None:
    originals = events.select("event_id", "contributor", "subject", "kind", was="happened_at")
    keys = {"left_on": ("ref_event", "ref_contributor", "subject"), "right_on": ("event_id", "contributor", "subject")}
    opened = of_kinds(events, "dispute.opened").join(originals, **keys, suffix="_ref")
    assert opened.height == of_kinds(events, "dispute.opened").height > 5
    assert set(opened["kind_ref"]) <= {"obligation.missed", "order.overdue"}
    assert (opened["happened_at"] >= opened["was"]).all()
    closed = of_kinds(events, "dispute.resolved").join(opened.select("ref_event", since="happened_at"), on="ref_event")
    assert 0 < closed.height == of_kinds(events, "dispute.resolved").height < opened.height
    assert (closed["happened_at"] - closed["since"]).is_between(timedelta(0), timedelta(days=20)).all()


def test_corrections_and_retractions_are_the_contributors_own(events: pl.DataFrame) -> None:
    amended = of_kinds(events, "event.corrected", "event.retracted")
    originals = events.select("event_id", "contributor", "subject", was="happened_at")
    joined = amended.join(
        originals, left_on=("ref_event", "contributor", "subject"), right_on=("event_id", "contributor", "subject")
    )
    assert joined.height == amended.height
    assert (joined["happened_at"] >= joined["was"]).all()
    for text in of_kinds(events, "event.corrected")["fields"]:
        fields = json.loads(text)
        assert set(fields) <= set(CORRECTABLE_COLUMNS)
        assert fields["amount"] > 0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"people": 0}, "`people` is 0: give at least 1"),
        ({"seed": -1}, "`seed` is -1: give at least 0"),
        ({"payments": -5}, "`payments` is -5: give at least 0"),
        ({"months": 0}, "`months` is 0: give at least 1"),
        ({"end": datetime(2025, 1, 1)}, "`end` 2025-01-01T00:00:00 has no time zone: give a UTC time"),
    ],
)
def test_numbers_out_of_range_are_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(SourceError) as error:
        town(**{"people": 10, "seed": 1, **wrong})  # type: ignore[arg-type]
    assert str(error.value) == message


def test_an_id_reveals_nothing_about_its_owner(sample_town: Town) -> None:
    number = sample_town.truth["person"].str.strip_prefix("p-").cast(pl.Int64)
    assert abs(rank_correlation(number, sample_town.truth["reliability"])) < 0.05
    for flag in ("thin", "sybil"):
        among = number.filter(sample_town.truth[flag]).to_numpy()
        assert abs(np.mean(among) / PEOPLE - 0.5) < 0.15
