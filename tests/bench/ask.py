"""How many questions a server answers: `python -m tests.bench.ask [people seconds connections]`.

Three servers of one kind (uvicorn, one process), one after the other, under the same load from a process of its own: each
connection asks, waits, asks again. *empty* answers at once; *bare* does one select and one insert and commits, as a sync route
with a session of SQLModel; *eligibility* is the whole: token, service, consent, features, rules, caps, record and chain,
durable before it is answered, with whatever else a server does beside it. `of bare` is the ratio that matters.
"""

import json
import os
import random
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Final

import polars as pl
import uvicorn
from fastapi import FastAPI
from rich.console import Console
from rich.table import Table
from sqlalchemy.orm import registry
from sqlmodel import Field, Session, SQLModel, select

from api import clock, services
from api.access import tokens
from api.database import open_database
from api.evidence import ledger
from api.features import builds, refresh
from api.releases import rules_folder
from api.services import Terms
from api.tables import Features
from engine.engines import Engines
from graph.events import conform
from graph.vocabulary import CLASSES
from tests.bench.fresh import RULES, databases, peak_of, served, settle

PEOPLE: Final = 2_000
SECONDS: Final = 60.0
CONNECTIONS: Final = 8
AMOUNTS: Final = (20_000, 50_000, 100_000)  # minor units; three, so that nobody is probing
MERCHANTS: Final = 8


class Apart(SQLModel, registry=registry()):
    """Tables that are not the project's."""


class Bare(Apart, table=True):
    """What the bare endpoint inserts."""

    id: int | None = Field(default=None, primary_key=True)
    person: str
    amount: int


@dataclass(frozen=True)
class Figure:
    """One run: answers a second, milliseconds of half and of ninety-nine in a hundred, answers by status; bytes of memory at most."""

    name: str
    rate: float
    p50: float
    p99: float
    statuses: Counter[int]
    peak: int


def bare(url: str, port: int) -> None:
    """Serve the empty and the bare endpoint."""
    engine = open_database(url)
    Apart.metadata.tables["bare"].create(engine, checkfirst=True)
    writer = engine.execution_options(writes=True)  # on SQLite: who reads first and then writes is refused under load
    app = FastAPI()

    @app.get("/empty")
    async def empty() -> dict[str, str]:
        return {"outcome": "ADMIT"}

    @app.get("/bare")
    def one(person: str, amount: int) -> dict[str, str]:
        with Session(writer) as session:
            found = session.exec(select(Features).where(Features.person == person)).first()
            session.add(Bare(person=person, amount=amount))
            session.commit()
        return {"outcome": "ADMIT" if found else "DECLINE"}

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)


def load(port: int, requests: list[Callable[[], bytes]], seconds: float) -> tuple[list[float], Counter[int], float]:
    """Seconds of each answer, how many of each status, and how long all took. One thread a connection."""
    took: list[list[float]] = [[] for _ in requests]
    statuses: list[Counter[int]] = [Counter() for _ in requests]
    began = time.perf_counter()

    def ask(number: int) -> None:
        with socket.create_connection(("127.0.0.1", port)) as line:
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sent = began
            while sent < began + seconds:  # once at the least, however late it begins
                sent = time.perf_counter()
                line.sendall(requests[number]())
                statuses[number][_status(line)] += 1
                took[number].append(time.perf_counter() - sent)

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(len(requests))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(t for some in took for t in some), sum(statuses, Counter()), time.perf_counter() - began


def _status(line: socket.socket) -> int:
    said = b""
    while b"\r\n\r\n" not in said:
        said += _more(line)
    head, _, body = said.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split()[0])
    while len(body) < length:
        body += _more(line)
    return int(head.split(b" ", 2)[1])


def _more(line: socket.socket) -> bytes:
    some = line.recv(65536)
    if not some:
        raise ConnectionError("the server hung up")
    return some


def measured(name: str, port: int, pid: int, requests: list[Callable[[], bytes]], seconds: float) -> Figure:
    """One server under load, after two seconds to warm up."""
    load(port, requests, min(2.0, seconds))
    took, statuses, lasted = load(port, requests, seconds)
    p50, p99 = (1_000 * took[int(q * (len(took) - 1))] for q in (0.5, 0.99))
    return Figure(name, len(took) / lasted, p50, p99, statuses, peak_of(pid))


def prepared(url: str, people: int) -> tuple[list[str], list[str]]:
    """A scored town, merchants who have signed up and may ask: the tokens, and the people."""
    settle(url, people)
    engine, now = open_database(url), clock.now()
    made = builds.latest(engine)
    assert made
    known = builds.people_of(engine, made)
    merchants = [f"inn-{n}" for n in range(MERCHANTS)]
    for merchant in merchants:
        services.sign_up(engine, merchant, "rooms", Terms("hotel"), now)
        rows = [
            {
                "contributor": merchant,
                "event_id": f"c-{person}",
                "kind": "consent.granted",
                "subject": person,
                "happened_at": now,
                "purpose": "perks",
                "classes": ",".join(CLASSES),
                "service": services.named(merchant, "rooms"),
            }
            for person in known
        ]
        appended = ledger.append(engine, conform(pl.DataFrame(rows)), now)
        assert appended.accepted == len(known)
    engines = Engines(rules_folder.load(RULES))
    refresh.until_done(engine, engines, clock.now)
    engines.close()
    later = clock.later(now, days=1)
    issued = [tokens.issue(engine, "merchant", merchant, merchant, now, later).secret for merchant in merchants]
    engine.dispose()
    return issued, known


def questions(tokens: list[str], people: list[str], connections: int) -> list[Callable[[], bytes]]:
    """What each connection asks next."""

    def of(number: int) -> Callable[[], bytes]:
        chance, counted = random.Random(number), count()
        head = (
            "POST /v1/eligibility HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {tokens[number % len(tokens)]}\r\nContent-Length: "
        )

        def asked() -> bytes:
            transaction = f"{number}-{time.time_ns()}-{next(counted)}"[-32:]
            body = {"transaction_id": transaction, "service": "rooms", "subject": chance.choice(people)}
            text = json.dumps(body | {"amount": chance.choice(AMOUNTS), "context": {"nights": 2}})
            return f"{head}{len(text)}\r\n\r\n{text}".encode()

        return asked

    return [of(number) for number in range(connections)]


def plain(path: str, people: list[str], connections: int) -> list[Callable[[], bytes]]:
    """The same of the bare and the empty endpoint."""

    def of(number: int) -> Callable[[], bytes]:
        chance = random.Random(number)

        def asked() -> bytes:
            query = f"?person={chance.choice(people)}&amount={chance.choice(AMOUNTS)}"
            return f"GET {path}{query} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()

        return asked

    return [of(number) for number in range(connections)]


def run(url: str, people: int, seconds: float, connections: int) -> Iterator[Figure]:
    """The three, one after the other."""
    tokens, known = prepared(url, people)
    with served(url, "-m", "tests.bench.ask", "--bare", ready="/empty") as (pid, port):
        for name in ("empty", "bare"):
            yield measured(name, port, pid, plain(f"/{name}", known, connections), seconds / 4)
    with served(url) as (pid, port):
        yield measured("eligibility", port, pid, questions(tokens, known, connections), seconds)


def main(people: int = PEOPLE, seconds: float = SECONDS, connections: int = CONNECTIONS, only: str = "") -> None:
    """Print the figures as a table. Ends with 1 when an answer was not 200."""
    title = (
        f"questions: {people:,} people, {connections} connections, {seconds:g} s ({seconds / 4:g} s for what is beside)"
    )
    columns = ("database", "endpoint", "answers/s", "of bare", "p50 ms", "p99 ms", "not 200", "peak MB")
    table, wrong = Table(*columns, title=title), 0
    with databases(only) as urls:
        for database, url in urls.items():
            rates: dict[str, float] = {}
            for f in run(url, people, seconds, connections):
                rates[f.name] = f.rate
                ratio = f"{f.rate / rates['bare']:.2f}" if "bare" in rates else ""
                bad = sum(n for status, n in f.statuses.items() if status != 200)
                wrong += bad
                shown = (f"{f.rate:,.0f}", ratio, f"{f.p50:.1f}", f"{f.p99:.1f}", str(bad), f"{f.peak / 1e6:,.0f}")
                table.add_row(database, f.name, *shown)
    Console().print(table)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--bare"]:
        bare(os.environ["IFTAH_DATABASE_URL"], int(os.environ["IFTAH_PORT"]))
    else:
        main(*(kind(a) for kind, a in zip((int, float, int, str), sys.argv[1:], strict=False)))
