"""Measure the questions per second of a server: `python -m tests.bench.ask [people seconds connections database]`.

Three servers of one kind (uvicorn, one process) run one after the other under the same load from another process: each connection
asks, waits, asks again. *empty* answers at once. *bare* does one select and one insert and commits, as a sync route with a session of
SQLModel. *eligibility* does all our work: token, service, consent, features, rules, caps, record and chain, durable before the answer,
beside the other work of a server. `of bare` is the ratio that you should read; on PostgreSQL two workers run besides, with the ratio to one.
The processor time of the server for an answer says more than the rate does on a machine that has other work.
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

from api.access import tokens
from api.evidence import ledger
from api.features import builds, refresh
from api.merchants import services
from api.merchants.services import Terms
from api.releases import rules_folder
from api.store import clock
from api.store.database import open_database
from api.store.tables import FeaturesRow
from engine.decide.evaluators import Evaluators
from graph.evidence.events import conform
from graph.evidence.vocabulary import CLASSES
from tests.bench.fresh import RULES, databases, peak_memory, processes, processor_seconds, running_server, settle

PEOPLE: Final = 2_000
SECONDS: Final = 20.0
CONNECTIONS: Final = (1, 8, 64)
GOALS: Final = {  # of bare, by database and connections
    ("SQLite", 1): 0.5,
    ("SQLite", 8): 1.9,
    ("SQLite", 64): 2.5,
    ("PostgreSQL", 1): 0.5,
    ("PostgreSQL", 8): 1.6,
    ("PostgreSQL", 64): 2.8,
}
WORKER_GOALS: Final = {8: 1.2, 64: 1.6}  # of one worker, by connections
AMOUNTS: Final = (20_000, 50_000, 100_000)  # minor units; three, so that no merchant looks like one that probes
MERCHANTS: Final = 8


class BenchModel(SQLModel, registry=registry()):
    """Tables outside the project's own."""


class BareRow(BenchModel, table=True):
    """The row that the bare endpoint inserts."""

    id: int | None = Field(default=None, primary_key=True)
    person: str
    amount: int


@dataclass(frozen=True)
class AskFigure:
    """One run: answers a second, milliseconds of half and of ninety-nine in a hundred, answers by status; bytes of memory at most."""

    name: str
    rate: float
    p50: float
    p99: float
    statuses: Counter[int]
    peak: int
    processor: float  # microseconds of an answer, of the server and its workers


def bare(url: str, port: int) -> None:
    """Serve the empty and the bare endpoint."""
    database = open_database(url)
    BenchModel.metadata.tables["barerow"].create(database, checkfirst=True)
    writer = database.execution_options(
        writes=True
    )  # on SQLite: under load, a transaction that reads first and then writes fails
    app = FastAPI()

    @app.get("/empty")
    async def empty() -> dict[str, str]:
        return {"outcome": "ADMIT"}

    @app.get("/bare")
    def one(person: str, amount: int) -> dict[str, str]:
        with Session(writer) as session:
            row = session.exec(select(FeaturesRow).where(FeaturesRow.person == person)).first()
            session.add(BareRow(person=person, amount=amount))
            session.commit()
        return {"outcome": "ADMIT" if row else "DECLINE"}

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)


def load(port: int, requests: list[Callable[[], bytes]], seconds: float) -> tuple[list[float], Counter[int], float]:
    """Seconds of each answer, how many of each status, and how long all took. One thread a connection."""
    durations: list[list[float]] = [[] for _ in requests]
    statuses: list[Counter[int]] = [Counter() for _ in requests]
    started_at = time.perf_counter()

    def ask(number: int) -> None:
        with socket.create_connection(("127.0.0.1", port)) as line:
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sent = started_at
            while sent < started_at + seconds:  # at least once, even if it begins late
                sent = time.perf_counter()
                line.sendall(requests[number]())
                statuses[number][_status(line)] += 1
                durations[number].append(time.perf_counter() - sent)

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(len(requests))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return (
        sorted(t for thread_durations in durations for t in thread_durations),
        sum(statuses, Counter()),
        time.perf_counter() - started_at,
    )


def _status(line: socket.socket) -> int:
    response = b""
    while b"\r\n\r\n" not in response:
        response += _receive(line)
    head, _, body = response.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split()[0])
    while len(body) < length:
        body += _receive(line)
    return int(head.split(b" ", 2)[1])


def _receive(line: socket.socket) -> bytes:
    chunk = line.recv(65536)
    if not chunk:
        raise ConnectionError("the server hung up")
    return chunk


def measure(name: str, port: int, pid: int, requests: list[Callable[[], bytes]], seconds: float) -> AskFigure:
    """One server under load, after two seconds to warm up."""
    load(port, requests, min(2.0, seconds))
    before = processor_seconds(*processes(pid))
    durations, statuses, elapsed = load(port, requests, seconds)
    processor = (processor_seconds(*processes(pid)) - before) * 1e6 / len(durations)
    p50, p99 = (1_000 * durations[int(q * (len(durations) - 1))] for q in (0.5, 0.99))
    return AskFigure(name, len(durations) / elapsed, p50, p99, statuses, peak_memory(pid), processor)


def prepare(url: str, people: int) -> tuple[list[str], list[str]]:
    """A scored town, merchants who have signed up and may ask: the tokens, and the people."""
    settle(url, people)
    database, now = open_database(url), clock.now()
    build = builds.latest_build(database)
    assert build
    person_ids = builds.people_of(database, build)
    merchants = [f"inn-{n}" for n in range(MERCHANTS)]
    for merchant in merchants:
        services.sign_up(database, merchant, "rooms", Terms("hotel"), now)
        rows = [
            {
                "contributor": merchant,
                "event_id": f"c-{person}",
                "kind": "consent.granted",
                "subject": person,
                "happened_at": now,
                "purpose": "perks",
                "classes": ",".join(CLASSES),
                "service": services.service_name(merchant, "rooms"),
            }
            for person in person_ids
        ]
        append_result = ledger.append(database, conform(pl.DataFrame(rows)), now)
        assert append_result.accepted == len(person_ids)
    evaluators = Evaluators(rules_folder.load_folder(RULES))
    refresh.refresh_all(database, evaluators, clock.now)
    evaluators.close()
    later = clock.add_days(now, days=1)
    secrets = [tokens.issue(database, "merchant", merchant, merchant, now, later).secret for merchant in merchants]
    database.dispose()
    return secrets, person_ids


def questions(tokens: list[str], people: list[str], connections: int) -> list[Callable[[], bytes]]:
    """The next questions of each connection."""

    def requests_of(number: int) -> Callable[[], bytes]:
        rng, counter = random.Random(number), count()
        head = (
            "POST /v1/eligibility HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {tokens[number % len(tokens)]}\r\nContent-Length: "
        )

        def next_request() -> bytes:
            transaction = f"{number}-{time.time_ns()}-{next(counter)}"[-32:]
            body = {"transaction_id": transaction, "service": "rooms", "subject": rng.choice(people)}
            text = json.dumps(body | {"amount": rng.choice(AMOUNTS), "context": {"nights": 2}})
            return f"{head}{len(text)}\r\n\r\n{text}".encode()

        return next_request

    return [requests_of(number) for number in range(connections)]


def plain(path: str, people: list[str], connections: int) -> list[Callable[[], bytes]]:
    """The same for the bare and the empty endpoint."""

    def requests_of(number: int) -> Callable[[], bytes]:
        rng = random.Random(number)

        def next_request() -> bytes:
            query = f"?person={rng.choice(people)}&amount={rng.choice(AMOUNTS)}"
            return f"GET {path}{query} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()

        return next_request

    return [requests_of(number) for number in range(connections)]


def run(url: str, town: tuple[list[str], list[str]], seconds: float, connections: int) -> Iterator[AskFigure]:
    """Measure the three, one after the other, and on PostgreSQL two workers."""
    tokens, person_ids = town
    with running_server(url, "-m", "tests.bench.ask", "--bare", ready="/empty") as (pid, port):
        for name in ("empty", "bare"):
            yield measure(name, port, pid, plain(f"/{name}", person_ids, connections), seconds / 4)
    with running_server(url) as (pid, port):
        yield measure("eligibility", port, pid, questions(tokens, person_ids, connections), seconds)
    if url.startswith("postgresql") and connections in WORKER_GOALS:
        with running_server(url, workers=2) as (pid, port):
            yield measure("two workers", port, pid, questions(tokens, person_ids, connections), seconds)


def main(people: int = PEOPLE, seconds: float = SECONDS, connections: int = 0, only: str = "") -> None:
    """Print the figures as a table. Ends with 1 when an answer was not 200."""
    title = f"questions: {people:,} people, {seconds:g} s ({seconds / 4:g} s for what is beside)"
    columns = (
        "database",
        "connections",
        "endpoint",
        "answers/s",
        "of bare",
        "of one worker",
        "goal",
        "p50 ms",
        "p99 ms",
    )
    table, failures = Table(*columns, "processor us", "not 200", "peak MB", title=title), 0
    with databases(only) as urls:
        for database, url in urls.items():
            town = prepare(url, people)
            for number in (connections,) if connections else CONNECTIONS:
                failures += _add_rows(table, database, number, run(url, town, seconds, number))
    Console().print(table)
    sys.exit(1 if failures else 0)


def _add_rows(table: Table, database: str, connections: int, figures: Iterator[AskFigure]) -> int:
    """Add a row for each figure. Returns the number of answers that were not 200."""
    rates: dict[str, float] = {}
    failures = 0
    for figure in figures:
        rates[figure.name] = figure.rate
        bad = sum(n for status, n in figure.statuses.items() if status != 200)
        failures += bad
        of_bare = f"{figure.rate / rates['bare']:.2f}" if "bare" in rates else ""
        of_one = f"{figure.rate / rates['eligibility']:.2f}" if figure.name == "two workers" else ""
        goals = {"eligibility": GOALS.get((database, connections)), "two workers": WORKER_GOALS.get(connections)}
        goal = goals.get(figure.name)
        table.add_row(
            *(database, str(connections), figure.name, f"{figure.rate:,.0f}", of_bare, of_one),
            *("" if goal is None else f"{goal:.1f}", f"{figure.p50:.1f}", f"{figure.p99:.1f}"),
            *(f"{figure.processor:,.0f}", str(bad), f"{figure.peak / 1e6:,.0f}"),
        )
    return failures


if __name__ == "__main__":
    if sys.argv[1:2] == ["--bare"]:
        bare(os.environ["IFTAH_DATABASE_URL"], int(os.environ["IFTAH_PORT"]))
    else:
        main(*(kind(a) for kind, a in zip((int, float, int, str), sys.argv[1:], strict=False)))
