"""A business of another line sends its own kinds of events, by every door, and all that holds for evidence holds for them."""

import gzip
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import polars as pl
import pytest
from sqlalchemy import Engine, text

from api.evidence import ledger
from api.evidence.load import LoadReport, load_file
from api.features.pattern_flags import flags_of_events
from api.people import erasure
from api.runtime.context import AppContext
from api.runtime.scoring import score_everyone
from api.store.database import reading
from engine.decide.evaluators import Evaluators
from engine.lang.model.program import Release
from graph.evidence.declared_fields import unpack
from iftah.catalogue import vocabulary_of
from iftah.rules_folder import load_folder
from tests.api.declared_rules import RENTAL_KINDS, rental_release, rental_vocabulary, write_rental_rules
from tests.api.loading import NOW, rejects
from tests.api.person_client import PersonClient
from tests.api.town import build_features
from tests.graph.story import enrol, story

LATER: Final = NOW + timedelta(hours=1)
HEADER: Final = "contributor,event_id,kind,subject,other,happened_at,item,days_late,rating,damage,damage_currency,helmet,size,picked_up,promised,keeper"
LINES: Final = (
    "shop,r1,rental.returned,ann,shop,2024-02-01T09:00:00Z,bike 7,2,4.5,1200,CNY,true,small,2024-01-30T09:00:00+08:00,2024-01-31,zoe",
    "shop,r2,rental.returned,bob,shop,2024-02-02T09:00:00Z,bike 8,,,,,false,,,,",
    "shop,r3,rental.stolen,cy,shop,2024-02-03T09:00:00Z,bike 9,,,,,,,,,",
)
ROWS: Final = [{k: v for k, v in zip(HEADER.split(","), line.split(","), strict=True) if v} for line in LINES]


def typed(row: dict[str, str]) -> dict[str, Any]:
    """A row as a JSON client sends it."""
    types: dict[str, Callable[[str], Any]] = {
        "days_late": int,
        "rating": float,
        "damage": int,
        "helmet": lambda v: v == "true",
    }
    return {name: types.get(name, str)(value) for name, value in row.items()}


SERVICE_KIND: Final = """\
  - id: rental.booked
    about: {en: The subject booked a service of the other party, zh: 本人预订了对方的服务}
    class: behaviour
    other: required
    counts_for: each
    fields:
      service: {type: text, required: true}
      days_late: {type: int}
"""


def write_csv(path: Path) -> None:
    path.write_text("\n".join((HEADER, *LINES)) + "\n")


def write_ndjson(path: Path) -> None:
    path.write_text("".join(json.dumps(typed(row)) + "\n" for row in ROWS))


def write_gzip(path: Path) -> None:
    path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in ROWS).encode()))


def write_parquet(path: Path) -> None:
    pl.DataFrame([typed(row) for row in ROWS], infer_schema_length=None).write_parquet(path)


WRITERS: Final = {"r.csv": write_csv, "r.ndjson": write_ndjson, "r.ndjson.gz": write_gzip, "r.parquet": write_parquet}


def load(database: Engine, path: Path) -> LoadReport:
    return load_file(database, path, now=lambda: NOW, vocabulary=rental_vocabulary())


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_the_same_declared_fields(database: Engine, tmp_path: Path, name: str) -> None:
    WRITERS[name](tmp_path / name)
    assert load(database, tmp_path / name) == LoadReport(3, 0, 0, None, None)
    events = unpack(ledger.read(database), rental_vocabulary())
    first, second, third = events.rows(named=True)
    assert first["data"] == (
        '{"damage":1200,"damage_currency":"CNY","helmet":true,"item":"bike 7","keeper":"zoe",'
        '"picked_up":1706576400000000,"promised":"2024-01-31","rating":45,"size":"small"}'
    )  # 2024-01-30T01:00:00Z is 1,706,576,400 s after 1970
    assert (first["days_late"], first["rating"], str(first["picked_up"])) == (2, 45, "2024-01-30 01:00:00+00:00")
    assert (second["helmet"], second["item"], second["rating"]) == (False, "bike 8", None)
    assert third["data"] == '{"item":"bike 9"}'
    assert load(database, tmp_path / name) == LoadReport(0, 3, 0, None, None)


def test_wrong_values_of_declared_fields_are_rejected_by_line_with_what_they_should_be(
    sqlite_database: Engine, tmp_path: Path
) -> None:
    wrong = (
        "shop,w1,rental.returned,ann,shop,2024-02-01T09:00:00Z,bike,,4.55,,,,,,,",
        "shop,w2,rental.returned,ann,shop,2024-02-01T09:00:00Z,bike,,,,,yes,,,,",
        "shop,w3,rental.returned,ann,shop,2024-02-01T09:00:00Z,bike,,,,,,huge,,,",
        "shop,w4,rental.returned,ann,shop,2024-02-01T09:00:00Z,,,,,,,,,,",
        "shop,w5,rental.returned,ann,shop,2024-02-01T09:00:00Z,bike,,,,,,,2024-01-30T09:00:00,,",
        "shop,w6,rental.stolen,ann,shop,2024-02-01T09:00:00Z,bike,,3.0,,,,,,,",
    )
    (tmp_path / "w.csv").write_text("\n".join((HEADER, *wrong)) + "\n")
    report = load(sqlite_database, tmp_path / "w.csv")
    assert (report.accepted, report.refused) == (0, 6)
    assert dict(rejects(report)) == {
        2: "`rating` `4.55` is not a number with at most 1 digits after the point",
        3: "`helmet` `yes` is not true or false",
        4: "unknown size `huge`: use one of small, large",
        5: "`item` is missing: rental.returned needs it",
        6: "`picked_up` `2024-01-30T09:00:00` does not say its time zone: write 2024-01-30T09:00:00Z if it is UTC, or its "
        "offset as in 2024-01-30T09:00:00+08:00",
        7: "`rating` does not belong to rental.stolen: leave it empty",
    }


def test_a_column_that_nobody_declares_is_rejected_with_the_nearest_one(
    sqlite_database: Engine, tmp_path: Path
) -> None:
    (tmp_path / "w.csv").write_text(f"{HEADER.replace('helmet', 'helmt')}\n{LINES[0]}\n")
    with pytest.raises(Exception, match=r"unknown column `helmt`.*did you mean `helmet`"):
        load(sqlite_database, tmp_path / "w.csv")


@pytest.fixture
def rental(tmp_path: Path) -> Iterator[Evaluators]:
    folder = tmp_path / "rental-rules"
    release: Release = rental_release(folder)
    evaluators = Evaluators(release)
    yield evaluators
    evaluators.close()


@pytest.fixture
def client(sqlite_database: Engine, rental: Evaluators, tmp_path: Path) -> PersonClient:
    """Ann, Bob and the shop consent; the returns are in the ledger, and everyone is scored."""
    write_csv(tmp_path / "r.csv")
    ledger.append(sqlite_database, story(enrol("ann", "bob", "shop", "zoe")), NOW)
    assert load(sqlite_database, tmp_path / "r.csv").accepted == 3
    context = AppContext(sqlite_database, rental)
    build = build_features(sqlite_database, NOW, "perks", NOW, follows=True, release=rental.release)
    score_everyone(context, build)
    return PersonClient(sqlite_database, rental)


def rentals_of(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [item for item in items if item["kind"].startswith("rental.")]


def test_the_person_sees_declared_evidence_in_the_form_in_which_it_was_sent(client: PersonClient) -> None:
    (item,) = rentals_of(client.get("/me/evidence", caller="ann")["items"])
    assert (item["data_class"], item["with"]) == ("behaviour", "shop")
    assert item["fields"] == {
        **{"item": "bike 7", "days_late": 2, "rating": "4.5", "damage": 1200, "damage_currency": "CNY", "helmet": True},
        **{"size": "small", "picked_up": "2024-01-30T01:00:00+00:00", "promised": "2024-01-31", "keeper": "zoe"},
    }
    (exported,) = rentals_of(client.get("/me/export", caller="ann")["evidence"])
    assert exported["fields"] == item["fields"]


def test_a_correction_of_a_declared_field_shows_in_the_history(client: PersonClient) -> None:
    correction = {
        "contributor": "shop",
        "event_id": "c1",
        "kind": "event.corrected",
        "subject": "ann",
        "ref_event": "r1",
    }
    row = pl.DataFrame([correction | {"fields": '{"rating": 1.5, "days_late": 0}', "happened_at": NOW}])
    assert ledger.append(client.database, row, NOW, vocabulary=rental_vocabulary()).accepted == 1
    (item,) = rentals_of(client.get("/me/evidence", caller="ann")["items"])
    assert (item["fields"]["rating"], item["fields"]["days_late"], item["fields"]["item"]) == ("1.5", 0, "bike 7")
    assert [version["fields"]["rating"] for version in item["history"]] == ["4.5"]


def test_declared_evidence_can_be_disputed_and_disputed_anew_once_its_content_changes(client: PersonClient) -> None:
    body = {"contributor": "shop", "event_id": "r1", "statement": "it was on time"}
    dispute = client.call("POST", "/me/disputes", body, caller="ann").json()
    answer = {"outcome": "rejected", "note": "it was not"}
    assert (
        client.call("POST", f"/disputes/{dispute['dispute_id']}/resolve", answer, caller="operator").status_code == 200
    )
    assert client.call("POST", "/me/disputes", body, caller="ann").status_code == 409
    correction = {
        "contributor": "shop",
        "event_id": "c1",
        "kind": "event.corrected",
        "subject": "ann",
        "ref_event": "r1",
    }
    row = pl.DataFrame([correction | {"fields": '{"rating": 0.5}', "happened_at": NOW}])
    ledger.append(client.database, row, NOW, vocabulary=rental_vocabulary())
    assert client.call("POST", "/me/disputes", body, caller="ann").status_code == 201


def contents(database: Engine) -> str:
    """Everything in the table of events, as text."""
    with reading(database) as connection:
        return "\n".join(map(str, connection.execute(text("SELECT * FROM events"))))


def test_erasure_takes_a_person_out_of_their_declared_evidence_and_out_of_fields_that_name_them(
    client: PersonClient,
) -> None:
    erasure.erase(client.database, "zoe", NOW, client.context.vocabulary)
    assert "zoe" not in contents(client.database)
    (item,) = rentals_of(client.get("/me/evidence", caller="ann")["items"])
    assert "keeper" not in item["fields"]
    assert item["fields"]["item"] == "bike 7"


def test_evidence_that_is_the_other_partys_too_stays_without_the_name_and_without_texts(client: PersonClient) -> None:
    erasure.erase(client.database, "ann", NOW, client.context.vocabulary)
    assert "'ann'" not in contents(client.database)
    assert "bike 7" not in contents(client.database)
    rental, other, _ = rentals_of(client.get("/me/evidence", caller="shop")["items"])
    assert (rental["with"][:5], rental["fields"]["rating"], rental["fields"]["helmet"]) == ("gone-", "4.5", True)
    assert (other["with"], other["fields"]["item"]) == ("bob", "bike 8")


def test_an_event_that_names_an_erased_person_in_a_declared_field_is_not_stored(client: PersonClient) -> None:
    erasure.erase(client.database, "zoe", NOW, client.context.vocabulary)
    row = {"contributor": "shop", "event_id": "r9", "kind": "rental.returned", "subject": "bob", "other": "shop"}
    row |= {"happened_at": NOW, "data": '{"item":"bike","keeper":"zoe"}'}
    result = ledger.append(client.database, pl.DataFrame([row]), NOW, vocabulary=rental_vocabulary())
    assert (result.accepted, result.refused.height) == (0, 1)
    assert "zoe" not in contents(client.database)


def correct(client: PersonClient, event_id: str, ref: str, fields: dict[str, Any], subject: str = "ann") -> None:
    row = {"contributor": "shop", "event_id": event_id, "kind": "event.corrected", "subject": subject, "ref_event": ref}
    frame = pl.DataFrame([row | {"fields": json.dumps(fields), "happened_at": NOW}])
    assert ledger.append(client.database, frame, NOW, vocabulary=rental_vocabulary()).accepted == 1


def test_a_correction_that_names_an_erased_person_in_a_declared_field_keeps_an_alias(client: PersonClient) -> None:
    """Without the field, the earlier keeper would be back."""
    correct(client, "c1", "r2", {"keeper": "bob"}, "bob")
    correct(client, "c2", "r2", {"keeper": "zoe", "rating": 1.5}, "bob")
    erasure.erase(client.database, "zoe", NOW, client.context.vocabulary)
    assert "zoe" not in contents(client.database)
    (item,) = rentals_of(client.get("/me/evidence", caller="bob")["items"])
    assert (item["fields"]["keeper"][:5], item["fields"]["rating"]) == ("gone-", "1.5")


def test_a_name_that_a_correction_spells_with_escapes_goes_too(client: PersonClient) -> None:
    row = {"contributor": "shop", "event_id": "c1", "kind": "event.corrected", "subject": "bob", "ref_event": "r2"}
    frame = pl.DataFrame([row | {"fields": '{"keeper": "\\u007aoe"}', "happened_at": NOW}])
    assert ledger.append(client.database, frame, NOW, vocabulary=rental_vocabulary()).accepted == 1
    erasure.erase(client.database, "zoe", NOW, client.context.vocabulary)
    assert "u007aoe" not in contents(client.database)
    (item,) = rentals_of(client.get("/me/evidence", caller="bob")["items"])
    assert item["fields"]["keeper"].startswith("gone-")


def test_a_correction_of_texts_alone_goes_with_the_texts_that_an_erasure_takes_out(client: PersonClient) -> None:
    """A correction that sets nothing would stop every build."""
    correct(client, "c1", "r1", {"item": "bike 12"})
    correct(client, "c2", "r1", {"item": "bike 13", "rating": 2.5})
    erasure.erase(client.database, "ann", NOW, client.context.vocabulary)
    assert "bike 1" not in contents(client.database)
    build_features(client.database, NOW, "perks", NOW, follows=True, release=client.context.release)
    rental, *_ = rentals_of(client.get("/me/evidence", caller="shop")["items"])
    assert rental["fields"]["rating"] == "2.5"


def test_the_texts_of_an_event_that_a_correction_moved_to_the_erased_person_go(client: PersonClient) -> None:
    correct(client, "c1", "r2", {"other": "ann"}, "bob")
    erasure.erase(client.database, "ann", NOW, client.context.vocabulary)
    assert "bike 8" not in contents(client.database)
    (item,) = rentals_of(client.get("/me/evidence", caller="bob")["items"])
    assert (item["with"][:5], item["fields"]) == ("gone-", {"helmet": False})


def test_declared_kinds_raise_flags_by_their_declared_fields(sqlite_database: Engine, tmp_path: Path) -> None:
    folder = tmp_path / "flag-rules"
    rental_release(folder)
    watch = (folder / "watch.yaml").read_text(encoding="utf-8")
    step = "{event: rental.returned, where: days_late > 1 and rating < 4.6 and helmet and promised < 2024-02-01}"
    missed = "{event: obligation.missed, times: 3}"
    assert missed in watch
    (folder / "watch.yaml").write_text(watch.replace(missed, step), encoding="utf-8")

    release = load_folder(folder)
    assert RENTAL_KINDS in release.files["evidence.yaml"]

    write_csv(tmp_path / "r.csv")
    ledger.append(sqlite_database, story(enrol("ann", "bob")), NOW)
    load(sqlite_database, tmp_path / "r.csv")
    evaluators = Evaluators(release)
    pattern_evaluators = evaluators.pattern_evaluators(release.day(NOW))
    flags = flags_of_events(ledger.read(sqlite_database), NOW, LATER, "perks", pattern_evaluators, ["ann", "bob"])
    evaluators.close()
    assert {person: values.get("watch.missed_thrice") for person, values in flags.items()} == {
        "ann": True,
        "bob": False,
    }


def test_a_text_that_has_a_column_of_its_own_goes_with_the_erased_person_too(
    sqlite_database: Engine, tmp_path: Path
) -> None:
    release = load_folder(write_rental_rules(tmp_path / "booking-rules", SERVICE_KIND))
    vocabulary = vocabulary_of(release.evidence)
    row = {"contributor": "shop", "event_id": "b1", "kind": "rental.booked", "subject": "ann", "other": "bob"}
    correction = {
        "contributor": "shop",
        "event_id": "c1",
        "kind": "event.corrected",
        "subject": "ann",
        "ref_event": "b1",
    }
    rows = [
        row | {"service": "room of ann's aunt", "days_late": 3, "happened_at": NOW},
        correction | {"fields": '{"service": "suite of an uncle", "days_late": 4}', "happened_at": NOW},
    ]
    ledger.append(sqlite_database, story(enrol("ann", "bob")), NOW)
    assert ledger.append(sqlite_database, pl.DataFrame(rows), NOW, vocabulary=vocabulary).accepted == 2
    erasure.erase(sqlite_database, "ann", NOW, vocabulary)
    assert "aunt" not in contents(sqlite_database)
    assert "uncle" not in contents(sqlite_database)
    remaining = ledger.read(sqlite_database).filter(pl.col("event_id") == "b1").row(0, named=True)
    assert (remaining["other"], remaining["days_late"]) == ("bob", 3)
