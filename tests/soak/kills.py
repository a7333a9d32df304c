"""Whether anything is lost when a server is killed: `python -m tests.soak.kills [kills]`, fifty unless given; about six minutes
for each database.

Merchants ask, make orders and move them, a contributor sends events, and callbacks go out, while the server gets SIGKILL at a
random moment, again and again. Then everything that was answered must be there; no order in two states; no limit passed; each
change told by its callback, at least once; the chain of decisions whole. Ends with 1 when something is not so.
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

from api import clock, services
from api.access import tokens
from api.background import sender
from api.clock import iso
from api.database import open_database, reading
from api.decisions.decisions import FIRST, chained, entry
from api.evidence import ledger
from api.features import builds, refresh
from api.releases import rules_folder
from api.services import Terms
from engine.engines import Engines
from tests.api.door import consents
from tests.api.exposure import broken
from tests.api.receiver import Receiver, receiving
from tests.bench.fresh import RULES, on_postgres, served, settle

KILLS: Final = 50
CLIENTS: Final = 6
PEOPLE: Final = 150
SUBJECTS: Final = 6
LONGEST: Final = 2.5  # seconds that a server lives
# Events of the ledger that a state of an order is told by.
TOLD: Final = {"settled": "order.settled", "cancelled": "order.cancelled"}


@dataclass
class Load:
    """What the clients share: where the server is now, and what they were answered."""

    url: str
    tokens: dict[str, str]  # by merchant
    mine: dict[str, str]  # tokens of the people
    contributor: str  # its token
    port: int = 0
    stop: Event = field(default_factory=Event)
    decisions: list[tuple[str, str, int]] = field(default_factory=list)  # id, outcome, waived
    orders: list[tuple[str, str, str]] = field(default_factory=list)  # merchant, number, state
    events: list[str] = field(default_factory=list)

    def ask(self, method: str, path: str, token: str, body: Any = None) -> dict[str, Any] | None:
        """What is answered, None when it is refused: asked again until there is an answer, as merchants do."""
        while not self.stop.is_set():
            line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
            try:
                headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
                line.request(method, path, None if body is None else json.dumps(body), headers)
                answer = line.getresponse()
                said: dict[str, Any] = json.loads(answer.read())
            except (OSError, http.client.HTTPException, ValueError):
                time.sleep(0.02)
            else:
                if answer.status < 500:
                    return said if answer.status in (200, 201) else None
            finally:
                line.close()
        return None


def prepared(url: str, callback: str) -> Load:
    """A town, merchants with a service that is told of by `callback`, and the people who consented to them."""
    settle(url, PEOPLE)
    engine, now = open_database(url), clock.now()
    made = builds.latest(engine)
    assert made
    best = builds.scores(engine, made).drop_nulls("score").sort("score", descending=True)
    people = [str(person) for person in best["person"].head(SUBJECTS)]
    merchants = [f"inn-{n}" for n in range(CLIENTS)]
    for merchant in merchants:
        services.sign_up(engine, merchant, "rooms", Terms("hotel", callback=callback), now)
    ledger.append(engine, pl.concat(consents(people, m, "rooms", now) for m in merchants), now)
    engines, day = Engines(rules_folder.load(RULES)), clock.later(now, days=1)
    refresh.until_done(engine, engines, clock.now)
    engines.close()
    keys = {m: tokens.issue(engine, "merchant", m, m, now, day).secret for m in merchants}
    mine = {person: tokens.issue(engine, "subject", person, person, now, day).secret for person in people}
    contributor = tokens.issue(engine, "contributor", "bank", "bank", now, day).secret
    engine.dispose()
    return Load(url, keys, mine, contributor)


def deal(load: Load, merchant: str, seed: int) -> None:
    """One merchant's day: whatever happens, it goes on with the next order, and leaves some open."""
    chance, token, number = random.Random(seed), load.tokens[merchant], 0
    while not load.stop.is_set():
        number += 1
        person = chance.choice(list(load.mine))
        asked = {"transaction_id": f"T-{number}", "service": "rooms", "subject": person}
        answer = load.ask("POST", "/v1/eligibility", token, asked | {"amount": chance.choice((100, 1_000, 5_000))})
        if answer is None:
            continue
        load.decisions.append((answer["decision_id"], answer["outcome"], answer["waived_amount"]))
        if not answer["waived_amount"]:
            continue
        name = f"O-{number}"
        fund = {"amount": answer["waived_amount"]}
        form = {"out_order_no": name, "service": "rooms", "decision_id": answer["decision_id"], "risk_fund": fund}
        for made in _life(load, name, token, person, form | {"service_introduction": "a room"}, chance):
            load.orders.append((merchant, name, made["state"]))


def _life(
    load: Load, name: str, token: str, person: str, form: dict[str, Any], chance: random.Random
) -> Iterator[dict[str, Any]]:
    """Each answer about the order, until it is left alone."""
    path, at = f"/v1/orders/{name}", iso(clock.now() - timedelta(hours=1))
    completed = {"post_payments": [{"name": "room", "amount": 100}], "time_range": {"start_time": at, "end_time": at}}
    made = load.ask("POST", "/v1/orders", token, form)
    if made is None:
        return
    yield made
    steps: list[tuple[str, str, Any]] = [
        (f"/v1/me/orders/{made['order_id']}/confirm", load.mine[person], None),
        (f"{path}/complete", token, completed),
        (f"{path}/pay", token, None),
    ]
    if chance.random() < 0.2:
        steps[chance.randrange(2) :] = [(f"{path}/cancel", token, {"cancel_reason": "rain"})]
    for address, caller, body in steps:
        said = load.ask("POST", address, caller, body)
        if said is None:
            return
        yield said


def contribute(load: Load) -> None:
    """A contributor, which sends a few events at a time: all of them or none."""
    number, person = 0, next(iter(load.mine))
    while not load.stop.is_set():
        said = {"kind": "payment.made", "subject": person, "other": "shop", "amount": 100, "currency": "CNY"}
        names = [f"soak-{number + n}" for n in range(3)]
        events = [{**said, "event_id": name, "happened_at": iso(clock.now())} for name in names]
        answer = load.ask("POST", "/v1/events?all_or_nothing=true", load.contributor, events)
        if answer and answer["accepted"] + answer["duplicates"] == len(names):  # the first try may have come through
            load.events.extend(names)
        number += len(names)
        time.sleep(0.05)


def killed(load: Load, kills: int) -> int:
    """Serve and kill, so many times, while the clients call. How often something was wrong in between."""
    chance, engine, wrong = random.Random(7), open_database(load.url), 0
    with ThreadPoolExecutor(CLIENTS + 1) as threads:
        working = [threads.submit(deal, load, m, n) for n, m in enumerate(load.tokens)]
        working.append(threads.submit(contribute, load))
        try:
            for _ in range(kills):
                with served(load.url) as (server, load.port):
                    time.sleep(chance.uniform(0.05, LONGEST))
                    os.kill(server, signal.SIGKILL)
                with reading(engine) as connection:
                    wrong += len(broken(connection, clock.now()))
        finally:
            load.stop.set()
    engine.dispose()
    for work in working:
        work.result()
    return wrong


def lost(load: Load, receiver: Receiver) -> dict[str, int]:
    """How much of each sort is not as it must be, once what still waits has been sent."""
    engine = open_database(load.url)
    later = clock.now() + timedelta(minutes=2)  # when no lease of the dead is left
    while sender.send_all(engine, later, private=True):
        later += timedelta(minutes=2)
    with reading(engine) as connection:
        found = {
            "limits or states": len(broken(connection, clock.now())),
            "decisions answered and not there": _decisions(connection, load),
            "orders answered and not there": _orders(connection, load),
            "events accepted and not there": _events(connection, load),
            "changes without a message": _untold(connection),
            "messages that never came": _unsent(connection, receiver),
            "outcomes not in the ledger, or twice": _outcomes(connection),
            "links of the chain": _chain(connection),
        }
    engine.dispose()
    return found


def _decisions(connection: Any, load: Load) -> int:
    there = {(r.id, r.outcome, r.waived) for r in connection.execute(text("SELECT id, outcome, waived FROM decisions"))}
    return len(set(load.decisions) - there)


def _orders(connection: Any, load: Load) -> int:
    moves = 'SELECT o.merchant, o.out_order_no, m.after FROM orders o JOIN order_moves m ON m."order" = o.id'
    return len(set(load.orders) - {tuple(row) for row in connection.execute(text(moves))})


def _events(connection: Any, load: Load) -> int:
    there = {name for (name,) in connection.execute(text("SELECT event_id FROM events WHERE event_id LIKE 'soak-%'"))}
    return len(set(load.events) - there)


def _untold(connection: Any) -> int:
    counts = [connection.execute(text(f"SELECT count(*) FROM {t}")).scalar() for t in ("order_moves", "messages")]
    return abs(counts[0] - counts[1])


def _unsent(connection: Any, receiver: Receiver) -> int:
    return len({name for (name,) in connection.execute(text("SELECT id FROM messages"))} - set(receiver.ids()))


def _outcomes(connection: Any) -> int:
    wrong = 0
    for state, kind in TOLD.items():
        orders = sorted(connection.execute(text("SELECT id FROM orders WHERE state = :s"), {"s": state}).scalars())
        said = text(
            "SELECT \"order\" FROM events WHERE kind = :k AND contributor = 'iftah' AND event_id LIKE 'order-%'"
        )
        told = sorted(name for name in connection.execute(said, {"k": kind}).scalars() if len(name) == len("0" * 32))
        wrong += orders != told
    return wrong


def _chain(connection: Any) -> int:
    before, wrong = FIRST, 0
    for row in connection.execute(text("SELECT * FROM decisions ORDER BY seq")).mappings():
        wrong += row["previous_hash"] != before or row["hash"] != chained(before, entry(row))
        before = row["hash"]
    return wrong


def soaked(url: str, kills: int) -> tuple[Load, int, dict[str, int]]:
    """One database's turn."""
    os.environ["IFTAH_CALLBACKS_PRIVATE"] = "true"
    with receiving() as receiver:
        load = prepared(url, receiver.url)
        wrong = killed(load, kills)
        found = lost(load, receiver) | {"wrong in between": wrong}
        return load, len(receiver.got), found


def main(kills: int = KILLS) -> None:
    """Print what was done and what was lost."""
    table = Table("database", "kills", "decisions", "orders' answers", "events", "callbacks", "lost or wrong")
    bad = False
    with tempfile.TemporaryDirectory() as folder, on_postgres() as postgres:
        urls = {"SQLite": f"sqlite:///{folder}/iftah.db"} | ({"PostgreSQL": postgres} if postgres else {})
        for name, url in urls.items():
            load, callbacks, found = soaked(url, kills)
            counts = (len(load.decisions), len(load.orders), len(load.events), callbacks)
            said = ", ".join(f"{number} {what}" for what, number in found.items() if number) or "nothing"
            table.add_row(name, f"{kills}", *(f"{count:,}" for count in counts), said)
            bad |= any(found.values())
    Console(width=120).print(table)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main(*(int(a) for a in sys.argv[1:2]))
