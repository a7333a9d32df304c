"""How the values of features lie in the newest build."""

import pytest

from api.features import distributions
from api.features.distributions import QUANTILES
from api.runtime.context import AppContext

SQLITE_ONLY = pytest.mark.parametrize("town_url", ["sqlite"], indirect=True)


@SQLITE_ONLY
def test_each_feature_of_the_rules_has_its_quantiles(town: AppContext) -> None:
    by_feature = distributions.distributions(town.database, town.release.programs[-1])
    spread = by_feature["credit.kept"]
    assert (spread.people, spread.missing, len(spread.quantiles), spread.shares) == (120, 0, len(QUANTILES), ())
    assert all(len(each.quantiles) in (0, len(QUANTILES)) for each in by_feature.values())
    assert not any(name.startswith("watch.") for name in by_feature)


@SQLITE_ONLY
def test_we_say_nothing_of_a_few_people(town: AppContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributions, "SMALLEST_GROUP", 121)
    distributions._CACHE.clear()
    by_feature = distributions.distributions(town.database, town.release.programs[-1])
    distributions._CACHE.clear()
    assert {(spread.quantiles, spread.shares) for spread in by_feature.values()} == {((), ())}


def test_before_the_first_build_there_are_none(sqlite_database: object, town: AppContext) -> None:
    assert distributions.distributions(sqlite_database, town.release.programs[-1]) == {}  # type: ignore[arg-type]
