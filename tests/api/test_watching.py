"""Flags hold to what may be seen: consent, disputes, corrections, both times; and are the same live as when all are scored."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from random import Random

import polars as pl
import pytest
from sqlalchemy import Engine, text

from api import actions
from api.database import open_database, reading
from api.evidence import ledger
from api.features import builds, watching
from api.features.builds import Build
from api.world import World
from engine.engines import Engines
from engine.lang.types import Value
from graph.view import consented
from tests.api.databases import Template
from tests.api.watched import FLAGS, watchful
from tests.effort import pairs
from tests.graph.story import moment, story, willing
from tests.strategies import frame

NOW = moment("2024-06-01")
PEOPLE = ("ann", "bob", "cy")
MISSED = """
    2024-03-01 obligation.missed ann #m1 obligation=loan
    2024-03-15 obligation.missed ann #m2 obligation=loan
"""


@pytest.fixture(scope="module")
def engines() -> Iterator[Engines]:
    found = Engines(watchful())
    yield found
    found.close()


class Eye:
    """Looks at a story's people, at moments."""

    def __init__(self, engines: Engines) -> None:
        self.watchers = engines.watchers(19_875)  # 2024-06-01

    def on(
        self, told: str, name: str, person: str = "ann", as_of: str = "2024-06-01", known: str = "2024-06-01"
    ) -> Value:
        events = story(told)
        found = watching.flags(events, moment(as_of), moment(known), "perks", self.watchers, [person])
        assert set(found) == {person}
        return found[person][f"watch.{name}"]


@pytest.fixture(scope="module")
def eye(engines: Engines) -> Eye:
    return Eye(engines)


def test_every_flag_is_read(engines: Engines) -> None:
    assert {p.id for p in engines.watchers(19_875).program.flags} == {f["id"] for f in FLAGS}


def test_two_missed_within_ninety_days(eye: Eye) -> None:
    assert eye.on(willing("ann") + MISSED, "missed") is True
    assert eye.on(willing("ann") + MISSED.replace("2024-03-15", "2024-05-30"), "missed") is True  # 90 days
    assert eye.on(willing("ann") + MISSED.replace("2024-03-15", "2024-05-31"), "missed") is False
    assert eye.on(willing("ann", "bob") + MISSED, "missed", "bob") is False


def test_two_reports_of_one_missed_instalment_are_no_two_missed(eye: Eye) -> None:
    one = MISSED.replace("obligation=loan", "obligation=loan due=2024-02-28")
    assert eye.on(willing("ann") + one, "missed") is False
    assert eye.on(willing("ann") + one.replace("due=2024-02-28", "due=2024-01-31", 1), "missed") is True


@pytest.mark.parametrize(("as_of", "up"), [("2024-03-14", False), ("2024-03-15", True), ("2024-06-01", True)])
def test_what_has_not_happened_yet_is_not_seen(as_of: str, up: bool, eye: Eye) -> None:
    assert eye.on(willing("ann") + MISSED, "missed", as_of=as_of) is up


@pytest.mark.parametrize(("known", "up"), [("2024-04-30", False), ("2024-05-01", True)])
def test_nor_what_was_not_known_yet(known: str, up: bool, eye: Eye) -> None:
    late = MISSED.replace("ann #m2", "ann recorded=2024-05-01 #m2")
    assert eye.on(willing("ann") + late, "missed", known=known) is up


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
def test_disputes_corrections_and_retractions_hold_for_flags_too(change: str, up: bool, eye: Eye) -> None:
    told = willing("ann", "bob") + MISSED + change
    assert eye.on(told, "missed") is up
    assert eye.on(told, "missed", as_of="2024-03-31", known="2024-03-31") is True, "before it was said"


def test_a_corrected_field_is_the_one_that_patterns_see(eye: Eye) -> None:
    told = willing("ann", "bob") + "\n2024-03-01 payment.made ann > bob #p amount=8 currency=CNY\n"
    raised = told + '2024-03-02 event.corrected ann #x ref_event=p fields={"amount":9}'
    assert (eye.on(told, "paid_much"), eye.on(raised, "paid_much")) == (False, True)
    moved = told + '2024-03-02 event.corrected ann #x ref_event=p fields={"other":"cy"}\n' + willing("cy")
    assert (eye.on(told, "got_paid", "bob"), eye.on(moved, "got_paid", "bob")) == (True, False)
    assert eye.on(moved, "got_paid", "cy") is True
    bills = willing("ann") + MISSED.replace("#m2 obligation=loan", "#m2 obligation=bill")
    one = bills + '2024-04-01 event.corrected ann #x ref_event=m2 fields={"obligation":"loan"}'
    assert (eye.on(bills, "one_bill"), eye.on(one, "one_bill")) == (False, True)


def test_what_is_adverse_leaves_five_years_after_it_ended(eye: Eye) -> None:
    told = willing("ann") + MISSED + "2024-04-01 obligation.settled ann obligation=loan amount=5 currency=CNY"
    assert eye.on(told, "missed", as_of="2029-03-31", known="2029-03-31") is True
    assert eye.on(told, "missed", as_of="2029-04-01", known="2029-04-01") is False


def test_a_class_that_is_not_consented_to_leaves_the_flag_missing(eye: Eye) -> None:
    told = willing("ann", classes="identity,behaviour") + MISSED
    assert eye.on(told, "missed") is None
    assert eye.on(told, "paid_much") is False
    assert eye.on(told, "friend") is None  # of behaviour and relationship
    withdrawn = willing("ann") + MISSED + "2024-04-01 consent.withdrawn ann @desk #w purpose=perks classes=credit"
    assert eye.on(withdrawn, "missed") is None
    assert eye.on(withdrawn, "missed", as_of="2024-03-31") is True
    assert eye.on(MISSED, "missed") is None, "who consented to nothing"


def test_a_flag_of_ties_needs_the_consent_of_both_ends(eye: Eye) -> None:
    tie = "\n2024-03-01 tie.formed ann > bob #t tie=friend\n"
    assert [eye.on(willing("ann", "bob") + tie, "tied", p) for p in ("ann", "bob")] == [True, True]
    assert eye.on(willing("ann") + tie, "tied") is False, "as if there were no tie: bob has not consented"
    assert eye.on(willing("ann") + "\n" + willing("bob", classes="credit") + tie, "tied") is False
    gone = willing("ann", "bob") + tie + "2024-04-01 consent.withdrawn bob @desk #w purpose=perks"
    assert [eye.on(gone, "tied", p) for p in ("ann", "bob")] == [False, None]
    back = gone + "\n2024-05-01 consent.granted bob @desk #g purpose=perks classes=relationship"
    assert [eye.on(back, "tied", p) for p in ("ann", "bob")] == [True, True]


def test_a_payment_counts_for_each_side_by_its_own_consent(eye: Eye) -> None:
    paid = "\n2024-03-01 payment.made ann > bob #p amount=100 currency=CNY\n"
    assert eye.on(willing("ann") + paid, "paid_much") is True
    assert eye.on(willing("bob") + paid, "got_paid", "bob") is True
    assert eye.on(willing("bob") + paid, "paid_much") is None


def test_on_the_other_side_of_it_the_other_is_who_paid(eye: Eye) -> None:
    told = willing("ann", "bob", "cy") + "\n2024-03-01 payment.made ann > bob #p amount=100 currency=CNY\n"
    assert eye.on(told + "2024-03-02 tie.formed bob > ann #t tie=friend", "friend") is True
    assert eye.on(told + "2024-03-02 tie.formed cy > ann #t tie=friend", "friend") is False


def recorded(engine: Engine, events: pl.DataFrame) -> Build:
    """The events in the ledger, each recorded by itself, and what a build of them would be."""
    for n in range(events.height):
        appended = ledger.append(engine, events[n], NOW + timedelta(seconds=n))
        impossible = [reason for reason in appended.refused["reason"] if "makes its event impossible" in reason]
        assert appended.accepted + len(impossible) == 1, appended.refused
    known = ledger.extent(engine).recorded_at
    assert known
    return Build(1, NOW, known, "perks", known, "", events.height, len(PEOPLE))


def same_live(engine: Engine, engines: Engines, made: Build) -> dict[str, watching.Flags]:
    """Everyone's flags, as they are when all are scored; made for each alone they are the same."""
    everyone = watching.of_everyone(engine, engines, made, PEOPLE)
    agreed = consented(ledger.read(engine), made.as_of, made.known_at, made.purpose)
    for person in PEOPLE:
        classes = set(agreed.filter(pl.col("person") == person)["data_class"])
        assert watching.of_person(engine, engines, made, person, classes) == everyone[person], person
    return everyone


@pytest.mark.parametrize(
    ("told", "raised"),
    [
        ("2024-03-01 tie.formed ann > bob #t tie=friend", {"ann", "cy"}),
        (
            "2024-03-01 tie.formed ann > bob #t tie=friend\n2024-03-01 tie.formed bob > cy #u tie=friend",
            {"ann", "bob", "cy"},
        ),
    ],
)
def test_a_tie_that_a_correction_moves_is_seen_by_whom_it_is_moved_to(
    told: str, raised: set[str], engine: Engine, engines: Engines
) -> None:
    """Asked about alone, neither the old nor the new end was a party when the event was sent."""
    moved = f'{told}\n2024-03-02 event.corrected bob #x ref_event=t fields={{"other":"cy"}}'
    found = same_live(engine, engines, recorded(engine, story(willing(*PEOPLE) + "\n" + moved)))
    assert {p for p in PEOPLE if found[p]["watch.tied"]} == raised


def happenings(chooser: Random) -> pl.DataFrame:
    """A dozen events among three people, and as many that change, dispute or take back some of them."""
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
        about: list[dict[str, object]] = [
            {"kind": "event.corrected", "ref_event": item, "fields": json.dumps(fields)},
            {"kind": "event.corrected", "ref_event": item, "fields": json.dumps(fields)},
            {"kind": "event.retracted", "ref_event": chooser.choice([item, f"e{12 + n % 12}"])},
            {"kind": "dispute.opened", "ref_event": item},
            {"kind": "consent.withdrawn", "purpose": "perks", "classes": chooser.choice(["behaviour", "relationship"])},
        ]
        rows.append(row | chooser.choice(evidence if n < 12 else about))
    return pl.concat([story(willing(*PEOPLE)), frame([r | {"recorded_at": r["happened_at"]} for r in rows])])


def test_flags_made_live_are_those_made_for_everyone(engines: Engines, empty: Template, tmp_path: Path) -> None:
    raised = 0
    for seed in range(seeds := pairs(10, 50)):
        with empty.lent("", tmp_path) as url:
            database = open_database(url)
            found = same_live(database, engines, recorded(database, happenings(Random(seed))))
            raised += sum(v is True for flags in found.values() for v in flags.values())
            database.dispose()
    assert raised > 2 * seeds, "otherwise they are the same for want of any"


def test_flags_kept_beside_the_score_are_those_made_live(town: World, engines: Engines) -> None:
    world = World(town.database, engines)
    made = actions.ready(world)
    people = builds.people_of(world.database, made)[:25]
    classes = {"identity", "relationship", "behaviour", "restricted", "credit"}
    live = {p: watching.of_person(world.database, engines, made, p, classes) for p in people}
    actions.scored(world, made)
    with reading(world.database) as connection:
        kept = dict(tuple(r) for r in connection.execute(text("select person, flags from scores")))
    for person in people:
        assert json.loads(kept[person]) == live[person]
        assert watching.of_person(world.database, engines, made, person, classes) == live[person]
    assert {v for flags in live.values() for v in flags.values()} >= {True, False}


def test_a_class_withdrawn_since_leaves_the_flags_of_it_missing_at_once(town: World, engines: Engines) -> None:
    world = World(town.database, engines)
    made = actions.ready(world)
    actions.scored(world, made)
    person = builds.people_of(world.database, made)[0]
    found = watching.of_person(world.database, engines, made, person, {"credit"})
    assert found["watch.missed"] is not None
    assert [found[f"watch.{n}"] for n in ("paid", "tied", "friend")] == [None] * 3
