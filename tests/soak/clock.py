"""Test a clock that leaps ahead: `python -m tests.soak.clock`, or `make soak`. Under a minute for each database.

Merchants ask a server whose clock we set 400 days ahead for some seconds, and then right again. While it is ahead, every answer
must be 503 `clock_ahead`, and the server must record nothing. Afterwards the same process must answer again, its answers must allow
orders, and the day's digest must cover every decision. On PostgreSQL we also start a second server with a clock ahead, which must
refuse to start. The exit status is 1 if any of this fails.
"""

import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from sqlalchemy import text

from api.store import clock
from api.store.clock import micros
from api.store.database import open_database, reading
from api.supervision import audit, digests
from tests.bench.ask import prepare
from tests.bench.fresh import RULES, on_postgres, running_server
from tests.soak.serve_ahead import OFFSET

PEOPLE: Final = 60
AHEAD_SECONDS: Final = 400 * 86_400  # seconds
QUESTIONS: Final = 60  # at each stage
START_TIMEOUT: Final = 120.0  # seconds within which a server that refuses to start must end
RECOVERY_TIMEOUT: Final = 20.0  # seconds within which the server must answer again
SERVE_AHEAD: Final = "tests.soak.serve_ahead"
AnswerCounts = Counter[tuple[int, str]]


@dataclass
class ClockLeapResult:
    """The answers before, during and after the leap, and the faults."""

    before: AnswerCounts
    during: AnswerCounts
    after: AnswerCounts
    start_message: str = "-"  # the output of a server that starts with a clock ahead
    problems: list[str] = field(default_factory=list)


def call(port: int, path: str, token: str, body: Any) -> tuple[int, dict[str, Any]]:
    """Send one request. Returns the status and the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        connection.request("POST", path, json.dumps(body), headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def questions(port: int, token: str, people: list[str], stage: str, number: int) -> AnswerCounts:
    """Ask this number of times in sequence. Returns the count of each status and code."""
    counts = AnswerCounts()
    for n in range(number):
        body = {"transaction_id": f"{stage}-{n}", "service": "rooms", "subject": people[n % len(people)], "amount": 100}
        status, answer = call(port, "/v1/eligibility", token, body)
        counts[status, answer.get("code", "")] += 1
    return counts


def leap_clock(url: str, folder: Path, number: int = QUESTIONS) -> ClockLeapResult:
    """Run the test on one database."""
    tokens, people = prepare(url, PEOPLE)
    file = folder / "offset"
    file.write_text("0")
    os.environ[OFFSET] = str(file)
    database = open_database(url)
    with running_server(url, "-m", SERVE_AHEAD) as (_, port):
        before = questions(port, tokens[0], people, "before", number)
        rows_before = _row_counts(database)
        file.write_text(str(AHEAD_SECONDS))
        time.sleep(2.5)  # for the background jobs
        during = questions(port, tokens[1], people, "during", number)
        problems = (
            []
            if _row_counts(database) == rows_before
            else [f"recorded while ahead: {rows_before} became {_row_counts(database)}"]
        )
        file.write_text("0")
        _await_recovery(port, tokens[2], people)
        after = questions(port, tokens[2], people, "after", number)
        problems += _order_problems(port, tokens[2], people)
        result = ClockLeapResult(before, during, after, problems=problems)
        if database.dialect.name == "postgresql":
            file.write_text(str(AHEAD_SECONDS))
            result.start_message, code = _start_ahead(url)
            result.problems += (
                []
                if code and "days ahead" in result.start_message
                else [f"started ahead: {code} {result.start_message}"]
            )
    result.problems += [
        f"{name}: {dict(counts)}"
        for name, counts, expected in (
            ("before", before, {(200, "")}),
            ("during", during, {(503, "clock_ahead")}),
            ("after", after, {(200, "")}),
        )
        if set(counts) - expected
    ]
    result.problems += _digest_problems(database)
    database.dispose()
    return result


def _start_ahead(url: str) -> tuple[str, int]:
    """Start a server with a clock ahead. Returns its output and its status, 0 if it does not end by itself."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    environment = os.environ | {"IFTAH_DATABASE_URL": url, "IFTAH_PORT": port, "IFTAH_RULES": str(RULES)}
    command = [sys.executable, "-m", SERVE_AHEAD]
    try:
        completed = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=START_TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        return "it serves", 0
    return " ".join((completed.stdout + completed.stderr).split())[-200:], completed.returncode


def _await_recovery(port: int, token: str, people: list[str]) -> None:
    until = time.monotonic() + RECOVERY_TIMEOUT
    while time.monotonic() < until and (200, "") not in questions(port, token, people, f"again-{time.monotonic()}", 1):
        time.sleep(0.2)


def _row_counts(database: Any) -> tuple[int, ...]:
    with reading(database) as connection:
        tables = ("decisions", "events", "orders", "day_digests")
        return tuple(int(connection.execute(text(f"SELECT count(*) FROM {t}")).scalar_one()) for t in tables)


def _order_problems(port: int, token: str, people: list[str]) -> list[str]:
    """The problem with an order from a new answer about the first admitted person, or None."""
    for n, person in enumerate(people):
        body = {"transaction_id": f"order-{n}", "service": "rooms", "subject": person, "amount": 100}
        _, answer = call(port, "/v1/eligibility", token, body)
        if answer.get("waived_amount"):
            form = {"out_order_no": "O-1", "service": "rooms", "decision_id": answer["decision_id"]}
            form |= {"risk_fund": {"amount": 100}, "service_introduction": "a room"}
            status, order = call(port, "/v1/orders", token, form)
            return [] if status == 201 else [f"no order is made: {status} {order.get('code')}"]
    return ["nobody is given anything"]


def _digest_problems(database: Any) -> list[str]:
    """The problem with the chain once its day is over."""
    now = clock.now()
    digests.make_digests(database, now + timedelta(days=2))
    with reading(database) as connection:
        ahead = connection.execute(
            text("SELECT count(*) FROM decisions WHERE decided_at > :now"), {"now": micros(now + timedelta(days=1))}
        ).scalar()
        last = connection.execute(text("SELECT max(seq) FROM decisions")).scalar()
    problems = [f"{ahead} decisions are stamped ahead"] if ahead else []
    if digests.list_digests(database)[-1].last != last:
        problems.append("the last decision is in no digest")
    broken = audit.verify(database).first_break
    return problems + ([broken.problem] if broken else [])


def main(number: int = QUESTIONS) -> None:
    """Print the answers and the faults."""
    table = Table("database", "before", "400 days ahead", "right again", "started ahead", "wrong")
    failed = False
    with tempfile.TemporaryDirectory() as folder, on_postgres() as postgres:
        urls = {"SQLite": f"sqlite:///{folder}/iftah.db"} | ({"PostgreSQL": postgres} if postgres else {})
        for name, url in urls.items():
            result = leap_clock(url, Path(folder), number)
            counts = (result.before, result.during, result.after)
            cells = (", ".join(f"{n} {s} {c}".strip() for (s, c), n in sorted(of.items())) or "-" for of in counts)
            table.add_row(name, *cells, result.start_message, "; ".join(result.problems) or "nothing")
            failed |= bool(result.problems)
    Console(width=130).print(table)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main(*(int(a) for a in sys.argv[1:2]))
