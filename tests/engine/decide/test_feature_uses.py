"""Where the shipped rules read each feature."""

from engine.decide.feature_uses import FeatureUse, feature_uses
from tests.api.town import shipped_release


def test_uses_are_characteristics_knock_outs_and_features() -> None:
    uses = feature_uses(shipped_release().programs[-1])
    assert FeatureUse("characteristic", "kept") in uses["credit.kept"]
    assert FeatureUse("scorable", "scorable") in uses["identity.level"]
    assert FeatureUse("knockout", "car.identity", "car") in uses["identity.level"]
    assert FeatureUse("feature", "capacity.income_cover") in uses["behaviour.outlay"]
    assert all(len(set(of_feature)) == len(of_feature) for of_feature in uses.values())


def test_every_read_feature_is_listed() -> None:
    program = shipped_release().programs[-1]
    assert set(program.scorecard_reads) <= set(feature_uses(program)) | {"as_of"}
