"""The refresh of features over declared kinds: whoever enrols later, or takes a payment back, changes the rows of the other party."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from api.evidence import ledger
from api.features import builds, refresh
from api.releases.catalogue import definitions_of, vocabulary_of
from engine.decide.evaluators import Evaluators
from graph.features.pipeline import features
from iftah.rules_folder import load_folder
from tests.api.declared_rules import write_rental_rules
from tests.api.refresh_town import feature_rows
from tests.graph.story import enrol, story
from tests.strategies import NOW

FEATURES = """
  - {id: rental.owners, about: a, of: rental.returned, where: other_is_person, measure: distinct, value: other, missing: zero}
  - {id: rental.hirers, about: a, of: rental.returned, as: other, where: other_is_person, measure: count, missing: zero}
  - {id: rental.thefts, about: a, of: rental.stolen, where: other_is_person, measure: count, missing: zero}
  - {id: rental.friends, about: a, of: ties, where: other_is_person, measure: count, missing: zero}
  - {id: rental.refunds, about: a, of: payment.refunded, where: other_is_person, measure: count, missing: zero}
"""

BASE = f"{enrol('ann')}\n2000-01-01 consent.granted zoe @desk #c purpose=perks classes=relationship"
# A feature, and the one event of ann that it counts once zoe is a person.
EVENTS = {
    "rental.owners": '2024-02-01 rental.returned ann > zoe data={"item":"bike"}',
    "rental.hirers": '2024-02-01 rental.returned zoe > ann data={"item":"bike"}',
    "rental.thefts": '2024-02-01 rental.stolen ann > zoe data={"item":"bike"}',
    "rental.refunds": "2024-02-01 payment.refunded ann > zoe ref_event=p amount=200 currency=CNY",
    "rental.friends": "2024-02-01 tie.formed ann > zoe tie=friend",
    "behaviour.out_counterparties": "2024-02-01 payment.made ann > zoe amount=200 currency=CNY",
}
PAYMENT = """
2024-02-03 payment.made ann > shop #p amount=500 currency=CNY
2024-02-04 payment.refunded ann > shop #r ref_event=p amount=200 currency=CNY"""


@pytest.fixture(scope="module")
def evaluators(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evaluators]:
    folder: Path = write_rental_rules(tmp_path_factory.mktemp("rules"))
    path = folder / "features.yaml"
    path.write_text(path.read_text(encoding="utf-8") + FEATURES.lstrip("\n"), encoding="utf-8")
    evaluators = Evaluators(load_folder(folder))
    yield evaluators
    evaluators.close()


def rows_after(
    database: Engine, evaluators: Evaluators, first: str, later: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The values of ann at the build, and after a refresh for the later events. The latter equal those of a new computation."""
    release, vocabulary = evaluators.release, vocabulary_of(evaluators.release)
    events, new = story(f"{BASE}\n{first}"), story(later).with_columns(event_id="late-" + story(later)["event_id"])
    assert ledger.append(database, events, NOW, vocabulary=vocabulary).accepted == events.height
    builds.build_features(database, NOW, "perks", NOW, follows=True, release=release)
    before = feature_rows(database)["ann"][1]
    now = NOW + timedelta(hours=1)
    assert ledger.append(database, new, now, vocabulary=vocabulary).accepted == new.height
    refresh.refresh_all(database, evaluators, lambda: now)
    build, after = feature_rows(database)["ann"]
    whole = (events.vstack(new)).with_columns(recorded_at="happened_at")
    names = [n for n in after if n.partition(".")[0] in ("rental", "behaviour", "capacity")]
    program = release.at(release.day(now))
    expected = features(
        whole,
        build.as_of,
        now,
        "perks",
        feature_names=names,
        zone=build.zone,
        vocabulary=vocabulary,
        definitions=definitions_of(program),
    )
    assert {n: after[n] for n in names} == expected.filter(person="ann").select(names).row(0, named=True)
    return before, after


@pytest.mark.parametrize("feature", EVENTS)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_party_that_enrols_later_is_a_person_to_every_kind_that_names_it(
    database: Engine, evaluators: Evaluators, feature: str
) -> None:
    before, after = rows_after(database, evaluators, EVENTS[feature], enrol("zoe"))
    assert (before[feature], after[feature]) == (0, 1)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_refund_that_comes_later_changes_the_sums_of_its_payment(database: Engine, evaluators: Evaluators) -> None:
    line = "2024-02-06 payment.charged_back ann > shop ref_event=p amount=100 currency=CNY"
    before, after = rows_after(database, evaluators, PAYMENT, line)
    assert (before["behaviour.payment_total"], after["behaviour.payment_total"]) == (300, 200)
    assert before["behaviour.payments"] == after["behaviour.payments"] == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_refund_that_is_taken_back_leaves_the_whole_payment(database: Engine, evaluators: Evaluators) -> None:
    _, after = rows_after(database, evaluators, PAYMENT, "2024-02-06 event.retracted ann ref_event=r")
    assert after["behaviour.payment_total"] == 500


RATES = """kind: rates
{days}
base: CNY
date: 2024-01-01
rates: {{JPY: {rate}}}
"""
SPENDING = """
  - {id: rental.spent, about: a, of: payment.made, measure: sum, value: amount, missing: zero}
"""


def test_until_the_next_build_a_refresh_uses_the_rates_of_the_build_also_after_their_last_day(
    database: Engine, tmp_path: Path
) -> None:
    """Else some people's amounts would have the new rates, others' the old, and a decision would name the wrong definitions."""
    folder = write_rental_rules(tmp_path)
    path, day = folder / "features.yaml", (NOW + timedelta(days=1)).date()
    path.write_text(path.read_text(encoding="utf-8") + SPENDING.lstrip("\n"), encoding="utf-8")
    (folder / "rates.yaml").write_text(RATES.format(days=f"until: {day}", rate="0.05"), encoding="utf-8")
    (folder / "rates-later.yaml").write_text(RATES.format(days=f"from: {day}", rate="0.07"), encoding="utf-8")
    evaluators = Evaluators(load_folder(folder))
    vocabulary = vocabulary_of(evaluators.release)

    def pay(number: int, now: datetime) -> None:
        line = f"2024-02-0{number} payment.made ann > shop #p{number} amount=1000 currency=JPY"
        assert ledger.append(database, story(line), now, vocabulary=vocabulary).accepted == 1

    def spent() -> object:
        return feature_rows(database)["ann"][1]["rental.spent"]

    ledger.append(database, story(BASE), NOW, vocabulary=vocabulary)
    pay(1, NOW)
    builds.build_features(database, NOW, "perks", NOW, follows=True, release=evaluators.release)
    assert spent() == 50_00
    later = NOW + timedelta(days=2)
    pay(2, later)
    refresh.refresh_all(database, evaluators, lambda: later)
    assert spent() == 100_00
    builds.build_features(database, later, "perks", later, follows=True, release=evaluators.release)
    assert spent() == 140_00
    evaluators.close()
