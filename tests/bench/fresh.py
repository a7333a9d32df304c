"""How soon an event is in the score: `python -m tests.bench.fresh [people events-a-second seconds]`.

A real server, in a process of its own, over a town; another process appends events of every kind of random people, a batch
each tenth of a second. Of each event is measured the time from when its append had committed until the rows and scores
of whom it touches were in the database, seen by looking about thirty times a second: a build's `seq` is written in one
transaction with them. `of the rate` is the events that were in the scores each second over those that were sent.
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

from api import actions, clock
from api.database import open_database, reading
from api.evidence import ledger
from api.evidence.load import load_frames
from api.features import builds, marks
from api.releases import rules_folder
from api.tables import EVENTS
from api.world import World
from engine.engines import Engines
from graph.events import conform
from graph.sources.town import town
from graph.vocabulary import CLASSES
from tests.bench.load import POSTGRES

PEOPLE: Final = 20_000
RATE: Final = 500
SECONDS: Final = 30
TICK: Final = 0.1  # seconds from batch to batch
LOOK: Final = 0.03  # seconds from look to look: more of them would take the server's time
PATIENCE: Final = 120  # seconds to wait for the last events
RULES: Final = Path(__file__).parents[2] / "rules"
SERVE: Final = "from api.cli import app; app(['serve'])"
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
class Figure:
    """One run: seconds until in the score, of the median event, of the 99th percentile and of the last; events a second that came into the
    scores; cores that the server used, and its peak memory in bytes; the most people put off at any look.
    """

    name: str
    p50: float
    p99: float
    most: float
    rate: float
    cores: float
    peak: int
    put_off: int


def send(url: str, rate: int, seconds: float) -> None:
    """Append events, and print for each batch its last `seq`, when it had committed, and how many events it had."""
    engine, chance = open_database(url), random.Random(1)
    made = builds.latest(engine)
    assert made
    people = builds.people_of(engine, made)
    began = time.time()
    for tick in range(round(seconds / TICK)):
        time.sleep(max(0.0, began + tick * TICK - time.time()))
        rows = [_event(chance, people, f"b{tick}-{n}") for n in range(round(rate * TICK))]
        batch = conform(pl.DataFrame(rows, infer_schema_length=None))
        appended = ledger.append(engine, batch, clock.now())
        committed = time.time()
        assert appended.accepted == batch.height, appended.refused
        with reading(engine) as connection:
            last = connection.execute(select(func.max(EVENTS.c.seq))).scalar()
        print(json.dumps([last, committed, batch.height]), flush=True)


def _event(chance: random.Random, people: list[str], name: str) -> dict[str, Any]:
    kind, other = chance.choice(SHARES)
    subject, friend = chance.sample(people, 2)
    row = {"contributor": "bench", "event_id": name, "kind": kind, "subject": subject, "happened_at": clock.now()}
    if other:
        row["other"] = friend if other == "person" else f"shop-{chance.randrange(200)}"
    money: dict[str, Any] = {"amount": chance.randrange(1, 50_000), "currency": "CNY"}
    classes = ",".join(CLASSES)
    fields: dict[str, dict[str, Any]] = {
        "payment.made": money | {"category": "groceries"},
        "account.balance": money,
        "tie": {"tie": "friend"},
        "consent.granted": {"purpose": "perks", "classes": classes},
        "consent.withdrawn": {"purpose": "perks", "classes": "restricted"},
        "dispute.opened": {"ref_event": f"b0-{chance.randrange(10)}"},
        "event.corrected": {"ref_event": f"b0-{chance.randrange(10)}", "fields": '{"amount": 7}'},
    }
    usual = {"obligation": f"bill-{chance.randrange(5)}"} if kind.startswith("obligation") else {}
    return row | fields.get(kind, fields["tie"] if kind.startswith("tie") else usual)


def settle(url: str, people: int) -> None:
    """A town in the database, built as of now, and scored."""
    engine = open_database(url)
    load_frames(engine, town(people, seed=1).events(), now=clock.now)
    world = World(engine, Engines(rules_folder.load(RULES)))
    actions.scored(world, builds.build(engine, clock.now(), "perks", clock.now(), follows=True))
    engine.dispose()


@contextmanager
def served(url: str, *command: str, ready: str = "/v1/health") -> Iterator[tuple[int, int]]:
    """A server over the database, or what else the command serves, once it answers: its process and its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "IFTAH_DATABASE_URL": url,
        "IFTAH_PORT": str(port),
        "IFTAH_RULES": str(RULES),
        "IFTAH_RATE_LIMIT": "0",
    }
    words = command or ("-c", SERVE)
    nowhere = subprocess.DEVNULL  # a line a request is written, and not shown
    server = subprocess.Popen([sys.executable, *words], env=environment, stdout=nowhere, stderr=nowhere)
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}{ready}", timeout=5).close()
                break
            except OSError:
                time.sleep(0.1)
        yield server.pid, port
    finally:
        server.terminate()
        server.wait(60)


def measure(name: str, url: str, people: int, rate: int, seconds: float) -> Figure:
    """Settle, serve, send, and watch."""
    settle(url, people)
    engine = open_database(url)
    with served(url) as (server, _), tempfile.TemporaryFile("w+") as told:
        before, began = _cpu(server), time.time()
        command = [sys.executable, "-m", "tests.bench.fresh", "--send", url, str(rate), str(seconds)]
        sender = subprocess.Popen(command, stdout=told)
        seen, put_off = _watched(engine, sender)
        cores = (_cpu(server) - before) / (time.time() - began)
        told.seek(0)
        sent = [json.loads(line) for line in told]
        peak = peak_of(server)
    engine.dispose()
    waited = pl.Series([at - committed for last, committed, n in sent for at in [_first(seen, last)] for _ in range(n)])
    took = seen[-1][1] - (sent[0][1] - TICK)
    p50, p99 = (float(waited.quantile(q) or 0) for q in (0.5, 0.99))
    return Figure(name, p50, p99, float(waited.max()), waited.len() / took, cores, peak, put_off)  # type: ignore[arg-type]


def _watched(engine: Engine, sender: "subprocess.Popen[bytes]") -> tuple[list[tuple[int, float]], int]:
    """When each `seq` of the build was first seen, until everything sent is in; and the most people put off."""
    seen: list[tuple[int, float]] = []
    most, give_up = 0, float("inf")
    while time.time() < give_up:
        with reading(engine) as connection:
            made = builds.ready(connection)
            behind = ledger.extent_of(connection).events - made.seen
            waiting = marks.count(connection, made.id)
        most = max(most, waiting)
        if not waiting and (not seen or made.seq > seen[-1][0]):
            seen.append((made.seq, time.time()))
        if sender.poll() is not None:
            assert sender.returncode == 0
            give_up = min(give_up, time.time() + PATIENCE)
            if not behind and not waiting:
                return seen, most
        time.sleep(LOOK)
    raise AssertionError("the server has not kept up")


def _first(seen: list[tuple[int, float]], seq: int) -> float:
    return next(at for reached, at in seen if reached >= seq)


def _cpu(pid: int) -> float:
    """Seconds of processor time of a process so far; where there is no /proc, none that is known."""
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists():
        return float("nan")
    fields = stat.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_of(pid: int) -> int:
    status = Path(f"/proc/{pid}/status")
    found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.exists() else None
    return int(found[1]) * 1024 if found else 0


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
            f = measure(name, url, people, rate, seconds)
            share, peak = f"{f.rate / rate:.2f}", f"{f.peak / 1e6:,.0f}"
            waited = (f"{f.p50:.2f}", f"{f.p99:.2f}", f"{f.most:.2f}")
            table.add_row(f.name, *waited, share, f"{f.cores:.2f}", str(f.put_off), peak)
    Console().print(table)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--send"]:
        send(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
    else:
        main(*(kind(a) for kind, a in zip((int, int, float, str), sys.argv[1:], strict=False)))
