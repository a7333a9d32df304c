"""What holds for evidence holds for all that a rules folder declares: over random vocabularies, random features and random ledgers.

Each law compares the features of two ledgers. `tests.api.guarantees` shows the same laws through the API.
"""

import calendar
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from json import dumps, loads
from random import Random
from typing import Any

import polars as pl
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from api.evidence.json_rows import json_rows
from api.evidence.values import parse_batch
from graph.evidence.event_checks import problems
from graph.evidence.events import conform
from graph.evidence.visibility import visible_with_consents
from graph.features.declared.data_fields import with_data_fields
from tests.business_events import EventWriter, consent, enrolment, iso
from tests.effort import by_effort, only_in_full
from tests.graph.features.declared.evaluators import by_duckdb, by_polars, by_reference, by_refresh
from tests.random_business import CLASSES, DAY, MOMENT, NOW, PEOPLE, SHOP, Business, Row, random_business

# A seed is not shrunk: a smaller one is no smaller case.
AT_LENGTH = settings(
    max_examples=by_effort(2, 1_000),
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
SEEDS = st.integers(0, 2**32)
Values = dict[str, dict[str, Any]]


@lru_cache(maxsize=64)
def business_of(seed: int) -> Business:
    return random_business(Random(seed))


class Case:
    """A random business with a ledger: everyone is enrolled and consents; some events are corrected, disputed or retracted."""

    def __init__(self, seed: int) -> None:
        self.chooser = Random(seed)
        self.business = business_of(self.chooser.randrange(2**32))
        self.writer = EventWriter(self.chooser, self.business.vocabulary)
        self.start: list[Row] = [
            *(row | {"contributor": "desk"} for p in PEOPLE for row in (enrolment(p), consent(p))),
            consent(SHOP) | {"contributor": "desk"},
        ]
        self.items = [self.writer.event() for _ in range(self.chooser.randint(2, 12))]
        self.statements = [row for item in self.items for row in self._statements(item)]
        assert problems(self.ledger(self.rows), NOW, self.business.vocabulary).rows() == []

    @property
    def rows(self) -> list[Row]:
        return [*self.start, *self.items, *self.statements]

    def _statements(self, item: Row) -> list[Row]:
        chance = self.chooser.random()
        if chance < 0.15:
            return [self.writer.correction(item)[0]]
        if chance < 0.22:
            return [self.about(item, "event.retracted")]
        return [self.dispute(item)] if chance < 0.3 else []

    def about(self, item: Row, kind: str, **fields: Any) -> Row:
        number = next(self.writer.numbers)
        row = {"event_id": f"s{number}", "kind": kind, "subject": item["subject"], "ref_event": item["event_id"]}
        return row | {"happened_at": iso(NOW - MOMENT), **fields}

    def dispute(self, item: Row, subject: str = "") -> Row:
        return self.about(
            item, "dispute.opened", ref_contributor="bank", contributor="iftah", subject=subject or item["subject"]
        )

    def ledger(self, rows: Sequence[Row], recorded: Sequence[datetime] = ()) -> pl.DataFrame:
        """The rows as the ledger holds them; recorded long ago unless you say otherwise."""
        lines = [dumps({"contributor": "bank", **row}).encode() for row in rows]
        texts, numbers, unreadable = json_rows(lines, 0, self.business.vocabulary)
        batch = parse_batch(texts, numbers, 0, 0, self.business.vocabulary)
        assert not unreadable
        assert not batch.bad_rows, batch.bad_rows
        events = conform(batch.events)
        moments = pl.Series(
            "recorded_at", list(recorded) or [NOW - 3650 * DAY] * events.height, events["recorded_at"].dtype
        )
        return events.with_columns(moments)

    def values(self, rows: Sequence[Row], as_of: datetime = NOW, purpose: str = "perks") -> Values:
        return self.values_of(self.ledger(rows), as_of, as_of, purpose)

    def values_of(self, events: pl.DataFrame, as_of: datetime, known_at: datetime, purpose: str = "perks") -> Values:
        """The features of each person who is enrolled in the view, without missing ones: of the reference, which is quickest."""
        of = self.business
        view, consents = visible_with_consents(events, as_of, known_at, purpose, of.zone, of.vocabulary)
        table = by_reference(with_data_fields(view, of.definitions), consents, of.definitions, as_of, of.zone)
        people = {row.pop("person"): row for row in table.iter_rows(named=True)}
        return {p: {name: v for name, v in values.items() if v is not None} for p, values in people.items()}


@AT_LENGTH
@given(SEEDS)
def test_without_consent_to_a_class_every_feature_that_needs_it_is_missing_and_the_others_stay(seed):
    case = Case(seed)
    person, data_class = case.chooser.choice(PEOPLE), case.chooser.choice(CLASSES)
    before = case.values(case.rows)
    withdrawal = {"event_id": "no", "kind": "consent.withdrawn", "subject": person, "purpose": "perks"}
    withdrawal |= {"happened_at": iso(NOW - MOMENT), "classes": data_class, "contributor": "desk"}
    after = case.values([*case.rows, withdrawal])
    needs = {d.name: d.classes for d in case.business.definitions}
    if data_class == "identity":
        assert person not in after
        return
    assert after[person] == {name: v for name, v in before[person].items() if data_class not in needs[name]}
    kinds = {k.name for k in case.business.vocabulary.kinds if k.counts_for == "both" and k.data_class == data_class}
    shared = {d.name for d in case.business.definitions if set(d.kinds) & kinds or d.source in ("ties", "features")}
    for other in set(PEOPLE) - {person}:
        assert {n: v for n, v in after[other].items() if n not in shared} == {
            n: v for n, v in before[other].items() if n not in shared
        }


@AT_LENGTH
@given(SEEDS)
def test_a_consent_for_another_purpose_or_to_a_service_changes_nothing(seed):
    case = Case(seed)
    classes = case.chooser.sample(CLASSES, 2)
    silent = [row for row in case.rows if row["kind"] != "consent.granted" or row["subject"] != PEOPLE[0]]
    kinds = case.chooser.choice(
        [{"purpose": "rent"}, {"service": "inn/rooms"}, {"purpose": "rent", "service": "inn/rooms"}]
    )
    unrelated = consent(PEOPLE[0], classes, event_id="unrelated") | kinds | {"contributor": "desk"}
    assert case.values([*silent, unrelated]) == case.values(silent)
    withdrawal = unrelated | {"kind": "consent.withdrawn", "event_id": "no"}
    assert case.values([*case.rows, unrelated, withdrawal]) == case.values(case.rows)


@AT_LENGTH
@given(SEEDS)
def test_each_purpose_counts_what_its_own_consents_cover(seed):
    """The features for one purpose are those of a ledger without any consent for another, with the purposes exchanged."""
    case = Case(seed)
    rent = [
        row
        | {
            "purpose": "rent",
            "event_id": f"rent-{row['subject']}",
            "classes": ",".join(case.chooser.sample(CLASSES, 3)),
        }
        for row in case.start
        if row["kind"] == "consent.granted" and case.chooser.random() < 0.7
    ]
    rest = [row for row in case.rows if row["kind"] != "consent.granted"]
    both = [*case.rows, *rent]
    assert case.values(both, purpose="perks") == case.values(case.rows)
    assert case.values(both, purpose="rent") == case.values([*rest, *(row | {"purpose": "perks"} for row in rent)])
    assert case.values(both, purpose="insurance") == {}


def last_expired(years: int, business: Business) -> datetime:
    """The last moment whose years are over at NOW, 29 February: a local day ends in the common year, and its 28 February is over."""
    at = NOW.astimezone(business.zone)
    if calendar.isleap(at.year - years):
        return at.replace(year=at.year - years)
    return datetime(at.year - years, 3, 1, tzinfo=business.zone) - MOMENT


@AT_LENGTH
@given(SEEDS)
def test_an_event_has_no_effect_once_its_years_are_over(seed):
    """Years are calendar years in the zone of the rules: five for adverse evidence, else those of its kind."""
    case = Case(seed)
    limits = {k.name: 5 if k.adverse else k.keep_years for k in case.business.vocabulary.declared_kinds if not k.step}
    names = [name for name, years in limits.items() if years]
    if not names:
        return
    late = []
    for _ in range(case.chooser.randint(1, 5)):
        row = case.writer.event(kind=case.chooser.choice(names))
        at = last_expired(limits[row["kind"]], case.business) - case.chooser.choice([0 * DAY, MOMENT, DAY, 900 * DAY])
        late.append(row | {"happened_at": iso(at)})
    assert case.values([*case.rows, *late]) == case.values(case.rows)


@AT_LENGTH
@given(SEEDS)
def test_an_event_counts_until_the_moment_at_which_its_years_are_over(seed):
    """Otherwise the law above would hold of a kind that never counts."""
    case = Case(seed)
    limits = {k.name: 5 if k.adverse else k.keep_years for k in case.business.vocabulary.declared_kinds if not k.step}
    names = [name for name, years in limits.items() if years]
    if not names:
        return
    row = case.writer.event(kind=case.chooser.choice(names), subject=PEOPLE[0], other=PEOPLE[1])
    row["happened_at"] = iso(last_expired(limits[row["kind"]], case.business) + MOMENT)
    of = case.business
    events = case.ledger([*case.start, row])
    view = visible_with_consents(events, NOW, NOW, "perks", of.zone, of.vocabulary)[0]
    assert view.filter(pl.col("event_id") == row["event_id"]).height == 1


@AT_LENGTH
@given(SEEDS)
def test_disputed_evidence_is_out_of_the_features_until_the_dispute_is_rejected(seed):
    """As for shipped kinds: the steps of obligations keep what is in the person's favour (docs/events.md)."""
    case = Case(seed)
    item = case.chooser.choice(case.items)
    if case.business.vocabulary.kind(item["kind"]).step:
        return
    remaining_statements = [
        r for r in case.statements if r["ref_event"] != item["event_id"] or r["kind"] == "event.corrected"
    ]
    rest = [r for r in case.items if r is not item]
    by = case.chooser.choice([item["subject"], *([item["other"]] if "other" in item else [])])
    dispute = case.dispute(item, by)
    if (
        any("other" in r.get("fields", ()) for r in remaining_statements if r["ref_event"] == item["event_id"])
        and by != item["subject"]
    ):
        return  # the correction names another party, who may dispute it
    without = case.values([*case.start, *rest, *remaining_statements])
    whole = [*case.start, *case.items, *remaining_statements]
    assert case.values([*whole, dispute]) == without
    answer = dispute | {"event_id": "answer", "kind": "dispute.resolved"}
    assert case.values([*whole, dispute, answer | {"outcome": "upheld"}]) == without
    assert case.values([*whole, dispute, answer | {"outcome": "rejected"}]) == case.values(whole)
    assert case.values([*whole, dispute | {"subject": "a-stranger"}]) == case.values(whole)


@AT_LENGTH
@given(SEEDS)
def test_a_corrected_event_counts_as_if_it_had_been_right_from_the_start(seed):
    case = Case(seed)
    number = case.chooser.randrange(len(case.items))
    wrong = case.items[number]
    correction, right = case.writer.correction(wrong)
    other_statements = [r for r in case.statements if r["ref_event"] != wrong["event_id"]]
    items = [*case.items[:number], right, *case.items[number + 1 :]]
    corrected = case.values([*case.start, *case.items, *other_statements, correction])
    assert corrected == case.values([*case.start, *items, *other_statements])
    retraction = case.about(correction, "event.retracted")
    assert case.values([*case.start, *case.items, *other_statements, correction, retraction]) == case.values(
        [*case.start, *case.items, *other_statements]
    )


@AT_LENGTH
@given(SEEDS)
def test_a_moment_s_features_are_the_same_whatever_happens_or_is_recorded_later(seed):
    case = Case(seed)
    moments = [NOW - d * DAY for d in (0, 1, 30, 365, 900)]
    as_of, known_at = case.chooser.choice(moments), case.chooser.choice(moments)
    recorded = [NOW - 3650 * DAY] * len(case.start)
    for row in [*case.items, *case.statements]:
        happened = datetime.fromisoformat(row["happened_at"].replace("Z", "+00:00"))
        recorded.append(
            max(happened, NOW - case.chooser.choice([0, 1, 30, 400, 3000]) * DAY - case.chooser.choice([0, 1]) * MOMENT)
        )
    events = case.ledger(case.rows, recorded)
    past = events.filter(pl.col("happened_at") <= as_of, pl.col("recorded_at") <= known_at)
    assert case.values_of(events, as_of, known_at) == case.values_of(past, as_of, known_at)


@AT_LENGTH
@given(SEEDS)
def test_the_order_in_which_events_are_sent_changes_no_feature(seed):
    """Of statements about one event the last one recorded wins, so those keep their order."""
    case = Case(seed)
    rows = [*case.start, *case.items]
    if len({(r["kind"], r.get("obligation"), r["happened_at"]) for r in case.items}) < len(case.items):
        return  # of reports of one thing the first one counts
    case.chooser.shuffle(rows)
    assert case.values([*rows, *case.statements]) == case.values(case.rows)


@AT_LENGTH
@given(SEEDS)
def test_evidence_about_other_people_changes_nothing(seed):
    """The same evidence about people of other names, by another contributor."""
    case = Case(seed)
    strangers = {p: f"{p}-the-second" for p in (*PEOPLE, SHOP)}
    text = dumps([{"contributor": "bank", **row} for row in case.rows]).replace('"bank"', '"another-bank"')
    for person, stranger in strangers.items():
        text = text.replace(person, stranger)
    twice = case.values([*case.rows, *loads(text)])
    assert {p: v for p, v in twice.items() if p in PEOPLE} == case.values(case.rows)


@AT_LENGTH
@given(SEEDS)
def test_every_evaluator_gives_the_same_features_of_every_type_of_field(seed):
    case = Case(seed)
    of = case.business
    view, consents = visible_with_consents(case.ledger(case.rows), NOW, NOW, "perks", of.zone, of.vocabulary)
    expected = by_reference(with_data_fields(view, of.definitions), consents, of.definitions, NOW, of.zone)
    for evaluate in (by_polars, by_refresh):
        assert_frame_equal(evaluate(view, consents, of.definitions, NOW, of.zone), expected)
    columns = with_data_fields(view, of.definitions)
    assert_frame_equal(by_duckdb(columns, consents, of.definitions, NOW, of.zone), expected)


@only_in_full
def test_random_businesses_give_values_of_every_measure() -> None:
    """Otherwise the laws say little."""
    measures, present = set(), 0
    for seed in range(200):
        case = Case(seed)
        values = case.values(case.rows)
        names = {name for own in values.values() for name in own}
        measures |= {d.measure for d in case.business.definitions if d.name in names}
        present += sum(map(len, values.values()))
    assert {"count", "sum", "mean", "min", "max", "distinct", "share", "latest", "first", "formula"} <= measures
    assert present > 200 * 9
