"""Corrections at the door: what would make its event impossible is refused with the reason, whatever stands beside it."""

from pathlib import Path

import pytest

from api.evidence import ledger
from api.evidence.load import load_file
from tests.api.contributor.door import NOW, Door, about, lines, payment, results


def tie(event_id: str = "t1", **changes: object) -> dict[str, object]:
    common = {"event_id": event_id, "kind": "tie.formed", "subject": "ann", "other": "bob", "tie": "friend"}
    return common | {"happened_at": "2024-03-01T09:30:00Z", "strength": 5} | changes


def fix(event_id: str, ref: str, **fields: object) -> dict[str, object]:
    return about("event.corrected", event_id, ref, fields=fields)


IMPOSSIBLE = [
    (tie(), {"other": "ann"}, "`other` is the subject too"),
    (tie(), {"strength": -3}, "`strength` is negative"),
    (tie(strength=None), {"tie": "vouch"}, "`strength` is missing"),
    (tie(tie="vouch", strength=-3), {"tie": "friend"}, "`strength` is negative"),
    (payment("t1"), {"other": "ann"}, "`other` is the subject too"),
    (payment("t1"), {"amount": -1}, "`amount` is negative"),
]


@pytest.mark.parametrize(("event", "fields", "reason"), IMPOSSIBLE)
def test_a_correction_that_makes_its_event_impossible_is_refused_and_says_why(
    used: Door, event, fields, reason
) -> None:
    party = f"bank-{IMPOSSIBLE.index((event, fields, reason))}"
    assert results(used.send(event, party=party)) == ["accepted"]
    found = used.send(fix("c1", "t1", **fields), party=party)
    assert results(found) == ["refused"]
    assert f"the correction makes its event impossible: {reason}" in found["rows"][0]["reason"]
    beside = used.send(fix("c2", "t2", **fields), event | {"event_id": "t2"}, party=party)
    assert results(beside) == ["refused", "accepted"]


def test_what_stands_already_is_looked_at_and_what_was_taken_back_is_not(door: Door) -> None:
    door.send(tie(tie="vouch", strength=-3), fix("c1", "t1", strength=4))
    assert results(door.send(fix("c2", "t1", tie="friend"))) == ["accepted"]
    door.send(tie("t2", tie="vouch", strength=-3), fix("c3", "t2", strength=4))
    door.send(about("event.retracted", "r1", "c3"))
    assert results(door.send(fix("c4", "t2", tie="friend"))) == ["refused"]
    assert results(door.send(fix("c5", "t2", tie="friend", strength=2))) == ["accepted"]


def test_of_two_in_one_batch_the_second_is_judged_with_the_first_unless_that_was_refused(door: Door) -> None:
    door.send(tie())
    found = door.send(
        fix("a", "t1", tie="vouch"),
        fix("b", "t1", strength=-3),
        fix("c", "t1", tie="friend"),
        fix("d", "t1", strength=2),
    )
    assert results(found) == ["accepted", "accepted", "refused", "accepted"]


def taken_back(event_id: str, ref: str) -> dict[str, object]:
    return about("event.retracted", event_id, ref)


def test_a_retraction_that_makes_an_event_impossible_is_refused_and_says_why(door: Door) -> None:
    door.send(tie(tie="vouch", strength=-3), fix("c1", "t1", strength=4), fix("c2", "t1", tie="friend"))
    found = door.send(taken_back("r1", "c1"))
    assert results(found) == ["refused"]
    assert "the retraction makes its event impossible: `strength` is negative" in found["rows"][0]["reason"]
    assert results(door.send(taken_back("r2", "c2"), taken_back("r1", "c1"))) == ["accepted", "accepted"]
    assert results(door.send(taken_back("r2", "c2"))) == ["duplicate"]


def test_an_event_may_be_taken_back_whatever_its_corrections(door: Door) -> None:
    door.send(tie(tie="vouch", strength=-3), fix("c1", "t1", strength=4), fix("c2", "t1", tie="friend"))
    assert results(door.send(taken_back("r1", "t1"), taken_back("r2", "c1"))) == ["accepted", "accepted"]


def test_retractions_of_the_same_batch_are_looked_at_in_the_order_of_the_rows(door: Door) -> None:
    door.send(tie(tie="vouch", strength=-3), fix("c1", "t1", strength=4))
    assert results(door.send(taken_back("r1", "c1"), fix("c2", "t1", tie="friend"))) == ["accepted", "refused"]
    door.send(fix("c3", "t1", strength=4), fix("c4", "t1", tie="friend"))
    mended = door.send(fix("c5", "t1", strength=2), taken_back("r3", "c3"))
    assert results(mended) == ["accepted", "accepted"]
    assert results(door.send(taken_back("r5", "c5"), fix("c6", "t1", strength=1))) == ["refused", "accepted"]
    inside = door.send(
        tie("t2"), fix("a", "t2", strength=6), taken_back("b", "a"), taken_back("d", "e"), fix("e", "t2", strength=-1)
    )
    assert results(inside) == ["accepted"] * 5


def test_sent_again_a_correction_is_a_duplicate_whatever_came_since(door: Door) -> None:
    door.send(
        tie(tie="vouch", strength=5),
        fix("c1", "t1", strength=-3),
        fix("c2", "t1", strength=3),
        fix("c3", "t1", tie="friend"),
    )
    assert results(door.send(fix("c1", "t1", strength=-3))) == ["duplicate"]


def test_a_correction_of_what_is_not_there_yet_or_is_another_contributors_is_let_in(door: Door) -> None:
    door.send(tie())
    assert results(door.send(fix("c1", "t1", other="ann"), party="club")) == ["accepted"]
    assert results(door.send(fix("c2", "later", other="ann"))) == ["accepted"]


def test_a_file_meets_the_same_check(door: Door, tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    rows = [r | {"contributor": "bank"} for r in (tie(), fix("c1", "t1", other="ann"), fix("c2", "t1", other="cy"))]
    path.write_bytes(lines(*rows))
    report = load_file(door.engine, path, now=lambda: NOW)
    assert ledger.read(door.engine)["event_id"].to_list() == ["t1", "c2"]
    assert report.rejects_path is not None
    assert "makes its event impossible" in report.rejects_path.read_text()
