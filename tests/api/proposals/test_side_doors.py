"""Where two people release rules, no command takes rules from a folder."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine

from api.jobs.release_follower import advance_releases
from api.proposals import activations, proposals
from api.releases.in_force import StoredRules
from api.releases.releases import record_release
from api.runtime import bootstrap
from api.runtime.configured_rules import release_in_force, vocabulary_in_force
from api.runtime.context import AppContext
from api.settings.settings import Settings
from api.store.clock import micros, moment
from engine.decide.evaluators import Evaluators
from engine.errors import Rejected
from engine.lang.check.release import release_of
from graph.evidence.vocabulary import EventVocabulary
from iftah.catalogue import kinds, schema
from tests.api.declared_rules import rental_files, write_rental_rules
from tests.api.proposals.two_people import TwoPeople, changed_files
from tests.api.shipped_probe import shipped_files
from tests.api.town import NOW, shipped_release

LATER = {"perks": "valid_hours: 168 -> valid_hours: 72"}


@pytest.fixture
def people(database: Engine) -> TwoPeople:
    record_release(database, shipped_release(), micros(NOW), shipped_files())
    return TwoPeople(database, micros(NOW))


def settings_with(folder: Path, database: Engine, **values: str) -> Settings:
    """The settings of a machine with a folder of drafts."""
    url = database.url.render_as_string(hide_password=False)
    return Settings(rules=write_rental_rules(folder), database_url=url, **values)  # type: ignore[arg-type]


@contextmanager
def loading(
    settings: Settings, load: Callable[[Settings], AppContext] = bootstrap.load_context
) -> Iterator[AppContext]:
    """The context of a start, closed at the end."""
    context = load(settings)
    yield context
    context.evaluators.close()
    context.database.dispose()


def kind_names(vocabulary: EventVocabulary) -> set[str]:
    return {kind.name for kind in vocabulary.kinds}


def test_commands_read_the_rules_that_the_log_names_and_not_the_folder(people: TwoPeople, tmp_path: Path) -> None:
    settings = settings_with(tmp_path / "rules", people.database)
    assert release_in_force(settings, people.database).id == shipped_release().id
    assert "rental.returned" not in kind_names(vocabulary_in_force(settings, people.database))
    people.release(changed_files(**LATER))
    for load in (bootstrap.load_context, bootstrap.open_context):
        with loading(settings, load) as context:
            assert context.release.id == people.state.activations[-1].release
    assert [a.kind for a in people.state.activations] == ["folder", "activation"]


def test_a_folder_is_the_rules_as_long_as_one_person_has_a_key(database: Engine, tmp_path: Path) -> None:
    settings = settings_with(tmp_path / "rules", database)
    assert "rental.returned" in kind_names(vocabulary_in_force(settings, database))
    with loading(settings) as context:
        assert "rental.returned" in kind_names(context.vocabulary)


def test_a_new_system_can_demand_two_people_from_the_beginning(database: Engine, tmp_path: Path) -> None:
    settings = settings_with(tmp_path / "rules", database, releases="approved")
    with pytest.raises(Rejected, match="no release has come into force yet") as error:
        bootstrap.load_context(settings)
    assert error.value.code == "no_release"
    people = TwoPeople(database, micros(NOW))
    number = people.release(rental_files()).number
    with loading(settings) as context:
        assert context.release.id == people.state.proposals[number].release


def test_a_folder_cannot_take_the_rules_back_from_two_people(people: TwoPeople, tmp_path: Path) -> None:
    people.release(changed_files(**LATER))
    with pytest.raises(Rejected, match="two people have released rules here"):
        bootstrap.load_context(settings_with(tmp_path / "rules", people.database, releases="folder"))
    with pytest.raises(Rejected) as error:
        record_release(people.database, shipped_release(), people.tick())
    assert error.value.code == "needs_approval"


def test_files_that_are_in_force_are_no_proposal(people: TwoPeople) -> None:
    with pytest.raises(Rejected) as error:
        proposals.propose(people.database, people.wang, shipped_files(), "nothing", people.tick())
    assert error.value.code == "no_change"


def test_a_break_glass_ends_by_itself_and_the_rules_before_it_come_back(people: TwoPeople) -> None:
    files = changed_files(**LATER)
    rules = StoredRules(release_of(files, schema(), kinds()), files)
    activations.break_glass(people.database, people.wang, rules, 4, "the hotel rule harms people", people.tick())
    assert people.state.activations[-1].release == rules.release.id
    context = AppContext(people.database, Evaluators(rules.release), log=people.state)
    advance_releases(context, moment(people.now + 3 * 3_600_000_000))
    assert people.state.activations[-1].release == rules.release.id
    advance_releases(context, moment(people.now + 4 * 3_600_000_000))
    assert people.state.activations[-1].release == shipped_release().id
    assert people.state.ends_at is None
    context.evaluators.close()
