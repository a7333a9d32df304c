"""Whether a server outlives its PostgreSQL: `python -m tests.soak.stopped [stops]`, five unless given; half a minute each.

A PostgreSQL of its own is started in a temporary folder, and a server over it. Merchants ask without a pause while it is
stopped, in turn as an operator does (`fast`) and as a crash does (`immediate`), stays away for some seconds, and is started
again. Meanwhile nobody may be told anything but an answer or 503 with the code `not_ready`; then the same process must answer
again, and everything that was answered be there. Ends with 1 when something is not so.
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

from api.database import open_database
from api.supervision import audit
from tests.bench.ask import CONNECTIONS, prepared
from tests.bench.fresh import served

STOPS: Final = 5
PEOPLE: Final = 150
MODES: Final = ("fast", "immediate")
AWAY: Final = (0.5, 6.0)  # seconds
RECOVERS: Final = 30.0  # seconds in which answers must come again
OWNER: Final = "postgres"  # who runs it where we are root, whom PostgreSQL refuses


@dataclass
class Load:
    """What was said to those who asked."""

    said: Counter[tuple[int, str]] = field(default_factory=Counter)
    given: list[str] = field(default_factory=list)
    stop: Event = field(default_factory=Event)


class Cluster:
    """A PostgreSQL of our own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.as_whom = folder / "data", {}
        if os.geteuid() == 0:
            owner = pwd.getpwnam(OWNER)
            self.as_whom = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
            os.chown(folder, owner.pw_uid, owner.pw_gid)
            folder.chmod(0o755)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._run("initdb", "--pgdata", str(self.folder), "--username", OWNER, "--auth", "trust", "--no-sync")
        self.start()

    @property
    def url(self) -> str:
        """Of its one database."""
        return f"postgresql://{OWNER}@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        where = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.folder}"
        self._run("pg_ctl", "start", "-w", "-D", str(self.folder), "-l", str(self.folder / "log"), "-o", where)

    def stop(self, mode: str) -> None:
        """Stop it."""
        self._run("pg_ctl", "stop", "-w", "-m", mode, "-D", str(self.folder))

    def _run(self, program: str, *words: str) -> None:
        # its output would be held open by the server that pg_ctl leaves behind
        command = [str(_programs() / program), *words]
        subprocess.run(
            command, check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, cwd="/", **self.as_whom
        )


def _programs() -> Path:
    """Where PostgreSQL's own programs are: Debian does not put them on the path."""
    found = shutil.which("initdb")
    kept = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) if found is None else [Path(found)]
    if not kept:
        sys.exit("soak: initdb is not there; install PostgreSQL's server (Debian: postgresql)")
    return kept[-1].parent


@contextmanager
def cluster() -> Iterator[Cluster]:
    """One, as long as it is needed."""
    with tempfile.TemporaryDirectory(prefix="iftah-soak-") as folder:
        made = Cluster(Path(folder))
        try:
            yield made
        finally:
            made.stop("immediate")


def ask(load: Load, port: int, token: str, people: list[str], seed: int) -> None:
    """One merchant, without a pause."""
    chance, line, number = random.Random(seed), http.client.HTTPConnection("127.0.0.1", port, timeout=60), 0
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    while not load.stop.is_set():
        number += 1
        said = {"transaction_id": f"{seed}-{number}", "service": "rooms", "subject": chance.choice(people)}
        line.request(
            "POST", "/v1/eligibility", json.dumps(said | {"amount": 20_000, "context": {"nights": 2}}), headers
        )
        answer = line.getresponse()
        told = json.loads(answer.read())
        load.said[answer.status, told.get("code", "")] += 1
        if answer.status == 200:
            load.given.append(told["decision_id"])
    line.close()


def stopped(of: Cluster, stops: int) -> tuple[Load, list[tuple[str, float, int, float]]]:
    """Stop and start it so often: how, for how long, how many were told 503, and seconds from the start to an answer."""
    tokens, people = prepared(of.url, PEOPLE)
    load, chance, rounds = Load(), random.Random(3), []
    with served(of.url) as (_, port), ThreadPoolExecutor(CONNECTIONS) as threads:
        working = [threads.submit(ask, load, port, tokens[n], people, n) for n in range(CONNECTIONS)]
        try:
            for number in range(stops):
                time.sleep(chance.uniform(1, 3))
                mode, away, before = MODES[number % 2], chance.uniform(*AWAY), load.said[503, "not_ready"]
                of.stop(mode)
                time.sleep(away)
                of.start()
                rounds.append((mode, away, load.said[503, "not_ready"] - before, _answered_again(load)))
        finally:
            load.stop.set()
        for work in working:
            work.result()
    return load, rounds


def _answered_again(load: Load) -> float:
    began, before = time.monotonic(), len(load.given)
    while len(load.given) < before + 2 * CONNECTIONS:
        if time.monotonic() > began + RECOVERS:
            return float("inf")
        time.sleep(0.01)
    return time.monotonic() - began


def main(stops: int = STOPS) -> None:
    """Print each stop, and what was wrong."""
    with cluster() as of:
        load, rounds = stopped(of, stops)
        database = open_database(of.url)
        lost = set(load.given) - {row["id"] for row in audit.sought(database, audit.Sought(), None, 10**6)}
        broken = audit.verify(database).broken
        database.dispose()
    table = Table("stopped", "away s", "told 503", "answers again after s", title="PostgreSQL stopped under load")
    for mode, away, refused, again in rounds:
        table.add_row(mode, f"{away:.1f}", f"{refused:,}", f"{again:.2f}")
    other = set(load.said) - {(200, ""), (503, "not_ready")}
    console = Console(width=120)
    console.print(table)
    console.print(f"{len(load.given):,} answers, {len(lost)} lost; chain {'whole' if broken is None else broken}")
    console.print(f"other answers: {', '.join(f'{status} {code}' for status, code in sorted(other)) or 'none'}")
    failed = other or lost or broken is not None or any(again > RECOVERS for *_, again in rounds)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main(*(int(a) for a in sys.argv[1:2]))
