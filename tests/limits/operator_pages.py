"""Measure the operator's figures with a million people and a million decisions: `python -m tests.limits.operator_pages [COUNT]`.

The limits of a whole page are 200 ms in the median and 500 ms in the 99th percentile, on two cores.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import polars as pl
from fastapi.testclient import TestClient
from rich.console import Console
from rich.table import Table
from sqlalchemy import insert, text

from api.access import sessions, tokens
from api.access.auth import Caller
from api.console.visits import COOKIE
from api.evidence import contributor_sums, ledger
from api.features import builds, population
from api.http.app import create_app
from api.runtime.context import AppContext
from api.store import clock
from api.store.clock import micros
from api.store.database import open_database, reading, writing
from api.store.tables import DECISIONS, MESSAGES, ORDER_MOVES, ORDERS
from api.supervision import daily_sums
from engine.decide.evaluators import Evaluators
from graph.datasets.town import town
from tests.bench.decide import shipped_release
from tests.bench.swap import PEOPLE, ROWS, fill, fill_decisions

DAYS: Final = 90
ASKS: Final = 100  # of each address
ADDRESSES: Final = (
    "/monitor?days=30",
    "/monitor?days=90",
    "/evidence",
    "/callers",
    "/callers/services",
    "/callers/tokens",
    "/v1/today",
    "/v1/monitor?days=30",
    "/v1/monitor?days=90",
    "/v1/monitor/population",
    "/v1/evidence/contributors",
    "/v1/evidence/submissions",
    "/v1/callers/tokens",
    "/v1/callers/services",
    "/v1/callers/callbacks",
    "/v1/features",
    "/v1/people?starts=p",
    "/v1/audit/decisions",
    "/v1/audit/decisions?merchant=nobody",
    "/v1/audit/decisions?perk=hotel&outcome=DECLINE",
    "/v1/audit/decisions?to=2020-01-01T00:00:00Z",
)


def spread(url: str, count: int) -> None:
    """Let the decisions lie within the last days, make an order of each tenth one that ended, and a callback of each hundredth."""
    database, now = open_database(url), micros(clock.now())
    step = DAYS * 86_400_000_000 // count
    with writing(database) as connection:
        connection.execute(text("DROP TRIGGER IF EXISTS decisions_refuse_update"))
        connection.execute(DECISIONS.update().values(decided_at=now - (count - DECISIONS.c.seq) * step))
        for start in range(1, count // 10 + 1, ROWS):
            numbers = range(start, min(start + ROWS, count // 10 + 1))
            at = {n: now - (count - 10 * n) * step for n in numbers}
            orders = [
                {
                    **{
                        "id": f"o-{n}",
                        "merchant": f"m-{n % 50}",
                        "out_order_no": f"o-{n}",
                        "service": "s",
                        "perk": "hotel",
                    },
                    **{"service_version": 1, "decision": f"d-{10 * n}", "currency": "CNY", "mode": "waive_first"},
                    **{"waived": 1, "state": "settled", "created_at": at[n], "changed_at": at[n], "disputed": False},
                    **{"content": "{}", "digest": ""},
                }
                for n in numbers
            ]
            moves = [
                {
                    **{"order": f"o-{n}", "action": "pay", "digest": "", "before": "due", "at": at[n]},
                    **{"after": "overdue" if n % 9 == 0 else "settled"},
                }
                for n in numbers
            ]
            messages = [
                {
                    **{"id": f"msg_{n:032x}", "merchant": f"m-{n % 50}", "order": f"o-{n}", "event": "order.paid"},
                    **{"url": "https://inn.example/hook", "body": "{}", "created_at": at[n], "next_at": at[n]},
                    **{"attempts": 3, "state": "failed" if n % 100 == 0 else "sent"},
                }
                for n in numbers
                if n % 10 == 0
            ]
            connection.execute(insert(ORDERS), orders)
            connection.execute(insert(ORDER_MOVES), moves)
            connection.execute(insert(MESSAGES), messages)
    ledger.append(database, pl.concat(list(town(500, seed=1).events())), clock.now())
    database.dispose()


def seconds_of(work: Callable[[], object]) -> float:
    """The seconds that the work takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def count_everything(context: AppContext) -> dict[str, float]:
    """Count what the job and the build count, and say how long each takes."""

    def sums() -> None:
        while daily_sums.add_new(context.database, context.release.timezone):
            pass
        while contributor_sums.add_new(context.database):
            pass

    def bins() -> None:
        build = builds.latest_build(context.database)
        assert build is not None
        program = context.program(build)
        values = builds.values_of(context.database, build, program)
        rows = builds.score_rows(values, program, build, {})
        begin = time.perf_counter()
        counts = population.count_people(program, values, rows)
        took["bins alone"] = time.perf_counter() - begin
        with writing(context.database) as connection:
            population.store(connection, build.id, program.release, counts)

    took = {"sums": seconds_of(sums)}
    took["build with bins"] = seconds_of(bins)
    return took


def main() -> None:
    """Print the figures."""
    people = int(sys.argv[1]) if sys.argv[1:] else PEOPLE
    table = Table(
        "address", "median ms", "99 % ms", "kB", title=f"{people:,} people and decisions", title_justify="left"
    )
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'pages.db'}"
        fill(url, people)
        fill_decisions(url, people)
        spread(url, people)
        context = AppContext(open_database(url), Evaluators(shipped_release()))
        for name, seconds in count_everything(context).items():
            Console().print(f"{name}: {seconds:.1f} s")
        issued = tokens.issue(context.database, "operator", "mei", "mei", clock.now())
        caller = Caller(issued.token.id, "operator", "mei")
        session = sessions.open_session(context.database, caller, clock.now())
        headers = {"Authorization": f"Bearer {issued.secret}", "Cookie": f"{COOKIE}={session}"}
        client = TestClient(create_app(context))
        for address in ADDRESSES:
            times, size = [], 0
            for _ in range(ASKS):
                begin = time.perf_counter()
                answer = client.get(address, headers=headers)
                times.append(time.perf_counter() - begin)
                size = len(answer.content)
                assert answer.status_code == 200, answer.text
            times.sort()
            table.add_row(address, f"{times[ASKS // 2] * 1e3:.0f}", f"{times[-2] * 1e3:.0f}", f"{size / 1e3:.0f}")
        with reading(context.database) as connection:
            Console().print(
                table, f"{connection.execute(text('SELECT count(*) FROM answer_sums')).scalar()} rows of sums"
            )
        context.evaluators.close()
        context.database.dispose()


if __name__ == "__main__":
    main()
