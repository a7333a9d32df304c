"""Consent and purpose of declared evidence, through the API: over random vocabularies, features and ledgers."""

from datetime import timedelta

from hypothesis import given

from api.merchants import services
from api.merchants.services import Terms
from tests.api.database_templates import Template
from tests.api.guarantees.business_client import SEEDS, at_length, business_client
from tests.business_events import consent
from tests.effort import only_in_full
from tests.random_business import CLASSES, NOW, PEOPLE


@at_length(1, 1_000)
@given(seed=SEEDS)
def test_a_withdrawn_consent_takes_every_feature_that_needs_it_away_at_once(
    seed: int, empty_template: Template
) -> None:
    with business_client(seed, empty_template) as client:
        client.send(*(client.writer.event() for _ in range(10)))
        client.build()
        person, data_class = client.chooser.choice(PEOPLE), client.chooser.choice(CLASSES)
        before = client.features(person)
        client.post(person, "/consents/withdraw", {"purpose": "perks", "classes": [data_class]})
        rest = {name: value for name, value in before.items() if data_class not in client.class_of(name)}
        expected = {} if data_class == "identity" else rest
        assert client.features(person) == expected
        client.now += timedelta(minutes=1)
        client.refresh()
        assert client.features(person) == expected
        client.build()
        assert client.features(person) == expected


@only_in_full
@at_length(1, 1_000)
@given(seed=SEEDS)
def test_what_counts_for_both_parties_leaves_the_other_s_features_at_once_too(
    seed: int, empty_template: Template
) -> None:
    with business_client(seed, empty_template) as client:
        client.send(*(client.writer.event() for _ in range(12)))
        client.build()
        person, data_class = client.chooser.choice(PEOPLE), client.chooser.choice(CLASSES)
        client.post(person, "/consents/withdraw", {"purpose": "perks", "classes": [data_class]})
        at_once = client.all_features()
        client.now += timedelta(minutes=1)
        client.build()
        after = client.all_features()
        shared = {
            k.name for k in client.business.vocabulary.kinds if k.counts_for == "both" and k.data_class == data_class
        }
        names = {d.name for d in client.business.definitions if set(d.kinds) & shared}
        for other in set(PEOPLE) - {person}:
            of_shared = {name: value for name, value in at_once[other].items() if name in names}
            assert of_shared.items() <= after[other].items(), (other, data_class)


@at_length(1, 1_000)
@given(seed=SEEDS)
def test_a_consent_for_another_purpose_or_to_a_service_changes_no_feature(seed: int, empty_template: Template) -> None:
    silent = PEOPLE[0]
    with business_client(seed, empty_template, silent=[silent]) as client:
        client.send(*(client.writer.event(silent) for _ in range(6)))
        client.build()
        assert client.features(silent) == {}
        services.sign_up(client.database, "inn", "rooms", Terms("bicycle"), NOW)
        client.state(consent(silent, purpose="rent", event_id="rent"))
        client.post(
            silent, "/consents", {"purpose": "perks", "classes": list(CLASSES), "service": "inn/rooms", "warned": True}
        )
        client.now += timedelta(minutes=1)
        client.refresh()
        assert client.features(silent) == {}
        client.build()
        assert client.features(silent) == {}
        client.post(silent, "/consents", {"purpose": "perks", "classes": ["identity"], "warned": True})
        client.now += timedelta(minutes=1)
        client.refresh()
        names = client.features(silent)
        assert names["identity.level"] == "2"
        assert all(client.class_of(name) == {"identity"} for name in names)
