"""Measure how soon an event is in the score: `python -m tests.bench.fresh [people events-a-second seconds]`.

We run a real server, in a process of its own, over a town. Another process appends events of every kind about random people, a batch
each tenth of a second. For each event we measure the time from the commit of its append until the rows and scores of the people that
it affects are in the database. We look about thirty times a second: a build's `seq` is written in one transaction with them.
`of the rate` is the events that reached the scores each second over the events sent.
"""

import json
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import polars as pl
import psycopg
from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine, func, select

from api.evidence import ledger
from api.evidence.load import load_frames
from api.features import builds, refresh_queue
from api.releases import rules_folder
from api.runtime.context import AppContext
from api.runtime.scoring import score_everyone
from api.store import clock
from api.store.database import open_database, reading
from api.store.tables import EVENTS
from engine.decide.evaluators import Evaluators
from graph.datasets.town import town
from graph.evidence.events import conform
from graph.evidence.vocabulary import CLASSES
from tests.api.town import build_features
from tests.bench.load import POSTGRES
from tests.paths import RULES

PEOPLE: Final = 20_000
RATE: Final = 500
SECONDS: Final = 30
TICK_SECONDS: Final = 0.1  # seconds from batch to batch
POLL_SECONDS: Final = 0.03  # seconds from look to look: more of them would take the server's time
MAX_WAIT_SECONDS: Final = 120  # seconds to wait for the last events
SERVE: Final = "from api.cli.main import app; app(['serve'])"
SHARES: Final = (  # of every hundred events
    *[("payment.made", "person")] * 25,
    *[("payment.made", "shop")] * 37,
    *[("account.balance", "")] * 10,
    *[("obligation.paid", "")] * 8,
    *[("obligation.missed", "")] * 6,
    *[("tie.formed", "person")] * 8,
    *[("tie.ended", "person")] * 2,
    *[("consent.granted", "")] * 1,
    *[("consent.withdrawn", "")] * 1,
    *[("dispute.opened", "")] * 1,
    *[("event.corrected", "")] * 1,
)


@dataclass(frozen=True)
class FreshnessFigure:
    """One run: seconds until in the score, of the median event, of the 99th percentile and of the last; events a second that came into the
    scores; cores that the server used, and its peak memory in bytes; the most people put off at any look.
    """

    name: str
    p50: float
    p99: float
    max_wait: float
    rate: float
    cores: float
    peak: int
    max_deferred: int


def send(url: str, rate: int, seconds: float) -> None:
    """Append events, and print for each batch its last `seq`, when it had committed, and how many events it had."""
    database, rng = open_database(url), random.Random(1)
    build = builds.latest_build(database)
    assert build
    people = builds.people_of(database, build)
    started_at = time.time()
    for tick in range(round(seconds / TICK_SECONDS)):
        time.sleep(max(0.0, started_at + tick * TICK_SECONDS - time.time()))
        rows = [_event(rng, people, f"b{tick}-{n}") for n in range(round(rate * TICK_SECONDS))]
        batch = conform(pl.DataFrame(rows, infer_schema_length=None))
        append_result = ledger.append(database, batch, clock.now())
        committed_at = time.time()
        assert append_result.accepted == batch.height, append_result.refused
        with reading(database) as connection:
            last = connection.execute(select(func.max(EVENTS.c.seq))).scalar()
        print(json.dumps([last, committed_at, batch.height]), flush=True)


def _event(rng: random.Random, people: list[str], name: str) -> dict[str, Any]:
    kind, other = rng.choice(SHARES)
    subject, friend = rng.sample(people, 2)
    row = {"contributor": "bench", "event_id": name, "kind": kind, "subject": subject, "happened_at": clock.now()}
    if other:
        row["other"] = friend if other == "person" else f"shop-{rng.randrange(200)}"
    money: dict[str, Any] = {"amount": rng.randrange(1, 50_000), "currency": "CNY"}
    classes = ",".join(CLASSES)
    fields: dict[str, dict[str, Any]] = {
        "payment.made": money | {"category": "groceries"},
        "account.balance": money,
        "tie": {"tie": "friend"},
        "consent.granted": {"purpose": "perks", "classes": classes},
        "consent.withdrawn": {"purpose": "perks", "classes": "restricted"},
        "dispute.opened": {"ref_event": f"b0-{rng.randrange(10)}"},
        "event.corrected": {"ref_event": f"b0-{rng.randrange(10)}", "fields": '{"amount": 7}'},
    }
    default_fields = {"obligation": f"bill-{rng.randrange(5)}"} if kind.startswith("obligation") else {}
    return row | fields.get(kind, fields["tie"] if kind.startswith("tie") else default_fields)


def settle(url: str, people: int) -> None:
    """A town in the database, built as of now, and scored."""
    database = open_database(url)
    load_frames(database, town(people, seed=1).events(), now=clock.now)
    context = AppContext(database, Evaluators(rules_folder.load_folder(RULES)))
    score_everyone(context, build_features(database, clock.now(), "perks", clock.now(), follows=True))
    database.dispose()


@contextmanager
def running_server(url: str, *command: str, ready: str = "/v1/health", workers: int = 1) -> Iterator[tuple[int, int]]:
    """Run a server over the database, or another command. We return its process and its port once it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "IFTAH_DATABASE_URL": url,
        "IFTAH_PORT": str(port),
        "IFTAH_RULES": str(RULES),
        "IFTAH_RATE_LIMIT": "0",
        "IFTAH_WORKERS": str(workers),
    }
    arguments = command or ("-c", SERVE)
    devnull = subprocess.DEVNULL  # a line a request is written, and not shown
    server = subprocess.Popen([sys.executable, *arguments], env=environment, stdout=devnull, stderr=devnull)
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}{ready}", timeout=5).close()
                break
            except OSError:
                assert server.poll() is None, f"the server ended with {server.returncode} before it answered"
                time.sleep(0.1)
        yield server.pid, port
    finally:
        server.terminate()
        server.wait(60)


def measure(name: str, url: str, people: int, rate: int, seconds: float) -> FreshnessFigure:
    """Settle, serve, send, and watch."""
    settle(url, people)
    database = open_database(url)
    with running_server(url) as (server, _), tempfile.TemporaryFile("w+") as output:
        before, started_at = processor_seconds(server), time.time()
        command = [sys.executable, "-m", "tests.bench.fresh", "--send", url, str(rate), str(seconds)]
        sender = subprocess.Popen(command, stdout=output)
        arrivals, max_deferred = _watch(database, sender)
        cores = (processor_seconds(server) - before) / (time.time() - started_at)
        output.seek(0)
        sent = [json.loads(line) for line in output]
        peak = peak_memory(server)
    database.dispose()
    waits = pl.Series(
        [at - committed_at for last, committed_at, n in sent for at in [_arrival_of(arrivals, last)] for _ in range(n)]
    )
    elapsed = arrivals[-1][1] - (sent[0][1] - TICK_SECONDS)
    p50, p99 = (float(waits.quantile(q) or 0) for q in (0.5, 0.99))
    return FreshnessFigure(name, p50, p99, float(waits.max()), waits.len() / elapsed, cores, peak, max_deferred)  # type: ignore[arg-type]


def _watch(database: Engine, sender: "subprocess.Popen[bytes]") -> tuple[list[tuple[int, float]], int]:
    """When each `seq` of the build was first seen, until everything sent is in; and the most people put off."""
    arrivals: list[tuple[int, float]] = []
    max_deferred, deadline = 0, float("inf")
    while time.time() < deadline:
        with reading(database) as connection:
            build = builds.require_build(connection)
            behind = ledger.extent_of(connection).events - build.events_counted
            queue_size = refresh_queue.count_deferred(connection, build.id)
        max_deferred = max(max_deferred, queue_size)
        if not queue_size and (not arrivals or build.seq > arrivals[-1][0]):
            arrivals.append((build.seq, time.time()))
        if sender.poll() is not None:
            assert sender.returncode == 0
            deadline = min(deadline, time.time() + MAX_WAIT_SECONDS)
            if not behind and not queue_size:
                return arrivals, max_deferred
        time.sleep(POLL_SECONDS)
    raise AssertionError("the server has not kept up")


def _arrival_of(arrivals: list[tuple[int, float]], seq: int) -> float:
    return next(at for build_seq, at in arrivals if build_seq >= seq)


def processor_seconds(*pids: int) -> float:
    """Seconds of processor time of processes so far; where there is no /proc, none that is known."""
    stats = [Path(f"/proc/{pid}/stat") for pid in pids]
    if not all(stat.exists() for stat in stats):
        return float("nan")
    fields = [stat.read_text().rpartition(")")[2].split() for stat in stats]
    return sum(int(row[11]) + int(row[12]) for row in fields) / os.sysconf("SC_CLK_TCK")


def processes(pid: int) -> list[int]:
    """A process and its children; the process alone where there is no /proc."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    return [pid, *(map(int, children.read_text().split()) if children.exists() else ())]


def peak_memory(pid: int) -> int:
    status = Path(f"/proc/{pid}/status")
    match = re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.exists() else None
    return int(match[1]) * 1024 if match else 0


@contextmanager
def on_postgres() -> Iterator[str | None]:
    """The URL of a database of the benchmark's own; None where no server answers."""
    try:
        psycopg.connect(POSTGRES, connect_timeout=3).close()
    except psycopg.OperationalError:
        yield None
        return
    name = f"iftah_bench_{uuid4().hex}"
    with psycopg.connect(POSTGRES, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        try:
            yield POSTGRES.rpartition("/")[0] + f"/{name}"
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def databases(only: str = "") -> Iterator[dict[str, str]]:
    """The URL of a database of the benchmark's own on SQLite, and on PostgreSQL where one answers; or on `only` the one named."""
    with tempfile.TemporaryDirectory() as folder, on_postgres() as postgres:
        urls = {"SQLite": f"sqlite:///{folder}/iftah.db"} | ({"PostgreSQL": postgres} if postgres else {})
        yield {only: urls[only]} if only in urls else urls


def main(people: int = PEOPLE, rate: int = RATE, seconds: float = SECONDS, only: str = "") -> None:
    """Print the figures as a table."""
    title = f"from accepted to in the score: {people:,} people, {rate:,} events a second for {seconds:g} s"
    columns = ("database", "p50 s", "p99 s", "most s", "of the rate", "server's cores", "put off", "peak MB")
    table = Table(*columns, title=title)
    with databases(only) as urls:
        for name, url in urls.items():
            figure = measure(name, url, people, rate, seconds)
            share, peak = f"{figure.rate / rate:.2f}", f"{figure.peak / 1e6:,.0f}"
            waits = (f"{figure.p50:.2f}", f"{figure.p99:.2f}", f"{figure.max_wait:.2f}")
            table.add_row(figure.name, *waits, share, f"{figure.cores:.2f}", str(figure.max_deferred), peak)
    Console().print(table)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--send"]:
        send(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
    else:
        main(*(kind(a) for kind, a in zip((int, int, float, str), sys.argv[1:], strict=False)))
