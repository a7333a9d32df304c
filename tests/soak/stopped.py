"""Test that a server survives an outage of PostgreSQL: `python -m tests.soak.stopped [stops]`, five by default; half a minute each.

We start a PostgreSQL in a temporary folder and a server over it. Merchants ask without a pause while we stop PostgreSQL, in turn as
an operator does (`fast`) and as a crash does (`immediate`), and start it again after some seconds. Meanwhile each answer must be a
decision or 503 `not_ready`. Afterwards the same process must answer again, and every answered decision must be recorded. The exit
status is 1 otherwise.
"""

import http.client
import json
import os
import pwd
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Final

from rich.console import Console
from rich.table import Table

from api.store.database import open_database
from api.supervision import audit
from api.supervision.decision_search import DecisionFilter, find_decisions
from tests.bench.ask import CONNECTIONS, prepare
from tests.bench.fresh import running_server

STOPS: Final = 5
PEOPLE: Final = 150
MODES: Final = ("fast", "immediate")
AWAY_SECONDS: Final = (0.5, 6.0)  # seconds
RECOVERY_TIMEOUT: Final = 30.0  # seconds within which the server must answer again
OWNER: Final = "postgres"  # the user for PostgreSQL if we are root, since it refuses to run as root


@dataclass
class AnswerLog:
    """The answers to the merchants."""

    counts: Counter[tuple[int, str]] = field(default_factory=Counter)
    decision_ids: list[str] = field(default_factory=list)
    stop: Event = field(default_factory=Event)


class Cluster:
    """A PostgreSQL for this test alone."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.run_as = folder / "data", {}
        if os.geteuid() == 0:
            owner = pwd.getpwnam(OWNER)
            self.run_as = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
            os.chown(folder, owner.pw_uid, owner.pw_gid)
            folder.chmod(0o755)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._run("initdb", "--pgdata", str(self.folder), "--username", OWNER, "--auth", "trust", "--no-sync")
        self.start()

    @property
    def url(self) -> str:
        """The URL of its one database."""
        return f"postgresql://{OWNER}@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        where = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.folder}"
        self._run("pg_ctl", "start", "-w", "-D", str(self.folder), "-l", str(self.folder / "log"), "-o", where)

    def stop(self, mode: str) -> None:
        """Stop it."""
        self._run("pg_ctl", "stop", "-w", "-m", mode, "-D", str(self.folder))

    def _run(self, program: str, *words: str) -> None:
        # otherwise the server that pg_ctl starts would keep the pipe open
        command = [str(_program_folder() / program), *words]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, cwd="/", **self.run_as)


def _program_folder() -> Path:
    """The folder of PostgreSQL's programs: Debian does not put them on the path."""
    initdb = shutil.which("initdb")
    candidates = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) if initdb is None else [Path(initdb)]
    if not candidates:
        sys.exit("soak: initdb is not there; install PostgreSQL's server (Debian: postgresql)")
    return candidates[-1].parent


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """A PostgreSQL that runs during the context."""
    with tempfile.TemporaryDirectory(prefix="iftah-soak-") as folder:
        server = Cluster(Path(folder))
        try:
            yield server
        finally:
            server.stop("immediate")


def ask(log: AnswerLog, port: int, token: str, people: list[str], seed: int) -> None:
    """One merchant, which asks without a pause."""
    rng, connection, number = random.Random(seed), http.client.HTTPConnection("127.0.0.1", port, timeout=60), 0
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    while not log.stop.is_set():
        number += 1
        question = {"transaction_id": f"{seed}-{number}", "service": "rooms", "subject": rng.choice(people)}
        connection.request(
            "POST", "/v1/eligibility", json.dumps(question | {"amount": 20_000, "context": {"nights": 2}}), headers
        )
        response = connection.getresponse()
        payload = json.loads(response.read())
        log.counts[response.status, payload.get("code", "")] += 1
        if response.status == 200:
            log.decision_ids.append(payload["decision_id"])
    connection.close()


def stop_and_start(postgres: Cluster, stops: int) -> tuple[AnswerLog, list[tuple[str, float, int, float]]]:
    """Stop and start it this number of times.

    Returns for each stop its mode, its seconds, the count of 503, and the seconds from the start until an answer.
    """
    tokens, people = prepare(postgres.url, PEOPLE)
    log, rng, rounds = AnswerLog(), random.Random(3), []
    with running_server(postgres.url) as (_, port), ThreadPoolExecutor(CONNECTIONS) as threads:
        futures = [threads.submit(ask, log, port, tokens[n], people, n) for n in range(CONNECTIONS)]
        try:
            for number in range(stops):
                time.sleep(rng.uniform(1, 3))
                mode, away, before = MODES[number % 2], rng.uniform(*AWAY_SECONDS), log.counts[503, "not_ready"]
                postgres.stop(mode)
                time.sleep(away)
                postgres.start()
                rounds.append((mode, away, log.counts[503, "not_ready"] - before, _recovery_seconds(log)))
        finally:
            log.stop.set()
        for future in futures:
            future.result()
    return log, rounds


def _recovery_seconds(log: AnswerLog) -> float:
    started_at, before = time.monotonic(), len(log.decision_ids)
    while len(log.decision_ids) < before + 2 * CONNECTIONS:
        if time.monotonic() > started_at + RECOVERY_TIMEOUT:
            return float("inf")
        time.sleep(0.01)
    return time.monotonic() - started_at


def main(stops: int = STOPS) -> None:
    """Print each stop and the faults."""
    with running_cluster() as postgres:
        log, rounds = stop_and_start(postgres, stops)
        database = open_database(postgres.url)
        lost = set(log.decision_ids) - {
            row["id"] for row in find_decisions(database, DecisionFilter(), None, 10**6).rows
        }
        broken = audit.verify(database).first_break
        database.dispose()
    table = Table("stopped", "away s", "told 503", "answers again after s", title="PostgreSQL stopped under load")
    for mode, away, refused, recovery in rounds:
        table.add_row(mode, f"{away:.1f}", f"{refused:,}", f"{recovery:.2f}")
    other = set(log.counts) - {(200, ""), (503, "not_ready")}
    console = Console(width=120)
    console.print(table)
    console.print(f"{len(log.decision_ids):,} answers, {len(lost)} lost; chain {'whole' if broken is None else broken}")
    console.print(f"other answers: {', '.join(f'{status} {code}' for status, code in sorted(other)) or 'none'}")
    failed = other or lost or broken is not None or any(recovery > RECOVERY_TIMEOUT for *_, recovery in rounds)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main(*(int(a) for a in sys.argv[1:2]))
