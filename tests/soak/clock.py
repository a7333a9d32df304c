"""Whether a clock that leaps ahead does harm: `python -m tests.soak.clock`, or `make soak`. Under a minute for each database.

Merchants ask a server whose clock is set 400 days ahead for some seconds, and then right again. Meanwhile nobody may be told
anything but 503 `clock_ahead`, and nothing may be recorded; then the same process must answer again, orders be made of its
answers, and the day's digest cover every decision. On PostgreSQL a second server, whose clock is ahead when it starts, must
refuse to start. Ends with 1 when something is not so.
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

from api import clock
from api.clock import micros
from api.database import open_database, reading
from api.supervision import audit, digests
from tests.bench.ask import prepared
from tests.bench.fresh import RULES, SERVE, on_postgres, served

PEOPLE: Final = 60
AHEAD: Final = 400 * 86_400  # seconds
QUESTIONS: Final = 60  # at each stage
STARTS: Final = 120.0  # seconds within which a server that refuses to start has ended
RECOVERS: Final = 20.0  # seconds within which answers must come again
OFFSET: Final = "IFTAH_SOAK_CLOCK"  # names the file that says by how many seconds the server's clock is ahead
SERVE_AHEAD: Final = f"""
import os, pathlib
from datetime import UTC, datetime, timedelta
from api import clock
file = pathlib.Path(os.environ["{OFFSET}"])
clock.wall = lambda: datetime.now(UTC) + timedelta(seconds=float(file.read_text() or 0))
clock._anchor = (clock.wall(), clock._seconds())
{SERVE}"""
Said = Counter[tuple[int, str]]


@dataclass
class Leapt:
    """What was answered before, during and after, and what is wrong."""

    before: Said
    during: Said
    after: Said
    late: str = "-"  # what a server said that was to start with a clock ahead
    wrong: list[str] = field(default_factory=list)


def call(port: int, path: str, token: str, body: Any) -> tuple[int, dict[str, Any]]:
    """One request: the status and the answer."""
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        line.request("POST", path, json.dumps(body), headers)
        answer = line.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        line.close()


def questions(port: int, token: str, people: list[str], stage: str, number: int) -> Said:
    """Ask so often, one after the other: how many of each status and code."""
    said = Said()
    for n in range(number):
        body = {"transaction_id": f"{stage}-{n}", "service": "rooms", "subject": people[n % len(people)], "amount": 100}
        status, answer = call(port, "/v1/eligibility", token, body)
        said[status, answer.get("code", "")] += 1
    return said


def leapt(url: str, folder: Path, number: int = QUESTIONS) -> Leapt:
    """One database's turn."""
    tokens, people = prepared(url, PEOPLE)
    file = folder / "offset"
    file.write_text("0")
    os.environ[OFFSET] = str(file)
    engine = open_database(url)
    with served(url, "-c", SERVE_AHEAD) as (_, port):
        before = questions(port, tokens[0], people, "before", number)
        kept = _kept(engine)
        file.write_text(str(AHEAD))
        time.sleep(2.5)  # for what is done beside answering
        during = questions(port, tokens[1], people, "during", number)
        wrong = [] if _kept(engine) == kept else [f"recorded while ahead: {kept} became {_kept(engine)}"]
        file.write_text("0")
        _again(port, tokens[2], people)
        after = questions(port, tokens[2], people, "after", number)
        wrong += _ordered(port, tokens[2], people)
        found = Leapt(before, during, after, wrong=wrong)
        if engine.dialect.name == "postgresql":
            file.write_text(str(AHEAD))
            found.late, code = _started(url)
            found.wrong += [] if code and "days ahead" in found.late else [f"started ahead: {code} {found.late}"]
    found.wrong += [
        f"{name}: {dict(said)}"
        for name, said, right in (
            ("before", before, {(200, "")}),
            ("during", during, {(503, "clock_ahead")}),
            ("after", after, {(200, "")}),
        )
        if set(said) - right
    ]
    found.wrong += _digested(engine)
    engine.dispose()
    return found


def _started(url: str) -> tuple[str, int]:
    """What a server says that starts with a clock ahead, and its status: 0 when it does not end by itself."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    environment = os.environ | {"IFTAH_DATABASE_URL": url, "IFTAH_PORT": port, "IFTAH_RULES": str(RULES)}
    command = [sys.executable, "-c", SERVE_AHEAD]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=STARTS, check=False)
    except subprocess.TimeoutExpired:
        return "it serves", 0
    return " ".join((done.stdout + done.stderr).split())[-200:], done.returncode


def _again(port: int, token: str, people: list[str]) -> None:
    until = time.monotonic() + RECOVERS
    while time.monotonic() < until and (200, "") not in questions(port, token, people, f"again-{time.monotonic()}", 1):
        time.sleep(0.2)


def _kept(engine: Any) -> tuple[int, ...]:
    with reading(engine) as connection:
        tables = ("decisions", "events", "orders", "day_digests")
        return tuple(int(connection.execute(text(f"SELECT count(*) FROM {t}")).scalar_one()) for t in tables)


def _ordered(port: int, token: str, people: list[str]) -> list[str]:
    """What hinders an order of a new answer, of the first person who is given one."""
    for n, person in enumerate(people):
        body = {"transaction_id": f"order-{n}", "service": "rooms", "subject": person, "amount": 100}
        _, answer = call(port, "/v1/eligibility", token, body)
        if answer.get("waived_amount"):
            form = {"out_order_no": "O-1", "service": "rooms", "decision_id": answer["decision_id"]}
            form |= {"risk_fund": {"amount": 100}, "service_introduction": "a room"}
            status, made = call(port, "/v1/orders", token, form)
            return [] if status == 201 else [f"no order is made: {status} {made.get('code')}"]
    return ["nobody is given anything"]


def _digested(engine: Any) -> list[str]:
    """What is wrong with the chain once its day is over."""
    now = clock.now()
    digests.make(engine, now + timedelta(days=2))
    with reading(engine) as connection:
        ahead = connection.execute(
            text("SELECT count(*) FROM decisions WHERE decided_at > :now"), {"now": micros(now + timedelta(days=1))}
        ).scalar()
        last = connection.execute(text("SELECT max(seq) FROM decisions")).scalar()
    wrong = [f"{ahead} decisions are stamped ahead"] if ahead else []
    if digests.listed(engine)[-1].last != last:
        wrong.append("the last decision is in no digest")
    broken = audit.verify(engine).broken
    return wrong + ([broken.what] if broken else [])


def main(number: int = QUESTIONS) -> None:
    """Print what was answered, and what was wrong."""
    table = Table("database", "before", "400 days ahead", "right again", "started ahead", "wrong")
    bad = False
    with tempfile.TemporaryDirectory() as folder, on_postgres() as postgres:
        urls = {"SQLite": f"sqlite:///{folder}/iftah.db"} | ({"PostgreSQL": postgres} if postgres else {})
        for name, url in urls.items():
            found = leapt(url, Path(folder), number)
            counts = (found.before, found.during, found.after)
            said = (", ".join(f"{n} {s} {c}".strip() for (s, c), n in sorted(of.items())) or "-" for of in counts)
            table.add_row(name, *said, found.late, "; ".join(found.wrong) or "nothing")
            bad |= bool(found.wrong)
    Console(width=130).print(table)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main(*(int(a) for a in sys.argv[1:2]))
