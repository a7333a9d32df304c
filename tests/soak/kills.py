"""Test that a killed server loses nothing: `python -m tests.soak.kills [kills]`, fifty by default; about six minutes per database.

Merchants ask, create orders and move them, a contributor sends events, and the server sends callbacks, while we send it SIGKILL at
random moments, again and again. Afterwards every answered request must be recorded, no order may have two states, no limit may be
exceeded, each change must have its callback at least once, and the chain of decisions must be whole. The exit status is 1 otherwise.
"""

import http.client
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Event
from typing import Any, Final

import polars as pl
from rich.console import Console
from rich.table import Table
from sqlalchemy import text

from api.access import tokens
from api.decisions.decisions import GENESIS_HASH, chain_hash, entry
from api.evidence import ledger
from api.features import builds, refresh
from api.jobs import sender
from api.merchants import services
from api.merchants.services import Terms
from api.releases import rules_folder
from api.store import clock
from api.store.clock import iso
from api.store.database import open_database, reading
from engine.decide.evaluators import Evaluators
from tests.api.callback_receiver import Receiver, run_receiver
from tests.api.cap_rules import limit_violations
from tests.api.merchant_client import consent_events
from tests.bench.fresh import RULES, on_postgres, running_server, settle

KILLS: Final = 50
CLIENTS: Final = 6
PEOPLE: Final = 150
SUBJECTS: Final = 6
MAX_LIFE_SECONDS: Final = 2.5  # seconds of a server's life
# Ledger events that report a state of an order.
EVENT_KIND_OF_STATE: Final = {"settled": "order.settled", "cancelled": "order.cancelled"}


@dataclass
class ClientState:
    """The state that the clients share: the server's current address, and their answers."""

    url: str
    tokens: dict[str, str]  # by merchant
    subject_tokens: dict[str, str]  # tokens of the people
    contributor: str  # its token
    port: int = 0
    stop: Event = field(default_factory=Event)
    decisions: list[tuple[str, str, int]] = field(default_factory=list)  # id, outcome, waived
    orders: list[tuple[str, str, str]] = field(default_factory=list)  # merchant, number, state
    events: list[str] = field(default_factory=list)

    def ask(self, method: str, path: str, token: str, body: Any = None) -> dict[str, Any] | None:
        """The answer, or None if the server rejected the request. We repeat the request until there is an answer, as merchants do."""
        while not self.stop.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
            try:
                headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
                connection.request(method, path, None if body is None else json.dumps(body), headers)
                response = connection.getresponse()
                payload: dict[str, Any] = json.loads(response.read())
            except (OSError, http.client.HTTPException, ValueError):
                time.sleep(0.02)
            else:
                if response.status < 500:
                    return payload if response.status in (200, 201) else None
            finally:
                connection.close()
        return None


def prepare(url: str, callback: str) -> ClientState:
    """A town, merchants with a service that sends callbacks to `callback`, and the people who consented to them."""
    settle(url, PEOPLE)
    database, now = open_database(url), clock.now()
    build = builds.latest_build(database)
    assert build
    scores = builds.scores(database, build).drop_nulls("score").sort("score", descending=True)
    people = [str(person) for person in scores["person"].head(SUBJECTS)]
    merchants = [f"inn-{n}" for n in range(CLIENTS)]
    for merchant in merchants:
        services.sign_up(database, merchant, "rooms", Terms("hotel", callback=callback), now)
    ledger.append(database, pl.concat(consent_events(people, m, "rooms", now) for m in merchants), now)
    evaluators, day = Evaluators(rules_folder.load_folder(RULES)), clock.add_days(now, days=1)
    refresh.refresh_all(database, evaluators, clock.now)
    evaluators.close()
    keys = {m: tokens.issue(database, "merchant", m, m, now, day).secret for m in merchants}
    subject_tokens = {person: tokens.issue(database, "subject", person, person, now, day).secret for person in people}
    contributor = tokens.issue(database, "contributor", "bank", "bank", now, day).secret
    database.dispose()
    return ClientState(url, keys, subject_tokens, contributor)


def deal(load: ClientState, merchant: str, seed: int) -> None:
    """One merchant's day. After any error it continues with the next order, and it leaves some orders open."""
    rng, token, number = random.Random(seed), load.tokens[merchant], 0
    while not load.stop.is_set():
        number += 1
        person = rng.choice(list(load.subject_tokens))
        body = {"transaction_id": f"T-{number}", "service": "rooms", "subject": person}
        answer = load.ask("POST", "/v1/eligibility", token, body | {"amount": rng.choice((100, 1_000, 5_000))})
        if answer is None:
            continue
        load.decisions.append((answer["decision_id"], answer["outcome"], answer["waived_amount"]))
        if not answer["waived_amount"]:
            continue
        name = f"O-{number}"
        fund = {"amount": answer["waived_amount"]}
        form = {"out_order_no": name, "service": "rooms", "decision_id": answer["decision_id"], "risk_fund": fund}
        for order in _life(load, name, token, person, form | {"service_introduction": "a room"}, rng):
            load.orders.append((merchant, name, order["state"]))


def _life(
    load: ClientState, name: str, token: str, person: str, form: dict[str, Any], rng: random.Random
) -> Iterator[dict[str, Any]]:
    """Each answer about the order, until we leave it alone."""
    path, at = f"/v1/orders/{name}", iso(clock.now() - timedelta(hours=1))
    completed = {"post_payments": [{"name": "room", "amount": 100}], "time_range": {"start_time": at, "end_time": at}}
    order = load.ask("POST", "/v1/orders", token, form)
    if order is None:
        return
    yield order
    steps: list[tuple[str, str, Any]] = [
        (f"/v1/me/orders/{order['order_id']}/confirm", load.subject_tokens[person], None),
        (f"{path}/complete", token, completed),
        (f"{path}/pay", token, None),
    ]
    if rng.random() < 0.2:
        steps[rng.randrange(2) :] = [(f"{path}/cancel", token, {"cancel_reason": "rain"})]
    for address, caller, body in steps:
        answer = load.ask("POST", address, caller, body)
        if answer is None:
            return
        yield answer


def contribute(load: ClientState) -> None:
    """A contributor, which sends a few events at a time, with `all_or_nothing`."""
    number, person = 0, next(iter(load.subject_tokens))
    while not load.stop.is_set():
        fields = {"kind": "payment.made", "subject": person, "other": "shop", "amount": 100, "currency": "CNY"}
        names = [f"soak-{number + n}" for n in range(3)]
        events = [{**fields, "event_id": name, "happened_at": iso(clock.now())} for name in names]
        answer = load.ask("POST", "/v1/events?all_or_nothing=true", load.contributor, events)
        if answer and answer["accepted"] + answer["duplicates"] == len(names):  # the first attempt may have succeeded
            load.events.extend(names)
        number += len(names)
        time.sleep(0.05)


def serve_and_kill(load: ClientState, kills: int) -> int:
    """Serve and kill this number of times while the clients call. Returns the number of faults in between."""
    rng, database, violations = random.Random(7), open_database(load.url), 0
    with ThreadPoolExecutor(CLIENTS + 1) as threads:
        futures = [threads.submit(deal, load, m, n) for n, m in enumerate(load.tokens)]
        futures.append(threads.submit(contribute, load))
        try:
            for _ in range(kills):
                with running_server(load.url) as (server, load.port):
                    time.sleep(rng.uniform(0.05, MAX_LIFE_SECONDS))
                    os.kill(server, signal.SIGKILL)
                with reading(database) as connection:
                    violations += len(limit_violations(connection, clock.now()))
        finally:
            load.stop.set()
    database.dispose()
    for future in futures:
        future.result()
    return violations


def count_losses(load: ClientState, receiver: Receiver) -> dict[str, int]:
    """The number of faults of each kind, after we have sent the waiting messages."""
    database = open_database(load.url)
    later = clock.now() + timedelta(minutes=2)  # when the leases of killed servers are over
    while sender.send_all(database, later, allow_private=True):
        later += timedelta(minutes=2)
    with reading(database) as connection:
        losses = {
            "limits or states": len(limit_violations(connection, clock.now())),
            "decisions answered and not there": _decisions(connection, load),
            "orders answered and not there": _orders(connection, load),
            "events accepted and not there": _events(connection, load),
            "changes without a message": _untold(connection),
            "messages that never came": _unsent(connection, receiver),
            "outcomes not in the ledger, or twice": _outcomes(connection),
            "links of the chain": _chain(connection),
        }
    database.dispose()
    return losses


def _decisions(connection: Any, load: ClientState) -> int:
    rows = {(r.id, r.outcome, r.waived) for r in connection.execute(text("SELECT id, outcome, waived FROM decisions"))}
    return len(set(load.decisions) - rows)


def _orders(connection: Any, load: ClientState) -> int:
    moves = 'SELECT o.merchant, o.out_order_no, m.after FROM orders o JOIN order_moves m ON m."order" = o.id'
    return len(set(load.orders) - {tuple(row) for row in connection.execute(text(moves))})


def _events(connection: Any, load: ClientState) -> int:
    event_ids = {
        name for (name,) in connection.execute(text("SELECT event_id FROM events WHERE event_id LIKE 'soak-%'"))
    }
    return len(set(load.events) - event_ids)


def _untold(connection: Any) -> int:
    counts = [connection.execute(text(f"SELECT count(*) FROM {t}")).scalar() for t in ("order_moves", "messages")]
    return abs(counts[0] - counts[1])


def _unsent(connection: Any, receiver: Receiver) -> int:
    return len({name for (name,) in connection.execute(text("SELECT id FROM messages"))} - set(receiver.webhook_ids()))


def _outcomes(connection: Any) -> int:
    mismatches = 0
    for state, kind in EVENT_KIND_OF_STATE.items():
        orders = sorted(connection.execute(text("SELECT id FROM orders WHERE state = :s"), {"s": state}).scalars())
        query = text(
            "SELECT \"order\" FROM events WHERE kind = :k AND contributor = 'iftah' AND event_id LIKE 'order-%'"
        )
        orders_with_event = sorted(
            name for name in connection.execute(query, {"k": kind}).scalars() if len(name) == len("0" * 32)
        )
        mismatches += orders != orders_with_event
    return mismatches


def _chain(connection: Any) -> int:
    previous, mismatches = GENESIS_HASH, 0
    for row in connection.execute(text("SELECT * FROM decisions ORDER BY seq")).mappings():
        mismatches += row["previous_hash"] != previous or row["hash"] != chain_hash(previous, entry(row))
        previous = row["hash"]
    return mismatches


def soak(url: str, kills: int) -> tuple[ClientState, int, dict[str, int]]:
    """Run the test on one database."""
    os.environ["IFTAH_ALLOW_PRIVATE_CALLBACKS"] = "true"
    with run_receiver() as receiver:
        load = prepare(url, receiver.url)
        violations = serve_and_kill(load, kills)
        losses = count_losses(load, receiver) | {"wrong in between": violations}
        return load, len(receiver.requests), losses


def main(kills: int = KILLS) -> None:
    """Print the numbers of requests and of losses."""
    table = Table("database", "kills", "decisions", "orders' answers", "events", "callbacks", "lost or wrong")
    failed = False
    with tempfile.TemporaryDirectory() as folder, on_postgres() as postgres:
        urls = {"SQLite": f"sqlite:///{folder}/iftah.db"} | ({"PostgreSQL": postgres} if postgres else {})
        for name, url in urls.items():
            load, callbacks, losses = soak(url, kills)
            counts = (len(load.decisions), len(load.orders), len(load.events), callbacks)
            summary = ", ".join(f"{number} {loss}" for loss, number in losses.items() if number) or "nothing"
            table.add_row(name, f"{kills}", *(f"{count:,}" for count in counts), summary)
            failed |= any(losses.values())
    Console(width=120).print(table)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main(*(int(a) for a in sys.argv[1:2]))
