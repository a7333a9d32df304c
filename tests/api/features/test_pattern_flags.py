"""Flags respect visibility: consent, disputes, corrections, and both times. One person's flags equal those of a full scoring."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from random import Random

import polars as pl
import pytest
from sqlalchemy import Engine, text

from api.evidence import ledger
from api.features import builds, pattern_flags
from api.features.builds import Build
from api.runtime.context import AppContext
from api.runtime.scoring import current_build, score_everyone
from api.store.database import open_database, reading
from engine.decide.evaluators import Evaluators
from engine.lang.model.types import Value
from graph.evidence.visibility import consents_in_force
from tests.api.database_templates import Template
from tests.api.pattern_rules import FLAGS, release_with_flags
from tests.effort import by_effort
from tests.graph.story import enrol, moment, story
from tests.strategies import frame

NOW = moment("2024-06-01")
PEOPLE = ("ann", "bob", "cy")
MISSED_INSTALMENTS = """
    2024-03-01 obligation.missed ann #m1 obligation=loan
    2024-03-15 obligation.missed ann #m2 obligation=loan
"""


@pytest.fixture(scope="module")
def evaluators() -> Iterator[Evaluators]:
    evaluators = Evaluators(release_with_flags())
    yield evaluators
    evaluators.close()


class FlagReader:
    """Read the flags of a story's people at chosen times."""

    def __init__(self, evaluators: Evaluators) -> None:
        self.pattern_evaluators = evaluators.pattern_evaluators(19_875)  # 2024-06-01

    def flag(
        self, lines: str, name: str, person: str = "ann", as_of: str = "2024-06-01", known_at: str = "2024-06-01"
    ) -> Value:
        events = story(lines)
        flags = pattern_flags.flags_of_events(
            events, moment(as_of), moment(known_at), "perks", self.pattern_evaluators, [person]
        )
        assert set(flags) == {person}
        return flags[person][f"watch.{name}"]


@pytest.fixture(scope="module")
def flag_reader(evaluators: Evaluators) -> FlagReader:
    return FlagReader(evaluators)


def test_every_flag_is_read(evaluators: Evaluators) -> None:
    assert {p.id for p in evaluators.pattern_evaluators(19_875).program.flags} == {f["id"] for f in FLAGS}


def test_two_misses_within_ninety_days_raise_the_flag(flag_reader: FlagReader) -> None:
    assert flag_reader.flag(enrol("ann") + MISSED_INSTALMENTS, "missed") is True
    assert (
        flag_reader.flag(enrol("ann") + MISSED_INSTALMENTS.replace("2024-03-15", "2024-05-30"), "missed") is True
    )  # 90 days
    assert flag_reader.flag(enrol("ann") + MISSED_INSTALMENTS.replace("2024-03-15", "2024-05-31"), "missed") is False
    assert flag_reader.flag(enrol("ann", "bob") + MISSED_INSTALMENTS, "missed", "bob") is False


def test_two_reports_of_one_missed_instalment_count_once(flag_reader: FlagReader) -> None:
    report = MISSED_INSTALMENTS.replace("obligation=loan", "obligation=loan due=2024-02-28")
    assert flag_reader.flag(enrol("ann") + report, "missed") is False
    assert flag_reader.flag(enrol("ann") + report.replace("due=2024-02-28", "due=2024-01-31", 1), "missed") is True


@pytest.mark.parametrize(("as_of", "up"), [("2024-03-14", False), ("2024-03-15", True), ("2024-06-01", True)])
def test_events_that_have_not_happened_are_not_visible(as_of: str, up: bool, flag_reader: FlagReader) -> None:
    assert flag_reader.flag(enrol("ann") + MISSED_INSTALMENTS, "missed", as_of=as_of) is up


@pytest.mark.parametrize(("known_at", "up"), [("2024-04-30", False), ("2024-05-01", True)])
def test_events_that_were_not_recorded_are_not_visible(known_at: str, up: bool, flag_reader: FlagReader) -> None:
    late = MISSED_INSTALMENTS.replace("ann #m2", "ann recorded=2024-05-01 #m2")
    assert flag_reader.flag(enrol("ann") + late, "missed", known_at=known_at) is up


@pytest.mark.parametrize(
    ("change", "up"),
    [
        ("2024-04-01 event.retracted ann #x ref_event=m2", False),
        ("2024-04-01 dispute.opened ann @ann #x ref_event=m2 ref_contributor=bank", False),
        ("2024-04-01 dispute.opened bob @ann #x ref_event=m2 ref_contributor=bank", True),  # no party to it
        (
            "2024-04-01 dispute.opened ann @ann #x ref_event=m2 ref_contributor=bank\n"
            "2024-04-09 dispute.resolved ann @desk #y ref_event=m2 ref_contributor=bank outcome=rejected",
            True,
        ),
        (
            "2024-04-01 dispute.opened ann @ann #x ref_event=m2 ref_contributor=bank\n"
            "2024-04-09 dispute.resolved ann @desk #y ref_event=m2 ref_contributor=bank outcome=upheld",
            False,
        ),
        ('2024-04-01 event.corrected ann #x ref_event=m2 fields={"happened_at":"2023-11-30T00:00:00Z"}', False),
        ('2024-04-01 event.corrected ann #x ref_event=m2 fields={"happened_at":"2024-01-01T00:00:00Z"}', True),
    ],
)
def test_flags_respect_disputes_corrections_and_retractions(change: str, up: bool, flag_reader: FlagReader) -> None:
    lines = enrol("ann", "bob") + MISSED_INSTALMENTS + change
    assert flag_reader.flag(lines, "missed") is up
    assert flag_reader.flag(lines, "missed", as_of="2024-03-31", known_at="2024-03-31") is True, "before it was said"


def test_patterns_read_corrected_fields(flag_reader: FlagReader) -> None:
    lines = enrol("ann", "bob") + "\n2024-03-01 payment.made ann > bob #p amount=8 currency=CNY\n"
    raised_payment = lines + '2024-03-02 event.corrected ann #x ref_event=p fields={"amount":9}'
    assert (flag_reader.flag(lines, "paid_much"), flag_reader.flag(raised_payment, "paid_much")) == (False, True)
    moved_payment = lines + '2024-03-02 event.corrected ann #x ref_event=p fields={"other":"cy"}\n' + enrol("cy")
    assert (flag_reader.flag(lines, "got_paid", "bob"), flag_reader.flag(moved_payment, "got_paid", "bob")) == (
        True,
        False,
    )
    assert flag_reader.flag(moved_payment, "got_paid", "cy") is True
    bills = enrol("ann") + MISSED_INSTALMENTS.replace("#m2 obligation=loan", "#m2 obligation=bill")
    corrected_bills = bills + '2024-04-01 event.corrected ann #x ref_event=m2 fields={"obligation":"loan"}'
    assert (flag_reader.flag(bills, "one_bill"), flag_reader.flag(corrected_bills, "one_bill")) == (False, True)


def test_adverse_events_leave_five_years_after_they_ended(flag_reader: FlagReader) -> None:
    lines = (
        enrol("ann") + MISSED_INSTALMENTS + "2024-04-01 obligation.settled ann obligation=loan amount=5 currency=CNY"
    )
    assert flag_reader.flag(lines, "missed", as_of="2029-03-31", known_at="2029-03-31") is True
    assert flag_reader.flag(lines, "missed", as_of="2029-04-01", known_at="2029-04-01") is False


def test_a_flag_is_missing_without_consent_to_its_class(flag_reader: FlagReader) -> None:
    lines = enrol("ann", classes="identity,behaviour") + MISSED_INSTALMENTS
    assert flag_reader.flag(lines, "missed") is None
    assert flag_reader.flag(lines, "paid_much") is False
    assert flag_reader.flag(lines, "friend") is None  # of behaviour and relationship
    withdrawal = (
        enrol("ann") + MISSED_INSTALMENTS + "2024-04-01 consent.withdrawn ann @desk #w purpose=perks classes=credit"
    )
    assert flag_reader.flag(withdrawal, "missed") is None
    assert flag_reader.flag(withdrawal, "missed", as_of="2024-03-31") is True
    assert flag_reader.flag(MISSED_INSTALMENTS, "missed") is None, "who consented to nothing"


def test_a_flag_of_ties_needs_the_consent_of_both_ends(flag_reader: FlagReader) -> None:
    tie = "\n2024-03-01 tie.formed ann > bob #t tie=friend\n"
    assert [flag_reader.flag(enrol("ann", "bob") + tie, "tied", p) for p in ("ann", "bob")] == [True, True]
    assert flag_reader.flag(enrol("ann") + tie, "tied") is False, "as if there were no tie: bob has not consented"
    assert flag_reader.flag(enrol("ann") + "\n" + enrol("bob", classes="credit") + tie, "tied") is False
    withdrawal = enrol("ann", "bob") + tie + "2024-04-01 consent.withdrawn bob @desk #w purpose=perks"
    assert [flag_reader.flag(withdrawal, "tied", p) for p in ("ann", "bob")] == [False, None]
    grant = withdrawal + "\n2024-05-01 consent.granted bob @desk #g purpose=perks classes=relationship"
    assert [flag_reader.flag(grant, "tied", p) for p in ("ann", "bob")] == [True, True]


def test_a_payment_counts_for_each_side_by_its_own_consent(flag_reader: FlagReader) -> None:
    payment = "\n2024-03-01 payment.made ann > bob #p amount=100 currency=CNY\n"
    assert flag_reader.flag(enrol("ann") + payment, "paid_much") is True
    assert flag_reader.flag(enrol("bob") + payment, "got_paid", "bob") is True
    assert flag_reader.flag(enrol("bob") + payment, "paid_much") is None


def test_for_the_payee_the_other_party_is_the_payer(flag_reader: FlagReader) -> None:
    lines = enrol("ann", "bob", "cy") + "\n2024-03-01 payment.made ann > bob #p amount=100 currency=CNY\n"
    assert flag_reader.flag(lines + "2024-03-02 tie.formed bob > ann #t tie=friend", "friend") is True
    assert flag_reader.flag(lines + "2024-03-02 tie.formed cy > ann #t tie=friend", "friend") is False


def record_build(database: Engine, events: pl.DataFrame) -> Build:
    """Record each event by itself, and return the build of these events."""
    for n in range(events.height):
        result = ledger.append(database, events[n], NOW + timedelta(seconds=n))
        impossible = [reason for reason in result.refused["reason"] if "makes its event impossible" in reason]
        assert result.accepted + len(impossible) == 1, result.refused
    known_at = ledger.extent(database).recorded_at
    assert known_at
    return Build(1, NOW, known_at, "perks", known_at, "", events.height, len(PEOPLE))


def assert_same_live(database: Engine, evaluators: Evaluators, build: Build) -> dict[str, pattern_flags.Flags]:
    """Everyone's flags from a full scoring. We check that each person's flags alone are the same."""
    flags_by_person = pattern_flags.flags_of_everyone(database, evaluators, build, PEOPLE)
    consents = consents_in_force(ledger.read(database), build.as_of, build.known_at, build.purpose)
    for person in PEOPLE:
        classes = set(consents.filter(pl.col("person") == person)["data_class"])
        assert pattern_flags.flags_of_person(database, evaluators, build, person, classes) == flags_by_person[person], (
            person
        )
    return flags_by_person


@pytest.mark.parametrize(
    ("lines", "people"),
    [
        ("2024-03-01 tie.formed ann > bob #t tie=friend", {"ann", "cy"}),
        (
            "2024-03-01 tie.formed ann > bob #t tie=friend\n2024-03-01 tie.formed bob > cy #u tie=friend",
            {"ann", "bob", "cy"},
        ),
    ],
)
def test_a_tie_moved_by_a_correction_is_visible_to_its_new_party(
    lines: str, people: set[str], database: Engine, evaluators: Evaluators
) -> None:
    """Only a correction names the old and the new party, so a look-up by the original event would miss both."""
    corrected_lines = f'{lines}\n2024-03-02 event.corrected bob #x ref_event=t fields={{"other":"cy"}}'
    flags = assert_same_live(
        database, evaluators, record_build(database, story(enrol(*PEOPLE) + "\n" + corrected_lines))
    )
    assert {p for p in PEOPLE if flags[p]["watch.tied"]} == people


def happenings(chooser: Random) -> pl.DataFrame:
    """A dozen events among three people, and as many corrections, disputes and retractions."""
    rows: list[dict[str, object]] = []
    for n in range(24):
        subject, other = chooser.sample(PEOPLE, 2)
        at = NOW - timedelta(days=chooser.choice([1, 1, 2, 89, 90, 91, 400]))
        row = {"contributor": "bank", "event_id": f"e{n}", "subject": subject, "happened_at": at}
        item = f"e{chooser.randrange(12)}"
        fields = chooser.choice(
            [{"other": "cy"}, {"other": "ann"}, {"amount": 9}, {"happened_at": "2024-01-02T00:00:00Z"}]
        )
        evidence: list[dict[str, object]] = [
            {"kind": "payment.made", "other": other, "amount": chooser.choice([8, 9]), "currency": "CNY"},
            {"kind": "tie.formed", "other": other, "tie": "friend"},
            {"kind": "obligation.missed", "obligation": chooser.choice(["loan", "bill"])},
        ]
        changes: list[dict[str, object]] = [
            {"kind": "event.corrected", "ref_event": item, "fields": json.dumps(fields)},
            {"kind": "event.corrected", "ref_event": item, "fields": json.dumps(fields)},
            {"kind": "event.retracted", "ref_event": chooser.choice([item, f"e{12 + n % 12}"])},
            {"kind": "dispute.opened", "ref_event": item},
            {"kind": "consent.withdrawn", "purpose": "perks", "classes": chooser.choice(["behaviour", "relationship"])},
        ]
        rows.append(row | chooser.choice(evidence if n < 12 else changes))
    return pl.concat([story(enrol(*PEOPLE)), frame([r | {"recorded_at": r["happened_at"]} for r in rows])])


def test_flags_of_one_person_equal_those_of_a_full_scoring(
    evaluators: Evaluators, empty_template: Template, tmp_path: Path
) -> None:
    raised_count = 0
    for seed in range(seeds := by_effort(4, 50)):
        with empty_template.lend("", tmp_path) as url:
            database = open_database(url)
            flags_by_person = assert_same_live(database, evaluators, record_build(database, happenings(Random(seed))))
            raised_count += sum(v is True for flags in flags_by_person.values() for v in flags.values())
            database.dispose()
    assert raised_count > 2 * seeds, "otherwise they are the same for want of any"


def test_stored_flags_equal_live_flags(town: AppContext, evaluators: Evaluators) -> None:
    context = AppContext(town.database, evaluators)
    build = current_build(context)
    people = builds.people_of(context.database, build)[:25]
    classes = {"identity", "relationship", "behaviour", "restricted", "credit"}
    live_flags = {p: pattern_flags.flags_of_person(context.database, evaluators, build, p, classes) for p in people}
    score_everyone(context, build)
    with reading(context.database) as connection:
        stored_flags = dict(tuple(r) for r in connection.execute(text("select person, flags from scores")))
    for person in people:
        assert json.loads(stored_flags[person]) == live_flags[person]
        assert pattern_flags.flags_of_person(context.database, evaluators, build, person, classes) == live_flags[person]
    assert {v for flags in live_flags.values() for v in flags.values()} >= {True, False}


def test_a_withdrawn_class_makes_its_flags_missing_at_once(town: AppContext, evaluators: Evaluators) -> None:
    context = AppContext(town.database, evaluators)
    build = current_build(context)
    score_everyone(context, build)
    person = builds.people_of(context.database, build)[0]
    flags = pattern_flags.flags_of_person(context.database, evaluators, build, person, {"credit"})
    assert flags["watch.missed"] is not None
    assert [flags[f"watch.{n}"] for n in ("paid", "tied", "friend")] == [None] * 3
