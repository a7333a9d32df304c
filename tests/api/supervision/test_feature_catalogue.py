"""The catalogue of features over HTTP: meaning, definition, use, distribution and drift, without small groups."""

from datetime import timedelta
from typing import Any

import pytest

from api.access import tokens
from api.runtime.context import AppContext
from api.settings.settings import settings
from tests.api.audit_client import AuditClient
from tests.api.town import END, NOW, build_features


@pytest.fixture
def client(town: AppContext) -> AuditClient:
    return AuditClient(town)


def catalogue(client: AuditClient, language: str = "en") -> dict[str, dict[str, Any]]:
    secret = tokens.issue(client.context.database, "operator", "mei", "mei", NOW).secret
    headers = {"Authorization": f"Bearer {secret}", "Accept-Language": language}
    response = client.http.get("/v1/features", headers=headers)
    assert response.status_code == 200, response.text
    return {item["feature"]: item for item in response.json()["items"]}


def test_each_feature_says_what_it_is_and_where_the_rules_read_it(client: AuditClient) -> None:
    items = catalogue(client)
    assert len(items) == 49
    feature = items["credit.kept"]
    assert "- id: credit.kept" in feature["definition"]
    assert {"place": "characteristic", "id": "kept", "perk": None} in feature["uses"]
    assert items["fraud.rings"]["definition"] == ""
    assert {use["perk"] for use in items["fraud.rings"]["uses"] if use["place"] == "knockout"} >= {"car", "apartment"}
    assert items["relationships.trust"]["reference"]
    assert all(item["about"] and item["window"] and item["data_classes"] for item in items.values())


def test_the_meaning_is_in_the_readers_language(client: AuditClient) -> None:
    for name, item in catalogue(client, "zh").items():
        assert any("\u4e00" <= letter <= "\u9fff" for letter in item["about"]), name


def test_a_distribution_hides_small_groups_and_what_would_reveal_them(client: AuditClient) -> None:
    smallest = settings().report_smallest_group
    for item in catalogue(client).values():
        distribution = item["distribution"]
        numbers = [bin_["people"] for bin_ in distribution["bins"]]
        assert all(n is None or n == 0 or n >= smallest for n in numbers), item["feature"]
        if distribution["share_missing"] is not None and None in numbers:
            visible = sum(n for n in numbers if n) + round(distribution["share_missing"] * distribution["people"])
            assert distribution["people"] - visible >= smallest, item["feature"]
        assert distribution["drift"] is None


def test_drift_compares_with_the_build_before(client: AuditClient) -> None:
    build_features(client.context.database, END, "perks", NOW + timedelta(minutes=5))
    drifts = [item["distribution"]["drift"] for item in catalogue(client).values()]
    assert all(drift["index"] == 0 for drift in drifts)
    assert {drift["verdict"] for drift in drifts} == {"stable"}
    build_features(client.context.database, END - timedelta(days=300), "perks", NOW + timedelta(minutes=9))
    assert catalogue(client)["identity.tenure_days"]["distribution"]["drift"]["verdict"] == "act"
