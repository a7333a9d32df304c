"""Generate random ledgers whose events refer to each other: ties close triangles, and corrections find their events,
late or early.
"""

import json
from datetime import datetime, timedelta
from random import Random

import polars as pl

from graph.evidence.vocabulary import CLASSES
from tests.graph.story import enrol, story
from tests.strategies import NOW, frame

PEOPLE = ("ann", "bob", "cy", "dan", "eve")
ENROLLED_PEOPLE = ("ann", "bob", "cy", "dan")  # enrolled, and consenting to everything; eve comes when she comes
ALL_CLASSES = ",".join(CLASSES)
Row = dict[str, object]


def initial_events() -> pl.DataFrame:
    """Return the events from long ago."""
    return story(enrol(*ENROLLED_PEOPLE))


def random_events(
    chooser: Random, evidence: int = 12, about: int = 9, now: datetime = NOW, links: int = 0
) -> pl.DataFrame:
    """So many events, and so many about these, in any order. `links`: how often two ids are linked, beside the other kinds."""
    drafts = [_evidence(chooser, now, links) for _ in range(evidence)]
    drafts += [_statement(chooser, evidence, evidence + about) for _ in range(about)]
    rows = [_complete(chooser, row, number, now) for number, row in enumerate(drafts)]
    chooser.shuffle(rows)
    return frame(rows)


def _complete(chooser: Random, row: Row, number: int, now: datetime) -> Row:
    at = (
        now
        - timedelta(days=chooser.choice([0, 1, 1, 2, 40, 400, 1900]))
        + timedelta(hours=chooser.choice([0, 0, 0, 12]))
    )
    defaults = {"contributor": "bank", "event_id": f"e{number}", "subject": chooser.choice(PEOPLE), "happened_at": at}
    return defaults | {"recorded_at": at} | row


def _evidence(chooser: Random, now: datetime, links: int) -> Row:
    subject, other = chooser.sample(PEOPLE, 2)
    classes = chooser.choice([ALL_CLASSES, "identity", "relationship", "behaviour", "identity,behaviour"])
    kinds: list[tuple[int, Row]] = [
        *([(links, {"kind": "person.same_as", "other": other})] if links else []),
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
    """Draw a bank's report of an instalment."""
    return {"amount": 7, "currency": "CNY", "due": (now - timedelta(days=chooser.choice([1, 31]))).date()}


def _order(chooser: Random) -> Row:
    """Draw an event of our own orders."""
    order = {
        "contributor": "iftah",
        "order": chooser.choice(["o1", "o2"]),
        "service": chooser.choice(["inn/room", "shop/bike"]),
    }
    return {**order, "amount": 40, "currency": "CNY"}


def _statement(chooser: Random, evidence: int, total: int) -> Row:
    """Draw a statement about evidence, or sometimes about another statement; we know the ids of both beforehand."""
    item = f"e{chooser.randrange(evidence)}"
    statement_id = f"e{chooser.randrange(evidence, total)}"
    fields: Row = chooser.choice(
        [{"other": chooser.choice(PEOPLE)}] * 4 + [{"happened_at": "2024-02-27T00:00:00Z"}, {"amount": 9}]
    )
    kinds: list[Row] = [
        {"kind": "event.corrected", "ref_event": item, "fields": json.dumps(fields)},
        {"kind": "event.corrected", "ref_event": item, "fields": json.dumps(fields)},
        {"kind": "event.corrected", "ref_event": item, "fields": json.dumps(fields)},
        {"kind": "event.retracted", "ref_event": item},
        {"kind": "event.retracted", "ref_event": statement_id},
        {"kind": "event.retracted", "ref_event": statement_id},
        {"kind": "dispute.opened", "ref_event": item},
        {"kind": "dispute.resolved", "ref_event": item, "outcome": chooser.choice(["rejected", "upheld"])},
    ]
    return chooser.choice(kinds)
