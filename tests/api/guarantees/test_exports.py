"""The person's own view of declared evidence: the export holds everything about them and nothing of others, and every line is in words."""

import json
from typing import Any

from hypothesis import given

from tests.api.database_templates import Template
from tests.api.guarantees.business_client import SEEDS, at_length, business_client
from tests.business_events import needles
from tests.effort import only_in_full
from tests.random_business import ANN, Row

DATA_KINDS = ("trade.", "debt.", "tie.")


def involving(person: str, rows: list[Row]) -> list[Row]:
    return [row for row in rows if person in (row["subject"], row.get("other"))]


def sent(item: dict[str, Any], person: str) -> Row:
    """An item of an export as its contributor would send it."""
    parties = {"subject": person, "other": item["with"]}
    if item["said_of_you_by_another"]:
        parties = {"subject": item["with"], "other": person}
    row = {
        "event_id": item["event_id"],
        "kind": item["kind"],
        "happened_at": item["happened_at"],
        **parties,
        **item["fields"],
    }
    return {name: value for name, value in row.items() if value is not None}


@at_length(1, 1_000)
@given(seed=SEEDS)
def test_the_export_holds_every_event_about_the_person_as_it_was_sent(seed: int, empty_template: Template) -> None:
    with business_client(seed, empty_template, ties=False) as client:
        rows = [client.writer.event() for _ in range(14)]
        client.send(*rows)
        export = client.me(ANN, "/export")["evidence"]
        items = {i["event_id"]: i for i in export if i["kind"].startswith(DATA_KINDS)}
        own = involving(ANN, rows)
        assert set(items) == {row["event_id"] for row in own}
        assert needles([sent(i, ANN) for i in items.values()]) == needles(own)
        foreign = needles(rows) - needles(own)
        assert [text for text in foreign if text in json.dumps(export, ensure_ascii=False)] == []
        results = client.submit([sent(item, ANN) for item in items.values()])  # of the same contents
        assert {r["result"] for r in results} <= {"duplicate"}, [r for r in results if r["result"] != "duplicate"]


@at_length(1, 1_000)
@given(seed=SEEDS)
def test_an_export_that_another_system_loads_gives_the_same_features_there(seed: int, empty_template: Template) -> None:
    with (
        business_client(seed, empty_template, ties=False) as client,
        business_client(seed, empty_template, ties=False) as elsewhere,
    ):
        items = [client.writer.event() for _ in range(10)]
        client.send(*items)
        client.send(*(client.writer.correction(item)[0] for item in client.chooser.sample(items, 2)))
        own = [
            item for item in involving(ANN, items) if not item["kind"].startswith("debt.")
        ]  # of these a part counts on
        disputed = client.chooser.choice(own or [None])
        client.now = elsewhere.now
        client.build()
        if disputed and client.me(ANN, "/evidence")["items"]:
            body = {"contributor": "bank", "event_id": disputed["event_id"]}
            client.call("POST", "/me/disputes", body, caller=ANN)
            client.build()
        export = client.me(ANN, "/export")["evidence"]
        current = [
            i for i in export if i["kind"].startswith(DATA_KINDS) and not i["retracted_at"] and i["dispute"] is None
        ]
        elsewhere.send(*(sent(item, ANN) for item in current))
        elsewhere.build()
        assert elsewhere.features(ANN) == client.features(ANN)


@at_length(1, 1_000)
@given(seed=SEEDS)
def test_every_item_and_every_feature_is_in_words_in_each_language_and_says_what_was_used(
    seed: int, empty_template: Template
) -> None:
    with business_client(seed, empty_template) as client:
        client.send(*(client.writer.event() for _ in range(10)))
        client.build()
        vocabulary, program = client.business.vocabulary, client.business.release.programs[0]
        for language in ("en", "zh"):
            export = client.me(ANN, "/export", language)["evidence"]
            assert client.me(ANN, "/evidence?limit=1000", language)["items"] == export
            for item in export:
                texts = dict(vocabulary.kind(item["kind"]).about)
                assert item["about"] == texts[language], item
            lines = client.me(ANN, "/features", language)["items"]
            assert len({line["feature"] for line in lines}) == len(lines)
            for line in lines:
                declared = program.declarations.get(line["feature"])
                if declared is not None:
                    assert line["about"].startswith(declared.about[language])
                    kinds = [
                        kind for name in (line["feature"], *declared.uses) for kind in program.declarations[name].kinds
                    ]
                    words = {vocabulary.kind(kind).words(language) for kind in kinds}
                    assert set(line["made_of"]) == words
                assert line["value"]
                assert line["data_classes"] == sorted(client.class_of(line["feature"]))
        stored = {name for name, value in client.stored_features()[ANN].items() if value is not None}
        assert {line["feature"] for line in lines} == stored


@only_in_full
@at_length(1, 300)
@given(seed=SEEDS)
def test_without_an_event_that_is_behind_a_value_the_value_is_the_one_that_the_lineage_names(
    seed: int, empty_template: Template
) -> None:
    with (
        business_client(seed, empty_template, ties=False) as client,
        business_client(seed, empty_template, ties=False) as without,
    ):
        items = [client.writer.event(subject=ANN) for _ in range(6)]
        client.send(*items)
        client.build()
        names = [name for name in client.features(ANN) if name.startswith("declared.")]
        lineages = [client.me(ANN, f"/features/{name}") for name in client.chooser.sample(names, min(2, len(names)))]
        behind = [(of["feature"], event) for of in lineages for event in of["events"] if event["contributor"] == "bank"]
        if behind:
            name, event = client.chooser.choice(behind)
            without.now = client.now
            without.send(*(row for row in items if row["event_id"] != event["event_id"]))
            without.build()
            assert without.features(ANN).get(name) == event["value_without"]


@at_length(1, 1_000)
@given(seed=SEEDS)
def test_a_disputed_item_is_out_of_the_features_until_the_answer(seed: int, empty_template: Template) -> None:
    """Steps of obligations keep what is in the person's favour: `tests.graph.features.test_credit_oracle`."""
    with business_client(seed, empty_template) as client, business_client(seed, empty_template) as without:
        items = [client.writer.event() for _ in range(8)]
        client.send(*items)
        client.build()
        own = [row for row in involving(ANN, items) if not row["kind"].startswith("debt.")]
        if not own:
            return
        item = client.chooser.choice(own)
        before = client.all_features()
        dispute = client.post(
            ANN, "/disputes", {"contributor": "bank", "event_id": item["event_id"], "statement": "no"}
        )
        listed = next(i for i in client.me(ANN, "/evidence?limit=1000")["items"] if i["event_id"] == item["event_id"])
        assert listed["dispute"] == "open"
        client.refresh()
        without.now = client.now
        without.send(*(row for row in items if row is not item))
        without.build()
        assert client.all_features() == without.all_features()
        outcome = client.chooser.choice(["upheld", "rejected"])
        path = f"/disputes/{dispute['dispute_id']}/resolve"
        response = client.call("POST", path, {"outcome": outcome}, caller="desk", role="operator")
        assert response.status_code == 200, response.text
        client.refresh()
        assert client.all_features() == (before if outcome == "rejected" else without.all_features())
