"""Corrections at the door: what would make its event impossible is refused with the reason, whatever stands beside it."""

from itertools import permutations
from pathlib import Path

import polars as pl
import pytest

from api.evidence import ledger
from api.evidence.load import load_file
from graph.evidence.versions import contradictions, versions
from tests.api.evidence.contributor.contributor_client import (
    NOW,
    ContributorClient,
    ndjson,
    payment,
    reference_event,
    results,
)


def tie(event_id: str = "t1", **changes: object) -> dict[str, object]:
    common = {"event_id": event_id, "kind": "tie.formed", "subject": "ann", "other": "bob", "tie": "friend"}
    return common | {"happened_at": "2024-03-01T09:30:00Z", "strength": 5} | changes


def correction(event_id: str, ref: str, **fields: object) -> dict[str, object]:
    return reference_event("event.corrected", event_id, ref, fields=fields)


IMPOSSIBLE = [
    (tie(), {"other": "ann"}, "`other` is the subject too"),
    (tie(), {"strength": -3}, "`strength` is negative"),
    (tie(strength=None), {"tie": "vouch"}, "`strength` is missing"),
    (tie(tie="vouch", strength=-3), {"tie": "friend"}, "`strength` is negative"),
    (payment("t1"), {"other": "ann"}, "`other` is the subject too"),
    (payment("t1"), {"amount": -1}, "`amount` is negative"),
]


@pytest.mark.parametrize(("event", "fields", "reason"), IMPOSSIBLE)
def test_a_correction_that_makes_its_event_invalid_is_refused_with_the_reason(
    shared_client: ContributorClient, event, fields, reason
) -> None:
    party = f"bank-{IMPOSSIBLE.index((event, fields, reason))}"
    assert results(shared_client.send(event, party=party)) == ["accepted"]
    report = shared_client.send(correction("c1", "t1", **fields), party=party)
    assert results(report) == ["refused"]
    assert f"the correction makes its event impossible: {reason}" in report["rows"][0]["reason"]
    second_report = shared_client.send(correction("c2", "t2", **fields), event | {"event_id": "t2"}, party=party)
    assert results(second_report) == ["refused", "accepted"]


def test_earlier_corrections_count_and_retracted_ones_do_not(client: ContributorClient) -> None:
    client.send(tie(tie="vouch", strength=-3), correction("c1", "t1", strength=4))
    assert results(client.send(correction("c2", "t1", tie="friend"))) == ["accepted"]
    client.send(tie("t2", tie="vouch", strength=-3), correction("c3", "t2", strength=4))
    client.send(reference_event("event.retracted", "r1", "c3"))
    assert results(client.send(correction("c4", "t2", tie="friend"))) == ["refused"]
    assert results(client.send(correction("c5", "t2", tie="friend", strength=2))) == ["accepted"]


def test_a_correction_is_checked_with_the_accepted_ones_before_it_in_the_batch(
    client: ContributorClient,
) -> None:
    client.send(tie())
    report = client.send(
        correction("a", "t1", tie="vouch"),
        correction("b", "t1", strength=-3),
        correction("c", "t1", tie="friend"),
        correction("d", "t1", strength=2),
    )
    assert results(report) == ["accepted", "accepted", "refused", "accepted"]


def retraction(event_id: str, ref: str) -> dict[str, object]:
    return reference_event("event.retracted", event_id, ref)


def test_a_retraction_that_makes_an_event_invalid_is_refused_with_the_reason(client: ContributorClient) -> None:
    client.send(tie(tie="vouch", strength=-3), correction("c1", "t1", strength=4), correction("c2", "t1", tie="friend"))
    report = client.send(retraction("r1", "c1"))
    assert results(report) == ["refused"]
    assert "the retraction makes its event impossible: `strength` is negative" in report["rows"][0]["reason"]
    assert results(client.send(retraction("r2", "c2"), retraction("r1", "c1"))) == ["accepted", "accepted"]
    assert results(client.send(retraction("r2", "c2"))) == ["duplicate"]


def test_an_event_with_any_corrections_can_be_retracted(client: ContributorClient) -> None:
    client.send(tie(tie="vouch", strength=-3), correction("c1", "t1", strength=4), correction("c2", "t1", tie="friend"))
    assert results(client.send(retraction("r1", "t1"), retraction("r2", "c1"))) == ["accepted", "accepted"]


def test_retractions_in_one_batch_are_checked_in_row_order(client: ContributorClient) -> None:
    client.send(tie(tie="vouch", strength=-3), correction("c1", "t1", strength=4))
    assert results(client.send(retraction("r1", "c1"), correction("c2", "t1", tie="friend"))) == ["accepted", "refused"]
    client.send(correction("c3", "t1", strength=4), correction("c4", "t1", tie="friend"))
    report = client.send(correction("c5", "t1", strength=2), retraction("r3", "c3"))
    assert results(report) == ["accepted", "accepted"]
    assert results(client.send(retraction("r5", "c5"), correction("c6", "t1", strength=1))) == ["refused", "accepted"]
    second_report = client.send(
        tie("t2"),
        correction("a", "t2", strength=6),
        retraction("b", "a"),
        retraction("d", "e"),
        correction("e", "t2", strength=-1),
    )
    assert results(second_report) == ["accepted"] * 5


def test_a_repeated_correction_is_a_duplicate_despite_later_ones(client: ContributorClient) -> None:
    client.send(
        tie(tie="vouch", strength=5),
        correction("c1", "t1", strength=-3),
        correction("c2", "t1", strength=3),
        correction("c3", "t1", tie="friend"),
    )
    assert results(client.send(correction("c1", "t1", strength=-3))) == ["duplicate"]


def test_a_correction_of_an_unknown_or_foreign_event_is_accepted(client: ContributorClient) -> None:
    client.send(tie())
    assert results(client.send(correction("c1", "t1", other="ann"), party="club")) == ["accepted"]
    assert results(client.send(correction("c2", "later", other="ann"))) == ["accepted"]


@pytest.mark.parametrize(("event", "fields", "reason"), IMPOSSIBLE)
def test_an_event_that_a_correction_before_it_makes_impossible_is_refused_and_says_why(
    shared_client: ContributorClient, event, fields, reason
) -> None:
    party = f"club-{IMPOSSIBLE.index((event, fields, reason))}"
    assert results(shared_client.send(correction("c1", "t1", **fields), party=party)) == ["accepted"]
    report = shared_client.send(event | {"event_id": "t2"}, event, party=party)
    assert results(report) == ["accepted", "refused"]
    expected_reason = f"a correction recorded before makes the event impossible: {reason}"
    assert expected_reason in report["rows"][1]["reason"]
    submission = shared_client.get(f"submissions/{report['id']}", party=party).json()
    assert expected_reason in submission["problems"][0]["reason"]
    assert shared_client.get("t1", party=party).status_code == 404
    assert results(shared_client.send(event, party=party, query="?all_or_nothing=true")) == ["refused"]


def test_an_event_comes_in_once_the_correction_before_it_is_taken_back_or_put_right(client: ContributorClient) -> None:
    client.send(*(correction(f"c{n}", f"t{n}", other="ann") for n in range(6)))
    assert results(client.send(*(tie(f"t{n}") for n in range(6)))) == ["refused"] * 6
    client.send(retraction("r0", "c0"), correction("d1", "t1", other="cy"), retraction("r2", "t2"))
    assert results(client.send(*(tie(f"t{n}") for n in range(4)))) == ["accepted", "accepted", "accepted", "refused"]
    report = client.send(tie("t3"), correction("d3", "t3", other="cy"), tie("t4"), correction("d4", "t4", strength=4))
    assert results(report) == ["accepted", "accepted", "refused", "refused"]
    assert results(client.send(tie("t4"), retraction("r4", "c4"))) == ["accepted", "accepted"]
    assert results(client.send(tie("t1"), tie("t3"), tie("t4"))) == ["duplicate"] * 3


def test_of_two_events_of_one_id_the_first_is_judged(client: ContributorClient) -> None:
    client.send(correction("c1", "t1", strength=-3), correction("c2", "t2", strength=-3))
    vouch = {"tie": "vouch", "strength": 8}
    assert results(client.send(tie("t1", **vouch), tie("t1"))) == ["accepted", "refused"]
    assert results(client.send(tie("t2"), tie("t2", **vouch))) == ["refused", "refused"]


def test_a_correction_of_another_contributor_or_kind_of_statement_refuses_no_event(client: ContributorClient) -> None:
    client.send(correction("c1", "t1", other="ann"), party="club")
    client.send(reference_event("event.retracted", "r1", "t2"), correction("c3", "t3", strength=4))
    assert results(client.send(tie("t1"), tie("t2"), tie("t3"))) == ["accepted"] * 3


SENDINGS = (
    tie("e"),
    correction("bad", "e", other="ann"),
    correction("good", "e", other="cy"),
    reference_event("event.retracted", "r-bad", "bad"),
)


def test_in_no_order_of_sending_does_an_event_leave_the_view_without_a_word(shared_client: ContributorClient) -> None:
    """A recorded event is possible; an event that is not recorded was refused with its reason."""
    for number, order in enumerate(permutations(SENDINGS)):
        party = f"order-{number}"
        reports = {str(row["event_id"]): shared_client.send(row, party=party)["rows"][0] for row in order}
        events = ledger.read(shared_client.database).filter(pl.col("contributor") == party)
        rows = events.rows(named=True)
        for event in (row for row in rows if row["kind"] == "tie.formed"):
            assert list(contradictions(versions(event, rows)[-1].row)) == [], order
        absent = {name for name, row in reports.items() if row["result"] == "refused"}
        assert absent == set(reports) - set(events["event_id"])
        assert all("impossible" in reports[name]["reason"] for name in absent)


def test_a_file_gets_the_same_check(client: ContributorClient, tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    rows = [
        r | {"contributor": "bank"}
        for r in (tie(), correction("c1", "t1", other="ann"), correction("c2", "t1", other="cy"))
    ]
    path.write_bytes(ndjson(*rows))
    report = load_file(client.database, path, now=lambda: NOW)
    assert ledger.read(client.database)["event_id"].to_list() == ["t1", "c2"]
    assert report.rejects_path is not None
    assert "makes its event impossible" in report.rejects_path.read_text()
    path.write_bytes(ndjson(*({**row, "contributor": "club"} for row in (correction("c1", "t1", other="ann"), tie()))))
    report = load_file(client.database, path, now=lambda: NOW, batch_rows=1)
    assert (report.accepted, report.refused) == (1, 1)
    assert report.rejects_path is not None
    assert "a correction recorded before makes the event impossible" in report.rejects_path.read_text()
