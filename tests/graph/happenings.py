"""Random ledgers in which what happens concerns what happened: ties close triangles, changes find their items, late or early."""

import json
from datetime import datetime, timedelta
from random import Random

import polars as pl

from graph.vocabulary import CLASSES
from tests.graph.story import story, willing
from tests.strategies import NOW, frame

PEOPLE = ("ann", "bob", "cy", "dan", "eve")
FIRST = ("ann", "bob", "cy", "dan")  # enrolled, and consenting to everything; eve comes when she comes
ALL = ",".join(CLASSES)
Row = dict[str, object]


def before() -> pl.DataFrame:
    """What is known from long ago."""
    return story(willing(*FIRST))


def happenings(chooser: Random, evidence: int = 12, about: int = 9, now: datetime = NOW) -> pl.DataFrame:
    """So many events, and so many about these, in any order."""
    told = [_evidence(chooser, now) for _ in range(evidence)]
    told += [_about(chooser, evidence, evidence + about) for _ in range(about)]
    rows = [_whole(chooser, row, number, now) for number, row in enumerate(told)]
    chooser.shuffle(rows)
    return frame(rows)


def _whole(chooser: Random, row: Row, number: int, now: datetime) -> Row:
    at = (
        now
        - timedelta(days=chooser.choice([0, 1, 1, 2, 40, 400, 1900]))
        + timedelta(hours=chooser.choice([0, 0, 0, 12]))
    )
    usual = {"contributor": "bank", "event_id": f"e{number}", "subject": chooser.choice(PEOPLE), "happened_at": at}
    return usual | {"recorded_at": at} | row


def _evidence(chooser: Random, now: datetime) -> Row:
    subject, other = chooser.sample(PEOPLE, 2)
    classes = chooser.choice([ALL, "identity", "relationship", "behaviour", "identity,behaviour"])
    kinds: list[tuple[int, Row]] = [
        (7, {"kind": "tie.formed", "other": other, "tie": "friend"}),
        (1, {"kind": "tie.formed", "other": other, "tie": "vouch", "strength": 3}),
        (1, {"kind": "tie.ended", "other": other, "tie": "friend"}),
        (1, {"kind": "tie.formed", "other": other, "tie": "friend", "strength": 2, "contributor": "club"}),
        (1, {"kind": "tie.ended", "other": other, "tie": "friend", "contributor": "club"}),
        (6, {"kind": "payment.made", "other": chooser.choice([other, other, "shop"]), "amount": 5, "currency": "CNY"}),
        (1, {"kind": "obligation.missed", "obligation": chooser.choice(["loan", "bill"]), **_due(chooser, now)}),
        (1, {"kind": "obligation.paid", "obligation": chooser.choice(["loan", "bill"]), **_due(chooser, now)}),
        (1, {"kind": "order.settled", **_order(chooser), "days_late": chooser.choice([0, 0, 3])}),
        (1, {"kind": "order.overdue", **_order(chooser), "days_late": 0}),
        (1, {"kind": "account.balance", "amount": chooser.choice([-5, 500]), "currency": "CNY"}),
        (1, {"kind": "obligation.opened", "obligation": chooser.choice(["loan", "bill"])}),
        (1, {"kind": chooser.choice(["obligation.settled", "obligation.written_off"]), "obligation": "loan"}),
        (2, {"kind": "person.enrolled", "identity_level": 2}),
        (2, {"kind": "consent.granted", "purpose": "perks", "classes": classes}),
        (1, {"kind": "consent.granted", "purpose": "perks", "classes": classes, "until": now + timedelta(hours=30)}),
        (2, {"kind": "consent.withdrawn", "purpose": "perks", "classes": chooser.choice([classes, None])}),
    ]
    return {"subject": subject} | chooser.choices([row for _, row in kinds], [weight for weight, _ in kinds])[0]


def _due(chooser: Random, now: datetime) -> Row:
    """What banks say of an instalment."""
    return {"amount": 7, "currency": "CNY", "due": (now - timedelta(days=chooser.choice([1, 31]))).date()}


def _order(chooser: Random) -> Row:
    """What we say of our own orders."""
    said = {
        "contributor": "iftah",
        "order": chooser.choice(["o1", "o2"]),
        "service": chooser.choice(["inn/room", "shop/bike"]),
    }
    return {**said, "amount": 40, "currency": "CNY"}


def _about(chooser: Random, evidence: int, every: int) -> Row:
    """About evidence, or sometimes about what is said of it; the ids of both are known beforehand."""
    item = f"e{chooser.randrange(evidence)}"
    behind = f"e{chooser.randrange(evidence, every)}"
    fields: Row = chooser.choice(
        [{"other": chooser.choice(PEOPLE)}] * 4 + [{"happened_at": "2024-02-27T00:00:00Z"}, {"amount": 9}]
    )
    kinds: list[Row] = [
        {"kind": "event.corrected", "ref_event": item, "fields": json.dumps(fields)},
        {"kind": "event.corrected", "ref_event": item, "fields": json.dumps(fields)},
        {"kind": "event.corrected", "ref_event": item, "fields": json.dumps(fields)},
        {"kind": "event.retracted", "ref_event": item},
        {"kind": "event.retracted", "ref_event": behind},
        {"kind": "event.retracted", "ref_event": behind},
        {"kind": "dispute.opened", "ref_event": item},
        {"kind": "dispute.resolved", "ref_event": item, "outcome": chooser.choice(["rejected", "upheld"])},
    ]
    return chooser.choice(kinds)
