"""What contributors send, through the API and from files: again, in any order, corrected, and after the moment of a build."""

import json
from datetime import timedelta
from pathlib import Path

import polars as pl
from hypothesis import given

from api.features import builds
from tests.api.database_templates import Template
from tests.api.guarantees.business_client import SEEDS, BusinessClient, at_length, business_client
from tests.business_events import iso
from tests.effort import only_in_full
from tests.random_business import DAY, NOW, PEOPLE, Row


def sample_ledger(client: BusinessClient, events: int = 8) -> list[Row]:
    """Events, and corrections of some of them."""
    items = [client.writer.event() for _ in range(events)]
    return [*items, *(client.writer.correction(item)[0] for item in client.chooser.sample(items, 2))]


@at_length(1, 1_000)
@given(seed=SEEDS)
def test_what_is_sent_again_changes_nothing_and_another_content_is_refused(seed: int, empty_template: Template) -> None:
    with business_client(seed, empty_template) as client:
        rows = sample_ledger(client)
        client.send(*rows)
        client.build()
        events, features = client.stored_events(), client.stored_features()
        shuffled_rows = client.chooser.sample(rows, len(rows))
        results = [r for at in range(0, len(shuffled_rows), 3) for r in client.submit(shuffled_rows[at : at + 3])]
        assert {r["result"] for r in results} == {"duplicate"}
        row = client.chooser.choice([r for r in rows if r["kind"] != "event.corrected"])
        other = row | {"happened_at": iso(NOW - 77 * DAY)}
        assert [r["result"] for r in client.submit([other])] == ["refused"]
        client.now += timedelta(seconds=1)
        client.refresh()
        assert client.stored_events() == events
        assert client.stored_features() == features


@at_length(1, 1_000)
@given(seed=SEEDS)
def test_files_of_every_format_hold_the_same_events_as_the_api(
    seed: int, empty_template: Template, tmp_path_factory
) -> None:
    with business_client(seed, empty_template) as client:
        rows = sample_ledger(client)
        client.send(*rows)
        events = client.stored_events()
        folder = tmp_path_factory.mktemp("files")
        lines = [{**r, "contributor": "bank"} for r in rows]
        (folder / "e.ndjson").write_text("".join(json.dumps(line) + "\n" for line in lines))
        texts = [{k: v if isinstance(v, str) else json.dumps(v) for k, v in line.items()} for line in lines]
        frame = pl.DataFrame(texts, infer_schema_length=None)
        frame.write_csv(folder / "e.csv")
        frame.write_parquet(folder / "e.parquet")
        for name in ("e.ndjson", "e.csv", "e.parquet"):
            report = client.load(folder / name)
            assert (report.accepted, report.duplicates, report.refused) == (0, len(rows), 0), name
        assert client.stored_events() == events


@at_length(1, 1_000)
@given(seed=SEEDS)
def test_a_refresh_gives_what_a_build_gives_and_a_correction_what_the_right_event_gives(
    seed: int, empty_template: Template
) -> None:
    with business_client(seed, empty_template) as client, business_client(seed, empty_template) as fair:
        items = [client.writer.event() for _ in range(8)]
        client.build()
        client.send(*items)
        client.now += timedelta(minutes=1)
        client.refresh()
        wrong = client.chooser.randrange(len(items))
        correction, right = client.writer.correction(items[wrong])
        client.send(correction)
        client.now += timedelta(minutes=1)
        client.refresh()
        refreshed = client.all_features()
        client.build()
        assert client.all_features() == refreshed
        fair.now = client.now
        fair.send(*items[:wrong], right, *items[wrong + 1 :])
        fair.build()
        assert fair.all_features() == refreshed


@at_length(1, 1_000)
@given(seed=SEEDS)
def test_a_build_as_of_a_moment_is_the_same_whatever_happens_later(seed: int, empty_template: Template) -> None:
    with business_client(seed, empty_template) as client:
        client.send(*sample_ledger(client))
        as_of = NOW - client.chooser.choice([0, 1, 40, 400]) * DAY

        def features() -> object:
            builds.build_features(client.database, as_of, "perks", client.now, release=client.business.release)
            return client.stored_features()

        before = features()
        late = [client.writer.event() | {"happened_at": iso(as_of + timedelta(microseconds=1))} for _ in range(3)]
        client.now += timedelta(minutes=5)
        client.send(*late)
        client.post(PEOPLE[0], "/consents/withdraw", {"purpose": "perks"})
        correction = client.writer.correction(late[0])[0]
        client.send(correction | {"happened_at": iso(client.now)})
        assert features() == before


@only_in_full
def test_random_events_are_accepted_by_the_thousand(empty_template: Template, tmp_path: Path) -> None:
    """The writer keeps to what the vocabulary declares; the laws need that."""
    for seed in range(20):
        with business_client(seed, empty_template) as client:
            client.send(*(client.writer.event() for _ in range(100)))
            assert len(client.stored_events()) == 100 + 7
