"""Test that killed processes leave one release in force: `python -m tests.soak.releases [kills]`, fifty by default; about ten minutes.

A server of two processes answers merchants from PostgreSQL, while another process proposes rules, lets them be approved, releases and
schedules them, rolls them back and breaks the glass. We send SIGKILL at random moments, to the server, to one of its processes, or to
the proposing process. After each kill one release must be in force: the one that the log names, which must verify from its beginning.
At the end each decision must have been made under the release that was in force at the step of the log that it binds, by the rules of
that release alone, and no answer may have been more than two seconds behind the log. The exit status is 1 otherwise.
"""

import http.client
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any, Final

import polars as pl
from rich.console import Console
from rich.table import Table
from sqlalchemy import text

from api.access import tokens
from api.evidence import ledger
from api.merchants import services
from api.merchants.services import Terms
from api.proposals import activations, keys
from api.proposals.actors import Actor, new_key, read_key
from api.releases import releases
from api.releases.in_force import StoredRules
from api.releases.release_log import read_state
from api.releases.steps import public_key_of
from api.runtime.context import AppContext
from api.runtime.scoring import score_everyone
from api.store import clock
from api.store.clock import micros
from api.store.database import Database, open_database, reading
from api.supervision import audit
from engine.decide.evaluators import Evaluators
from engine.errors import Rejected
from engine.lang.check.release import release_of
from graph.evidence.events import conform
from graph.evidence.vocabulary import CLASSES
from iftah.catalogue import kinds, schema
from tests.api.merchant_client import consent_events
from tests.api.proposals.tiny_rules import tiny_files, write_folder
from tests.api.proposals.two_people import TwoPeople
from tests.api.town import build_features
from tests.bench.fresh import on_postgres, running_server
from tests.soak.release_checks import decision_problems, lags, state_problems

KILLS: Final = 50
CLIENTS: Final = 4
PEOPLE: Final = 40
MAX_LAG_SECONDS: Final = 2.0  # by which an answer may be behind the log
MAX_LIFE_SECONDS: Final = 3.0  # until the next kill
READY_TIMEOUT: Final = 120.0  # seconds within which the proposing process must have started
HOURS: Final = (12, 13, 14, 15)  # in which an answer is valid: each number is a release
VICTIMS: Final = ("server", "worker", "proposer", "proposer")
PARTIES: Final = ("wang", "li")
READY: Final = "ready"


class Proposer(TwoPeople):
    """The two people, who have their keys in files. Each step is at the time of the clock."""

    def __post_init__(self) -> None:
        """Their keys are registered."""

    def tick(self, seconds: int = 0) -> int:
        return micros(clock.now()) + seconds * 1_000_000


def rules_of(hours: int) -> StoredRules:
    files = tiny_files(hours)
    return StoredRules(release_of(files, schema(), kinds()), files)


def people_of(database: Database, home: Path) -> Proposer:
    """The two people, with their keys in the folder."""
    return Proposer(database, 0, *(Actor(party, "operator", read_key(home / f"{party}.pem")) for party in PARTIES))


def propose_for_ever(url: str, home: Path, seed: int) -> None:
    """Change the rules until somebody kills this process. Nobody repairs what it leaves half done."""
    people, rng = people_of(open_database(url), home), random.Random(seed)
    print(READY, flush=True)
    while True:
        try:
            _change(people, rng)
        except Rejected:  # such as files that are in force already, or a schedule that came between
            time.sleep(0.05)


def _change(people: Proposer, rng: random.Random) -> None:
    """One change, of any kind."""
    kind = rng.choices(("release", "schedule", "rollback", "break-glass"), (4, 3, 2, 1))[0]
    hours = rng.choice(HOURS)
    if kind == "release":
        people.release(tiny_files(hours))
    elif kind == "schedule":
        number = people.approved(tiny_files(hours)).number
        due = people.tick() + rng.randrange(100_000, 600_000)
        activations.schedule(people.database, people.wang, number, due, people.tick())
        time.sleep(0.8)  # else the next change would move its base
    elif kind == "rollback":
        activations.roll_back(people.database, people.li, "soak", people.tick())
    else:
        activations.break_glass(people.database, people.wang, rules_of(hours), 1, "soak", people.tick())
        time.sleep(rng.uniform(0, 0.3))
        activations.end_break_glass(people.database, people.wang, people.tick())


@dataclass
class Load:
    """What the clients share: where the server is, and what it answered."""

    url: str
    home: Path
    tokens: list[str]
    people: list[str]
    port: int = 0
    stop: Event = field(default_factory=Event)
    answers: dict[str, tuple[float, float]] = field(default_factory=dict)  # by decision: sent and received, Unix time
    statuses: Counter[tuple[int, str]] = field(default_factory=Counter)


def prepare(url: str, home: Path) -> Load:
    """People with payments, merchants who may ask about them, a release of a folder, and two people with keys."""
    database, now = open_database(url), clock.now()
    people, merchants = [f"p-{n}" for n in range(PEOPLE)], [f"shop-{n}" for n in range(CLIENTS)]
    ledger.append(database, _evidence(people, now - timedelta(days=1)), now)
    for merchant in merchants:
        services.sign_up(database, merchant, "hire", Terms("bicycle"), now)
        ledger.append(database, consent_events(people, merchant, "hire", now), now)
    rules = rules_of(HOURS[0])
    releases.record_release(database, rules.release, micros(now), rules.files)
    build = build_features(database, clock.now(), "perks", clock.now(), release=rules.release, follows=True)
    score_everyone(AppContext(database, Evaluators(rules.release)), build)
    for party in PARTIES:
        public = public_key_of(new_key(home / f"{party}.pem"))
        keys.register(database, party, "operator", public, micros(clock.now()))
    write_folder(home / "rules", rules.files)
    later = clock.add_days(now, days=1)
    secrets = [tokens.issue(database, "merchant", merchant, merchant, now, later).secret for merchant in merchants]
    database.dispose()
    return Load(url, home, secrets, people)


def _evidence(people: list[str], at: datetime) -> pl.DataFrame:
    """Each person, three payments, and the consent to be scored."""
    own = {"contributor": "bank", "happened_at": at - timedelta(days=30)}
    enrolled = own | {"kind": "person.enrolled", "identity_level": 2}
    payment = {
        "contributor": "bank",
        "happened_at": at,
        "kind": "payment.made",
        "other": "shop",
        "amount": 100,
        "currency": "EUR",
    }
    consent = own | {"kind": "consent.granted", "purpose": "perks", "classes": ",".join(CLASSES)}
    rows = [payment | {"event_id": f"{p}-{n}", "subject": p} for p in people for n in (1, 2, 3)]
    rows += [enrolled | {"event_id": f"{p}-0", "subject": p} for p in people]
    rows += [consent | {"event_id": f"{p}-consent", "subject": p} for p in people]
    return conform(pl.DataFrame(rows, infer_schema_length=None))


def ask_for_ever(load: Load, client: int) -> None:
    """One merchant, who asks one question after the other."""
    number = 0
    headers = {"Authorization": f"Bearer {load.tokens[client]}", "Content-Type": "application/json"}
    while not load.stop.is_set():
        number += 1
        body = {"transaction_id": f"T-{number}", "service": "hire", "subject": load.people[number % len(load.people)]}
        connection = http.client.HTTPConnection("127.0.0.1", load.port, timeout=10)
        sent = time.time()
        try:
            connection.request("POST", "/v1/eligibility", json.dumps(body | {"amount": 10_000}), headers)
            response = connection.getresponse()
            payload: dict[str, Any] = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError):
            time.sleep(0.05)
            continue
        finally:
            connection.close()
        load.statuses[response.status, payload.get("code", "")] += 1
        if response.status == 200:
            load.answers[payload["decision_id"]] = (sent, time.time())


@contextmanager
def serving(load: Load) -> Iterator[int]:
    """A server of two processes. We return the id of their parent."""
    code = (
        "import os; os.environ |= {'IFTAH_RULES': '%s'}; from api.cli.main import app; app(['serve', '--workers', '2'])"
    )
    with running_server(load.url, "-c", code % (load.home / "rules")) as (parent, load.port):
        yield parent


@contextmanager
def proposing(load: Load, seed: int) -> Iterator[subprocess.Popen[str]]:
    """A process that changes the rules. It has begun."""
    command = [sys.executable, "-m", "tests.soak.releases", "--propose", load.url, str(load.home), str(seed)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    try:
        assert process.stdout.readline().strip() == READY
        yield process
    finally:
        process.kill()
        process.wait(READY_TIMEOUT)
        process.stdout.close()


@dataclass
class SoakResult:
    """The kills by victim, what was wrong after each, and the figures of the end."""

    kills: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    figures: dict[str, str] = field(default_factory=dict)


def kill_again_and_again(load: Load, kills: int, result: SoakResult) -> None:
    """Serve, propose, and kill this number of times."""
    rng, database = random.Random(11), open_database(load.url)
    with ThreadPoolExecutor(CLIENTS) as threads:
        futures = [threads.submit(ask_for_ever, load, n) for n in range(CLIENTS)]
        try:
            while sum(result.kills.values()) < kills:
                with serving(load) as parent:
                    _until_the_server_dies(load, database, parent, kills, rng, result)
        finally:
            load.stop.set()
    for future in futures:
        future.result()
    database.dispose()


def _until_the_server_dies(
    load: Load, database: Database, parent: int, kills: int, rng: random.Random, result: SoakResult
) -> None:
    victim = ""
    while victim != "server" and sum(result.kills.values()) < kills:
        with proposing(load, rng.randrange(10**6)) as proposer:
            while True:
                time.sleep(rng.uniform(0.05, MAX_LIFE_SECONDS))
                victim = rng.choice(VICTIMS)
                workers = _children(parent)
                victim = "proposer" if victim == "worker" and not workers else victim
                pid = {"server": parent, "proposer": proposer.pid, "worker": rng.choice(workers or [0])}[victim]
                os.kill(pid, signal.SIGKILL)
                result.kills[victim] += 1
                result.problems += state_problems(database)
                if victim != "worker" or sum(result.kills.values()) >= kills:
                    break


def _children(parent: int) -> list[int]:
    """The processes that answer: those of the parent's children that have our server in their arguments."""
    pids = [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
    return [pid for pid in pids if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def judge(load: Load, result: SoakResult) -> None:
    """What is wrong at the end, and the figures."""
    database = open_database(load.url)
    result.problems += state_problems(database)
    state = read_state(database)
    with reading(database) as connection:
        result.problems += decision_problems(connection, database, state)
        late = lags(connection, load.answers, state)
        steps = connection.execute(text("SELECT count(*) FROM release_log")).scalar_one()
        decided = set(connection.execute(text("SELECT id FROM decisions")).scalars())
    if lost := len(set(load.answers) - decided):
        result.problems.append(f"{lost} answered decisions are not there")
    broken = audit.verify(database).first_break
    if broken is not None:
        result.problems.append(f"decision {broken.seq}: {broken.problem}")
    if (worst := max(late.sent, default=0.0)) > MAX_LAG_SECONDS:
        result.problems.append(f"a process was {worst:.1f} s behind the log")
    if other := {status for status in load.statuses if status[0] not in (200, 503)}:
        result.problems.append(f"other answers: {sorted(other)}")
    kinds_ = Counter(active.kind for active in state.activations)
    result.figures = {
        "answers": f"{len(load.answers):,}",
        "steps of the log": f"{steps:,}",
        "releases in force": ", ".join(f"{number} by {kind}" for kind, number in sorted(kinds_.items())),
        "received after the end of their release": f"{len(late.received):,}, {max(late.received, default=0):.3f} s at most",
        "asked after the end of their release": f"{len(late.sent):,}, {worst:.3f} s at most",
    }
    database.dispose()


def soak(url: str, home: Path, kills: int) -> SoakResult:
    """Run the test on one PostgreSQL database."""
    load, result = prepare(url, home), SoakResult()
    kill_again_and_again(load, kills, result)
    judge(load, result)
    return result


def main(kills: int = KILLS) -> None:
    """Print the figures and what was wrong."""
    with tempfile.TemporaryDirectory() as folder, on_postgres() as url:
        if not url:
            sys.exit("no PostgreSQL answers: one process serves SQLite")
        result = soak(url, Path(folder), kills)
    table = Table("", "", title=f"{kills} kills while releases change", show_header=False)
    table.add_row("kills", ", ".join(f"{number} of the {victim}" for victim, number in sorted(result.kills.items())))
    for name, value in result.figures.items():
        table.add_row(name, value)
    table.add_row("wrong", "; ".join(result.problems[:20]) or "nothing")
    Console(width=120).print(table)
    sys.exit(1 if result.problems else 0)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--propose"]:
        propose_for_ever(sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
    else:
        main(*(int(a) for a in sys.argv[1:2]))
