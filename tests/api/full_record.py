"""A person with every kind of data, and a search for remains of it after an erasure."""

import json
import sqlite3
import subprocess
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Engine, insert, select
from sqlmodel import SQLModel

from api.access import tokens
from api.consent import consents
from api.consent.consents import Consent, ConsentTerms
from api.decisions.eligibility import answer_question
from api.decisions.question import EligibilityQuestion
from api.merchants.services import Terms, sign_up
from api.orders import orders
from api.runtime.context import AppContext
from api.runtime.scoring import score_everyone
from api.store.clock import micros
from api.store.database import reading, writing
from api.store.tables import DISPUTES, LOOKS, MESSAGES, MONITORED_ATTRIBUTES, ORDER_MOVES, ORDERS, REVIEWS, SUBMISSIONS
from tests.api.refresh_town import append_events
from tests.api.town import NOW, build_features
from tests.graph.story import enrol, story

ZEB = "zebulon-quill"
PERSONAL_TEXTS = (
    ZEB,
    "kingfisher-statement",
    "kingfisher-order",
    "kingfisher-loan",
    "kingfisher-order-text",
    "kingfisher-why",
)
MARKERS = {ZEB: "kingfisher", "ann": "heron"}
PERKS = ("power_bank", "bicycle")
LATER = NOW + timedelta(hours=1)
LIFE_EVENTS = f"""
{enrol(ZEB, "ann", "bob", "cy")}
2020-01-01 tie.formed {ZEB} > ann #t-zeb-ann tie=friend strength=5
2020-01-02 tie.formed ann > {ZEB} #t-ann-zeb tie=vouch strength=8
2020-01-02 tie.formed bob > {ZEB} #t-bob-zeb tie=family strength=3
2020-01-02 tie.formed bob > ann #t-bob-ann tie=friend strength=3
2020-02-01 tie.formed ann > cy #t-ann-cy tie=friend strength=3
2020-02-02 event.corrected ann #fix-tie ref_event=t-ann-cy fields={{"other":"{ZEB}"}}
2025-03-01 payment.made {ZEB} > ann #pay-{ZEB}-1 amount=500 currency=CNY category=transfer
2025-04-01 payment.made ann > {ZEB} #p2 amount=700 currency=CNY category=transfer
2025-05-01 payment.made ann > {ZEB} #p3 amount=900 currency=CNY category=transfer
2025-05-02 event.corrected ann #fix-p3 ref_event=p3 fields={{"amount":950}}
2025-05-03 payment.made bob > {ZEB} #pay-{ZEB}-4 amount=40 currency=CNY category=transfer
2025-05-04 dispute.opened bob #bob-says ref_event=pay-{ZEB}-4 statement=not-{ZEB}'s
2025-05-05 payment.made bob > cy #p5 amount=60 currency=CNY category=transfer
2025-05-06 event.corrected bob #fix-p5 ref_event=p5 fields={{"other":"{ZEB}"}}
2025-05-07 payment.made {ZEB} > ann #p6 amount=33 currency=CNY category=transfer
2025-05-08 dispute.opened {ZEB} @iftah #zeb-says ref_contributor=bank ref_event=p6 statement=kingfisher-statement
2025-06-01 payment.made {ZEB} > shop #p7 amount=80 currency=CNY category=groceries
2025-06-02 payment.made {ZEB} > shop #p8 amount=80 currency=CNY category=groceries
2025-06-03 payment.made shop > {ZEB} #w1 amount=90000 currency=CNY category=wage
2025-06-01 obligation.opened {ZEB} #o1 obligation=kingfisher-loan
2025-07-01 obligation.paid {ZEB} #o2 obligation=kingfisher-loan
2025-07-02 order.settled {ZEB} @iftah #o3 order=kingfisher-order days_late=0
"""


def seed_full_record(context: AppContext) -> None:
    """The person in a small population, with two of every kind of data. Ann has two of each, too."""
    database, events = context.database, story(LIFE_EVENTS)
    assert append_events(database, events, NOW) == events.height
    _sign_up_services(database)
    for person in MARKERS:
        _request_consents(database, person)
    score_everyone(context, build_features(database, NOW, "perks", NOW))
    for n, (person, marker) in enumerate(MARKERS.items()):
        questions = [EligibilityQuestion("inn", f"t-{n}-{p}", person, p, 99, "CNY", LATER) for p in PERKS]
        results = [answer_question(context, question) for question in questions]
        for result in results:
            _insert_records(database, person, marker, result.id)
        tokens.issue(database, "subject", person, person, NOW)
        tokens.issue(database, "subject", person, f"phone of {person}", NOW)
    _insert_dispute(database)


def _sign_up_services(database: Engine) -> None:
    for merchant, service, allowed in (("inn", "rooms", ("ann", ZEB)), ("inn", "suites", ("ann", "bob"))):
        sign_up(database, merchant, service, Terms("hotel", allowed=allowed), NOW)
    sign_up(database, "lodge", "rooms", Terms("hotel", allowed=("bob", ZEB)), NOW)


def _request_consents(database: Engine, person: str) -> None:
    """One request that is granted and one that waits."""
    classes = ("identity",)
    granted, _ = (
        consents.request_consent(database, ConsentTerms("inn", s, person, "perks", classes), NOW)
        for s in ("rooms", "suites")
    )
    consents.grant(database, granted.id, Consent(person, "perks", classes), NOW)


def _insert_dispute(database: Engine) -> None:
    """Bob disputes a payment to the person; the event's id and bob's statement name them."""
    at = micros(LATER)
    row = {"id": "of-bob", "subject": "bob", "contributor": "bank", "event_id": f"pay-{ZEB}-4"}
    with writing(database) as connection:
        connection.execute(insert(DISPUTES).values(**row, statement=f"not {ZEB}", opened_at=at, due_at=at))


def _insert_records(database: Engine, person: str, marker: str, decision: str) -> None:
    """The stored data about a person and a decision, with texts of their own."""
    at, name = micros(LATER), decision[:8]
    content = {
        "service_introduction": f"{marker}-order-text for {person}",
        "risk_fund": {"name": "DEPOSIT", "amount": 99},
    }
    order = {
        **{"id": name, "merchant": "inn", "out_order_no": name, "service": "rooms", "service_version": 1},
        **{"decision": decision, "subject": person, "perk": "hotel", "currency": "CNY", "mode": "waive_first"},
        **{"waived": 99, "state": "settled", "created_at": at, "changed_at": at, "closed_at": at, "disputed": False},
        **{"content": json.dumps(content), "digest": orders.digest("create", content)},
    }
    moves = [
        {
            "order": name,
            "action": action,
            "digest": orders.digest(action, content),
            "before": "a",
            "after": "b",
            "at": at,
        }
        for action in ("create", "pay")
    ]
    dispute = {"by": "person", "statement": f"{marker}-order-text"}
    body = {"type": "order.disputed", "data": {"order_id": name, "state": "settled", "dispute": dispute}}
    message = {
        **{"id": f"msg-{name}", "merchant": "inn", "order": name, "event": "order.disputed"},
        **{"url": "https://inn.example", "body": json.dumps(body), "created_at": at, "next_at": at},
        **{"attempts": 1, "state": "sent", "sent_at": at},
    }
    keys = {"id": name, "subject": person}
    review = {"decision": decision, "statement": f"{marker}-why", "asked_at": at, "due_at": at}
    dispute_row = {"contributor": "bank", "event_id": f"pay-{person}-1", "opened_at": at, "due_at": at}
    counts = {"rows": 1, "accepted": 0, "duplicates": 0, "refused": 1}
    problems = json.dumps([{"row": 0, "event_id": f"pay-{person}-9", "reason": "`amount` is missing"}])
    submission = {"id": name, "contributor": "bank", "received_at": at, **counts, "problems": problems}
    look = {
        **{"id": name, "person": person, "role": "operator", "party": "lee", "kind": "review"},
        **{"purpose": f"{marker}-why", "part": "decision", "decision": decision, "at": at, "until": at},
    }
    monitored = {"person": person, "attribute": f"group_{name}", "value": f"{marker}-why"}
    with writing(database) as connection:
        connection.execute(insert(ORDERS).values(order))
        connection.execute(insert(ORDER_MOVES), moves)
        connection.execute(insert(MESSAGES).values(message))
        connection.execute(insert(REVIEWS).values(**keys, **review))
        connection.execute(insert(DISPUTES).values(**keys, **dispute_row, statement=f"{marker}-why"))
        connection.execute(insert(MONITORED_ATTRIBUTES).values(monitored))
        connection.execute(insert(SUBMISSIONS).values(submission))
        connection.execute(insert(LOOKS).values(look))


def count_rows_with(database: Engine, text: str) -> dict[str, int]:
    """The number of rows by table that have the text in some column."""
    with reading(database) as connection:
        tables = SQLModel.metadata.sorted_tables
        rows = {t.name: [str(list(row)) for row in connection.execute(select(t))] for t in tables}
    counts = {name: sum(text in row for row in row_texts) for name, row_texts in rows.items()}
    return {name: count for name, count in counts.items() if count}


def remaining_texts(database: Engine, *texts: str) -> dict[str, list[str]]:
    """The texts that are still in the database: in its files and its dump."""
    remaining: dict[str, list[str]] = {}
    for place, data in _database_contents(database).items():
        if hits := [text for text in texts if text.encode() in data]:
            remaining[place] = hits
    return remaining


def _database_contents(database: Engine) -> dict[str, bytes]:
    if database.dialect.name == "postgresql":
        url = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
        return {"pg_dump": subprocess.run(["pg_dump", url], capture_output=True, timeout=240, check=True).stdout}
    path = Path(str(database.url.database))
    files = {p.name: p.read_bytes() for p in path.parent.glob(f"{path.name}*")}
    with sqlite3.connect(path) as connection:
        dump = "\n".join(connection.iterdump()).encode()
    return {**files, "dump": dump}
